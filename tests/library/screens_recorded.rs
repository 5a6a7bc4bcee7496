//! What was seen earlier is shown as it was then: a bundle at its moment, a recording at the moments that it plays.

mod around;

use std::sync::Arc;

use crate::support::scenario::Scenario;
use jiff::{SignedDuration, Timestamp};
use ngf_core::{
    bundle::{
        self,
        recording::{Player, Recorder, Recording},
    },
    diagnosis::Evidence,
    model::snapshot::{Snapshot, Source},
};
use ngf_tui::tui::{
    effects::{Files, Recorded},
    headless::Headless,
    state::{
        App,
        clock::{Clock, Replay},
        event::Event,
        place::Place,
    },
};
use ngf_ui::{Theme, golden};

fn text(screen: &mut Headless, width: u16, height: u16) -> String {
    golden::screen(&screen.draw(width, height))
}

/// The interface on what was seen at this moment, while it is another one.
fn on(snapshot: Snapshot, evidence: Evidence, clock: Clock, real: Timestamp) -> App {
    let snapshot = Arc::new(snapshot);
    let mut app = App::new(Theme::plain(), snapshot, None, real).expect("no conflicts");
    app.take_evidence(evidence);
    app.clock = clock;
    app.now = app.clock.now(real);
    app
}

fn long_after(at: Timestamp) -> Timestamp {
    at + SignedDuration::from_hours(24 * 4_000)
}

/// A certificate that was valid when a bundle was written does not look expired ten years later.
#[tokio::test]
async fn a_bundle_is_judged_at_its_own_moment() {
    let scenario = Scenario::load("t1-wrong-ca");
    let file = bundle::write(&scenario.snapshot, &scenario.evidence, scenario.now, "test");
    let opened = bundle::open(&file.expect("JSON")).expect("a bundle");
    assert_eq!(opened.at, scenario.now);
    let later = long_after(opened.at);
    let app = on(
        opened.snapshot,
        opened.evidence,
        Clock::At(opened.at),
        later,
    );
    let snapshot = Arc::clone(&app.snapshot);
    let mut screen = Headless::new(app, Arc::new(Files)).at(later);
    screen.snapshot(snapshot).await;
    let drawn = text(&mut screen, 120, 40);
    let seen = scenario.now.strftime("seen %Y-%m-%d %H:%M UTC").to_string();
    assert!(drawn.contains(&seen), "{drawn}");
    assert!(drawn.contains("NGF-T1"), "{drawn}");
    assert!(!drawn.contains("xpired"), "{drawn}");
    screen.press(&[":", "c", "e", "r", "t", "enter"]).await;
    let drawn = text(&mut screen, 120, 40);
    assert!(
        drawn.contains("app-tls-secret") && !drawn.contains("xpired"),
        "{drawn}"
    );
    // What was measured then is in the list of probes.
    assert_eq!(screen.app.probed.len(), scenario.evidence.probes().count());
    // Nothing is asked of a cluster, and a message goes by the clock on the wall.
    screen.press(&["r"]).await;
    let said = |screen: &Headless| screen.app.toast.as_ref().map(|toast| toast.text.clone());
    assert!(said(&screen).is_some_and(|text| text.contains("nothing is asked of the cluster")));
    let mut screen = screen.at(later + SignedDuration::from_secs(60));
    screen.happen(Event::Tick).await;
    assert_eq!(said(&screen), None);
}

/// A recording of the guide's objects: first nothing was measured, a minute later a probe fails.
async fn played() -> (Headless, Timestamp) {
    let scenario = Scenario::load("t1-wrong-ca");
    let mut recorder = Recorder::default();
    let mut file = String::new();
    let minute = SignedDuration::from_secs(60);
    for (number, evidence) in [(0, Evidence::none()), (1, scenario.evidence.clone())] {
        let at = scenario.now + minute * number;
        let line = recorder.line(&scenario.snapshot, &evidence, at, "test");
        file.push_str(&line.expect("JSON").expect("something new"));
    }
    let mut gone = scenario.snapshot.clone();
    gone.policies.clear();
    let line = recorder.line(&gone, &scenario.evidence, scenario.now + minute * 2, "test");
    file.push_str(&line.expect("JSON").expect("something new"));
    let recording = Arc::new(Recording::open(file).expect("a recording"));
    let mut player = Player::new(Arc::clone(&recording));
    let first = player.go_to(0).expect("a moment");
    let later = long_after(scenario.now);
    let replay = Replay::new(recording.moments().into(), later);
    let clock = Clock::Replay(Box::new(replay));
    let app = on(first.snapshot, first.evidence, clock, later);
    let snapshot = Arc::clone(&app.snapshot);
    let mut screen = Headless::new(app, Arc::new(Recorded::new(player))).at(later);
    screen.snapshot(snapshot).await;
    (screen, later)
}

#[tokio::test]
async fn a_recording_is_played_paused_and_stepped_through() {
    let (screen, later) = played().await;
    let clock = |screen: &Headless| screen.app.now;
    let began = clock(&screen);
    let mut screen = screen;
    assert!(text(&mut screen, 120, 30).contains("1 of 3"));
    assert!(!text(&mut screen, 120, 30).contains("NGF-T1"));
    // It plays by itself, by its own clock.
    let mut screen = screen.at(later + SignedDuration::from_secs(61));
    screen.happen(Event::Tick).await;
    let drawn = text(&mut screen, 120, 30);
    assert!(
        drawn.contains("2 of 3") && drawn.contains("NGF-T1"),
        "{drawn}"
    );
    assert_eq!(clock(&screen), began + SignedDuration::from_secs(61));
    assert_eq!(screen.app.probed.len(), 1);
    // Paused, it stands still; faster, ten seconds are a minute.
    screen.press(&["space"]).await;
    let mut screen = screen.at(later + SignedDuration::from_secs(600));
    screen.happen(Event::Tick).await;
    assert!(text(&mut screen, 120, 30).contains("paused"));
    assert_eq!(clock(&screen), began + SignedDuration::from_secs(61));
    screen.press(&["+", "+", "+", "-", "space"]).await;
    let mut screen = screen.at(later + SignedDuration::from_secs(610));
    screen.happen(Event::Tick).await;
    assert_eq!(clock(&screen), began + SignedDuration::from_secs(111));
    assert!(text(&mut screen, 120, 30).contains(", 5x"));
    // A step pauses. What changed is listed with the recording's time, and forgotten on the way back.
    screen.press(&["}"]).await;
    let drawn = text(&mut screen, 120, 30);
    assert!(drawn.contains("3 of 3"), "{drawn}");
    assert_eq!(screen.app.changes.log().count(), 1);
    let change = screen.app.changes.log().next().expect("a change").clone();
    assert_eq!(
        (change.at, change.what.as_str()),
        (began + SignedDuration::from_secs(120), "deleted")
    );
    screen.press(&["{"]).await;
    assert_eq!(screen.app.changes.log().count(), 0);
    assert!(text(&mut screen, 120, 30).contains("NGF-T1"));
    screen.press(&["{"]).await;
    assert!(!text(&mut screen, 120, 30).contains("NGF-T1"));
    assert_eq!(screen.app.evidence.probes().count(), 0);
    screen.press(&["{"]).await;
    let said = screen.app.toast.as_ref().expect("a message");
    assert!(
        said.text.contains("an end of the recording"),
        "{}",
        said.text
    );
}

/// The keys of a recording work on every place, and what they take from others has another key.
#[tokio::test]
async fn space_pauses_everywhere_and_o_unfolds() {
    let (mut screen, _) = played().await;
    screen.press(&["}", "enter"]).await;
    assert!(matches!(screen.app.place(), Place::Page(_)));
    screen.press(&["1", "o"]).await;
    assert!(screen.app.detail.unfolded);
    screen.press(&["space"]).await;
    assert!(screen.app.detail.unfolded);
    assert!(text(&mut screen, 120, 30).contains("playing"));
    screen.press(&["T", "space"]).await;
    assert!(text(&mut screen, 120, 30).contains("paused"));
}

/// A recording that stands still, and a clock that is slower than the cluster, give several diagnoses one moment.
#[tokio::test]
async fn a_list_follows_what_comes_at_the_same_moment() {
    let scenario = Scenario::load("t1-wrong-ca");
    let app = on(
        scenario.snapshot.clone(),
        Evidence::none(),
        Clock::Live,
        scenario.now,
    );
    let mut screen = Headless::new(app, Arc::new(Files)).at(scenario.now);
    let with_host = |host: &str| {
        let mut snapshot = scenario.snapshot.clone();
        for route in snapshot.routes.values_mut() {
            Arc::make_mut(route).spec.hostnames = vec![host.to_owned()];
        }
        Arc::new(snapshot)
    };
    screen.snapshot(with_host("first.example.com")).await;
    screen
        .press(&[":", "r", "o", "u", "t", "e", "s", "enter"])
        .await;
    assert!(text(&mut screen, 160, 45).contains("first.example.com"));
    screen.snapshot(with_host("second.example.com")).await;
    let drawn = text(&mut screen, 160, 45);
    assert!(
        drawn.contains("second.example.com") && !drawn.contains("first.example.com"),
        "{drawn}"
    );
}

/// What is on the screen is recorded until somebody stops it; the header says so, and no file is overwritten.
#[tokio::test]
async fn the_interface_records_what_it_shows() {
    let mut scenario = Scenario::load("t1-wrong-ca");
    scenario.snapshot.source = Source::Cluster {
        context: "prod".to_owned(),
        server: "https://api.example.com".to_owned(),
        version: None,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let live = Clock::Live;
    let app = on(scenario.snapshot, Evidence::none(), live, scenario.now);
    let snapshot = Arc::clone(&app.snapshot);
    let mut screen = Headless::new(app, Arc::new(Files)).at(scenario.now);
    screen.folder = folder.path().to_owned();
    screen.snapshot(Arc::clone(&snapshot)).await;
    let command = async |screen: &mut Headless, line: &str| {
        for key in line.chars() {
            let key = if key == ' ' {
                "space".to_owned()
            } else {
                key.to_string()
            };
            screen.press(&[&key]).await;
        }
        screen.press(&["enter"]).await;
    };
    let said = |screen: &Headless| screen.app.toast.as_ref().expect("a message").text.clone();
    command(&mut screen, ":record case.jsonl").await;
    assert!(said(&screen).contains("recording to case.jsonl; :stop ends it"));
    assert!(text(&mut screen, 80, 24).contains("live  recording"));
    command(&mut screen, ":record other.jsonl").await;
    assert!(said(&screen).contains("recording to case.jsonl already"));
    screen.app.evidence = scenario.evidence;
    let later = scenario.now + SignedDuration::from_secs(5);
    let mut screen = screen.at(later);
    screen.snapshot(Arc::clone(&snapshot)).await;
    command(&mut screen, ":stop").await;
    let summary = said(&screen);
    assert!(summary.contains("case.jsonl: 2 moments in 5s"), "{summary}");
    assert!(summary.contains("ngf-tui replay"), "{summary}");
    assert!(!text(&mut screen, 80, 24).contains("live  recording"));
    command(&mut screen, ":stop").await;
    assert!(said(&screen).contains("Nothing is being recorded"));
    command(&mut screen, ":record case.jsonl").await;
    assert!(said(&screen).contains("case.jsonl exists and is not overwritten"));
    assert!(screen.app.recording.is_none());
    // R gives it a name of its own, and ends it.
    screen.press(&["R"]).await;
    assert!(said(&screen).contains("recording to ngf-tui-"));
    screen.press(&["R"]).await;
    assert!(
        said(&screen).contains("1 moment in 0s"),
        "{}",
        said(&screen)
    );
    let file = std::fs::read_to_string(folder.path().join("case.jsonl")).expect("a file");
    let last = bundle::open(&file).expect("a recording");
    assert_eq!((last.at, last.evidence.probes().count()), (later, 1));
}
