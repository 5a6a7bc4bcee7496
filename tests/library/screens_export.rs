//! Copying, exporting, and YAML with folding and search, driven by keys without a terminal.

use crate::screen::screen_of;

use crate::support::scenario::{BROKEN, Scenario};
use ngf_core::model::{kind::Kind, object::ObjectRef};
use ngf_text::credentials::REDACTED;
use ngf_tui::{
    diagram::{Story, mermaid, svg},
    tui::{
        headless::Headless,
        state::{ids::ViewId, place::Place},
    },
};
use ngf_ui::{Background, ColorSupport, GlyphSet, Theme, golden};

fn text(screen: &mut Headless, width: u16, height: u16) -> String {
    golden::screen(&screen.draw(width, height))
}

async fn typed(screen: &mut Headless, words: &str) {
    for letter in words.chars() {
        let key = letter.to_string();
        screen
            .press(&[if letter == ' ' { "space" } else { &key }])
            .await;
    }
}

macro_rules! keep {
    ($name:expr, $screen:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("../golden");
        settings.bind(|| insta::assert_snapshot!($name, $screen));
    }};
}

/// The only file of a folder: its name and contents.
fn only_file(folder: &tempfile::TempDir) -> (String, String) {
    let files: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .flatten()
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let path = files[0].path();
    let name = path
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let contents = std::fs::read_to_string(&path).expect("a file");
    std::fs::remove_file(path).expect("removed");
    (name, contents)
}

#[tokio::test]
async fn a_handshake_is_exported_as_text_mermaid_and_svg() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    let folder = tempfile::tempdir().expect("a folder");
    screen.folder = folder.path().to_owned();
    screen.press(&["enter", "2"]).await;
    assert_eq!(screen.app.detail.view, ViewId::Handshake);
    screen.press(&["e"]).await;
    keep!("export-80x24", text(&mut screen, 80, 24));
    screen.press(&["esc"]).await;
    for (downs, extension, holds) in [
        (0, "txt", "clients get 502"),
        (1, "mmd", "gw-->>client: ✗ 11 Response · 502"),
        (2, "svg", "<svg xmlns="),
    ] {
        screen.press(&["e"]).await;
        for _ in 0..downs {
            screen.press(&["down"]).await;
        }
        screen.press(&["enter"]).await;
        let (name, contents) = only_file(&folder);
        assert!(
            name.starts_with("ngf-tui-problems-httproute-secure-app-handshake-"),
            "{name}"
        );
        assert!(name.ends_with(&format!("Z.{extension}")), "{name}");
        assert!(contents.contains(holds), "{extension}: {contents}");
        let said = screen.app.toast.as_ref().expect("a word");
        assert!(said.text.ends_with(&name), "{}", said.text);
    }
    // Never over a file that is there.
    screen.press(&["e", "enter", "e", "enter"]).await;
    let said = screen.app.toast.as_ref().expect("a word");
    assert!(said.text.starts_with("cannot write"), "{}", said.text);
    drop(only_file(&folder));
    // The chain is a picture, too; a list is text with whole cells.
    screen.press(&["1", "e", "down", "enter"]).await;
    let (_, contents) = only_file(&folder);
    assert!(roxmltree::Document::parse(&contents).is_ok());
    screen.press(&[":"]).await;
    typed(&mut screen, "routes").await;
    screen.press(&["enter", "e", "enter"]).await;
    let (name, contents) = only_file(&folder);
    assert!(name.starts_with("ngf-tui-problems-routes-"), "{name}");
    assert!(
        contents.contains("mTLS secure-app.example.com by backend-cert"),
        "{contents}"
    );
}

/// The diagram in the guide's form: three participants, arrows in order, nothing that Mermaid takes for its own.
#[tokio::test]
async fn a_mermaid_diagram_has_the_guides_form() {
    for name in ["t1-wrong-ca", "b0-all-well"] {
        let scenario = Scenario::load(name);
        let probed = scenario.evidence.probes().next().expect("a probe");
        let transcript = probed.result.as_ref().expect("a transcript");
        let diagram = mermaid::handshake(transcript, &Story::from(&*probed.plan));
        keep!(format!("mermaid-{name}"), &diagram);
        for line in diagram.lines().skip(1) {
            let is_known = [
                "participant client as ",
                "participant gw as ",
                "participant app as ",
            ]
            .iter()
            .any(|start| line.starts_with(start))
                || line.starts_with("Note over ")
                || [
                    "client->>gw: ",
                    "gw->>app: ",
                    "app->>gw: ",
                    "gw->>gw: ",
                    "app->>app: ",
                    "app-->>gw: ",
                    "gw-->>client: ",
                ]
                .iter()
                .any(|start| line.starts_with(start));
            assert!(is_known, "{line}");
            // Only as entities.
            let plain = line
                .replace("#59;", "")
                .replace("#35;", "")
                .replace("#37;", "")
                .replace("#lt;", "")
                .replace("#gt;", "")
                .replace("#amp;", "")
                .replace("#quot;", "");
            assert!(!plain.contains([';', '#']), "{line}");
        }
        let picture = svg::handshake(transcript, &Story::from(&*probed.plan));
        let document = roxmltree::Document::parse(&picture).expect("XML");
        let texts: String = document
            .descendants()
            .filter_map(|node| node.text())
            .collect();
        assert!(texts.contains("NGINX"), "{texts}");
    }
}

/// No file that is exported, and nothing that is copied, holds the value of an environment variable.
#[tokio::test]
async fn what_leaves_the_program_is_redacted() {
    let mut scenario = Scenario::load("t1-wrong-ca");
    let pod = serde_json::json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "leaky", "namespace": "default", "annotations": {"note": "password=TOP-SECRET-2"}},
        "spec": {"containers": [{"name": "a", "image": "x", "env": [{"name": "A", "value": "TOP-SECRET-1"}]}]},
    });
    let incoming = ngf_core::model::decode::Incoming {
        value: pod,
        cut: false,
    };
    let pod = ngf_core::model::decode::object(Kind::Pod, incoming, "default").expect("a pod");
    scenario.snapshot.put(pod);
    let mut screen = screen_of(scenario).await;
    let folder = tempfile::tempdir().expect("a folder");
    screen.folder = folder.path().to_owned();
    let object = ObjectRef::new(Kind::Pod, "default", "leaky");
    let subject =
        ngf_tui::tui::state::place::Subject::object(&screen.app.diagnosis.topology, &object);
    screen
        .app
        .places
        .open(Place::Page(subject), &mut screen.app.detail);
    screen.press(&["6", "e", "enter"]).await;
    let (_, contents) = only_file(&folder);
    assert!(contents.contains("name: leaky"), "{contents}");
    assert!(!contents.contains("TOP-SECRET"), "{contents}");
    assert!(contents.contains(REDACTED), "{contents}");
    screen.press(&["/"]).await;
    typed(&mut screen, "note").await;
    screen.press(&["enter", "y"]).await;
    let copied = screen.copied.clone().expect("a line");
    assert!(
        copied.starts_with("note: ") && !copied.contains("TOP-SECRET"),
        "{copied}"
    );
}

#[tokio::test]
async fn y_copies_the_command_that_fixes_and_c_the_name() {
    let mut screen = screen_of(Scenario::together(BROKEN)).await;
    let with_command = screen.app.home.problems.iter().position(|problem| {
        let findings = &screen.app.diagnosis.findings;
        findings[problem.head]
            .remedy
            .as_ref()
            .is_some_and(|remedy| remedy.command.is_some())
    });
    screen.app.home.list.selected = with_command.expect("a problem with a command");
    screen.app.tree.touched = true;
    let head = screen.app.selected_problem().expect("selected").head;
    let command = screen.app.diagnosis.findings[head]
        .remedy
        .as_ref()
        .and_then(|remedy| remedy.command.clone());
    screen.press(&["y"]).await;
    assert_eq!(screen.copied, command);
    screen.press(&["c"]).await;
    let subject = &screen.app.diagnosis.findings[head].subject;
    let copied = screen.copied.clone().expect("a name");
    assert!(copied.contains(&format!("/{}", subject.name)), "{copied}");
    screen.press(&[":"]).await;
    typed(&mut screen, "routes").await;
    screen.press(&["enter", "y"]).await;
    let copied = screen.copied.clone().expect("a row");
    assert!(
        copied.contains("secure-app  secure-app.example.com"),
        "{copied}"
    );
}

#[tokio::test]
async fn yaml_folds_and_is_searched() {
    let mut screen = screen_of(Scenario::load("t1-wrong-ca")).await;
    screen.press(&[":"]).await;
    typed(&mut screen, "gateways").await;
    screen.press(&["enter", "6"]).await;
    let whole = text(&mut screen, 100, 80);
    assert!(whole.contains("gatewayClassName"), "{whole}");
    // From the title down to metadata, which is folded, and unfolded again.
    while !screen.app.diagnosis.findings.is_empty()
        && ngf_tui::tui::views::yaml::selected_line(&screen.app).as_deref() != Some("metadata:")
    {
        let before = screen.app.detail.yaml.list.selected;
        screen.press(&["down"]).await;
        assert!(
            screen.app.detail.yaml.list.selected > before,
            "there is a line metadata"
        );
    }
    screen.press(&["space"]).await;
    let folded = text(&mut screen, 100, 80);
    assert!(folded.contains("metadata: …"), "{folded}");
    assert!(
        folded
            .lines()
            .filter(|line| !line.trim().is_empty())
            .count()
            < whole.lines().filter(|line| !line.trim().is_empty()).count()
    );
    screen.app.theme = Theme::new(ColorSupport::Ansi16, Background::Dark, GlyphSet::Unicode);
    keep!("yaml-folded-80x24", golden::styled(&screen.draw(80, 24)));
    screen.app.theme = Theme::plain();
    // A search goes to what it finds, and opens what hides it.
    screen.press(&["/"]).await;
    typed(&mut screen, "namespace:").await;
    screen.press(&["enter"]).await;
    let line = ngf_tui::tui::views::yaml::selected_line(&screen.app).expect("a line");
    assert!(line.starts_with("namespace:"), "{line}");
    assert!(screen.app.detail.yaml.folded.is_empty());
    let first = screen.app.detail.yaml.list.selected;
    screen.press(&["n"]).await;
    let shown = text(&mut screen, 100, 80);
    assert!(shown.contains("/namespace:"), "{shown}");
    screen.press(&["N"]).await;
    assert_eq!(screen.app.detail.yaml.list.selected, first);
    // Esc ends the search, and then goes back.
    screen.press(&["esc"]).await;
    assert!(screen.app.search().is_none());
    assert!(matches!(screen.app.place(), Place::Page(_)));
    screen.press(&["esc"]).await;
    assert!(matches!(screen.app.place(), Place::List(_)));
}
