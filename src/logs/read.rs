//! Reads logs from a cluster: the past so many seconds of each container at once, or as they grow.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Unbroken,
    line::Decoded,
    tally::{PodLog, Role, Tally},
};
use crate::{
    cluster::{
        Cluster, LogOptions,
        transport::{CONTAINER, data_plane},
    },
    diagnosis::{
        context::is_ngf,
        plan::{ProbeTarget, plan_every},
    },
    model::{object::ObjectRef, snapshot::Snapshot},
    world::in_words,
};

/// Bytes that are read of each log: a debug log writes them by the million.
const BYTES: u32 = 8 << 20;
/// Logs that are read at a time.
const PARALLEL: usize = 8;
/// Pods of a data plane, of the backends of a Gateway, and of the control plane.
const DATA_PLANES: usize = 16;
const BACKENDS: usize = 32;
const CONTROLLERS: usize = 4;
/// Containers of a backend's pod.
const CONTAINERS: usize = 4;
/// How often a log that is followed is asked for more.
const EVERY: Duration = Duration::from_secs(2);
/// How often one is that stands behind a screen.
const WATCHED_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked which containers there are, at most.
const SOURCES_EVERY: Duration = Duration::from_secs(10);

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

/// A line of a log that is followed.
#[derive(Debug, Clone)]
pub struct Followed {
    /// Whose it is.
    pub source: Arc<Source>,
    /// When it was written.
    pub at: Timestamp,
    /// What it says; or why the log cannot be read any more.
    pub line: Result<Decoded, String>,
}

/// The containers whose logs are worth reading for these Gateways: their data planes, the pods behind
/// their backends with TLS, and the control plane. Sentences say what is not among them.
pub fn sources(snapshot: &Snapshot, gateways: &[ObjectRef]) -> (Vec<Source>, Vec<String>) {
    let (mut found, mut missing) = (BTreeSet::new(), Vec::new());
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
        let pods: BTreeSet<&ObjectRef> = plans
            .iter()
            .filter(|plan| plan.tls.is_some())
            .filter_map(|plan| plan.endpoint.pod.as_ref())
            .collect();
        if pods.len() > BACKENDS {
            missing.push(format!(
                "{} pods are behind {gateway}: the logs of {BACKENDS} are read",
                pods.len()
            ));
        }
        for pod in pods.into_iter().take(BACKENDS) {
            let object = snapshot.pods.get(pod);
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

/// Reads the past of each, several at a time. One that cannot be read says so in itself.
pub async fn read(cluster: &Cluster, sources: &[Source], past: Duration) -> Vec<PodLog> {
    let reading = sources
        .iter()
        .map(|source| read_one(cluster, source, past))
        .collect::<Vec<_>>();
    stream::iter(reading)
        .buffered(PARALLEL)
        .collect::<Vec<_>>()
        .await
}

async fn read_one(cluster: &Cluster, source: &Source, past: Duration) -> PodLog {
    let now = Timestamp::now();
    let mut log = PodLog {
        role: source.role,
        gateway: source.gateway.clone(),
        pod: source.pod.clone(),
        container: source.container.clone(),
        since: now
            .checked_sub(jiff::SignedDuration::try_from(past).unwrap_or_default())
            .unwrap_or(now),
        failed: None,
        cut: false,
        tally: Tally::default(),
    };
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
        }
        Err(why) => log.failed = Some(why),
    }
    log
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

/// Follows each until `cancel`, one task a pod. Lines come in the order in which they are read; where
/// nobody takes them, reading waits, and no more than a hundred are held.
pub fn follow(
    cluster: &Cluster,
    sources: Vec<Source>,
    cancel: &CancellationToken,
) -> mpsc::Receiver<Followed> {
    let (sender, receiver) = mpsc::channel(100);
    for source in sources {
        let (cluster, sender) = (cluster.clone(), sender.clone());
        let cancel = cancel.clone();
        tokio::spawn(async move {
            let following = follow_one(&cluster, Arc::new(source), &sender);
            tokio::select! {
                () = cancel.cancelled() => {}
                () = sender.closed() => {}
                () = following => {}
            }
        });
    }
    receiver
}

/// What a log says that grows.
struct Growing<'c> {
    cluster: &'c Cluster,
    source: &'c Source,
    newest: Timestamp,
}

impl Growing<'_> {
    /// The lines since the last one that was given, each with its time. Asked for again and again: a
    /// stream that ends with its node, a proxy or a restart of the container needs no other treatment then.
    async fn news(&mut self) -> Result<Vec<(Timestamp, Decoded)>, String> {
        let options = LogOptions {
            since: Some(self.newest),
            limit: Some(BYTES),
            timestamps: true,
            ..LogOptions::default()
        };
        let (pod, container) = (&self.source.pod, &self.source.container);
        let read = self
            .cluster
            .pod_log(&pod.namespace, &pod.name, container, &options);
        let text = read.await.map_err(|error| in_words(&error))?;
        let (mut unbroken, before) = (Unbroken::default(), self.newest);
        let mut news = Vec::new();
        for line in text.lines() {
            let whole = unbroken.is_whole(line);
            let (at, decoded) = super::decode_stamped(line);
            // sinceTime counts whole seconds: what was seen is skipped.
            if let Some(at) = at.filter(|at| *at > before) {
                self.newest = self.newest.max(at);
                news.extend(decoded.filter(|_| whole).map(|decoded| (at, decoded)));
            }
        }
        Ok(news)
    }
}

async fn follow_one(cluster: &Cluster, source: Arc<Source>, sender: &mpsc::Sender<Followed>) {
    let mut growing = Growing {
        cluster,
        source: &source,
        newest: Timestamp::now(),
    };
    let mut failing = false;
    loop {
        sleep(EVERY).await;
        let lines = match growing.news().await {
            Ok(news) => {
                failing = false;
                news.into_iter().map(|(at, line)| (at, Ok(line))).collect()
            }
            // Said once, not every two seconds.
            Err(_) if failing => Vec::new(),
            Err(why) => {
                failing = true;
                vec![(Timestamp::now(), Err(why))]
            }
        };
        for (at, line) in lines {
            let source = Arc::clone(&source);
            if sender.send(Followed { source, at, line }).await.is_err() {
                return;
            }
        }
    }
}

/// The logs of all of NGF's Gateways as they grow: of each container the past hour first, then anew
/// whenever it says something. Which containers those are follows the snapshots. One task a container;
/// all end with `cancel`, or when nobody takes what they give.
pub fn watch(
    cluster: &Cluster,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    cancel: &CancellationToken,
) -> mpsc::Receiver<PodLog> {
    let (sender, receiver) = mpsc::channel(16);
    let (cluster, cancel) = (cluster.clone(), cancel.clone());
    tokio::spawn(async move {
        let mut running: BTreeMap<Source, DropGuard> = BTreeMap::new();
        loop {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            let wanted = tokio::task::spawn_blocking(move || {
                let gateways: Vec<ObjectRef> = snapshot
                    .gateways
                    .iter()
                    .filter(|(_, gateway)| is_ngf(&snapshot, gateway))
                    .map(|(name, _)| name.clone())
                    .collect();
                sources(&snapshot, &gateways).0
            });
            let Ok(wanted) = wanted.await else { return };
            running.retain(|source, _| wanted.contains(source));
            for source in wanted {
                running.entry(source).or_insert_with_key(|source| {
                    let ends = cancel.child_token();
                    let (cluster, source) = (cluster.clone(), source.clone());
                    let (sender, ended) = (sender.clone(), ends.clone());
                    tokio::spawn(async move {
                        ended
                            .run_until_cancelled(watch_one(&cluster, &source, &sender))
                            .await;
                    });
                    ends.drop_guard()
                });
            }
            // At first nothing has been read yet.
            let pause = if running.is_empty() {
                EVERY
            } else {
                SOURCES_EVERY
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sender.closed() => return,
                () = sleep(pause) => {}
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sender.closed() => return,
                changed = snapshots.changed() => if changed.is_err() { return },
            }
        }
    });
    receiver
}

async fn watch_one(cluster: &Cluster, source: &Source, sender: &mpsc::Sender<PodLog>) {
    let began = Timestamp::now();
    let mut log = read_one(cluster, source, Duration::from_hours(1)).await;
    let mut growing = Growing {
        cluster,
        source,
        newest: began,
    };
    loop {
        if sender.send(log.clone()).await.is_err() {
            return;
        }
        loop {
            sleep(WATCHED_EVERY).await;
            match growing.news().await {
                Ok(news) if news.is_empty() && log.failed.is_none() => {}
                Ok(news) => {
                    log.failed = None;
                    log.tally.lines += news.len() as u64;
                    for (at, line) in &news {
                        log.tally.count(line, *at);
                    }
                    break;
                }
                Err(_) if log.failed.is_some() => {}
                Err(why) => {
                    log.failed = Some(why);
                    break;
                }
            }
        }
    }
}
