//! Transports, endpoint matrix, the context of a handshake, explanations and fixes: keys in, screens out, in a
//! world of forty endpoints and five data-plane pods that answers from a script.

mod script;

use std::sync::{Arc, atomic::AtomicUsize};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::{SignedDuration, Timestamp};
use ngf_cluster::transport::Via;
use ngf_core::{
    diagnosis::{
        Code, Finding, Severity,
        finding::{ObjectChange, Remedy},
    },
    fix::{self, FixPlan},
    model::{kind::Kind, object::ObjectRef},
};
use ngf_probes::client::{ClientAuthentication, ClientEnding, ClientTranscript, Judged};
use ngf_tls::transcript::{Direction, Layer, Step, TlsAgreed};
use ngf_tui::tui::{
    headless::Headless,
    state::{
        App, Overlay,
        event::{Effect, Event},
        fix::FixPhase,
        job::{FixNews, MatrixNews},
    },
    update::update,
};
use ngf_ui::{Theme, golden};

use script::{AT, ENDPOINTS, PODS, Script, snapshot};

async fn screen_of(pods: &[&str]) -> Headless {
    screen_with(pods, None).await
}

async fn screen_with(pods: &[&str], client: Option<ClientTranscript>) -> Headless {
    let snapshot = snapshot(pods);
    let app = App::new(
        Theme::plain(),
        Arc::clone(&snapshot),
        None,
        AT.parse().expect("a moment"),
    )
    .expect("the key map has no conflicts");
    let script = Script {
        snapshot: Arc::clone(&snapshot),
        rounds: AtomicUsize::new(0),
        client,
    };
    let mut screen = Headless::new(app, Arc::new(script));
    screen.snapshot(snapshot).await;
    screen
}

fn text(screen: &mut Headless, width: u16, height: u16) -> String {
    golden::screen(&screen.draw(width, height))
}

macro_rules! keep {
    ($name:expr, $screen:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("../golden");
        settings.add_filter(r"\d\d:\d\d:\d\d (10\.244)", "TIME $1");
        for (width, height) in [(80, 24), (160, 45)] {
            let drawn = text($screen, width, height);
            settings.bind(|| insta::assert_snapshot!(format!("{}-{width}x{height}", $name), drawn));
        }
    }};
}

fn key(code: KeyCode) -> Event {
    Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

#[tokio::test]
async fn the_ways_say_what_they_prove_and_what_they_write() {
    let mut screen = screen_of(&PODS).await;
    screen.press(&["v"]).await;
    keep!("way", &mut screen);
    screen.press(&["down", "enter"]).await;
    assert_eq!(screen.app.via, Via::Exec);
    screen.press(&["2"]).await;
    let shown = text(&mut screen, 80, 24);
    assert!(
        shown.contains(" via exec"),
        "the transport is shown:\n{shown}"
    );
}

#[tokio::test]
async fn read_only_turns_off_what_writes() {
    let mut screen = screen_of(&PODS).await;
    screen.app.read_only = true;
    screen.press(&["v", "down", "down"]).await;
    let shown = text(&mut screen, 120, 30);
    assert!(shown.contains("read-only"), "{shown}");
    screen.press(&["enter"]).await;
    assert_eq!(screen.app.via, Via::Auto, "a way that writes is not chosen");
    let shown = text(&mut screen, 120, 30);
    assert!(shown.contains("Not by ephemeral: --read-only"), "{shown}");
    // Even where it was chosen before.
    screen.app.via = Via::Pod;
    let effects = update(&mut screen.app, key(KeyCode::Char('r')), Timestamp::now());
    assert!(effects.is_empty(), "{effects:?}");
}

#[tokio::test]
async fn beside_a_handshake_stand_the_clients_answer_and_what_was_logged() {
    let mut screen = screen_of(&PODS).await;
    screen.app.via = Via::Exec;
    // One endpoint: of forty at a time nobody asks beside.
    screen.press(&["T", "end", "enter", "r"]).await;
    keep!("beside", &mut screen);
    screen.press(&["end"]).await;
    keep!("beside-notes", &mut screen);
    screen.press(&["enter"]).await;
    keep!("beside-opened", &mut screen);
}

/// A client that gets no answer, because the listener demands a certificate.
fn refused_client() -> ClientTranscript {
    let step = |name: &str, direction, at_us, summary: &str| {
        Step::new(name, Layer::Tls, direction, at_us, summary)
    };
    ClientTranscript {
        address: Some("10.96.36.219:443".to_owned()),
        via: "direct".to_owned(),
        duration_us: 9_000,
        ending: ClientEnding::Closed,
        alert: None,
        ended: "the gateway closed the connection without an answer".to_owned(),
        sentence: "the gateway closed the connection without an answer".to_owned(),
        tls: Some(TlsAgreed {
            version: "TLSv1.3".to_owned(),
            cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
            group: None,
            alpn: None,
        }),
        judged: Some(Judged {
            accepted: Some(true),
            trusted: Some("Secret default/web[ca.crt]".to_owned()),
            sentence: "clients that trust Secret default/web[ca.crt] accept CN=web".to_owned(),
        }),
        client_certificate: ClientAuthentication::default(),
        chain: Vec::new(),
        steps: vec![
            step(
                "ClientHello",
                Direction::Sent,
                1_000,
                "SNI secure-app.example.com",
            ),
            step(
                "CertificateRequest",
                Direction::Received,
                2_000,
                "CAs: CN=ClientCA",
            ),
        ],
        http: None,
    }
}

#[tokio::test]
async fn the_first_arrow_is_the_handshake_of_the_gateways_client() {
    let mut screen = screen_with(&PODS, Some(refused_client())).await;
    screen.app.via = Via::Exec;
    screen.press(&["T", "end", "enter", "r", "home"]).await;
    let shown = text(&mut screen, 120, 40);
    assert!(
        shown.contains("http://10.96.36.219:80/ · TLSv1.3"),
        "{shown}"
    );
    screen.press(&["enter"]).await;
    let opened = text(&mut screen, 120, 40);
    for said in [
        "clients that trust Secret default/web[ca.crt] accept CN=web",
        "SNI secure-app.example.com",
        "CAs: CN=ClientCA",
    ] {
        assert!(opened.contains(said), "{said}: {opened}");
    }
}

#[tokio::test]
async fn port_forward_warns_that_the_path_is_not_proven() {
    let mut screen = screen_of(&PODS).await;
    screen.app.via = Via::PortForward;
    screen.press(&["T", "end", "enter", "r"]).await;
    let shown = text(&mut screen, 100, 30);
    let warning = "! via port-forward: TLS content valid, network path not proven";
    assert!(shown.contains(warning), "{shown}");
}

#[tokio::test]
async fn the_matrix_shows_forty_endpoints_from_five_pods() {
    let mut screen = screen_of(&PODS).await;
    screen.app.via = Via::Exec;
    screen.press(&["P"]).await;
    keep!("matrix", &mut screen);
    // To the fault, and its handshake; back again.
    screen
        .press(&["down", "down", "down", "right", "right"])
        .await;
    keep!("matrix-fault", &mut screen);
    screen.press(&["enter"]).await;
    let handshake = text(&mut screen, 100, 30);
    assert!(handshake.contains("[✗ Handshake]"), "{handshake}");
    assert!(
        handshake.contains("the certificate that 10.244.0.13:8443"),
        "{handshake}"
    );
    screen.press(&["esc"]).await;
    assert!(text(&mut screen, 100, 30).contains("Problems › Matrix"));
    // What the matrix saw is evidence: the tree knows the endpoint's fault.
    let findings = &screen.app.diagnosis.findings;
    let found = findings.iter().find(|finding| finding.code == "NGF-T5");
    let found = found.expect("an expired certificate");
    assert!(
        found.effects[0].starts_with("1 of 40 endpoints"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_watched_matrix_says_what_changes() {
    let mut screen = screen_of(&PODS).await;
    screen.app.via = Via::Exec;
    for _ in 0..3 {
        screen.press(&["P"]).await;
    }
    screen
        .press(&[
            "down", "down", "down", "down", "down", "right", "right", "right", "right",
        ])
        .await;
    keep!("matrix-watched", &mut screen);
    screen.press(&["end"]).await;
    keep!("matrix-end", &mut screen);
}

#[tokio::test]
async fn without_a_data_plane_every_endpoint_is_probed_as_before() {
    let mut screen = screen_of(&[]).await;
    screen.press(&["T", "P"]).await;
    assert!(screen.app.matrix.is_none());
    let shown = screen.app.shown_probe().expect("a handshake");
    assert_eq!(shown.count, ENDPOINTS);
}

#[tokio::test]
async fn watching_is_switched_on_and_off() {
    let mut screen = screen_of(&PODS).await;
    screen.press(&["P"]).await;
    let now = Timestamp::now();
    let app = &mut screen.app;
    let effects = update(app, key(KeyCode::Char('w')), now);
    let [Effect::Run(job, None)] = &effects[..] else {
        panic!("a matrix that has ended begins again: {effects:?}");
    };
    let number = job.number;
    let effects = update(app, key(KeyCode::Char('w')), now);
    assert!(matches!(effects[..], [Effect::Watch(false)]), "{effects:?}");
    let effects = update(app, key(KeyCode::Char('w')), now);
    assert!(matches!(effects[..], [Effect::Watch(true)]), "{effects:?}");
    // News of the matrix before is of no interest.
    update(
        app,
        Event::EndpointMatrix(number - 1, MatrixNews::Over),
        now,
    );
    assert!(app.matrix.as_ref().is_some_and(|matrix| matrix.running));
    update(app, Event::EndpointMatrix(number, MatrixNews::Over), now);
    assert!(app.matrix.as_ref().is_some_and(|matrix| !matrix.running));
}

#[tokio::test]
async fn x_explains_the_rule_of_the_selected_finding() {
    let mut screen = screen_of(&PODS).await;
    screen.press(&["x"]).await;
    let first = text(&mut screen, 100, 30);
    assert!(
        first.contains("How to fix it"),
        "of the selected problem:\n{first}"
    );
    screen.press(&["esc", "T", "end", "enter", "r", "x"]).await;
    keep!("explain", &mut screen);
    screen.press(&["esc", "h", "home", "x"]).await;
    let Some(Overlay::Explain(code, _)) = screen.app.overlay else {
        panic!("of the home screen");
    };
    assert_eq!(code, screen.app.home.problems[0].key.head);
}

/// A fix of the guide's Gateway.
fn fix_plan(screen: &Headless) -> FixPlan {
    let gateway = ObjectRef::new(Kind::Gateway, "default", "gateway");
    let remedy = Remedy {
        changes: vec![ObjectChange::Merge {
            object: gateway.clone(),
            patch: serde_json::json!({"spec": {"tls": {"backend": {"clientCertificateRef": {"name": "gateway-client"}}}}}),
        }],
        ..Remedy::say("Point the Gateway at the Secret that holds its client certificate")
    };
    let finding = Finding::new(Code::G3, Severity::Error, &gateway, "no Secret").remedy(remedy);
    fix::plan(&finding, &screen.app.snapshot).expect("a plan")
}

#[tokio::test]
async fn a_fix_is_shown_tried_and_applied_only_once_somebody_says_y() {
    use ngf_tui::tui::state::fix::FixDialog;
    let mut screen = screen_of(&PODS).await;
    let plan = fix_plan(&screen);
    let dialog = FixDialog {
        number: 7,
        plan,
        phase: FixPhase::Trying,
        scroll: ngf_ui::ScrollState::default(),
    };
    screen.app.overlay = Some(Overlay::Fix(Box::new(dialog)));
    let now = Timestamp::now();
    let app = &mut screen.app;
    assert!(
        update(app, key(KeyCode::Char('y')), now).is_empty(),
        "not before the API server has tried it"
    );
    let news = |applied, result| {
        Event::Fix(Box::new(FixNews {
            number: 7,
            applied,
            result,
        }))
    };
    let would = "the API server would take it".to_owned();
    update(app, news(false, Ok(vec![would])), now);
    keep!("fix", &mut screen);
    let app = &mut screen.app;
    assert!(
        update(app, key(KeyCode::Enter), now).is_empty(),
        "enter may have been meant for something else"
    );
    let effects = update(app, key(KeyCode::Char('y')), now);
    assert!(
        matches!(effects[..], [Effect::ApplyFix(7, ..)]),
        "{effects:?}"
    );
    assert!(
        update(app, key(KeyCode::Char('y')), now).is_empty(),
        "not twice"
    );
    update(
        app,
        news(true, Err("Gateway default/gateway changed".to_owned())),
        now,
    );
    let shown = text(&mut screen, 100, 30);
    assert!(
        shown.contains("✗ Gateway default/gateway changed"),
        "{shown}"
    );
}

#[tokio::test]
async fn what_no_change_of_objects_fixes_says_so() {
    let mut screen = screen_of(&PODS).await;
    screen.press(&["f"]).await;
    assert!(screen.app.overlay.is_none());
    let toast = screen.app.toast.as_ref().expect("a sentence");
    assert!(
        toast.text.starts_with("NGF-") || toast.text.contains("NGF-"),
        "{}",
        toast.text
    );
    assert!(toast.until > screen.app.now + SignedDuration::from_secs(5));
}

/// Whatever is pressed at whatever size, nothing panics and nothing is drawn outside.
#[tokio::test]
async fn any_keys_at_any_size() {
    let mut screen = screen_of(&PODS).await;
    let keys = [
        "P", "right", "down", "end", "enter", "end", "enter", "esc", "esc", "w", "v", "down",
        "enter", "r", "x", "down", "esc", "f", "esc", "M", "left", "home", ">", "2", "end", "v",
        "esc", "enter", "enter", "z", "enter", "esc", "esc", "h", "enter", "enter", "enter",
    ];
    for key in keys {
        screen.press(&[key]).await;
        for (width, height) in [
            (0, 0),
            (1, 1),
            (5, 3),
            (20, 6),
            (39, 11),
            (80, 24),
            (300, 90),
        ] {
            screen.draw(width, height);
        }
    }
}
