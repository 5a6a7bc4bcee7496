//! Watches: the log of changes as a stream of JSON lines, with bookmarks, timeouts and 410 where the log
//! no longer reaches back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::ApiError;
use super::resources::{self, version_param};
use super::table::{self, Form};
use super::{Api, Call, Target};
use crate::kinds::Kind;
use crate::selectors::Selector;
use crate::store::{Change, Entry, Store};

/// How often an idle watch says how far it has come. A real API server takes about a minute.
const BOOKMARK_EVERY: Duration = Duration::from_secs(10);
/// How long a watch lasts that names no timeout; a real API server takes 30 to 60 minutes.
const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);

/// One watch.
struct Watch {
    store: Arc<Store>,
    changed: tokio::sync::watch::Receiver<u64>,
    kind: &'static Kind,
    version: String,
    namespace: Option<String>,
    name: String,
    selector: Selector,
    form: Form,
    bookmarks: bool,
    /// The version up to which everything has been sent.
    sent: u64,
    /// Lines to send before the log is looked at.
    first: Option<Vec<u8>>,
    deadline: Instant,
    next_bookmark: Instant,
    over: bool,
}

/// `?watch=true` on a collection, or on one object by `fieldSelector`.
pub(crate) fn serve(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let selector = resources::selector(call, target.kind)?;
    let form = table::negotiate(&call.parts.headers, call.param("includeObject"))?;
    let asked = version_param(call.param("resourceVersion"))?;
    let timeout = match call.param("timeoutSeconds").parse::<u64>() {
        Ok(seconds) if seconds > 0 => Duration::from_secs(seconds).min(DEFAULT_TIMEOUT),
        _ => DEFAULT_TIMEOUT,
    };
    let now = Instant::now();
    let mut watch = Watch {
        changed: api.store.subscribe(),
        store: api.store.clone(),
        kind: target.kind,
        version: target.version.to_owned(),
        namespace: target.namespace.map(str::to_owned),
        name: target.name.to_owned(),
        selector,
        form,
        bookmarks: call.flag("allowWatchBookmarks"),
        sent: 0,
        first: None,
        deadline: now + timeout,
        next_bookmark: now + BOOKMARK_EVERY,
        over: false,
    };
    match asked {
        Some(version) if version > 0 => watch.sent = version,
        _ if call.param("sendInitialEvents") == "false" => watch.sent = api.store.revision(),
        _ => watch.send_all(call.flag("sendInitialEvents")),
    }
    let lines = stream::unfold(watch, |mut watch| async move {
        let lines = watch.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(lines)), watch))
    });
    Ok((
        [(header::CONTENT_TYPE, "application/json")],
        Body::from_stream(lines),
    )
        .into_response())
}

impl Watch {
    /// Starts with the present state as ADDED events; a streaming list marks their end with a bookmark.
    fn send_all(&mut self, is_streaming_list: bool) {
        let (objects, revision) = self.store.list(self.kind, self.namespace.as_deref());
        let mut lines = Vec::new();
        for object in objects.iter().filter(|o| self.selects(o)) {
            self.line(&mut lines, "ADDED", object);
        }
        self.sent = revision;
        if is_streaming_list && self.bookmarks {
            let end = json!({"k8s.io/initial-events-end": "true"});
            self.bookmark(&mut lines, Some(end));
        }
        self.first = Some(lines);
    }

    fn selects(&self, object: &Value) -> bool {
        self.namespace
            .as_deref()
            .is_none_or(|n| n == object["metadata"]["namespace"])
            && (self.name.is_empty() || self.name == object["metadata"]["name"])
            && self.selector.matches(object)
    }

    /// The next lines to send; `None` when the watch is over.
    async fn next(&mut self) -> Option<Vec<u8>> {
        if let Some(first) = self.first.take()
            && !first.is_empty()
        {
            return Some(first);
        }
        while !self.over {
            let mut lines = Vec::new();
            self.changed.borrow_and_update();
            match self.store.changes(self.kind, self.sent) {
                Ok((entries, revision)) => {
                    for entry in &entries {
                        self.event(&mut lines, entry);
                    }
                    self.sent = self.sent.max(revision);
                }
                Err(expired) => {
                    self.over = true;
                    let status = ApiError::expired(expired.to_string()).status();
                    push(&mut lines, &json!({"type": "ERROR", "object": status}));
                }
            }
            let now = Instant::now();
            let ends = now >= self.deadline;
            if !self.over && self.bookmarks && (ends || now >= self.next_bookmark) {
                self.bookmark(&mut lines, None);
                self.next_bookmark = now + BOOKMARK_EVERY;
            }
            self.over |= ends;
            if !lines.is_empty() {
                return Some(lines);
            }
            if self.over {
                break;
            }
            let wake = if self.bookmarks {
                self.next_bookmark.min(self.deadline)
            } else {
                self.deadline
            };
            let changed = tokio::time::timeout_at(wake, self.changed.changed()).await;
            self.over |= matches!(changed, Ok(Err(_)));
        }
        None
    }

    fn event(&self, lines: &mut Vec<u8>, entry: &Entry) {
        let now = entry.change != Change::Deleted && self.selects(&entry.object);
        let before = entry.before.as_deref().is_some_and(|b| self.selects(b));
        let what = match (before, now) {
            (false, false) => return,
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        self.line(lines, what, &entry.object);
    }

    fn line(&self, lines: &mut Vec<u8>, what: &str, object: &Value) {
        let object = table::one(self.kind, &self.version, object, self.form);
        push(lines, &json!({"type": what, "object": object}));
    }

    fn bookmark(&self, lines: &mut Vec<u8>, annotations: Option<Value>) {
        let mut metadata = json!({"resourceVersion": self.sent.to_string()});
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        let empty: [&Value; 0] = [];
        let object = match self.form {
            Form::Table { whole } => {
                table::table(self.kind, &self.version, empty, whole, &metadata)
            }
            Form::Partial => json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
            }),
            Form::Plain => json!({
                "kind": self.kind.kind,
                "apiVersion": self.kind.api_version(&self.version),
                "metadata": metadata,
            }),
        };
        push(lines, &json!({"type": "BOOKMARK", "object": object}));
    }
}

fn push(lines: &mut Vec<u8>, event: &Value) {
    // Serialising JSON values into memory cannot fail: their keys are text.
    serde_json::to_writer(&mut *lines, event).unwrap_or_default();
    lines.push(b'\n');
}
