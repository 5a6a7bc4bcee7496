//! The HTTP request and its answer, over whatever stream there is.

pub mod body;
pub mod head;

use std::io;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout_at;

use crate::recorder::Recorder;
use crate::spec::HttpSpec;
use body::{Body, BodyEnd};
use head::{Head, Reading};
use ngf_text::sanitize;
use ngf_tls::transcript::{Direction, HttpAnswer, Layer, Step};

/// The step of the request.
pub const REQUEST: &str = "HTTP request";
/// The protocol that a WebSocket's client asks for.
const WEBSOCKET: &str = "websocket";
/// How the header begins by which it asks.
const UPGRADE: &str = "\r\nUpgrade: ";

/// The step of the answer.
pub const RESPONSE: &str = "HTTP response";

/// How much of a body is kept, in characters.
pub(super) const EXCERPT: usize = 2_048;

/// What is wrong with a request that cannot be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the HTTP {part} {value:?} holds a character that no request can hold")]
pub struct BadRequest {
    /// `method`, `host` or `path`.
    pub part: &'static str,
    /// What was given.
    pub value: String,
}

/// The request as bytes: HTTP/1.1 with `Connection: close`.
///
/// # Errors
/// [`BadRequest`] where a part holds a space or a control character.
pub fn request(spec: &HttpSpec) -> Result<Vec<u8>, BadRequest> {
    bytes(spec, "Connection: close\r\n")
}

/// The request of a WebSocket's client (RFC 6455 section 4.1), with the `Connection: upgrade` that nginx sends for it.
///
/// # Errors
/// Those of [`request`].
pub fn upgrade_request(spec: &HttpSpec) -> Result<Vec<u8>, BadRequest> {
    let mut nonce = [0; 16];
    // Where there is no random number, zeros are a key, too: the server only hashes it.
    drop(openssl::rand::rand_bytes(&mut nonce));
    let key = openssl::base64::encode_block(&nonce);
    bytes(
        spec,
        &format!(
            "Upgrade: {WEBSOCKET}\r\nConnection: upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        ),
    )
}

fn bytes(spec: &HttpSpec, more: &str) -> Result<Vec<u8>, BadRequest> {
    for (part, value) in [
        ("method", &spec.method),
        ("host", &spec.host),
        ("path", &spec.path),
    ] {
        let required = part != "host";
        if value.bytes().any(|b| b <= b' ' || b == 0x7f) || (required && value.is_empty()) {
            return Err(BadRequest {
                part,
                value: sanitize::line(value, 200),
            });
        }
    }
    let HttpSpec { method, host, path } = spec;
    Ok(format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: ngf-tui/{}\r\nAccept: */*\r\n{more}\r\n",
        env!("CARGO_PKG_VERSION")
    )
    .into_bytes())
}

/// How the exchange ended.
#[derive(Debug)]
pub enum Exchange {
    /// The request could not be written.
    NotSent(io::Error),
    /// The time was over while the request was being written.
    SendTimedOut,
    /// Reading the head failed.
    ReadFailed(io::Error),
    /// The time was over before the head was complete.
    TimedOut {
        /// Bytes of the answer so far.
        received: usize,
    },
    /// The connection ended before the head was complete.
    Closed {
        /// Bytes of the answer so far.
        received: usize,
    },
    /// The first line is no HTTP status line.
    NoStatusLine {
        /// The first bytes.
        opening: Vec<u8>,
    },
    /// NGINX refuses the head in these words.
    InvalidHead(String),
    /// The backend's first frame is no SETTINGS frame of HTTP/2.
    NotHttp2 {
        /// Its first bytes.
        opening: Vec<u8>,
        /// The length that nginx reads from them, where it refuses that.
        too_large: Option<u32>,
    },
    /// The backend opened the HTTP/2 connection with its SETTINGS frame, and gave no answer that says more.
    Http2,
    /// Nothing was sent, and the backend kept the connection.
    Quiet,
    /// A head came, and some of the body.
    Answer(Answer),
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// What a transcript keeps of it.
    pub http: HttpAnswer,
    /// How the body ended.
    pub end: BodyEnd,
}

/// Sends the request and reads the answer, until `until`.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    spec: &HttpSpec,
    request: &[u8],
    until: Instant,
    recorder: &Recorder,
) -> Exchange {
    let sending = async {
        stream.write_all(request).await?;
        stream.flush().await
    };
    match timeout_at(until.into(), sending).await {
        Err(_) => return Exchange::SendTimedOut,
        Ok(Err(error)) => return Exchange::NotSent(error),
        Ok(Ok(())) => {}
    }
    let step = Step::new(
        REQUEST,
        Layer::Http,
        Direction::Sent,
        recorder.now_us(),
        format!("{} {} for {}", spec.method, spec.path, spec.host),
    )
    .bytes(request.len() as u64)
    .field("method", &spec.method)
    .field("path", &spec.path)
    .field("Host", &spec.host);
    let asks_for_upgrade = request
        .windows(UPGRADE.len())
        .any(|part| part == UPGRADE.as_bytes());
    recorder.push(if asks_for_upgrade {
        step.field("Upgrade", WEBSOCKET)
            .field("Connection", "upgrade")
    } else {
        step.field("Connection", "close")
    });
    answer(
        stream,
        spec.method.eq_ignore_ascii_case("HEAD"),
        until,
        recorder,
    )
    .await
}

async fn answer<S: AsyncRead + Unpin>(
    stream: &mut S,
    is_head_request: bool,
    until: Instant,
    recorder: &Recorder,
) -> Exchange {
    let mut bytes = Vec::with_capacity(head::LONGEST_HEAD);
    let head = loop {
        let mut chunk = [0; head::LONGEST_HEAD];
        let room = head::LONGEST_HEAD - bytes.len();
        let read = match timeout_at(until.into(), stream.read(&mut chunk[..room])).await {
            Err(_) => {
                return Exchange::TimedOut {
                    received: bytes.len(),
                };
            }
            Ok(Err(error)) => return Exchange::ReadFailed(error),
            Ok(Ok(0)) => {
                return Exchange::Closed {
                    received: bytes.len(),
                };
            }
            Ok(Ok(read)) => read,
        };
        bytes.extend_from_slice(&chunk[..read]);
        match head::read(&bytes, is_head_request) {
            Reading::More => {}
            Reading::NoStatusLine => {
                bytes.truncate(64);
                return Exchange::NoStatusLine { opening: bytes };
            }
            Reading::Invalid(words) => return Exchange::InvalidHead(words),
            Reading::Head(head) => break head,
        }
    };
    let head_at = recorder.now_us();
    let mut body = Body::new(head.body);
    let mut end = body.take(&bytes[head.length..]);
    while end.is_none() {
        let mut chunk = [0; 8_192];
        end = match timeout_at(until.into(), stream.read(&mut chunk)).await {
            Err(_) => Some(BodyEnd::TimedOut),
            Ok(Err(error)) => Some(body.failed(&error)),
            Ok(Ok(0)) => Some(body.closed()),
            Ok(Ok(read)) => body.take(&chunk[..read]),
        };
    }
    let end = end.unwrap_or(BodyEnd::Complete);
    let excerpt = sanitize::block(&String::from_utf8_lossy(body.bytes()), EXCERPT);
    recorder.push(step(&head, head_at, &body, &end, &excerpt));
    let server = head
        .header("server")
        .map(|value| sanitize::bytes(value, 200));
    Exchange::Answer(Answer {
        http: HttpAnswer {
            status: head.status,
            body: excerpt,
            server,
        },
        end,
    })
}

fn step(head: &Head, at_us: u64, body: &Body, end: &BodyEnd, excerpt: &str) -> Step {
    let first_line = excerpt
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let mut step = Step::new(
        RESPONSE,
        Layer::Http,
        Direction::Received,
        at_us,
        format!("{} {}", head.status, sanitize::line(first_line.trim(), 80)).trim_end(),
    )
    .bytes(head.length as u64 + body.received())
    .field("status", head.status.to_string());
    for (name, value) in head.headers.iter().take(50) {
        step = step.field(name, sanitize::bytes(value, 500));
    }
    step.field("body", excerpt)
        .field("body_end", end.to_string())
}
