//! The objects of a case, and what the tool sees of them.

use std::{collections::BTreeMap, sync::Arc};

use super::case::{Case, Certificates, Endpoints};
use super::gateway::Given;
use super::support::scenario::{Change, changed};
use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence,
        evidence::Probed,
        plan::{Connection, connections, plan_all},
    },
    logs::{PodLog, Role, Tally},
    model::{index::Index, kind::Kind, object::ObjectRef, snapshot::Snapshot, topology::Topology},
};
use ngf_tls::transcript::Transcript;
use serde_json::{Value, json};

use super::{APPLICATION, DATA_PLANE, nginx, target, tried};

/// The objects of a case, and the backends that they mean.
pub(super) struct Setup {
    pub(super) snapshot: Snapshot,
    pub(super) certificates: Certificates,
    /// Where each Service's endpoints listen.
    pub(super) ports: BTreeMap<String, u16>,
    pub(super) backends: Vec<nginx::Process>,
    pub(super) connections: Vec<Connection>,
    pub(super) began: Timestamp,
}

impl Setup {
    pub(super) fn of(case: &Case) -> Self {
        let began = Timestamp::now();
        let (mut snapshot, certificates) = objects(case, began);
        let mut ports = BTreeMap::new();
        let mut backends = Vec::new();
        let behind = [
            ("secure-app", Some(&case.backend)),
            ("other", case.other.as_ref()),
        ];
        for (service, backend) in behind {
            let Some(backend) = backend else { continue };
            let (port, process) = backend.start(&certificates);
            ports.insert(service.to_owned(), port);
            backends.extend(process);
        }
        // The backends' ports are known once they listen; certificates stay as they were minted.
        retarget(&mut snapshot, &ports);
        let index = Index::of(&snapshot);
        let topology = Topology::with(&snapshot, &index);
        let connections = connections(&snapshot, &index, &topology, &target(case))
            .unwrap_or_else(|why| panic!("{}: {why}", case.name));
        Self {
            snapshot,
            certificates,
            ports,
            backends,
            connections,
            began,
        }
    }

    pub(super) fn given(&self) -> Given<'_> {
        Given {
            snapshot: &self.snapshot,
            connections: &self.connections,
            certificates: &self.certificates,
            ports: &self.ports,
        }
    }

    /// What the logs of nginx and of the first backend say.
    pub(super) fn logged(&self, gateway_log: &str) -> Evidence {
        let mut logged = Evidence::none();
        let began = self.began;
        logged.record_log(log(
            Role::DataPlane,
            DATA_PLANE,
            "nginx",
            gateway_log,
            began,
        ));
        let of_backend = self.backend_log();
        logged.record_log(log(
            Role::Application,
            APPLICATION,
            "secure-app",
            &of_backend,
            began,
        ));
        logged
    }

    pub(super) fn backend_log(&self) -> String {
        let first = self.backends.first();
        first.map_or_else(String::new, nginx::Process::error_log)
    }

    /// Probes every endpoint of the target; the transcript, where it is one.
    pub(super) async fn probed(&self, case: &Case, evidence: &mut Evidence) -> Option<Transcript> {
        let index = Index::of(&self.snapshot);
        let topology = Topology::with(&self.snapshot, &index);
        let planned = plan_all(&self.snapshot, &index, &topology, &target(case));
        let plans = planned.map_or_else(|_| Vec::new(), |planned| planned.plans);
        let mut transcripts = Vec::new();
        for plan in plans {
            let at = Timestamp::now();
            let result = tried(&plan, &self.given()).await;
            transcripts.extend(result.clone().ok());
            evidence.record(Probed {
                plan: Arc::new(plan),
                at,
                result: result.map(Arc::new),
            });
        }
        (transcripts.len() == 1).then(|| transcripts.remove(0))
    }

    /// The codes that are found, in order.
    pub(super) fn codes(&self, evidence: &Evidence) -> Vec<&'static str> {
        let diagnosis = Diagnosis::of(&self.snapshot, evidence, Timestamp::now());
        diagnosis
            .findings
            .iter()
            .map(|finding| finding.code.as_str())
            .collect()
    }
}

/// The guide's objects with the case's changes, and a data-plane pod; all of it on loopback.
pub(super) fn objects(case: &Case, now: Timestamp) -> (Snapshot, Certificates) {
    let mut change = Change::default();
    for (name, wanted) in &case.certificates {
        change
            .certificates
            .insert((*name).to_owned(), wanted.clone());
    }
    change.without = case.without.iter().map(|path| (*path).to_owned()).collect();
    for (path, patch) in &case.patch {
        let known = change.patch.entry((*path).to_owned()).or_default();
        compose(known, patch);
    }
    let ready = case.endpoints != Endpoints::Unready;
    let endpoint = |address: &str| {
        json!({"addresses": [address],
            "conditions": {"ready": ready, "serving": ready, "terminating": false},
            "targetRef": {"kind": "Pod", "name": APPLICATION, "namespace": "default"}})
    };
    let mut endpoints = vec![endpoint("127.0.0.1")];
    if case.endpoints == Endpoints::Two {
        endpoints.push(endpoint("127.0.0.2"));
    }
    change.patch.insert(
        "EndpointSlice/default/secure-app-x2x4z".to_owned(),
        json!({"endpoints": endpoints}),
    );
    let mut pod = json!({"status": {"podIP": "127.0.0.1"}});
    if !case.mounts {
        pod["spec"] = json!({"volumes": [], "containers": [{"name": "secure-app"}]});
    }
    change
        .patch
        .insert(format!("Pod/default/{APPLICATION}"), pod);
    change.add.push(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": DATA_PLANE, "namespace": "default",
            "labels": {"app.kubernetes.io/name": "gateway-nginx", "pod-template-hash": "abc"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gateway-nginx-abc", "uid": "r", "controller": true}]},
        "spec": {"containers": [{"name": "nginx"}]},
        "status": {"phase": "Running", "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "nginx", "ready": true, "state": {"running": {}}}]},
    }));
    changed(case.base, change, now)
}

/// One merge patch after another: what is taken away stays so.
fn compose(known: &mut Value, patch: &Value) {
    match (known.as_object_mut(), patch.as_object()) {
        (Some(known), Some(fields)) => {
            for (name, value) in fields {
                compose(known.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        _ => *known = patch.clone(),
    }
}

pub(super) fn retarget(snapshot: &mut Snapshot, ports: &BTreeMap<String, u16>) {
    for slice in snapshot.endpoint_slices.values_mut() {
        let slice = Arc::make_mut(slice);
        let service = slice.spec.service.clone().unwrap_or_default();
        let Some(port) = ports.get(&service) else {
            continue;
        };
        for named in &mut slice.spec.ports {
            named.1 = Some(*port);
        }
        if service != "secure-app" {
            for endpoint in &mut slice.spec.endpoints {
                endpoint.addresses = vec!["127.0.0.1".to_owned()];
            }
        }
    }
}

pub(super) fn log(role: Role, pod: &str, container: &str, text: &str, since: Timestamp) -> PodLog {
    let mut tally = Tally::default();
    tally.read(text, Timestamp::now());
    PodLog {
        role,
        gateway: (role == Role::DataPlane)
            .then(|| ObjectRef::new(Kind::Gateway, "default", "gateway")),
        pod: ObjectRef::new(Kind::Pod, "default", pod),
        container: container.to_owned(),
        since,
        failed: None,
        cut: false,
        file: None,
        until: None,
        tally,
    }
}
