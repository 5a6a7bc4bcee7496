//! What is measured on a cluster in addition to what its objects say: `check` and `fix` measure the same.

use std::{
    collections::BTreeSet,
    io::{IsTerminal, Write},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::join_all, stream};
use jiff::Timestamp;
use ngf_tls::transcript::Outcome;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{check::ngf_gateways, target::Target, tui::PROBE_TIMEOUT};
use ngf_cluster::{
    Cluster, endpoint_matrix, probe_context,
    prober::{
        By, Extras, Prober, ProberOptions, listeners,
        survey::{self, Extent, Rate, Tested},
    },
    transport::{Transports, Via},
};
use ngf_core::{
    diagnosis::{
        Evidence,
        evidence::Probed,
        plan::{PlanKey, Planning, ProbePlan, ProbeTarget, plan_every},
        probe_context::HowProbed,
        words,
    },
    logs::PodLog,
    model::{index::Index, object::ObjectRef, snapshot::Snapshot, topology::Topology},
};

/// How far back logs are read.
const PAST: Duration = Duration::from_hours(1);
/// Logs that are read at a time.
const LOGS: usize = 8;

/// What is measured.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // each is a thing to measure
pub(super) struct Parts {
    /// Handshakes.
    pub(super) probes: bool,
    /// The logs of the past hour.
    pub(super) logs: bool,
    /// What the data plane's nginx is using.
    pub(super) data_plane: bool,
    /// How long reading may take, and how long the handshakes may take.
    pub(super) within: Duration,
    /// How much of each path is tested.
    pub(super) extent: Extent,
    /// The context of a few probes, those that failed first: what the gateway's client gets, what was logged, names.
    pub(super) context: bool,
    /// Every endpoint from every data-plane pod.
    pub(super) matrix: bool,
}

/// Probes of a matrix at a time.
const PARALLEL: usize = 16;
/// Handshakes of a matrix that are kept beside its faults.
const KEPT: usize = 512;

/// What logs report, what the data plane is really using, and what handshakes show, as far as `parts` and the
/// user's rights allow; and what is missing, a sentence each. Logs and files are read first: a handshake leaves lines in logs.
pub(super) async fn measured(
    cluster: &Cluster,
    snapshot: &Arc<Snapshot>,
    targets: &[Target],
    parts: Parts,
) -> (Evidence, Vec<String>) {
    let mut evidence = Evidence::none();
    let gateways = ngf_gateways(snapshot);
    let mut missing = Vec::new();
    let logs = async {
        if parts.logs {
            read_logs(cluster, snapshot, &gateways, parts.within).await
        } else {
            (Vec::new(), Vec::new())
        }
    };
    let in_use = async {
        if !parts.data_plane {
            return (Vec::new(), Vec::new());
        }
        let reading = ngf_cluster::nginx_config::read(cluster, snapshot, &gateways, parts.within);
        tokio::time::timeout(parts.within, reading)
            .await
            .unwrap_or_else(|_| {
                let why = format!(
                    "the configuration of the data plane could not be read within {}",
                    in_seconds(parts.within)
                );
                (Vec::new(), vec![why])
            })
    };
    let ((logs, no_logs), (in_use, not_used)) = futures::join!(logs, in_use);
    missing.extend(no_logs);
    missing.extend(not_used);
    for log in logs {
        evidence.record_log(log);
    }
    for in_pod in in_use {
        evidence.record_nginx_config(in_pod);
    }
    if parts.probes {
        missing.extend(probe(cluster, snapshot, targets, parts, &mut evidence).await);
    }
    missing.sort();
    missing.dedup();
    (evidence, missing)
}

/// Reads logs, several at a time, until the time is over.
async fn read_logs(
    cluster: &Cluster,
    snapshot: &Snapshot,
    gateways: &[ObjectRef],
    within: Duration,
) -> (Vec<PodLog>, Vec<String>) {
    let (sources, mut missing) = ngf_core::diagnosis::log_sources::sources(snapshot, gateways);
    let of = sources.len();
    let read: Vec<Vec<PodLog>> = stream::iter(sources)
        .map(
            |source| async move { ngf_cluster::logs::read(cluster, &[source], PAST, within).await },
        )
        .buffer_unordered(LOGS)
        .take_until(tokio::time::sleep(within))
        .collect()
        .await;
    if read.len() < of {
        missing.push(format!(
            "{} of {of} logs could not be read within {}",
            of - read.len(),
            in_seconds(within)
        ));
    }
    (read.into_iter().flatten().collect(), missing)
}

/// Tests a sample of the endpoints of every path, by transports that write nothing.
async fn probe(
    cluster: &Cluster,
    snapshot: &Arc<Snapshot>,
    targets: &[Target],
    parts: Parts,
    evidence: &mut Evidence,
) -> Option<String> {
    let Parts { within, extent, .. } = parts;
    let targets: Vec<ProbeTarget> = targets.iter().map(Target::to_probe).collect();
    let transports = Transports::new(cluster.clone(), Arc::clone(snapshot));
    let options = ProberOptions::new(PROBE_TIMEOUT.min(within));
    let prober = Prober::new(Arc::new(transports), options);
    let mut plans = survey::plans(snapshot, &targets, extent);
    // Another policy may take effect on a backend that one of these names.
    let is_meant = |plan: &ProbePlan| {
        targets.iter().any(|target| match target {
            ProbeTarget::Policy(policy) => {
                plan.tls.as_ref().is_some_and(|tls| tls.policy == *policy)
            }
            _ => true,
        })
    };
    if targets
        .iter()
        .all(|target| matches!(target, ProbeTarget::Policy(_)))
        && !targets.is_empty()
    {
        plans.retain(is_meant);
    }
    let meetings = listeners::select(snapshot, &plans);
    let selection = survey::select(prober.transports(), &plans, Via::Auto, extent).await;
    let mut progress = Progress::new(selection.paths, selection.via);
    let cancel = CancellationToken::new();
    let survey = survey::run(
        &prober,
        selection,
        Rate::Asked,
        within,
        &cancel,
        |tested: Tested| {
            progress.show(tested.done, tested.of);
            tested.record(evidence);
            std::future::ready(())
        },
    );
    let timeout = PROBE_TIMEOUT.min(within);
    let meet = listeners::run(prober.transports(), meetings, timeout, within, &cancel);
    let (is_through, handshakes) = tokio::join!(survey, meet);
    progress.clear();
    for (meeting, at, result) in handshakes {
        evidence.record_meeting(meeting, at, result);
    }
    if parts.matrix {
        matrices(&prober, evidence, within).await;
    }
    // Last: their probes are newer than those of the matrix.
    if parts.context {
        let contexts = contexts(&prober, evidence, &cancel);
        // Each is bounded; all of them are, too.
        if let Ok(known) = tokio::time::timeout(within, contexts).await {
            for (key, how, pod, probed) in known {
                evidence.record_from(pod.as_deref(), probed);
                evidence.record_around(key, how);
            }
        }
    }
    (!is_through).then(|| {
        format!(
            "not every path could be tested within {}; --timeout gives it more time",
            in_seconds(within)
        )
    })
}

/// A probe with its context, and the data-plane pod that it left from.
type WithContext = (PlanKey, HowProbed, Option<String>, Probed);

/// Probes a few paths again, those that failed first, each with its context.
async fn contexts(
    prober: &Prober,
    evidence: &Evidence,
    cancel: &CancellationToken,
) -> Vec<WithContext> {
    let failed = |probed: &&Probed| {
        let result = probed.result.as_ref();
        result.is_ok_and(|transcript| transcript.nginx.outcome != Outcome::Ok)
    };
    let mut all: Vec<&Probed> = evidence.probes().collect();
    all.sort_by_key(|probed| !failed(probed));
    let mut paths = BTreeSet::new();
    all.retain(|probed| {
        let plan = &probed.plan;
        paths.insert((
            plan.gateway.clone(),
            plan.route.clone(),
            plan.service.clone(),
        ))
    });
    let one = |probed: &Probed| {
        let plan = Arc::clone(&probed.plan);
        async move {
            let at = Timestamp::now();
            let by = By::via(Via::Auto);
            let seen = prober.probe(&plan, &by, &Extras::default(), cancel).await;
            let seen = seen.ok()?;
            let how = HowProbed {
                at,
                way: Some(seen.way.clone()),
                context: Some(prober.context(&plan, &seen, at, cancel).await),
            };
            let made = Probed {
                plan: Arc::clone(&plan),
                at,
                result: Ok(Arc::clone(&seen.transcript)),
            };
            Some((plan.key(), how, seen.place.clone(), made))
        }
    };
    let some = all.into_iter().take(probe_context::MOST_PROBES).map(one);
    join_all(some).await.into_iter().flatten().collect()
}

/// What there is to probe of each of NGF's Gateways.
fn plannings(snapshot: &Snapshot) -> Vec<(ObjectRef, Planning)> {
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    let planning = |gateway: ObjectRef| {
        let target = ProbeTarget::Gateway(gateway.clone());
        let planning = plan_every(snapshot, &index, &topology, &target).ok()?;
        Some((gateway, planning))
    };
    let gateways = ngf_gateways(snapshot).into_iter();
    gateways.filter_map(planning).collect()
}

/// Probes every endpoint of every Gateway from every data-plane pod, by transports that write nothing.
async fn matrices(prober: &Prober, evidence: &mut Evidence, within: Duration) {
    let cancel = CancellationToken::new();
    let end = cancel.clone();
    let over = AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::time::sleep(within).await;
        end.cancel();
    }));
    let transports = prober.transports();
    for (gateway, planning) in plannings(transports.snapshot()) {
        let columns = endpoint_matrix::columns(transports, &gateway, Via::Auto, None).await;
        let Ok((columns, notes)) = columns else {
            continue;
        };
        let (plans, mut kept) = (planning.plans.clone(), Vec::new());
        let run = endpoint_matrix::run(
            prober,
            planning.plans,
            &columns,
            PARALLEL,
            &cancel,
            |done| {
                if done.seen.is_some() && (done.cell.is_fault() || kept.len() < KEPT) {
                    kept.push(done);
                }
                std::future::ready(())
            },
        );
        let mut matrix = run.await;
        matrix.notes.splice(0..0, notes);
        for done in kept {
            let (Some((transcript, way)), Some(plan)) = (done.seen, plans.get(done.row)) else {
                continue;
            };
            let is_pod = way.via == Via::Exec.to_string();
            let made = Probed {
                plan: Arc::new(plan.clone()),
                at: done.at,
                result: Ok(transcript),
            };
            let how = HowProbed {
                at: done.at,
                way: Some(way),
                context: None,
            };
            evidence.record_around(plan.key(), how);
            let place = is_pod.then(|| matrix.columns[done.column].as_str());
            evidence.record_from(place, made);
        }
        evidence.record_matrix(gateway, matrix);
    }
    drop(over);
}

fn in_seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// How far the handshakes are, on one line of standard error, where that is a terminal.
struct Progress {
    is_shown: bool,
    width: usize,
    what: String,
}

impl Progress {
    fn new(paths: usize, via: Via) -> Self {
        Self {
            is_shown: paths > 0 && std::io::stderr().is_terminal(),
            width: 0,
            what: format!("testing {} using {via}", words::count(paths, "path")),
        }
    }

    fn show(&mut self, done: usize, of: usize) {
        let line = format!("{}: {done} of {of} handshakes", self.what);
        self.write(&line);
        self.width = line.len();
    }

    fn clear(&mut self) {
        let blank = " ".repeat(self.width);
        self.write(&blank);
        self.write("");
    }

    fn write(&self, line: &str) {
        if self.is_shown {
            let mut err = std::io::stderr();
            let _ = write!(err, "\r{line}").and_then(|()| err.flush());
        }
    }
}
