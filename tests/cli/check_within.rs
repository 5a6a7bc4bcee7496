//! `check --within`: what expires and is certain to be renewed in time is listed, and does not fail.

use std::collections::BTreeMap;

use crate::support::{
    pki::Wanted,
    scenario::{Change, changed},
};
use jiff::{SignedDuration, Timestamp};
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence, Finding, Severity,
        timeline::{Horizon, Timeline},
    },
    model::{
        kind::Kind,
        snapshot::{KindState, Snapshot},
    },
};
use serde_json::{Value, json};

const CLIENT: &str = "Certificate/default/gateway-client-cert";

/// A patch of a Certificate: when cert-manager is to renew it.
fn renewal(path: &'static str, time: &str) -> (&'static str, Value) {
    (path, json!({"status": {"renewalTime": time}}))
}

/// The gateway's certificate expires in ten days; cert-manager is to renew it in two.
fn in_time() -> Vec<(&'static str, Value)> {
    vec![renewal(CLIENT, "2026-06-03T12:00:00Z")]
}

fn not_ready(path: &'static str) -> (&'static str, Value) {
    let conditions = json!([
        {"type": "Ready", "status": "False", "reason": "Failed", "message": "It does not work"}]);
    (path, json!({"status": {"conditions": conditions}}))
}

fn both(one: (&'static str, Value)) -> Vec<(&'static str, Value)> {
    let mut all = in_time();
    all.push(one);
    all
}

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("a moment")
}

/// The guide, with the CA valid for those days.
fn cluster(patch: Vec<(&str, Value)>, days_of_ca: Option<(i64, i64)>) -> Snapshot {
    let wanted = |cn: &str, by: Option<&str>, days| Wanted {
        cn: cn.to_owned(),
        names: Vec::new(),
        ca: by.is_none(),
        by: by.map(str::to_owned),
        days,
        seconds: None,
        usage: Vec::new(),
        key_of: None,
        rsa: None,
        curve: None,
        sha1: false,
    };
    let owned = |(path, patch): (&str, Value)| (path.to_owned(), patch);
    let change = Change {
        certificates: BTreeMap::from([
            (
                "gateway".to_owned(),
                wanted("gateway", Some("ca"), Some((-80, 10))),
            ),
            ("ca".to_owned(), wanted("LocalCA", None, days_of_ca)),
        ]),
        patch: patch.into_iter().map(owned).collect(),
        ..Change::default()
    };
    changed("guide", change, now()).0
}

#[test]
fn what_cert_manager_is_certain_to_renew_in_time_is_listed_and_does_not_fail() {
    let ends_first = Some((-300, 1));
    let renewed_first = renewal("Certificate/cert-manager/local-ca", "2026-06-01T20:00:00Z");
    let overdue = renewal(CLIENT, "2026-05-30T12:00:00Z");
    let too_late = renewal(CLIENT, "2026-06-20T12:00:00Z");
    let issuer = "ClusterIssuer/local-ca-issuer";
    for (name, patch, days_of_ca, expected) in [
        ("in time", in_time(), None, Severity::Info),
        ("overdue", vec![overdue], None, Severity::Error),
        ("too late", vec![too_late], None, Severity::Error),
        ("when is not said", vec![], None, Severity::Error),
        ("not Ready", both(not_ready(CLIENT)), None, Severity::Error),
        ("no issuer", both(not_ready(issuer)), None, Severity::Error),
        ("the CA ends first", in_time(), ends_first, Severity::Error),
        (
            "the CA is renewed before it ends",
            both(renewed_first),
            ends_first,
            Severity::Info,
        ),
    ] {
        let mut merged: Vec<(&str, Value)> = Vec::new();
        for (path, patch) in patch {
            match merged.iter_mut().find(|(known, _)| *known == path) {
                Some((_, known)) => json_patch::merge(known, &patch),
                None => merged.push((path, patch)),
            }
        }
        let found = of_the_client(&cluster(merged, days_of_ca));
        assert_eq!(found.0, Some(expected), "{name}: {}", found.1);
        let by = "Certificate default/gateway-client-cert replaces it on 2026-06-03 12:00";
        assert_eq!(
            found.1.contains(by),
            expected == Severity::Info,
            "{name}: {}",
            found.1
        );
    }
}

#[test]
fn the_expiry_of_an_issuer_that_may_not_be_read_is_unknown() {
    let mut snapshot = cluster(in_time(), None);
    snapshot.issuers.clear();
    let denied = KindState::Denied("clusterissuers is forbidden".to_owned());
    snapshot.kinds.insert(Kind::ClusterIssuer, denied);
    let found = of_the_client(&snapshot);
    assert_eq!(found.0, Some(Severity::Error), "{}", found.1);
    assert!(found.1.contains("its issuer is not known"), "{}", found.1);
}

#[test]
fn what_a_rule_says_already_is_not_said_twice() {
    let overdue = renewal(CLIENT, "2026-05-30T12:00:00Z");
    let snapshot = cluster(vec![overdue], None);
    let now = now();
    let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), now);
    let of_the_client = |findings: &[Finding]| -> Vec<Severity> {
        let about = findings.iter().filter(|finding| {
            finding.code == "NGF-E3"
                && finding.subject.name == "gateway-presents-this-cert-for-validation"
        });
        about.map(|finding| finding.severity).collect()
    };
    let mut findings = diagnosis.findings;
    assert_eq!(of_the_client(&findings), [Severity::Warning]);
    let timeline = Timeline::of(&snapshot, &Evidence::none(), now, now);
    timeline.add_findings(
        &mut findings,
        now,
        Horizon::Until(now + SignedDuration::from_hours(24 * 30)),
    );
    assert_eq!(of_the_client(&findings), [Severity::Error]);
}

/// What `--within 30d` says of the gateway's certificate.
fn of_the_client(snapshot: &Snapshot) -> (Option<Severity>, String) {
    let now = now();
    let mut findings = Vec::new();
    let timeline = Timeline::of(snapshot, &Evidence::none(), now, now);
    let until = now + SignedDuration::from_hours(24 * 30);
    timeline.add_findings(&mut findings, now, Horizon::Until(until));
    let found = findings
        .iter()
        .find(|found| found.title.contains("CN=gateway"));
    (
        found.map(|found| found.severity),
        found.map_or_else(String::new, |found| {
            format!("{} {:?}", found.title, found.evidence)
        }),
    )
}
