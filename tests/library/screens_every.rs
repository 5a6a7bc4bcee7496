//! Every view at 80x24, 120x40, 160x45 and 200x60 with its styles, and in ASCII without colours; and a wider terminal never
//! shows less of any of them.

use std::{collections::BTreeSet, sync::Arc};

use crate::support::scenario::Scenario;
use ngf_core::diagnosis::plan::{ProbeTarget, plan};
use ngf_tui::diagram::{self, Story};
use ngf_tui::tui::{
    effects::Files,
    headless::Headless,
    state::{App, action::ACTIONS, action::Action},
    views::{VIEWS, lists::LISTS},
};
use ngf_ui::{Background, ColorSupport, GlyphSet, Theme, golden};
use serde_json::json;

async fn screen_of(name: &str) -> Headless {
    let scenario = Scenario::load(name);
    let snapshot = Arc::new(scenario.snapshot);
    let mut app = App::new(Theme::plain(), Arc::clone(&snapshot), None, scenario.now)
        .expect("the key map has no conflicts");
    app.take_evidence(scenario.evidence);
    let mut screen = Headless::new(app, Arc::new(Files)).at(scenario.now);
    screen.snapshot(snapshot).await;
    screen
}

/// Types a word and enter, as after `:`.
async fn command(screen: &mut Headless, word: &str) {
    screen.press(&[":"]).await;
    for letter in word.chars() {
        screen.press(&[&letter.to_string()]).await;
    }
    screen.press(&["enter"]).await;
    screen.app.toast = None;
}

/// Runs of empty lines as one line that counts them.
fn compact(text: &str) -> String {
    let mut out = String::new();
    let mut blank = 0;
    for line in text.lines().chain(["end"]) {
        if line.is_empty() {
            blank += 1;
            continue;
        }
        match std::mem::take(&mut blank) {
            0 => {}
            1 => out.push('\n'),
            lines => out.extend(["(", lines.to_string().as_str(), " blank lines)\n"]),
        }
        out.push_str(line);
        out.push('\n');
    }
    out.truncate(out.len() - "end\n".len());
    out
}

/// The screen at every size.
fn everywhere(screen: &mut Headless) -> String {
    let mut all = String::new();
    screen.app.theme = Theme::new(ColorSupport::Ansi16, Background::Dark, GlyphSet::Unicode);
    for (width, height) in [(80, 24), (120, 40), (160, 45), (200, 60)] {
        let size = format!("=== {width}x{height}\n");
        all.push_str(&size);
        all.push_str(&compact(&golden::styled(&screen.draw(width, height))));
    }
    screen.app.theme = Theme::new(ColorSupport::None, Background::Dark, GlyphSet::Ascii);
    all.push_str("=== 80x24, ASCII, no colours\n");
    let ascii = golden::screen(&screen.draw(80, 24));
    assert!(ascii.is_ascii(), "{ascii}");
    all.push_str(&compact(&ascii));
    screen.app.theme = Theme::plain();
    all
}

fn keep(name: &str, screen: &mut Headless) {
    let text = everywhere(screen);
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("../golden");
    settings.set_omit_expression(true);
    // Each run makes keys of its own.
    settings.add_filter(r"[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f:…~.]*", "FINGERPRINT");
    settings.add_filter(r"OpenSSL \d+\.\d+\.\d+", "OpenSSL VERSION");
    settings.add_filter(r"SHA-256 [0-9a-f]+", "SHA-256 FINGERPRINT");
    settings.bind(|| insta::assert_snapshot!(format!("every-{name}"), text));
}

/// The names of the tabs, as they are typed after `:`.
fn tabs() -> impl Iterator<Item = &'static str> {
    ACTIONS.iter().filter_map(|info| match info.action {
        Action::View(_) => Some(info.id),
        _ => None,
    })
}

#[tokio::test]
async fn every_view_at_every_size() {
    let mut screen = screen_of("t1-wrong-ca").await;
    keep("problems", &mut screen);
    command(&mut screen, "tree").await;
    keep("tree", &mut screen);
    for list in LISTS {
        command(&mut screen, list.name).await;
        keep(&format!("list-{}", list.name), &mut screen);
    }
    screen.press(&["h", "enter"]).await;
    assert_eq!(tabs().count(), VIEWS.len());
    for name in tabs() {
        command(&mut screen, name).await;
        keep(name, &mut screen);
    }
    screen.press(&["h", "enter", "enter"]).await;
    screen.press(&["enter"]).await;
    keep("step", &mut screen);
    command(&mut screen, "routes").await;
    screen.press(&["?"]).await;
    keep("help", &mut screen);
    screen.press(&["esc", ":", "c"]).await;
    keep("palette", &mut screen);
    screen.press(&["esc", "v"]).await;
    keep("via", &mut screen);
}

/// The words of a screen, but for those that are cut.
fn words(screen: &str) -> BTreeSet<&str> {
    let lines: Vec<&str> = screen.lines().collect();
    // The header, the breadcrumb, messages and the footer are told elsewhere.
    let inner = lines
        .get(2..lines.len().saturating_sub(1))
        .unwrap_or_default();
    let inner = inner.iter().filter(|line| !line.contains(" is small: "));
    let is_space = |c: char| c.is_whitespace() || "█│".contains(c);
    let words = inner.flat_map(|line| line.split(is_space));
    words
        .filter(|word| word.chars().filter(|c| c.is_alphanumeric()).count() > 2)
        .filter(|word| !word.contains('…'))
        .collect()
}

#[tokio::test]
async fn a_wider_terminal_never_shows_less_of_any_view() {
    let mut screen = screen_of("t1-wrong-ca").await;
    let mut names: Vec<&str> = vec!["problems", "tree"];
    names.extend(LISTS.iter().map(|list| list.name));
    for name in names {
        command(&mut screen, name).await;
        let mut before = golden::screen(&screen.draw(60, 30));
        for width in 61..=220 {
            let now = golden::screen(&screen.draw(width, 30));
            // A long name that is wrapped at a hyphen is whole on a wider terminal.
            let is_lost = |word: &&str| !now.contains(word);
            let lost: Vec<&str> = words(&before).into_iter().filter(is_lost).collect();
            assert!(
                lost.is_empty(),
                "{name} at {width} columns: {lost:?}\n{now}"
            );
            before = now;
        }
    }
}

/// The problem that is selected is told in full where there is room, and the list stays whole.
#[tokio::test]
async fn the_selected_problem_is_told_in_full_where_there_is_room() {
    let mut screen = screen_of("t1-wrong-ca").await;
    let evidence = "trusted CA: CN=LocalCA";
    for (width, height, is_told) in [
        (80, 40, false),
        (99, 60, false),
        (120, 45, true),
        (200, 60, true),
    ] {
        let drawn = golden::screen(&screen.draw(width, height));
        assert_eq!(
            drawn.contains(evidence),
            is_told,
            "{width}x{height}\n{drawn}"
        );
        assert!(drawn.contains("get 502"), "{width}x{height}\n{drawn}");
    }
}

/// The first arrow has the scheme of the listener, before anybody has pressed a key.
#[test]
fn the_first_arrow_has_the_scheme_of_the_listener() {
    let scenario = Scenario::load("t1-wrong-ca");
    let mut all = scenario.evidence.probes();
    let probed = all.next().expect("a probe");
    let transcript = probed.result.as_ref().expect("a transcript");
    for (protocol, scheme) in [("HTTP", "GET http://"), ("HTTPS", "GET https://")] {
        let snapshot = Scenario::load_changed("t1-wrong-ca", |objects| {
            for object in objects
                .iter_mut()
                .filter(|object| object["kind"] == "Gateway")
            {
                for listener in object["spec"]["listeners"]
                    .as_array_mut()
                    .expect("listeners")
                {
                    listener["protocol"] = protocol.into();
                    if protocol == "HTTPS" {
                        let reference = json!({"kind": "Secret", "name": "app-tls-secret"});
                        listener["tls"] = json!({"certificateRefs": [reference]});
                    }
                }
            }
        })
        .snapshot;
        let route = snapshot.routes.keys().next().expect("a route");
        let plans = plan(&snapshot, &ProbeTarget::Route(route.clone())).expect("a plan");
        let arrows = diagram::guide(transcript, &Story::from(&plans[0]));
        let first = &arrows[0].short;
        assert!(first.starts_with(scheme), "{protocol}: {first}");
    }
}
