//! nginx at a Gateway's HTTP listener: finds the server and the location, asks an endpoint as
//! `ngx_http_proxy_module` does, the next one where it fails, and writes nginx's lines. The verdict on
//! a backend's certificate is OpenSSL's, taken as nginx takes it: the handshake goes on, its result is
//! looked at, then the name (`ngx_http_upstream_ssl_handshake`).

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Ref, X509StoreContext, X509VerifyResult};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::timeout;
use tokio_openssl::SslStream;

use super::{CONTAINER, Configuration, Location, Pass, Server, UpstreamTls};
use crate::logs::Log;
use crate::metadata::random;
use crate::pods::{DialError, Place, Stream};
use crate::secure_app::config::Files;
use crate::secure_app::http::{self, Head, Parsed};

/// `proxy_connect_timeout`, `proxy_read_timeout` and `client_header_timeout`.
const TIMEOUT: Duration = Duration::from_mins(1);
/// `client_max_body_size`.
const MAX_BODY: usize = 1 << 20;
/// `proxy_buffer_size`: bytes of a response's head.
const MAX_HEAD: usize = 8 << 10;
/// Bytes of a response that are passed on.
const MAX_RESPONSE: usize = 64 << 20;
/// Connections so far, for `*7` in log lines.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// What a data plane serves at a port.
pub(crate) struct Served {
    configuration: Arc<Configuration>,
    port: u16,
}

impl Served {
    /// `None` where nothing listens at the port.
    pub(crate) fn find(configuration: &Arc<Configuration>, port: u16) -> Option<Self> {
        configuration.at(port).then(|| Self {
            configuration: configuration.clone(),
            port,
        })
    }

    /// Serves one connection of a client.
    pub(crate) async fn serve(self, place: Place, mut client: DuplexStream, from: Ipv4Addr) {
        let log = place
            .pods
            .logs
            .open(&place.live.namespace, &place.live.name, CONTAINER);
        let stop = place.stop();
        let mut connection = Connection {
            number: CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1,
            configuration: self.configuration,
            port: self.port,
            files: place.files(),
            place,
            log,
            from,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            served = timeout(2 * TIMEOUT, connection.request(&mut client)) => {
                // One that takes longer is cut off.
                let _ = served;
            }
        }
        // A client that has gone needs no end.
        let _ = client.shutdown().await;
    }
}

struct Connection {
    number: u64,
    configuration: Arc<Configuration>,
    port: u16,
    files: Files,
    place: Place,
    log: Arc<Log>,
    from: Ipv4Addr,
}

/// What an upstream gave, or why it gave nothing: nginx's words, and the client's status.
type Asked = Result<Response, (String, u16)>;

struct Response {
    status: u16,
    /// `502 Bad Gateway`.
    line: String,
    fields: Vec<(String, String)>,
    /// What of the body came with the head.
    begun: Vec<u8>,
    rest: Stream,
}

impl Connection {
    async fn request(&mut self, client: &mut DuplexStream) {
        let mut buffer = Vec::new();
        let head = loop {
            match http::parse(&buffer) {
                Parsed::Partial => {}
                Parsed::Head(head, used) => {
                    buffer.drain(..used);
                    break head;
                }
                Parsed::Refused(head, refusal) => {
                    return self.page(client, &head, refusal.status).await;
                }
            }
            let mut chunk = [0; 4096];
            match timeout(TIMEOUT, client.read(&mut chunk)).await {
                Ok(Ok(count @ 1..)) => buffer.extend_from_slice(&chunk[..count]),
                _ => return,
            }
        };
        let length = head
            .field("content-length")
            .and_then(|text| text.parse().ok());
        let length: usize = length.unwrap_or(0);
        if length > MAX_BODY {
            return self.page(client, &head, 413).await;
        }
        let mut body = buffer;
        let have = body.len().min(length);
        body.resize(length, 0);
        let rest = timeout(TIMEOUT, client.read_exact(&mut body[have..]));
        if have < length && !matches!(rest.await, Ok(Ok(_))) {
            return;
        }
        self.answer(client, &head, &body).await;
    }

    async fn answer(&mut self, client: &mut DuplexStream, head: &Head, body: &[u8]) {
        let configuration = self.configuration.clone();
        let host = head.host().unwrap_or_default();
        let Some(server) = find_server(&configuration.servers, self.port, &host) else {
            return self.page(client, head, 404).await;
        };
        let path = head.target.split('?').next().unwrap_or("/");
        let Some(location) = find_location(&server.locations, path) else {
            return self.page(client, head, 404).await;
        };
        let Pass::To { upstreams, tls, .. } = &location.pass else {
            return self.page(client, head, 500).await;
        };
        let upstream = choose(upstreams);
        let servers = configuration
            .upstreams
            .iter()
            .find(|(name, _)| name == upstream)
            .map_or(&[][..], |(_, servers)| servers);
        if servers.is_empty() {
            return self.page(client, head, 503).await;
        }
        let [random] = random::<1>();
        let first = usize::from(random) % servers.len();
        let mut status = 502;
        for (address, port) in servers[first..].iter().chain(&servers[..first]) {
            let to = SocketAddr::from((*address, *port));
            match self.ask(to, tls.as_ref(), head, body).await {
                Ok(response) => return self.pass_on(client, head, response).await,
                Err((why, client_status)) => {
                    status = client_status;
                    let scheme = if tls.is_some() { "https" } else { "http" };
                    self.error(&format!(
                        "{why}, client: {}, server: {}, request: \"{}\", upstream: \
                         \"{scheme}://{to}{}\", host: \"{}\"",
                        self.from,
                        server.name,
                        escape(&head.line),
                        escape(&head.target),
                        escape(head.field("host").unwrap_or_default()),
                    ));
                }
            }
        }
        self.page(client, head, status).await;
    }

    fn error(&self, message: &str) {
        let time = Timestamp::now().strftime("%Y/%m/%d %H:%M:%S");
        self.log
            .write(format!("{time} [error] 29#29: *{} {message}", self.number));
    }

    fn access(&self, head: &Head, status: u16, sent: usize) {
        let time = Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000");
        let agent = head.field("user-agent").unwrap_or("-");
        self.log.write(format!(
            "{} - - [{time}] \"{}\" {status} {sent} \"-\" \"{}\"",
            self.from,
            escape(&head.line),
            escape(agent)
        ));
    }

    async fn page(&self, client: &mut DuplexStream, head: &Head, status: u16) {
        let mut answer = http::page(status);
        // server_tokens is off.
        let text = String::from_utf8_lossy(&answer.body).replace(http::SERVER, "nginx");
        answer.body = text.into_bytes();
        let bytes = http::write(&answer, head, false, Timestamp::now());
        let bytes = String::from_utf8_lossy(&bytes).replacen(http::SERVER, "nginx", 1);
        // A client that has gone needs no answer.
        let _ = client.write_all(bytes.as_bytes()).await;
        self.access(head, answer.status, answer.body.len());
    }

    /// Asks one endpoint.
    async fn ask(
        &self,
        to: SocketAddr,
        tls: Option<&UpstreamTls>,
        head: &Head,
        body: &[u8],
    ) -> Asked {
        const CONNECTING: &str = "while connecting to upstream";
        let host = to.ip().to_string();
        let dialled = timeout(TIMEOUT, self.place.dial(&host, to.port())).await;
        let stream = match dialled {
            Err(_) => {
                let why = format!("upstream timed out (110: Connection timed out) {CONNECTING}");
                return Err((why, 504));
            }
            Ok(Err(error)) => {
                let number = if error == DialError::Refused {
                    111
                } else {
                    113
                };
                let why = format!(
                    "connect() failed ({number}: {}) {CONNECTING}",
                    error.words()
                );
                return Err((why, 502));
            }
            Ok(Ok((_, stream))) => stream,
        };
        let mut stream: Stream = match tls {
            None => stream,
            Some(tls) => Box::new(self.handshake(stream, tls).await?),
        };
        let request = self.upstream_request(head, body);
        if stream.write_all(&request).await.is_err() {
            let why = "writev() failed (32: Broken pipe) while sending request to upstream";
            return Err((why.to_owned(), 502));
        }
        read_response(stream).await
    }

    async fn handshake(
        &self,
        stream: Stream,
        tls: &UpstreamTls,
    ) -> Result<SslStream<Stream>, (String, u16)> {
        const SHAKING: &str = "while SSL handshaking to upstream";
        let broken = |why: String| (format!("{why} {SHAKING}"), 502);
        let internal =
            |stack: ErrorStack| broken(format!("SSL_do_handshake() failed (SSL: {stack})"));
        let context = self.context(tls).map_err(internal)?;
        let mut ssl = Ssl::new(&context).map_err(internal)?;
        // nginx sends no address as a name.
        if tls.name.parse::<std::net::IpAddr>().is_err() {
            ssl.set_hostname(&tls.name).map_err(internal)?;
        }
        let mut stream = SslStream::new(ssl, stream).map_err(internal)?;
        match timeout(TIMEOUT, Pin::new(&mut stream).connect()).await {
            Err(_) => {
                let why = format!("upstream timed out (110: Connection timed out) {SHAKING}");
                return Err((why, 504));
            }
            Ok(Err(error)) => {
                return Err(broken(match error.ssl_error() {
                    Some(stack) if !stack.errors().is_empty() => {
                        format!("SSL_do_handshake() failed (SSL: {stack})")
                    }
                    _ => "peer closed connection in SSL handshake".to_owned(),
                }));
            }
            Ok(Ok(())) => {}
        }
        let result = stream.ssl().verify_result();
        if result != X509VerifyResult::OK {
            return Err(broken(format!(
                "upstream SSL certificate verify error: ({}:{})",
                result.as_raw(),
                result.error_string()
            )));
        }
        let leaf = stream.ssl().peer_certificate();
        let fits = leaf.is_some_and(|leaf| is_for(&leaf, &tls.name).unwrap_or(false));
        if !fits {
            return Err(broken(format!(
                "upstream SSL certificate does not match \"{}\"",
                tls.name
            )));
        }
        Ok(stream)
    }

    /// `proxy_ssl_*`: the CA and the client certificate as they stand on the disk.
    fn context(&self, tls: &UpstreamTls) -> Result<SslContext, ErrorStack> {
        let mut builder = SslContext::builder(SslMethod::tls_client())?;
        let file = |path: &str| self.files.get(path).map_or(&[][..], |bytes| &bytes[..]);
        let mut store = X509StoreBuilder::new()?;
        for ca in X509::stack_from_pem(file(&tls.trusted))? {
            store.add_cert(ca)?;
        }
        builder.set_cert_store(store.build());
        builder.set_verify_depth(4);
        // What is wrong is looked at when the handshake is done.
        builder.set_verify_callback(SslVerifyMode::NONE, |_, _| true);
        if let Some(pair) = &self.configuration.client_pair {
            let pem = file(pair);
            let mut chain = X509::stack_from_pem(pem)?.into_iter();
            if let Some(leaf) = chain.next() {
                builder.set_certificate(&leaf)?;
            }
            for intermediate in chain {
                builder.add_extra_chain_cert(intermediate)?;
            }
            let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0))?;
            builder.set_private_key(&key)?;
        }
        Ok(builder.build())
    }

    /// The client's request with the header fields that NGF sets.
    fn upstream_request(&self, head: &Head, body: &[u8]) -> Vec<u8> {
        const OWN: &[&str] = &[
            "host",
            "connection",
            "x-forwarded-for",
            "x-real-ip",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-port",
            "upgrade",
            "content-length",
            "transfer-encoding",
            "keep-alive",
            "te",
            "expect",
        ];
        let host = head.field("host").unwrap_or_default();
        let from = self.from;
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {from}\r\nX-Real-IP: {from}\r\n\
             X-Forwarded-Proto: http\r\nX-Forwarded-Host: {}\r\nX-Forwarded-Port: {}\r\n\
             Connection: close\r\n",
            head.method,
            head.target,
            head.host().unwrap_or_default(),
            self.port
        );
        if !body.is_empty() {
            let _ = write!(text, "Content-Length: {}\r\n", body.len());
        }
        for (name, value) in &head.fields {
            if !OWN.contains(&name.as_str()) {
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        text += "\r\n";
        [text.as_bytes(), body].concat()
    }

    async fn pass_on(&self, client: &mut DuplexStream, head: &Head, response: Response) {
        const HIDDEN: &[&str] = &["connection", "server", "date", "keep-alive"];
        let mut text = format!(
            "HTTP/1.1 {}\r\nServer: nginx\r\nDate: {}\r\n",
            response.line,
            Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        );
        for (name, value) in &response.fields {
            if !HIDDEN.contains(&name.to_lowercase().as_str()) {
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        text += "Connection: close\r\n\r\n";
        let mut sent = response.begun.len();
        let mut fine = client.write_all(text.as_bytes()).await.is_ok()
            && client.write_all(&response.begun).await.is_ok();
        let mut rest = response.rest;
        let mut chunk = vec![0; 32 << 10];
        while fine && sent < MAX_RESPONSE {
            match timeout(TIMEOUT, rest.read(&mut chunk)).await {
                Ok(Ok(count @ 1..)) => {
                    fine = client.write_all(&chunk[..count]).await.is_ok();
                    sent += count;
                }
                _ => break,
            }
        }
        self.access(head, response.status, sent);
    }
}

async fn read_response(mut stream: Stream) -> Asked {
    const READING: &str = "while reading response header from upstream";
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if bytes.len() > MAX_HEAD {
            return Err((format!("upstream sent too big header {READING}"), 502));
        }
        let mut chunk = [0; 4096];
        match timeout(TIMEOUT, stream.read(&mut chunk)).await {
            Err(_) => {
                let why = format!("upstream timed out (110: Connection timed out) {READING}");
                return Err((why, 504));
            }
            Ok(Ok(count @ 1..)) => bytes.extend_from_slice(&chunk[..count]),
            Ok(Ok(0)) => {
                return Err((
                    format!("upstream prematurely closed connection {READING}"),
                    502,
                ));
            }
            Ok(Err(error)) => {
                return Err((format!("recv() failed ({error}) {READING}"), 502));
            }
        }
    };
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let line = first
        .split_once(' ')
        .map_or("", |(_, rest)| rest)
        .to_owned();
    let status = line.get(..3).and_then(|code| code.parse().ok());
    let Some(status) = status.filter(|_| first.starts_with("HTTP/1.")) else {
        return Err((
            format!("upstream sent no valid HTTP/1.0 header {READING}"),
            502,
        ));
    };
    let fields = lines.filter_map(|line| line.split_once(':'));
    Ok(Response {
        status,
        line,
        fields: fields
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        begun: bytes.split_off(end + 4),
        rest: stream,
    })
}

/// Whether a certificate is for a name, as `X509_check_host` says it: the certificate is trusted as it
/// is, so that only its name can be wrong.
fn is_for(leaf: &X509Ref, name: &str) -> Result<bool, ErrorStack> {
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
    parameters.set_host(name)?;
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(leaf.to_owned())?;
    store.set_param(&parameters)?;
    let mut context = X509StoreContext::new()?;
    context.init(&store.build(), leaf, &*Stack::new()?, |context| {
        let verified = context.verify_cert()?;
        Ok(verified || context.error().as_raw() != HOSTNAME_MISMATCH)
    })
}

/// `X509_V_ERR_HOSTNAME_MISMATCH`.
const HOSTNAME_MISMATCH: i32 = 62;

/// `ngx_http_find_virtual_server`: the exact name, the longest wildcard, then NGF's server for every
/// name.
fn find_server<'c>(servers: &'c [Server], port: u16, host: &str) -> Option<&'c Server> {
    let here = || servers.iter().filter(|server| server.port == port);
    here()
        .find(|server| server.name == host)
        .or_else(|| {
            here()
                .filter(|server| {
                    let suffix = server.name.strip_prefix('*');
                    suffix.is_some_and(|suffix| host.len() > suffix.len() && host.ends_with(suffix))
                })
                .max_by_key(|server| server.name.len())
        })
        .or_else(|| here().find(|server| server.name == "~^"))
        .filter(|server| !server.name.is_empty())
}

fn find_location<'c>(locations: &'c [Location], path: &str) -> Option<&'c Location> {
    locations
        .iter()
        .find(|location| location.exact && location.path == path)
        .or_else(|| {
            locations
                .iter()
                .filter(|location| !location.exact && path.starts_with(&location.path))
                .max_by_key(|location| location.path.len())
        })
}

fn choose(upstreams: &[(String, u64)]) -> &str {
    let total: u64 = upstreams.iter().map(|(_, weight)| weight).sum();
    let mut at = u64::from(u32::from_be_bytes(random())) % total.max(1);
    for (name, weight) in upstreams {
        if at < *weight {
            return name;
        }
        at -= weight;
    }
    ""
}

/// As nginx escapes what a client sent in its log.
fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' | '\\' | '\0'..' ' | '\u{7f}'.. => format!("\\x{:02X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}
