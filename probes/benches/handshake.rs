//! What the probe costs beside a bare OpenSSL handshake, and how many probes go at once.
//!
//!     cargo bench -p ngf-probes --bench handshake
//!
//! The servers are a process of their own, so that their memory and time are none of the probe's.
//! Bare handshake and probe alternate, so that what else the machine does falls on both.

use std::io::{BufRead as _, BufReader};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use ngf_probes::dial::{Dial as _, Direct, Target};
use ngf_probes::engine::openssl::{HandshakeEnd, prepare};
use ngf_probes::spec::{ClientIdentity, HttpSpec, ProbeSpec, TlsSpec, Trust};
use ngf_probes::transcript::Outcome;
use ngf_probes::{Recorder, probe};
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{
    Ssl, SslAcceptor, SslContext, SslContextBuilder, SslMethod, SslSessionCacheMode, SslVerifyMode,
    SslVersion,
};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

const NAME: &str = "secure-app.example.com";
/// Measured handshakes of each kind.
const HANDSHAKES: usize = 400;
const SERVERS: usize = 50;
const PROBES: usize = 1_000;
/// How many probes of those go at once.
const AT_ONCE: usize = 1_000;

fn main() {
    let certificates = Certificates::mint();
    match std::env::var("NGF_BENCH_SERVE") {
        Ok(folder) => serve(&Certificates::read(&folder)),
        Err(_) => measure(&certificates),
    }
}

fn measure(certificates: &Certificates) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("a path in UTF-8");
    certificates.write(folder);
    let servers = Servers::start(folder);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!("{}", ngf_probes::engine::openssl::engine().version);
    runtime.block_on(async {
        compare(certificates, servers.ports[0]).await;
        many(certificates, &servers.ports).await;
    });
}

/// Bare handshake, the probe's handshake, and the whole probe, one after the other.
async fn compare(certificates: &Certificates, port: u16) {
    let pem = certificates.client_pem();
    let spec = certificates.spec(port);
    let mut times = [const { Vec::new() }; 5];
    for round in 0..HANDSHAKES + 20 {
        let round_times = [
            bare(&pem, port).await,
            handshake(&spec).await,
            bare_prepared(&pem, port).await,
            prepared(&spec).await,
            whole(&spec).await,
        ];
        // The first rounds warm caches up.
        if round >= 20 {
            for (all, time) in times.iter_mut().zip(round_times) {
                all.push(time);
            }
        }
    }
    for all in &mut times {
        all.sort_unstable();
    }
    // On a busy machine the fastest tenth says more than the median does.
    println!(
        "{:<54} {:>9} {:>6} {:>14} {:>6}",
        "TCP connect and", "median", "ratio", "fastest tenth", "ratio"
    );
    for (what, one, beside) in [
        ("a bare OpenSSL handshake, mutual", 0, 0),
        ("the probe's handshake", 1, 0),
        ("a bare handshake with its preparation (PEM, context)", 2, 2),
        ("the probe's handshake with its preparation", 3, 2),
        ("a whole probe: preparation to transcript, with HTTP", 4, 2),
    ] {
        let at = |index: usize, part: usize| times[index][HANDSHAKES / part].as_secs_f64() * 1e6;
        let (median, tenth) = (at(one, 2), at(one, 10));
        println!(
            "{what:<54} {median:>6.0} µs {:>6.2} {tenth:>11.0} µs {:>6.2}",
            median / at(beside, 2),
            tenth / at(beside, 10)
        );
    }
}

/// OpenSSL as it is, with the same settings, through tokio. The context is a fresh one, as it is
/// for whoever connects once: a key that was used before signs faster.
async fn bare(pem: &ClientPem, port: u16) -> Duration {
    let context = pem.bare_context();
    let begin = Instant::now();
    bare_handshake(&context, port).await;
    begin.elapsed()
}

async fn bare_prepared(pem: &ClientPem, port: u16) -> Duration {
    let begin = Instant::now();
    bare_handshake(&pem.bare_context(), port).await;
    begin.elapsed()
}

async fn bare_handshake(context: &SslContext, port: u16) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("TCP");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let mut ssl = Ssl::new(context).expect("SSL");
    ssl.set_hostname(NAME).expect("SNI");
    let mut stream = SslStream::new(ssl, stream).expect("SslStream");
    Pin::new(&mut stream).connect().await.expect("a handshake");
}

/// As the probe does it, everything recorded; what NGINX does at start is done before.
async fn handshake(spec: &ProbeSpec) -> Duration {
    let ready = prepare(spec.tls.as_ref().expect("TLS")).expect("a configuration");
    let begin = Instant::now();
    shake_hands(spec, ready).await;
    begin.elapsed()
}

async fn prepared(spec: &ProbeSpec) -> Duration {
    let begin = Instant::now();
    let ready = prepare(spec.tls.as_ref().expect("TLS")).expect("a configuration");
    shake_hands(spec, ready).await;
    begin.elapsed()
}

async fn shake_hands(spec: &ProbeSpec, ready: ngf_probes::engine::openssl::Prepared) {
    let target = Target {
        host: spec.host.clone(),
        port: spec.port,
        timeout: spec.timeout,
    };
    let recorder = Recorder::new();
    let dialled = Direct.dial(&target, &recorder).await.expect("TCP");
    let until = Instant::now() + spec.timeout;
    let (_, end) = ready.handshake(dialled.stream, until).await.expect("SSL");
    assert_eq!(end, HandshakeEnd::Done);
}

async fn whole(spec: &ProbeSpec) -> Duration {
    let begin = Instant::now();
    let transcript = probe(spec, &Direct, &CancellationToken::new())
        .await
        .expect("a transcript");
    let time = begin.elapsed();
    assert_eq!(transcript.nginx.outcome, Outcome::Ok);
    time
}

/// Many probes of many servers at once, and the memory that they took.
async fn many(certificates: &Certificates, ports: &[u16]) {
    let specs: Vec<ProbeSpec> = (0..PROBES)
        .map(|number| certificates.spec(ports[number % ports.len()]))
        .collect();
    let before = memory("VmRSS");
    let cancel = CancellationToken::new();
    let begin = Instant::now();
    let served = futures::stream::iter(&specs)
        .map(|spec| probe(spec, &Direct, &cancel))
        .buffer_unordered(AT_ONCE)
        .filter(|result| {
            let is_served = result
                .as_ref()
                .is_ok_and(|transcript| transcript.nginx.outcome == Outcome::Ok);
            futures::future::ready(is_served)
        })
        .count()
        .await;
    let took = begin.elapsed();
    let peak = memory("VmHWM").saturating_sub(before);
    println!(
        "\n{PROBES} probes of {} servers, {AT_ONCE} at once: {served} served in {took:.2?}, {:.0} a second",
        ports.len(),
        PROBES as f64 / took.as_secs_f64()
    );
    println!(
        "memory: {} MB at the most beside {} MB before, {} kB for each probe at once",
        peak / 1_024,
        before / 1_024,
        peak as usize / AT_ONCE
    );
}

/// A line of `/proc/self/status` in kB; 0 where there is none.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1))
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// The servers' process; ends with the value.
struct Servers {
    child: Child,
    ports: Vec<u16>,
}

impl Servers {
    fn start(folder: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env("NGF_BENCH_SERVE", folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the servers' process");
        let output = child.stdout.take().expect("a pipe");
        let ports = BufReader::new(output)
            .lines()
            .take(SERVERS)
            .map(|line| line.expect("a line").parse().expect("a port"))
            .collect();
        Self { child, ports }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn serve(certificates: &Certificates) {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("acceptor");
    acceptor
        .set_max_proto_version(Some(SslVersion::TLS1_3))
        .expect("TLS 1.3");
    acceptor
        .set_certificate(&certificates.server.0)
        .expect("certificate");
    acceptor
        .set_private_key(&certificates.server.1)
        .expect("key");
    acceptor
        .cert_store_mut()
        .add_cert(certificates.ca.0.clone())
        .expect("CA");
    acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    acceptor.set_session_cache_mode(SslSessionCacheMode::OFF);
    let acceptor = acceptor.build();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..SERVERS {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            println!("{}", listener.local_addr().expect("an address").port());
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer(acceptor.clone(), stream));
                }
            });
        }
        std::future::pending::<()>().await;
    });
}

/// Shakes hands, and answers one request, if there is one.
async fn answer(acceptor: SslAcceptor, stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut stream = SslStream::new(Ssl::new(acceptor.context()).ok()?, stream).ok()?;
    Pin::new(&mut stream).accept().await.ok()?;
    let mut request = [0; 1_024];
    let read = stream.read(&mut request).await.ok()?;
    if read > 0 {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
        stream.write_all(answer).await.ok()?;
        stream.shutdown().await.ok()?;
    }
    Some(())
}

type Pair = (X509, PKey<Private>);

/// A CA, and what it signed for both sides; RSA 2048, as cert-manager makes them.
struct Certificates {
    ca: Pair,
    server: Pair,
    client: Pair,
}

impl Certificates {
    fn mint() -> Self {
        let ca = issue("LocalCA", None);
        Self {
            server: issue(NAME, Some(&ca)),
            client: issue("gateway", Some(&ca)),
            ca,
        }
    }

    fn all(&self) -> [(&'static str, &Pair); 3] {
        [
            ("ca", &self.ca),
            ("server", &self.server),
            ("client", &self.client),
        ]
    }

    fn write(&self, folder: &str) {
        for (name, (certificate, key)) in self.all() {
            let write = |kind: &str, pem: Vec<u8>| {
                std::fs::write(format!("{folder}/{name}.{kind}"), pem).expect("a file");
            };
            write("crt", certificate.to_pem().expect("PEM"));
            write("key", key.private_key_to_pem_pkcs8().expect("PEM"));
        }
    }

    fn read(folder: &str) -> Self {
        let pair = |name: &str| {
            let read =
                |kind: &str| std::fs::read(format!("{folder}/{name}.{kind}")).expect("a file");
            let certificate = X509::from_pem(&read("crt")).expect("a certificate");
            (
                certificate,
                PKey::private_key_from_pem(&read("key")).expect("a key"),
            )
        };
        Self {
            ca: pair("ca"),
            server: pair("server"),
            client: pair("client"),
        }
    }

    fn client_pem(&self) -> ClientPem {
        ClientPem {
            ca: self.ca.0.to_pem().expect("PEM"),
            certificate: self.client.0.to_pem().expect("PEM"),
            key: self.client.1.private_key_to_pem_pkcs8().expect("PEM"),
        }
    }

    fn spec(&self, port: u16) -> ProbeSpec {
        let pem = |certificate: &X509| certificate.to_pem().expect("PEM");
        ProbeSpec {
            host: "127.0.0.1".to_owned(),
            port,
            tls: Some(TlsSpec {
                server_name: NAME.to_owned(),
                trust: Trust::Bundle {
                    pem: pem(&self.ca.0),
                    origin: "the benchmark's CA".to_owned(),
                },
                client_identity: Some(ClientIdentity {
                    certificate_pem: pem(&self.client.0),
                    key_pem: Zeroizing::new(self.client.1.private_key_to_pem_pkcs8().expect("PEM")),
                    origin: "the benchmark's client certificate".to_owned(),
                }),
                verify_depth: 4,
                at: None,
            }),
            http: HttpSpec {
                method: "GET".to_owned(),
                host: NAME.to_owned(),
                path: "/".to_owned(),
            },
            timeout: Duration::from_mins(1),
        }
    }
}

/// What a client reads from its files.
struct ClientPem {
    ca: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl ClientPem {
    /// NGINX's settings, without anything that records.
    fn bare_context(&self) -> SslContext {
        let mut context = SslContextBuilder::new(SslMethod::tls()).expect("context");
        context
            .set_min_proto_version(Some(SslVersion::TLS1_2))
            .expect("TLS 1.2");
        context
            .set_max_proto_version(Some(SslVersion::TLS1_3))
            .expect("TLS 1.3");
        context.set_cipher_list("DEFAULT").expect("ciphers");
        context.set_security_level(ngf_probes::engine::openssl::SECURITY_LEVEL);
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        let certificate = X509::from_pem(&self.certificate).expect("a certificate");
        context.set_certificate(&certificate).expect("certificate");
        let key = PKey::private_key_from_pem(&self.key).expect("a key");
        context.set_private_key(&key).expect("key");
        let ca = X509::from_pem(&self.ca).expect("a CA");
        context.cert_store_mut().add_cert(ca).expect("CA");
        context.set_verify(SslVerifyMode::PEER);
        context.build()
    }
}

fn issue(name: &str, issuer: Option<&Pair>) -> Pair {
    let key = PKey::from_rsa(Rsa::generate(2_048).expect("RSA")).expect("key");
    let mut subject = X509NameBuilder::new().expect("name");
    subject.append_entry_by_text("CN", name).expect("CN");
    let subject = subject.build();
    let mut serial = BigNum::new().expect("number");
    serial
        .rand(127, MsbOption::MAYBE_ZERO, false)
        .expect("random");
    let mut builder = X509::builder().expect("builder");
    builder.set_version(2).expect("version");
    builder
        .set_serial_number(&serial.to_asn1_integer().expect("serial"))
        .expect("serial");
    builder.set_subject_name(&subject).expect("subject");
    builder
        .set_issuer_name(issuer.map_or(&subject, |(issuer, _)| issuer.subject_name()))
        .expect("issuer");
    builder.set_pubkey(&key).expect("key");
    let days = |days| Asn1Time::days_from_now(days).expect("time");
    builder.set_not_before(&days(0)).expect("not before");
    builder.set_not_after(&days(30)).expect("not after");
    if issuer.is_none() {
        let is_ca = BasicConstraints::new().critical().ca().build().expect("CA");
        builder.append_extension(is_ca).expect("extension");
    } else {
        let context = builder.x509v3_context(issuer.map(|(issuer, _)| &**issuer), None);
        let names = SubjectAlternativeName::new().dns(name).build(&context);
        builder
            .append_extension(names.expect("SAN"))
            .expect("extension");
    }
    let signer = issuer.map_or(&key, |(_, key)| key);
    builder
        .sign(signer, MessageDigest::sha256())
        .expect("signature");
    (builder.build(), key)
}
