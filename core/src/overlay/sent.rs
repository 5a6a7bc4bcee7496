//! What would be sent to the API server to apply a manifest, as kubectl has it: an object that is not
//! there is made; one that is there gets a patch that adds, changes, and takes away what the manifest
//! named when it was applied last (kubectl's three-way merge); and what was applied server-side is
//! applied so again, by the same manager.

use serde_json::{Map, Value, json};

use super::merge::{LAST_APPLIED, last_applied};
use crate::model::kind::Kind;

/// What would be sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// `POST` of the whole.
    Create(Value),
    /// `PATCH` with a JSON merge patch (RFC 7386).
    Merge(Value),
    /// `PATCH` with a strategic merge patch, which merges lists by key.
    Strategic(Value),
    /// `PATCH` by server-side apply.
    Apply {
        /// In whose name.
        manager: String,
        /// The whole.
        body: Value,
    },
}

impl Sent {
    /// The verb of the API, which is RBAC's too.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Merge(_) | Self::Strategic(_) | Self::Apply { .. } => "patch",
        }
    }

    /// The media type of the body.
    pub fn media(&self) -> &'static str {
        match self {
            Self::Create(_) => "application/json",
            Self::Merge(_) => "application/merge-patch+json",
            Self::Strategic(_) => "application/strategic-merge-patch+json",
            Self::Apply { .. } => "application/apply-patch+yaml",
        }
    }

    /// What is sent.
    pub fn body(&mut self) -> &mut Value {
        match self {
            Self::Create(body)
            | Self::Merge(body)
            | Self::Strategic(body)
            | Self::Apply { body, .. } => body,
        }
    }
}

/// What is sent for a manifest where `live` is in the cluster. Nothing of a Secret's values is copied
/// but into the field that they stand in.
pub fn sent(kind: Kind, manifest: &Value, live: Option<&Value>) -> Sent {
    let Some(live) = live else {
        return Sent::Create(annotated(kind, manifest.clone(), manifest));
    };
    let last = last_applied(live);
    if last.is_none()
        && let Some(manager) = applier(live)
    {
        return Sent::Apply {
            manager,
            body: manifest.clone(),
        };
    }
    let is_strategic = is_built_in(kind);
    let patch = match &last {
        Some(last) => with_deletions(manifest, last, is_strategic),
        None => manifest.clone(),
    };
    let patch = annotated(kind, patch, manifest);
    if is_strategic {
        Sent::Strategic(patch)
    } else {
        Sent::Merge(patch)
    }
}

/// With the annotation in which kubectl keeps what was applied; a Secret's values stay where they are.
fn annotated(kind: Kind, mut body: Value, manifest: &Value) -> Value {
    if kind == Kind::Secret {
        return body;
    }
    let mut applied = manifest.clone();
    if let Some(Value::Object(annotations)) = applied.pointer_mut("/metadata/annotations") {
        annotations.shift_remove(LAST_APPLIED);
    }
    let patch = json!({"metadata": {"annotations": {LAST_APPLIED: format!("{applied}\n")}}});
    json_patch::merge(&mut body, &patch);
    body
}

/// The manager that applied the object server-side, the last of several.
fn applier(live: &Value) -> Option<String> {
    live.pointer("/metadata/managedFields")?
        .as_array()?
        .iter()
        .filter(|entry| entry["operation"] == "Apply" && entry.get("subresource").is_none())
        .max_by_key(|entry| entry["time"].as_str().unwrap_or_default())
        .and_then(|entry| entry["manager"].as_str())
        .filter(|manager| !manager.is_empty())
        .map(str::to_owned)
}

/// Kinds whose Go types tell the API server how lists are merged; custom resources have none.
fn is_built_in(kind: Kind) -> bool {
    matches!(kind.info().group, "" | "apps" | "discovery.k8s.io")
}

/// The manifest, and with it what it takes away: what it named when it was applied last.
fn with_deletions(manifest: &Value, last: &Value, is_strategic: bool) -> Value {
    let mut patch = Map::new();
    for (name, wanted) in manifest.as_object().into_iter().flatten() {
        let wanted = match (name.as_str(), last.get(name)) {
            ("metadata", Some(last)) => labels_and_annotations(wanted, last),
            ("apiVersion" | "kind" | "status", _) | (_, None) => wanted.clone(),
            (_, Some(last)) => without_the_rest(wanted, last, is_strategic),
        };
        patch.insert(name.clone(), wanted);
    }
    for name in last.as_object().into_iter().flatten().map(|(name, _)| name) {
        if manifest.get(name).is_none() && name != "status" {
            patch.insert(name.clone(), Value::Null);
        }
    }
    Value::Object(patch)
}

fn labels_and_annotations(wanted: &Value, last: &Value) -> Value {
    let mut metadata = wanted.clone();
    for field in ["labels", "annotations"] {
        let nothing = json!({});
        let wanted = wanted.get(field).unwrap_or(&nothing);
        if let Some(last) = last.get(field) {
            metadata[field] = without_the_rest(wanted, last, false);
        }
    }
    metadata
}

fn without_the_rest(wanted: &Value, last: &Value, is_strategic: bool) -> Value {
    let (Value::Object(wanted), Value::Object(last)) = (wanted, last) else {
        return wanted.clone();
    };
    let mut patch = wanted.clone();
    for (name, last) in last {
        let both = match (wanted.get(name), last) {
            (None, _) => Value::Null,
            (Some(Value::Array(wanted)), Value::Array(last)) if is_strategic => {
                Value::Array(entries(name, wanted, last))
            }
            (Some(wanted), last) => without_the_rest(wanted, last, is_strategic),
        };
        patch.insert(name.clone(), both);
    }
    Value::Object(patch)
}

/// A list that the API server merges by key: entries that are named no longer are said to go.
fn entries(list: &str, wanted: &[Value], applied: &[Value]) -> Vec<Value> {
    let mut patch = wanted.to_vec();
    for before in applied {
        let Some(key) = merge_key(list, before) else {
            continue;
        };
        let same = |entry: &Value| entry.get(key) == before.get(key);
        match patch.iter_mut().find(|entry| same(entry)) {
            Some(entry) => *entry = without_the_rest(entry, before, true),
            None => patch.push(json!({"$patch": "delete", key: before[key]})),
        }
    }
    patch
}

/// The `patchMergeKey` of `k8s.io/api` for the lists of the kinds that the tool knows.
fn merge_key(list: &str, entry: &Value) -> Option<&'static str> {
    let keys: &[&'static str] = match list {
        "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets" => &["name"],
        "ports" => &["containerPort", "port"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey"],
        _ => &[],
    };
    keys.iter().copied().find(|key| entry.get(key).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(last: &Value) -> Value {
        json!({"metadata": {"annotations": {LAST_APPLIED: last.to_string()}}})
    }

    fn without_annotation(sent: Sent) -> Value {
        let (Sent::Merge(mut body) | Sent::Strategic(mut body) | Sent::Create(mut body)) = sent
        else {
            panic!("an apply");
        };
        let annotations = body.pointer_mut("/metadata/annotations").expect("there");
        let kept = annotations
            .as_object_mut()
            .and_then(|map| map.shift_remove(LAST_APPLIED));
        assert!(kept.is_some_and(|text| text.as_str().is_some_and(|text| text.ends_with("}\n"))));
        body
    }

    #[test]
    fn what_was_applied_and_is_named_no_longer_goes() {
        let last = json!({"metadata": {"name": "g", "namespace": "default", "labels": {"old": "1"}},
            "spec": {"gatewayClassName": "nginx", "tls": {"backend": {"a": 1}}}});
        let manifest = json!({"metadata": {"name": "g"}, "spec": {"gatewayClassName": "nginx"}});
        let sent = sent(Kind::Gateway, &manifest, Some(&live(&last)));
        assert!(matches!(sent, Sent::Merge(_)), "{sent:?}");
        assert_eq!(
            without_annotation(sent),
            json!({"metadata": {"name": "g", "labels": {"old": null}, "annotations": {}},
                "spec": {"gatewayClassName": "nginx", "tls": null}})
        );
    }

    #[test]
    fn a_port_of_a_service_that_is_named_no_longer_is_deleted_by_its_key() {
        let last = json!({"spec": {"ports": [{"port": 1}, {"port": 2, "name": "b"}]}});
        let manifest = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 2}]}});
        let sent = sent(Kind::Service, &manifest, Some(&live(&last)));
        assert!(matches!(sent, Sent::Strategic(_)), "{sent:?}");
        assert_eq!(
            without_annotation(sent)["spec"]["ports"],
            json!([{"port": 2, "name": null}, {"$patch": "delete", "port": 1}])
        );
    }

    #[test]
    fn what_was_applied_server_side_is_applied_so_again_by_the_same_manager() {
        let live = json!({"metadata": {"managedFields": [
            {"manager": "kustomize-controller", "operation": "Apply", "time": "2026-06-01T12:00:00Z"},
            {"manager": "ngf", "operation": "Apply", "subresource": "status", "time": "2026-06-02T12:00:00Z"},
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-06-03T12:00:00Z"}]}});
        let manifest = json!({"metadata": {"name": "g"}});
        assert_eq!(
            sent(Kind::Gateway, &manifest, Some(&live)),
            Sent::Apply {
                manager: "kustomize-controller".to_owned(),
                body: manifest
            }
        );
    }

    #[test]
    fn no_copy_of_a_secret_s_values_is_made() {
        let manifest = json!({"metadata": {"name": "s"}, "stringData": {"tls.key": "very secret"}});
        let Sent::Create(body) = sent(Kind::Secret, &manifest, None) else {
            panic!("it is not there");
        };
        assert_eq!(body.to_string().matches("very secret").count(), 1);
    }
}
