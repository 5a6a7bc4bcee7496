//! What a person types: filters with regular expressions, commands with their history and completion, and a search in
//! the help screen.

use crate::screen::screen_of;

use crate::support::scenario::{BROKEN, Scenario};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ngf_tui::tui::{
    headless::Headless,
    state::{
        Overlay,
        event::{Effect, Event},
        ids::ListId,
        place::Place,
    },
    update::update,
};
use ngf_ui::golden;

fn text(screen: &mut Headless) -> String {
    golden::screen(&screen.draw(120, 40))
}

/// Types letters; a blank is a key of its own.
async fn typed(screen: &mut Headless, line: &str) {
    for letter in line.chars() {
        let key = letter.to_string();
        screen
            .press(&[if letter == ' ' { "space" } else { &key }])
            .await;
    }
}

/// Enters a line after `:` or `/`.
async fn enter(screen: &mut Headless, sign: &str, line: &str) {
    screen.press(&[sign]).await;
    typed(screen, line).await;
    screen.press(&["enter"]).await;
}

/// The first column of the rows of a list.
fn rows(screen: &Headless, list: ListId, column: usize) -> Vec<String> {
    let pane = &screen.app.lists[&list];
    let shown = pane.shown.iter().map(|row| &pane.rows[*row]);
    shown.map(|row| row.cells[column].text.clone()).collect()
}

#[tokio::test]
async fn a_list_is_filtered_by_a_regular_expression() {
    let mut screen = screen_of(Scenario::together(BROKEN)).await;
    enter(&mut screen, ":", "certificates").await;
    let all = rows(&screen, ListId::Certificates, 1);
    screen.press(&["/"]).await;
    typed(&mut screen, "^cn=(gate|local").await;
    let shown = text(&mut screen);
    assert!(
        shown.contains("invalid regular expression: unclosed group"),
        "{shown}"
    );
    assert!(
        !rows(&screen, ListId::Certificates, 1).is_empty(),
        "rows stay while it is typed"
    );
    typed(&mut screen, ")").await;
    assert!(text(&mut screen).contains("regular expression"));
    screen.press(&["enter"]).await;
    let found = rows(&screen, ListId::Certificates, 1);
    assert!(!found.is_empty() && found.len() < all.len(), "{found:?}");
    assert!(
        found
            .iter()
            .all(|subject| subject.starts_with("CN=gate") || subject.starts_with("CN=Local")),
        "{found:?}"
    );
    assert!(text(&mut screen).contains("/^cn=(gate|local)  regular expression"));
    screen.press(&["esc"]).await;
    // The inverse leaves the others.
    enter(&mut screen, "/", "!^cn=(gate|local)").await;
    let others = rows(&screen, ListId::Certificates, 1);
    assert_eq!(others.len() + found.len(), all.len());
}

#[tokio::test]
async fn every_place_that_is_filtered_takes_regular_expressions_and_names_with_dots() {
    let mut screen = screen_of(Scenario::together(BROKEN)).await;
    let all = screen.app.home.problems.len();
    enter(&mut screen, "/", "NGF-(P7|T1)\\b").await;
    let found = screen.app.home.problems.len();
    assert!(found > 0 && found < all, "{found} of {all}");
    screen.press(&["esc"]).await;
    enter(&mut screen, "/", "!NGF-(P7|T1)\\b").await;
    assert_eq!(screen.app.home.problems.len() + found, all);
    screen.press(&["esc"]).await;
    // Of a group of problems each object is found, also those that are not told one by one.
    let object = |problem: &ngf_core::diagnosis::problems::Problem| {
        let last = *problem.findings.last()?;
        Some(screen.app.diagnosis.findings[last].subject.to_string())
    };
    let problems = screen.app.home.problems.iter();
    let objects: Vec<String> = problems.filter_map(object).collect();
    for object in objects {
        enter(&mut screen, "/", &object).await;
        assert!(!screen.app.home.problems.is_empty(), "{object}");
        screen.press(&["esc"]).await;
    }
    screen.press(&["T"]).await;
    enter(&mut screen, "/", "/backend-.ls$").await;
    assert!(
        text(&mut screen).contains("backend-tls"),
        "the dot is one letter once the word is an expression"
    );
    screen.press(&["esc"]).await;
    enter(&mut screen, "/", "/backend-.ls").await;
    assert!(
        text(&mut screen).contains("Nothing matches the filter."),
        "a dot alone is a dot"
    );
    screen.press(&["esc"]).await;
    // Addresses are no expressions.
    enter(&mut screen, ":", "endpoints").await;
    let address = rows(&screen, ListId::Endpoints, 0)
        .first()
        .cloned()
        .expect("an endpoint");
    enter(&mut screen, "/", &address).await;
    assert_eq!(rows(&screen, ListId::Endpoints, 0)[0], address);
    assert!(!text(&mut screen).contains("regular expression"));
}

#[tokio::test]
async fn yaml_is_searched_by_a_regular_expression() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    enter(&mut screen, ":", "policies").await;
    screen.press(&["6"]).await;
    enter(&mut screen, "/", "^ *(hostname|name): ").await;
    let shown = text(&mut screen);
    assert!(shown.contains("▸") && shown.contains(" found"), "{shown}");
    let selected = |shown: &str| {
        let line = shown.lines().skip(2).find(|line| line.contains('▸'));
        line.unwrap_or_default().to_owned()
    };
    let first = selected(&shown);
    assert!(first.contains("name: "), "{first}");
    screen.press(&["n"]).await;
    assert_ne!(selected(&text(&mut screen)), first, "n goes to the next");
    enter(&mut screen, "/", "(").await;
}

#[tokio::test]
async fn the_palette_completes_and_recalls_as_a_shell_does() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.press(&[":"]).await;
    typed(&mut screen, "cert").await;
    screen.press(&["tab"]).await;
    assert!(text(&mut screen).contains(": certificates "));
    screen.press(&["enter"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Certificates));
    enter(&mut screen, ":", "gw").await;
    enter(&mut screen, ":", "nothing-of-this-name").await;
    screen.press(&[":", "up", "up"]).await;
    assert!(text(&mut screen).contains(": gw"));
    screen.press(&["up", "down", "enter"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Gateways));
    // Namespaces that were seen.
    screen.press(&[":"]).await;
    typed(&mut screen, "ns def").await;
    screen.press(&["tab"]).await;
    let shown = text(&mut screen);
    assert!(
        shown.contains(": ns default") && shown.contains("enter reads namespace default"),
        "{shown}"
    );
    // What was typed comes back after what was recalled.
    screen.press(&["esc", ":"]).await;
    typed(&mut screen, "rou").await;
    screen.press(&["up", "down"]).await;
    assert!(text(&mut screen).contains(": rou"));
    // Filters are recalled, too.
    screen.press(&["esc"]).await;
    enter(&mut screen, "/", "gateway").await;
    screen.press(&["esc", "/", "up"]).await;
    assert!(text(&mut screen).contains("/ gateway"));
}

#[tokio::test]
async fn what_leaves_vi_and_k9s_leaves_this_program() {
    for line in ["q", "q!", "qa", "wq", "quit", "exit"] {
        let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
        screen.press(&[":"]).await;
        typed(&mut screen, line).await;
        let now = screen.app.now;
        let effects = update(&mut screen.app, Event::Key(KeyCode::Enter.into()), now);
        assert!(
            effects.iter().any(|effect| matches!(effect, Effect::Quit)),
            "{line}: {effects:?}"
        );
    }
}

#[tokio::test]
async fn the_help_screen_begins_with_the_keys_of_here_and_is_searched() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    for (keys, here, own) in [
        (&["h"][..], "Here: Problems", "unfold or fold"),
        (&["T"][..], "Here: Tree", "fold the branch"),
        (&["h", "enter", "2"][..], "Here: Handshake", "replay it"),
        (&["h", "enter", "6"][..], "Here: YAML", "unfold or fold"),
    ] {
        screen.press(keys).await;
        screen.press(&["?"]).await;
        let shown = text(&mut screen);
        let lines: Vec<&str> = shown.lines().collect();
        let title = lines.iter().position(|line| line.contains(here));
        let key = lines.iter().position(|line| line.contains(own));
        let general = lines.iter().position(|line| line.contains("Move"));
        assert!(title.is_some() && title < key, "{here}:\n{shown}");
        assert!(title <= general, "{here}:\n{shown}");
        screen.press(&["esc"]).await;
    }
    screen.press(&["?", "/"]).await;
    typed(&mut screen, "osc.52").await;
    assert!(
        text(&mut screen).contains("Nothing matches the search."),
        "a dot alone is a dot"
    );
    screen.press(&["esc", "/"]).await;
    typed(&mut screen, "^y$|dry.run").await;
    let shown = text(&mut screen);
    assert!(
        shown.contains("copy the command") && shown.contains("try it as a dry run"),
        "{shown}"
    );
    assert!(!shown.contains("one line up"), "{shown}");
    screen.press(&["enter", "esc"]).await;
    assert!(
        text(&mut screen).contains("one line up"),
        "esc shows all keys again"
    );
    screen.press(&["esc"]).await;
    assert!(screen.app.overlay.is_none());
}

#[tokio::test]
async fn what_is_pasted_in_lines_becomes_words() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    let paste = |text: &str| Event::Paste(text.to_owned());
    screen.happen(paste("qqq\n")).await;
    let said = screen.app.toast.as_ref().expect("a word");
    assert_eq!(said.text, "Nothing is pasted here; press / or : first");
    screen.press(&[":"]).await;
    screen.happen(paste("\r\n  routes  \r\n\r\n")).await;
    screen.press(&["enter"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Routes));
    screen.press(&["/"]).await;
    screen.happen(paste("secure\n\tapp\u{1b}[31m\n")).await;
    let Some(Overlay::Filter(prompt, _)) = &screen.app.overlay else {
        panic!("the input stays open");
    };
    assert!(prompt.text().starts_with("secure app"), "{}", prompt.text());
    assert!(!prompt.text().contains('\u{1b}'));
}

#[tokio::test]
async fn ctrl_p_and_ctrl_n_move_as_the_arrows_do() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.press(&[":"]).await;
    let control = |c| Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
    screen.happen(control('n')).await;
    screen.happen(control('n')).await;
    screen.happen(control('p')).await;
    screen.press(&["enter"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Routes));
}
