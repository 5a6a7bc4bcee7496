//! Several contexts at once: the problems of all of them are on the home screen, and Enter goes to another one.

use std::sync::Arc;

use crate::support::scenario::Scenario;
use crossterm::event::KeyCode;
use ngf_core::model::snapshot::{Snapshot, Source};
use ngf_tui::tui::{
    effects::Files,
    headless::Headless,
    state::{
        App,
        elsewhere::{Elsewhere, ElsewhereState, Summary, Whole},
        event::{Effect, Event},
        ids::{ListId, ViewId},
        job::{Connected, SwitchTo},
        place::Place,
    },
    update::update,
};
use ngf_ui::{Theme, golden};
use tokio::sync::watch;

pub(crate) fn text(screen: &mut Headless) -> String {
    golden::screen(&screen.draw(100, 50))
}

/// What a scenario comes to, as another context tells it.
fn summary(name: &str) -> ElsewhereState {
    let scenario = Scenario::load(name);
    let diagnosis = scenario.diagnose();
    let (snapshot, evidence, now) = (scenario.snapshot, scenario.evidence, scenario.now);
    let summary = Summary::of(&diagnosis, &snapshot, &evidence, now);
    let whole = Whole::of(
        diagnosis,
        Arc::new(snapshot),
        evidence,
        now,
        &Theme::plain(),
    );
    ElsewhereState::Known(Summary { whole, ..summary })
}

pub(crate) async fn prod() -> Headless {
    let mut scenario = Scenario::load("t1-wrong-ca");
    scenario.snapshot.source = Source::Cluster {
        context: "prod".to_owned(),
        server: "https://prod.example.com".to_owned(),
        version: None,
    };
    let snapshot = Arc::new(scenario.snapshot);
    let mut app = App::new(Theme::plain(), Arc::clone(&snapshot), None, scenario.now)
        .expect("the key map has no conflicts");
    app.evidence = scenario.evidence;
    app.elsewhere = ["prod", "staging", "dead", "healthy"]
        .map(|context| Elsewhere::new(context, Some("shop".to_owned())))
        .into();
    let mut screen = Headless::new(app, Arc::new(Files)).at(scenario.now);
    screen.snapshot(snapshot).await;
    screen
}

async fn news(screen: &mut Headless, context: &str, state: ElsewhereState) {
    let event = Event::Elsewhere(context.to_owned(), Box::new(state));
    screen.happen(event).await;
}

#[tokio::test]
async fn what_is_not_known_of_another_context_is_told_and_hides_nothing() {
    let mut screen = prod().await;
    let drawn = text(&mut screen);
    for line in [
        "in context prod",
        "context staging: reading",
        "context dead: reading",
    ] {
        assert!(drawn.contains(line), "{line}:\n{drawn}");
    }
    news(
        &mut screen,
        "staging",
        summary("g9-client-certificate-expired"),
    )
    .await;
    let why = ElsewhereState::Unreadable("connection refused".to_owned());
    news(&mut screen, "dead", why).await;
    news(&mut screen, "healthy", summary("b0-all-well")).await;
    news(&mut screen, "nobody", ElsewhereState::Reading).await;
    let drawn = text(&mut screen);
    for line in [
        "NGF-T1",
        "in context staging: enter opens it there",
        "? context dead: cannot be read: connection refused",
        "✓ context healthy: no problems found, 1 of 1 path tested",
        "elsewhere ✗ 1 ? 1",
    ] {
        assert!(drawn.contains(line), "{line}:\n{drawn}");
    }
    // What was known stays on the screen while it is read again.
    news(&mut screen, "staging", ElsewhereState::Reading).await;
    assert!(text(&mut screen).contains("in context staging"));
}

#[tokio::test]
async fn enter_on_a_problem_of_another_context_goes_there() {
    let mut screen = prod().await;
    news(
        &mut screen,
        "staging",
        summary("g9-client-certificate-expired"),
    )
    .await;
    screen.press(&["down"]).await;
    // The list grows above it, and the selection stays.
    let why = ElsewhereState::Unreadable("connection refused".to_owned());
    news(&mut screen, "dead", why).await;
    let now = screen.app.now;
    let effects = update(&mut screen.app, Event::Key(KeyCode::Enter.into()), now);
    let switched = effects.iter().find_map(|effect| match effect {
        Effect::Switch(to) => Some(to),
        _ => None,
    });
    let to = switched.expect("it switches");
    assert_eq!(to.context.as_deref(), Some("staging"));
    assert_eq!(
        to.namespace,
        Some(Some("shop".to_owned())),
        "what was watched there"
    );
    // The filter finds a context by its name, and leaves out no context that is not known.
    screen.app.switching = None;
    screen.press(&["/", "s", "t", "a", "g", "enter"]).await;
    let drawn = text(&mut screen);
    assert!(
        drawn.contains("in context staging") && drawn.contains("context dead"),
        "{drawn}"
    );
    assert!(!drawn.contains("in context prod"), "{drawn}");
}

/// Lists of what clusters hold are of all contexts, and say which; Enter on a row of another one connects to it.
#[tokio::test]
async fn lists_are_of_all_contexts() {
    let mut screen = prod().await;
    let healthy = summary("b0-all-well");
    news(&mut screen, "healthy", healthy).await;
    let why = ElsewhereState::Unreadable("connection refused".to_owned());
    news(&mut screen, "dead", why).await;
    for key in ":routes".chars() {
        screen.press(&[&key.to_string()]).await;
    }
    screen.press(&["enter"]).await;
    let rows = |screen: &mut Headless| -> Vec<String> {
        let drawn = text(screen);
        let is_row = |line: &&str| line.contains("  default/gateway  ");
        let rows = drawn.lines().filter(is_row);
        rows.map(str::to_owned).collect()
    };
    let all = rows(&mut screen);
    assert_eq!(all.len(), 2, "{all:?}");
    // Trouble comes first, wherever it is.
    assert!(all[0].contains("✗") && all[0].contains("prod"), "{all:?}");
    assert!(
        all[1].contains("✓") && all[1].contains("healthy"),
        "{all:?}"
    );
    assert!(text(&mut screen).contains("CONTEXT"));
    screen
        .press(&["/", "h", "e", "a", "l", "t", "h", "y", "enter"])
        .await;
    assert_eq!(rows(&mut screen).len(), 1);
    let key = crossterm::event::KeyEvent::from(KeyCode::Enter);
    let now = screen.app.now;
    let effects = update(&mut screen.app, Event::Key(key), now);
    let switches = effects.iter().any(
        |effect| matches!(effect, Effect::Switch(to) if to.context.as_deref() == Some("healthy")),
    );
    assert!(switches, "{effects:?}");
}

/// Presses Enter without carrying out what comes of it; where the program is about to connect to.
fn enter(screen: &mut Headless) -> Option<SwitchTo> {
    let now = screen.app.now;
    let effects = update(&mut screen.app, Event::Key(KeyCode::Enter.into()), now);
    effects.into_iter().find_map(|effect| match effect {
        Effect::Switch(to) => Some(to),
        _ => None,
    })
}

/// Another context is connected, and has the objects of a scenario.
pub(crate) async fn connected(screen: &mut Headless, to: SwitchTo, name: &str) {
    let mut snapshot = Scenario::load(name).snapshot;
    snapshot.source = Source::Cluster {
        context: to.context.clone().unwrap_or_default(),
        server: "https://other.example.com".to_owned(),
        version: None,
    };
    connected_with(screen, to, snapshot).await;
}

/// The same with these objects.
pub(crate) async fn connected_with(screen: &mut Headless, to: SwitchTo, snapshot: Snapshot) {
    let (sender, snapshots) = watch::channel(Arc::new(snapshot));
    drop(sender);
    let connected = Connected {
        session: Arc::new(Files),
        snapshots,
        stop: None,
    };
    screen.happen(Event::Switched(to, Ok(connected))).await;
}

pub(crate) async fn typed(screen: &mut Headless, keys: &str) {
    for key in keys.chars() {
        screen.press(&[&key.to_string()]).await;
    }
    screen.press(&["enter"]).await;
}

/// Enter on a row of another context opens what it is about there; Esc goes back to the list, as it was filtered.
#[tokio::test]
async fn enter_on_a_row_of_another_context_opens_it_there() {
    let mut screen = prod().await;
    news(&mut screen, "healthy", summary("b0-all-well")).await;
    typed(&mut screen, ":routes").await;
    typed(&mut screen, "/healthy").await;
    let to = enter(&mut screen).expect("it connects");
    let drawn = text(&mut screen);
    let line = "connecting to context healthy to open HTTPRoute default/secure-app; esc stays here";
    assert!(drawn.contains(line), "{drawn}");
    connected(&mut screen, to, "b0-all-well").await;
    let drawn = text(&mut screen);
    assert!(
        drawn.contains("Problems › Routes › httproute/secure-app"),
        "{drawn}"
    );
    assert!(drawn.contains("healthy ▸"), "{drawn}");
    assert!(!drawn.contains("esc stays here"), "{drawn}");
    screen.press(&["esc"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Routes));
    let drawn = text(&mut screen);
    assert!(drawn.contains("/healthy"), "{drawn}");
    assert!(screen.app.selected_row().is_some());
    screen.press(&["esc", "esc"]).await;
    assert_eq!(*screen.app.place(), Place::Problems);
}

/// A row that opens on a tab opens there, and what is gone meanwhile is said.
#[tokio::test]
async fn what_is_gone_from_another_context_is_said() {
    let mut screen = prod().await;
    news(&mut screen, "healthy", summary("b0-all-well")).await;
    for (list, other, opens) in [
        (":policies", "b0-all-well", true),
        (":certificates", "b0-all-well", true),
        (":routes", "empty", false),
    ] {
        typed(&mut screen, list).await;
        typed(&mut screen, "/healthy").await;
        let to = enter(&mut screen).expect("it connects");
        if other == "empty" {
            let nothing = ngf_core::manifests::parse("", "default");
            connected_with(&mut screen, to, nothing).await;
        } else {
            connected(&mut screen, to, other).await;
        }
        let is_open = matches!(screen.app.place(), Place::Page(_));
        assert_eq!(is_open, opens, "{list}: {}", text(&mut screen));
        if !opens {
            let said = screen.app.toast.as_ref().expect("a word");
            assert_eq!(
                said.text,
                "HTTPRoute default/secure-app is not in context healthy any more"
            );
        }
        screen = prod().await;
        news(&mut screen, "healthy", summary("b0-all-well")).await;
    }
}

/// Esc while the program connects stays: what is connected afterwards is let go.
#[tokio::test]
async fn esc_stays_in_the_context_where_one_is() {
    let mut screen = prod().await;
    news(&mut screen, "healthy", summary("b0-all-well")).await;
    typed(&mut screen, ":routes").await;
    screen.press(&["end"]).await;
    let to = enter(&mut screen).expect("it connects");
    screen.press(&["esc"]).await;
    let said = screen.app.toast.as_ref().expect("a word");
    assert_eq!(said.text, "not connected to context healthy");
    assert_eq!(*screen.app.place(), Place::List(ListId::Routes));
    connected(&mut screen, to.clone(), "b0-all-well").await;
    assert!(text(&mut screen).contains("prod ▸"));
    screen
        .happen(Event::Switched(to, Err("refused".to_owned())))
        .await;
    assert!(!text(&mut screen).contains("refused"));
}

/// Enter on a problem of another context opens that problem at its broken link.
#[tokio::test]
async fn enter_on_a_problem_of_another_context_opens_it_there() {
    let mut screen = prod().await;
    let other = "g9-client-certificate-expired";
    news(&mut screen, "staging", summary(other)).await;
    screen.press(&["down"]).await;
    let to = enter(&mut screen).expect("it connects");
    assert!(text(&mut screen).contains("to open NGF-G9; esc stays here"));
    connected(&mut screen, to, other).await;
    assert!(matches!(screen.app.place(), Place::Page(_)));
    let drawn = text(&mut screen);
    assert!(drawn.contains("NGF-G9"), "{drawn}");
    assert_ne!(screen.app.detail.view, ViewId::Logs);
    screen.press(&["esc"]).await;
    assert_eq!(*screen.app.place(), Place::Problems);
}
