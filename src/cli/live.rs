//! `probe` of what a cluster holds: by the way that was asked for, once or again and again, one
//! endpoint after the other or all of them from every data-plane pod.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::join_all, stream};
use tokio_util::sync::CancellationToken;

use super::{
    CliError,
    args::{InputArgs, ProbeArgs},
    connect_to, default_namespace, matrix, output, probe,
};
use crate::{
    cluster::transport::{
        Confirmation, DataPlanePod, Leftovers, MakeOptions, Prepared, Transports, Via, Way, Ways,
    },
    diagnosis::plan::{Planning, ProbePlan, ProbeTarget, plan_all, plan_every},
    model::{index::Index, object::ObjectRef, snapshot::Snapshot, topology::Topology},
    report::probe::{LIST_SCHEMA, Report, Reports},
    world::{probe_spec, run_over},
};

/// How long to wait for the cluster's answers before planning.
pub(super) const READ: Duration = Duration::from_secs(15);
/// How long something that is made lives: for one probe, and where probes repeat.
const ONCE: Duration = Duration::from_secs(300);
const WATCHING: Duration = Duration::from_hours(1);

/// Runs it. What it made in the cluster is removed however it ends.
pub(super) async fn run(input: &InputArgs, args: &ProbeArgs, target: &str) -> Result<u8, CliError> {
    let cancel = CancellationToken::new();
    let leftovers = Leftovers::new();
    let signals = tokio::spawn(cancel_on_signals(cancel.clone()));
    let job = Job {
        args,
        cancel: &cancel,
        leftovers: &leftovers,
    };
    // A panic is caught so that it, too, leaves nothing behind; it goes on afterwards.
    let result = AssertUnwindSafe(job.run(input, target))
        .catch_unwind()
        .await;
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

impl Job<'_> {
    async fn run(&self, input: &InputArgs, target: &str) -> Result<u8, CliError> {
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
        let target = ProbeTarget::parse(target, &default_namespace(&snapshot.scope))?;
        let planning = self.planning(&snapshot, &target)?;
        let transports = Arc::new(Transports::new(cluster, Arc::new(snapshot)));
        let made = self.make(&transports, &planning.plans).await?;
        if self.args.way.all || self.args.way.watch.is_some() {
            return matrix::run(self, &transports, &target, planning, &made).await;
        }
        self.one_by_one(&transports, planning, &made).await
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

    async fn one_by_one(
        &self,
        transports: &Transports,
        planning: Planning,
        made: &Made,
    ) -> Result<u8, CliError> {
        let one = |plan: ProbePlan| async move {
            let result = self.one(transports, &plan, made).await;
            (plan, result)
        };
        let results: Vec<_> = stream::iter(planning.plans)
            .map(one)
            .buffered(self.args.way.parallel)
            .collect()
            .await;
        let mut reports = Reports {
            schema: LIST_SCHEMA,
            probes: Vec::new(),
            not_run: Vec::new(),
        };
        for (plan, result) in results {
            match result {
                Ok(report) => reports.probes.push(report),
                Err(why) => reports.not_run.push(format!(
                    "{} at {}:{}: {why}",
                    plan.service, plan.endpoint.address, plan.endpoint.port
                )),
            }
        }
        let refused = planning.refused.iter().map(|(_, why)| why.to_string());
        reports.not_run.extend(refused);
        if reports.probes.is_empty() {
            return Err(reports.not_run.join("; ").into());
        }
        probe::finish(&reports, self.args.output)
    }

    async fn one(
        &self,
        transports: &Transports,
        plan: &ProbePlan,
        made: &Made,
    ) -> Result<Report, String> {
        let way = &self.args.way;
        let ways = match made.get(&plan.gateway).and_then(|made| made.first()) {
            Some((_, way)) => only(way),
            None => transports.ways(plan, way.via, way.pod.as_deref()).await?,
        };
        let spec = probe_spec(transports.cluster(), plan, self.args.timeout).await?;
        let sighting = run_over(&ways, &spec, self.cancel).await?;
        Ok(Report {
            transcript: sighting.transcript,
            plan: Some(plan.clone()),
            way: Some(sighting.way),
        })
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
                        made.entry(gateway.clone()).or_default().push((pod, way));
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
