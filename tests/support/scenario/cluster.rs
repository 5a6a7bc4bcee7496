//! Objects as a cluster has them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ngf_core::model::{
    kind::{KINDS, Kind},
    references::references,
    snapshot::{KindState, Lookup, Loss, Lost, Scope, Snapshot, Source},
};
use serde_json::{Value, json};

use super::objects::read;

/// Lets NGF's controller be of a release, with or without experimental features.
pub(crate) fn set_controller(snapshot: &mut Snapshot, version: &str, experimental: bool) {
    let flag = experimental.then_some("--gateway-api-experimental-features");
    let args: Vec<&str> = ["controller"].into_iter().chain(flag).collect();
    let controller = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": "nginx-gateway", "name": "ngf-nginx-gateway-fabric"},
        "spec": {"template": {"spec": {"containers": [{
            "name": "nginx-gateway",
            "image": format!("ghcr.io/nginx/nginx-gateway-fabric:{version}"),
            "args": args,
        }]}}},
    });
    let alone = read("controller", &[controller], &BTreeMap::new());
    snapshot.workloads.retain(|_, workload| {
        let mut containers = workload.spec.template.containers.iter();
        !containers.any(|container| container.name == "nginx-gateway")
    });
    snapshot.workloads.extend(alone.workloads);
}

/// A cluster that holds these objects and no others.
pub(crate) fn cluster_of(objects: &[Value]) -> Snapshot {
    let mut snapshot = read("objects", objects, &BTreeMap::new());
    as_cluster(&mut snapshot, &[]);
    snapshot
}

/// The API server has not answered for a minute.
pub(super) fn as_silent(snapshot: &mut Snapshot, why: &str, now: Timestamp) {
    let since = now - jiff::SignedDuration::from_mins(1);
    for (kind, state) in &mut snapshot.kinds {
        *state = KindState::Stale {
            version: kind.info().versions[0].to_owned(),
            since,
            why: why.to_owned(),
        };
    }
    snapshot.lost = Some(Lost {
        since,
        why: why.to_owned(),
        loss: Loss::Silent,
    });
}

/// What was read is all that there is.
pub(crate) fn as_cluster(snapshot: &mut Snapshot, denied: &[String]) {
    snapshot.source = Source::Cluster {
        context: "test".to_owned(),
        server: "https://127.0.0.1:6443".to_owned(),
        version: Some("1.36".to_owned()),
    };
    snapshot.scope = Scope::AllNamespaces;
    // What a cluster holds is what it holds.
    snapshot.unrendered.clear();
    for info in KINDS {
        let state = if denied.iter().any(|kind| kind == info.name) {
            KindState::Denied(format!("{} is forbidden", info.plural))
        } else {
            KindState::Live {
                version: info.versions[0].to_owned(),
            }
        };
        snapshot.kinds.insert(info.kind, state);
    }
    let denied_secrets = denied.iter().any(|kind| kind == "Secret");
    for (object, lookup) in &mut snapshot.secrets {
        if denied_secrets {
            snapshot.denied.insert(object.clone());
            *lookup = Lookup::Unknown("secrets is forbidden".to_owned());
        } else if matches!(lookup, Lookup::Unknown(_)) {
            *lookup = Lookup::Absent;
        }
    }
    for lookup in snapshot.config_maps.values_mut() {
        if matches!(lookup, Lookup::Unknown(_)) {
            *lookup = Lookup::Absent;
        }
    }
    // On a cluster more is asked for by name: what is not there is known not to be.
    for object in references(snapshot) {
        if object.kind == Kind::Secret && !denied_secrets {
            snapshot.secrets.entry(object).or_insert(Lookup::Absent);
        }
    }
}
