//! What a probe costs beside a bare OpenSSL connection, and a thousand probes of fifty servers.
//!
//! ```text
//! cargo bench -p ngf-probes --bench handshake
//! ```
//!
//! The two take turns (A B, B A, …) against one server, so that what else the machine does falls on
//! both. The servers are a process of their own, so that their memory is none of the probe's.

#[path = "../tests/support/pki.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "made for the tests, of which this uses a part"
)]
mod pki;

use std::io::{BufRead as _, BufReader, Write as _};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use ngf_probes::dial::{Dial as _, Direct, Target};
use ngf_probes::engine::openssl::{HandshakeEnd, prepare};
use ngf_probes::spec::{ClientIdentity, HttpSpec, ProbeSpec, TlsSpec, Trust};
use ngf_probes::steps::http::request;
use ngf_probes::{Recorder, probe};
use ngf_tls::engine::engine;
use ngf_tls::protocol::Protocol;
use ngf_tls::transcript::Outcome;
use openssl::pkey::PKey;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslSessionCacheMode,
    SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use pki::{KeyKind, Template};

const HOST: &str = "secure-app.example.com";
/// Pairs that are measured, after some that warm up.
const PAIRS: usize = 300;
const WARM_UP: usize = 30;
const SERVERS: usize = 50;
const PROBES: usize = 1_000;
/// How many of those are on their way at a time.
const AT_ONCE: usize = 64;
/// Set in the servers' process, to the folder with their certificates.
const SERVE: &str = "NGF_BENCH_SERVE";

fn main() {
    if let Ok(folder) = std::env::var(SERVE) {
        return runtime().block_on(serve(&folder));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("a path in UTF-8");
    let material = Material::mint(folder);
    let servers = Servers::start(folder);
    println!("{}, {} pairs each, medians", engine().version, PAIRS);
    runtime().block_on(async {
        for (version, port) in [("TLS 1.3", servers.tls13), ("TLS 1.2", servers.tls12)] {
            compare(version, &material, port).await;
        }
        many(&material, &servers.many).await;
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

async fn compare(version: &str, material: &Material, port: u16) {
    let spec = material.spec(port);
    let context = material.context();
    let mut handshakes = Pairs::default();
    let mut ready = Pairs::default();
    let mut requests = Pairs::default();
    let mut reused = Pairs::default();
    for round in 0..WARM_UP + PAIRS {
        // Who goes first changes, so that neither always follows the other.
        let bare_first = round % 2 == 0;
        let fresh = || material.context();
        let bare_one = bare(&fresh, port, &spec, Until::Handshake);
        let probe_one = Box::pin(handshake(&spec, false));
        handshakes.push(bare_first, bare_one, probe_one).await;

        let prepared = material.context();
        let before = || prepared.clone();
        let bare_one = bare(&before, port, &spec, Until::Handshake);
        ready
            .push(bare_first, bare_one, Box::pin(handshake(&spec, true)))
            .await;

        let bare_one = bare(&fresh, port, &spec, Until::Answer);
        requests
            .push(bare_first, bare_one, Box::pin(whole(&spec)))
            .await;

        let once = || context.clone();
        let bare_one = bare(&once, port, &spec, Until::Answer);
        reused
            .push(bare_first, bare_one, Box::pin(whole(&spec)))
            .await;
    }
    println!(
        "\n{version}, mutual:                                              bare      probe  ratio"
    );
    handshakes.print("PEMs and context, connect, handshake");
    ready.print("connect, handshake; a fresh context before the clock");
    requests.print("PEMs and context to answer; the probe: to transcript");
    reused.print("the same, one context for all bare ones (unlike)");
}

/// Times of the bare connection and of the probe, turn by turn.
#[derive(Default)]
struct Pairs {
    bare: Vec<Duration>,
    probe: Vec<Duration>,
}

impl Pairs {
    async fn push(
        &mut self,
        bare_first: bool,
        bare: impl Future<Output = Duration>,
        probe: impl Future<Output = Duration>,
    ) {
        if bare_first {
            self.bare.push(bare.await);
            self.probe.push(probe.await);
        } else {
            self.probe.push(probe.await);
            self.bare.push(bare.await);
        }
    }

    fn print(&self, what: &str) {
        let (bare, probe) = (median(&self.bare), median(&self.probe));
        let ratio = probe.as_secs_f64() / bare.as_secs_f64();
        let micros = |time: Duration| time.as_micros();
        println!(
            "  {what:<54} {:>6} µs  {:>6} µs  {ratio:>5.2}",
            micros(bare),
            micros(probe)
        );
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times[WARM_UP..].to_vec();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Where the clock stops.
#[derive(Clone, Copy)]
enum Until {
    Handshake,
    Answer,
}

/// Sends the request and reads the answer. Where it is not measured it is done all the same: in TLS
/// 1.3 the server has work left when the client's handshake is over, which the next one would pay.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), spec: &ProbeSpec) {
    let request = request(&spec.http).expect("a request");
    stream.write_all(&request).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    drop(stream.shutdown().await);
}

/// OpenSSL through tokio, with nginx's settings, and nothing that records.
async fn bare(
    context: &dyn Fn() -> SslContext,
    port: u16,
    spec: &ProbeSpec,
    until: Until,
) -> Duration {
    let began = Instant::now();
    let mut ssl = Ssl::new(&context()).expect("SSL");
    ssl.set_hostname(HOST).expect("SNI");
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("TCP");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let mut stream = SslStream::new(ssl, stream).expect("SslStream");
    Pin::new(&mut stream).connect().await.expect("a handshake");
    let shaken = began.elapsed();
    ask(&mut stream, spec).await;
    match until {
        Until::Handshake => shaken,
        Until::Answer => began.elapsed(),
    }
}

/// The probe's handshake: its own dial, its recorder, every message kept.
async fn handshake(spec: &ProbeSpec, prepared_before: bool) -> Duration {
    let tls = spec.tls.as_ref().expect("TLS");
    let mut began = Instant::now();
    let prepared = prepare(tls).expect("a configuration");
    if prepared_before {
        began = Instant::now();
    }
    let recorder = Recorder::new();
    let target = Target {
        host: spec.host.clone(),
        port: spec.port,
        timeout: spec.timeout,
    };
    let dialled = Direct.dial(&target, &recorder).await.expect("TCP");
    let until = Instant::now() + spec.timeout;
    let shaken = prepared.handshake(dialled.stream, until).await;
    let took = began.elapsed();
    let (mut session, end) = shaken.expect("SSL");
    assert_eq!(end, HandshakeEnd::Done);
    ask(&mut session.stream, spec).await;
    took
}

/// All that `probe` does, up to the transcript.
async fn whole(spec: &ProbeSpec) -> Duration {
    let began = Instant::now();
    let transcript = probe(spec, &Direct, &CancellationToken::new()).await;
    let took = began.elapsed();
    let transcript = transcript.expect("a transcript");
    assert_eq!(
        transcript.nginx.outcome,
        Outcome::Ok,
        "{}",
        transcript.nginx.sentence
    );
    took
}

async fn many(material: &Material, ports: &[u16]) {
    let specs: Vec<ProbeSpec> = ports.iter().map(|&port| material.spec(port)).collect();
    let cancel = CancellationToken::new();
    for probes in [PROBES, 4 * PROBES] {
        let before = memory("VmHWM:");
        let began = Instant::now();
        let failures =
            futures::stream::iter((0..probes).map(|number| &specs[number % specs.len()]))
                .map(|spec| probe(spec, &Direct, &cancel))
                .buffer_unordered(AT_ONCE)
                .filter(|result| {
                    let is_served = result
                        .as_ref()
                        .is_ok_and(|t| t.nginx.outcome == Outcome::Ok);
                    futures::future::ready(!is_served)
                })
                .count()
                .await;
        let took = began.elapsed();
        let after = memory("VmHWM:");
        println!(
            "\n{probes} probes of {} servers, {AT_ONCE} at a time: {took:.2?}, {:.0} a second, {failures} failures; \
             peak of memory {before} kB before, {after} kB after (+{} kB)",
            ports.len(),
            probes as f64 / took.as_secs_f64(),
            after - before,
        );
    }
}

/// A line of `/proc/self/status`, in kB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with(name))
        .expect("a line");
    let number = line.split_whitespace().nth(1).expect("a number");
    number.parse().expect("a number")
}

/// What both sides of a connection are told, in PEM; RSA 2048, cert-manager's default.
struct Material {
    ca: Vec<u8>,
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Material {
    /// Mints all of it, and writes the servers' part to the folder.
    fn mint(folder: &str) -> Self {
        let rsa = |template: Template| template.with(|t| t.key = KeyKind::Rsa(2_048));
        let ca = rsa(Template::ca("bench CA")).self_signed();
        let server = rsa(Template::server(HOST)).signed_by(&ca);
        let client = rsa(Template::client("gateway")).signed_by(&ca);
        for (name, pem) in [
            ("ca.crt", ca.pem()),
            ("tls.crt", server.pem()),
            ("tls.key", server.key_pem()),
        ] {
            std::fs::write(format!("{folder}/{name}"), pem).expect("a file");
        }
        Self {
            ca: ca.pem(),
            certificate: client.pem(),
            key: Zeroizing::new(client.key_pem()),
        }
    }

    fn spec(&self, port: u16) -> ProbeSpec {
        ProbeSpec {
            host: "127.0.0.1".to_owned(),
            port,
            tls: Some(TlsSpec {
                server_name: HOST.to_owned(),
                trust: Trust::Bundle {
                    pem: self.ca.clone(),
                    origin: "the benchmark's CA".to_owned(),
                },
                client_identity: Some(ClientIdentity {
                    certificate_pem: self.certificate.clone(),
                    key_pem: self.key.clone(),
                    origin: "the benchmark's client certificate".to_owned(),
                }),
                verify_depth: 4,
                at: None,
            }),
            http: HttpSpec {
                method: "GET".to_owned(),
                host: HOST.to_owned(),
                path: "/".to_owned(),
            },
            protocol: Protocol::Http1,
            timeout: Duration::from_mins(1),
        }
    }

    /// The settings of `context_as_nginx`, from the same PEM texts.
    fn context(&self) -> SslContext {
        let mut builder = SslContextBuilder::new(SslMethod::tls()).expect("a context");
        let (lowest, highest) = (SslVersion::TLS1_2, SslVersion::TLS1_3);
        builder
            .set_min_proto_version(Some(lowest))
            .expect("a version");
        builder
            .set_max_proto_version(Some(highest))
            .expect("a version");
        builder.set_options(SslOptions::NO_COMPRESSION | SslOptions::IGNORE_UNEXPECTED_EOF);
        builder.set_mode(SslMode::RELEASE_BUFFERS | SslMode::NO_AUTO_CHAIN);
        builder.set_read_ahead(true);
        builder.set_cipher_list("DEFAULT").expect("ciphers");
        builder.set_security_level(ngf_tls::engine::SECURITY_LEVEL);
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        let certificate = X509::from_pem(&self.certificate).expect("a certificate");
        builder
            .set_certificate(&certificate)
            .expect("a certificate");
        let key = PKey::private_key_from_pem(&self.key).expect("a key");
        builder.set_private_key(&key).expect("a key");
        let ca = X509::from_pem(&self.ca).expect("a CA");
        builder.cert_store_mut().add_cert(ca).expect("a CA");
        builder.set_verify(SslVerifyMode::PEER);
        builder.set_verify_depth(4);
        builder.build()
    }
}

/// The servers' process; ends with the value.
struct Servers {
    process: Child,
    tls13: u16,
    tls12: u16,
    many: Vec<u16>,
}

impl Servers {
    fn start(folder: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .env(SERVE, folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the servers' process");
        let said = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut ports = said
            .lines()
            .map(|line| line.expect("a line").parse().expect("a port"));
        let mut next = || ports.next().expect("a port");
        let (tls13, tls12) = (next(), next());
        let many = (0..SERVERS).map(|_| next()).collect();
        Self {
            process,
            tls13,
            tls12,
            many,
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// One server of TLS 1.3 only, one of TLS 1.2 only, and many that speak both; says their ports.
async fn serve(folder: &str) {
    let (only13, only12) = (Some(SslVersion::TLS1_3), Some(SslVersion::TLS1_2));
    let versions = [(only13, only13), (only12, only12)];
    let all = versions.into_iter().chain([(only12, only13); SERVERS]);
    for (lowest, highest) in all {
        let context = server_context(folder, lowest, highest);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        println!("{}", listener.local_addr().expect("an address").port());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(context.clone(), stream));
            }
        });
    }
    std::io::stdout().flush().expect("a pipe");
    std::future::pending::<()>().await;
}

fn server_context(
    folder: &str,
    lowest: Option<SslVersion>,
    highest: Option<SslVersion>,
) -> SslContext {
    let path = |name: &str| format!("{folder}/{name}");
    let pem = openssl::ssl::SslFiletype::PEM;
    let mut builder = SslContextBuilder::new(SslMethod::tls()).expect("a context");
    builder.set_min_proto_version(lowest).expect("a version");
    builder.set_max_proto_version(highest).expect("a version");
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder
        .set_certificate_chain_file(path("tls.crt"))
        .expect("a certificate");
    builder
        .set_private_key_file(path("tls.key"), pem)
        .expect("a key");
    builder.set_ca_file(path("ca.crt")).expect("a CA");
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    builder.build()
}

/// Shakes hands, and answers one request, if there is one.
async fn answer(context: SslContext, stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut stream = SslStream::new(Ssl::new(&context).ok()?, stream).ok()?;
    Pin::new(&mut stream).accept().await.ok()?;
    let mut request = [0; 1_024];
    if stream.read(&mut request).await.ok()? > 0 {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
        stream.write_all(answer).await.ok()?;
        stream.shutdown().await.ok()?;
    }
    Some(())
}
