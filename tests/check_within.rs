//! `check --within`: what expires and is certain to be renewed in time is listed, and does not fail.

mod support;

use jiff::{SignedDuration, Timestamp};
use ngf_tui::{
    diagnosis::{Evidence, Severity, timeline::Timeline},
    model::{
        kind::Kind,
        snapshot::{KindState, Snapshot},
    },
};
use serde_json::json;
use support::{
    pki::Wanted,
    scenario::{Change, changed},
};

/// What `--within 30d` says of the gateway's certificate, which expires in ten days, and when cert-manager
/// is to renew it.
#[test]
fn what_cert_manager_is_certain_to_renew_in_time_is_listed_and_does_not_fail() {
    let now: Timestamp = "2026-06-01T12:00:00Z".parse().expect("a moment");
    let days = |from: i64, to: i64| Some((from, to));
    let renewal = |time: &str| json!({"status": {"renewalTime": time}});
    let client = "Certificate/default/gateway-client-cert";
    let not_ready = json!({"status": {"renewalTime": "2026-06-03T12:00:00Z", "conditions": [
        {"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "Issuing"}]}});
    let refused = json!({"status": {"conditions": [
        {"type": "Ready", "status": "False", "reason": "ErrGetKeyPair", "message": "Error getting keypair"}]}});
    let in_time = || vec![(client, renewal("2026-06-03T12:00:00Z"))];
    let with = |path, patch| {
        let mut all = in_time();
        all.push((path, patch));
        all
    };
    let ca_ends_first = days(-300, 1);
    let cases = [
        ("in time", in_time(), None, Severity::Info),
        (
            "overdue",
            vec![(client, renewal("2026-05-30T12:00:00Z"))],
            None,
            Severity::Error,
        ),
        (
            "too late",
            vec![(client, renewal("2026-06-20T12:00:00Z"))],
            None,
            Severity::Error,
        ),
        ("when is not said", vec![], None, Severity::Error),
        (
            "not Ready",
            vec![(client, not_ready)],
            None,
            Severity::Error,
        ),
        (
            "the issuer is not Ready",
            with("ClusterIssuer/local-ca-issuer", refused),
            None,
            Severity::Error,
        ),
        (
            "the issuer's CA ends before",
            in_time(),
            ca_ends_first,
            Severity::Error,
        ),
        (
            "the issuer's CA is renewed before it ends",
            with(
                "Certificate/cert-manager/local-ca",
                renewal("2026-06-01T20:00:00Z"),
            ),
            ca_ends_first,
            Severity::Info,
        ),
    ];
    for (name, patch, of_ca, expected) in cases {
        let mut change = Change::default();
        let wanted = |cn: &str, ca, by: Option<&str>, days| Wanted {
            cn: cn.to_owned(),
            names: Vec::new(),
            ca,
            by: by.map(str::to_owned),
            days,
            seconds: None,
            usage: Vec::new(),
            key_of: None,
            rsa: None,
        };
        let certificates = &mut change.certificates;
        certificates.insert(
            "gateway".to_owned(),
            wanted("gateway", false, Some("ca"), days(-80, 10)),
        );
        certificates.insert("ca".to_owned(), wanted("LocalCA", true, None, of_ca));
        change.patch = patch
            .into_iter()
            .map(|(path, patch)| (path.to_owned(), patch))
            .collect();
        let (snapshot, _) = changed("guide", change, now);
        let found = of_the_client(&snapshot, now);
        assert_eq!(found.0, Some(expected), "{name}: {}", found.1);
        if expected == Severity::Info {
            assert!(
                found.1.contains(
                    "Certificate default/gateway-client-cert replaces it on 2026-06-03 12:00"
                ),
                "{name}: {}",
                found.1
            );
        }
    }
    // Nobody knows how long an issuer lives that may not be read.
    let mut change = Change::default();
    change.patch = in_time()
        .into_iter()
        .map(|(path, patch)| (path.to_owned(), patch))
        .collect();
    let (mut snapshot, _) = changed("guide", change, now);
    snapshot.issuers.clear();
    let denied = KindState::Denied("clusterissuers is forbidden".to_owned());
    snapshot.kinds.insert(Kind::ClusterIssuer, denied);
    let year = SignedDuration::from_hours(24 * 365);
    let mut findings = Vec::new();
    let timeline = Timeline::of(&snapshot, &Evidence::none(), now, now);
    timeline.add_findings(&mut findings, now, now + year);
    let of_client = findings
        .iter()
        .find(|found| found.title.contains("CN=gateway"));
    let of_client = of_client.expect("a finding");
    assert_eq!(of_client.severity, Severity::Error);
    let said: Vec<&str> = of_client
        .evidence
        .iter()
        .map(|line| line.value.as_str())
        .collect();
    assert!(
        said.iter()
            .any(|line| line.contains("its issuer is not known")),
        "{said:?}"
    );
}

fn of_the_client(snapshot: &Snapshot, now: Timestamp) -> (Option<Severity>, String) {
    let mut findings = Vec::new();
    let timeline = Timeline::of(snapshot, &Evidence::none(), now, now);
    let until = now + SignedDuration::from_hours(24 * 30);
    timeline.add_findings(&mut findings, now, until);
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
