//! When a problem began, as far as anything tells: a certificate's end, a condition's transition, the first
//! line of a log, a change of a Secret or ConfigMap that this program saw.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::{
    super::{Finding, finding::EvidenceLine, words},
    Clues,
};
use crate::model::{
    kind::Kind,
    object::{Condition, ObjectRef},
    references::cluster_resource_namespace,
    snapshot::Snapshot,
    topology::told_by_ngf,
};

/// The earliest moment that one of the findings tells of.
pub(super) fn of(findings: &[Finding], all: &[usize], clues: &Clues<'_>) -> Option<Timestamp> {
    let found = all.iter().map(|index| &findings[*index]);
    found
        .filter_map(|finding| began(finding, clues))
        .filter(|at| *at <= clues.now)
        .min()
}

fn began(finding: &Finding, clues: &Clues<'_>) -> Option<Timestamp> {
    let told = finding.evidence.iter().filter_map(|line| {
        ended(line, clues.now)
            .or_else(|| of_condition(finding, line, clues.snapshot))
            .or_else(|| first_line(line, clues))
    });
    let held = finding
        .objects()
        .filter_map(|object| holder(object, clues.snapshot));
    let changed = held.filter_map(|object| (clues.changed)(finding, &object));
    told.chain(changed).min()
}

/// The Secret or ConfigMap that an object is, or that an issuer signs with.
fn holder(object: &ObjectRef, snapshot: &Snapshot) -> Option<ObjectRef> {
    match object.kind {
        Kind::Secret | Kind::ConfigMap => Some(object.clone()),
        Kind::Issuer | Kind::ClusterIssuer => {
            let secret = snapshot.issuers.get(object)?.spec.ca_secret.clone()?;
            let namespace = if object.namespace.is_empty() {
                cluster_resource_namespace(snapshot)
            } else {
                &object.namespace
            };
            Some(ObjectRef::new(Kind::Secret, namespace, secret))
        }
        _ => None,
    }
}

/// The end of a validity that has passed: `valid: 2026-08-31 01:22:28 UTC to 2026-11-29 01:22:28 UTC`.
fn ended(line: &EvidenceLine, now: Timestamp) -> Option<Timestamp> {
    if line.what != "valid" {
        return None;
    }
    let (_, end) = line.value.rsplit_once(" to ")?;
    let end: DateTime = end.strip_suffix(" UTC")?.parse().ok()?;
    let end = end.to_zoned(TimeZone::UTC).ok()?.timestamp();
    (end <= now).then_some(end)
}

/// The transition of the condition that the evidence quotes.
fn of_condition(finding: &Finding, line: &EvidenceLine, snapshot: &Snapshot) -> Option<Timestamp> {
    let kind = line.what.strip_prefix("condition ")?;
    let place = line.place.strip_suffix(" status")?;
    let object = finding
        .objects()
        .find(|object| object.to_string() == place)?;
    conditions_of(snapshot, object)
        .into_iter()
        .filter(|condition| condition.kind == kind)
        .find(|condition| words::condition_text(condition) == line.value)?
        .last_transition
}

/// A log that begins with a line has said it before, too.
const BEFORE: SignedDuration = SignedDuration::from_secs(60);

/// The first time that a log says what the evidence quotes. A log of which the beginning is missing does not
/// tell.
fn first_line(line: &EvidenceLine, clues: &Clues<'_>) -> Option<Timestamp> {
    if !line.what.starts_with("logged ") {
        return None;
    }
    let logs = clues
        .evidence
        .logs()
        .filter(|log| log.place() == line.place);
    let mut firsts = Vec::new();
    for log in logs {
        let said = log.tally.said.values();
        let said = said.filter(|counted| counted.last_line.text == line.value);
        for counted in said {
            if log.cut || counted.first.duration_since(log.since) < BEFORE {
                return None;
            }
            firsts.push(counted.first);
        }
    }
    firsts.into_iter().min()
}

/// Every condition of an object, of its listeners and for its parents.
pub fn conditions_of<'a>(snapshot: &'a Snapshot, object: &ObjectRef) -> Vec<&'a Condition> {
    if let Some(class) = snapshot.gateway_classes.get(object) {
        return class.status.conditions.iter().collect();
    }
    if let Some(gateway) = snapshot.gateways.get(object) {
        let listeners = gateway.status.listeners.iter();
        let listeners = listeners.flat_map(|listener| &listener.conditions);
        return gateway.status.conditions.iter().chain(listeners).collect();
    }
    if let Some(set) = snapshot.listener_sets.get(object) {
        let listeners = set.status.listeners.iter();
        let listeners = listeners.flat_map(|listener| &listener.conditions);
        return set.status.conditions.iter().chain(listeners).collect();
    }
    if let Some(route) = snapshot.routes.get(object) {
        let parents = told_by_ngf(&route.status.parents);
        return parents.flat_map(|parent| &parent.conditions).collect();
    }
    if let Some(policy) = snapshot.policies.get(object) {
        let ancestors = told_by_ngf(&policy.status.ancestors);
        return ancestors.flat_map(|parent| &parent.conditions).collect();
    }
    if let Some(resource) = snapshot.ngf.get(object) {
        let status = told_by_ngf(&resource.status.parents);
        return status.flat_map(|parent| &parent.conditions).collect();
    }
    if let Some(issuer) = snapshot.issuers.get(object) {
        return issuer.status.conditions.iter().collect();
    }
    if let Some(certificate) = snapshot.certificates.get(object) {
        return certificate.status.conditions.iter().collect();
    }
    if let Some(request) = snapshot.certificate_requests.get(object) {
        return request.status.conditions.iter().collect();
    }
    if let Some(bundle) = snapshot.trust_bundles.get(object) {
        return bundle.status.conditions.iter().collect();
    }
    if let Some(pod) = snapshot.pods.get(object) {
        return pod.status.conditions.iter().collect();
    }
    if let Some(workload) = snapshot.workloads.get(object) {
        return workload.status.conditions.iter().collect();
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validity_that_has_ended_tells_when_and_another_does_not() {
        let now: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
        let line = |value: &str| EvidenceLine {
            what: "valid".to_owned(),
            value: value.to_owned(),
            place: String::new(),
        };
        let past = "2026-08-31 01:22:28 UTC to 2026-11-29 01:22:28 UTC";
        assert_eq!(
            ended(&line(past), now),
            Some("2026-11-29T01:22:28Z".parse().unwrap())
        );
        for value in [
            "2026-08-31 01:22:28 UTC to 2027-11-29 01:22:28 UTC",
            "9 s after 1970 to 12 s after 1970",
            "forever",
            "",
        ] {
            assert_eq!(ended(&line(value), now), None, "{value}");
        }
    }
}
