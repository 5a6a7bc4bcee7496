//! The lists and the command line of the interface, driven by keys without a terminal.

use crate::screen::screen_of;
use std::{fmt::Write as _, sync::Arc};

use crate::support::scenario::Scenario;
use jiff::Timestamp;
use ngf_core::model::snapshot::Snapshot;
use ngf_tui::{
    files,
    tui::{
        effects::Files,
        headless::Headless,
        state::{
            App,
            ids::{ListId, ViewId},
            place::Place,
        },
        views::lists::LISTS,
    },
};
use ngf_ui::{Theme, golden};

fn text(screen: &mut Headless, width: u16, height: u16) -> String {
    golden::screen(&screen.draw(width, height))
}

/// Types a word and enter, as after `:`.
async fn command(screen: &mut Headless, word: &str) {
    screen.press(&[":"]).await;
    for letter in word.chars() {
        screen.press(&[&letter.to_string()]).await;
    }
    screen.press(&["enter"]).await;
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
async fn every_name_and_alias_goes_to_its_list() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    for list in LISTS {
        for name in std::iter::once(&list.name).chain(list.aliases) {
            command(&mut screen, name).await;
            assert_eq!(*screen.app.place(), Place::List(list.id), "{name}");
            let shown = text(&mut screen, 80, 24);
            assert!(
                shown.contains(&format!("Problems › {}", list.title)),
                "{name}:\n{shown}"
            );
            screen.press(&["esc"]).await;
            assert_eq!(*screen.app.place(), Place::Problems, "{name}");
        }
    }
}

/// A word that fits no name runs nothing, whatever help texts say and whatever names have its letters.
#[tokio::test]
async fn an_unknown_word_says_so_and_runs_nothing() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    for word in ["xyz", "zns", "decoded", "kubeconfig"] {
        screen.app.toast = None;
        command(&mut screen, word).await;
        assert_eq!(*screen.app.place(), Place::Problems, "{word}");
        assert!(screen.app.overlay.is_none(), "{word}");
        let said = screen.app.toast.as_ref().expect("a word");
        assert!(
            said.text.contains(&format!("no command \"{word}\"")),
            "{}",
            said.text
        );
    }
    // The beginning of a name is enough.
    command(&mut screen, "rou").await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Routes));
    // An exact alias comes before the beginning of another name.
    command(&mut screen, "ep").await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Endpoints));
}

#[tokio::test]
async fn every_list_at_two_sizes() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    for (id, name) in [
        (ListId::Gateways, "gateways"),
        (ListId::Routes, "routes"),
        (ListId::Policies, "policies"),
        (ListId::Certificates, "certificates"),
        (ListId::Endpoints, "endpoints"),
        (ListId::Conditions, "conditions"),
    ] {
        command(&mut screen, name).await;
        assert_eq!(*screen.app.place(), Place::List(id));
        keep!(format!("list-{name}-80x24"), text(&mut screen, 80, 24));
        if id == ListId::Routes || id == ListId::Certificates {
            keep!(format!("list-{name}-200x20"), text(&mut screen, 200, 20));
        }
    }
}

/// Enter on a route opens it at its fault; the path is broken although its conditions are as they should be.
#[tokio::test]
async fn enter_on_a_row_opens_it_at_its_fault() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    command(&mut screen, "routes").await;
    screen.press(&["enter"]).await;
    let shown = text(&mut screen, 100, 30);
    assert!(
        shown.contains("Routes › httproute/secure-app › Chain"),
        "{shown}"
    );
    assert!(shown.contains("NGF-T1"), "{shown}");
    screen.press(&["esc"]).await;
    assert_eq!(*screen.app.place(), Place::List(ListId::Routes));
    command(&mut screen, "conditions").await;
    let shown = text(&mut screen, 200, 30);
    assert!(shown.contains("although its path is broken"), "{shown}");
    command(&mut screen, "cert").await;
    screen.press(&["enter"]).await;
    assert_eq!(screen.app.detail.view, ViewId::Yaml);
}

/// Ten thousand routes of two namespaces; one in a hundred goes to a Service that does not exist.
fn many(routes: usize) -> Snapshot {
    let mut text = String::from(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: nginx}\n\
         spec: {controllerName: gateway.nginx.org/nginx-gateway-controller}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: gateway, namespace: default}\n\
         spec: {gatewayClassName: nginx, listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}]}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: payments}\nspec: {selector: {app: api}, ports: [{port: 80}]}\n\
         ---\napiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: shop}\nspec: {selector: {app: api}, ports: [{port: 80}]}\n",
    );
    for number in 0..routes {
        let namespace = if number % 2 == 0 { "payments" } else { "shop" };
        let service = if number % 100 == 7 { "gone" } else { "api" };
        let _ = write!(
            text,
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r-{number:05}, namespace: {namespace}}}\n\
             spec: {{parentRefs: [{{name: gateway, namespace: default}}], hostnames: [\"h{number}.example.com\"], rules: [{{backendRefs: [{{name: {service}, port: 80}}]}}]}}\n"
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("objects.yaml");
    std::fs::write(&path, text).expect("a file");
    files::read(&[path], "default")
}

/// Trouble comes first, two words are and, `!` is not, any column sorts, and only what is shown is drawn.
#[tokio::test]
async fn one_table_takes_thousands_of_rows() {
    const ROUTES: usize = 2_000;
    let snapshot = Arc::new(many(ROUTES));
    let now: Timestamp = "2026-06-01T12:00:00Z".parse().expect("a moment");
    let app = App::new(Theme::plain(), Arc::clone(&snapshot), None, now).expect("keys");
    let mut screen = Headless::new(app, Arc::new(Files)).at(now);
    screen.snapshot(snapshot).await;
    command(&mut screen, "route").await;
    let shown = text(&mut screen, 120, 30);
    assert!(shown.contains("2000, trouble first"), "{shown}");
    let pane = |screen: &Headless| {
        let pane = &screen.app.lists[&ListId::Routes];
        let names = pane
            .shown
            .iter()
            .map(|row| pane.rows[*row].cells[1].text.clone());
        names.collect::<Vec<String>>()
    };
    assert_eq!(pane(&screen)[0], "shop/r-00007", "trouble first");
    screen.press(&["end"]).await;
    let shown = text(&mut screen, 120, 30);
    assert!(shown.contains("r-01999"), "{shown}");
    screen.press(&["/"]).await;
    for letter in "r-0001 !shop".chars() {
        let key = letter.to_string();
        screen
            .press(&[if letter == ' ' { "space" } else { &key }])
            .await;
    }
    screen.press(&["enter"]).await;
    assert_eq!(
        pane(&screen),
        [
            "payments/r-00010",
            "payments/r-00012",
            "payments/r-00014",
            "payments/r-00016",
            "payments/r-00018"
        ]
    );
    let shown = text(&mut screen, 120, 30);
    assert!(shown.contains("5 of 2000"), "{shown}");
    // By state, by route, and the other way around.
    screen.press(&["s", "s", "S"]).await;
    assert_eq!(pane(&screen)[0], "payments/r-00018");
    assert!(text(&mut screen, 120, 30).contains("by ROUTE, greatest first"));
    // Esc clears the filter, and then goes back.
    screen.press(&["esc"]).await;
    assert_eq!(pane(&screen).len(), ROUTES);
    screen.press(&["esc"]).await;
    assert_eq!(*screen.app.place(), Place::Problems);
}

/// The home screen is filtered in the same way.
#[tokio::test]
async fn a_filter_is_for_what_is_on_the_screen() {
    let mut screen = screen_of(Scenario::together(crate::support::scenario::BROKEN)).await;
    let all = screen.app.home.problems.len();
    screen
        .press(&["/", "N", "G", "F", "-", "P", "7", "enter"])
        .await;
    assert_eq!(screen.app.home.problems.len(), 1);
    let shown = text(&mut screen, 100, 30);
    assert!(shown.contains("NGF-P7"), "{shown}");
    assert!(shown.contains("/NGF-P7"), "{shown}");
    screen.press(&["esc"]).await;
    assert_eq!(screen.app.home.problems.len(), all);
    assert!(screen.app.tree.filter.is_empty());
}

/// A wider terminal adds columns and letters, and takes none away.
#[tokio::test]
async fn a_wider_terminal_never_shows_less_of_a_list() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    for list in LISTS {
        command(&mut screen, list.name).await;
        let widths = |shown: &str| {
            let head = shown.lines().nth(3).unwrap_or_default().to_owned();
            let titles = list
                .columns
                .iter()
                .filter(|column| head.contains(column.title));
            (
                titles.count(),
                shown.chars().filter(|c| !c.is_whitespace()).count(),
            )
        };
        let mut before = (0, 0);
        for width in 60..=220 {
            // Without the footer, and without the line that says that the terminal is small.
            let shown = text(&mut screen, width, 40);
            let mut lines: Vec<&str> = shown.lines().collect();
            lines.pop();
            lines.retain(|line| !line.contains("shows more"));
            let body = lines.join("\n");
            let now = widths(&body);
            assert!(now.0 >= before.0, "{} at {width}: {body}", list.name);
            assert!(now.1 >= before.1, "{} at {width}: {body}", list.name);
            before = now;
        }
        assert_eq!(
            before.0,
            list.columns.len(),
            "{}: all columns fit at last",
            list.name
        );
        screen.press(&["esc"]).await;
    }
}
