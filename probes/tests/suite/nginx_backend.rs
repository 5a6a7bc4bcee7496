//! Debian's nginx as the guide's secure-app, probed as the gateway would.

use crate::support::nginx::SecureApp;
use crate::support::pki::{Issued, Template};
use crate::support::{HOST, for_name, over_tls, plain, presenting, run};
use ngf_probes::spec::ProbeSpec;
use ngf_tls::transcript::{Direction, Layer, Outcome, StepStatus, Transcript};

struct Guide {
    ca: Issued,
    app: Issued,
    gateway: Issued,
}

fn guide() -> Guide {
    let ca = Template::ca("LocalCA").self_signed();
    Guide {
        app: Template::server(HOST).signed_by(&ca),
        gateway: Template::client("gateway").signed_by(&ca),
        ca,
    }
}

fn failing_step(transcript: &Transcript) -> Option<&str> {
    transcript
        .steps
        .iter()
        .find(|step| step.status == StepStatus::Failed)
        .map(|step| step.name.as_str())
}

#[tokio::test]
async fn with_the_client_certificate_the_app_says_hello() {
    peer!("nginx");
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let Guide { ca, app, gateway } = guide();
        let nginx = SecureApp {
            protocols,
            ..SecureApp::new(&app, &ca)
        }
        .start();
        let seen = run(&presenting(over_tls(nginx.port, &[&ca]), &gateway, &[])).await;

        assert_eq!(seen.nginx.outcome, Outcome::Ok, "{}", seen.nginx.sentence);
        assert_eq!(seen.nginx.client_status, Some(200));
        assert_eq!(seen.nginx.verify_code, Some(0));
        assert_eq!(seen.nginx.log_line, None);
        assert_eq!(seen.tls.as_ref().unwrap().version, protocols);
        assert_eq!(
            seen.http.as_ref().unwrap().body,
            "hello from pod secure-app\n"
        );
        assert!(seen.client_certificate.requested && seen.client_certificate.sent);
        assert_eq!(seen.client_certificate.acceptable_cas, ["CN=LocalCA"]);
        assert_eq!(
            seen.client_certificate.subject.as_deref(),
            Some("CN=gateway")
        );
        assert_eq!(seen.server_chain.len(), 1);
        assert_eq!(seen.server_chain[0].dns_names, [HOST]);
        assert_eq!(failing_step(&seen), None);
        assert!(
            nginx
                .access_log(1)
                .contains("ssl_client_verify=SUCCESS ssl_client_subject=CN=gateway")
        );
    }
}

#[tokio::test]
async fn every_message_of_both_versions_is_a_step() {
    peer!("nginx");
    let Guide { ca, app, gateway } = guide();
    for (protocols, expected) in [
        (
            "TLSv1.2",
            "TCP connect > ClientHello, < ServerHello, < Certificate, < ServerKeyExchange, \
             < CertificateRequest, < ServerHelloDone, > Certificate, > ClientKeyExchange, \
             > CertificateVerify, > ChangeCipherSpec, > Finished, < NewSessionTicket, \
             < ChangeCipherSpec, < Finished, = verify certificate, = verify name, > HTTP request, \
             < HTTP response, > Alert",
        ),
        (
            "TLSv1.3",
            "TCP connect > ClientHello, < ServerHello, < ChangeCipherSpec, < EncryptedExtensions, \
             < CertificateRequest, < Certificate, < CertificateVerify, < Finished, \
             > ChangeCipherSpec, > Certificate, > CertificateVerify, > Finished, \
             = verify certificate, = verify name, > HTTP request, < NewSessionTicket, \
             < NewSessionTicket, < HTTP response, > Alert",
        ),
    ] {
        let nginx = SecureApp {
            protocols,
            ..SecureApp::new(&app, &ca)
        }
        .start();
        let seen = run(&presenting(over_tls(nginx.port, &[&ca]), &gateway, &[])).await;
        let steps: Vec<String> = seen.steps[1..]
            .iter()
            .map(|step| {
                let direction = match step.direction {
                    Direction::Sent => ">",
                    Direction::Received => "<",
                    Direction::Local => "=",
                };
                format!("{direction} {}", step.name)
            })
            .collect();
        assert_eq!(format!("TCP connect {}", steps.join(", ")), expected);
        let flight: Vec<u64> = seen
            .steps
            .iter()
            .filter(|step| step.direction == Direction::Received && step.layer == Layer::Tls)
            .take(4)
            .map(|step| step.at_us)
            .collect();
        assert!(
            flight.iter().all(|at| *at == flight[0]),
            "nginx sends them in one piece, so that they arrive at one moment: {flight:?}"
        );
    }
}

/// One row: what is changed, and what comes of it.
struct Row {
    what: &'static str,
    spec: ProbeSpec,
    outcome: Outcome,
    status: u16,
    line: Option<&'static str>,
    failing: Option<&'static str>,
    sentence: &'static str,
}

#[tokio::test]
async fn what_breaks_is_named_in_nginx_s_words_and_ours() {
    peer!("nginx");
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let Guide { ca, app, gateway } = guide();
        let other_ca = Template::ca("OtherCA").self_signed();
        let stranger = Template::client("stranger").signed_by(&other_ca);
        let late = Template::client("late").expired().signed_by(&ca);
        let nginx = SecureApp {
            protocols,
            ..SecureApp::new(&app, &ca)
        }
        .start();
        let fine = || presenting(over_tls(nginx.port, &[&ca]), &gateway, &[]);
        let rows = [
            Row {
                what: "no client certificate",
                spec: over_tls(nginx.port, &[&ca]),
                outcome: Outcome::HttpError,
                status: 400,
                line: None,
                failing: Some("HTTP response"),
                sentence: "demands a client certificate (400), and none was sent",
            },
            Row {
                what: "client certificate of another CA",
                spec: presenting(over_tls(nginx.port, &[&ca]), &stranger, &[]),
                outcome: Outcome::HttpError,
                status: 400,
                line: None,
                failing: Some("HTTP response"),
                sentence: "does not accept the client certificate from Secret default/gateway-presents-this",
            },
            Row {
                what: "expired client certificate",
                spec: presenting(over_tls(nginx.port, &[&ca]), &late, &[]),
                outcome: Outcome::HttpError,
                status: 400,
                line: None,
                failing: Some("HTTP response"),
                sentence: "does not accept the client certificate",
            },
            Row {
                what: "wrong CA in the policy",
                spec: presenting(over_tls(nginx.port, &[&other_ca]), &gateway, &[]),
                outcome: Outcome::VerifyError,
                status: 502,
                line: Some(
                    "upstream SSL certificate verify error: (21:unable to verify the first certificate) while SSL handshaking to upstream",
                ),
                failing: Some("verify certificate"),
                sentence: "secure-app.example.com's certificate was not signed by a CA in Secret default/backend-cert[ca.crt]",
            },
            Row {
                what: "wrong name in the policy",
                spec: for_name(fine(), "app.example.com"),
                outcome: Outcome::NameMismatch,
                status: 502,
                line: Some(
                    "upstream SSL certificate does not match \"app.example.com\" while SSL handshaking to upstream",
                ),
                failing: Some("verify name"),
                sentence: "the backend's certificate is for secure-app.example.com, not for app.example.com",
            },
            Row {
                what: "plain HTTP to the TLS port",
                spec: plain(nginx.port),
                outcome: Outcome::HttpError,
                status: 400,
                line: None,
                failing: Some("HTTP response"),
                sentence: "expects TLS, and got plain HTTP (400)",
            },
        ];
        for row in rows {
            let seen = run(&row.spec).await;
            let verdict = &seen.nginx;
            assert_eq!(
                verdict.outcome, row.outcome,
                "{}: {}",
                row.what, verdict.sentence
            );
            assert_eq!(verdict.client_status, Some(row.status), "{}", row.what);
            assert_eq!(verdict.log_line.as_deref(), row.line, "{}", row.what);
            assert_eq!(failing_step(&seen), row.failing, "{}", row.what);
            assert!(
                verdict.sentence.contains(row.sentence),
                "{}: {}",
                row.what,
                verdict.sentence
            );
        }
    }
}

#[tokio::test]
async fn after_a_bad_certificate_the_probe_continues_and_says_so() {
    peer!("nginx");
    let Guide { ca, app, .. } = guide();
    let other_ca = Template::ca("OtherCA").self_signed();
    let nginx = SecureApp::new(&app, &ca).start();
    let seen = run(&over_tls(nginx.port, &[&other_ca])).await;
    assert_eq!(seen.nginx.outcome, Outcome::VerifyError);
    assert_eq!(seen.nginx.client_status, Some(502));
    assert_eq!(
        seen.http.unwrap().status,
        400,
        "the second fault is seen as well"
    );
    for step in &seen.steps {
        let is_beyond =
            step.layer == Layer::Http || step.name == "NewSessionTicket" || step.name == "Alert";
        assert_eq!(step.beyond_nginx, is_beyond, "{}", step.name);
    }
}

#[tokio::test]
async fn an_expired_server_certificate_is_judged_at_the_moment_that_was_asked_for() {
    peer!("nginx");
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).expired().signed_by(&ca);
    let nginx = SecureApp {
        verify_client: "off",
        ..SecureApp::new(&app, &ca)
    }
    .start();
    let spec = over_tls(nginx.port, &[&ca]);
    let seen = run(&spec).await;
    assert_eq!(seen.nginx.verify_code, Some(10), "{}", seen.nginx.sentence);
    assert!(
        seen.nginx
            .sentence
            .starts_with("secure-app.example.com's certificate expired on 2")
    );
    // The CA itself is a day old.
    let mut earlier = spec;
    let hours_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 + 12);
    if let Some(tls) = &mut earlier.tls {
        tls.at = Some(hours_ago);
    }
    assert_eq!(
        run(&earlier).await.nginx.verify_code,
        Some(9),
        "the CA was not yet valid then"
    );
}

#[tokio::test]
async fn optional_and_never_requested_are_told_apart() {
    peer!("nginx");
    let Guide { ca, app, .. } = guide();
    for (verify_client, requested, sentence) in [
        (
            "optional",
            true,
            "without the client certificate that it asked for: no mutual TLS",
        ),
        (
            "off",
            false,
            "asked for no client certificate: no mutual TLS",
        ),
    ] {
        let nginx = SecureApp {
            verify_client,
            ..SecureApp::new(&app, &ca)
        }
        .start();
        let seen = run(&over_tls(nginx.port, &[&ca])).await;
        assert_eq!(seen.nginx.outcome, Outcome::Ok);
        assert_eq!(seen.client_certificate.requested, requested);
        assert!(
            seen.nginx.sentence.contains(sentence),
            "{}",
            seen.nginx.sentence
        );
    }
}
