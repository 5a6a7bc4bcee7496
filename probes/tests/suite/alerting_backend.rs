//! `openssl s_server -Verify 1 -verify_return_error`: a backend that says no by alert, in the
//! handshake with TLS 1.2, and after it with TLS 1.3.

use crate::support::openssl_server::OpensslServer;
use crate::support::pki::{CLIENT_AUTH, Issued, SERVER_AUTH, Template};
use crate::support::{HOST, over_tls, presenting, run};
use ngf_tls::transcript::{Outcome, StepStatus};

/// A client certificate, and the alert that it earns in TLS 1.2 and 1.3.
struct Row {
    what: &'static str,
    client: Option<Issued>,
    alerts: [Option<u8>; 2],
    sentence: &'static str,
}

fn rows(ca: &Issued) -> Vec<Row> {
    let other = Template::ca("OtherCA").self_signed();
    let row = |what, client, alerts, sentence| Row {
        what,
        client,
        alerts,
        sentence,
    };
    vec![
        row(
            "good",
            Some(Template::client("gateway").signed_by(ca)),
            [None, None],
            "answers 200",
        ),
        row(
            "none",
            None,
            [Some(40), Some(116)],
            "demands a client certificate, and none was sent",
        ),
        row(
            "another CA",
            Some(Template::client("stranger").signed_by(&other)),
            [Some(48), Some(48)],
            "does not know the CA of the client certificate from Secret default/gateway-presents-this",
        ),
        row(
            "expired",
            Some(Template::client("late").expired().signed_by(ca)),
            [Some(45), Some(45)],
            "has expired",
        ),
        row(
            "not yet valid",
            Some(Template::client("early").not_yet_valid().signed_by(ca)),
            [Some(42), Some(42)],
            "not acceptable",
        ),
        row(
            "for servers only",
            Some(
                Template::client("server")
                    .with(|t| t.extended_key_usage = Some(vec![SERVER_AUTH]))
                    .signed_by(ca),
            ),
            [Some(43), Some(43)],
            "of a kind that it does not take",
        ),
        row(
            "for clients only",
            Some(
                Template::client("client")
                    .with(|t| t.extended_key_usage = Some(vec![CLIENT_AUTH]))
                    .signed_by(ca),
            ),
            [None, None],
            "answers 200",
        ),
    ]
}

#[tokio::test]
async fn alerts_are_numbered_named_and_explained() {
    peer!("openssl");
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).signed_by(&ca);
    for (index, version) in ["-tls1_2", "-tls1_3"].into_iter().enumerate() {
        let server = OpensslServer::demanding(&app, &ca, version);
        for Row {
            what,
            client,
            alerts,
            sentence,
        } in rows(&ca)
        {
            let spec = over_tls(server.port, &[&ca]);
            let spec = match &client {
                Some(client) => presenting(spec, client, &[]),
                None => spec,
            };
            let seen = run(&spec).await;
            let verdict = &seen.nginx;
            let about = format!("{version}, {what}: {verdict:?}");
            assert_eq!(verdict.alert, alerts[index], "{about}");
            assert!(verdict.sentence.contains(sentence), "{about}");
            let Some(alert) = alerts[index] else {
                assert_eq!(verdict.outcome, Outcome::Ok, "{about}");
                continue;
            };
            assert_eq!(verdict.outcome, Outcome::TlsError, "{about}");
            assert_eq!(verdict.client_status, Some(502), "{about}");
            let line = verdict.log_line.as_deref().unwrap();
            let (call, action) = match version {
                "-tls1_2" => ("SSL_do_handshake()", "SSL handshaking to upstream"),
                _ => ("SSL_read()", "reading response header from upstream"),
            };
            assert!(
                line.starts_with(&format!("{call} failed (SSL: error:0A000")),
                "{line}"
            );
            assert!(
                line.ends_with(&format!("SSL alert number {alert}) while {action}")),
                "{line}"
            );
            let failed: Vec<_> = seen
                .steps
                .iter()
                .filter(|s| s.status == StepStatus::Failed)
                .collect();
            assert_eq!(failed.len(), 1, "{about}");
            assert_eq!(failed[0].name, "Alert", "{about}");
        }
    }
}

/// A server that demands a client certificate and closes the connection right behind its alert, so that
/// the request of a client without one meets a closed connection as often as not.
fn closing_behind_its_alert(leaf: &Issued, ca: &Issued) -> u16 {
    use openssl::{
        pkey::PKey,
        ssl::{SslAcceptor, SslMethod, SslVerifyMode},
        x509::X509,
    };
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    let certificate = X509::from_pem(&leaf.pem()).unwrap();
    let key = PKey::private_key_from_pem(&leaf.key_pem()).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor
        .cert_store_mut()
        .add_cert(X509::from_pem(&ca.pem()).unwrap())
        .unwrap();
    acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    let acceptor = acceptor.build();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // What it answers is the alert; the connection is closed when the error is dropped.
            let refused = acceptor.accept(stream);
            assert!(refused.is_err(), "nobody presents a certificate");
        }
    });
    port
}

#[tokio::test]
async fn an_alert_is_decoded_however_soon_the_backend_closes_behind_it() {
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).signed_by(&ca);
    let port = closing_behind_its_alert(&app, &ca);
    for round in 0..100 {
        let seen = run(&over_tls(port, &[&ca])).await;
        let verdict = &seen.nginx;
        assert_eq!(verdict.alert, Some(116), "round {round}: {verdict:?}");
        assert!(
            verdict.sentence.contains("demands a client certificate"),
            "round {round}: {verdict:?}"
        );
    }
}
