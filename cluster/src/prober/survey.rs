//! A first handshake for every path: bounded in number, rate and time. `check`, `fix` and the start of the
//! terminal interface use it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use ngf_tls::transcript::Outcome;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{By, Extras, Prober};
use crate::transport::{Transports, Via, WayTaken};
use ngf_core::{
    diagnosis::{
        Evidence,
        context::is_ngf,
        evidence::Probed,
        plan::{ProbePlan, ProbeTarget, plan_some},
        probe_context::HowProbed,
    },
    model::{index::Index, object::ObjectRef, snapshot::Snapshot, topology::Topology},
};

/// Handshakes of one survey.
pub const MOST: usize = 200;
/// Endpoints of one path that are tested; more than that is what `probe --all` is for.
pub const ENDPOINTS: usize = 4;
/// Data-plane pods of one Gateway that are tested.
const DATA_PLANES: usize = 8;
/// Handshakes at a time.
const PARALLEL: usize = 8;
/// A new handshake begins at most so often.
const PACE: Duration = Duration::from_millis(20);
/// Handshakes of a calm survey that begin at that pace: there are no more in most clusters.
const SOON: u32 = 20;
/// A new handshake of a calm survey begins at most so often after them.
const CALM: Duration = Duration::from_millis(100);

/// How soon one handshake begins after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Somebody waits for it: fifty a second.
    Asked,
    /// It began by itself: twenty soon, and then ten a second.
    Calm,
}

impl Rate {
    /// How long after the first one the handshake of this number begins, from 0.
    fn begins(self, number: usize) -> Duration {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let soon = match self {
            Self::Asked => number,
            Self::Calm => number.min(SOON),
        };
        PACE.saturating_mul(soon) + CALM.saturating_mul(number - soon)
    }
}

/// How much of each path a survey tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// A sample of its endpoints, [`MOST`] handshakes in all.
    #[default]
    Sample,
    /// Every endpoint, however many there are; the pace is the same.
    AllEndpoints,
}

impl Extent {
    /// The most endpoints of one path.
    fn endpoints(self) -> usize {
        match self {
            Self::Sample => ENDPOINTS,
            Self::AllEndpoints => usize::MAX,
        }
    }

    /// The most handshakes in all.
    fn most(self) -> usize {
        match self {
            Self::Sample => MOST,
            Self::AllEndpoints => usize::MAX,
        }
    }
}

/// A handshake of a survey.
#[derive(Clone)]
pub struct Chosen {
    /// The connection.
    pub plan: ProbePlan,
    /// Where it originates.
    by: By,
    /// It is the first of its path, so that it also settles whether the backend demands a certificate.
    settles: bool,
}

/// What a survey will test.
#[derive(Clone, Default)]
pub struct Selection {
    /// The handshakes, the most telling first.
    pub probes: Vec<Chosen>,
    /// How many paths they belong to.
    pub paths: usize,
    /// The transport that the first of them will use.
    pub via: Via,
}

/// A handshake of a survey that ended.
#[derive(Debug, Clone)]
pub struct Tested {
    /// What was tried, and what came of it.
    pub probed: Probed,
    /// The transport; `None` where none worked.
    pub way: Option<WayTaken>,
    /// The data-plane pod from whose container it left.
    pub place: Option<String>,
    /// How many have ended.
    pub done: usize,
    /// How many there are.
    pub of: usize,
}

impl Tested {
    /// Whether nginx would not get through to the backend.
    pub fn failed(&self) -> bool {
        let result = self.probed.result.as_ref();
        result.is_ok_and(|transcript| transcript.nginx.outcome != Outcome::Ok)
    }

    /// Keeps it as evidence. What could not be run is no evidence; it says why a path is untested.
    pub fn record(self, evidence: &mut Evidence) {
        match &self.probed.result {
            Ok(_) => {
                let around = HowProbed {
                    at: self.probed.at,
                    way: self.way,
                    context: None,
                };
                evidence.record_around(self.probed.plan.key(), around);
                evidence.record_from(self.place.as_deref(), self.probed);
            }
            Err(why) => evidence.record_untested(self.probed.plan.key(), why.clone()),
        }
    }
}

/// The connections that nginx of every Gateway of NGF would open, or those of a target, as far as a survey may test them.
pub fn plans(snapshot: &Snapshot, targets: &[ProbeTarget], extent: Extent) -> Vec<ProbePlan> {
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    let gateways = || {
        let ours = snapshot.gateways.iter();
        let ours = ours.filter(|(_, gateway)| is_ngf(snapshot, gateway));
        ours.map(|(name, _)| ProbeTarget::Gateway(name.clone()))
            .collect()
    };
    let targets: Vec<ProbeTarget> = if targets.is_empty() {
        gateways()
    } else {
        targets.to_vec()
    };
    targets
        .iter()
        .filter_map(|target| {
            plan_some(snapshot, &index, &topology, target, extent.endpoints()).ok()
        })
        .flat_map(|planning| planning.plans)
        .collect()
}

type PathKey = (ObjectRef, ObjectRef, usize, ObjectRef, u16);

fn path_of(plan: &ProbePlan) -> PathKey {
    (
        plan.gateway.clone(),
        plan.route.clone(),
        plan.rule,
        plan.service.clone(),
        plan.port,
    )
}

/// The same paths, the most telling first: one of each Gateway, then one of each further port of a Service, which one policy
/// and one certificate belong to, then the others.
fn most_telling_first(plans: Vec<&ProbePlan>) -> Vec<&ProbePlan> {
    let mut gateways = BTreeSet::new();
    let mut ports = BTreeSet::new();
    let (first, rest): (Vec<&ProbePlan>, Vec<&ProbePlan>) = plans.into_iter().partition(|plan| {
        let is_first = gateways.insert(plan.gateway.clone());
        if is_first {
            ports.insert((plan.service.clone(), plan.port));
        }
        is_first
    });
    let (second, rest): (Vec<&ProbePlan>, Vec<&ProbePlan>) = rest
        .into_iter()
        .partition(|plan| ports.insert((plan.service.clone(), plan.port)));
    first.into_iter().chain(second).chain(rest).collect()
}

fn first_of<'a>(plans: &Vec<&'a ProbePlan>) -> Option<&'a ProbePlan> {
    plans.first().copied()
}

/// Chooses the handshakes of a survey: one for each path that uses TLS, those first that tell the most, then one from each
/// further data-plane pod for each CA and client certificate, then further endpoints, then the paths in plain HTTP.
pub async fn select(
    transports: &Transports,
    plans: &[ProbePlan],
    via: Via,
    extent: Extent,
) -> Selection {
    let mut paths: BTreeMap<PathKey, Vec<&ProbePlan>> = BTreeMap::new();
    for plan in plans {
        paths.entry(path_of(plan)).or_default().push(plan);
    }
    let of_tls = |tls: bool| {
        paths
            .values()
            .filter(move |plans| plans.iter().any(|plan| plan.tls.is_some()) == tls)
    };
    let chosen = |plan: &ProbePlan, pod: Option<String>, settles: bool| Chosen {
        plan: plan.clone(),
        by: By {
            pod,
            ..By::via(via)
        },
        settles,
    };
    let most = extent.most();
    let left = |probes: &Vec<Chosen>| most.saturating_sub(probes.len());
    let mut firsts = most_telling_first(of_tls(true).filter_map(first_of).collect());
    firsts.truncate(most);
    let of_firsts = firsts.iter().map(|plan| chosen(plan, None, true));
    let mut probes: Vec<Chosen> = of_firsts.collect();
    let pods_of = pods_with_exec(transports, &firsts, via).await;
    let mut told = BTreeSet::new();
    for plan in firsts {
        let gateway = &plan.gateway;
        let tls = plan.tls.as_ref();
        let files = tls.map(|tls| (tls.trust.to_string(), tls.client_certificate.clone()));
        for pod in pods_of.get(gateway).into_iter().flatten().skip(1) {
            if told.insert((gateway.clone(), pod.clone(), files.clone())) {
                probes.push(chosen(plan, Some(pod.clone()), false));
            }
        }
    }
    let longest = paths.values().map(Vec::len).max().unwrap_or_default();
    for number in 1..longest.min(extent.endpoints()) {
        let further = of_tls(true).filter_map(|plans| plans.get(number));
        // From one data-plane pod after the other, so that one that is left behind does not speak for all.
        let further = further.take(left(&probes));
        probes.extend(further.map(|plan| {
            let pods = pods_of.get(&plan.gateway).filter(|pods| !pods.is_empty());
            let pod = pods.map(|pods| pods[number % pods.len()].clone());
            chosen(plan, pod, false)
        }));
    }
    let plain = most_telling_first(of_tls(false).filter_map(first_of).collect());
    let plain = plain.into_iter().take(left(&probes));
    probes.extend(plain.map(|plan| chosen(plan, None, true)));
    probes.truncate(most);
    let via = match (via, probes.first()) {
        (Via::Auto, Some(_)) if !pods_of.is_empty() => Via::Exec,
        (Via::Auto, Some(first)) => {
            let ways = transports.ways(&first.plan, via, None).await.ok();
            ways.and_then(|ways| ways.ways.first().map(|way| way.via))
                .unwrap_or_default()
        }
        (via, _) => via,
    };
    let paths: BTreeSet<PathKey> = probes.iter().map(|chosen| path_of(&chosen.plan)).collect();
    Selection {
        paths: paths.len(),
        probes,
        via,
    }
}

/// The data-plane pods of each Gateway, where exec may be used in them.
async fn pods_with_exec(
    transports: &Transports,
    plans: &[&ProbePlan],
    via: Via,
) -> BTreeMap<ObjectRef, Vec<String>> {
    let mut found = BTreeMap::new();
    if !matches!(via, Via::Auto | Via::Exec) {
        return found;
    }
    let gateways: BTreeSet<&ObjectRef> = plans.iter().map(|plan| &plan.gateway).collect();
    for gateway in gateways {
        let may = transports.allowed(Via::Exec, &gateway.namespace).await;
        if let (Ok(()), Ok(pods)) = (may, transports.data_plane_pods(gateway, None)) {
            let names = pods
                .into_iter()
                .take(DATA_PLANES)
                .map(|pod| pod.pod.name.clone());
            found.insert(gateway.clone(), names.collect());
        }
    }
    found
}

/// Runs a survey at this rate until it is through, cancelled, or `within` is over; tells each handshake that ended.
/// Whether it got through all of them comes out.
pub async fn run<Told>(
    prober: &Prober,
    selection: Selection,
    rate: Rate,
    within: Duration,
    cancel: &CancellationToken,
    mut tell: impl FnMut(Tested) -> Told,
) -> bool
where
    Told: Future<Output = ()>,
{
    let of = selection.probes.len();
    let start = Instant::now();
    let extras = &Extras::default();
    let one = |(number, chosen): (usize, Chosen)| async move {
        sleep_until(start + rate.begins(number)).await;
        test(prober, chosen, extras, cancel).await
    };
    let end = async {
        tokio::select! {
            () = sleep(within) => {}
            () = cancel.cancelled() => {}
        }
    };
    let tests = stream::iter(selection.probes.into_iter().enumerate())
        .map(one)
        .buffer_unordered(PARALLEL)
        .take_until(Box::pin(end));
    let mut tests = tests.boxed();
    let mut done = 0;
    while let Some(tested) = tests.next().await {
        done += 1;
        tell(Tested { done, of, ..tested }).await;
    }
    done == of
}

async fn test(
    prober: &Prober,
    chosen: Chosen,
    extras: &Extras,
    cancel: &CancellationToken,
) -> Tested {
    let at = Timestamp::now();
    let seen = prober.probe(&chosen.plan, &chosen.by, extras, cancel).await;
    let (result, way, place) = match seen {
        Ok(seen) => {
            let settled = if chosen.settles {
                prober.settle(&seen, cancel).await
            } else {
                None
            };
            let transcript = settled.map_or(seen.transcript, Arc::new);
            (Ok(transcript), Some(seen.way), seen.place)
        }
        Err(why) => (Err(why), None, None),
    };
    Tested {
        probed: Probed {
            plan: Arc::new(chosen.plan),
            at,
            result,
        },
        way,
        place,
        done: 0,
        of: 0,
    }
}

#[cfg(test)]
mod tests;
