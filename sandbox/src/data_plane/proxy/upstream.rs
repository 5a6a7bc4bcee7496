//! The connection from nginx to a backend.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode};
use openssl::x509::{X509, X509VerifyResult};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::data_plane::UpstreamTls;
use crate::dial::{DialError, Stream};
use crate::nginx::http::Head;
use crate::nginx::tls;

use super::{Asked, Connection, MAX_FIELDS, MAX_HEAD, Response, TIMEOUT};

async fn read_response(mut stream: Stream) -> Asked {
    let fails = |why: &str, status| {
        let reading = "while reading response header from upstream";
        Err((format!("{why} {reading}"), status))
    };
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        match timeout(TIMEOUT, stream.read(&mut chunk)).await {
            Err(_) => return fails("upstream timed out (110: Connection timed out)", 504),
            Ok(Ok(0)) => return fails("upstream prematurely closed connection", 502),
            Ok(Ok(count)) => bytes.extend_from_slice(&chunk[..count]),
            Ok(Err(error)) => return fails(&format!("recv() failed ({error})"), 502),
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let end = match head.parse(&bytes) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD => continue,
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return fails("upstream sent too big header", 502);
            }
            Err(_) => return fails("upstream sent no valid HTTP/1.0 header", 502),
        };
        let status = head.code.unwrap_or(502);
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        return Ok(Response {
            status,
            line: format!("{status} {}", head.reason.unwrap_or_default()),
            fields: head
                .headers
                .iter()
                .map(|field| (field.name.to_owned(), text(field.value)))
                .collect(),
            begun: bytes.split_off(end),
            rest: stream,
        });
    }
}

/// `X509_V_ERR_HOSTNAME_MISMATCH`.
const HOSTNAME_MISMATCH: i32 = 62;

/// What OpenSSL says of a backend's certificate: nothing of it ends the handshake, and all of it is looked
/// at afterwards, as nginx does it (`SSL_get_verify_result`, then `X509_check_host`).
#[derive(Debug, Clone, Default)]
struct Verdict(Arc<Mutex<Judged>>);

#[derive(Debug, Default)]
struct Judged {
    /// The last error but that of the name.
    pub(super) error: Option<X509VerifyResult>,
    /// The certificate is for another name.
    pub(super) other_name: bool,
}

impl Verdict {
    fn get(&self) -> MutexGuard<'_, Judged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, error: X509VerifyResult) {
        let mut judged = self.get();
        if error.as_raw() == HOSTNAME_MISMATCH {
            judged.other_name = true;
        } else {
            judged.error = Some(error);
        }
    }
}

impl Connection {
    /// Asks one endpoint.
    pub(super) async fn ask(
        &self,
        to: SocketAddr,
        tls: Option<&UpstreamTls>,
        head: &Head,
        body: &[u8],
    ) -> Asked {
        const CONNECTING: &str = "while connecting to upstream";
        let host = to.ip().to_string();
        let dialled = timeout(TIMEOUT, self.inside.dial.dial(&host, to.port())).await;
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

    pub(super) async fn handshake(
        &self,
        stream: Stream,
        tls: &UpstreamTls,
    ) -> Result<SslStream<Stream>, (String, u16)> {
        const SHAKING: &str = "while SSL handshaking to upstream";
        let broken = |why: String| (format!("{why} {SHAKING}"), 502);
        let internal =
            |stack: ErrorStack| broken(format!("SSL_do_handshake() failed (SSL: {stack})"));
        let verdict = Verdict::default();
        let context = self.context(tls, &verdict).map_err(internal)?;
        let mut ssl = Ssl::new(&context).map_err(internal)?;
        // nginx sends no address as a name.
        if tls.name.parse::<std::net::IpAddr>().is_err() {
            ssl.set_hostname(&tls.name).map_err(internal)?;
        }
        ssl.param_mut().set_host(&tls.name).map_err(internal)?;
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
        let judged = verdict.get();
        if let Some(error) = judged.error {
            return Err(broken(format!(
                "upstream SSL certificate verify error: ({}:{})",
                error.as_raw(),
                error.error_string()
            )));
        }
        if judged.other_name {
            return Err(broken(format!(
                "upstream SSL certificate does not match \"{}\"",
                tls.name
            )));
        }
        Ok(stream)
    }

    /// `proxy_ssl_*`: the CA and the client certificate as they stand on the disk.
    fn context(&self, tls: &UpstreamTls, verdict: &Verdict) -> Result<SslContext, ErrorStack> {
        let mut builder = SslContext::builder(SslMethod::tls_client())?;
        let file = |path: &str| {
            self.inside
                .files
                .get(path)
                .map_or(&[][..], |bytes| &bytes[..])
        };
        for ca in X509::stack_from_pem(file(&tls.trusted))? {
            builder.cert_store_mut().add_cert(ca)?;
        }
        builder.set_verify_depth(4);
        let verdict = verdict.clone();
        builder.set_verify_callback(SslVerifyMode::NONE, move |fits, context| {
            if !fits {
                verdict.note(context.error());
            }
            true
        });
        if let Some(pair) = &self.configuration.client_pair {
            tls::set_pair(&mut builder, file(pair), file(pair))?;
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
             X-Forwarded-Proto: {}\r\nX-Forwarded-Host: {}\r\nX-Forwarded-Port: {}\r\n\
             Connection: close\r\n",
            head.method,
            head.target,
            if self.client.is_some() {
                "https"
            } else {
                "http"
            },
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
}
