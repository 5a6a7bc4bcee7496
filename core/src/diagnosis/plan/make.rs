//! From a target to the connections that nginx would open.

use super::connection::Planner;
use super::places::backends_of;
use super::{Connection, PlanError, ProbePlan, ProbeTarget};
use crate::model::{
    index::Index,
    snapshot::Snapshot,
    topology::{NodeIx, Topology},
};

/// What there is to probe, and what there is not.
#[derive(Debug, Clone, Default)]
pub struct Planning {
    /// One for each endpoint of each backend, each connection once.
    pub plans: Vec<ProbePlan>,
    /// Backends for which there is none, and why.
    pub refused: Vec<(NodeIx, PlanError)>,
}

/// The connections that nginx would open for a target.
///
/// # Errors
/// One sentence, where there is none at all.
pub fn plan(snapshot: &Snapshot, target: &ProbeTarget) -> Result<Vec<ProbePlan>, PlanError> {
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    let planning = plan_all(snapshot, &index, &topology, target)?;
    match planning.refused.into_iter().next() {
        Some((_, why)) if planning.plans.is_empty() => Err(why),
        _ => Ok(planning.plans),
    }
}

/// The same, for one who has look-ups and tree already; says what was left out.
///
/// # Errors
/// One sentence, where the target does not exist or has no backends.
pub fn plan_all(
    snapshot: &Snapshot,
    index: &Index<'_>,
    topology: &Topology,
    target: &ProbeTarget,
) -> Result<Planning, PlanError> {
    planning(snapshot, target, Planner::new(snapshot, index, topology))
}

/// As [`plan_all`], with so many endpoints of each backend at most: a large cluster has a hundred thousand.
///
/// # Errors
/// One sentence, where the target does not exist or has no backends.
pub fn plan_some(
    snapshot: &Snapshot,
    index: &Index<'_>,
    topology: &Topology,
    target: &ProbeTarget,
    most_endpoints: usize,
) -> Result<Planning, PlanError> {
    let mut planner = Planner::new(snapshot, index, topology);
    planner.most_endpoints = most_endpoints;
    planning(snapshot, target, planner)
}

/// As [`plan_all`], with the endpoints that are not ready beside those that are: nginx is not given
/// them, and a probe may show why they are not ready.
///
/// # Errors
/// One sentence, where the target does not exist or has no backends.
pub fn plan_every(
    snapshot: &Snapshot,
    index: &Index<'_>,
    topology: &Topology,
    target: &ProbeTarget,
) -> Result<Planning, PlanError> {
    let mut planner = Planner::new(snapshot, index, topology);
    planner.unready_too = true;
    planning(snapshot, target, planner)
}

fn planning(
    snapshot: &Snapshot,
    target: &ProbeTarget,
    mut planner: Planner<'_>,
) -> Result<Planning, PlanError> {
    let places = backends_of(snapshot, planner.topology(), target)?;
    let mut planning = Planning::default();
    for (place, endpoint) in places {
        match planner.backend(place, endpoint) {
            Ok(plans) => planning.plans.extend(plans),
            Err(why) => planning.refused.push((place, why)),
        }
    }
    Ok(planning)
}

/// How nginx would speak to each backend of a target, whether or not there is an endpoint to speak
/// to: what the picture of the chain is drawn from.
///
/// # Errors
/// One sentence, where there is no such connection at all.
pub fn connections(
    snapshot: &Snapshot,
    index: &Index<'_>,
    topology: &Topology,
    target: &ProbeTarget,
) -> Result<Vec<Connection>, PlanError> {
    let places = backends_of(snapshot, topology, target)?;
    let mut planner = Planner::new(snapshot, index, topology);
    let mut first_error = None;
    let mut found: Vec<Connection> = Vec::new();
    for (place, _) in places {
        match planner.connection(place) {
            Ok((connection, _, _)) => found.push(connection),
            Err(why) => first_error = first_error.or(Some(why)),
        }
    }
    match first_error {
        Some(why) if found.is_empty() => Err(why),
        _ => Ok(found),
    }
}
