//! A finding that somebody decided to accept is no problem of the home screen; it is counted there, listed with its
//! reason, and what it is about stays unhealthy.

use std::sync::Arc;

use crate::support::scenario::Scenario;
use jiff::Timestamp;
use ngf_core::diagnosis::{
    Code,
    health::Health,
    suppress::{ANNOTATION, Filter, ignore_file},
};
use ngf_tui::tui::{
    effects::Files,
    headless::Headless,
    state::{App, ids::ListId, place::Place},
};
use ngf_ui::{Theme, golden};

const SCENARIO: &str = "t1-wrong-ca";

/// The interface on objects, with what is accepted.
async fn screen_of(scenario: Scenario, now: Timestamp, filter: Filter) -> Headless {
    let snapshot = Arc::new(scenario.snapshot);
    let mut app = App::new(Theme::plain(), Arc::clone(&snapshot), None, now)
        .expect("the key map has no conflicts");
    app.evidence = scenario.evidence;
    app.settings.filter = filter;
    let mut screen = Headless::new(app, Arc::new(Files)).at(now);
    screen.snapshot(snapshot).await;
    screen
}

/// The words on the screen.
fn words(screen: &mut Headless) -> String {
    let text = golden::screen(&screen.draw(120, 40));
    let text = text.replace(['│', '█', '▸'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How each node of the tree is.
fn health(screen: &Headless) -> Vec<Health> {
    let diagnosis = &screen.app.diagnosis;
    let nodes = diagnosis.topology.iter();
    nodes.map(|(place, _)| diagnosis.health(place)).collect()
}

fn has_t1(screen: &Headless) -> bool {
    let mut findings = screen.app.diagnosis.findings.iter();
    findings.any(|finding| finding.code == Code::T1)
}

#[tokio::test]
async fn an_ignore_file_takes_a_problem_off_the_home_screen_and_counts_it() {
    let text = "ignore:\n- code: NGF-T1\n  object: backendtlspolicy/backend-tls\n  reason: the new CA comes in June\n  \
                expires: 2026-06-30\n- code: NGF-G7\n  reason: of another cluster\n";
    let filter = || Filter {
        suppressions: ignore_file(text, "ignore.yaml").expect("an ignore file"),
        ..Filter::default()
    };
    let scenario = Scenario::load(SCENARIO);
    let now = scenario.now;
    let mut plain = screen_of(scenario, now, Filter::default()).await;
    assert!(has_t1(&plain));
    assert!(
        !words(&mut plain).contains("suppress"),
        "nothing is said without one"
    );

    let mut screen = screen_of(Scenario::load(SCENARIO), now, filter()).await;
    assert!(!has_t1(&screen));
    assert_eq!(
        health(&screen),
        health(&plain),
        "the tree stays as unhealthy"
    );
    let home = words(&mut screen);
    for part in [
        "1 finding suppressed: NGF-T1; enter or :suppressed lists them",
        "1 suppression of findings expired, without a finding or unreadable; :suppressed lists them",
    ] {
        assert!(home.contains(part), "{home}");
    }
    assert!(
        !home.contains("no problems"),
        "what is accepted is not healthy: {home}"
    );

    // The last entry is that of suppressed findings.
    screen.press(&["end", "enter"]).await;
    assert_eq!(screen.app.places.top(), &Place::List(ListId::Suppressed));
    let list = words(&mut screen);
    for part in [
        "NGF-T1",
        "until 2026-06-30",
        "the new CA comes in June",
        "NGF-G7",
        "no finding",
    ] {
        assert!(list.contains(part), "{part}: {list}");
    }
    screen.press(&["esc"]).await;
    assert_eq!(screen.app.places.top(), &Place::Problems);

    // After its last day it is a problem again, and the screen says why.
    let later = "2026-07-01T00:00:00Z".parse().expect("a moment");
    let mut later = screen_of(Scenario::load(SCENARIO), later, filter()).await;
    assert!(has_t1(&later));
    let home = words(&mut later);
    assert!(
        home.contains("2 suppressions of findings expired"),
        "{home}"
    );
}

#[tokio::test]
async fn an_annotation_counts_in_the_interface_too() {
    let annotate = |value: &str| {
        let value = value.to_owned();
        Scenario::load_changed(SCENARIO, move |objects| {
            let mut policies = objects.iter_mut();
            let policy = policies.find(|object| object["kind"] == "BackendTLSPolicy");
            let policy = policy.expect("a policy");
            policy["metadata"]["annotations"] = serde_json::json!({ANNOTATION: value});
        })
    };
    let good = annotate("NGF-T1 until 2099-05-31: the vendor ships the CA in May");
    let now = good.now;
    let mut screen = screen_of(good, now, Filter::default()).await;
    assert!(!has_t1(&screen));
    assert!(words(&mut screen).contains("1 finding suppressed: NGF-T1;"));

    let bad = annotate("NGF-T1");
    let mut screen = screen_of(bad, now, Filter::default()).await;
    assert!(has_t1(&screen), "without a reason nothing is suppressed");
    assert!(
        words(&mut screen)
            .contains("1 suppression of findings expired, without a finding or unreadable")
    );
}
