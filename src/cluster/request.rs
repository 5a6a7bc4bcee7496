//! One request, bounded in time and size.

use std::time::Duration;

use futures::{AsyncReadExt, StreamExt, stream::BoxStream};
use kube::{
    Client,
    core::{Request, WatchEvent},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::error::Failure;
use crate::model::{decode::Incoming, kind::KindInfo};

/// Bound on one request, a page of a list included.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// Bound on one small request that a person waits for.
const SOON: Duration = Duration::from_secs(15);
/// Bytes of one answer; etcd keeps objects of up to 1.5 MiB, and a page holds 500.
const MAX_ANSWER: u64 = 256 << 20;

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
    pub(super) fn complete(&self, value: &mut Value) {
        if let Value::Object(map) = value {
            if !map.contains_key("kind") {
                map.insert("kind".to_owned(), Value::from(self.info.name));
            }
            if !map.contains_key("apiVersion") {
                map.insert("apiVersion".to_owned(), Value::from(self.api_version()));
            }
        }
    }
}

/// Sends a request and reads the answer. The bytes are overwritten once they are read.
pub(super) async fn fetch<T: DeserializeOwned>(
    client: &Client,
    request: http::Request<Vec<u8>>,
) -> Result<T, Failure> {
    let answer = async {
        let body = client.request_stream(request).await?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
        let read = body.take(MAX_ANSWER + 1).read_to_end(&mut bytes).await?;
        if read as u64 > MAX_ANSWER {
            return Err(Failure::Other("its answer is too large".to_owned()));
        }
        serde_json::from_slice(&bytes)
            .map_err(|_| Failure::Other("its answer is no Kubernetes object".to_owned()))
    };
    timeout(ANSWER, answer)
        .await
        .unwrap_or_else(|_| Err(no_answer(ANSWER)))
}

/// Starts a watch.
pub(super) async fn events(
    client: &Client,
    request: http::Request<Vec<u8>>,
) -> Result<BoxStream<'static, kube::Result<WatchEvent<Incoming>>>, Failure> {
    match timeout(ANSWER, client.request_events(request)).await {
        Ok(events) => Ok(events?.boxed()),
        Err(_) => Err(no_answer(ANSWER)),
    }
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
