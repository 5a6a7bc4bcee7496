//! What expires first, and what breaks then, in words, for a few scenarios.

use crate::support::scenario::Scenario;
use insta::{assert_snapshot, with_settings};
use jiff::{SignedDuration, Timestamp};
use ngf_core::diagnosis::{chain::Trust, timeline::Timeline};
use ngf_tui::report::{chain, text::Style};

const DAY: i64 = 86_400;

fn timeline(scenario: &Scenario, at: Timestamp) -> Timeline {
    Timeline::of(&scenario.snapshot, &scenario.evidence, scenario.now, at)
}

fn text(name: &str, days: i64) -> String {
    let scenario = Scenario::load(name);
    let at = scenario.now + SignedDuration::from_secs(days * DAY);
    chain::text(&timeline(&scenario, at), scenario.now, Style::default())
}

macro_rules! timelines {
    ($($test:ident: $name:literal after $days:literal days,)*) => {
        $(#[test]
        fn $test() {
            with_settings!({snapshot_suffix => concat!($name, "-", $days), prepend_module_to_snapshot => true}, {
                assert_snapshot!("timeline", text($name, $days));
            });
        })*
    };
}

timelines! {
    each_certificate_of_the_guide_has_its_place: "guide" after 0 days,
    a_probe_says_what_is_really_presented: "b0-all-well" after 0 days,
    a_year_later_the_same_paths_are_broken: "b0-all-well" after 400 days,
    a_rotated_ca_breaks_no_path_that_is_broken_already: "m4-rotated-ca" after 0 days,
    a_client_certificate_that_nobody_renews: "e3-client-certificate-expires-soon" after 0 days,
    a_client_certificate_that_is_renewed_in_time: "e3-near-miss-renewed-in-time" after 0 days,
    what_may_not_be_read_is_not_known: "k1-secrets-denied" after 0 days,
    without_tls_there_is_nothing: "g10-client-certificate-without-policy" after 0 days,
}

#[test]
fn what_a_backend_took_today_proves_nothing_of_another_day() {
    let scenario = Scenario::load("b0-all-well");
    let trust = |days: i64| {
        let at = scenario.now + SignedDuration::from_secs(days * DAY);
        let paths = timeline(&scenario, at).paths;
        paths[0]
            .directions
            .iter()
            .map(|(_, trust, _)| trust.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(trust(0), [Trust::Verified, Trust::Verified]);
    let later = trust(1);
    assert!(matches!(later[0], Trust::Unknown(_)), "{later:?}");
    assert_eq!(later[1], Trust::Verified);
    let expired = trust(400);
    assert!(
        expired
            .iter()
            .all(|trust| !matches!(trust, Trust::Verified)),
        "{expired:?}"
    );
}

#[test]
fn the_json_keeps_its_fields() {
    let scenario = Scenario::load("e3-near-miss-renewed-in-time");
    let json =
        serde_json::to_string(&chain::JsonReport::of(&timeline(&scenario, scenario.now))).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], "ngf-tui/chain/v1");
    let first = &json["certificates"][0];
    assert_eq!(first["subject"], "CN=gateway");
    assert_eq!(first["valid"], true);
    assert_eq!(first["expires_in_s"], 10 * DAY);
    assert_eq!(first["not_after"], "2026-06-11T12:00:00Z");
    let used = &first["uses"][0];
    assert_eq!(used["part"], "client");
    assert_eq!(used["of"], "Gateway default/gateway");
    assert_eq!(used["object"]["kind"], "Secret");
    assert_eq!(used["key"], "tls.crt");
    assert_eq!(used["renewal"]["by"]["name"], "gateway-client-cert");
    assert_eq!(used["renewal"]["at"], "2026-06-03T12:00:00Z");
    assert_eq!(used["renewal"]["late"], false);
    assert_eq!(first["breaks"].as_array().unwrap().len(), 1);
    assert_eq!(json["paths"][0]["directions"][1]["trust"], "unknown");
    assert_eq!(json["unknown"].as_array().unwrap().len(), 0);
}

#[test]
fn an_expiry_that_another_path_outlives_breaks_nothing() {
    let scenario = Scenario::load("e3-near-miss-bundle-with-renewed-ca");
    let timeline = timeline(&scenario, scenario.now);
    let first = &timeline.entries[0];
    assert_eq!(first.facts.not_after, scenario.now.as_second() + 10 * DAY);
    assert_eq!(first.facts.subject, "CN=LocalCA");
    assert_eq!(first.breaks, Vec::<String>::new());
    let after = self::timeline(
        &scenario,
        scenario.now + SignedDuration::from_secs(11 * DAY),
    );
    for (heading, _, conclusion) in &after.paths[0].directions {
        assert!(
            conclusion.starts_with("holds if"),
            "{heading}: {conclusion}"
        );
    }
    // The leaf has no way around.
    let leaf = timeline
        .entries
        .iter()
        .find(|entry| entry.facts.subject == "CN=secure-app.example.com");
    assert_eq!(leaf.unwrap().breaks.len(), 1);
}
