//! Reads logs from a cluster: which there are, and the past so many seconds of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::tally::{PodLog, Role, Tally};
use crate::{
    cluster::{
        Cluster, LogCursor, LogOptions,
        transport::{CONTAINER, data_plane},
    },
    diagnosis::plan::{ProbeTarget, plan_every},
    model::{
        index::Index,
        object::ObjectRef,
        snapshot::Snapshot,
        topology::{NodeIx, Topology, What},
    },
    world::in_words,
};

/// Bytes that are read of each log: a debug log writes them by the million.
const BYTES: u32 = 8 << 20;
/// Logs that are read at a time.
pub(super) const PARALLEL: usize = 8;
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
        let plans = plan_every(snapshot, &target).map_or_else(|_| Vec::new(), |all| all.plans);
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
            What::Backend(backend) => backend.service.as_ref(),
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

/// Reads the past of each, several at a time and all within that time. One that cannot be read says so
/// in itself.
pub async fn read(
    cluster: &Cluster,
    sources: &[Source],
    past: Duration,
    within: Duration,
) -> Vec<PodLog> {
    let read = read_to_follow(cluster, sources, past, within).await;
    read.into_iter().map(|(log, _)| log).collect()
}

/// The same, each with how far it was read.
pub async fn read_to_follow(
    cluster: &Cluster,
    sources: &[Source],
    past: Duration,
    within: Duration,
) -> Vec<(PodLog, LogCursor)> {
    let until = Instant::now() + within;
    let reading = sources
        .iter()
        .map(|source| read_until(cluster, source, past, until))
        .collect::<Vec<_>>();
    stream::iter(reading)
        .buffered(PARALLEL)
        .collect::<Vec<_>>()
        .await
}

async fn read_until(
    cluster: &Cluster,
    source: &Source,
    past: Duration,
    until: Instant,
) -> (PodLog, LogCursor) {
    let read = timeout_at(until, read_one(cluster, source, past)).await;
    read.unwrap_or_else(|_| {
        let mut log = unread(source, past);
        log.failed = Some("not read before the time of --timeout was over".to_owned());
        (log, LogCursor::default())
    })
}

/// A log of which nothing has been read.
fn unread(source: &Source, past: Duration) -> PodLog {
    let now = Timestamp::now();
    PodLog {
        role: source.role,
        gateway: source.gateway.clone(),
        pod: source.pod.clone(),
        container: source.container.clone(),
        since: now
            .checked_sub(jiff::SignedDuration::try_from(past).unwrap_or_default())
            .unwrap_or(now),
        failed: None,
        cut: false,
        file: None,
        until: None,
        tally: Tally::default(),
    }
}

pub(super) async fn read_one(
    cluster: &Cluster,
    source: &Source,
    past: Duration,
) -> (PodLog, LogCursor) {
    let mut log = unread(source, past);
    let mut cursor = LogCursor::default();
    match text(cluster, source, past).await {
        Ok(text) => {
            log.cut = text.len() + (64 << 10) >= BYTES as usize;
            // The API server cuts at the end: the newest lines are read apart then.
            let text = if log.cut {
                newest(cluster, source, past).await.unwrap_or(text)
            } else {
                text
            };
            log.tally.read(&text, Timestamp::now());
            cursor = LogCursor::after(&text);
        }
        Err(why) => log.failed = Some(why),
    }
    (log, cursor)
}

async fn text(cluster: &Cluster, source: &Source, past: Duration) -> Result<String, String> {
    ask(cluster, source, past, None).await
}

/// The last lines, where the whole is more than is read.
async fn newest(cluster: &Cluster, source: &Source, past: Duration) -> Result<String, String> {
    ask(cluster, source, past, Some(20_000)).await
}

async fn ask(
    cluster: &Cluster,
    source: &Source,
    past: Duration,
    tail: Option<u32>,
) -> Result<String, String> {
    let options = LogOptions {
        seconds: Some(u32::try_from(past.as_secs()).unwrap_or(u32::MAX).max(1)),
        limit: Some(BYTES),
        timestamps: true,
        tail,
        ..LogOptions::default()
    };
    cluster
        .pod_log(
            &source.pod.namespace,
            &source.pod.name,
            &source.container,
            &options,
        )
        .await
        .map_err(|error| in_words(&error))
}
