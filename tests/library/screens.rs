//! What the screen shows of files, driven by keys without a terminal.

use std::{path::PathBuf, sync::Arc};

use crate::support::scenario::{BROKEN, Scenario};
use jiff::Timestamp;
use ngf_core::model::{kind::Kind, snapshot::Lookup};
use ngf_tui::{
    files,
    tui::{
        effects::Files,
        headless::Headless,
        state::{App, event::Event},
    },
};
use ngf_ui::{Theme, golden};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// The interface on the guide's objects, with everything diagnosed.
async fn on_the_guide() -> Headless {
    let snapshot = Arc::new(files::read(&[fixture("guide")], "default"));
    assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
    let app = App::new(
        Theme::plain(),
        Arc::clone(&snapshot),
        None,
        Timestamp::now(),
    )
    .expect("the key map has no conflicts");
    let mut screen = Headless::new(app, Arc::new(Files));
    screen.snapshot(snapshot).await;
    screen
}

fn text(screen: &mut Headless, width: u16, height: u16) -> String {
    golden::screen(&screen.draw(width, height))
}

/// The header never says "all namespaces" where one was read, and names what the user's rights hide.
#[tokio::test]
async fn the_header_says_what_is_hidden() {
    let mut snapshot = Scenario::together(&["k1-secrets-denied"]).snapshot;
    let namespaced: Vec<Kind> = snapshot
        .kinds
        .keys()
        .copied()
        .filter(|kind| kind.info().namespaced)
        .collect();
    for kind in namespaced {
        snapshot.narrowed.insert(kind, "default".to_owned());
    }
    for (secret, lookup) in &mut snapshot.secrets {
        *lookup = Lookup::Unknown("forbidden".to_owned());
        snapshot.denied.insert(secret.clone());
    }
    let snapshot = Arc::new(snapshot);
    let app = App::new(
        Theme::plain(),
        Arc::clone(&snapshot),
        None,
        Timestamp::now(),
    )
    .expect("the key map has no conflicts");
    let mut screen = Headless::new(app, Arc::new(Files));
    screen.snapshot(snapshot).await;
    let drawn = text(&mut screen, 120, 24);
    assert!(drawn.contains("namespace default only"), "{drawn}");
    assert!(!drawn.contains("all namespaces "), "{drawn}");
    assert!(drawn.contains("Secrets hidden"), "{drawn}");
}

macro_rules! keep {
    ($name:expr, $screen:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("../golden");
        settings.bind(|| insta::assert_snapshot!($name, $screen));
    }};
}

#[tokio::test]
async fn every_tab_at_two_sizes() {
    let mut screen = on_the_guide().await;
    keep!("files-problems-80x24", text(&mut screen, 80, 24));
    // The route that nobody can test.
    screen.press(&["end", "enter"]).await;
    for (key, tab) in [
        ("1", "chain"),
        ("2", "handshake"),
        ("3", "findings"),
        ("5", "conditions"),
        ("6", "yaml"),
    ] {
        screen.press(&[key]).await;
        keep!(format!("files-{tab}-80x24"), text(&mut screen, 80, 24));
        keep!(format!("files-{tab}-160x45"), text(&mut screen, 160, 45));
    }
}

/// A wall of problems: each is told in whole sentences, and Enter opens any of them.
#[tokio::test]
async fn thirty_problems_at_80x24() {
    let scenario = Scenario::together(BROKEN);
    let snapshot = Arc::new(scenario.snapshot);
    let app = App::new(Theme::plain(), Arc::clone(&snapshot), None, scenario.now)
        .expect("the key map has no conflicts");
    let mut screen = Headless::new(app, Arc::new(Files)).at(scenario.now);
    screen.snapshot(snapshot).await;
    keep!("wall-80x24", text(&mut screen, 80, 24));
    screen
        .press(&["down", "down", "down", "down", "down", "down", "enter"])
        .await;
    keep!("wall-page-80x24", text(&mut screen, 80, 24));
}

#[tokio::test]
async fn the_filter_leaves_what_matches_and_what_is_above_it() {
    let mut screen = on_the_guide().await;
    screen
        .press(&["T", "/", "b", "a", "c", "k", "e", "n", "d", "-"])
        .await;
    let filtered = text(&mut screen, 120, 24);
    assert!(filtered.contains("backend-tls"), "{filtered}");
    assert!(
        filtered.contains("gateway"),
        "what is above stays:\n{filtered}"
    );
    screen.press(&["enter"]).await;
    assert!(
        text(&mut screen, 120, 24).contains(" /backend-\n"),
        "the filter is said"
    );
    screen.press(&["/", "z", "z", "z"]).await;
    assert!(text(&mut screen, 120, 24).contains("Nothing matches the filter."));
    screen.press(&["esc"]).await;
    assert!(
        text(&mut screen, 120, 24).contains(" /backend-\n"),
        "escape takes back what was typed"
    );
    screen.press(&["esc"]).await;
    assert!(
        !text(&mut screen, 120, 24).contains(" /backend-\n"),
        "escape clears the filter"
    );
}

#[tokio::test]
async fn the_palette_runs_a_command_by_its_name() {
    let mut screen = on_the_guide().await;
    screen.press(&[":", "y", "a", "m", "l", "enter"]).await;
    assert!(text(&mut screen, 120, 24).contains("[YAML]"));
}

#[tokio::test]
async fn a_probe_of_files_says_why_there_is_none() {
    let mut screen = on_the_guide().await;
    screen.press(&["r"]).await;
    let shown = text(&mut screen, 120, 24);
    assert!(
        shown.contains("endpoint") || shown.contains("files"),
        "{shown}"
    );
}

/// Whatever is pressed at whatever size, nothing panics and nothing is drawn outside.
#[tokio::test]
async fn any_keys_at_any_size() {
    let keys = [
        "down", "enter", "down", "2", "enter", "esc", "z", "]", "tab", "tab", "up", "?", "down",
        "esc", ":", "q", "esc", "T", "/", "a", "enter", "c", "left", "right", "space", "enter",
        "space", "3", "4", "5", "6", ".", "t", "=", "h", "space", "M", "P", "n", "N", "p", "home",
        "end", "esc", "esc", "esc",
    ];
    let mut screen = on_the_guide().await;
    for key in keys {
        screen.press(&[key]).await;
        for (width, height) in [
            (0, 0),
            (1, 1),
            (2, 3),
            (7, 4),
            (20, 6),
            (39, 11),
            (80, 24),
            (109, 30),
            (110, 30),
            (300, 90),
        ] {
            screen.draw(width, height);
        }
    }
}

/// A snapshot in which what was selected is gone leaves the selection near it.
#[tokio::test]
async fn the_selection_survives_a_change_of_the_cluster() {
    let mut screen = on_the_guide().await;
    screen.press(&["T", "down", "down"]).await;
    let before = screen
        .app
        .selected()
        .map(|(_, node)| node.id.clone())
        .expect("a selection");
    let empty = Arc::new(files::read(&[], "default"));
    screen.happen(Event::Snapshot(empty)).await;
    assert!(screen.app.selected().is_none());
    let again = Arc::new(files::read(&[fixture("guide")], "default"));
    screen.happen(Event::Snapshot(again)).await;
    assert!(screen.app.selected().is_some());
    assert!(screen.app.diagnosis.topology.find(&before).is_some());
}
