//! What is known around a probe, in bundles and recordings.

use std::sync::Arc;

use crate::support::scenario::Scenario;
use ngf_core::{
    bundle::{self, Opened, recording::Recorder},
    diagnosis::{
        Diagnosis, Evidence,
        endpoint_matrix::{Cell, EndpointMatrix, findings},
        evidence::{Meeting, Met, Probed},
        probe_context::{self, ClientView, HowProbed, LogLine, NameView, ProbeContext, WayTaken},
    },
    model::snapshot::Snapshot,
};
use ngf_tls::transcript::{
    Direction, HttpAnswer, Layer, Step,
    client::{ClientAuthentication, ClientEnding, ClientTranscript},
};
use ngf_tui::tui::{
    effects::Files, headless::Headless, state::clock::Clock, views::linear::Linear,
};

use super::{long_after, on, text};

/// What must not leave, wherever it stands.
const SECRET: &str = "value-that-must-not-leave-4711";

/// A handshake with the listener of a probe's path.
fn met(probed: &Probed) -> (Meeting, Met) {
    let plan = &probed.plan;
    let (owner, listener) = plan.listener.clone().expect("a listener");
    let meeting = Meeting {
        gateway: plan.gateway.clone(),
        owner,
        listener,
        server_name: plan.host.clone(),
    };
    let met = Met {
        via: "port-forward to gateway-nginx-1".to_owned(),
        chain: probed.result.as_ref().expect("seen").server_chain.clone(),
        accepted: Some(false),
        verdict: "a strict client refuses CN=web".to_owned(),
        failed: None,
    };
    (meeting, met)
}

/// All that is known around a probe: its context, a handshake with its listener, the endpoint matrix; with values that
/// must not leave in every text that may hold one.
fn with_surroundings(scenario: &Scenario) -> Evidence {
    let mut evidence = scenario.evidence.clone();
    let probed = evidence.probes().next().expect("a probe").clone();
    let plan = (*probed.plan).clone();
    let answer = HttpAnswer {
        status: 200,
        body: format!("{SECRET} of the body\nmore"),
        server: None,
    };
    let response = Step::new(
        "HTTP response",
        Layer::Http,
        Direction::Received,
        9,
        format!("200 {SECRET} of the body"),
    )
    .field("status", "200")
    .field("set-cookie", format!("session={SECRET}"))
    .field("body", SECRET);
    let transcript = ClientTranscript {
        address: None,
        via: "direct".to_owned(),
        duration_us: 9,
        ending: ClientEnding::Answered,
        alert: None,
        ended: String::new(),
        sentence: "the client gets 200".to_owned(),
        tls: None,
        judged: None,
        client_certificate: ClientAuthentication::default(),
        chain: Vec::new(),
        steps: vec![response],
        http: Some(answer.clone()),
    };
    let context = ProbeContext {
        client: Some(ClientView {
            request: "http://10.0.0.1:80/".to_owned(),
            via: "direct".to_owned(),
            status: Some(200),
            answer: format!("{SECRET} of the body"),
            body: answer.body,
            sentence: format!("the gateway's client gets 200: \"{SECRET} of the body\""),
            transcript: Some(Box::new(transcript.clone())),
            without_certificate: Some(Box::new(transcript)),
        }),
        log_lines: vec![LogLine {
            source: probe_context::Source::DataPlane,
            from: "Pod default/gateway-nginx-1 (nginx)".to_owned(),
            line: format!("GET /a?token={SECRET} HTTP/1.1"),
            step: Some("verify certificate".into()),
            means: Some("nginx refuses the backend's certificate".to_owned()),
        }],
        names: vec![NameView {
            name: "secure-app.default.svc".to_owned(),
            pod: "Pod default/gateway-nginx-1".to_owned(),
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 5,
            there: Vec::new(),
            there_error: None,
            here: Vec::new(),
            here_error: None,
            sentence: "the pod and this machine resolve it differently".to_owned(),
        }],
        missing: vec!["the log of a sidecar may not be read".to_owned()],
    };
    let way = WayTaken {
        via: "exec".to_owned(),
        because: "from nginx's own container".to_owned(),
        not_taken: Vec::new(),
        seen_from: None,
    };
    let how = HowProbed {
        at: probed.at,
        way: Some(way),
        context: Some(context),
    };
    evidence.record_around(plan.key(), how);
    let (meeting, met) = met(&probed);
    evidence.record_meeting(meeting, probed.at, Ok(met));
    let places = vec!["gateway-nginx-1".to_owned(), "gateway-nginx-2".to_owned()];
    let mut matrix = EndpointMatrix::waiting(vec![plan.clone()], places, probed.at);
    matrix.rows[0].cells[0] = Cell::of(probed.result.as_ref().expect("seen"));
    matrix.rows[0].cells[1] = Cell::NotRun {
        why: "the pod is not running".to_owned(),
    };
    matrix.findings = findings(&matrix);
    evidence.record_matrix(plan.gateway, matrix);
    evidence
}

/// A file without what must not leave, opened again: as a bundle, and as the last moment of a recording.
fn opened_again(scenario: &Scenario, evidence: &Evidence) -> [Opened; 2] {
    let (snapshot, now) = (&scenario.snapshot, scenario.now);
    let file = bundle::write(snapshot, evidence, now, "test").expect("JSON");
    let mut recorder = Recorder::default();
    let line = recorder
        .line(snapshot, evidence, now, "test")
        .expect("JSON");
    let recording = line.expect("a first line");
    for file in [&file, &recording] {
        assert!(!file.contains("4711"), "{file}");
    }
    [file, recording].map(|file| bundle::open(&file).expect("it opens"))
}

/// The context of a probe, handshakes with listeners and the endpoint matrix are in a bundle and in a recording, without
/// bodies, cookies and queries, and are shown again: in the interface and as text.
#[tokio::test]
async fn what_is_known_around_a_probe_is_kept_and_shown_again() {
    let scenario = Scenario::load("t1-wrong-ca");
    let evidence = with_surroundings(&scenario);
    for opened in opened_again(&scenario, &evidence) {
        let (_, how) = opened.evidence.all_around().next().expect("a context");
        let context = how.context.as_ref().expect("a context");
        let client = context.client.as_ref().expect("a client");
        assert_eq!(client.status, Some(200));
        assert!(client.transcript.is_some() && client.without_certificate.is_some());
        assert_eq!((context.log_lines.len(), context.names.len()), (1, 1));
        let probed = opened.evidence.probes().next().expect("a probe");
        assert!(opened.evidence.around(probed).is_some());
        let (meeting, at, met) = opened.evidence.meetings().next().expect("a handshake");
        let (meeting_before, at_before, before) = evidence.meetings().next().expect("it");
        assert_eq!((meeting, at), (meeting_before, at_before));
        let (met, before) = (met.expect("seen"), before.expect("seen"));
        assert_eq!(met.chain, before.chain, "with the certificates' own bytes");
        assert_eq!((met.accepted, &met.verdict), (Some(false), &before.verdict));
        let (_, matrix) = opened.evidence.matrices().next().expect("a matrix");
        let (_, matrix_before) = evidence.matrices().next().expect("it");
        assert_eq!(matrix.columns, matrix_before.columns);
        assert_eq!(matrix.rows[0].cells, matrix_before.rows[0].cells);
        assert_eq!(matrix.findings, matrix_before.findings);

        let later = long_after(opened.at);
        let app = on(
            opened.snapshot,
            opened.evidence,
            Clock::At(opened.at),
            later,
        );
        let snapshot = Arc::clone(&app.snapshot);
        let mut screen = Headless::new(app, Arc::new(Files)).at(later);
        screen.snapshot(snapshot).await;
        screen.press(&["enter", "2", "end", "enter"]).await;
        let drawn = text(&mut screen, 120, 60);
        for told in [
            "the gateway's client gets 200",
            "nginx refuses",
            "resolve it differently",
        ] {
            assert!(drawn.contains(told), "{told}:\n{drawn}");
        }
        screen.press(&["esc", "home", "enter"]).await;
        let drawn = text(&mut screen, 120, 60);
        for told in [
            "Handshake with the listener",
            "port-forward to gateway-nginx-1",
        ] {
            assert!(drawn.contains(told), "{told}:\n{drawn}");
        }
        screen.press(&["M"]).await;
        let drawn = text(&mut screen, 120, 40);
        for told in ["gateway-nginx-1", "gateway-nginx-2"] {
            assert!(drawn.contains(told), "{told}:\n{drawn}");
        }
        screen.press(&["enter"]).await;
        let drawn = text(&mut screen, 120, 40);
        assert!(drawn.contains("Handshake"), "{drawn}");
        let mut plain = |name: &str| {
            let view = Linear::named(name).expect("a view");
            view.text(&mut screen.app)
        };
        let handshake = plain("handshake");
        for told in [
            "the gateway's client gets 200",
            "a strict client refuses CN=web",
        ] {
            assert!(handshake.contains(told), "{told}:\n{handshake}");
        }
        let matrix = plain("matrix");
        assert!(
            matrix.contains("from gateway-nginx-2: not probed: the pod is not running"),
            "{matrix}"
        );
        let list = plain("probes");
        assert!(
            list.contains("ENDPOINT listener ") && list.contains("a strict client refuses"),
            "{list}"
        );
    }
}

/// What handshakes with listeners show is found again in a bundle and in a recording.
#[test]
fn findings_about_listeners_are_in_a_bundle() {
    let mut found = 0;
    for name in [
        "l8-older-certificate-served",
        "l9-certificate-that-clients-refuse",
    ] {
        let scenario = Scenario::load(name);
        let codes = |snapshot: &Snapshot, evidence: &Evidence| {
            let diagnosis = Diagnosis::of(snapshot, evidence, scenario.now);
            let findings = diagnosis.findings.iter();
            findings.map(|one| one.code.to_string()).collect::<Vec<_>>()
        };
        let before = codes(&scenario.snapshot, &scenario.evidence);
        found += usize::from(
            before
                .iter()
                .any(|code| matches!(code.as_str(), "NGF-L8" | "NGF-L9")),
        );
        for opened in opened_again(&scenario, &scenario.evidence) {
            assert_eq!(codes(&opened.snapshot, &opened.evidence), before, "{name}");
        }
    }
    assert_eq!(
        found, 2,
        "both scenarios are about handshakes with listeners"
    );
}
