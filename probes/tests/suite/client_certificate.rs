//! What the backend thinks of the client certificate, by what it does, and by its own CA.

use crate::support::nginx::SecureApp;
use crate::support::openssl_server::OpensslServer;
use crate::support::pki::{Issued, Template};
use crate::support::{HOST, over_tls, presenting, run};
use ngf_probes::dial::Direct;
use ngf_probes::spec::{BackendTrust, Options, ProbeSpec};
use ngf_probes::{ProbeError, probe_with, settle_demand};
use ngf_tls::chain::Certificates;
use ngf_tls::transcript::{ClientCertificate, Demand};
use tokio_util::sync::CancellationToken;

fn ca() -> (Issued, Issued) {
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).signed_by(&ca);
    (ca, app)
}

async fn seen(spec: &ProbeSpec) -> ClientCertificate {
    run(spec).await.client_certificate
}

#[tokio::test]
async fn an_nginx_backend_says_by_its_answer_what_it_demands() {
    peer!("nginx");
    let (ca, app) = ca();
    let gateway = Template::client("gateway").signed_by(&ca);
    let stranger = Template::client("gateway").signed_by(&Template::ca("Other CA").self_signed());
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let start = |verify_client| {
            SecureApp {
                verify_client,
                protocols,
                ..SecureApp::new(&app, &ca)
            }
            .start()
        };
        let on = start("on");
        let spec = over_tls(on.port, &[&ca]);
        let without = seen(&spec).await;
        assert_eq!(without.demand, Demand::Required, "{}", without.sentence);
        assert_eq!(without.accepted, None);
        let with = seen(&presenting(spec.clone(), &gateway, &[])).await;
        assert_eq!(
            (with.demand, with.accepted),
            (Demand::Requested, Some(true))
        );
        assert_eq!(with.issuer_named, Some(true));
        assert_eq!(with.issuers, ["CN=LocalCA"]);
        let other = seen(&presenting(spec, &stranger, &[])).await;
        assert_eq!(
            (other.demand, other.accepted),
            (Demand::Requested, Some(false))
        );
        assert_eq!(other.issuer_named, Some(false));
        assert_eq!(
            other.sentence,
            "the backend refused the client certificate CN=gateway: HTTP 400 \"The SSL certificate error\"; \
             no issuer of it (CN=Other CA) is among the CAs that the backend names (CN=LocalCA)"
        );

        let optional = start("optional");
        let optional = seen(&over_tls(optional.port, &[&ca])).await;
        assert_eq!(optional.demand, Demand::Optional);
        let off = start("off");
        let off = seen(&presenting(over_tls(off.port, &[&ca]), &gateway, &[])).await;
        assert_eq!(off.demand, Demand::NotRequested);
        for one in [&optional, &off] {
            assert!(one.sentence.contains("no mutual TLS"), "{}", one.sentence);
        }
    }
}

#[tokio::test]
async fn whether_a_taken_certificate_is_demanded_a_second_handshake_tells() {
    peer!("nginx");
    let (ca, app) = ca();
    let gateway = Template::client("gateway").signed_by(&ca);
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        for (verify_client, demand) in [
            ("on", Demand::Required),
            ("optional", Demand::Optional),
            ("off", Demand::NotRequested),
        ] {
            let backend = SecureApp {
                verify_client,
                protocols,
                ..SecureApp::new(&app, &ca)
            }
            .start();
            let spec = presenting(over_tls(backend.port, &[&ca]), &gateway, &[]);
            let mut transcript = run(&spec).await;
            settle_demand(&mut transcript, &spec, &Direct, &CancellationToken::new()).await;
            let seen = &transcript.client_certificate;
            assert_eq!(seen.demand, demand, "{verify_client}: {}", seen.sentence);
        }
    }
}

#[tokio::test]
async fn a_backend_that_sends_alerts_says_it_by_them() {
    peer!("openssl");
    let (ca, app) = ca();
    let gateway = Template::client("gateway").signed_by(&ca);
    let expired = Template::client("gateway").expired().signed_by(&ca);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = OpensslServer::demanding(&app, &ca, version);
        let spec = over_tls(server.port, &[&ca]);
        let without = seen(&spec).await;
        assert_eq!(without.demand, Demand::Required, "{}", without.sentence);
        let with = seen(&presenting(spec.clone(), &gateway, &[])).await;
        assert_eq!(with.accepted, Some(true), "{}", with.sentence);
        let refused = seen(&presenting(spec, &expired, &[])).await;
        assert_eq!(refused.accepted, Some(false));
        assert!(
            refused.sentence.contains("alert 45 (certificate_expired)"),
            "{}",
            refused.sentence
        );
    }
}

#[tokio::test]
async fn where_the_backends_ca_is_known_the_certificate_is_judged_as_nginx_judges_it() {
    peer!("nginx");
    let (ca, app) = ca();
    let first = Template::ca("First").signed_by(&ca);
    let second = Template::ca("Second").signed_by(&first);
    let below_one = Template::client("gateway").signed_by(&first);
    let below_two = Template::client("gateway").signed_by(&second);
    let nginx = SecureApp::new(&app, &ca).start();
    let spec = over_tls(nginx.port, &[&ca]);
    // nginx's ssl_verify_depth is 1 by default.
    for (spec, code, accepted) in [
        (presenting(spec.clone(), &below_one, &[&first]), 0, true),
        (presenting(spec.clone(), &below_one, &[]), 21, false),
        (presenting(spec, &below_two, &[&second, &first]), 20, false),
    ] {
        let options = Options {
            backend_trust: Some(BackendTrust {
                trusted: Certificates::Pem(ca.pem()),
                origin: "Secret default/backend-cert[ca.crt]".to_owned(),
                depth: 1,
            }),
            ..Options::default()
        };
        let transcript = probe_with(&spec, &options, &Direct, &CancellationToken::new())
            .await
            .unwrap();
        let seen = transcript.client_certificate;
        let own = seen.judged_as_backend.unwrap();
        assert_eq!((own.code, seen.accepted), (code, Some(accepted)));
        let log = nginx.error_log();
        assert!(
            code == 0 || log.contains(&format!("client SSL certificate verify error: ({code}:")),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_ca_of_the_backend_that_cannot_be_read_ends_the_probe_with_its_name() {
    let (ca, _) = ca();
    let gateway = Template::client("gateway").signed_by(&ca);
    let options = Options {
        backend_trust: Some(BackendTrust {
            trusted: Certificates::Pem(b"nothing".to_vec()),
            origin: "file ca.crt".to_owned(),
            depth: 1,
        }),
        ..Options::default()
    };
    let spec = presenting(over_tls(1, &[&ca]), &gateway, &[]);
    let error = probe_with(&spec, &options, &Direct, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, ProbeError::BackendTrust { .. }));
    assert_eq!(
        error.to_string(),
        "the CA that the backend trusts, file ca.crt, cannot be used"
    );
}
