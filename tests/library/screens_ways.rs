//! Transports, endpoint matrix, the context of a handshake, explanations and fixes: keys in, screens out, in a
//! world of forty endpoints and five data-plane pods that answers from a script.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use ngf_cluster::{
    endpoint_matrix::{self, Cell, Done, EndpointMatrix, Progress},
    probe_context::{ClientView, LogLine, NameView, ProbeContext, Source},
    transport::{Confirmation, Via, WayTaken},
};
use ngf_core::{
    diagnosis::{
        Code, Finding, Severity,
        finding::{ObjectChange, Remedy},
        plan::{ProbePlan, ProbeTarget, plan_every},
    },
    fix::{self, FixPlan},
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot},
};
use ngf_probes::client::{ClientAuthentication, ClientEnding, ClientTranscript, Judged};
use ngf_tls::transcript::{
    ClientCertificate, Direction, Engine, HttpAnswer, Layer, NginxVerdict, Outcome, SCHEMA, Step,
    StepStatus, TlsAgreed, Transcript,
};
use ngf_tui::{
    files,
    tui::{
        headless::Headless,
        state::{
            App, Overlay,
            event::{Effect, Event},
            fix::FixPhase,
            job::{By, FixNews, MatrixNews, Seen, Session},
        },
        update::update,
    },
};
use ngf_ui::{Theme, golden};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const ENDPOINTS: usize = 40;
const PODS: [&str; 5] = ["2h4kq", "7xw9d", "b5mzn", "k8r2v", "tq6pj"];
const AT: &str = "2026-11-23T12:00:00Z";

fn objects(pods: &[&str]) -> String {
    let mut text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/guide/gateway.yaml"
    ))
    .expect("the guide's objects");
    let _ = write!(
        text,
        "\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: gateway-nginx\n  namespace: default\n  \
         ownerReferences: [{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, name: gateway, uid: u, controller: true}}]\n\
         spec: {{selector: {{matchLabels: {{app: gateway-nginx}}}}, template: {{metadata: {{labels: {{app: gateway-nginx}}}}, spec: {{containers: [{{name: nginx, image: nginx}}]}}}}}}\n"
    );
    for pod in pods {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: gateway-nginx-7d9f8b6c5-{pod}\n  namespace: default\n  \
             labels: {{app: gateway-nginx, pod-template-hash: 7d9f8b6c5}}\n  \
             ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: gateway-nginx-7d9f8b6c5, uid: r, controller: true}}]\n\
             spec: {{containers: [{{name: nginx, image: nginx}}]}}\n\
             status: {{phase: Running, conditions: [{{type: Ready, status: \"True\"}}], containerStatuses: [{{name: nginx, ready: true, restartCount: 0, image: nginx, imageID: x, state: {{running: {{}}}}}}]}}\n"
        );
    }
    text.push_str(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: secure-app-1, namespace: default, labels: {kubernetes.io/service-name: secure-app}}\n\
         addressType: IPv4\nports: [{name: https, port: 8443, protocol: TCP}]\nendpoints:\n",
    );
    for n in 0..ENDPOINTS {
        let _ = writeln!(
            text,
            "- {{addresses: [10.244.0.{}], conditions: {{ready: true}}, targetRef: {{kind: Pod, namespace: default, name: secure-app-{n:02}}}}}",
            n + 10
        );
    }
    text
}

fn snapshot(pods: &[&str]) -> Arc<Snapshot> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("objects.yaml");
    std::fs::write(&path, objects(pods)).expect("a file");
    let snapshot = files::read(&[path], "default");
    assert!(snapshot.problems.is_empty(), "{:?}", snapshot.problems);
    Arc::new(snapshot)
}

fn way(via: Via) -> WayTaken {
    WayTaken {
        via: via.to_string(),
        because: "The connection originates from where the script says.".to_owned(),
        not_taken: Vec::new(),
        seen_from: None,
    }
}

/// The steps of a handshake that ends in an answer, or at an expired certificate.
fn steps(served: bool, took_us: u64) -> Vec<Step> {
    let step = |name: &str, layer, direction, at_us, status, summary: &str| Step {
        name: name.to_owned(),
        layer,
        direction,
        at_us,
        bytes: None,
        summary: summary.to_owned(),
        status,
        beyond_nginx: false,
        fields: Vec::new(),
    };
    let judged = if served {
        StepStatus::Ok
    } else {
        StepStatus::Failed
    };
    let mut steps = vec![
        step(
            "TCP connect",
            Layer::Tcp,
            Direction::Local,
            310,
            StepStatus::Ok,
            "",
        ),
        step(
            "ClientHello",
            Layer::Tls,
            Direction::Sent,
            420,
            StepStatus::Ok,
            "",
        ),
        step(
            "ServerHello",
            Layer::Tls,
            Direction::Received,
            900,
            StepStatus::Ok,
            "",
        ),
        step(
            "Certificate",
            Layer::Tls,
            Direction::Received,
            950,
            StepStatus::Ok,
            "",
        ),
        step(
            "verify certificate",
            Layer::Verify,
            Direction::Local,
            980,
            judged,
            "has expired",
        ),
        step(
            "Finished",
            Layer::Tls,
            Direction::Received,
            1_000,
            StepStatus::Ok,
            "",
        ),
    ];
    if served {
        steps.push(step(
            "HTTP request",
            Layer::Http,
            Direction::Sent,
            1_100,
            StepStatus::Ok,
            "GET /",
        ));
        steps.push(step(
            "HTTP response",
            Layer::Http,
            Direction::Received,
            took_us,
            StepStatus::Ok,
            "200",
        ));
    }
    steps
}

/// A handshake of which nginx says this.
fn transcript(plan: &ProbePlan, outcome: Outcome, took_us: u64) -> Transcript {
    let address = format!("{}:{}", plan.endpoint.address, plan.endpoint.port);
    let served = outcome == Outcome::Ok;
    let steps = steps(served, took_us);
    let sentence = if served {
        format!("{address} answers 200")
    } else {
        format!("the certificate that {address} presents has expired")
    };
    Transcript {
        schema: SCHEMA.to_owned(),
        started_at: AT.to_owned(),
        duration_us: took_us,
        target: address.clone(),
        address: Some(address),
        protocol: plan.protocol,
        via: "exec".to_owned(),
        engine: Engine {
            name: "openssl".to_owned(),
            version: "OpenSSL 3.5.5".to_owned(),
        },
        nginx: NginxVerdict {
            outcome,
            verify_code: Some(if served { 0 } else { 10 }),
            verify_text: None,
            alert: None,
            client_status: Some(if served { 200 } else { 502 }),
            log_line: (!served).then(|| {
                "upstream SSL certificate verify error: (10:certificate has expired)".to_owned()
            }),
            sentence,
        },
        not_proven: Vec::new(),
        judged_at: None,
        expires_first: None,
        second_opinion: None,
        tls: None,
        verify_trace: Vec::new(),
        client_certificate: ClientCertificate::default(),
        server_chain: Vec::new(),
        steps,
        records: Vec::new(),
        http: served.then(|| HttpAnswer {
            status: 200,
            body: "hello".to_owned(),
            server: None,
        }),
    }
}

/// Every probe fails with an expired certificate; in the matrix one endpoint does, and one pod is slow.
struct Script {
    snapshot: Arc<Snapshot>,
    rounds: AtomicUsize,
    /// What the gateway's client saw at a listener that ends TLS.
    client: Option<ClientTranscript>,
}

impl Script {
    fn outcome(row: usize, column: usize, round: usize) -> Outcome {
        if row == 3 || (row == 5 && column == 4 && round > 0) {
            Outcome::VerifyError
        } else {
            Outcome::Ok
        }
    }
}

impl Session for Script {
    fn probe<'a>(
        &'a self,
        plan: &'a ProbePlan,
        by: &'a By,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Seen, String>> {
        let seen = Seen {
            place: None,
            notes: Vec::new(),
            transcript: Arc::new(transcript(plan, Outcome::VerifyError, 2_900)),
            way: way(by.via),
            exec: None,
            again: None,
        };
        futures::future::ready(Ok(seen)).boxed()
    }

    fn probe_context<'a>(
        &'a self,
        _: &'a ProbePlan,
        _: &'a Seen,
        _: Timestamp,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Option<ProbeContext>> {
        let line = |source, step: &'static str, line: &str, means: &str| LogLine {
            source,
            from: "Pod default/secure-app-00 (app)".to_owned(),
            line: line.to_owned(),
            step: Some(step.into()),
            means: Some(means.to_owned()),
        };
        let context = ProbeContext {
            client: Some(ClientView {
                request: "http://10.96.36.219:80/".to_owned(),
                via: "direct".to_owned(),
                status: Some(502),
                answer: "502 Bad Gateway".to_owned(),
                body: String::new(),
                sentence: "the gateway's client gets 502, as the probe says".to_owned(),
                transcript: self.client.clone().map(Box::new),
                without_certificate: None,
            }),
            log_lines: vec![
                line(
                    Source::DataPlane,
                    "verify certificate",
                    "2026/11/23 12:00:00 [error] 29#29: *7 upstream SSL certificate verify error: (10:certificate has expired)",
                    "nginx does not take the backend's certificate (10:certificate has expired)",
                ),
                line(
                    Source::Application,
                    "HTTP request",
                    "10.244.0.5 ssl_client_verify=NONE",
                    "no client certificate reached the application",
                ),
            ],
            names: vec![NameView {
                name: "secure-app.default.svc".to_owned(),
                pod: "Pod default/gateway-nginx-7d9f8b6c5-2h4kq".to_owned(),
                servers: Vec::new(),
                search: Vec::new(),
                ndots: 5,
                there: Vec::new(),
                there_error: None,
                here: Vec::new(),
                here_error: None,
                sentence:
                    "secure-app.default.svc is 10.96.213.57 in the pod; here: there is no such name"
                        .to_owned(),
            }],
            missing: vec![
                "the log of Pod default/secure-app-00 (sidecar): you may not read it".to_owned(),
            ],
        };
        futures::future::ready(Some(context)).boxed()
    }

    fn matrix<'a>(
        &'a self,
        gateway: &'a ObjectRef,
        by: &'a By,
        _: &'a CancellationToken,
        news: mpsc::Sender<MatrixNews>,
    ) -> BoxFuture<'a, Result<EndpointMatrix, String>> {
        let round = self.rounds.fetch_add(1, Ordering::Relaxed);
        async move {
            let target = ProbeTarget::Gateway(gateway.clone());
            let plans = plan_every(&self.snapshot, &target).expect("plans").plans;
            let columns: Vec<String> = PODS
                .iter()
                .map(|pod| format!("gateway-nginx-7d9f8b6c5-{pod}"))
                .collect();
            let began: Timestamp = AT.parse().expect("a moment");
            let mut matrix = EndpointMatrix::waiting(plans.clone(), columns.clone(), began);
            news.send(MatrixNews::Began(Box::new(matrix.clone())))
                .await
                .expect("heard");
            let of = plans.len() * columns.len();
            for (row, plan) in plans.iter().enumerate() {
                for column in 0..columns.len() {
                    let outcome = Self::outcome(row, column, round);
                    let took = if column == 1 {
                        42_000
                    } else {
                        1_200 + 10 * row as u64
                    };
                    let seen = transcript(plan, outcome, took);
                    let cell = Cell::Probed {
                        outcome,
                        verify_code: seen.nginx.verify_code,
                        alert: None,
                        client_status: seen.nginx.client_status,
                        sentence: seen.nginx.sentence.clone(),
                        took_us: took,
                        via: seen.via.clone(),
                    };
                    matrix.rows[row].cells[column] = cell.clone();
                    let done = Done {
                        row,
                        column,
                        cell,
                        seen: Some((Arc::new(seen), way(by.via))),
                        at: began,
                        progress: Progress {
                            done: row * columns.len() + column + 1,
                            of,
                            faults: 0,
                        },
                    };
                    news.send(MatrixNews::Done(Box::new(done)))
                        .await
                        .expect("heard");
                }
            }
            matrix.findings = endpoint_matrix::findings(&matrix);
            Ok(matrix)
        }
        .boxed()
    }

    fn try_fix<'a>(&'a self, _: &'a FixPlan) -> BoxFuture<'a, Result<Vec<String>, String>> {
        let lines = vec!["the API server would take it: Gateway default/gateway".to_owned()];
        futures::future::ready(Ok(lines)).boxed()
    }

    fn apply_fix<'a>(
        &'a self,
        _: &'a FixPlan,
        _: Confirmation,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        let lines = vec!["Gateway default/gateway is changed".to_owned()];
        futures::future::ready(Ok(lines)).boxed()
    }
}

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
