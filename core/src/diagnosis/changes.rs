//! What changed and when, as far as the objects, the logs and the data plane's disk tell: creations, transitions
//! of conditions, certificates that were issued or that expired, the first log line of a fault.

use jiff::Timestamp;
use ngf_tls::certificate::CertificateFacts;

use super::{Evidence, line::codes, problems::conditions_of, words::holder};
use crate::model::{
    object::{Meta, ObjectRef},
    snapshot::{Lookup, Snapshot, Table},
    status::Spec,
};

/// The most characters of a condition's message that are quoted.
const LONGEST: usize = 160;

/// Something that happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// The object.
    pub object: ObjectRef,
    /// What, in a few words: `created`, `Accepted is now False`.
    pub what: String,
    /// The object's own words, or the value: a condition's message, a log line, a fingerprint.
    pub detail: String,
    /// Whether it is bad news by itself.
    pub is_bad: bool,
}

/// Everything that happened up to `now`, the newest first.
pub fn moments(snapshot: &Snapshot, evidence: &Evidence, now: Timestamp) -> Vec<Moment> {
    let mut all = Vec::new();
    created(snapshot, &mut all);
    transitions(snapshot, &mut all);
    certificates(snapshot, now, &mut all);
    logged(evidence, &mut all);
    on_disk(evidence, &mut all);
    all.retain(|moment| moment.at <= now);
    all.sort_by(|one, other| {
        (other.at, &one.object, &one.what).cmp(&(one.at, &other.object, &other.what))
    });
    // The same of several listeners is told once.
    all.dedup_by(|one, other| {
        (one.at, &one.object, &one.what) == (other.at, &other.object, &other.what)
    });
    all
}

fn moment(at: Timestamp, object: &ObjectRef, what: impl Into<String>) -> Moment {
    Moment {
        at,
        object: object.clone(),
        what: what.into(),
        detail: String::new(),
        is_bad: false,
    }
}

fn created(snapshot: &Snapshot, all: &mut Vec<Moment>) {
    fn of_table<T: Spec>(table: &Table<T>, all: &mut Vec<Moment>) {
        for (object, known) in table {
            note(object, &known.meta, all);
        }
    }
    fn note(object: &ObjectRef, meta: &Meta, all: &mut Vec<Moment>) {
        all.extend(meta.created.map(|at| moment(at, object, "created")));
    }
    of_table(&snapshot.gateway_classes, all);
    of_table(&snapshot.gateways, all);
    of_table(&snapshot.listener_sets, all);
    of_table(&snapshot.routes, all);
    of_table(&snapshot.policies, all);
    of_table(&snapshot.grants, all);
    of_table(&snapshot.services, all);
    of_table(&snapshot.pods, all);
    of_table(&snapshot.workloads, all);
    of_table(&snapshot.network_policies, all);
    of_table(&snapshot.ngf, all);
    of_table(&snapshot.issuers, all);
    of_table(&snapshot.certificates, all);
    of_table(&snapshot.certificate_requests, all);
    of_table(&snapshot.orders, all);
    of_table(&snapshot.challenges, all);
    of_table(&snapshot.trust_bundles, all);
    for (object, lookup) in &snapshot.secrets {
        if let Lookup::Found(secret) = lookup {
            note(object, &secret.meta, all);
        }
    }
    for (object, lookup) in &snapshot.config_maps {
        if let Lookup::Found(map) = lookup {
            note(object, &map.meta, all);
        }
    }
}

fn transitions(snapshot: &Snapshot, all: &mut Vec<Moment>) {
    let objects = snapshot
        .gateway_classes
        .keys()
        .chain(snapshot.gateways.keys())
        .chain(snapshot.listener_sets.keys())
        .chain(snapshot.routes.keys())
        .chain(snapshot.policies.keys())
        .chain(snapshot.ngf.keys())
        .chain(snapshot.issuers.keys())
        .chain(snapshot.certificates.keys())
        .chain(snapshot.workloads.keys())
        .chain(snapshot.pods.keys());
    for object in objects {
        for condition in conditions_of(snapshot, object) {
            let Some(at) = condition.last_transition else {
                continue;
            };
            let what = format!("{} is now {}", condition.kind, condition.status);
            let mut detail = condition.reason.clone();
            if !condition.message.is_empty() {
                detail.push_str(": ");
                detail.extend(condition.message.chars().take(LONGEST));
            }
            all.push(Moment {
                detail,
                ..moment(at, object, what)
            });
        }
    }
}

fn certificates(snapshot: &Snapshot, now: Timestamp, all: &mut Vec<Moment>) {
    for (object, lookup) in &snapshot.secrets {
        let Lookup::Found(secret) = lookup else {
            continue;
        };
        held(
            object,
            "tls.crt",
            secret.spec.certificate.certificates(),
            now,
            all,
        );
        held(object, "ca.crt", secret.spec.ca.certificates(), now, all);
    }
    for (object, lookup) in &snapshot.config_maps {
        if let Lookup::Found(map) = lookup {
            held(object, "ca.crt", map.spec.ca.certificates(), now, all);
        }
    }
}

fn held(
    object: &ObjectRef,
    key: &str,
    certificates: &[CertificateFacts],
    now: Timestamp,
    all: &mut Vec<Moment>,
) {
    for facts in certificates {
        let detail = format!(
            "SHA-256 {}, signed by {}",
            short(&facts.fingerprint_sha256),
            facts.issuer
        );
        let who = holder(facts);
        if let Ok(at) = Timestamp::from_second(facts.not_before) {
            all.push(Moment {
                detail: detail.clone(),
                ..moment(at, object, format!("issued {who}, {key}"))
            });
        }
        if let Ok(at) = Timestamp::from_second(facts.not_after)
            && at <= now
        {
            all.push(Moment {
                detail,
                is_bad: true,
                ..moment(at, object, format!("expired {who}, {key}"))
            });
        }
    }
}

/// The beginning of a fingerprint.
fn short(fingerprint: &str) -> String {
    let mut short: String = fingerprint.chars().take(11).collect();
    short.push('…');
    short
}

/// The first line of each fault that a log tells of. Where the log begins with it, it has said it before, too.
fn logged(evidence: &Evidence, all: &mut Vec<Moment>) {
    for log in evidence.logs() {
        for counted in log.tally.said.values() {
            if codes(&counted.last_line).is_empty() {
                continue;
            }
            let is_first = !log.cut && counted.first > log.since;
            let what = if is_first {
                format!("first logged: {}", counted.means)
            } else {
                format!("logged by then: {}", counted.means)
            };
            all.push(Moment {
                detail: counted.last_line.text.clone(),
                is_bad: true,
                ..moment(counted.first, &log.pod, what)
            });
        }
        if let Some(at) = log.tally.reloaded {
            all.push(moment(at, &log.pod, "nginx loaded its configuration again"));
        }
    }
}

/// When NGF's agent wrote the certificates that nginx uses.
fn on_disk(evidence: &Evidence, all: &mut Vec<Moment>) {
    for in_pod in evidence.rendered() {
        let Ok(rendered) = &in_pod.found else {
            continue;
        };
        for file in &rendered.files {
            if let Some(at) = file.written {
                all.push(Moment {
                    detail: file.subjects.join(", "),
                    ..moment(at, &in_pod.pod, format!("{} was written", file.path))
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{
        decode::{self, Incoming},
        kind::Kind,
        snapshot::{Scope, Source},
    };

    fn snapshot(objects: &[(Kind, serde_json::Value)]) -> Snapshot {
        let source = Source::Files { paths: Vec::new() };
        let mut snapshot = Snapshot::new(source, Scope::AllNamespaces);
        for (kind, value) in objects {
            let incoming = Incoming {
                value: value.clone(),
                cut: false,
            };
            snapshot.put(decode::object(*kind, incoming, "apps").expect("an object"));
        }
        snapshot
    }

    #[test]
    fn creations_and_transitions_come_newest_first_and_nothing_of_the_future() {
        let snapshot = snapshot(&[
            (
                Kind::Gateway,
                json!({
                    "metadata": {"name": "gateway", "namespace": "apps", "creationTimestamp": "2026-01-01T10:00:00Z"},
                    "spec": {"gatewayClassName": "nginx", "listeners": []},
                    "status": {"conditions": [{
                        "type": "Programmed", "status": "False", "reason": "Invalid", "message": "no listener",
                        "lastTransitionTime": "2026-01-01T11:52:00Z",
                    }]},
                }),
            ),
            (
                Kind::Service,
                json!({"metadata": {"name": "late", "namespace": "apps", "creationTimestamp": "2026-01-01T13:00:00Z"}, "spec": {}}),
            ),
        ]);
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().expect("a moment");
        let all = moments(&snapshot, &Evidence::none(), now);
        let told: Vec<String> = all
            .iter()
            .map(|one| format!("{} {}: {} ({})", one.at, one.object, one.what, one.detail))
            .collect();
        assert_eq!(
            told,
            [
                "2026-01-01T11:52:00Z Gateway apps/gateway: Programmed is now False (Invalid: no listener)",
                "2026-01-01T10:00:00Z Gateway apps/gateway: created ()",
            ]
        );
    }
}
