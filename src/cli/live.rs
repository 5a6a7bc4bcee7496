//! `probe` of what a cluster holds: by the way that was asked for, once or again and again, one
//! endpoint after the other or all of them from every data-plane pod.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use jiff::Timestamp;
use ngf_probes::spec::ClientIdentity;
use tokio_util::sync::CancellationToken;

use super::{
    CliError,
    args::{InputArgs, ProbeArgs},
    connect, connect_within, endpoint_matrix, output, probe,
};
use crate::report::probe::{Report, Reports};
use ngf_cluster::{
    probe_context,
    prober::{By, Extras, Prober, ProberOptions},
    temporary::{self, Made, ONCE, READ_ONLY, TransportRequest, WATCHING},
    transport::{Confirmation, Leftovers, MakeOptions, Transports, Via},
};
use ngf_core::{
    command::program,
    diagnosis::plan::{Planning, ProbePlan, ProbeTarget, plan_all, plan_every},
    model::{
        index::Index,
        snapshot::{Scope, Snapshot},
        topology::Topology,
    },
};

/// How long to wait for the cluster's answers before planning.
pub(super) const READ: Duration = Duration::from_secs(15);

/// How long a probe that is cancelled may take to end in order.
const GRACE: Duration = Duration::from_secs(2);

/// Probes what a target means, one endpoint after the other.
pub(super) async fn probe_target(
    input: &InputArgs,
    args: &ProbeArgs,
    target: &str,
    extras: &Extras,
) -> Result<Reports, CliError> {
    // A file that cannot be used is reported before the cluster is asked for anything.
    let identity = connect::gateway_client(args)?;
    if let Some(identity) = &identity {
        ngf_probes::client::check_identity(identity)?;
    }
    guarded(args, async move |job| {
        let found = job.find(input, target).await?;
        let prober = job.prober_with(&found.transports, identity);
        let by = job.by(&found);
        let run = async |plan: &ProbePlan| {
            let began = Timestamp::now();
            let seen = prober.probe(plan, &by, extras, job.cancel).await?;
            let without_context =
                args.way.backend_only || found.planning.plans.len() > probe_context::MOST_PROBES;
            let context = if without_context {
                None
            } else {
                Some(prober.context(plan, &seen, began, job.cancel).await)
            };
            // After the logs were read: the backend logs this one, too.
            let settled = if extras.may_ask_again() {
                prober.settle(&seen, job.cancel).await
            } else {
                None
            };
            Ok(Report {
                transcript: settled.unwrap_or_else(|| (*seen.transcript).clone()),
                plan: Some(plan.clone()),
                way: Some(seen.way),
                context,
            })
        };
        let plans = found.planning.plans.clone();
        let mut reports = probe::collect(plans, args.way.parallel, run).await;
        reports.not_run.extend(found.refused());
        if reports.probes.is_empty() {
            return Err(reports.not_run.join("; ").into());
        }
        Ok(reports)
    })
    .await
}

/// Probes every endpoint from every data-plane pod, once or again and again.
pub(super) async fn matrix(
    input: &InputArgs,
    args: &ProbeArgs,
    target: &str,
) -> Result<u8, CliError> {
    guarded(args, async |job| {
        let found = job.find(input, target).await?;
        endpoint_matrix::run(job, found).await
    })
    .await
}

/// Works with a job. What it made in the cluster is removed however it ends.
pub(super) async fn guarded<T>(
    args: &ProbeArgs,
    work: impl AsyncFnOnce(&Job<'_>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let cancel = CancellationToken::new();
    let leftovers = Leftovers::new();
    let signals = tokio::spawn(cancel_on_signals(cancel.clone()));
    let job = Job {
        args,
        cancel: &cancel,
        leftovers: &leftovers,
    };
    // Whatever does not end by itself once it is cancelled is dropped.
    let cancelled = async {
        cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let working = async {
        tokio::select! {
            result = work(&job) => result,
            () = cancelled => Err("cancelled".into()),
        }
    };
    // A panic is caught so that it, too, leaves nothing behind; the panic continues afterwards.
    let result = AssertUnwindSafe(working).catch_unwind().await;
    for why in leftovers.remove_all().await {
        output::say(&format!("{}: {why}", program()));
    }
    signals.abort();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The first signal asks for an end in order; the second does not wait for it.
#[cfg(unix)]
async fn cancel_on_signals(cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let mut signals: Vec<_> = kinds
        .into_iter()
        .filter_map(|kind| signal(kind).ok())
        .collect();
    for ends in [false, true] {
        let waiting = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures::future::select_all(waiting).await;
        cancel.cancel();
        if ends {
            std::process::exit(130);
        }
    }
}

#[cfg(not(unix))]
async fn cancel_on_signals(cancel: CancellationToken) {
    if tokio::signal::ctrl_c().await.is_ok() {
        cancel.cancel();
    }
}

/// One call of the command.
pub(super) struct Job<'a> {
    pub(super) args: &'a ProbeArgs,
    pub(super) cancel: &'a CancellationToken,
    pub(super) leftovers: &'a Leftovers,
}

/// What a target means, and how to get there.
pub(super) struct Found {
    pub(super) target: ProbeTarget,
    pub(super) planning: Planning,
    pub(super) transports: Arc<Transports>,
    pub(super) made: Made,
}

impl Found {
    /// Backends that cannot be probed, and why.
    pub(super) fn refused(&self) -> impl Iterator<Item = String> {
        self.planning.refused.iter().map(|(_, why)| why.to_string())
    }
}

impl Job<'_> {
    /// Reads the cluster, plans, and makes what the way needs.
    pub(super) async fn find(&self, input: &InputArgs, target: &str) -> Result<Found, CliError> {
        if !input.files.is_empty() {
            return Err(
                "a live probe needs a cluster: leave -f out, or name an address with --connect"
                    .into(),
            );
        }
        if input.read_only && self.args.way.via.writes() {
            return Err(format!("--via {}: {READ_ONLY}", self.args.way.via).into());
        }
        let reading = async {
            let cluster = connect_within(input, READ).await?;
            let snapshot = cluster.snapshot(cluster.left_of(READ)).await;
            Ok::<_, CliError>((cluster, snapshot))
        };
        let (cluster, snapshot) = self
            .cancel
            .run_until_cancelled(reading)
            .await
            .ok_or("cancelled before anything was probed")??;
        // A name without a namespace is in the one that is read, or else in the context's.
        let namespace = match &snapshot.scope {
            Scope::AllNamespaces => cluster.namespace(),
            Scope::Namespace(namespace) => namespace,
        };
        let target = ProbeTarget::parse_in(target, namespace, &snapshot)?;
        let planning = self.planning(&snapshot, &target)?;
        let transports = Arc::new(Transports::new(cluster, Arc::new(snapshot)));
        let made = self.make(&transports, &planning.plans).await?;
        Ok(Found {
            target,
            planning,
            transports,
            made,
        })
    }

    /// The prober for what was found.
    pub(super) fn prober(&self, found: &Found) -> Prober {
        self.prober_of(&found.transports)
    }

    /// The prober for these transports.
    pub(super) fn prober_of(&self, transports: &Arc<Transports>) -> Prober {
        self.prober_with(transports, None)
    }

    /// The same, with the certificate that the gateway's client presents.
    fn prober_with(
        &self,
        transports: &Arc<Transports>,
        identity: Option<ClientIdentity>,
    ) -> Prober {
        let options = ProberOptions {
            address: self.args.way.gateway_address.clone(),
            names: self.args.way.dns,
            identity,
            ..ProberOptions::new(self.args.timeout)
        };
        Prober::new(Arc::clone(transports), options)
    }

    /// Where its probes originate.
    pub(super) fn by(&self, found: &Found) -> By {
        By {
            via: self.args.way.via,
            pod: self.args.way.pod.clone(),
            made: found.made.clone(),
        }
    }

    /// The connections that nginx would open, with what the command line says otherwise.
    pub(super) fn planning(
        &self,
        snapshot: &Snapshot,
        target: &ProbeTarget,
    ) -> Result<Planning, CliError> {
        let index = Index::of(snapshot);
        let topology = Topology::with(snapshot, &index);
        let plan = if self.args.way.all {
            plan_every
        } else {
            plan_all
        };
        let mut planning = plan(snapshot, &index, &topology, target)?;
        planning.plans = planning
            .plans
            .into_iter()
            .map(|plan| probe::adjusted(plan, self.args))
            .collect();
        Ok(planning)
    }

    /// Makes what the way needs: shown first, and only with `--yes`.
    async fn make(&self, transports: &Transports, plans: &[ProbePlan]) -> Result<Made, CliError> {
        let way = &self.args.way;
        let request = TransportRequest {
            via: way.via,
            gateways: temporary::gateways(plans),
            every_pod: way.all,
            pod: way.pod.clone(),
            options: self.options(),
        };
        let preparation = temporary::prepare(transports, &request).await?;
        for line in preparation.lines() {
            output::say(&line);
        }
        let agreed = match preparation.without_asking() {
            Ok(agreed) => agreed,
            Err(preparation) if way.yes => preparation.agreed(Confirmation::given()),
            Err(_) => return Err("nothing was made: add --yes to make it".into()),
        };
        Ok(temporary::make(transports, agreed, self.leftovers, self.cancel).await?)
    }

    fn options(&self) -> MakeOptions {
        let way = &self.args.way;
        MakeOptions {
            image: way.image.clone(),
            lives: if way.watch.is_some() { WATCHING } else { ONCE },
            like_data_plane: way.like_data_plane && way.via == Via::Pod,
        }
    }
}
