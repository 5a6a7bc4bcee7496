//! Events, changes, nginx's configuration, contexts and namespaces: the lists and tabs, and what they switch to.

mod fake;

use std::sync::Arc;

use crate::support::scenario::Scenario;
use ngf_core::model::{
    object::Object,
    snapshot::{Scope, Source},
};
use ngf_tui::tui::{
    headless::Headless,
    state::{
        App,
        event::Event,
        ids::{ListId, ViewId},
        list::Target,
        place::Place,
    },
};
use ngf_ui::{Background, ColorSupport, GlyphSet, Theme, golden};

use fake::{Fake, events};

async fn screen_of(scenario: Scenario, theme: Theme) -> Headless {
    let snapshot = Arc::new(scenario.snapshot);
    let mut app = App::new(theme, Arc::clone(&snapshot), None, scenario.now)
        .expect("the key map has no conflicts");
    app.evidence = scenario.evidence;
    let world = Fake {
        snapshot: Some(Arc::clone(&snapshot)),
        ..Fake::default()
    };
    let mut screen = Headless::new(app, Arc::new(world)).at(scenario.now);
    screen.snapshot(snapshot).await;
    screen
}

fn text(screen: &mut Headless, width: u16, height: u16) -> String {
    golden::screen(&screen.draw(width, height))
}

/// Types a line and enter, as after `:`.
async fn command(screen: &mut Headless, line: &str) {
    screen.press(&[":"]).await;
    for letter in line.chars() {
        let key = letter.to_string();
        let key = if letter == ' ' { "space" } else { &key };
        screen.press(&[key]).await;
    }
    screen.press(&["enter"]).await;
}

macro_rules! keep {
    ($name:expr, $screen:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("../golden");
        settings.bind(|| insta::assert_snapshot!($name, without_fingerprints(&$screen)));
    }};
}

/// Each run makes new certificates for the scenarios, so that `ff` replaces each byte of a fingerprint that a screen cuts.
fn without_fingerprints(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for token in text.split_inclusive(char::is_whitespace) {
        let is_hex = |at: usize| token.chars().nth(at).is_some_and(|c| c.is_ascii_hexdigit());
        let ends = match token.chars().nth(2) {
            Some(':') => true,
            Some('…') => out.ends_with("SHA-256 "),
            _ => false,
        };
        if !(token.contains('…') && is_hex(0) && is_hex(1) && ends) {
            out.push_str(token);
            continue;
        }
        let end = token
            .find(|c: char| !(c.is_ascii_hexdigit() || ":…".contains(c)))
            .unwrap_or(token.len());
        let (bytes, rest) = token.split_at(end);
        out.extend(
            bytes
                .chars()
                .map(|c| if c.is_ascii_hexdigit() { 'f' } else { c }),
        );
        out.push_str(rest);
    }
    out
}

/// At 80x24 with the sixteen colours of the terminal and their styles, at larger sizes as text.
macro_rules! keep_at_every_size {
    ($screen:expr, $name:expr) => {{
        $screen.app.theme = Theme::new(ColorSupport::Ansi16, Background::Dark, GlyphSet::Unicode);
        keep!(
            format!("{}-80x24", $name),
            golden::styled(&$screen.draw(80, 24))
        );
        $screen.app.theme = Theme::plain();
        for (width, height) in [(120, 40), (160, 45)] {
            keep!(
                format!("{}-{width}x{height}", $name),
                text(&mut $screen, width, height)
            );
        }
    }};
}

#[tokio::test]
async fn the_lists_of_what_happened_at_every_size() {
    let mut scenario = Scenario::load("t1-wrong-ca");
    scenario.snapshot.events = events();
    let mut screen = screen_of(scenario, Theme::plain()).await;
    for (id, name) in [
        (ListId::Events, "events"),
        (ListId::Changes, "changes"),
        (ListId::Nginx, "nginx"),
        (ListId::Namespaces, "namespaces"),
        (ListId::Contexts, "contexts"),
    ] {
        command(&mut screen, name).await;
        assert_eq!(*screen.app.place(), Place::List(id));
        screen.app.toast = None;
        keep_at_every_size!(screen, format!("list-{name}"));
    }
}

/// "What changed at 11:52": the minute is the filter, and the newest comes first.
#[tokio::test]
async fn changes_of_one_minute_are_found_by_the_clock() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca"), Theme::plain()).await;
    command(&mut screen, "changes").await;
    let all = screen.app.lists[&ListId::Changes].rows.clone();
    assert!(all.len() > 3, "{all:?}");
    let numbers: Vec<i64> = all.iter().filter_map(|row| row.cells[0].number).collect();
    assert_eq!(numbers.len(), all.len());
    assert!(numbers.is_sorted(), "the newest first: {numbers:?}");
    let when = all[0].cells[0].text.clone();
    command(&mut screen, &format!("changes {when}")).await;
    let shown = &screen.app.lists[&ListId::Changes].shown;
    assert!(!shown.is_empty() && shown.len() < all.len(), "{shown:?}");
    // Enter leads to the object.
    screen.press(&["enter"]).await;
    assert!(matches!(screen.app.place(), Place::Page(_)));
}

/// What changes while the program runs is in the list, with what changed.
#[tokio::test]
async fn a_change_that_is_seen_says_what_changed() {
    let scenario = Scenario::load("t1-wrong-ca");
    let mut changed = scenario.snapshot.clone();
    let (name, policy) = changed.policies.iter().next().expect("a policy");
    let (name, mut policy) = (name.clone(), Object::clone(policy));
    policy.meta.generation += 1;
    changed.policies.insert(name.clone(), Arc::new(policy));
    changed.routes.clear();
    let mut screen = screen_of(scenario, Theme::plain()).await;
    screen.happen(Event::Snapshot(Arc::new(changed))).await;
    command(&mut screen, "changes").await;
    let rows = &screen.app.lists[&ListId::Changes].rows;
    let told = |object: &str, what: &str| {
        rows.iter()
            .any(|row| row.cells[1].text == object && row.cells[2].text.contains(what))
    };
    assert!(
        told(&name.to_string(), "specification changed, generation"),
        "{rows:?}"
    );
    assert!(told("HTTPRoute default/secure-app", "deleted"), "{rows:?}");
}

/// The configuration is read when somebody goes to it, once; what differs from the objects is marked.
#[tokio::test]
async fn nginx_is_asked_once_and_what_differs_is_marked() {
    let mut scenario = Scenario::load("t1-wrong-ca");
    scenario.snapshot.source = Source::Cluster {
        context: "prod-eu".to_owned(),
        server: "https://prod-eu.example.com".to_owned(),
        version: None,
    };
    let mut screen = screen_of(scenario, Theme::plain()).await;
    command(&mut screen, "routes").await;
    screen.press(&["7"]).await;
    assert_eq!(screen.app.detail.view, ViewId::Nginx);
    let shown = text(&mut screen, 120, 40);
    assert!(shown.contains("✗ proxy_ssl_name"), "{shown}");
    assert!(shown.contains("old.example.com"), "{shown}");
    assert!(shown.contains("✓ proxy_ssl_verify on"), "{shown}");
    keep_at_every_size!(screen, "tab-nginx");
    let asked = screen.app.configured.len();
    assert_eq!(asked, 1);
    command(&mut screen, "nginx").await;
    let pane = &screen.app.lists[&ListId::Nginx];
    let first = &pane.rows[pane.shown[0]];
    assert_eq!(first.mark, ngf_ui::Mark::Failed, "trouble first");
    let name = pane
        .rows
        .iter()
        .find(|row| row.cells[1].text == "proxy_ssl_name")
        .expect("the line");
    assert_eq!(name.cells[3].text, "old.example.com");
    assert_eq!(name.mark, ngf_ui::Mark::Failed);
}

/// Where nothing was read the line is unknown, and never as it should be.
#[tokio::test]
async fn what_was_not_read_is_unknown() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca"), Theme::plain()).await;
    command(&mut screen, "nginx").await;
    let rows = &screen.app.lists[&ListId::Nginx].rows;
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(row.mark, ngf_ui::Mark::Unknown, "{row:?}");
    }
}

#[tokio::test]
async fn contexts_and_namespaces_are_switched_without_a_restart() {
    let mut scenario = Scenario::load("t1-wrong-ca");
    scenario.snapshot.source = Source::Cluster {
        context: "prod-eu".to_owned(),
        server: "https://prod-eu.example.com".to_owned(),
        version: None,
    };
    let mut screen = screen_of(scenario, Theme::plain()).await;
    let problems = screen.app.home.problems.len();
    assert!(problems > 0);
    // By its row.
    command(&mut screen, "ctx").await;
    let shown = text(&mut screen, 120, 30);
    assert!(
        shown.contains("prod-eu") && shown.contains("connected"),
        "{shown}"
    );
    screen.press(&["down", "enter"]).await;
    let shown = text(&mut screen, 120, 30);
    assert!(shown.contains("staging"), "{shown}");
    assert!(shown.contains("connected: context staging"), "{shown}");
    assert_eq!(*screen.app.place(), Place::Problems);
    // Nothing that was known of the other cluster is left, and all of this one is diagnosed.
    assert!(screen.app.evidence.probes().next().is_none());
    assert!(screen.app.diagnosed_at.is_some());
    // By its name.
    command(&mut screen, "ns default").await;
    assert_eq!(
        screen.app.snapshot.scope,
        Scope::Namespace("default".to_owned())
    );
    command(&mut screen, "ns default").await;
    let said = screen.app.toast.as_ref().expect("a word");
    assert_eq!(said.text, "This is namespace default");
    command(&mut screen, "ns").await;
    let rows = &screen.app.lists[&ListId::Namespaces].rows;
    assert_eq!(rows[0].target, Target::Namespace(None));
    screen.press(&["home", "enter"]).await;
    assert_eq!(screen.app.snapshot.scope, Scope::AllNamespaces);
}

#[tokio::test]
async fn a_switch_that_fails_says_why_and_changes_nothing() {
    let scenario = Scenario::load("t1-wrong-ca");
    let snapshot = Arc::new(scenario.snapshot);
    let app = App::new(Theme::plain(), Arc::clone(&snapshot), None, scenario.now).expect("keys");
    let mut screen = Headless::new(app, Arc::new(Fake::default())).at(scenario.now);
    screen.snapshot(snapshot).await;
    let before = screen.app.home.problems.len();
    command(&mut screen, "ns gone").await;
    let said = screen.app.toast.as_ref().expect("a word");
    assert_eq!(
        said.text,
        "cannot switch to namespace gone: namespace \"gone\" not found"
    );
    assert!(screen.app.switching.is_none());
    assert_eq!(screen.app.home.problems.len(), before);
}

/// Describe, logs, YAML and events of a row, in every list.
#[tokio::test]
async fn every_row_has_its_describe_logs_yaml_and_events() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca"), Theme::plain()).await;
    for name in [
        "gateways",
        "routes",
        "policies",
        "certificates",
        "endpoints",
        "conditions",
        "changes",
    ] {
        for (key, view) in [
            ("d", ViewId::Conditions),
            ("l", ViewId::Logs),
            ("6", ViewId::Yaml),
        ] {
            command(&mut screen, name).await;
            screen.press(&[key]).await;
            assert!(matches!(screen.app.place(), Place::Page(_)), "{name} {key}");
            assert_eq!(screen.app.detail.view, view, "{name} {key}");
            let shown = text(&mut screen, 120, 30);
            assert!(
                !shown.contains("stands for no object"),
                "{name} {key}:\n{shown}"
            );
        }
        command(&mut screen, name).await;
        screen.press(&["E"]).await;
        assert_eq!(*screen.app.place(), Place::List(ListId::Events), "{name}");
        assert!(
            !screen.app.lists[&ListId::Events].filter.is_empty(),
            "{name}"
        );
        screen.press(&["esc", "esc"]).await;
    }
}

/// Two probes of the list side by side: the one before of the same connection, or one that was marked.
#[tokio::test]
async fn two_probes_are_compared_line_by_line() {
    let bad = Scenario::load("t1-wrong-ca");
    let good = Scenario::load("b0-all-well");
    let of = |scenario: &Scenario| {
        let probe = scenario.evidence.probes().next();
        probe.expect("a probe").clone()
    };
    let (mut first, second) = (of(&good), of(&bad));
    // The same connection, some minutes before.
    first.plan = Arc::clone(&second.plan);
    first.at = second.at - jiff::SignedDuration::from_mins(5);
    let mut screen = screen_of(Scenario::load("t1-wrong-ca"), Theme::plain()).await;
    screen.app.remember_probe(&first, None, None);
    screen.app.remember_probe(&second, None, None);
    command(&mut screen, "probes").await;
    screen.press(&["home", "="]).await;
    assert_eq!(*screen.app.place(), Place::Diff(1, 2));
    let shown = text(&mut screen, 120, 40);
    assert!(shown.contains("probes 1 and 2"), "{shown}");
    let of_status = shown
        .lines()
        .find(|line| line.contains("clients get"))
        .expect("a line");
    assert!(
        of_status.contains("! clients get")
            && of_status.contains("200")
            && of_status.contains("502"),
        "{of_status}"
    );
    keep_at_every_size!(screen, "probes-diff");
    // The older one stands at the left, whichever is marked.
    screen.press(&["esc", "home", "space", "end", "="]).await;
    screen.app.toast = None;
    let marked = text(&mut screen, 120, 40);
    assert_eq!(
        shown.lines().skip(2).collect::<Vec<_>>(),
        marked.lines().skip(2).collect::<Vec<_>>()
    );
    screen.press(&["esc"]).await;
    assert!(
        text(&mut screen, 120, 40).contains("= "),
        "the mark is shown"
    );
    // The first probe of a connection has none before it.
    screen.app.marked = None;
    screen.press(&["end", "="]).await;
    assert!(matches!(screen.app.place(), Place::List(_)));
}

/// From 160 columns chain and handshake stand side by side, where nothing of either is lost.
#[tokio::test]
async fn chain_and_handshake_stand_side_by_side_on_a_wide_screen() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca"), Theme::plain()).await;
    screen.press(&["enter", "1"]).await;
    for (width, expected) in [(120, false), (159, false), (160, true), (200, true)] {
        let shown = text(&mut screen, width, 45);
        let has_lanes = shown.contains("nginx") && shown.contains("1─");
        assert_eq!(has_lanes, expected, "{width}:\n{shown}");
        assert!(shown.contains("proves itself to"), "{width}:\n{shown}");
    }
    keep!("side-by-side-160x45", text(&mut screen, 160, 45));
    screen.press(&["2"]).await;
    keep!("side-by-side-200x60", text(&mut screen, 200, 60));
    // Too low for the chain: one of them.
    let low = text(&mut screen, 160, 12);
    assert!(!low.contains("proves itself to"), "{low}");
}

/// What a probe has seen so far is drawn while it runs, and nothing of what has not happened yet.
#[tokio::test]
async fn steps_are_drawn_as_they_happen() {
    use ngf_core::diagnosis::plan::{ProbeTarget, plan};
    use ngf_tls::transcript::{Direction, Layer, Step};
    let mut screen = screen_of(Scenario::load("b0-all-well"), Theme::plain()).await;
    command(&mut screen, "routes").await;
    screen.press(&["2"]).await;
    let (_, node) = screen.app.selected().expect("a route");
    let target = ProbeTarget::Node(node.id.clone());
    let plans = plan(&screen.app.snapshot, &target).expect("a plan");
    let key = plans[0].key();
    // A step of a probe that nobody runs is of no interest.
    let step =
        |name: &str, layer, direction, at| Box::new(Step::new(name, layer, direction, at, "seen"));
    let connected = || step("TCP connect", Layer::Tcp, Direction::Sent, 120);
    screen.happen(Event::Step(key.clone(), connected())).await;
    assert!(!text(&mut screen, 100, 30).contains("is running"));
    screen.app.running.insert(key.clone());
    screen.happen(Event::Step(key.clone(), connected())).await;
    let shown = text(&mut screen, 100, 30);
    assert!(shown.contains("2─ TCP connected"), "{shown}");
    assert!(
        shown.contains("the handshake is running: TCP connect…"),
        "{shown}"
    );
    assert!(
        !shown.contains("ClientHello") && !shown.contains("never"),
        "{shown}"
    );
    screen
        .happen(Event::Step(
            key.clone(),
            step("ClientHello", Layer::Tls, Direction::Sent, 300),
        ))
        .await;
    let shown = text(&mut screen, 100, 30);
    assert!(
        shown.contains("3─ ClientHello, SNI secure-app.example.com"),
        "{shown}"
    );
    assert!(!shown.contains("clients get"), "{shown}");
    keep!("handshake-so-far-80x24", text(&mut screen, 80, 24));
    // Once it has ended, the whole handshake is there.
    screen.happen(Event::ProbesEnded(vec![key])).await;
    assert!(text(&mut screen, 100, 30).contains("clients get 200"));
}

/// The selected row in full, where the list loses nothing by it.
#[tokio::test]
async fn a_list_shows_its_selected_row_in_full_where_there_is_room() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca"), Theme::plain()).await;
    command(&mut screen, "routes").await;
    for (width, height, expected) in [
        (80, 24, false),
        (99, 40, false),
        (100, 24, true),
        (200, 60, true),
    ] {
        let shown = text(&mut screen, width, height);
        let is_there = shown.matches("NGF-T1").count() > 0;
        assert_eq!(is_there, expected, "{width}x{height}:\n{shown}");
    }
    keep!("list-routes-120x40", text(&mut screen, 120, 40));
    command(&mut screen, "gw").await;
    keep!("list-gateways-200x60", text(&mut screen, 200, 60));
}
