//! The mouse and the history of places, without a terminal.

use crate::screen::screen_of;

use crate::support::scenario::{BROKEN, Scenario};
use ngf_tui::tui::{
    headless::Headless,
    state::{
        event::Event,
        ids::{ListId, ViewId},
        place::Place,
    },
};
use ngf_ui::{
    golden,
    input::{Mouse, MouseKind},
};

fn text(screen: &mut Headless) -> String {
    golden::screen(&screen.draw(100, 30))
}

/// Clicks where a text stands on the screen.
async fn click(screen: &mut Headless, words: &str) {
    let shown = text(screen);
    let (row, line) = shown
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains(words))
        .unwrap_or_else(|| panic!("no {words:?} in\n{shown}"));
    let before = &line[..line.find(words).unwrap_or(0)];
    let mouse = Mouse {
        kind: MouseKind::Click,
        column: ngf_ui::text::width(before) as u16,
        row: row as u16,
    };
    screen.happen(Event::Mouse(mouse)).await;
}

async fn wheel(screen: &mut Headless, kind: MouseKind) {
    text(screen);
    let mouse = Mouse {
        kind,
        column: 5,
        row: 5,
    };
    screen.happen(Event::Mouse(mouse)).await;
}

#[tokio::test]
async fn a_click_selects_and_another_one_opens() {
    let mut screen = screen_of(Scenario::together(BROKEN)).await;
    let shown = text(&mut screen);
    // The third problem that is on the screen, by the code that it begins with.
    let line = shown
        .lines()
        .filter(|line| line.contains("NGF-") && line.contains("✗"))
        .nth(2)
        .expect("three problems");
    let words: String = line.trim_start().chars().take(30).collect();
    click(&mut screen, &words).await;
    assert_eq!(*screen.app.place(), Place::Problems);
    let selected = screen.app.home.list.selected;
    assert!(selected > 0);
    click(&mut screen, &words).await;
    assert!(matches!(screen.app.place(), Place::Page(_)));
}

#[tokio::test]
async fn rows_tabs_and_the_breadcrumb_are_clicked() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.press(&[":", "c", "e", "r", "t", "enter"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Certificates));
    click(&mut screen, "CN=gateway").await;
    let pane = &screen.app.lists[&ListId::Certificates];
    let selected = pane.selected().expect("a row");
    assert!(
        selected.cells[1].text.contains("CN=gateway"),
        "{selected:?}"
    );
    click(&mut screen, "CN=gateway").await;
    assert_eq!(screen.app.detail.view, ViewId::Yaml);
    click(&mut screen, "Conditions").await;
    assert_eq!(screen.app.detail.view, ViewId::Conditions);
    click(&mut screen, " Findings").await;
    assert_eq!(screen.app.detail.view, ViewId::Findings);
    click(&mut screen, "Certificates").await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Certificates));
    click(&mut screen, "Problems").await;
    assert_eq!(*screen.app.place(), Place::Problems);
    // Nothing is there.
    let mouse = Mouse {
        kind: MouseKind::Click,
        column: 99,
        row: 28,
    };
    screen.happen(Event::Mouse(mouse)).await;
    assert_eq!(*screen.app.place(), Place::Problems);
}

#[tokio::test]
async fn links_and_arrows_are_clicked() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.press(&["enter", "1"]).await;
    click(&mut screen, "gateway proves itself").await;
    assert_eq!(screen.app.detail.links.selected, 0);
    screen.press(&["2", "end"]).await;
    click(&mut screen, "GET http").await;
    assert_eq!(screen.app.detail.messages.selected, 0);
    click(&mut screen, "GET http").await;
    assert!(
        matches!(screen.app.place(), Place::Step(_)),
        "it was selected: it opens"
    );
}

#[tokio::test]
async fn the_wheel_moves_and_scrolls_what_lies_on_top() {
    let mut screen = screen_of(Scenario::together(BROKEN)).await;
    wheel(&mut screen, MouseKind::WheelDown).await;
    assert_eq!(screen.app.home.list.selected, 3);
    wheel(&mut screen, MouseKind::WheelUp).await;
    assert_eq!(screen.app.home.list.selected, 0);
    screen.press(&["?"]).await;
    let before = text(&mut screen);
    wheel(&mut screen, MouseKind::WheelDown).await;
    assert_ne!(text(&mut screen), before);
    assert_eq!(screen.app.home.list.selected, 0);
}

/// `[` and `]` as in k9s, `-` to the last place and back again.
#[tokio::test]
async fn the_history_leads_back_and_forward() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.press(&["enter", "enter"]).await;
    let deep = screen.app.place().clone();
    let view = screen.app.detail.view;
    screen
        .press(&[":", "r", "o", "u", "t", "e", "s", "enter"])
        .await;
    screen.press(&[":", "e", "p", "enter"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Endpoints));
    screen.press(&["["]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Routes));
    screen.press(&["["]).await;
    assert_eq!((screen.app.place(), screen.app.detail.view), (&deep, view));
    screen.press(&["]", "]"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Endpoints));
    screen.press(&["]"]).await;
    assert!(
        screen
            .app
            .toast
            .as_ref()
            .is_some_and(|toast| toast.text.contains("no place"))
    );
    screen.press(&["-"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Routes));
    screen.press(&["-"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Endpoints));
    // Esc is no step of the history: what it left is one step back.
    screen.press(&["esc", "["]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Endpoints));
}
