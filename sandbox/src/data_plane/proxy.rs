//! nginx at a Gateway's HTTP or HTTPS listener: finds the server and the location, asks an endpoint as
//! `ngx_http_proxy_module` does, the next one where it fails, and writes nginx's lines. The verdict on
//! a backend's certificate is OpenSSL's, taken as nginx takes it: the handshake continues, its result is
//! looked at, then the name (`ngx_http_upstream_ssl_handshake`).

mod upstream;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use openssl::ssl::{Ssl, SslContext};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::time::timeout;
use tokio_openssl::SslStream;
use tokio_util::sync::CancellationToken;

use super::clients::{self, Client};
use super::{Configuration, Location, Pass, Server};
use crate::dial::{Dial, Stream};
use crate::logs::Log;
use crate::metadata::random;
use crate::nginx::config::Files;
use crate::nginx::http::{self, Head, Parsed};
use crate::nginx::log::{self, escape, time_local};
use crate::nginx::virtual_server;

/// `proxy_connect_timeout`, `proxy_read_timeout` and `client_header_timeout`.
const TIMEOUT: Duration = Duration::from_mins(1);
/// `client_max_body_size`.
const MAX_BODY: usize = 1 << 20;
/// `proxy_buffer_size`: bytes of a response's head.
const MAX_HEAD: usize = 8 << 10;
/// Fields of a response's head.
const MAX_FIELDS: usize = 64;
/// Bytes of a response that are passed on.
const MAX_RESPONSE: usize = 64 << 20;
/// What the server header and the error pages say where `server_tokens` is off.
const SERVER: &str = "nginx";
/// Connections so far, for `*7` in log lines.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// The container that nginx runs in.
pub(crate) struct Inside {
    /// The files that it sees.
    pub(crate) files: Files,
    /// Its log.
    pub(crate) log: Arc<Log>,
    /// Ends what is served.
    pub(crate) stop: CancellationToken,
    /// Its network.
    pub(crate) dial: Box<dyn Dial>,
}

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
    pub(crate) async fn serve(self, inside: Inside, client: DuplexStream, from: Ipv4Addr) {
        let stop = inside.stop.clone();
        let mut connection = Connection {
            number: CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1,
            configuration: self.configuration,
            port: self.port,
            inside,
            from,
            client: None,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            served = timeout(2 * TIMEOUT, connection.serve(client)) => {
                // One that takes longer is cut off.
                let _ = served;
            }
        }
    }
}

struct Connection {
    number: u64,
    configuration: Arc<Configuration>,
    port: u16,
    inside: Inside,
    from: Ipv4Addr,
    /// What TLS says of the client, where it speaks TLS.
    client: Option<Client>,
}

/// A connection to a client, in plain text or over TLS.
trait ToClient: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> ToClient for S {}

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
    /// Speaks to the client as the servers of the port do.
    async fn serve(&mut self, mut client: DuplexStream) {
        match clients::context(&self.configuration, &self.inside.files, self.port) {
            Ok(None) => {
                self.request(&mut client).await;
                // A client that has gone needs no end.
                let _ = client.shutdown().await;
            }
            Ok(Some(context)) => self.over_tls(&context, client).await,
            Err(error) => self.error(&format!("the TLS context cannot be made ({error})")),
        }
    }

    async fn over_tls(&mut self, context: &SslContext, client: DuplexStream) {
        let stream = Ssl::new(context).and_then(|ssl| SslStream::new(ssl, client));
        let Ok(mut stream) = stream else {
            return;
        };
        match timeout(TIMEOUT, Pin::new(&mut stream).accept()).await {
            Ok(Ok(())) => {
                self.client = Some(Client::of(stream.ssl()));
                self.request(&mut stream).await;
                // close_notify; a client that has gone needs no end.
                let _ = timeout(Duration::from_secs(5), stream.shutdown()).await;
            }
            Ok(Err(error)) => {
                let why = match error.ssl_error() {
                    Some(stack) if !stack.errors().is_empty() => {
                        format!("SSL_do_handshake() failed (SSL: {stack})")
                    }
                    _ => "peer closed connection in SSL handshake".to_owned(),
                };
                self.info(&format!(
                    "{why} while SSL handshaking, client: {}, server: 0.0.0.0:{}",
                    self.from, self.port
                ));
            }
            Err(_) => {}
        }
    }

    /// Whether nginx lets the client in; if not, it says so and closes the connection without an answer
    /// (`return 444`).
    fn lets_in(&self, server: &Server, head: &Head) -> bool {
        let tls = self.client.zip(server.tls.as_ref());
        let Some(why) = tls.and_then(|(client, tls)| client.refusal(&tls.clients)) else {
            return true;
        };
        self.info(&format!(
            "{why} while reading client request headers, client: {}, server: {}, request: \"{}\", host: \"{}\"",
            self.from,
            server.name,
            escape(&head.line),
            escape(head.field("host").unwrap_or_default()),
        ));
        self.access(head, 444, 0);
        false
    }

    async fn request<S: ToClient>(&mut self, client: &mut S) {
        let mut buffer = Vec::new();
        let head = match http::read_head(client, &mut buffer, TIMEOUT).await {
            Ok(Parsed::Head(head, used)) => {
                buffer.drain(..used);
                head
            }
            Ok(Parsed::Refused(head, refusal)) => {
                return self.page(client, &head, refusal.status).await;
            }
            Ok(Parsed::Partial) | Err(_) => return,
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

    async fn answer<S: ToClient>(&mut self, client: &mut S, head: &Head, body: &[u8]) {
        let configuration = self.configuration.clone();
        let host = head.host().unwrap_or_default();
        let here = configuration.servers.iter();
        let here: Vec<&Server> = here.filter(|server| server.port == self.port).collect();
        let names = here.iter().map(|server| server.name.as_str());
        let Some(server) = find_server(names, &host).map(|index| here[index]) else {
            return self.page(client, head, 404).await;
        };
        if !self.lets_in(server, head) {
            return;
        }
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

    fn info(&self, message: &str) {
        log::error(&self.inside.log, "info", Some(self.number), message);
    }

    fn error(&self, message: &str) {
        log::error(&self.inside.log, "error", Some(self.number), message);
    }

    fn access(&self, head: &Head, status: u16, sent: usize) {
        let agent = head.field("user-agent").unwrap_or("-");
        self.inside.log.write(format!(
            "{} - - [{}] \"{}\" {status} {sent} \"-\" \"{}\"",
            self.from,
            time_local(),
            escape(&head.line),
            escape(agent)
        ));
    }

    async fn page<S: ToClient>(&self, client: &mut S, head: &Head, status: u16) {
        let answer = http::page(status, SERVER);
        let bytes = http::write(&answer, head, false, SERVER, Timestamp::now());
        // A client that has gone needs no answer.
        let _ = client.write_all(&bytes).await;
        self.access(head, answer.status, answer.body.len());
    }

    async fn pass_on<S: ToClient>(&self, client: &mut S, head: &Head, response: Response) {
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

/// The index of the server for a host; one of NGF's takes every name (`~^`), and the port's default has none.
pub(super) fn find_server<'n>(
    names: impl Iterator<Item = &'n str> + Clone,
    host: &str,
) -> Option<usize> {
    let numbered = names.enumerate().filter(|(_, name)| !name.is_empty());
    virtual_server(numbered.clone().map(|(index, name)| (name, index)), host).or_else(|| {
        numbered
            .clone()
            .find(|(_, name)| *name == "~^")
            .map(|(index, _)| index)
    })
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
