//! Bounds every answer of the API server in one layer of the client, whoever asked: bytes, the memory
//! that decoded JSON takes, lines of a stream, and the body of an error.
//!
//! A body that exceeds a bound ends with [`TooLarge`], which says what was exceeded and what to do. An
//! error answer (4xx, 5xx) always becomes a `Status` with the code of the HTTP status line, whatever
//! its body holds: proxies and gateways answer 401 with `{}`, HTML or nothing.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode, Uri, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Full};
use kube::{
    client::{Body, DynBody},
    core::Status,
};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tower::{BoxError, Layer, Service};

use super::error::bounded;
use ngf_core::model::decode::Weight;

/// Bytes of one answer; etcd keeps objects of up to 1.5 MiB, and a page holds 500.
const MAX_ANSWER: u64 = 64 << 20;
/// Memory that the decoded JSON of one answer, or of one line, may take.
const MAX_DECODED: u64 = 256 << 20;
/// Bytes of the body of an answer that is no success.
const MAX_ERROR: usize = 1 << 20;
/// Bytes of one line of a watch.
const MAX_EVENT: u64 = 16 << 20;
/// Bytes of one line of a log. Its readers keep the beginning of a line only.
const MAX_LOG_LINE: u64 = 256 << 20;
/// From this size on, answers are read one at a time, so that many cannot fill the memory together.
const LARGE: u64 = 1 << 20;
/// The same, for the memory that their decoded JSON takes.
const LARGE_DECODED: u64 = 16 << 20;
/// Characters of an error's message, and causes of an error, that are kept.
const MAX_MESSAGE: usize = 32 << 10;
const MAX_CAUSES: usize = 100;

/// A bound that an answer exceeds. The text is what a person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum TooLarge {
    /// Of bytes in an answer.
    #[error("its answer is larger than {} MiB: choose one namespace with -n", MAX_ANSWER >> 20)]
    Answer,
    /// Of values in an answer or line.
    #[error(
        "its answer holds more values than fit in {} MiB of memory: choose one namespace with -n",
        MAX_DECODED >> 20
    )]
    Values,
    /// Of bytes in a line of a watch.
    #[error(
        "its watch sends a line of more than {} MiB: check the API server and the proxies before it",
        MAX_EVENT >> 20
    )]
    Event,
    /// Of bytes in a line of a log.
    #[error("a line of the log is longer than {} MiB", MAX_LOG_LINE >> 20)]
    LogLine,
    /// Of bytes in an answer that is neither a success nor an error.
    #[error("it answers {0} with more than 1 MiB, and is not a Kubernetes API: check the address")]
    Other(u16),
}

/// The right to hold a large answer. Whoever reads an answer takes it with [`place`] and keeps it
/// until the decoded answer is no longer needed.
#[derive(Debug, Clone, Default)]
pub(super) struct Place(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    fn set(&self, permit: Option<OwnedSemaphorePermit>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }
}

/// The [`Place`] of an answer.
pub(super) fn place<B>(answer: &Response<B>) -> Place {
    answer
        .extensions()
        .get::<Place>()
        .cloned()
        .unwrap_or_default()
}

/// The layer.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    large: Arc<Semaphore>,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            large: Arc::new(Semaphore::new(1)),
        }
    }
}

impl<S> Layer<S> for Limits {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited {
            inner,
            large: Arc::clone(&self.large),
        }
    }
}

/// A service whose answers are bounded.
pub(super) struct Limited<S> {
    inner: S,
    large: Arc<Semaphore>,
}

impl<S> Service<Request<Body>> for Limited<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Box<DynBody>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let content = Content::of(request.uri());
        let large = Arc::clone(&self.large);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let status = answer.status();
            if status.is_client_error() || status.is_server_error() {
                return refusal(answer).await;
            }
            let content = match status {
                StatusCode::SWITCHING_PROTOCOLS => return Ok(answer),
                status if status.is_success() => content,
                other => Content::Other(other.as_u16()),
            };
            let (mut parts, body) = answer.into_parts();
            let place = Place::default();
            parts.extensions.insert(place.clone());
            let body = Bounded {
                body,
                gauge: Gauge::new(content),
                large: PollSemaphore::new(large),
                place,
                has_place: false,
            };
            Ok(Response::from_parts(parts, Box::new(body) as Box<DynBody>))
        })
    }
}

/// An error answer whose body is a `Status` of bounded size.
async fn refusal(answer: Response<Box<DynBody>>) -> Result<Response<Box<DynBody>>, BoxError> {
    let (mut parts, mut body) = answer.into_parts();
    let mut bytes = Vec::new();
    // A body that breaks off is as good as none: the status line says what matters.
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.data_ref().map_or(&[][..], |data| data);
        let room = MAX_ERROR - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if bytes.len() == MAX_ERROR {
            break;
        }
    }
    drop(body);
    let status = status_of(parts.status, &bytes);
    for name in [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONTENT_ENCODING,
    ] {
        parts.headers.remove(name);
    }
    let bytes = serde_json::to_vec(&status)?;
    let body = Full::new(Bytes::from(bytes)).map_err(BoxError::from);
    Ok(Response::from_parts(parts, Box::new(body) as Box<DynBody>))
}

/// What an error answer says. The code is the status line's: a body may lack it, or hold another.
pub(super) fn status_of(code: StatusCode, body: &[u8]) -> Status {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let mut status = serde_json::from_str::<Status>(text).unwrap_or_else(|_| {
        let message = match text.as_bytes().first() {
            Some(b'<') => "a web page, where a Kubernetes API was expected".to_owned(),
            // Cut off, or of another form: its message, if there is one.
            Some(b'{') => message::find(text).unwrap_or_else(|| bounded(text)),
            _ => bounded(text),
        };
        Status::failure(&message, "")
    });
    status.code = code.as_u16();
    status.message = ngf_text::sanitize::block(&status.message, MAX_MESSAGE);
    if let Some(details) = &mut status.details {
        details.causes.truncate(MAX_CAUSES);
    }
    status
}

/// Finds the message in the text of a `Status` that is not whole.
mod message {
    use std::fmt;

    use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

    pub(super) fn find(text: &str) -> Option<String> {
        let mut found = None;
        // The error is known: the text breaks off.
        let _ = serde_json::Deserializer::from_str(text).deserialize_map(Message(&mut found));
        found
    }

    struct Message<'m>(&'m mut Option<String>);

    impl<'de> Visitor<'de> for Message<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<String>()? {
                if key == "message" {
                    *self.0 = Some(map.next_value()?);
                    return Ok(());
                }
                map.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }
}

/// What an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// One JSON value.
    Object,
    /// A JSON value a line, without an end.
    Events,
    /// Text, perhaps without an end.
    Log,
    /// Nothing that is read: a redirect, with its status.
    Other(u16),
}

impl Content {
    fn of(uri: &Uri) -> Self {
        let is_watch = uri.query().is_some_and(|query| {
            query
                .split('&')
                .any(|field| matches!(field, "watch=true" | "watch=1"))
        });
        if is_watch {
            Self::Events
        } else if uri.path().ends_with("/log") {
            Self::Log
        } else {
            Self::Object
        }
    }
}

/// Counts what passes.
#[derive(Debug)]
struct Gauge {
    content: Content,
    /// Bytes of the answer, or of the line.
    bytes: u64,
    weight: Weight,
}

impl Gauge {
    fn new(content: Content) -> Self {
        Self {
            content,
            bytes: 0,
            weight: Weight::default(),
        }
    }

    fn take(&mut self, data: &[u8]) -> Result<(), TooLarge> {
        match self.content {
            Content::Object => {
                self.bytes += data.len() as u64;
                self.weight.add(data);
                self.check(MAX_ANSWER, TooLarge::Answer)
            }
            Content::Other(status) => {
                self.bytes += data.len() as u64;
                self.check(MAX_ERROR as u64, TooLarge::Other(status))
            }
            Content::Events | Content::Log => {
                for line in data.split_inclusive(|byte| *byte == b'\n') {
                    self.bytes += line.len() as u64;
                    if self.content == Content::Log {
                        self.check(MAX_LOG_LINE, TooLarge::LogLine)?;
                    } else {
                        self.weight.add(line);
                        self.check(MAX_EVENT, TooLarge::Event)?;
                    }
                    if line.ends_with(b"\n") {
                        self.bytes = 0;
                        self.weight = Weight::default();
                    }
                }
                Ok(())
            }
        }
    }

    fn check(&self, bytes: u64, or: TooLarge) -> Result<(), TooLarge> {
        if self.bytes > bytes {
            Err(or)
        } else if self.weight.decoded > MAX_DECODED {
            Err(TooLarge::Values)
        } else {
            Ok(())
        }
    }

    /// Whether so much has come that no other large answer may be read beside it. A log is not kept.
    fn is_large(&self) -> bool {
        self.content != Content::Log && (self.bytes > LARGE || self.weight.decoded > LARGE_DECODED)
    }
}

/// A body within its bounds.
struct Bounded {
    body: Box<DynBody>,
    gauge: Gauge,
    large: PollSemaphore,
    place: Place,
    has_place: bool,
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.gauge.is_large() && !self.has_place {
            let permit = ready!(self.large.poll_acquire(context));
            self.place.set(permit);
            self.has_place = true;
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            if let Err(exceeded) = self.gauge.take(data) {
                return Poll::Ready(Some(Err(Box::new(exceeded))));
            }
            if self.has_place && !self.gauge.is_large() {
                self.place.set(None);
                self.has_place = false;
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(content: Content, chunk: &[u8], times: usize) -> Result<(), TooLarge> {
        let mut gauge = Gauge::new(content);
        (0..times).try_for_each(|_| gauge.take(chunk))
    }

    #[test]
    fn each_content_has_its_bounds() {
        let megabyte = vec![b'x'; 1 << 20];
        let lines = b"{\"type\":\"BOOKMARK\"}\n".repeat(1000);
        for (content, chunk, times, expected) in [
            (Content::Object, &megabyte, 64, Ok(())),
            (Content::Object, &megabyte, 65, Err(TooLarge::Answer)),
            (Content::Events, &megabyte, 16, Ok(())),
            (Content::Events, &megabyte, 17, Err(TooLarge::Event)),
            (Content::Events, &lines, 10_000, Ok(())),
            (Content::Log, &megabyte, 256, Ok(())),
            (Content::Log, &megabyte, 257, Err(TooLarge::LogLine)),
            (Content::Other(302), &megabyte, 1, Ok(())),
            (Content::Other(302), &megabyte, 2, Err(TooLarge::Other(302))),
            (
                Content::Object,
                &br#"{"":0},"#.repeat(1000),
                1000,
                Err(TooLarge::Values),
            ),
            (
                Content::Events,
                &br#"{"":0},"#.repeat(1000),
                1000,
                Err(TooLarge::Values),
            ),
            (
                Content::Object,
                &b"0,".repeat(1000),
                2000,
                Err(TooLarge::Values),
            ),
        ] {
            assert_eq!(
                taken(content, chunk, times),
                expected,
                "{content:?} {times}"
            );
        }
    }

    #[test]
    fn what_is_asked_for_is_told_by_the_address() {
        for (address, content) in [
            ("/api/v1/pods?&limit=500", Content::Object),
            (
                "/api/v1/pods?&watch=true&timeoutSeconds=290",
                Content::Events,
            ),
            ("/api/v1/pods?watch=1", Content::Events),
            ("/api/v1/namespaces/a/pods/b/log?&follow=true", Content::Log),
            ("/prefix/api/v1/namespaces/a/pods/b/log", Content::Log),
        ] {
            assert_eq!(Content::of(&address.parse().expect("an address")), content);
        }
    }

    #[test]
    fn an_error_keeps_the_code_of_the_status_line() {
        let long = format!(
            r#"{{"kind":"Status","message":"no","details":{{"a":"{}"#,
            "x".repeat(99)
        );
        for (code, body, message) in [
            (401, "{}", ""),
            (403, "", ""),
            (
                401,
                "<html>sign in</html>",
                "a web page, where a Kubernetes API was expected",
            ),
            (403, r#"{"error": "nobody"}"#, ""),
            (403, r#"["nobody"]"#, r#"["nobody"]"#),
            (403, r#"{"code": "x", "message": "no"}"#, "no"),
            (403, &long, "no"),
            (401, "log\u{1b}[31m in", "log[31m in"),
            (404, "404 page not found", "404 page not found"),
            (403, r#"{"code": 200, "message": "no"}"#, "no"),
        ] {
            let status = status_of(StatusCode::from_u16(code).expect("a code"), body.as_bytes());
            assert_eq!(
                (status.code, status.message.as_str()),
                (code, message),
                "{body}"
            );
        }
        let not_text = status_of(StatusCode::UNAUTHORIZED, b"\xff\xfe");
        assert_eq!(not_text.code, 401);
    }
}
