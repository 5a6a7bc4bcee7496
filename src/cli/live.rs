//! `probe` of what a cluster holds: by the way that was asked for, once or again and again, one
//! endpoint after the other or all of them from every data-plane pod.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, future::join_all};
use jiff::Timestamp;
use ngf_probes::settle_demand;
use tokio_util::sync::CancellationToken;

use super::{
    CliError,
    args::{InputArgs, ProbeArgs},
    connect_to, grid, output,
    probe::{self, Extras},
};
use crate::{
    beside::{Asked, beside},
    cluster::transport::{
        Confirmation, DataPlanePod, Leftovers, MakeOptions, Prepared, Transports, Via, Way, Ways,
    },
    diagnosis::plan::{Planning, ProbePlan, ProbeTarget, plan_all, plan_every},
    model::{
        index::Index,
        object::ObjectRef,
        snapshot::{Scope, Snapshot},
        topology::Topology,
    },
    report::probe::{Report, Reports},
    world::{run_over, spec_for},
};

/// How long to wait for the cluster's answers before planning.
pub(super) const READ: Duration = Duration::from_secs(15);
/// With more endpoints than this, logs are not read and the gateway is not asked beside each.
const BESIDE: usize = 4;
/// How long something that is made lives: for one probe, and where probes repeat.
const ONCE: Duration = Duration::from_mins(5);
const WATCHING: Duration = Duration::from_hours(1);

/// Probes what a target means, one endpoint after the other.
pub(super) async fn probe_target(
    input: &InputArgs,
    args: &ProbeArgs,
    target: &str,
    extras: &Extras,
) -> Result<Reports, CliError> {
    guarded(args, async |job| {
        let found = job.find(input, target).await?;
        let run = async |plan: &ProbePlan| {
            let ways = job.ways(&found, plan).await?;
            let (spec, note) = spec_for(&found.transports, plan, &ways, args.timeout).await?;
            let spec = &spec;
            let began = Timestamp::now();
            let trust = probe::mounted_trust(found.transports.snapshot(), &plan.service);
            let trust = &trust;
            let (mut transcript, mut way) = run_over(&ways, |dial| async move {
                extras
                    .probe(spec.clone(), trust.clone(), &*dial, job.cancel)
                    .await
            })
            .await?;
            way.not_taken.extend(note);
            let taken = ways.ways.iter().find(|one| one.via.to_string() == way.via);
            let beside = if args.way.backend_only || found.planning.plans.len() > BESIDE {
                None
            } else {
                let asked = Asked {
                    exec: taken.and_then(|way| way.exec.as_ref()),
                    service_names: args.way.dns,
                    address: args.way.gateway_address.as_ref(),
                    seen_from: way.seen_from,
                    timeout: args.timeout,
                    cancel: job.cancel,
                };
                Some(beside(&found.transports, plan, &asked, began, &transcript).await)
            };
            // After the logs were read: the backend logs this one, too.
            if extras.may_ask_again()
                && let Some(taken) = taken
            {
                settle_demand(&mut transcript, spec, &*taken.dial, job.cancel).await;
            }
            Ok(Report {
                transcript,
                plan: Some(plan.clone()),
                way: Some(way),
                beside,
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
pub(super) async fn grid(
    input: &InputArgs,
    args: &ProbeArgs,
    target: &str,
) -> Result<u8, CliError> {
    guarded(args, async |job| {
        let found = job.find(input, target).await?;
        grid::run(job, found).await
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
    // A panic is caught so that it, too, leaves nothing behind; it goes on afterwards.
    let result = AssertUnwindSafe(work(&job)).catch_unwind().await;
    for why in leftovers.remove_all().await {
        output::say(&format!("ngf-tui: {why}"));
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

/// What was made, by Gateway.
pub(super) type Made = BTreeMap<ObjectRef, Vec<(DataPlanePod, Way)>>;

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
        let reading = async {
            let cluster = connect_to(input).await?;
            let snapshot = cluster.snapshot(READ).await;
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
        let target = ProbeTarget::parse(target, namespace)?;
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

    /// The ways for a planned connection.
    pub(super) async fn ways(&self, found: &Found, plan: &ProbePlan) -> Result<Ways, String> {
        let way = &self.args.way;
        match found.made.get(&plan.gateway).and_then(|made| made.first()) {
            Some((_, way)) => Ok(only(way)),
            None => {
                let pod = way.pod.as_deref();
                found.transports.ways(plan, way.via, pod).await
            }
        }
    }

    /// The connections that nginx would open, with what the command line says otherwise.
    pub(super) fn planning(
        &self,
        snapshot: &Snapshot,
        target: &ProbeTarget,
    ) -> Result<Planning, CliError> {
        let mut planning = if self.args.way.all {
            plan_every(snapshot, target)?
        } else {
            let index = Index::of(snapshot);
            let topology = Topology::with(snapshot, &index);
            plan_all(snapshot, &index, &topology, target)?
        };
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
        let mut made = Made::new();
        if !way.via.writes() {
            return Ok(made);
        }
        let mut wanted = Vec::new();
        for (gateway, pods) in self.places(transports, plans)? {
            for pod in pods {
                let prepared = transports
                    .prepare(way.via, &gateway, &pod, &self.options())
                    .await?;
                match prepared {
                    Prepared::Ready(way) => {
                        made.entry(gateway.clone()).or_default().push((pod, *way));
                    }
                    Prepared::Wanted(plan) => wanted.push((gateway.clone(), pod, plan)),
                }
            }
        }
        for line in wanted.iter().flat_map(|(_, _, plan)| plan.lines()) {
            output::say(&line);
        }
        if !wanted.is_empty() && !way.yes {
            return Err("nothing was made: add --yes to make it".into());
        }
        let making = wanted.into_iter().map(|(gateway, pod, plan)| async move {
            let confirmed = Confirmation::given();
            transports
                .carry_out(*plan, confirmed, self.leftovers, self.cancel)
                .await
                .map(|way| (gateway, pod, way))
        });
        for result in join_all(making).await {
            let (gateway, pod, way) = result?;
            made.entry(gateway).or_default().push((pod, way));
        }
        Ok(made)
    }

    /// The data-plane pods beside which something is made.
    fn places(
        &self,
        transports: &Transports,
        plans: &[ProbePlan],
    ) -> Result<BTreeMap<ObjectRef, Vec<DataPlanePod>>, CliError> {
        let way = &self.args.way;
        let mut places = BTreeMap::new();
        for plan in plans {
            if places.contains_key(&plan.gateway) {
                continue;
            }
            let pods = if way.all {
                transports.data_plane_pods(&plan.gateway, way.pod.as_deref())?
            } else {
                vec![transports.data_plane_pod(&plan.gateway, way.pod.as_deref())?]
            };
            places.insert(plan.gateway.clone(), pods);
        }
        Ok(places)
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

/// This way and no other.
pub(super) fn only(way: &Way) -> Ways {
    Ways {
        ways: vec![way.clone()],
        not_taken: Vec::new(),
    }
}
