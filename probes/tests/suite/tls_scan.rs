//! The matrix against Debian's nginx and `openssl s_server`, configured to accept this and that.

use crate::support::nginx::SecureApp;
use crate::support::openssl_server::OpensslServer;
use crate::support::pki::{Issued, KeyKind, Template};
use crate::support::{HOST, free_ports, over_tls, presenting};
use ngf_probes::dial::Direct;
use ngf_probes::spec::{Options, ProbeSpec};
use ngf_probes::tls_scan::{Answer, Axis, TlsScan, measure};
use ngf_tls::transcript::{Demand, Outcome};
use tokio_util::sync::CancellationToken;

struct Guide {
    ca: Issued,
    app: Issued,
    gateway: Issued,
}

fn guide() -> Guide {
    let ca = Template::ca("LocalCA").self_signed();
    Guide {
        // With an RSA key each family of TLS 1.2 can be had.
        app: Template::server(HOST)
            .with(|t| t.key = KeyKind::Rsa(2048))
            .signed_by(&ca),
        gateway: Template::client("gateway").signed_by(&ca),
        ca,
    }
}

async fn matrix(spec: &ProbeSpec) -> TlsScan {
    measure(
        spec,
        &Options::default(),
        &Direct,
        &CancellationToken::new(),
    )
    .await
    .expect("the matrix can be measured")
}

/// The names on an axis that were accepted; one that NGINX offers has a star.
fn accepted(matrix: &TlsScan, axis: Axis) -> Vec<String> {
    let rows = matrix.rows.iter().filter(|row| row.axis == axis);
    rows.filter(|row| row.answer == Answer::Accepted)
        .map(|row| format!("{}{}", if row.nginx { "*" } else { "" }, row.name))
        .collect()
}

fn answer(matrix: &TlsScan, name: &str) -> Answer {
    let row = matrix.rows.iter().find(|row| row.name == name);
    row.unwrap_or_else(|| panic!("no row {name}")).answer
}

#[tokio::test]
async fn a_backend_of_tls_1_2_with_one_suite_and_one_group() {
    peer!("nginx");
    let Guide { ca, app, gateway } = guide();
    let nginx = SecureApp {
        protocols: "TLSv1.2",
        more: "ssl_ciphers ECDHE-RSA-CHACHA20-POLY1305; ssl_ecdh_curve prime256v1;",
        ..SecureApp::new(&app, &ca)
    }
    .start();
    let matrix = matrix(&presenting(over_tls(nginx.port, &[&ca]), &gateway, &[])).await;

    assert_eq!(matrix.nginx_inside, Some(true), "{}", matrix.sentence);
    assert_eq!(accepted(&matrix, Axis::Version), ["*TLSv1.2"]);
    assert_eq!(accepted(&matrix, Axis::Cipher), ["*ECDHE with ChaCha20"]);
    assert_eq!(accepted(&matrix, Axis::Group), ["*secp256r1"]);
    assert_eq!(matrix.demand, Demand::Required);
    assert_eq!(
        accepted(&matrix, Axis::ClientCertificate),
        ["*with the client certificate"]
    );
    assert_eq!(
        accepted(&matrix, Axis::ServerName),
        ["without a server name"]
    );
    assert!(matrix.sentence.contains("NGINX's defaults lie inside"));
    assert!(matrix.sentence.contains("demands a client certificate"));
    assert_eq!(matrix.rows[0].outcome, Some(Outcome::Ok));
}

#[tokio::test]
async fn a_backend_of_old_versions_lies_outside_and_both_sets_are_named() {
    peer!("nginx");
    let Guide { ca, app, .. } = guide();
    let nginx = SecureApp {
        protocols: "TLSv1 TLSv1.1",
        verify_client: "off",
        more: "ssl_ciphers DEFAULT:@SECLEVEL=0;",
        ..SecureApp::new(&app, &ca)
    }
    .start();
    let matrix = matrix(&over_tls(nginx.port, &[&ca])).await;

    assert_eq!(matrix.nginx_inside, Some(false));
    assert_eq!(accepted(&matrix, Axis::Version), ["TLSv1.0", "TLSv1.1"]);
    assert!(accepted(&matrix, Axis::Cipher).is_empty());
    assert_eq!(
        matrix.sentence,
        "NGINX's defaults lie outside of what the backend accepts: of versions it takes TLSv1.0, TLSv1.1, and NGINX offers TLSv1.2, TLSv1.3. \
         As things are, the gateway's client gets 502."
    );
    assert_eq!(matrix.rows[0].alert, Some(70));
    assert_eq!(matrix.rows[0].note, "alert 70 (protocol_version)");
}

#[tokio::test]
async fn a_backend_that_takes_all_and_asks_for_a_certificate_without_need() {
    peer!("nginx");
    let Guide { ca, app, gateway } = guide();
    let nginx = SecureApp {
        verify_client: "optional",
        ..SecureApp::new(&app, &ca)
    }
    .start();
    let matrix = matrix(&presenting(over_tls(nginx.port, &[&ca]), &gateway, &[])).await;

    assert_eq!(accepted(&matrix, Axis::Version), ["*TLSv1.2", "*TLSv1.3"]);
    let ciphers = accepted(&matrix, Axis::Cipher);
    for name in [
        "*TLS_AES_256_GCM_SHA384",
        "*TLS_CHACHA20_POLY1305_SHA256",
        "*TLS_AES_128_GCM_SHA256",
        "*ECDHE with AES-GCM",
        "*ECDHE with ChaCha20",
        "*ECDHE with AES-CBC",
        "*RSA key exchange with AES-GCM",
        "*RSA key exchange with AES-CBC",
    ] {
        assert!(
            ciphers.iter().any(|known| known == name),
            "{name}: {ciphers:?}"
        );
    }
    assert_eq!(answer(&matrix, "TLS_AES_128_CCM_SHA256"), Answer::Refused);
    // OpenSSL 3.0 knows no hybrid group; what the probe's own OpenSSL offers is another matter.
    assert_ne!(answer(&matrix, "X25519MLKEM768"), Answer::Accepted);
    assert_eq!(answer(&matrix, "x25519"), Answer::Accepted);
    assert_eq!(matrix.demand, Demand::Optional);
    assert!(
        matrix.sentence.contains("no mutual TLS"),
        "{}",
        matrix.sentence
    );
    assert_eq!(
        accepted(&matrix, Axis::ClientCertificate),
        [
            "without a client certificate",
            "*with the client certificate"
        ]
    );
}

#[tokio::test]
async fn a_backend_that_asks_for_no_certificate_is_told_from_one_that_asks_without_need() {
    peer!("nginx");
    let Guide { ca, app, gateway } = guide();
    let nginx = SecureApp {
        verify_client: "off",
        ..SecureApp::new(&app, &ca)
    }
    .start();
    let matrix = matrix(&presenting(over_tls(nginx.port, &[&ca]), &gateway, &[])).await;
    assert_eq!(matrix.demand, Demand::NotRequested);
    assert!(
        matrix
            .sentence
            .contains("asks for no client certificate: no mutual TLS")
    );
    assert_eq!(
        answer(&matrix, "with the client certificate"),
        Answer::Unknown
    );
}

#[tokio::test]
async fn without_a_server_name_another_certificate_is_noticed() {
    peer!("nginx");
    let Guide { ca, app, .. } = guide();
    let other = Template::server("other.example.com").signed_by(&ca);
    let nginx = crate::support::nginx::Nginx::start(|folder, port| {
        for (name, issued) in [("app", &app), ("other", &other)] {
            std::fs::write(folder.join(format!("{name}.crt")), issued.pem()).unwrap();
            std::fs::write(folder.join(format!("{name}.key")), issued.key_pem()).unwrap();
        }
        let server = |name: &str, listen: &str, host: &str| {
            format!(
                "server {{ listen 127.0.0.1:{port} ssl {listen}; server_name {host};
                 ssl_certificate {name}.crt; ssl_certificate_key {name}.key;
                 location / {{ return 200 hello; }} }}"
            )
        };
        server("other", "default_server", "other.example.com") + &server("app", "", HOST)
    });
    let matrix = matrix(&over_tls(nginx.port, &[&ca])).await;
    let row = matrix.rows.iter().find(|row| row.axis == Axis::ServerName);
    let row = row.unwrap();
    assert_eq!(row.answer, Answer::Accepted);
    assert_eq!(row.note, "another certificate: CN=other.example.com");
    assert_eq!(row.outcome, Some(Outcome::NameMismatch));
}

#[tokio::test]
async fn an_alert_about_the_client_says_nothing_against_versions_and_ciphers() {
    peer!("openssl");
    let Guide { ca, app, gateway } = guide();
    for (version, expected) in [("-tls1_2", "*TLSv1.2"), ("-tls1_3", "*TLSv1.3")] {
        let server = OpensslServer::demanding(&app, &ca, version);
        let spec = over_tls(server.port, &[&ca]);
        let matrix_without = matrix(&spec).await;
        assert_eq!(accepted(&matrix_without, Axis::Version), [expected]);
        assert_eq!(matrix_without.demand, Demand::Required, "{version}");
        assert_eq!(
            answer(&matrix_without, "with the client certificate"),
            Answer::NotOffered
        );
        let with = matrix(&presenting(spec, &gateway, &[])).await;
        assert_eq!(with.demand, Demand::Required, "{version}");
        assert_eq!(
            answer(&with, "without a client certificate"),
            Answer::Refused
        );
        assert_eq!(
            answer(&with, "with the client certificate"),
            Answer::Accepted
        );
    }
}

#[tokio::test]
async fn groups_of_an_openssl_server() {
    peer!("openssl");
    let Guide { ca, app, .. } = guide();
    let server = OpensslServer::start(&app, &ca, &["-tls1_3", "-groups", "P-521:ffdhe2048"]);
    let matrix = matrix(&over_tls(server.port, &[&ca])).await;
    assert_eq!(accepted(&matrix, Axis::Group), ["*secp521r1", "*ffdhe2048"]);
}

#[tokio::test]
async fn nothing_that_listens_is_nothing_known() {
    let Guide { ca, .. } = guide();
    let matrix = matrix(&over_tls(free_ports(1)[0], &[&ca])).await;
    assert_eq!(matrix.nginx_inside, None);
    assert_eq!(matrix.rows.len(), 1, "there is no use in asking on");
    assert!(
        matrix.sentence.contains("refuses the connection"),
        "{}",
        matrix.sentence
    );
}
