//! Protocols that servers of others speak: what nginx gets of them, the probe must say.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use ngf_core::diagnosis::Evidence;
use ngf_tls::{protocol::Protocol, transcript::Outcome};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use serde_json::json;
use tokio_rustls::TlsAcceptor;
use tonic::transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming};

use super::{
    Certificates, HOST, Setup,
    case::{Backend, Case, ca, client, leaf},
    gateway, nginx, support,
    support::pki::Wanted,
};

/// A listener on loopback, and a runtime in a thread that serves it until the tests end.
fn serve<Serving: Future<Output = ()>>(
    serve: impl FnOnce(tokio::net::TcpListener) -> Serving + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    listener.set_nonblocking(true).expect("a socket");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            serve(listener).await;
        });
    });
    port
}

/// tonic with its health service.
fn grpc(certificates: &Certificates, demands_a_certificate: bool) -> u16 {
    let app = &certificates["app"];
    let mut tls =
        ServerTlsConfig::new().identity(Identity::from_pem(app.certificate_pem(), app.key_pem()));
    if demands_a_certificate {
        let ca = certificates["ca"].certificate_pem();
        tls = tls.client_ca_root(tonic::transport::Certificate::from_pem(ca));
    }
    serve(move |listener| async move {
        let (_reporter, health) = tonic_health::server::health_reporter();
        let served = Server::builder()
            .tls_config(tls)
            .expect("a configuration")
            .add_service(health)
            .serve_with_incoming(TcpIncoming::from(listener))
            .await;
        served.expect("it serves");
    })
}

/// What a client of the gateway gets for a health check: the status, and that of gRPC where nginx has one for it.
fn health(port: u16) -> Option<u16> {
    let mut stream = connect(port);
    let request = format!(
        "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/grpc\r\n\
        TE: trailers\r\nContent-Length: 5\r\nConnection: close\r\n\r\n\0\0\0\0\0"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    // The end may come without a goodbye; what came before it counts.
    let _ = stream.read_to_end(&mut answer);
    status(&answer)
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("nginx listens");
    let patience = Some(Duration::from_mins(1));
    stream.set_read_timeout(patience).expect("a socket");
    stream
}

fn status(answer: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(answer);
    text.split(' ').nth(1)?.parse().ok()
}

#[test]
fn a_grpc_server_answers_the_probe_as_it_answers_grpc_pass() {
    if !support::has_peer("nginx") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let open: fn(&Certificates) -> u16 = |certificates| grpc(certificates, false);
    let mutual: fn(&Certificates) -> u16 = |certificates| grpc(certificates, true);
    let case = |name, code, server| {
        Case::new(name, code, Backend::Served(server))
            .from("r9-grpc")
            .aimed("grpcroute/grpc", &["/"])
    };
    let cases = [
        (case("it asks for no certificate", "NGF-R9", open), 200),
        (case("it demands a certificate", "NGF-R9", mutual), 502),
        (
            case("another CA signed its certificate", "NGF-T1", open)
                .minted("other", ca("OtherCA", None))
                .minted("app", leaf(Some("other"))),
            502,
        ),
    ];
    for (case, expected) in cases {
        let setup = Setup::of(&case);
        let listens = nginx::free_port();
        let process = gateway::start(&case, &setup.given(), listens);
        let got = health(listens);
        let log = process.error_log();
        assert_eq!(got, Some(expected), "{}: {log}", case.name);
        let mut evidence = Evidence::none();
        let transcript = runtime.block_on(setup.probed(&case, &mut evidence));
        let transcript = transcript.expect("a transcript");
        assert_eq!(transcript.protocol, Protocol::Http2, "{}", case.name);
        let verdict = &transcript.nginx;
        let is_answered = verdict.outcome == Outcome::Ok;
        assert_eq!(
            is_answered,
            expected == 200,
            "{}: {verdict:?} {log}",
            case.name
        );
        // A health check that succeeds says nothing of a status: the client asks for something else.
        if !is_answered {
            assert_eq!(
                verdict.client_status, got,
                "{}: {verdict:?} {log}",
                case.name
            );
        }
        let codes = setup.codes(&evidence);
        assert_eq!(codes.first(), Some(&case.first), "{}: {codes:?}", case.name);
        if expected == 200 {
            let selected = transcript.tls.and_then(|tls| tls.alpn);
            assert_eq!(selected.as_deref(), Some("h2"), "{}", case.name);
        }
    }
}

/// The health service, as far as a check needs it: tonic's server has no reflection.
const HEALTH: &str = "syntax = \"proto3\"; package grpc.health.v1; message HealthCheckRequest { string service = 1; }
message HealthCheckResponse { enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
ServingStatus status = 1; } service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }";

/// Whether grpcurl gets an answer of the backend: it trusts the policy's CA and expects its hostname, as nginx does.
fn grpcurl(setup: &Setup, presents: bool) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    };
    let certificates = &setup.certificates;
    let mut command = std::process::Command::new("grpcurl");
    command.args(["-max-time", "60", "-servername", "secure-app.example.com"]);
    command.arg("-cacert");
    command.arg(file("ca.crt", &certificates["ca"].certificate_pem()));
    if presents {
        let pair = &certificates["gateway"];
        command.arg("-cert");
        command.arg(file("tls.crt", &pair.certificate_pem()));
        command.arg("-key");
        command.arg(file("tls.key", &pair.key_pem()));
    }
    file("health.proto", HEALTH);
    command.arg("-import-path").arg(folder.path());
    command.args(["-proto", "health.proto"]);
    let address = format!("127.0.0.1:{}", setup.ports["secure-app"]);
    let output = command
        .args([&address, "grpc.health.v1.Health/Check"])
        .output()
        .expect("grpcurl runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success() && text.contains("SERVING"), text)
}

#[test]
fn grpcurl_gets_of_a_grpc_server_what_the_probe_says() {
    let is_there = std::process::Command::new("grpcurl")
        .arg("-version")
        .output()
        .is_ok();
    if !is_there {
        support::skipped::count("grpcurl is not installed; make peers installs it where Go is");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let open: fn(&Certificates) -> u16 = |certificates| grpc(certificates, false);
    let mutual: fn(&Certificates) -> u16 = |certificates| grpc(certificates, true);
    // grpcurl is linked statically and keeps the machine's clock where the tests believe that it is later.
    let decades = |wanted: Wanted| Wanted {
        days: Some((-3650, 3650)),
        ..wanted
    };
    let case = |name, server| {
        Case::new(name, "NGF-R9", Backend::Served(server))
            .from("r9-grpc")
            .aimed("grpcroute/grpc", &["/"])
            .minted("ca", decades(ca("LocalCA", None)))
            .minted("app", decades(leaf(Some("ca"))))
            .minted("gateway", decades(client()))
    };
    for (case, expected) in [
        (case("it asks for no certificate", open), true),
        (case("it demands a certificate", mutual), false),
        (
            case("another CA signed its certificate", open)
                .minted("other", decades(ca("OtherCA", None)))
                .minted("app", decades(leaf(Some("other")))),
            false,
        ),
    ] {
        let setup = Setup::of(&case);
        // nginx presents no client certificate to the backends of a GRPCRoute (NGF-R9).
        let (is_served, text) = grpcurl(&setup, false);
        assert_eq!(is_served, expected, "{}: {text}", case.name);
        let mut evidence = Evidence::none();
        let transcript = runtime.block_on(setup.probed(&case, &mut evidence));
        let verdict = transcript.expect("a transcript").nginx;
        let is_answered = verdict.outcome == Outcome::Ok;
        assert_eq!(is_answered, is_served, "{}: {verdict:?} {text}", case.name);
    }
    let setup = Setup::of(&case("it demands a certificate, and gets it", mutual));
    let (is_served, text) = grpcurl(&setup, true);
    assert!(is_served, "{text}");
}

/// tungstenite over rustls, which demands a client certificate.
fn websocket(certificates: &Certificates) -> u16 {
    let app = &certificates["app"];
    let mut roots = RootCertStore::empty();
    let der = |name: &str| certificates[name].certificate.to_der().expect("DER");
    roots.add(CertificateDer::from(der("ca"))).expect("a CA");
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = verifier.build().expect("a verifier");
    let key = openssl::pkey::PKey::private_key_from_pem(app.key_pem().as_bytes());
    let key = key.expect("a key").private_key_to_pkcs8().expect("PKCS#8");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from(der("app"))],
            PrivateKeyDer::Pkcs8(key.into()),
        )
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve(|listener| async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    // What is no upgrade is refused by tungstenite itself.
                    drop(tokio_tungstenite::accept_async(stream).await);
                }
            });
        }
    })
}

/// What a client gets that asks the gateway for an upgrade.
fn upgraded(port: u16) -> Option<u16> {
    let mut stream = connect(port);
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let mut bytes = [0; 1024];
    // After the head the connection is a WebSocket, which nobody closes.
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(read) if read > 0 => answer.extend_from_slice(&bytes[..read]),
            _ => break,
        }
    }
    status(&answer)
}

#[test]
fn a_websocket_opens_for_the_probe_as_it_opens_through_nginx() {
    if !support::has_peer("nginx") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let port = json!({"spec": {"ports": [{"name": "https", "port": 8443, "targetPort": 8443, "protocol": "TCP",
        "appProtocol": "kubernetes.io/wss"}]}});
    let case = |name, code, backend| {
        Case::new(name, code, backend).patched("Service/default/secure-app", port.clone())
    };
    let cases = [
        (case("it upgrades", "", Backend::Served(websocket)), 101),
        (
            case(
                "it answers as if nothing had been asked",
                "",
                super::case::guide(),
            ),
            200,
        ),
        (
            case(
                "another CA signed its certificate",
                "NGF-T1",
                Backend::Served(websocket),
            )
            .minted("other", ca("OtherCA", None))
            .minted("app", leaf(Some("other"))),
            502,
        ),
    ];
    for (case, expected) in cases {
        let setup = Setup::of(&case);
        let listens = nginx::free_port();
        let process = gateway::start(&case, &setup.given(), listens);
        let got = upgraded(listens);
        let log = process.error_log();
        assert_eq!(got, Some(expected), "{}: {log}", case.name);
        let mut evidence = Evidence::none();
        let transcript = runtime.block_on(setup.probed(&case, &mut evidence));
        let transcript = transcript.expect("a transcript");
        assert_eq!(transcript.protocol, Protocol::WebSocket, "{}", case.name);
        assert_eq!(
            transcript.nginx.client_status, got,
            "{}: {:?} {log}",
            case.name, transcript.nginx
        );
        let is_open = expected == 200;
        assert_eq!(!transcript.not_proven.is_empty(), is_open, "{}", case.name);
        let codes = setup.codes(&evidence);
        let first = codes.first().copied().unwrap_or_default();
        assert_eq!(first, case.first, "{}: {codes:?}", case.name);
    }
}
