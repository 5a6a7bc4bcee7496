//! `pods/NAME/log`, as `kubectl logs` asks for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch::Receiver;

use super::error::ApiError;
use super::{Api, Call, Target};
use crate::logs::{Line, Log};

struct Reader {
    log: Arc<Log>,
    changed: Receiver<u64>,
    next: u64,
    timestamps: bool,
    since: Option<Timestamp>,
    tail: Option<usize>,
    /// Bytes that may still be sent.
    left: usize,
    follow: bool,
    over: bool,
}

/// Streams the log of one container.
pub(super) fn serve(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let namespace = target.namespace.unwrap_or_default();
    let pod = api
        .store
        .get(target.kind, namespace, target.name)
        .ok_or_else(|| ApiError::not_found(target.kind, target.name))?;
    let container = container(&pod, target.name, call.param("container"))?;
    let whole = |name: &str| match call.param(name) {
        "" => Ok(None),
        text => text.parse::<u64>().map(Some).map_err(|_| {
            ApiError::bad_request(format!("{name}: Invalid value: \"{text}\": not a number"))
        }),
    };
    let since = match (whole("sinceSeconds")?, call.param("sinceTime")) {
        (Some(seconds), _) => Timestamp::now()
            .checked_sub(Duration::from_secs(seconds))
            .ok()
            .or(Some(Timestamp::MIN)),
        (None, "") => None,
        (None, text) => Some(text.parse().map_err(|e| {
            ApiError::bad_request(format!("sinceTime: Invalid value: \"{text}\": {e}"))
        })?),
    };
    let log = api.logs.open(namespace, target.name, &container);
    let reader = Reader {
        changed: log.subscribe(),
        log,
        next: 0,
        timestamps: call.flag("timestamps"),
        since,
        tail: whole("tailLines")?.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
        left: whole("limitBytes")?.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX)),
        follow: call.flag("follow"),
        // There is no container before this one.
        over: call.flag("previous"),
    };
    let chunks = stream::unfold(reader, |mut reader| async move {
        let chunk = reader.next().await?;
        Some((
            Ok::<_, std::convert::Infallible>(Bytes::from(chunk)),
            reader,
        ))
    });
    Ok((
        [(header::CONTENT_TYPE, "text/plain")],
        Body::from_stream(chunks),
    )
        .into_response())
}

/// The container that is meant: the named one, or the only one there is.
fn container(pod: &Value, name: &str, asked: &str) -> Result<String, ApiError> {
    let names = |field: &str| -> Vec<&str> {
        let list = pod
            .pointer(field)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(|c| c["name"].as_str()).collect()
    };
    let containers = names("/spec/containers");
    let init = names("/spec/initContainers");
    let ephemeral = names("/spec/ephemeralContainers");
    let known = [&containers, &init, &ephemeral]
        .into_iter()
        .flatten()
        .any(|c| *c == asked);
    match containers.as_slice() {
        _ if known => Ok(asked.to_owned()),
        _ if !asked.is_empty() => Err(ApiError::bad_request(format!(
            "container {asked} is not valid for pod {name}"
        ))),
        [only] if init.is_empty() => Ok((*only).to_owned()),
        _ => Err(ApiError::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]{}",
            containers.join(" "),
            if init.is_empty() {
                String::new()
            } else {
                format!(" or one of the init containers: [{}]", init.join(" "))
            }
        ))),
    }
}

impl Reader {
    async fn next(&mut self) -> Option<Vec<u8>> {
        while !self.over && self.left > 0 {
            let closed = *self.changed.borrow_and_update() == u64::MAX;
            let (mut lines, next) = self.log.since(self.next);
            self.next = next;
            if let Some(since) = self.since {
                lines.retain(|line| line.time >= since);
            }
            if let Some(tail) = self.tail.take() {
                lines.drain(..lines.len().saturating_sub(tail));
            }
            self.over = !self.follow || closed;
            let chunk = self.text(&lines);
            if !chunk.is_empty() {
                return Some(chunk);
            }
            if !self.over && self.changed.changed().await.is_err() {
                break;
            }
        }
        None
    }

    fn text(&mut self, lines: &[Line]) -> Vec<u8> {
        let mut chunk = Vec::new();
        for line in lines {
            if self.timestamps {
                chunk.extend(format!("{:.9} ", line.time).into_bytes());
            }
            chunk.extend(line.text.as_bytes());
            chunk.push(b'\n');
        }
        chunk.truncate(self.left);
        self.left -= chunk.len();
        chunk
    }
}
