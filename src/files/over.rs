//! Lays manifests over what a cluster holds, as `kubectl apply` would: what there would be then.
//!
//! An object that is there keeps what the manifest does not speak of where `kubectl apply` keeps it
//! (labels and annotations of others, the addresses of a Service, the API server's defaults); fields
//! that the manifest named when it was applied last, and no longer names, go. A changed object loses
//! its status, since what NGF will say of it is not known yet: rules then predict it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{
    fix::lacking,
    model::{
        decode::{self, Incoming},
        kind::{KINDS, Kind},
        object::ObjectRef,
        references::references,
        snapshot::{KindState, Lookup, Snapshot, Source},
    },
};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

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

/// What a manifest is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Laid {
    /// The object would be made.
    New,
    /// The object would be changed.
    Changed,
    /// The object is so already.
    Same,
}

/// A cluster as it would be.
#[derive(Debug, Clone)]
pub struct Over {
    /// The objects.
    pub snapshot: Snapshot,
    /// The manifests' objects.
    pub laid: BTreeMap<ObjectRef, Laid>,
    /// What the API server would not take, a sentence each.
    pub refused: Vec<String>,
}

/// Lays `files` over `live`. New objects are created at `now`.
pub fn over(live: &Snapshot, files: &Snapshot, now: Timestamp) -> Over {
    let mut over = Over {
        snapshot: live.clone(),
        laid: BTreeMap::new(),
        refused: Vec::new(),
    };
    over.snapshot.problems.clone_from(&files.problems);
    for object in objects(files) {
        if let Some(why) = not_served(live, files, &object) {
            over.refused.push(why);
            continue;
        }
        let laid = over.lay(live, files, &object, now);
        over.laid.insert(object, laid);
    }
    over
}

impl Over {
    /// The Secrets and ConfigMaps that something refers to now, and that nobody has read.
    pub fn unread(&self) -> BTreeSet<ObjectRef> {
        references(&self.snapshot)
            .into_iter()
            .filter(|object| match object.kind {
                Kind::Secret => !self.snapshot.secrets.contains_key(object),
                _ => !self.snapshot.config_maps.contains_key(object),
            })
            .collect()
    }

    /// Says of each Secret that is not there and that a Certificate will write that nobody knows it
    /// yet.
    pub fn expect_certificates(&mut self) {
        let written: Vec<(ObjectRef, ObjectRef)> = self
            .snapshot
            .certificates
            .values()
            .map(|certificate| {
                let name = &certificate.reference;
                let secret =
                    ObjectRef::new(Kind::Secret, &name.namespace, &certificate.spec.secret_name);
                (secret, name.clone())
            })
            .collect();
        let wanted = references(&self.snapshot);
        for (secret, certificate) in written {
            let there = matches!(self.snapshot.secrets.get(&secret), Some(Lookup::Found(_)));
            if wanted.contains(&secret) && !there {
                let why = format!("{secret} is not there yet, and {certificate} is to write it");
                self.snapshot.secrets.insert(secret, Lookup::Unknown(why));
            }
        }
    }

    fn lay(
        &mut self,
        live: &Snapshot,
        files: &Snapshot,
        object: &ObjectRef,
        now: Timestamp,
    ) -> Laid {
        if object.kind == Kind::Secret {
            // Only facts of it are known; they replace the facts.
            if let Some(found) = files.secrets.get(object) {
                self.snapshot.secrets.insert(object.clone(), found.clone());
            }
            return match live.secrets.get(object) {
                Some(Lookup::Found(_)) => Laid::Changed,
                _ => Laid::New,
            };
        }
        let Some(manifest) = files.raw(object) else {
            return Laid::Same;
        };
        let (value, laid) = match live.raw(object) {
            Some(there) if is_so(&there, &manifest) => return Laid::Same,
            Some(there) => (applied(object.kind, &there, &manifest), Laid::Changed),
            None => {
                let mut value = (*manifest).clone();
                if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
                    metadata.insert("creationTimestamp".to_owned(), now.to_string().into());
                    metadata.insert("generation".to_owned(), 1.into());
                }
                (value, Laid::New)
            }
        };
        put(&mut self.snapshot, object, value);
        laid
    }
}

/// The same objects without what NGF said of them, so that rules tell what the objects alone mean.
#[must_use]
pub fn without_status(snapshot: &Snapshot) -> Snapshot {
    let mut bare = snapshot.clone();
    for object in objects(snapshot) {
        let stripped = matches!(
            object.kind,
            Kind::Gateway
                | Kind::ListenerSet
                | Kind::HTTPRoute
                | Kind::GRPCRoute
                | Kind::TLSRoute
                | Kind::TCPRoute
                | Kind::UDPRoute
                | Kind::BackendTLSPolicy
        );
        if let (true, Some(raw)) = (stripped, snapshot.raw(&object)) {
            let mut value = (*raw).clone();
            if let Value::Object(map) = &mut value
                && map.shift_remove("status").is_some()
            {
                put(&mut bare, &object, value);
            }
        }
    }
    bare
}

fn put(snapshot: &mut Snapshot, object: &ObjectRef, value: Value) {
    let incoming = Incoming { value, cut: false };
    // It was decoded before, so it has a name.
    if let Ok(decoded) = decode::object(object.kind, incoming, &object.namespace) {
        snapshot.put(decoded);
    }
}

/// The objects of a snapshot that were read, but for events.
fn objects(snapshot: &Snapshot) -> Vec<ObjectRef> {
    let found = |(object, lookup): (&ObjectRef, bool)| lookup.then(|| object.clone());
    let mut all: Vec<ObjectRef> = Vec::new();
    all.extend(snapshot.gateway_classes.keys().cloned());
    all.extend(snapshot.gateways.keys().cloned());
    all.extend(snapshot.listener_sets.keys().cloned());
    all.extend(snapshot.routes.keys().cloned());
    all.extend(snapshot.policies.keys().cloned());
    all.extend(snapshot.grants.keys().cloned());
    all.extend(snapshot.services.keys().cloned());
    all.extend(snapshot.endpoint_slices.keys().cloned());
    all.extend(snapshot.pods.keys().cloned());
    all.extend(snapshot.workloads.keys().cloned());
    all.extend(snapshot.ngf.keys().cloned());
    all.extend(snapshot.issuers.keys().cloned());
    all.extend(snapshot.certificates.keys().cloned());
    all.extend(snapshot.certificate_requests.keys().cloned());
    let secrets = snapshot.secrets.iter();
    all.extend(
        secrets
            .map(|(object, lookup)| (object, matches!(lookup, Lookup::Found(_))))
            .filter_map(found),
    );
    let maps = snapshot.config_maps.iter();
    all.extend(
        maps.map(|(object, lookup)| (object, matches!(lookup, Lookup::Found(_))))
            .filter_map(found),
    );
    all
}

/// Why the API server would not take an object of this kind and version.
fn not_served(live: &Snapshot, files: &Snapshot, object: &ObjectRef) -> Option<String> {
    if !matches!(live.source, Source::Cluster { .. }) {
        return None;
    }
    let written = files.raw(object)?;
    let written = written.get("apiVersion")?.as_str()?;
    let info = KINDS.get(object.kind as usize)?;
    match live.kinds.get(&object.kind)? {
        KindState::NotServed => Some(format!(
            "{object}: the cluster has no {} of group {}; install its CRDs first",
            info.name, info.group
        )),
        KindState::Live { version } if info.versions.len() > 1 => {
            let version_written = written.rsplit('/').next().unwrap_or_default();
            // Of several served versions the tool knows the one that it reads, its most preferred.
            let older = |name: &str| info.versions.iter().position(|known| *known == name);
            (older(version_written)? < older(version)?).then(|| {
                format!(
                    "{object}: the cluster does not serve {written}, only {version}; the API server refuses it"
                )
            })
        }
        _ => None,
    }
}

/// What a manifest says of an object, beside its name.
fn parts(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    const OTHERS: &[&str] = &["apiVersion", "kind", "metadata", "status"];
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !OTHERS.contains(&key.as_str()))
}

fn last_applied(there: &Value) -> Option<Value> {
    let text = there
        .pointer("/metadata/annotations")?
        .get(LAST_APPLIED)?
        .as_str()?;
    serde_json::from_str(text).ok()
}

/// Whether the cluster's object is as the manifest wants it.
fn is_so(there: &Value, manifest: &Value) -> bool {
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
fn applied(kind: Kind, there: &Value, manifest: &Value) -> Value {
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
