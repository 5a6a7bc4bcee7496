//! The home screen, the stack of places and the pages, driven by keys without a terminal.

use crate::screen::screen_of;
use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use crate::support::scenario::{BROKEN, Scenario};
use jiff::Timestamp;
use ngf_cluster::prober::survey::{self, Extent};
use ngf_core::{
    diagnosis::{Code, Evidence},
    model::{
        kind::Kind,
        object::ObjectRef,
        snapshot::{Lookup, Snapshot, Source},
    },
};
use ngf_tui::{
    files,
    tui::{
        effects::Files,
        headless::Headless,
        state::{App, Hit, event::Event, ids::ViewId, place::Place},
    },
};
use ngf_ui::{Background, ColorSupport, GlyphSet, Mark, Theme, golden};

/// The interface on manifests.
async fn screen_of_files(text: &str) -> Headless {
    let snapshot = Arc::new(snapshot_of(text));
    let app = App::new(Theme::plain(), Arc::clone(&snapshot), None, moment())
        .expect("the key map has no conflicts");
    let mut screen = Headless::new(app, Arc::new(Files)).at(moment());
    screen.snapshot(snapshot).await;
    screen
}

fn moment() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("a moment")
}

fn snapshot_of(text: &str) -> Snapshot {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("objects.yaml");
    std::fs::write(&path, text).expect("a file");
    let snapshot = files::read(&[path], "default");
    assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
    snapshot
}

fn text(screen: &mut Headless, width: u16, height: u16) -> String {
    golden::screen(&screen.draw(width, height))
}

/// A text without blanks, line ends and lines: sentences are found in it however they are wrapped.
fn letters(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !"│█▸".contains(*c))
        .collect()
}

/// The screen without the pane beside the list of problems.
fn list_of(screen: &mut Headless, width: u16, height: u16) -> String {
    let drawn = text(screen, width, height);
    let mut hits = screen.app.hits.iter();
    let list = hits.find(|(_, hit)| *hit == Hit::Body(None));
    let list = list.expect("the list").0;
    let lines = drawn.lines().enumerate().map(|(y, line)| {
        let is_list = (usize::from(list.top())..usize::from(list.bottom())).contains(&y);
        let cells = if is_list {
            usize::from(list.right())
        } else {
            usize::MAX
        };
        line.chars().take(cells).collect::<String>()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What the first lines of a screen say of the sentences, as the longest beginning of each that is there.
fn seen<'a>(screen: &str, sentences: &'a [String]) -> BTreeSet<&'a str> {
    let screen = letters(screen);
    let is_there = |sentence: &&'a String| screen.contains(&letters(sentence));
    sentences
        .iter()
        .filter(is_there)
        .map(String::as_str)
        .collect()
}

/// Every sentence that the home screen has to tell.
fn sentences(app: &App) -> Vec<String> {
    let mut all = Vec::new();
    for problem in &app.home.problems {
        all.push(problem.sentence.clone());
        all.extend(problem.impact.clone());
        let findings = &app.diagnosis.findings;
        let fix = problem.fix.and_then(|fix| findings[fix].remedy.as_ref());
        all.extend(fix.map(|remedy| remedy.summary.clone()));
    }
    all
}

/// A wider terminal never shows less, and nothing is cut where there is room below.
#[tokio::test]
async fn a_wider_terminal_never_shows_less() {
    let mut screen = screen_of(Scenario::together(BROKEN)).await;
    let begun = screen
        .app
        .home
        .problems
        .iter()
        .filter(|one| one.since.is_some())
        .count();
    let told = text(&mut screen, 60, 1_000).matches("since ").count();
    assert!(begun > 0 && told >= begun, "{told} of {begun}");
    // It stands at the right edge, in the middle of a sentence that is wrapped.
    for problem in &mut screen.app.home.problems {
        problem.since = None;
    }
    let all = sentences(&screen.app);
    assert!(all.len() > 40, "{}", all.len());
    let mut before = BTreeSet::new();
    for width in 60..=220 {
        let low = list_of(&mut screen, width, 30);
        let now = seen(&low, &all);
        let lost: Vec<_> = before.difference(&now).collect();
        assert!(
            lost.is_empty(),
            "at {width} columns there is no more: {lost:?}\n{low}"
        );
        before = now;
        if width % 20 != 0 {
            continue;
        }
        let high = list_of(&mut screen, width, 1_000);
        let missing: Vec<_> = {
            let there = seen(&high, &all);
            all.iter()
                .filter(|one| !there.contains(one.as_str()))
                .collect()
        };
        assert!(missing.is_empty(), "at {width} columns {missing:?} is cut");
    }
}

/// The same of a page: its verdict, the chain and the step that fails.
#[tokio::test]
async fn a_wider_terminal_never_shows_less_of_a_page() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.press(&["enter"]).await;
    for (view, height) in [
        (ViewId::Chain, 100),
        (ViewId::Handshake, 100),
        (ViewId::Findings, 100),
        (ViewId::Conditions, 100),
    ] {
        screen.app.detail.view = view;
        let all = words(&text(&mut screen, 220, 200));
        let mut before = BTreeSet::new();
        for width in 60..=220 {
            let shown = text(&mut screen, width, height);
            let now: BTreeSet<String> = words(&shown);
            let now: BTreeSet<String> = now.intersection(&all).cloned().collect();
            let lost: Vec<_> = before.difference(&now).collect();
            assert!(
                lost.is_empty(),
                "{view:?} at {width} columns: {lost:?}\n{shown}"
            );
            before = now;
        }
    }
}

/// The words of more than a few letters.
fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| c.is_whitespace() || "│─█▸".contains(c))
        .filter(|word| word.len() > 5)
        .map(str::to_owned)
        .collect()
}

/// Enter opens and Esc goes back, to the entry that was left.
#[tokio::test]
async fn enter_opens_and_escape_goes_back_to_what_was_selected() {
    let mut screen = screen_of(Scenario::together(BROKEN)).await;
    screen.press(&["down", "down", "down"]).await;
    let selected = screen
        .app
        .selected_problem()
        .map(|problem| problem.key.clone());
    assert!(selected.is_some());
    screen.press(&["enter"]).await;
    assert!(matches!(screen.app.place(), Place::Page(_)));
    // What a page says does not use Esc.
    screen.app.say(Mark::Info, "a message");
    screen.press(&["esc"]).await;
    assert_eq!(*screen.app.place(), Place::Problems);
    assert_eq!(
        screen
            .app
            .selected_problem()
            .map(|problem| problem.key.clone()),
        selected
    );
    screen.press(&["esc"]).await;
    assert_eq!(*screen.app.place(), Place::Problems);
    let said = screen.app.toast.as_ref().expect("a word");
    assert!(said.text.contains("home"), "{}", said.text);
}

/// A message takes lines of its own: what stood on the screen is there still.
#[tokio::test]
async fn a_message_covers_nothing() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    for keys in [&[][..], &["enter"], &["enter"], &["enter"]] {
        screen.press(keys).await;
        screen.app.toast = None;
        let before = words(&text(&mut screen, 100, 60));
        screen.app.say(Mark::Info, "one sentence that is said");
        let after = words(&text(&mut screen, 100, 60));
        let lost: Vec<_> = before.difference(&after).collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert!(after.contains("sentence"), "{after:?}");
    }
}

#[tokio::test]
async fn an_unknown_key_says_so() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    for (key, place) in [("%", "home"), ("%", "page")] {
        screen.app.toast = None;
        screen.press(&[key]).await;
        let shown = text(&mut screen, 100, 30);
        assert!(
            shown.contains("no key % here; ? lists the keys"),
            "{place}:\n{shown}"
        );
        screen.press(&["enter"]).await;
    }
    // What means something on a handshake means nothing on the home screen.
    screen.press(&["h", "."]).await;
    assert!(text(&mut screen, 100, 30).contains("no key . here"));
}

#[tokio::test]
async fn a_terminal_that_is_too_small_says_so_and_works() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    for (width, height, is_small) in [
        (80, 20, false),
        (79, 20, true),
        (80, 19, true),
        (60, 15, true),
    ] {
        let shown = text(&mut screen, width, height);
        assert_eq!(
            shown.contains("80x20 shows more"),
            is_small,
            "{width}x{height}:\n{shown}"
        );
    }
    screen.press(&["enter"]).await;
    let shown = text(&mut screen, 60, 15);
    assert!(shown.contains("NGF-T1"), "{shown}");
    assert!(shown.contains("Chain"), "{shown}");
}

/// In ASCII no sign is lost: a question mark is the sign for what is not known, and nothing else.
#[tokio::test]
async fn in_ascii_every_sign_is_itself() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.app.theme = Theme::new(ColorSupport::None, Background::Dark, GlyphSet::Ascii);
    for keys in [&[][..], &["enter"], &["enter"], &["space", "T"]] {
        screen.press(keys).await;
        screen.app.toast = None;
        let shown = text(&mut screen, 80, 24);
        assert!(shown.is_ascii(), "{shown}");
        // The footer names the key of the help.
        let body: Vec<&str> = shown.lines().collect();
        let body = body[..body.len() - 1].join("\n");
        let unknown = body.matches('?').count();
        let in_unicode = {
            screen.app.theme = Theme::plain();
            let shown = text(&mut screen, 80, 24);
            screen.app.theme = Theme::new(ColorSupport::None, Background::Dark, GlyphSet::Ascii);
            let lines: Vec<&str> = shown.lines().collect();
            lines[..lines.len() - 1].join("\n").matches('?').count()
        };
        assert_eq!(unknown, in_unicode, "{shown}");
    }
}

/// Twenty-eight Secrets of the wrong type, in namespaces of their own.
fn opaque(namespaces: usize) -> String {
    let mut text = String::from(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: nginx}\n\
         spec: {controllerName: gateway.nginx.org/nginx-gateway-controller}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gateway, namespace: default}\n\
         spec: {gatewayClassName: nginx, listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]}\n",
    );
    for number in 0..namespaces {
        let namespace = format!("shop-{number:02}");
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: api, namespace: {namespace}}}\nspec: {{selector: {{app: api}}, ports: [{{port: 8443}}]}}\n\
             ---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: api, namespace: {namespace}}}\n\
             spec: {{parentRefs: [{{name: gateway, namespace: default}}], hostnames: [\"{namespace}.example.com\"], rules: [{{backendRefs: [{{name: api, port: 8443}}]}}]}}\n\
             ---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {{name: api, namespace: {namespace}}}\n\
             spec: {{targetRefs: [{{group: \"\", kind: Service, name: api}}], validation: {{hostname: {namespace}.example.com, caCertificateRefs: [{{group: \"\", kind: Secret, name: ca}}]}}}}\n\
             ---\napiVersion: v1\nkind: Secret\nmetadata: {{name: ca, namespace: {namespace}}}\ntype: Opaque\ndata: {{ca.crt: eA==}}\n"
        );
    }
    text
}

/// Several findings of one kind are one entry, which space unfolds and folds again.
#[tokio::test]
async fn many_of_one_kind_are_one_entry() {
    let mut screen = screen_of_files(&opaque(28)).await;
    let one_entry = screen.app.home.problems.len();
    let folded = screen
        .app
        .home
        .problems
        .iter()
        .position(|problem| problem.key.root == "NGF-P7")
        .expect("an entry for the Secrets");
    let problem = &screen.app.home.problems[folded];
    assert_eq!(problem.roots.len(), 28);
    assert!(
        problem.sentence.starts_with("28 times: "),
        "{}",
        problem.sentence
    );
    assert_eq!(problem.impact.len(), 1);
    assert!(
        problem.impact[0].ends_with("28 routes in 28 namespaces"),
        "{:?}",
        problem.impact
    );
    screen.app.home.list.selected = folded;
    screen.press(&["space"]).await;
    assert_eq!(screen.app.home.problems.len(), one_entry + 27);
    let selected = screen.app.selected_problem().expect("one of them");
    assert_eq!((selected.key.root, selected.roots.len()), (Code::P7, 1));
    screen.press(&["space"]).await;
    assert_eq!(screen.app.home.problems.len(), one_entry);
}

/// Untested paths are an entry of their own, and never look healthy.
#[tokio::test]
async fn untested_paths_are_an_entry_of_their_own() {
    let mut untested = Scenario::load("healthy-plain-http");
    untested.evidence = Evidence::none();
    let mut screen = screen_of(untested).await;
    let shown = text(&mut screen, 100, 30);
    assert!(shown.contains("untested: it is not known"), "{shown}");
    assert!(!shown.contains('✓'), "{shown}");
}

/// A large cluster may have a reason for each path: the most frequent ones are told, and the others are counted.
#[tokio::test]
async fn many_reasons_why_paths_are_untested_are_counted() {
    let size = ngf_generator::Size {
        routes: 50,
        broken_per_mille: 0,
        seed: 1,
    };
    let manifests = ngf_generator::Cluster::of(size).manifests();
    let mut snapshot = ngf_core::manifests::parse(&manifests, "default");
    snapshot.source = Source::Cluster {
        context: "large".to_owned(),
        server: "https://large.invalid".to_owned(),
        version: None,
    };
    let mut evidence = Evidence::none();
    for plan in survey::plans(&snapshot, &[], Extent::AllEndpoints) {
        evidence.record_untested(plan.key(), format!("no transport to {}", plan.route));
    }
    let app = App::new(Theme::plain(), Arc::new(snapshot.clone()), None, moment());
    let mut screen = Headless::new(app.expect("no conflict"), Arc::new(Files)).at(moment());
    screen.app.evidence = evidence;
    screen.snapshot(Arc::new(snapshot)).await;
    let shown = text(&mut screen, 120, 1_000);
    assert_eq!(shown.matches("no transport to").count(), 5, "{shown}");
    assert!(shown.contains("other reasons"), "{shown}");
}

/// A problem tells since when: the change of a Secret that the program saw, and that the problem came with. What
/// was there before, or a change that came later, tells nothing.
#[tokio::test]
async fn a_change_that_a_problem_came_with_is_its_beginning() {
    // The issuer's, with the CA that was rotated.
    let secret = ObjectRef::new(Kind::Secret, "cert-manager", "local-ca-secret");
    let since = |screen: &Headless| {
        let findings = &screen.app.diagnosis.findings;
        let is_it = |index: &usize| findings[*index].code == "NGF-M4";
        let problems = &screen.app.home.problems;
        let problem = problems
            .iter()
            .find(|problem| problem.findings.iter().any(is_it));
        problem.expect("the CA that was rotated").since
    };
    let rotated = Scenario::load("m4-rotated-ca");
    let (broken, now) = (rotated.snapshot.clone(), rotated.now);
    let healthy = Scenario {
        evidence: Evidence::none(),
        ..Scenario::load("guide")
    };
    let mut screen = screen_of(healthy).await;
    assert_eq!(
        screen.app.changes.of(&secret),
        None,
        "what is read first has not changed"
    );
    screen
        .happen(Event::Snapshot(Arc::new(broken.clone())))
        .await;
    assert_eq!(screen.app.changes.of(&secret), Some(now));
    assert_eq!(since(&screen), Some(now));
    // The same problem, which was there from the start.
    let mut screen = screen_of(rotated).await;
    assert_eq!(since(&screen), None);
    let mut later = broken;
    let Some(Lookup::Found(object)) = later.secrets.get_mut(&secret) else {
        panic!("the Secret is there");
    };
    let mut another = (**object).clone();
    another.spec.keys.insert("another".to_owned(), 1);
    *object = Arc::new(another);
    screen.happen(Event::Snapshot(Arc::new(later))).await;
    assert_eq!(
        screen.app.changes.of(&secret),
        Some(now),
        "the change is seen"
    );
    assert_eq!(since(&screen), None, "and is not the beginning");
}

/// `.` replays the handshake, a step with each press.
#[tokio::test]
async fn a_handshake_is_replayed_step_by_step() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.press(&["enter", "2"]).await;
    screen.press(&["."]).await;
    let first = text(&mut screen, 100, 40);
    assert!(first.contains("├1─▶│"), "{first}");
    assert!(!first.contains("├2─"), "{first}");
    screen.press(&["."]).await;
    let second = text(&mut screen, 100, 40);
    assert!(second.contains("├2─"), "{second}");
    assert!(!second.contains("◀11─┤"), "{second}");
    // Any movement ends the replay.
    screen.press(&["down"]).await;
    assert!(text(&mut screen, 100, 40).contains("◀11─┤"));
}
