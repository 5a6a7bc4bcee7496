//! What is measured on a cluster in addition to what its objects say: `check` and `fix` measure the same.

use std::{
    io::{IsTerminal, Write},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::{check::ngf_gateways, target::Target, tui::PROBE_TIMEOUT};
use ngf_cluster::{
    Cluster,
    prober::{
        Prober, ProberOptions, listeners,
        survey::{self, Extent, Tested},
    },
    transport::{Transports, Via},
};
use ngf_core::{
    diagnosis::{
        Evidence,
        plan::{ProbePlan, ProbeTarget},
        words,
    },
    logs::PodLog,
    model::{object::ObjectRef, snapshot::Snapshot},
};

/// How far back logs are read.
const PAST: Duration = Duration::from_hours(1);
/// Logs that are read at a time.
const LOGS: usize = 8;

/// What is measured.
#[derive(Debug, Clone, Copy)]
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
}

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
    Parts { within, extent, .. }: Parts,
    evidence: &mut Evidence,
) -> Option<String> {
    let targets: Vec<ProbeTarget> = targets.iter().map(Target::to_probe).collect();
    let transports = Transports::new(cluster.clone(), Arc::clone(snapshot));
    let options = ProberOptions::new(PROBE_TIMEOUT.min(within));
    let prober = Prober::new(Arc::new(transports), options);
    let mut plans = survey::plans(snapshot, &targets);
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
    let selection = survey::select(prober.transports(), plans, Via::Auto, extent).await;
    let mut progress = Progress::new(selection.paths, selection.via);
    let cancel = CancellationToken::new();
    let survey = survey::run(&prober, selection, within, &cancel, |tested: Tested| {
        progress.show(tested.done, tested.of);
        tested.record(evidence);
        std::future::ready(())
    });
    let timeout = PROBE_TIMEOUT.min(within);
    let meet = listeners::run(prober.transports(), meetings, timeout, within, &cancel);
    let (is_through, handshakes) = tokio::join!(survey, meet);
    progress.clear();
    for (meeting, at, result) in handshakes {
        evidence.record_meeting(meeting, at, result);
    }
    (!is_through).then(|| {
        format!(
            "not every path could be tested within {}; --timeout gives it more time",
            in_seconds(within)
        )
    })
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
