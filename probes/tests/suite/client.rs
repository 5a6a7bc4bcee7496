//! The gateway's client against nginx with a listener as NGF renders it, with curl as the client that others wrote.

use std::process::Command;
use std::time::Duration;

use ngf_probes::client::{ClientEnding, ClientSpec, ClientTls, ClientTranscript, ask};
use ngf_probes::dial::Direct;
use ngf_probes::spec::{ClientIdentity, HttpSpec, Trust};
use ngf_tls::transcript::{Direction, Layer, StepStatus};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::support::nginx::{Nginx, SecureApp};
use crate::support::pki::{CLIENT_AUTH, Issued, Template, bundle};
use crate::support::{HOST, free_ports, raw_peer};

/// What NGF renders for `AllowValidOnly` (`servers_template.go`).
const VALID_ONLY: &str = "ssl_verify_depth 4;
    error_page 495 496 = @frontend_tls_verify_failed;
    location @frontend_tls_verify_failed { return 444; }";

fn listener(web: &Issued, clients: &Issued, protocols: &'static str) -> Nginx {
    SecureApp {
        protocols,
        more: VALID_ONLY,
        ..SecureApp::new(web, clients)
    }
    .start()
}

fn spec(port: u16, trusted: &[&Issued]) -> ClientSpec {
    ClientSpec {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Some(ClientTls {
            server_name: HOST.to_owned(),
            trust: vec![Trust::Bundle {
                pem: bundle(trusted),
                origin: "Secret default/web[ca.crt]".to_owned(),
            }],
            identity: None,
            alpn: vec!["http/1.1".to_owned()],
        }),
        request: Some(HttpSpec {
            method: "GET".to_owned(),
            host: HOST.to_owned(),
            path: "/".to_owned(),
        }),
        timeout: Duration::from_secs(30),
    }
}

fn presenting(mut spec: ClientSpec, client: &Issued) -> ClientSpec {
    spec.tls.as_mut().unwrap().identity = Some(ClientIdentity {
        certificate_pem: client.pem(),
        key_pem: Zeroizing::new(client.key_pem()),
        origin: "file client.pem".to_owned(),
    });
    spec
}

async fn run(spec: &ClientSpec) -> ClientTranscript {
    ask(spec, &Direct, &CancellationToken::new())
        .await
        .expect("the client can be run")
}

/// What curl gets: its exit status and what it says.
fn curl(nginx: &Nginx, ca: &Issued, client: Option<&Issued>) -> (Option<i32>, String) {
    let folder = nginx.folder();
    std::fs::write(folder.join("curl-ca.pem"), ca.pem()).unwrap();
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--max-time", "30", "--cacert"])
        .arg(folder.join("curl-ca.pem"));
    if let Some(client) = client {
        let pem = [client.pem(), client.key_pem()].concat();
        std::fs::write(folder.join("curl.pem"), pem).unwrap();
        command.arg("--cert").arg(folder.join("curl.pem"));
    }
    let output = command
        .arg("--resolve")
        .arg(format!("{HOST}:{}:127.0.0.1", nginx.port))
        .arg(format!("https://{HOST}:{}/", nginx.port))
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test]
async fn a_client_gets_what_curl_gets() {
    peer!("nginx");
    peer!("curl");
    let ca = Template::ca("LocalCA").self_signed();
    let clients = Template::ca("ClientCA").self_signed();
    let web = Template::server(HOST).signed_by(&ca);
    let good = Template::client("alice").signed_by(&clients);
    let other = Template::client("mallory").signed_by(&ca);
    let expired = Template::client("bob").expired().signed_by(&clients);
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let nginx = listener(&web, &clients, protocols);
        for (client, ending, status) in [
            (None, ClientEnding::Closed, Some(52)),
            (Some(&other), ClientEnding::Closed, Some(52)),
            (Some(&expired), ClientEnding::Closed, Some(52)),
            (Some(&good), ClientEnding::Answered, Some(0)),
        ] {
            let plain = spec(nginx.port, &[&ca]);
            let asked = client.map_or(plain.clone(), |client| presenting(plain, client));
            let seen = run(&asked).await;
            let (got, said) = curl(&nginx, &ca, client);
            assert_eq!(got, status, "{said}");
            assert_eq!(seen.ending, ending, "{}", seen.sentence);
            assert_eq!(seen.tls.as_ref().unwrap().version, protocols);
            let part = &seen.client_certificate;
            assert!(part.requested);
            assert_eq!(part.sent, client.is_some());
            assert_eq!(part.acceptable_cas, ["CN=ClientCA"]);
            assert_eq!(seen.judged.as_ref().unwrap().accepted, Some(true));
            assert_eq!(seen.http.is_some(), ending == ClientEnding::Answered);
        }
    }
}

#[tokio::test]
async fn a_certificate_that_curl_refuses_a_strict_client_refuses() {
    peer!("nginx");
    peer!("curl");
    let ca = Template::ca("LocalCA").self_signed();
    let clients = Template::ca("ClientCA").self_signed();
    let intermediate = Template::ca("Intermediate").signed_by(&ca);
    let good = Template::client("alice").signed_by(&clients);
    for (web, reason) in [
        (
            Template::server("other.example.com").signed_by(&ca),
            "and none is secure-app.example.com",
        ),
        (Template::server(HOST).expired().signed_by(&ca), "expired"),
        (
            Template::server(HOST)
                .with(|t| t.extended_key_usage = Some(vec![CLIENT_AUTH]))
                .signed_by(&ca),
            "extended key usage",
        ),
    ] {
        let nginx = listener(&web, &clients, "TLSv1.3");
        let seen = run(&presenting(spec(nginx.port, &[&ca]), &good)).await;
        let judged = seen.judged.as_ref().unwrap();
        assert_eq!(judged.accepted, Some(false), "{}", judged.sentence);
        assert!(judged.sentence.contains(reason), "{}", judged.sentence);
        assert!(
            seen.sentence.contains(&judged.sentence),
            "{}",
            seen.sentence
        );
        let (status, said) = curl(&nginx, &ca, Some(&good));
        assert_eq!(status, Some(60), "{said}");
        // It continues all the same: what the listener makes of the client is worth knowing.
        assert_eq!(seen.ending, ClientEnding::Answered);
    }
    let web = Template::server(HOST).signed_by(&intermediate);
    let nginx = listener(&web, &clients, "TLSv1.3");
    let seen = run(&presenting(spec(nginx.port, &[&ca]), &good)).await;
    let judged = seen.judged.as_ref().unwrap();
    assert_eq!(judged.accepted, None, "{}", judged.sentence);
    assert!(
        judged.sentence.contains("CN=Intermediate"),
        "{}",
        judged.sentence
    );
}

#[tokio::test]
async fn every_message_of_the_handshake_is_a_step() {
    peer!("nginx");
    let ca = Template::ca("LocalCA").self_signed();
    let web = Template::server(HOST).signed_by(&ca);
    let client = Template::client("alice").signed_by(&ca);
    for (protocols, expected) in [
        (
            "TLSv1.2",
            "> ClientHello, < ServerHello, < Certificate, < ServerKeyExchange, < CertificateRequest, < ServerHelloDone, > Certificate, > ClientKeyExchange, > CertificateVerify",
        ),
        (
            "TLSv1.3",
            "> ClientHello, < ServerHello, < CertificateRequest, < Certificate, < CertificateVerify, < Finished, > Certificate, > Finished",
        ),
    ] {
        let nginx = listener(&web, &ca, protocols);
        let seen = run(&presenting(spec(nginx.port, &[&ca]), &client)).await;
        let messages = seen.steps.iter().filter(|step| step.layer == Layer::Tls);
        let messages: Vec<String> = messages
            .map(|step| match step.direction {
                Direction::Sent => format!("> {}", step.name),
                _ => format!("< {}", step.name),
            })
            .collect();
        assert_eq!(messages.join(", "), expected);
        let judged = seen
            .steps
            .iter()
            .find(|step| step.layer == Layer::Verify)
            .unwrap();
        assert_eq!(judged.status, StepStatus::Ok, "{}", judged.summary);
        let last = seen.steps.last().unwrap();
        assert_eq!((last.layer, last.status), (Layer::Http, StepStatus::Ok));
        assert!(last.summary.starts_with("200"), "{}", last.summary);
        let times: Vec<u64> = seen.steps.iter().map(|step| step.at_us).collect();
        assert!(times.is_sorted());
    }
}

#[tokio::test]
async fn a_handshake_alone_is_an_answer() {
    peer!("nginx");
    let ca = Template::ca("LocalCA").self_signed();
    let web = Template::server(HOST).signed_by(&ca);
    let nginx = SecureApp {
        verify_client: "off",
        ..SecureApp::new(&web, &ca)
    }
    .start();
    let mut asked = spec(nginx.port, &[&ca]);
    asked.request = None;
    let seen = run(&asked).await;
    assert_eq!(seen.ending, ClientEnding::Shaken, "{}", seen.sentence);
    assert!(!seen.client_certificate.requested);
    assert!(nginx.access_log(0).is_empty(), "nothing was asked");
}

#[tokio::test]
async fn a_listener_that_rejects_the_name_or_speaks_no_tls_is_named() {
    peer!("nginx");
    let ca = Template::ca("LocalCA").self_signed();
    let nginx = Nginx::start(|_, port| {
        format!("server {{ listen 127.0.0.1:{port} ssl; ssl_reject_handshake on; }}")
    });
    let seen = run(&spec(nginx.port, &[&ca])).await;
    assert_eq!(
        seen.ending,
        ClientEnding::HandshakeFailed,
        "{}",
        seen.sentence
    );
    assert_eq!(seen.alert, Some(112), "{}", seen.sentence);
    let nginx =
        Nginx::start(|_, port| format!("server {{ listen 127.0.0.1:{port}; return 200; }}"));
    let seen = run(&spec(nginx.port, &[&ca])).await;
    assert_eq!(seen.ending, ClientEnding::HandshakeFailed);
    assert!(
        seen.sentence.contains("does not speak TLS"),
        "{}",
        seen.sentence
    );
    let seen = run(&spec(free_ports(1)[0], &[&ca])).await;
    assert_eq!(seen.ending, ClientEnding::NotConnected, "{}", seen.sentence);
}

#[tokio::test]
async fn any_bytes_of_a_listener_end_in_a_transcript() {
    let ca = Template::ca("LocalCA").self_signed();
    let answers: [&'static [u8]; 6] = [
        b"",
        b"\x16\x03\x03",
        b"\x16\x03\x03\xff\xff\x02\x00\xff\xff",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x14\x03\x03\x00\x01\x01\x14\x03\x03\x00\x01\x01",
        b"SSH-2.0-OpenSSH\x1b[31m\r\n",
    ];
    for answer in answers {
        let port = raw_peer::listen(move |mut stream| async move {
            // It reads the ClientHello, so that closing does not reset the connection before the answer is read.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer).await;
        })
        .await;
        let mut asked = spec(port, &[&ca]);
        asked.timeout = Duration::from_secs(10);
        let seen = run(&asked).await;
        let failed = [
            ClientEnding::HandshakeFailed,
            ClientEnding::HandshakeTimedOut,
        ];
        assert!(
            failed.contains(&seen.ending),
            "{answer:?}: {}",
            seen.sentence
        );
        assert!(!seen.sentence.contains('\x1b'), "{}", seen.sentence);
    }
}

#[tokio::test]
async fn a_client_certificate_that_cannot_be_used_is_one_clear_sentence() {
    let ca = Template::ca("LocalCA").self_signed();
    let alice = Template::client("alice").signed_by(&ca);
    let bob = Template::client("bob").signed_by(&ca);
    let port = free_ports(1)[0];
    for (certificate, key, said) in [
        (
            alice.pem(),
            bob.key_pem(),
            "has the key of another certificate",
        ),
        (b"no PEM".to_vec(), alice.key_pem(), "holds no certificate"),
        (
            alice.pem(),
            b"no PEM".to_vec(),
            "has a key that is not PEM, or is encrypted",
        ),
    ] {
        let mut asked = spec(port, &[&ca]);
        asked.tls.as_mut().unwrap().identity = Some(ClientIdentity {
            certificate_pem: certificate,
            key_pem: Zeroizing::new(key),
            origin: "file client.pem".to_owned(),
        });
        let error = ask(&asked, &Direct, &CancellationToken::new()).await;
        let error = error.expect_err("it cannot be run").to_string();
        assert_eq!(
            error,
            format!("the client certificate of file client.pem {said}")
        );
    }
}
