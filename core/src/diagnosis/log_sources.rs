//! Which containers' logs say something about a Gateway.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{ProbeTarget, plan_every};
use crate::{
    data_plane::{CONTAINER, data_plane},
    logs::Role,
    model::{
        index::Index,
        object::ObjectRef,
        snapshot::Snapshot,
        topology::{NodeIx, NodeKind, Topology},
    },
};

/// Pods of a data plane, of the backends of a Gateway, and of the control plane.
const DATA_PLANES: usize = 16;
const BACKENDS: usize = 32;
const CONTROLLERS: usize = 4;
/// Containers of a backend's pod.
const CONTAINERS: usize = 4;

/// A container whose log says something about a Gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// What it is to the Gateway.
    pub role: Role,
    /// The Gateway, where the log is its own.
    pub gateway: Option<ObjectRef>,
    /// The pod.
    pub pod: ObjectRef,
    /// The container.
    pub container: String,
}

/// The containers whose logs are worth reading for these Gateways: their data planes, the pods behind
/// their backends with TLS, and the control plane. Sentences say what is not among them.
pub fn sources(snapshot: &Snapshot, gateways: &[ObjectRef]) -> (Vec<Source>, Vec<String>) {
    let (mut found, mut missing) = (BTreeSet::new(), Vec::new());
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    for gateway in gateways {
        match data_plane(snapshot, gateway) {
            Ok(of) => {
                if of.pods.len() > DATA_PLANES {
                    missing.push(format!(
                        "{gateway} has {} data-plane pods: the logs of {DATA_PLANES} are read",
                        of.pods.len()
                    ));
                }
                let pods = of.pods.into_iter().take(DATA_PLANES);
                found.extend(pods.map(|pod| Source {
                    role: Role::DataPlane,
                    gateway: Some(gateway.clone()),
                    pod: pod.pod,
                    container: CONTAINER.to_owned(),
                }));
            }
            Err(why) => missing.push(why.to_string()),
        }
        let target = ProbeTarget::Gateway(gateway.clone());
        let planning = plan_every(snapshot, &index, &topology, &target);
        let plans = planning.map_or_else(|_| Vec::new(), |all| all.plans);
        let of = |is_tls: bool| {
            let plans = plans
                .iter()
                .filter(move |plan| plan.tls.is_some() == is_tls);
            plans.filter_map(|plan| plan.endpoint.pod.clone())
        };
        // Those that nginx speaks TLS to come first, then those that may want it and get plain HTTP, then
        // those that have no ready endpoint: their logs say why they do not start.
        let mut pods: Vec<ObjectRef> = Vec::new();
        for pod in of(true)
            .chain(of(false))
            .chain(unready(snapshot, &index, &topology, gateway))
        {
            if !pods.contains(&pod) {
                pods.push(pod);
            }
        }
        if pods.len() > BACKENDS {
            missing.push(format!(
                "{} pods are behind {gateway}: the logs of {BACKENDS} are read",
                pods.len()
            ));
        }
        for pod in pods.into_iter().take(BACKENDS) {
            let object = snapshot.pods.get(&pod);
            let containers = object.into_iter().flat_map(|pod| &pod.spec.containers);
            found.extend(containers.take(CONTAINERS).map(|container| Source {
                role: Role::Application,
                gateway: None,
                pod: pod.clone(),
                container: container.name.clone(),
            }));
        }
    }
    found.extend(control_plane(snapshot));
    (found.into_iter().collect(), missing)
}

/// The pods of Services without a ready endpoint, behind the routes of a Gateway.
fn unready(
    snapshot: &Snapshot,
    index: &Index<'_>,
    topology: &Topology,
    gateway: &ObjectRef,
) -> Vec<ObjectRef> {
    let under: BTreeSet<NodeIx> = topology
        .places(gateway)
        .iter()
        .flat_map(|place| topology.subtree(*place))
        .collect();
    let services: BTreeSet<&ObjectRef> = under
        .iter()
        .filter_map(|node| match &topology.node(*node).what {
            NodeKind::Backend(backend) => backend.service.as_ref(),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for service in services.iter().filter_map(|name| index.service(name)) {
        let endpoints: Vec<_> = service
            .spec
            .ports
            .iter()
            .flat_map(|port| index.endpoints(service, port))
            .collect();
        if endpoints.iter().any(|endpoint| endpoint.ready) {
            continue;
        }
        found.extend(endpoints.into_iter().filter_map(|endpoint| endpoint.pod));
        let pods = snapshot.pods.values().filter(|pod| {
            pod.reference.namespace == service.reference.namespace
                && service.spec.selects(&pod.meta.labels)
        });
        found.extend(pods.map(|pod| pod.reference.clone()));
    }
    found
}

/// NGF's own pods, by the container that its chart and manifests give them.
fn control_plane(snapshot: &Snapshot) -> impl Iterator<Item = Source> {
    const CONTROLLER: &str = "nginx-gateway";
    let is_ours = |labels: &BTreeMap<String, String>| {
        labels
            .get("app.kubernetes.io/name")
            .is_some_and(|name| name == "nginx-gateway-fabric")
    };
    snapshot
        .pods
        .values()
        .filter(move |pod| is_ours(&pod.meta.labels))
        .filter(|pod| pod.spec.containers.iter().any(|c| c.name == CONTROLLER))
        .take(CONTROLLERS)
        .map(|pod| Source {
            role: Role::Controller,
            gateway: None,
            pod: pod.reference.clone(),
            container: CONTROLLER.to_owned(),
        })
}
