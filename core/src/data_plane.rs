//! Where the nginx of a Gateway runs: the workload that NGF made for it, and that workload's pods.
//!
//! NGF names the Deployment or DaemonSet `<gateway>-<gatewayClass>`, in the Gateway's namespace, and
//! makes the Gateway its controller (`internal/controller/provisioner/objects.go`). The owner is the
//! proof; the label is taken where workloads cannot be read. A name proves nothing and is not asked.

use serde_json::Value;
use thiserror::Error;

use crate::model::{
    kind::Kind,
    kinds::{Pod, Workload},
    object::{Meta, Object, ObjectRef, Owner},
    snapshot::{KindState, Snapshot},
};

/// The container that nginx runs in.
pub const CONTAINER: &str = "nginx";

/// Label of everything that NGF makes for a Gateway; an annotation where the name is longer than 63
/// characters.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// Label that a ReplicaSet gives its pods; its own name ends in the same.
const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// The data plane of a Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPlane {
    /// The Gateway.
    pub gateway: ObjectRef,
    /// Its Deployment or DaemonSet; `None` where the pods were found by their label alone.
    pub workload: Option<ObjectRef>,
    /// Its pods, those that can be used first: ready, then running, then the rest; by name.
    pub pods: Vec<DataPlanePod>,
}

/// A pod of a data plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataPlanePod {
    /// The pod.
    pub pod: ObjectRef,
    /// Its `uid`: a pod of the same name after it is another.
    pub uid: String,
    /// Its Ready condition is True.
    pub ready: bool,
    /// The container runs, so that something can be started in it.
    pub running: bool,
    /// It is being deleted.
    pub deleting: bool,
    /// What its container does: `running`, `waiting: CrashLoopBackOff`.
    pub state: String,
    /// Its node.
    pub node: Option<String>,
}

/// Why there is no data plane to probe from.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoDataPlane {
    /// There is nothing that the Gateway owns.
    #[error(
        "{0} has no data plane: no Deployment or DaemonSet in its namespace is owned by it; look whether NGF's control plane runs and accepts the Gateway"
    )]
    NoWorkload(ObjectRef),
    /// The workload has no pods.
    #[error("the data plane of {gateway}, {workload}, has no pods: see why with kubectl describe")]
    NoPods {
        /// The Gateway.
        gateway: ObjectRef,
        /// Its Deployment or DaemonSet.
        workload: ObjectRef,
    },
    /// What is needed to know it could not be read.
    #[error("the data plane of {gateway} is not known: {why}")]
    NotKnown {
        /// The Gateway.
        gateway: ObjectRef,
        /// What could not be read.
        why: String,
    },
    /// There are pods, and nothing can be started in any.
    #[error("nothing can be started in the data plane of {gateway}: {why}")]
    NoneRuns {
        /// The Gateway.
        gateway: ObjectRef,
        /// The state of each pod.
        why: String,
    },
}

impl DataPlane {
    /// The pods in which something can be started: the ready ones, or, where none is, those that run.
    ///
    /// # Errors
    /// [`NoDataPlane::NoneRuns`], with the state of each.
    pub fn usable(&self) -> Result<Vec<&DataPlanePod>, NoDataPlane> {
        let running = || {
            self.pods
                .iter()
                .filter(|pod| pod.running && !pod.deleting)
                .collect::<Vec<_>>()
        };
        let ready: Vec<_> = running().into_iter().filter(|pod| pod.ready).collect();
        let usable = if ready.is_empty() { running() } else { ready };
        if usable.is_empty() {
            let states = self.pods.iter().map(|pod| {
                let state = match (pod.deleting, pod.state.as_str()) {
                    (true, _) => "being deleted",
                    (false, "") => "not started yet",
                    (false, state) => state,
                };
                format!("{} is {state}", pod.pod)
            });
            return Err(NoDataPlane::NoneRuns {
                gateway: self.gateway.clone(),
                why: states.collect::<Vec<_>>().join("; "),
            });
        }
        Ok(usable)
    }
}

/// Finds the data plane of a Gateway.
///
/// # Errors
/// [`NoDataPlane`], where there is none, or nobody can say.
pub fn data_plane(snapshot: &Snapshot, gateway: &ObjectRef) -> Result<DataPlane, NoDataPlane> {
    let not_known = |why: String| NoDataPlane::NotKnown {
        gateway: gateway.clone(),
        why,
    };
    let unread = |kind| unreadable(snapshot, kind, &gateway.namespace);
    if let Some(why) = unread(Kind::Pod) {
        return Err(not_known(why));
    }
    let gateway_uid = snapshot
        .gateways
        .get(gateway)
        .map_or("", |gateway| gateway.meta.uid.as_str());
    let owned = snapshot
        .workloads
        .values()
        .filter(|workload| workload.reference.namespace == gateway.namespace)
        .find(|workload| is_owned_by(&workload.meta, gateway, gateway_uid));
    let (workload, mut pods) = match owned {
        Some(workload) => {
            let pods = in_namespace(snapshot, gateway)
                .filter(|pod| belongs_to(pod, workload))
                .map(data_plane_pod)
                .collect::<Vec<_>>();
            if pods.is_empty() {
                return Err(NoDataPlane::NoPods {
                    gateway: gateway.clone(),
                    workload: workload.reference.clone(),
                });
            }
            (Some(workload.reference.clone()), pods)
        }
        None => {
            let why = unread(Kind::Deployment).or_else(|| unread(Kind::DaemonSet));
            let Some(why) = why else {
                return Err(NoDataPlane::NoWorkload(gateway.clone()));
            };
            let pods = in_namespace(snapshot, gateway)
                .filter(|pod| is_labelled(pod, gateway))
                .map(data_plane_pod)
                .collect::<Vec<_>>();
            if pods.is_empty() {
                return Err(not_known(format!(
                    "{why}, and no pod has the label {GATEWAY_NAME}={}",
                    gateway.name
                )));
            }
            (None, pods)
        }
    };
    pods.sort_by(|a, b| {
        let order = |pod: &DataPlanePod| (pod.deleting, !pod.ready, !pod.running);
        order(a).cmp(&order(b)).then_with(|| a.pod.cmp(&b.pod))
    });
    Ok(DataPlane {
        gateway: gateway.clone(),
        workload,
        pods,
    })
}

/// Why a kind says nothing about a namespace; `None` where it does.
fn unreadable(snapshot: &Snapshot, kind: Kind, namespace: &str) -> Option<String> {
    let plural = kind.info().plural;
    match snapshot.kinds.get(&kind) {
        Some(KindState::Live { .. } | KindState::Stale { .. }) => {
            let narrowed = snapshot.narrowed.get(&kind);
            narrowed.filter(|read| *read != namespace).map(|read| {
                format!("you may read {plural} in namespace {read} only, and not in {namespace}")
            })
        }
        Some(KindState::Denied(_)) => Some(format!("you may not read {plural}")),
        Some(KindState::Failed(why)) => Some(format!("{plural} could not be read: {why}")),
        Some(KindState::Loading) => Some(format!("{plural} are still being read")),
        Some(KindState::NotServed | KindState::UnknownVersions(_)) => {
            Some(format!("the cluster does not serve {plural}"))
        }
        // In files there is what is there.
        None => None,
    }
}

fn in_namespace<'a>(
    snapshot: &'a Snapshot,
    gateway: &'a ObjectRef,
) -> impl Iterator<Item = &'a Object<Pod>> {
    snapshot
        .pods
        .values()
        .map(|pod| &**pod)
        .filter(|pod| pod.reference.namespace == gateway.namespace)
}

fn is_owned_by(meta: &Meta, gateway: &ObjectRef, uid: &str) -> bool {
    meta.owners.iter().any(|owner| {
        owner.controller
            && Kind::of(&owner.api_version, &owner.kind) == Some(Kind::Gateway)
            && same(owner, &gateway.name, uid)
    })
}

/// The name, and the `uid` too where both sides have one.
fn same(owner: &Owner, name: &str, uid: &str) -> bool {
    owner.name == name && (uid.is_empty() || owner.uid.is_empty() || owner.uid == uid)
}

/// Whether a pod is one of a workload's: by its labels and by its controller, which for a Deployment
/// is a ReplicaSet that is called `<deployment>-<pod-template-hash>`.
fn belongs_to(pod: &Object<Pod>, workload: &Object<Workload>) -> bool {
    let selector = &workload.spec.selector;
    let selected = !selector.is_empty()
        && selector
            .iter()
            .all(|(name, value)| pod.meta.labels.get(name) == Some(value));
    let Some(controller) = pod.meta.owners.iter().find(|owner| owner.controller) else {
        return false;
    };
    let name = &workload.reference.name;
    let owned = match workload.reference.kind {
        Kind::DaemonSet => {
            controller.kind == "DaemonSet" && same(controller, name, &workload.meta.uid)
        }
        _ => {
            let hash = pod.meta.labels.get(POD_TEMPLATE_HASH);
            controller.kind == "ReplicaSet"
                && hash.is_some_and(|hash| controller.name == format!("{name}-{hash}"))
        }
    };
    selected && owned
}

/// Whether a pod says that it is a Gateway's, and has a controller and nginx's container: a debug pod
/// with the same labels has another controller.
fn is_labelled(pod: &Object<Pod>, gateway: &ObjectRef) -> bool {
    let meta = &pod.meta;
    let named = meta
        .labels
        .get(GATEWAY_NAME)
        .or_else(|| meta.annotations.get(GATEWAY_NAME));
    let controlled = meta
        .owners
        .iter()
        .any(|owner| owner.controller && (owner.kind == "ReplicaSet" || owner.kind == "DaemonSet"));
    let has_nginx = pod
        .spec
        .containers
        .iter()
        .any(|container| container.name == CONTAINER);
    named == Some(&gateway.name) && controlled && has_nginx
}

fn data_plane_pod(pod: &Object<Pod>) -> DataPlanePod {
    let state = pod
        .status
        .containers
        .iter()
        .find(|container| container.name == CONTAINER)
        .map(|container| container.state.clone())
        .unwrap_or_default();
    DataPlanePod {
        pod: pod.reference.clone(),
        uid: pod.meta.uid.clone(),
        ready: pod.status.ready,
        running: pod.status.phase == "Running" && state == "running",
        deleting: pod.meta.deleting,
        state,
        node: pod.spec.node.clone(),
    }
}

/// A field of a pod as the API server gave it: `spec.serviceAccountName`.
pub fn raw_field<'v>(pod: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(pod, |value, key| value.get(key))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::manifests;

    const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gateway, namespace: default, uid: g-1}
spec: {gatewayClassName: nginx, listeners: []}
";

    fn workload(kind: &str, owner: &str) -> String {
        format!(
            "---
apiVersion: apps/v1
kind: {kind}
metadata:
  name: gateway-nginx
  namespace: default
  uid: w-1
  ownerReferences: [{owner}]
spec:
  selector: {{matchLabels: {{app.kubernetes.io/name: gateway-nginx}}}}
  template: {{metadata: {{labels: {{app.kubernetes.io/name: gateway-nginx}}}}, spec: {{containers: [{{name: nginx}}]}}}}
"
        )
    }

    fn owner(kind: &str, name: &str, uid: &str) -> String {
        let group = if kind == "Gateway" {
            "gateway.networking.k8s.io"
        } else {
            "apps"
        };
        format!(
            "{{apiVersion: {group}/v1, kind: {kind}, name: {name}, uid: {uid}, controller: true}}"
        )
    }

    fn pod(name: &str, owner: &str, state: &str) -> String {
        format!(
            "---
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: default
  labels:
    app.kubernetes.io/name: gateway-nginx
    gateway.networking.k8s.io/gateway-name: gateway
    pod-template-hash: abc
  ownerReferences: [{owner}]
spec: {{nodeName: one, containers: [{{name: nginx}}]}}
status: {{phase: Running, {state}}}
"
        )
    }

    const READY: &str = "conditions: [{type: Ready, status: 'True'}], containerStatuses: [{name: nginx, ready: true, state: {running: {}}}]";
    const UNREADY: &str = "conditions: [{type: Ready, status: 'False'}], containerStatuses: [{name: nginx, ready: false, state: {running: {}}}]";
    const CRASHING: &str = "containerStatuses: [{name: nginx, ready: false, state: {waiting: {reason: CrashLoopBackOff}}}]";

    fn snapshot(objects: &[String]) -> Snapshot {
        let mut text = GATEWAY.to_owned();
        for object in objects {
            let _ = write!(text, "{object}");
        }
        let snapshot = manifests::parse(&text, "default");
        assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
        snapshot
    }

    fn found(snapshot: &Snapshot) -> Result<Vec<String>, String> {
        let gateway = ObjectRef::new(Kind::Gateway, "default", "gateway");
        let data_plane = data_plane(snapshot, &gateway).map_err(|why| why.to_string())?;
        let usable = data_plane.usable().map_err(|why| why.to_string())?;
        Ok(usable.iter().map(|pod| pod.pod.name.clone()).collect())
    }

    fn ours() -> String {
        workload("Deployment", &owner("Gateway", "gateway", "g-1"))
    }

    #[test]
    fn pods_of_the_deployment_that_the_gateway_owns() {
        let replica_set = owner("ReplicaSet", "gateway-nginx-abc", "r-1");
        let objects = [
            ours(),
            pod("b", &replica_set, READY),
            pod("a", &replica_set, READY),
            pod("c", &replica_set, UNREADY),
        ];
        assert_eq!(found(&snapshot(&objects)), Ok(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn pods_of_a_daemon_set() {
        let objects = [
            workload("DaemonSet", &owner("Gateway", "gateway", "g-1")),
            pod("a", &owner("DaemonSet", "gateway-nginx", "w-1"), READY),
        ];
        assert_eq!(found(&snapshot(&objects)), Ok(vec!["a".into()]));
    }

    #[test]
    fn a_pod_with_the_labels_and_another_controller_is_not_one_of_them() {
        let objects = [
            ours(),
            pod("debug", &owner("Gateway", "gateway", "g-1"), READY),
            pod("job", &owner("ReplicaSet", "other-abc", "r-2"), READY),
        ];
        let why = found(&snapshot(&objects)).unwrap_err();
        assert!(why.contains("has no pods"), "{why}");
    }

    #[test]
    fn a_workload_of_a_gateway_that_was_deleted_and_made_again_is_not_its_own() {
        let objects = [workload("Deployment", &owner("Gateway", "gateway", "g-0"))];
        let why = found(&snapshot(&objects)).unwrap_err();
        assert!(why.contains("no Deployment or DaemonSet"), "{why}");
    }

    #[test]
    fn where_none_is_ready_those_that_run_are_taken() {
        let replica_set = owner("ReplicaSet", "gateway-nginx-abc", "r-1");
        let objects = [
            ours(),
            pod("a", &replica_set, CRASHING),
            pod("b", &replica_set, UNREADY),
        ];
        assert_eq!(found(&snapshot(&objects)), Ok(vec!["b".into()]));
    }

    #[test]
    fn where_none_runs_the_state_of_each_is_said() {
        let replica_set = owner("ReplicaSet", "gateway-nginx-abc", "r-1");
        let objects = [ours(), pod("a", &replica_set, CRASHING)];
        assert_eq!(
            found(&snapshot(&objects)),
            Err("nothing can be started in the data plane of Gateway default/gateway: Pod default/a is waiting: CrashLoopBackOff".to_owned())
        );
    }

    #[test]
    fn without_the_right_to_read_workloads_the_label_is_taken() {
        let objects = [
            pod("a", &owner("ReplicaSet", "gateway-nginx-abc", "r-1"), READY),
            pod("debug", &owner("Gateway", "gateway", "g-1"), READY),
        ];
        let mut snapshot = snapshot(&objects);
        let denied = KindState::Denied("forbidden".to_owned());
        snapshot.kinds.insert(Kind::Deployment, denied);
        assert_eq!(found(&snapshot), Ok(vec!["a".into()]));
    }

    #[test]
    fn without_the_right_to_read_pods_nothing_is_known() {
        let mut snapshot = snapshot(&[ours()]);
        let denied = KindState::Denied("forbidden".to_owned());
        snapshot.kinds.insert(Kind::Pod, denied);
        assert_eq!(
            found(&snapshot),
            Err(
                "the data plane of Gateway default/gateway is not known: you may not read pods"
                    .to_owned()
            )
        );
    }
}
