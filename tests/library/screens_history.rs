//! The history over contexts and namespaces: `[`, `]` and `-` lead back to pages of another one.

use crossterm::event::KeyCode;
use ngf_core::model::snapshot::Scope;
use ngf_tui::tui::{
    headless::Headless,
    state::{
        event::{Effect, Event},
        ids::{ListId, ViewId},
        job::SwitchTo,
        place::Place,
    },
    update::update,
};

use crate::screens_elsewhere::{connected, connected_with, prod, text, typed};

const SCENARIO: &str = "t1-wrong-ca";

/// Presses a key without carrying out what comes of it; where the program is about to connect to.
fn pressed(screen: &mut Headless, key: char) -> Option<SwitchTo> {
    let now = screen.app.now;
    let effects = update(&mut screen.app, Event::Key(KeyCode::Char(key).into()), now);
    effects.into_iter().find_map(|effect| match effect {
        Effect::Switch(to) => Some(to),
        _ => None,
    })
}

/// Goes to a context by its name.
async fn go_to(screen: &mut Headless, context: &str) {
    let to = SwitchTo {
        context: Some(context.to_owned()),
        namespace: None,
    };
    screen.app.switching = Some(to.clone());
    connected(screen, to, SCENARIO).await;
}

/// The context that is on the screen, and the place.
fn here(screen: &mut Headless) -> (String, Place) {
    let drawn = text(screen);
    let context = drawn.split_whitespace().nth(1).unwrap_or_default();
    (context.to_owned(), screen.app.place().clone())
}

/// What was said last.
fn said(screen: &Headless) -> String {
    let toast = screen.app.toast.as_ref();
    toast.map_or_else(String::new, |toast| toast.text.clone())
}

/// On a page of prod, then in the lists of routes and endpoints of staging.
async fn after_two_contexts() -> (Headless, Place) {
    let mut screen = prod().await;
    screen.press(&["enter", "2"]).await;
    let page = screen.app.place().clone();
    go_to(&mut screen, "staging").await;
    typed(&mut screen, ":routes").await;
    typed(&mut screen, ":endpoints").await;
    (screen, page)
}

#[tokio::test]
async fn the_history_leads_to_another_context_and_back() {
    let (mut screen, page) = after_two_contexts().await;
    // Two lists and the home screen of this context, without connecting.
    for expected in [Place::List(ListId::Routes), Place::Problems] {
        assert_eq!(pressed(&mut screen, '['), None);
        assert_eq!(*screen.app.place(), expected);
    }
    let to = pressed(&mut screen, '[').expect("it connects");
    assert_eq!(to.context.as_deref(), Some("prod"));
    let drawn = text(&mut screen);
    let line = "connecting to context prod to open httproute/secure-app; esc stays here";
    assert!(drawn.contains(line), "{drawn}");
    connected(&mut screen, to, SCENARIO).await;
    assert_eq!(here(&mut screen), ("prod".to_owned(), page.clone()));
    assert_eq!(screen.app.detail.view, ViewId::Handshake);
    // Forward again: to the other context, and through its places.
    let to = pressed(&mut screen, ']').expect("it connects");
    assert_eq!(to.context.as_deref(), Some("staging"));
    connected(&mut screen, to, SCENARIO).await;
    assert_eq!(here(&mut screen), ("staging".to_owned(), Place::Problems));
    for list in [ListId::Routes, ListId::Endpoints] {
        assert_eq!(pressed(&mut screen, ']'), None);
        assert_eq!(*screen.app.place(), Place::List(list));
    }
    assert_eq!(pressed(&mut screen, ']'), None);
    assert!(said(&screen).contains("no place"), "{}", said(&screen));
}

#[tokio::test]
async fn the_last_place_may_be_in_another_context() {
    let mut screen = prod().await;
    typed(&mut screen, ":routes").await;
    go_to(&mut screen, "staging").await;
    for (context, place) in [
        ("prod", Place::List(ListId::Routes)),
        ("staging", Place::Problems),
        ("prod", Place::List(ListId::Routes)),
    ] {
        let to = pressed(&mut screen, '-').expect("it connects");
        connected(&mut screen, to, SCENARIO).await;
        assert_eq!(here(&mut screen), (context.to_owned(), place));
    }
}

#[tokio::test]
async fn a_context_that_cannot_be_connected_is_skipped() {
    let mut screen = prod().await;
    typed(&mut screen, ":routes").await;
    for context in ["staging", "dead"] {
        go_to(&mut screen, context).await;
        typed(&mut screen, ":endpoints").await;
    }
    screen.press(&["["]).await;
    let to = pressed(&mut screen, '[').expect("it connects");
    assert_eq!(to.context.as_deref(), Some("staging"));
    // It refuses, so that what comes before it is gone to.
    let now = screen.app.now;
    let refused = Event::Switched(to, Err("connection refused".to_owned()));
    let effects = update(&mut screen.app, refused, now);
    assert_eq!(
        said(&screen),
        "context staging is skipped: connection refused"
    );
    let [Effect::Switch(to)] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(to.context.as_deref(), Some("prod"));
    connected(&mut screen, to.clone(), SCENARIO).await;
    assert_eq!(here(&mut screen).1, Place::List(ListId::Routes));
    // It stands in the history still: forward leads there.
    let to = pressed(&mut screen, ']').expect("it connects");
    assert_eq!(to.context.as_deref(), Some("staging"));
    // Where nothing else is left, the person stays.
    screen.press(&["esc"]).await;
    assert_eq!(said(&screen), "not connected to context staging");
    assert_eq!(
        here(&mut screen),
        ("prod".to_owned(), Place::List(ListId::Routes))
    );
    let mut screen = prod().await;
    go_to(&mut screen, "staging").await;
    let to = pressed(&mut screen, '[').expect("it connects");
    let refused = Event::Switched(to, Err("connection refused".to_owned()));
    screen.happen(refused).await;
    let words =
        "cannot switch to context prod: connection refused; there is no other place to go to";
    assert_eq!(said(&screen), words);
    assert_eq!(here(&mut screen), ("staging".to_owned(), Place::Problems));
    assert!(screen.app.switching.is_none() && screen.app.arrival.is_none());
}

/// A context that the kubeconfig has no more is not tried.
#[tokio::test]
async fn a_context_that_is_gone_is_skipped() {
    let (mut screen, _) = after_two_contexts().await;
    go_to(&mut screen, "healthy").await;
    let known = ["prod", "healthy"].map(|name| ngf_cluster::KubeContext {
        name: name.to_owned(),
        cluster: name.to_owned(),
        server: String::new(),
        namespace: String::new(),
        is_current: false,
    });
    screen.app.contexts = Some(Ok(known.into()));
    let to = pressed(&mut screen, '[').expect("it connects");
    assert_eq!(to.context.as_deref(), Some("prod"));
}

/// Esc while the program connects stays, and the history is as it was.
#[tokio::test]
async fn esc_stays_and_the_history_is_as_it_was() {
    let mut screen = prod().await;
    typed(&mut screen, ":routes").await;
    go_to(&mut screen, "staging").await;
    let to = pressed(&mut screen, '[').expect("it connects");
    screen.press(&["esc"]).await;
    connected(&mut screen, to.clone(), SCENARIO).await;
    assert_eq!(here(&mut screen), ("staging".to_owned(), Place::Problems));
    assert_eq!(pressed(&mut screen, '['), Some(to));
}

/// A page of an object that is gone there is not opened; the step is in the history all the same.
#[tokio::test]
async fn a_page_whose_object_is_gone_is_said() {
    let (mut screen, _) = after_two_contexts().await;
    screen.press(&["[", "["]).await;
    let to = pressed(&mut screen, '[').expect("it connects");
    let nothing = ngf_core::manifests::parse("", "default");
    connected_with(&mut screen, to, nothing).await;
    assert_eq!(
        said(&screen),
        "httproute/secure-app is not in context prod any more"
    );
    assert_eq!(*screen.app.place(), Place::Problems);
}

/// Two probes, the matrix and a step show what was probed there; nothing of that is known any more.
#[tokio::test]
async fn what_shows_probes_of_another_context_is_not_opened() {
    let mut screen = prod().await;
    screen.press(&["enter", "2", "enter"]).await;
    assert!(matches!(screen.app.place(), Place::Step(_)));
    go_to(&mut screen, "staging").await;
    let to = pressed(&mut screen, '[').expect("it connects");
    connected(&mut screen, to, SCENARIO).await;
    assert!(matches!(screen.app.place(), Place::Page(_)));
}

/// Another namespace of the same cluster is part of the history, too.
#[tokio::test]
async fn the_history_leads_to_another_namespace() {
    let mut screen = prod().await;
    typed(&mut screen, ":routes").await;
    let mut snapshot = (*screen.app.snapshot).clone();
    snapshot.scope = Scope::Namespace("shop".to_owned());
    screen
        .app
        .history
        .leave(ngf_tui::tui::state::history::Visit::of(&screen.app));
    screen.snapshot(std::sync::Arc::new(snapshot)).await;
    screen.press(&["esc"]).await;
    screen.press(&["["]).await;
    let to = pressed(&mut screen, '[').expect("it connects");
    assert_eq!(
        to,
        SwitchTo {
            context: None,
            namespace: Some(None)
        }
    );
    let drawn = text(&mut screen);
    assert!(
        drawn.contains("connecting to all namespaces to open the list Routes; esc stays here"),
        "{drawn}"
    );
}
