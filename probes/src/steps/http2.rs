//! What follows the handshake where nginx does not send HTTP/1.1: an HTTP/2 request (RFC 9113), or nothing.
//! The frames, HPACK and flow control are h2's; what nginx makes of the first bytes is decided here.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::timeout_at;

use super::http::body::BodyEnd;
use super::http::{Answer, EXCERPT, Exchange, RESPONSE};
use crate::recorder::Recorder;
use crate::spec::HttpSpec;
use ngf_text::sanitize;
use ngf_tls::transcript::{Direction, HttpAnswer, Layer, Step};

/// The step of the connection preface, the first SETTINGS frame and the request.
pub const PREFACE: &str = "HTTP/2 request";
/// The step of the backend's SETTINGS frame.
pub const SETTINGS: &str = "HTTP/2 SETTINGS";

/// Length of a frame's header.
const HEADER: usize = 9;
/// The longest payload that nginx takes (`NGX_HTTP_V2_DEFAULT_FRAME_SIZE`).
const LONGEST_FRAME: u32 = 1 << 14;
/// The type of a SETTINGS frame.
const TYPE_SETTINGS: u8 = 4;
/// Its flag ACK.
const FLAG_ACK: u8 = 1;
/// Bytes of the backend's first frame that are kept.
const KEPT: usize = HEADER + LONGEST_FRAME as usize;
/// An empty gRPC message: not compressed, of length 0.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// How long a backend may take to refuse a client after the handshake, where nothing is sent.
const QUIET: Duration = Duration::from_secs(1);

/// Opens an HTTP/2 connection, sends the request as nginx does with its first bytes, and waits for the answer.
pub async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    spec: &HttpSpec,
    until: Instant,
    recorder: &Recorder,
) -> Exchange {
    let tape = Arc::new(Mutex::new(Tape::default()));
    let tapped = Tapped {
        stream,
        pending: Vec::new(),
        tape: Arc::clone(&tape),
    };
    let called = timeout_at(until.into(), call(tapped, spec, recorder)).await;
    let seen = std::mem::take(&mut *tape.lock().unwrap_or_else(PoisonError::into_inner));
    let received = seen.received;
    let settings = match first_frame(&seen.opening) {
        First::Settings(length) => settings(&seen.opening[..length], recorder.now_us()),
        First::Other { too_large } => {
            return Exchange::NotHttp2 {
                opening: seen.opening[..seen.opening.len().min(64)].to_vec(),
                too_large,
            };
        }
        First::Incomplete => {
            return match (seen.read_failed, seen.write_failed) {
                (Some(error), _) => Exchange::ReadFailed(error),
                (None, Some(error)) if received == 0 => Exchange::NotSent(error),
                _ if called.is_err() => Exchange::TimedOut { received },
                _ => Exchange::Closed { received },
            };
        }
    };
    recorder.push(settings);
    match called {
        Ok(Ok(answer)) => {
            recorder.push(answered(&answer, recorder.now_us()));
            Exchange::Answer(answer)
        }
        // It opened the connection, and this request alone was too slow, or not to its liking.
        Err(_) => Exchange::Http2,
        Ok(Err(error)) if error.is_reset() || error.is_go_away() => Exchange::Http2,
        Ok(Err(_)) => match seen.read_failed {
            Some(error) => Exchange::ReadFailed(error),
            None if seen.is_closed => Exchange::Closed { received },
            None => Exchange::Http2,
        },
    }
}

/// Sends the request and reads the answer, as far as its excerpt.
async fn call<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    spec: &HttpSpec,
    recorder: &Recorder,
) -> Result<Answer, h2::Error> {
    let (mut sender, connection) = h2::client::Builder::new()
        .enable_push(false)
        .max_header_list_size(LONGEST_FRAME)
        .max_frame_size(LONGEST_FRAME)
        .handshake::<_, Bytes>(stream)
        .await?;
    let is_grpc = spec.is_health_check();
    let request =
        request(spec, is_grpc).map_err(|_| h2::Error::from(h2::Reason::INTERNAL_ERROR))?;
    let (response, mut body) = sender.send_request(request, !is_grpc)?;
    if is_grpc {
        body.send_data(Bytes::from_static(EMPTY_MESSAGE), true)?;
    }
    recorder.push(
        Step::new(
            PREFACE,
            Layer::Http,
            Direction::Sent,
            recorder.now_us(),
            format!("{} {} for {}", spec.method, spec.path, spec.host),
        )
        .field("method", &spec.method)
        .field("path", &spec.path)
        .field("authority", &spec.host),
    );
    let reading = async {
        let response = response.await?;
        Ok::<_, h2::Error>(read(response).await)
    };
    let (mut connection, mut reading) = (pin!(connection), pin!(reading));
    poll_fn(|context| {
        let ended = match connection.as_mut().poll(context) {
            Poll::Ready(end) => Some(end),
            Poll::Pending => None,
        };
        match (reading.as_mut().poll(context), ended) {
            (Poll::Ready(answer), _) => Poll::Ready(answer),
            // Nothing comes any more; what ended the connection is on the tape.
            (Poll::Pending, Some(end)) => {
                let ended = end.err().unwrap_or_else(|| h2::Reason::NO_ERROR.into());
                Poll::Ready(Err(ended))
            }
            (Poll::Pending, None) => Poll::Pending,
        }
    })
    .await
}

fn request(spec: &HttpSpec, is_grpc: bool) -> Result<Request<()>, http::Error> {
    let authority = if spec.host.is_empty() {
        "localhost"
    } else {
        &spec.host
    };
    let mut request = Request::builder()
        .method(spec.method.as_str())
        .uri(format!("https://{authority}{}", spec.path))
        .version(Version::HTTP_2)
        .header(
            "user-agent",
            format!("ngf-tui/{}", env!("CARGO_PKG_VERSION")),
        );
    if is_grpc {
        request = request
            .header("content-type", "application/grpc")
            .header("te", "trailers");
    }
    request.body(())
}

async fn read(response: Response<h2::RecvStream>) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut excerpt = Vec::new();
    let end = loop {
        if excerpt.len() > EXCERPT {
            break BodyEnd::Enough;
        }
        match body.data().await {
            None => break BodyEnd::Complete,
            Some(Ok(data)) => {
                // Without room nothing more would come, which ends the loop all the same.
                let _ = body.flow_control().release_capacity(data.len());
                excerpt.extend_from_slice(&data[..data.len().min(EXCERPT + 1)]);
            }
            // The status is what counts; a stream that is reset after it was enough of an answer.
            Some(Err(_)) => break BodyEnd::Enough,
        }
    };
    Answer {
        http: HttpAnswer {
            status: head.status.as_u16(),
            body: sanitize::block(&String::from_utf8_lossy(&excerpt), EXCERPT),
            server: server(&head.headers),
        },
        end,
    }
}

fn server(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("server")?.to_str().ok()?;
    Some(sanitize::line(value, 200))
}

fn answered(answer: &Answer, at_us: u64) -> Step {
    let status = answer.http.status;
    Step::new(
        RESPONSE,
        Layer::Http,
        Direction::Received,
        at_us,
        format!("HTTP/2 {status}"),
    )
    .field("status", status.to_string())
}

/// What came from the backend, and how reading and writing ended.
#[derive(Default)]
struct Tape {
    opening: Vec<u8>,
    received: usize,
    is_closed: bool,
    read_failed: Option<io::Error>,
    write_failed: Option<io::Error>,
}

/// A stream that keeps its errors as they are, which h2 turns into words, and the backend's first bytes. It sends
/// what h2 writes at once, as nginx does, and continues to read where writing fails: what the backend said before it
/// closed is the reason.
struct Tapped<'s, S> {
    stream: &'s mut S,
    pending: Vec<u8>,
    tape: Arc<Mutex<Tape>>,
}

impl<S> Tapped<'_, S> {
    fn note(&self, note: impl FnOnce(&mut Tape)) {
        note(&mut self.tape.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn write_failed(&self, error: io::Error) {
        self.note(|tape| tape.write_failed = tape.write_failed.take().or(Some(error)));
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let end = Pin::new(&mut *self.stream).poll_read(context, buffer);
        match end {
            Poll::Ready(Ok(())) => {
                let new = &buffer.filled()[before..];
                self.note(|tape| {
                    let room = KEPT.saturating_sub(tape.opening.len());
                    tape.opening.extend_from_slice(&new[..new.len().min(room)]);
                    tape.received += new.len();
                    tape.is_closed |= new.is_empty();
                });
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                let kind = error.kind();
                self.note(|tape| tape.read_failed = tape.read_failed.take().or(Some(error)));
                Poll::Ready(Err(kind.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.pending.len() >= KEPT {
            std::task::ready!(self.as_mut().poll_flush(context))?;
        }
        self.pending.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.pending.is_empty() {
            let written = Pin::new(&mut *this.stream).poll_write(context, &this.pending);
            match std::task::ready!(written) {
                Ok(written @ 1..) => drop(this.pending.drain(..written)),
                end => {
                    this.pending.clear();
                    let error = end.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                    this.write_failed(error);
                }
            }
        }
        if let Err(error) = std::task::ready!(Pin::new(&mut *this.stream).poll_flush(context)) {
            this.write_failed(error);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The probe closes the connection itself.
        Poll::Ready(Ok(()))
    }
}

/// What the backend's first bytes are.
enum First {
    /// Not enough of them.
    Incomplete,
    /// A whole SETTINGS frame of that length, with its header.
    Settings(usize),
    /// Anything else; the length that nginx reads from them, where it refuses that.
    Other { too_large: Option<u32> },
}

/// Judges the first frame, which must be SETTINGS. nginx refuses a frame by the three bytes of its length, however
/// short the answer is.
fn first_frame(bytes: &[u8]) -> First {
    let [first, second, third, ..] = *bytes else {
        return First::Incomplete;
    };
    let length = u32::from_be_bytes([0, first, second, third]);
    if length > LONGEST_FRAME {
        return First::Other {
            too_large: Some(length),
        };
    }
    let Some(header) = bytes.get(..HEADER) else {
        return First::Incomplete;
    };
    let stream_id = u32::from_be_bytes([header[5] & 0x7f, header[6], header[7], header[8]]);
    let is_settings = header[3] == TYPE_SETTINGS
        && header[4] & FLAG_ACK == 0
        && stream_id == 0
        && length.is_multiple_of(6);
    if !is_settings {
        return First::Other { too_large: None };
    }
    let whole = HEADER + length as usize;
    if bytes.len() < whole {
        return First::Incomplete;
    }
    First::Settings(whole)
}

/// Sends nothing: waits for what a backend says of the client after a TLS 1.3 handshake. Silence is
/// good, because the client of a raw connection often speaks first.
pub async fn listen<S: AsyncRead + Unpin>(stream: &mut S, until: Instant) -> Exchange {
    let until = until.min(Instant::now() + QUIET);
    match timeout_at(until.into(), stream.read(&mut [0; 1])).await {
        Err(_) | Ok(Ok(1..)) => Exchange::Quiet,
        Ok(Err(error)) => Exchange::ReadFailed(error),
        Ok(Ok(0)) => Exchange::Closed { received: 0 },
    }
}

/// The backend's SETTINGS frame, decoded.
fn settings(frame: &[u8], at_us: u64) -> Step {
    let mut step = Step::new(
        SETTINGS,
        Layer::Http,
        Direction::Received,
        at_us,
        "the backend speaks HTTP/2",
    )
    .bytes(frame.len() as u64);
    for setting in frame[HEADER..].chunks_exact(6).take(20) {
        let name = match u16::from_be_bytes([setting[0], setting[1]]) {
            1 => "SETTINGS_HEADER_TABLE_SIZE".to_owned(),
            2 => "SETTINGS_ENABLE_PUSH".to_owned(),
            3 => "SETTINGS_MAX_CONCURRENT_STREAMS".to_owned(),
            4 => "SETTINGS_INITIAL_WINDOW_SIZE".to_owned(),
            5 => "SETTINGS_MAX_FRAME_SIZE".to_owned(),
            6 => "SETTINGS_MAX_HEADER_LIST_SIZE".to_owned(),
            number => format!("setting {number}"),
        };
        let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
        step = step.field(&name, value.to_string());
    }
    step
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// What `exchange` makes of a peer that sends these bytes and closes.
    async fn opened(answer: &[u8]) -> (Exchange, Recorder) {
        let (mut here, mut there) = tokio::io::duplex(64 * 1024);
        there.write_all(answer).await.unwrap();
        there.shutdown().await.unwrap();
        let recorder = Recorder::new();
        let until = Instant::now() + Duration::from_mins(1);
        let spec = HttpSpec {
            method: "GET".to_owned(),
            host: "app".to_owned(),
            path: "/".to_owned(),
        };
        let end = exchange(&mut here, &spec, until, &recorder).await;
        (end, recorder)
    }

    #[tokio::test]
    async fn settings_are_read_and_decoded() {
        let frame = b"\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x63\0\0\0\x01";
        let (end, recorder) = opened(frame).await;
        assert!(matches!(end, Exchange::Closed { .. }), "{end:?}");
        let steps = recorder.steps();
        let fields = &steps.last().unwrap().fields;
        let shown: Vec<_> = fields.iter().map(|f| (&*f.name, &*f.value)).collect();
        assert_eq!(
            shown,
            [
                ("SETTINGS_MAX_CONCURRENT_STREAMS", "128"),
                ("setting 99", "1")
            ]
        );
        let (end, recorder) = opened(b"\0\0\0\x04\0\0\0\0\0").await;
        assert!(matches!(end, Exchange::Closed { .. }), "{end:?}");
        assert_eq!(recorder.steps().last().unwrap().name, SETTINGS);
    }

    #[tokio::test]
    async fn other_first_frames_are_not_http_2() {
        for (what, answer, length) in [
            (
                "HTTP/1.1",
                &b"HTTP/1.1 400 Bad Request\r\n"[..],
                Some(0x0048_5454),
            ),
            (
                "a TLS alert",
                b"\x15\x03\x01\0\x02\x02\x28",
                Some(0x0015_0301),
            ),
            ("GOAWAY", b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0", None),
            ("an ACK", b"\0\0\0\x04\x01\0\0\0\0", None),
            ("SETTINGS of a stream", b"\0\0\0\x04\0\0\0\0\x01", None),
            (
                "SETTINGS of an odd length",
                b"\0\0\x05\x04\0\0\0\0\0\0\0\0\0\0",
                None,
            ),
        ] {
            match opened(answer).await.0 {
                Exchange::NotHttp2 { too_large, .. } => assert_eq!(too_large, length, "{what}"),
                end => panic!("{what}: {end:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_frame_that_breaks_off_is_a_closed_connection() {
        for (answer, seen) in [
            (&b""[..], 0),
            (b"\0\0\x06", 3),
            (b"\0\0\x06\x04\0\0\0\0\0\0\x03", 11),
        ] {
            match opened(answer).await.0 {
                Exchange::Closed { received } => assert_eq!(received, seen),
                end => panic!("{end:?}"),
            }
        }
    }
}
