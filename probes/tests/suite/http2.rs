//! HTTP/2 and raw streams: backends that others wrote, and nginx's own `grpc_pass` before them.
//! No grpc-go server stands here: nginx and `openssl s_server` show both of its answers, which are
//! `h2` selected and alert 120.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use ngf_probes::dial::Direct;
use ngf_probes::settle_demand;
use ngf_probes::spec::{HttpSpec, ProbeSpec};
use ngf_tls::transcript::{Demand, Outcome, Transcript};
use ngf_tls::{mark::is_marked, protocol::Protocol};
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;
use tokio_util::sync::CancellationToken;

use crate::support::nginx::Nginx;
use crate::support::openssl_server::OpensslServer;
use crate::support::pki::{Issued, Template};
use crate::support::{HOST, over_tls, plain, presenting, run};

fn speaking(mut spec: ProbeSpec, protocol: Protocol) -> ProbeSpec {
    spec.protocol = protocol;
    spec
}

fn authority() -> (Issued, Issued) {
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).signed_by(&ca);
    (ca, app)
}

/// A backend; `http2` adds it to its `listen`.
fn backend(app: &Issued, http2: bool, verify: Option<&Issued>) -> Nginx {
    let certificate = app.pem();
    let key = app.key_pem();
    Nginx::start(|folder, port| {
        fs::write(folder.join("tls.crt"), &certificate).unwrap();
        fs::write(folder.join("tls.key"), &key).unwrap();
        let http2 = if http2 { "http2" } else { "" };
        let verify = verify.map_or("", |ca| {
            fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
            "ssl_client_certificate ca.crt; ssl_verify_client on;"
        });
        format!(
            "server {{ listen 127.0.0.1:{port} ssl {http2}; ssl_certificate tls.crt;
             ssl_certificate_key tls.key; {verify} location / {{ return 204; }} }}"
        )
    })
}

/// nginx's own answer through `grpc_pass grpcs://`: the client's status and the error log.
fn through_nginx(ca: &Issued, backend: u16) -> (u16, String) {
    let pem = ca.pem();
    let gateway = Nginx::start(|folder, port| {
        fs::write(folder.join("ca.crt"), &pem).unwrap();
        format!(
            "server {{ listen 127.0.0.1:{port};
             location / {{ grpc_pass grpcs://127.0.0.1:{backend}; grpc_ssl_verify on;
             grpc_ssl_name {HOST}; grpc_ssl_server_name on; grpc_ssl_trusted_certificate ca.crt; }} }}"
        )
    });
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status: {answer:?}"));
    let until = Instant::now() + Duration::from_secs(10);
    let mut log = gateway.error_log();
    while status == 502 && !log.contains("upstream: ") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
        log = gateway.error_log();
    }
    (status, log)
}

fn fields(transcript: &Transcript, step: &str, field: &str) -> Option<String> {
    let step = transcript.steps.iter().find(|seen| seen.name == step)?;
    let field = step.fields.iter().find(|seen| seen.name.contains(field))?;
    Some(field.value.clone())
}

#[tokio::test]
async fn a_backend_that_selects_h2_answers_with_settings() {
    peer!("nginx");
    let (ca, app) = authority();
    let nginx = backend(&app, true, None);
    let seen = run(&speaking(over_tls(nginx.port, &[&ca]), Protocol::Http2)).await;

    assert_eq!(seen.nginx.outcome, Outcome::Ok, "{}", seen.nginx.sentence);
    assert_eq!(seen.tls.as_ref().unwrap().alpn.as_deref(), Some("h2"));
    assert_eq!(
        fields(&seen, "ClientHello", "application_layer").as_deref(),
        Some("h2")
    );
    assert!(fields(&seen, "HTTP/2 SETTINGS", "MAX_CONCURRENT_STREAMS").is_some());
    assert_eq!(seen.nginx.client_status, Some(204));
    assert!(seen.not_proven.is_empty(), "it asks for no certificate");
    assert_eq!(through_nginx(&ca, nginx.port).0, 204);

    // With HTTP/1.1 the same backend sees no ALPN, as nginx offers none.
    let http1 = run(&over_tls(nginx.port, &[&ca])).await;
    assert_eq!(fields(&http1, "ClientHello", "application_layer"), None);
}

/// A server that knows no ALPN and answers in HTTP/1.1, whatever it gets.
fn without_alpn(app: &Issued) -> u16 {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    let certificate = X509::from_pem(&app.pem()).unwrap();
    let key = PKey::private_key_from_pem(&app.key_pem()).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    acceptor.set_private_key(&key).unwrap();
    let acceptor = acceptor.build();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Ok(mut stream) = acceptor.accept(stream) else {
                continue;
            };
            let mut request = [0; 1_024];
            if stream.read(&mut request).is_ok() {
                drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
                drop(stream.shutdown());
            }
        }
    });
    port
}

#[tokio::test]
async fn a_backend_that_answers_in_http_1_gets_502_as_from_nginx() {
    peer!("nginx");
    let (ca, app) = authority();
    let port = without_alpn(&app);
    let seen = run(&speaking(over_tls(port, &[&ca]), Protocol::Http2)).await;
    let (status, log) = through_nginx(&ca, port);
    assert_eq!(seen.nginx.outcome, Outcome::HttpError);
    assert_eq!(
        seen.tls.as_ref().unwrap().alpn,
        None,
        "nginx continues without"
    );
    assert_eq!(seen.nginx.client_status, Some(status));
    let line = seen.nginx.log_line.expect("a line");
    assert_eq!(
        line,
        "upstream sent too large http2 frame: 4740180 while reading response header from upstream"
    );
    assert!(log.contains(&line), "{line:?} is not in {log}");
    assert!(
        seen.nginx.sentence.contains("does not speak HTTP/2"),
        "{}",
        seen.nginx.sentence
    );
}

/// nginx without `http2` answers so, and so does OpenSSL.
#[tokio::test]
async fn a_backend_that_refuses_h2_sends_alert_120_as_to_nginx() {
    peer!("nginx");
    peer!("openssl");
    let (ca, app) = authority();
    let openssl = OpensslServer::start(&app, &ca, &["-alpn", "http/1.1"]);
    let nginx = backend(&app, false, None);
    for port in [openssl.port, nginx.port] {
        let spec = over_tls(port, &[&ca]);
        let seen = run(&speaking(spec, Protocol::Http2)).await;
        let (status, log) = through_nginx(&ca, port);
        let sentence = &seen.nginx.sentence;
        assert_eq!(seen.nginx.outcome, Outcome::TlsError, "{sentence}");
        assert_eq!(seen.nginx.alert, Some(120));
        assert_eq!(seen.nginx.client_status, Some(status));
        assert!(log.contains("SSL alert number 120"), "{log}");
        assert!(sentence.contains("does not speak HTTP/2"), "{sentence}");
    }
    // For HTTP/1.1 nginx offers nothing, and nothing is wrong.
    let seen = run(&over_tls(nginx.port, &[&ca])).await;
    assert_eq!(seen.nginx.outcome, Outcome::Ok, "{}", seen.nginx.sentence);
}

#[tokio::test]
async fn plain_text_backends_are_told_apart_too() {
    peer!("nginx");
    for (listen, outcome) in [("http2", Outcome::Ok), ("", Outcome::HttpError)] {
        let nginx = Nginx::start(|_, port| {
            format!("server {{ listen 127.0.0.1:{port} {listen}; return 204; }}")
        });
        let seen = run(&speaking(plain(nginx.port), Protocol::Http2)).await;
        assert_eq!(seen.nginx.outcome, outcome, "{}", seen.nginx.sentence);
    }
}

/// nginx judges the client certificate with the request only: a handshake proves nothing of it.
#[tokio::test]
async fn a_handshake_does_not_prove_that_nginx_accepts_the_client_certificate() {
    peer!("nginx");
    let (ca, app) = authority();
    let stranger = Template::client("stranger").self_signed();
    let nginx = backend(&app, true, Some(&ca));
    let spec = presenting(over_tls(nginx.port, &[&ca]), &stranger, &[]);
    let seen = run(&speaking(spec, Protocol::Stream)).await;
    assert_eq!(seen.client_certificate.accepted, None);
    assert_eq!(seen.not_proven.len(), 1, "{:?}", seen.not_proven);
    assert_eq!(seen.client_certificate.demand, Demand::Requested);
}

/// A gRPC backend of nginx answers a request of a client that it does not accept with its page, over HTTP/2.
#[tokio::test]
async fn a_grpc_backend_s_answer_shows_what_it_makes_of_the_client() {
    peer!("nginx");
    let (ca, app) = authority();
    let stranger = Template::client("stranger").self_signed();
    let client = Template::client("gateway").signed_by(&ca);
    let nginx = backend(&app, true, Some(&ca));
    let call = |spec: ProbeSpec| ProbeSpec {
        http: HttpSpec::health_check(HOST.to_owned()),
        ..speaking(spec, Protocol::Http2)
    };

    let none = run(&call(over_tls(nginx.port, &[&ca]))).await;
    assert_eq!(
        none.nginx.outcome,
        Outcome::HttpError,
        "{}",
        none.nginx.sentence
    );
    assert_eq!(none.nginx.client_status, Some(400));
    assert_eq!(none.client_certificate.demand, Demand::Required);
    let page = none.http.expect("an answer").body;
    assert!(
        page.contains("No required SSL certificate was sent"),
        "{page}"
    );

    let refused = presenting(over_tls(nginx.port, &[&ca]), &stranger, &[]);
    let refused = run(&call(refused)).await;
    assert_eq!(refused.client_certificate.accepted, Some(false));
    let page = refused.http.expect("an answer").body;
    assert!(page.contains("The SSL certificate error"), "{page}");

    let spec = call(presenting(over_tls(nginx.port, &[&ca]), &client, &[]));
    let mut taken = run(&spec).await;
    assert_eq!(taken.nginx.outcome, Outcome::Ok, "{}", taken.nginx.sentence);
    assert_eq!(
        taken.nginx.client_status, None,
        "the call is the probe's own"
    );
    assert_eq!(taken.client_certificate.accepted, Some(true));
    assert!(taken.not_proven.is_empty(), "{:?}", taken.not_proven);
    settle_demand(&mut taken, &spec, &Direct, &CancellationToken::new()).await;
    assert_eq!(taken.client_certificate.demand, Demand::Required);
}

/// The request over HTTP/2 is marked as this tool's, and a GET is asked as it stands.
#[tokio::test]
async fn a_backend_s_log_shows_the_marked_request() {
    peer!("nginx");
    let (ca, app) = authority();
    let nginx = backend(&app, true, None);
    let seen = run(&speaking(over_tls(nginx.port, &[&ca]), Protocol::Http2)).await;
    assert_eq!(seen.http.expect("an answer").status, 204);
    assert_eq!(seen.nginx.client_status, Some(204));
    let call = HttpSpec::health_check(HOST.to_owned());
    assert_eq!(call.path, "/grpc.health.v1.Health/Check?ngf-tui=probe");
    assert!(is_marked(&format!("POST {} HTTP/2.0", call.path)));
}

/// A server that judges clients in TLS sends its alert after a TLS 1.3 handshake, and the probe waits for it.
#[tokio::test]
async fn an_alert_after_the_handshake_is_seen_and_settles_the_demand() {
    peer!("openssl");
    let (ca, app) = authority();
    let client = Template::client("gateway").signed_by(&ca);
    for version in ["-tls1_2", "-tls1_3"] {
        let server = OpensslServer::demanding(&app, &ca, version);
        let spec = speaking(over_tls(server.port, &[&ca]), Protocol::Stream);
        let none = run(&spec).await;
        assert_eq!(none.nginx.outcome, Outcome::TlsError, "{version}");
        assert_eq!(none.client_certificate.demand, Demand::Required);

        let with = presenting(spec, &client, &[]);
        let mut seen = run(&with).await;
        assert_eq!(seen.nginx.outcome, Outcome::Ok, "{}", seen.nginx.sentence);
        assert!(seen.http.is_none());
        settle_demand(&mut seen, &with, &Direct, &CancellationToken::new()).await;
        assert_eq!(seen.client_certificate.demand, Demand::Required);
        assert_eq!(seen.client_certificate.accepted, Some(true));
        assert!(seen.not_proven.is_empty());
    }
}
