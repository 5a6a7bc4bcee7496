//! One request, bounded in time; [`super::limits`] bounds its size.

use std::time::Duration;

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use http_body_util::BodyExt;
use kube::{
    Client,
    client::Body,
    core::{Request, Status, WatchEvent},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{
    error::Failure,
    limits::{self, Place},
};
use ngf_core::model::{decode::Parsed, kind::KindInfo, value::Value};

/// Bound on one request, a page of a list included.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// Bound on one small request that a person waits for.
const SOON: Duration = Duration::from_secs(15);
/// Bytes that the buffer of a watch keeps between two lines.
const LINE: usize = 64 << 10;

/// The answer to a small request, which does not take for ever.
pub(super) async fn answered<T>(
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Failure> {
    match timeout(SOON, request).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::NoAnswer(format!(
            "no answer within {} s",
            SOON.as_secs()
        ))),
    }
}

/// What is asked for: objects of a kind in a version, everywhere or in one namespace.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) info: &'static KindInfo,
    pub(super) version: String,
    /// `None` means all namespaces, or a kind that has none.
    pub(super) namespace: Option<String>,
}

impl Resource {
    /// A builder of requests for it.
    pub(super) fn request(&self) -> Request {
        let KindInfo { group, plural, .. } = self.info;
        let root = if group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{group}/{}", self.version)
        };
        Request::new(match &self.namespace {
            Some(namespace) if self.info.namespaced => {
                format!("{root}/namespaces/{namespace}/{plural}")
            }
            _ => format!("{root}/{plural}"),
        })
    }

    /// `apiVersion` of its objects.
    pub(super) fn api_version(&self) -> String {
        if self.info.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.info.group, self.version)
        }
    }

    /// Fills in what objects within a list leave out.
    pub(super) fn complete(&self, value: &mut Value<'_>) {
        if let Value::Object(map) = value {
            if !map.contains_key("kind") {
                map.insert("kind", Value::String(self.info.name.into()));
            }
            if !map.contains_key("apiVersion") {
                map.insert("apiVersion", Value::String(self.api_version().into()));
            }
        }
    }
}

/// Sends a request and reads the answer. The bytes are overwritten once they are read.
pub(super) async fn fetch<T: DeserializeOwned>(
    client: &Client,
    request: http::Request<Vec<u8>>,
) -> Result<T, Failure> {
    fetch_held(client, request).await.map(|(answer, _)| answer)
}

/// As [`fetch`], with the right to hold a large answer: it is given up when the place is dropped.
pub(super) async fn fetch_held<T: DeserializeOwned>(
    client: &Client,
    request: http::Request<Vec<u8>>,
) -> Result<(T, Place), Failure> {
    let answer = async {
        let answer = send(client, request).await?;
        let place = limits::place(&answer);
        let bytes = read(answer.into_body()).await?;
        let answer = serde_json::from_slice(&bytes)
            .map_err(|_| Failure::Other("its answer is not a Kubernetes object".to_owned()))?;
        Ok((answer, place))
    };
    timeout(ANSWER, answer)
        .await
        .unwrap_or_else(|_| Err(no_answer(ANSWER)))
}

/// Sends a request; an error answer is a failure.
async fn send(
    client: &Client,
    request: http::Request<Vec<u8>>,
) -> Result<http::Response<Body>, Failure> {
    let answer = client.send(request.map(Body::from)).await?;
    let status = answer.status();
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(answer);
    }
    // The layer made it a `Status` of bounded size.
    let bytes = read(answer.into_body()).await?;
    let status: Status =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| limits::status_of(status, &bytes));
    Err(Failure::from_status(&status))
}

async fn read(mut body: Body) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

/// Starts a watch. kube's own reader keeps the buffer of the longest line for as long as a watch lives.
pub(super) async fn events(
    client: &Client,
    mut request: http::Request<Vec<u8>>,
) -> Result<BoxStream<'static, kube::Result<WatchEvent<Parsed<'static>>>>, Failure> {
    // From Kubernetes 1.37 on watches are compressed event by event.
    request
        .headers_mut()
        .entry(http::header::ACCEPT_ENCODING)
        .or_insert(http::HeaderValue::from_static("identity"));
    let answer = match timeout(ANSWER, send(client, request)).await {
        Ok(answer) => answer?,
        Err(_) => return Err(no_answer(ANSWER)),
    };
    let lines = Lines {
        body: answer.into_body(),
        buffer: Vec::new(),
        searched: 0,
    };
    let events = stream::unfold(Some(lines), |lines| async {
        let mut lines = lines?;
        match lines.event().await? {
            Ok(event) => Some((Ok(event), Some(lines))),
            Err(error) => Some((Err(error), None)),
        }
    });
    Ok(events.boxed())
}

/// The lines of a watch.
struct Lines {
    body: Body,
    buffer: Vec<u8>,
    /// Bytes of the buffer in which there is no line feed.
    searched: usize,
}

impl Lines {
    /// The next event; `None` at the end of the stream.
    async fn event(&mut self) -> Option<kube::Result<WatchEvent<Parsed<'static>>>> {
        loop {
            let found = self.buffer[self.searched..]
                .iter()
                .position(|byte| *byte == b'\n');
            if let Some(at) = found {
                let end = self.searched + at + 1;
                let event = decoded(&self.buffer[..end]);
                self.buffer.drain(..end);
                self.buffer.shrink_to(LINE);
                self.searched = 0;
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            self.searched = self.buffer.len();
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// The event of a line; `None` where the line is empty.
fn decoded(line: &[u8]) -> Option<kube::Result<WatchEvent<Parsed<'static>>>> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return None;
    }
    Some(serde_json::from_slice(line).map_err(|error| {
        // Some servers send a bare `Status` instead of an event.
        match serde_json::from_slice::<Status>(line) {
            Ok(status) if status.code != 0 => kube::Error::Api(status.boxed()),
            _ => kube::Error::SerdeError(error),
        }
    }))
}

/// Whether it is a DNS subdomain (RFC 1123), as every name that becomes part of a path must be.
pub(crate) fn is_name(name: &str) -> bool {
    let is_inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c);
    (1..=253).contains(&name.len()) && name.bytes().all(is_inner) && !name.starts_with('.')
}

/// Time ran out.
pub(super) fn no_answer(after: Duration) -> Failure {
    Failure::NoAnswer(format!("no answer within {} s", after.as_secs()))
}
