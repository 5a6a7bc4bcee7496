//! What NGF reads of the cluster, as ngf-core reads it.

use ngf_core::model::decode::{self, Incoming};
use ngf_core::model::kind::{KINDS, Kind};
use ngf_core::model::object::ObjectRef;
use ngf_core::model::references::references;
use ngf_core::model::snapshot::{KindState, Lookup, Scope, Snapshot, Source};

use serde_json::{Value, json};

use crate::kinds;
use crate::metadata::meta;
use crate::selectors::labels_match;
use crate::store::Store;

/// Kinds that decide nothing of what NGF does.
const IDLE: &[Kind] = &[
    Kind::Pod,
    Kind::EndpointSlice,
    Kind::NetworkPolicy,
    Kind::ClusterIssuer,
    Kind::Issuer,
    Kind::Certificate,
    Kind::CertificateRequest,
    Kind::Order,
    Kind::Challenge,
    Kind::Bundle,
    Kind::ClusterBundle,
    Kind::ClusterTrustBundle,
    Kind::Event,
];

/// Reads everything that decides.
pub(super) fn read(store: &Store) -> Snapshot {
    let source = Source::Cluster {
        context: String::new(),
        server: String::new(),
        version: None,
    };
    let mut snapshot = Snapshot::new(source, Scope::AllNamespaces);
    for info in KINDS.iter().filter(|info| !IDLE.contains(&info.kind)) {
        let versions = info.versions.iter();
        let served = versions.copied().find_map(|version| {
            let kind = kinds::find(info.group, version, info.plural)?;
            Some((kind, version.to_owned()))
        });
        let Some((kind, version)) = served else {
            snapshot.kinds.insert(info.kind, KindState::NotServed);
            continue;
        };
        for object in store.list(kind, None).0 {
            let mut value = (*object).clone();
            if info.kind == Kind::Gateway {
                name_namespaces(store, &mut value);
            }
            let incoming = Incoming { value, cut: false };
            // The store holds no object without a name.
            if let Ok(decoded) = decode::object(info.kind, incoming, "default") {
                snapshot.put(decoded);
            }
        }
        snapshot
            .kinds
            .insert(info.kind, KindState::Live { version });
    }
    for name in references(&snapshot) {
        absent(&mut snapshot, name);
    }
    snapshot
}

/// Listeners that select namespaces by labels get the names instead: ngf-core reads no namespaces.
fn name_namespaces(store: &Store, gateway: &mut Value) {
    let listeners = gateway.pointer_mut("/spec/listeners");
    let listeners = listeners.and_then(Value::as_array_mut);
    for listener in listeners.into_iter().flatten() {
        let Some(selector) = listener.pointer_mut("/allowedRoutes/namespaces/selector") else {
            continue;
        };
        let Some(labels) = selector.get("matchLabels").cloned() else {
            continue;
        };
        let (namespaces, _) = store.list(kinds::NAMESPACE, None);
        let selected = namespaces
            .iter()
            .filter(|namespace| labels_match(Some(&labels), namespace));
        let names: Vec<&str> = selected.map(|namespace| meta(namespace, "name")).collect();
        let by_name =
            json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": names});
        let more = selector.get("matchExpressions").and_then(Value::as_array);
        let all: Vec<Value> = more
            .into_iter()
            .flatten()
            .cloned()
            .chain([by_name])
            .collect();
        *selector = json!({"matchExpressions": all});
    }
}

/// Notes that a Secret or ConfigMap that something refers to does not exist.
fn absent(snapshot: &mut Snapshot, name: ObjectRef) {
    match name.kind {
        Kind::Secret => drop(snapshot.secrets.entry(name).or_insert(Lookup::Absent)),
        Kind::ConfigMap => drop(snapshot.config_maps.entry(name).or_insert(Lookup::Absent)),
        _ => {}
    }
}
