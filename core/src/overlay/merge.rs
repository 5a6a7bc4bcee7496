//! What `kubectl apply` would make of an object, worked out here: for where the API server cannot be
//! asked. An object that is there keeps what the manifest does not speak of where `kubectl apply` keeps
//! it (labels and annotations of others, the addresses of a Service, the API server's defaults); fields
//! that the manifest named when it was applied last, and no longer names, go.

use serde_json::{Map, Value};

use crate::{json_merge::lacking, model::kind::Kind};

/// The annotation in which kubectl keeps what it applied last.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Fields that API servers fill in: what a manifest leaves out and the cluster has is no difference.
const FILLED_IN: &[&str] = &[
    "group",
    "kind",
    "weight",
    "matches",
    "path",
    "type",
    "value",
    "allowedRoutes",
    "namespaces",
    "from",
    "protocol",
    "targetPort",
    "namespace",
    "mode",
    "port",
    "kinds",
    "attachedRoutes",
];

/// What a manifest says of an object, beside its name.
pub fn parts(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    const OTHERS: &[&str] = &["apiVersion", "kind", "metadata", "status"];
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !OTHERS.contains(&key.as_str()))
}

pub(super) fn last_applied(there: &Value) -> Option<Value> {
    let text = there
        .pointer("/metadata/annotations")?
        .get(LAST_APPLIED)?
        .as_str()?;
    serde_json::from_str(text).ok()
}

/// Whether the cluster's object is as the manifest wants it.
pub(super) fn is_so(there: &Value, manifest: &Value) -> bool {
    let has_all = parts(manifest).all(|(key, wanted)| {
        there
            .get(key)
            .is_some_and(|given| lacking(wanted, given).is_empty())
    });
    if !has_all || !labels_are_so(there, manifest) {
        return false;
    }
    match last_applied(there) {
        Some(last) => parts(&last).all(|(key, before)| manifest.get(key) == Some(before)),
        None => parts(there).all(|(key, given)| match manifest.get(key) {
            Some(wanted) => lacking(given, wanted).iter().all(|path| {
                let field = path.rsplit('.').next().unwrap_or_default();
                let field = field.split('[').next().unwrap_or_default();
                FILLED_IN.contains(&field) || is_services_own(there, field)
            }),
            None => false,
        }),
    }
}

fn labels_are_so(there: &Value, manifest: &Value) -> bool {
    ["/metadata/labels", "/metadata/annotations"]
        .iter()
        .all(|pointer| {
            manifest.pointer(pointer).is_none_or(|wanted| {
                there
                    .pointer(pointer)
                    .is_some_and(|given| lacking(wanted, given).is_empty())
            })
        })
}

fn is_services_own(there: &Value, field: &str) -> bool {
    const OWN: &[&str] = &[
        "clusterIP",
        "clusterIPs",
        "ipFamilies",
        "ipFamilyPolicy",
        "internalTrafficPolicy",
        "sessionAffinity",
        "nodePort",
        "externalTrafficPolicy",
        "allocateLoadBalancerNodePorts",
    ];
    there.get("kind").and_then(Value::as_str) == Some("Service") && OWN.contains(&field)
}

/// The object after `kubectl apply`.
pub(super) fn applied(kind: Kind, there: &Value, manifest: &Value) -> Value {
    let last = last_applied(there);
    let mut after = Map::new();
    for key in ["apiVersion", "kind"] {
        if let Some(value) = there.get(key) {
            after.insert(key.to_owned(), value.clone());
        }
    }
    let mut metadata = there.get("metadata").cloned().unwrap_or_default();
    for field in ["labels", "annotations"] {
        if let Some(wanted) = manifest.get("metadata").and_then(|meta| meta.get(field)) {
            let patch = Value::Object(Map::from_iter([(field.to_owned(), wanted.clone())]));
            json_patch::merge(&mut metadata, &patch);
        }
    }
    if let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
        metadata["generation"] = Value::from(generation + 1);
    }
    after.insert("metadata".to_owned(), metadata);
    for (key, wanted) in parts(manifest) {
        let given = there.get(key).unwrap_or(&Value::Null);
        let before = last.as_ref().and_then(|last| last.get(key));
        let value = match before {
            Some(before) => three_way(given, wanted, before),
            None if kind == Kind::Service => {
                let mut value = given.clone();
                json_patch::merge(&mut value, wanted);
                value
            }
            None => wanted.clone(),
        };
        after.insert(key.clone(), value);
    }
    Value::Object(after)
}

/// What kubectl makes of the object there, the manifest and what was applied last. Lists are the
/// manifest's, unless the object's is the same with the API server's defaults.
fn three_way(given: &Value, wanted: &Value, before: &Value) -> Value {
    match (given, wanted) {
        (Value::Object(given), Value::Object(wanted)) => {
            let mut after = given.clone();
            if let Value::Object(before) = before {
                for key in before.keys().filter(|key| !wanted.contains_key(*key)) {
                    after.shift_remove(key);
                }
            }
            for (key, wanted) in wanted {
                let before = before.get(key).unwrap_or(&Value::Null);
                let given = given.get(key).unwrap_or(&Value::Null);
                after.insert(key.clone(), three_way(given, wanted, before));
            }
            Value::Object(after)
        }
        (Value::Array(_), Value::Array(_))
            if wanted == before && lacking(wanted, given).is_empty() =>
        {
            given.clone()
        }
        _ => wanted.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gateway(spec: &Value) -> Value {
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "g", "generation": 3, "labels": {"theirs": "1"}}, "spec": spec,
            "status": {"conditions": []}})
    }

    #[test]
    fn what_the_api_server_filled_in_is_no_difference_and_what_somebody_added_is() {
        let manifest = json!({"metadata": {"name": "g"}, "spec": {"listeners": [{"name": "http", "port": 80}]}});
        let filled = json!({"listeners": [{"name": "http", "port": 80, "allowedRoutes": {"namespaces": {"from": "Same"}}}]});
        assert!(is_so(&gateway(&filled), &manifest));
        let with_tls = json!({"listeners": [{"name": "http", "port": 80}], "tls": {"backend": {}}});
        assert!(!is_so(&gateway(&with_tls), &manifest));
    }

    #[test]
    fn a_field_that_was_applied_and_is_no_longer_named_goes_and_others_labels_stay() {
        let mut there =
            gateway(&json!({"gatewayClassName": "nginx", "tls": {"backend": {}}, "addresses": []}));
        let last = json!({"spec": {"gatewayClassName": "nginx", "tls": {"backend": {}}}});
        there["metadata"]["annotations"] = json!({LAST_APPLIED: last.to_string()});
        let manifest =
            json!({"metadata": {"labels": {"ours": "2"}}, "spec": {"gatewayClassName": "nginx"}});
        assert!(!is_so(&there, &manifest));
        let after = applied(Kind::Gateway, &there, &manifest);
        assert_eq!(
            after["spec"],
            json!({"gatewayClassName": "nginx", "addresses": []})
        );
        assert_eq!(
            after["metadata"]["labels"],
            json!({"theirs": "1", "ours": "2"})
        );
        assert_eq!(after["metadata"]["generation"], 4);
        assert_eq!(after.get("status"), None);
    }

    #[test]
    fn a_service_keeps_its_address() {
        let there =
            json!({"kind": "Service", "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 1}]}});
        let manifest = json!({"kind": "Service", "spec": {"ports": [{"port": 2}]}});
        let after = applied(Kind::Service, &there, &manifest);
        assert_eq!(
            after["spec"],
            json!({"clusterIP": "10.0.0.1", "ports": [{"port": 2}]})
        );
    }
}
