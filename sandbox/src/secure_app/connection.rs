//! One connection to secure-app, from its first byte to its last.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use openssl::ssl::{NameType, Ssl, SslRef};
use openssl::x509::X509VerifyResult;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use super::Nginx;
use crate::nginx::config::{Server, Verify};
use crate::nginx::http::{self, Answer, Head, Parsed, Unread};
use crate::nginx::log::{escape, time_local};
use crate::nginx::names;

/// Bytes of a request's body that are read and thrown away (`client_max_body_size`).
const MAX_BODY: u64 = 1024 * 1024;
/// The version that the server header and the error pages name: the one in the guide.
const SERVER: &str = "nginx/1.29.2";
/// Requests on one connection (`keepalive_requests`).
const MAX_REQUESTS: u32 = 1000;

/// A connection that was accepted.
pub(crate) struct Connection {
    nginx: Arc<Nginx>,
    number: u64,
    peer: SocketAddr,
    local: SocketAddr,
}

/// What TLS says about the client, for the checks and for the log.
#[derive(Debug, Clone, Default)]
struct Client {
    /// The connection speaks TLS.
    tls: bool,
    /// OpenSSL's verdict, and whether there is a certificate at all.
    result: Option<(i32, &'static str)>,
    subject: Option<String>,
    /// The server block that SNI chose by name.
    sni: Option<(usize, String)>,
}

impl Client {
    fn of(ssl: &SslRef, nginx: &Nginx) -> Self {
        let certificate = ssl.peer_certificate();
        let result = ssl.verify_result();
        let sni = ssl.servername(NameType::HOST_NAME).map(str::to_lowercase);
        Self {
            tls: true,
            result: (certificate.is_some() || result != X509VerifyResult::OK)
                .then(|| (result.as_raw(), result.error_string())),
            subject: certificate.map(|c| names::rfc2253(c.subject_name())),
            sni: sni.and_then(|name| nginx.find(&name).map(|index| (index, name))),
        }
    }

    /// `$ssl_client_verify`.
    fn verify(&self) -> Option<String> {
        if !self.tls {
            return None;
        }
        Some(match (&self.subject, self.result) {
            (None, _) => "NONE".to_owned(),
            (Some(_), Some((code, text))) if code != 0 => format!("FAILED:{text}"),
            (Some(_), _) => "SUCCESS".to_owned(),
        })
    }
}

impl Connection {
    pub(super) fn new(nginx: Arc<Nginx>, number: u64, peer: SocketAddr, local: SocketAddr) -> Self {
        Self {
            nginx,
            number,
            peer,
            local,
        }
    }

    /// Serves the connection.
    pub(super) async fn run(self, stream: TcpStream) {
        let mut first = [0];
        // A failure to set it costs time, not correctness.
        stream.set_nodelay(true).unwrap_or_default();
        match timeout(self.nginx.timeout, stream.peek(&mut first)).await {
            Ok(Ok(1)) => {}
            Ok(Ok(_)) => return self.early("client closed connection while waiting for request"),
            Ok(Err(_)) => return,
            Err(_) => {
                return self.early(
                    "client timed out (110: Connection timed out) while waiting for request",
                );
            }
        }
        // A ClientHello starts with 0x16, or in SSL 2.0's form with the highest bit set
        // (ngx_http_ssl_handshake).
        let hello = first[0] & 0x80 != 0 || first[0] == 0x16;
        match &self.nginx.tls {
            Some(context) if hello => match Ssl::new(context) {
                Ok(ssl) => self.handshake(ssl, stream).await,
                Err(error) => self.early(&format!("SSL_new() failed (SSL: {error})")),
            },
            _ => self.requests(stream, Client::default()).await,
        }
    }

    fn early(&self, message: &str) {
        self.nginx.error(
            "info",
            Some(self.number),
            &format!(
                "{message}, client: {}, server: 0.0.0.0:{}",
                self.peer.ip(),
                self.nginx.port
            ),
        );
    }

    async fn handshake(&self, ssl: Ssl, stream: TcpStream) {
        let Ok(mut stream) = SslStream::new(ssl, stream) else {
            return;
        };
        match timeout(self.nginx.timeout, Pin::new(&mut stream).accept()).await {
            Ok(Ok(())) => {
                let client = Client::of(stream.ssl(), &self.nginx);
                self.requests(stream, client).await;
            }
            Ok(Err(error)) => {
                // OpenSSL has said what is wrong with the handshake, or the peer has gone.
                let message = match error.ssl_error() {
                    Some(stack) if !stack.errors().is_empty() => {
                        format!("SSL_do_handshake() failed (SSL: {stack})")
                    }
                    _ => "peer closed connection in SSL handshake".to_owned(),
                };
                self.early(&format!("{message} while SSL handshaking"));
            }
            Err(_) => {
                self.early("client timed out (110: Connection timed out) while SSL handshaking");
            }
        }
    }

    async fn requests<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S, client: Client) {
        let mut buffer = Vec::new();
        let mut wait = self.nginx.timeout;
        for served in 1..=MAX_REQUESTS {
            let Some(parsed) = self.read_head(&mut stream, &mut buffer, wait, served).await else {
                break;
            };
            let (head, answer, block) = match parsed {
                Parsed::Head(head, used) => {
                    buffer.drain(..used);
                    let (answer, block) = self.decide(&head, &client);
                    (head, answer, block)
                }
                Parsed::Refused(head, refusal) => {
                    self.info(
                        &head,
                        0,
                        &format!("{} while reading {}", refusal.log, refusal.reading),
                    );
                    (head, page(refusal.status), 0)
                }
                Parsed::Partial => break,
            };
            let kept = !answer.close && head.keeps_alive() && served < MAX_REQUESTS;
            let kept = kept && discard_body(&mut stream, &mut buffer, &head, wait).await;
            let bytes = http::write(&answer, &head, kept, SERVER, Timestamp::now());
            let sent = timeout(wait, async {
                stream.write_all(&bytes).await?;
                stream.flush().await
            })
            .await;
            self.access(&head, &answer, &client, block);
            if !kept || !matches!(sent, Ok(Ok(()))) {
                break;
            }
            wait = self.nginx.idle;
        }
        // close_notify and FIN; a peer that does not read them is not waited for long.
        let _ = timeout(Duration::from_secs(5), stream.shutdown()).await;
    }

    /// Reads until there is a head, or a reason why there is none; `None` when the peer is gone.
    async fn read_head<S: AsyncRead + Unpin>(
        &self,
        stream: &mut S,
        buffer: &mut Vec<u8>,
        wait: Duration,
        served: u32,
    ) -> Option<Parsed> {
        match http::read_head(stream, buffer, wait).await {
            Ok(read) => return Some(read),
            Err(Unread::Closed) if served == 1 => {
                self.early("client closed connection while waiting for request");
            }
            Err(Unread::Closed) => {
                let ip = self.peer.ip();
                let message = format!("client {ip} closed keepalive connection");
                self.nginx.error("info", Some(self.number), &message);
            }
            Err(Unread::TimedOut) if served == 1 => {
                self.early(
                    "client timed out (110: Connection timed out) while waiting for request",
                );
            }
            Err(Unread::TimedOut) => {}
        }
        None
    }

    /// The answer, and the server block that gave it: first the Host's server, then what TLS says of
    /// the client, then `return` (`ngx_http_set_virtual_server`, `ngx_http_process_request`).
    fn decide(&self, head: &Head, client: &Client) -> (Answer, usize) {
        let reading = "while reading client request headers";
        let host = head.host().unwrap_or_default();
        let sni = client.sni.as_ref();
        let block = match sni {
            Some((index, name)) if *name == host || host.is_empty() => *index,
            _ => self.nginx.find(&host).unwrap_or(0),
        };
        let server = &self.nginx.servers[block].server;
        let other = sni.is_some_and(|(_, name)| *name != host) && !host.is_empty();
        if other && server.verify != Verify::Off {
            let message = "client attempted to request the server name different from the one that \
                           was negotiated";
            let block = sni.map_or(0, |(index, _)| *index);
            self.info(head, block, &format!("{message} {reading}"));
            // Refused before nginx has looked at whether to keep the connection.
            let answer = Answer {
                close: true,
                ..page(421)
            };
            return (answer, block);
        }
        if self.nginx.tls.is_some() && !client.tls {
            self.info(
                head,
                block,
                &format!("client sent plain HTTP request to HTTPS port {reading}"),
            );
            return (page(497), block);
        }
        if client.tls && server.verify != Verify::Off {
            if let Some((code, text)) = client.result.filter(|(code, _)| *code != 0)
                && !(server.verify == Verify::OptionalNoCa && unknown_ca(code))
            {
                self.info(
                    head,
                    block,
                    &format!("client SSL certificate verify error: ({code}:{text}) {reading}"),
                );
                return (page(495), block);
            }
            if client.subject.is_none() && server.verify == Verify::On {
                self.info(
                    head,
                    block,
                    &format!("client sent no required SSL certificate {reading}"),
                );
                return (page(496), block);
            }
        }
        (content(server, head), block)
    }

    fn info(&self, head: &Head, block: usize, message: &str) {
        let names = &self.nginx.servers[block].server.names;
        let server = names.first().map_or("", String::as_str);
        let mut line = format!("{message}, client: {}, server: {server}", self.peer.ip());
        if !head.line.is_empty() {
            line.extend([", request: \"", &escape(&head.line), "\""]);
        }
        if let Some(host) = head.field("host") {
            line.extend([", host: \"", &escape(host), "\""]);
        }
        self.nginx.error("info", Some(self.number), &line);
    }

    /// The line of the access log.
    fn access(&self, head: &Head, answer: &Answer, client: &Client, block: usize) {
        let Some(format) = &self.nginx.servers[block].server.log_format else {
            return;
        };
        let mut line = String::new();
        let mut rest = format.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            line += before;
            let end = after
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(after.len());
            let value = self.variable(&after[..end], head, answer, client);
            line += &value
                .filter(|v| !v.is_empty())
                .map_or_else(|| "-".to_owned(), |v| escape(&v));
            rest = &after[end..];
        }
        line += rest;
        self.nginx.log.write(line);
    }

    fn variable(
        &self,
        name: &str,
        head: &Head,
        answer: &Answer,
        client: &Client,
    ) -> Option<String> {
        match name {
            "remote_addr" => Some(self.peer.ip().to_string()),
            "remote_port" => Some(self.peer.port().to_string()),
            "server_addr" => Some(self.local.ip().to_string()),
            "server_port" => Some(self.nginx.port.to_string()),
            "connection" => Some(self.number.to_string()),
            "request" => Some(head.line.clone()),
            "request_method" => Some(head.method.clone()),
            "request_uri" => Some(head.target.clone()),
            "host" => head.host(),
            "status" => Some(answer.status.to_string()),
            "body_bytes_sent" => Some(answer.body.len().to_string()),
            "time_local" => Some(time_local()),
            "time_iso8601" => Some(
                Timestamp::now()
                    .strftime("%Y-%m-%dT%H:%M:%S+00:00")
                    .to_string(),
            ),
            "ssl_client_verify" => client.verify(),
            "ssl_client_s_dn" => client.subject.clone(),
            "ssl_server_name" => client.sni.as_ref().map(|(_, name)| name.clone()),
            _ => name
                .strip_prefix("http_")
                .and_then(|field| head.field(&field.replace('_', "-")))
                .map(str::to_owned),
        }
    }
}

/// Verdicts that `optional_no_ca` overlooks (`ngx_ssl_verify_error_optional`).
fn unknown_ca(code: i32) -> bool {
    matches!(code, 2 | 18..=21 | 24 | 27)
}

/// What the server block returns.
fn content(server: &Server, head: &Head) -> Answer {
    let too_large = head
        .field("content-length")
        .is_some_and(|length| length.parse::<u64>().is_ok_and(|length| length > MAX_BODY));
    if too_large {
        return page(413);
    }
    match &server.answer {
        Some((status, text)) if !text.is_empty() || *status < 300 => {
            let path = head.target.split('?').next().unwrap_or_default();
            let content_type = match path.rsplit_once('.').map(|(_, extension)| extension) {
                Some("html") => "text/html",
                Some("gif") => "image/gif",
                Some("jpg") => "image/jpeg",
                _ => &server.default_type,
            };
            Answer {
                status: *status,
                content_type: content_type.to_owned(),
                body: text.clone().into_bytes(),
                close: false,
            }
        }
        Some((status, _)) => page(*status),
        None => page(404),
    }
}

/// Reads a request's body and forgets it; false when the connection cannot be used again.
async fn discard_body<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut Vec<u8>,
    head: &Head,
    wait: Duration,
) -> bool {
    if head.field("transfer-encoding").is_some() {
        return false;
    }
    let Some(length) = head.field("content-length") else {
        return true;
    };
    let Ok(length @ 0..=MAX_BODY) = length.parse::<u64>() else {
        return false;
    };
    let length = length as usize;
    let buffered = length.min(buffer.len());
    buffer.drain(..buffered);
    let mut left = length - buffered;
    let read = async {
        let mut chunk = [0; 4096];
        while left > 0 {
            let most = left.min(chunk.len());
            match stream.read(&mut chunk[..most]).await {
                Ok(0) | Err(_) => return false,
                Ok(count) => left -= count,
            }
        }
        true
    };
    timeout(wait, read).await.unwrap_or(false)
}

fn page(status: u16) -> Answer {
    http::page(status, SERVER)
}
