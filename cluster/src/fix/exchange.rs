//! One request to the API server and its answer, bounded in time and size, where the answer's status,
//! warnings and words are all of interest.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::{Cluster, failure_in_words, is_name};
use ngf_core::model::{object::ObjectRef, sensitive};

/// Bytes of one answer; etcd keeps objects of up to 1.5 MiB.
const MAX_ANSWER: usize = 8 << 20;
/// Characters of the API server's own words.
const MAX_WORDS: usize = 600;
/// Warnings of one answer.
const MAX_WARNINGS: usize = 50;

/// What the API server answers.
pub(crate) struct Answer {
    /// HTTP's status.
    pub(crate) status: StatusCode,
    /// The texts of its warnings.
    pub(crate) warnings: Vec<String>,
    /// Seconds after which one may ask again, where it says so.
    pub(crate) retry_after: Option<u64>,
    /// The object, or a `Status`; null where it is not JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// Why it refuses, in its own words.
    pub(crate) fn words(&self) -> String {
        let said = self.body.get("message").and_then(Value::as_str);
        match said.map(str::trim) {
            Some(said) if !said.is_empty() => bounded(said),
            _ => format!("it answers {}", self.status.as_u16()),
        }
    }
}

/// Asks, and waits up to `bound` for the answer; the error says why there is none. The bytes of both
/// are overwritten afterwards: they may be a Secret's.
pub(crate) async fn ask(
    cluster: &Cluster,
    request: Request<Body>,
    bound: Duration,
) -> Result<Answer, String> {
    let asking = async {
        let answer = cluster
            .client()
            .send(request)
            .await
            .map_err(failure_in_words)?;
        let (parts, mut body) = answer.into_parts();
        let mut bytes = Zeroizing::new(Vec::with_capacity(16 << 10));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| bounded(&error.to_string()))?;
            let data = frame.data_ref().map_or(&[][..], |data| data);
            if bytes.len() + data.len() > MAX_ANSWER {
                return Err("its answer is too large".to_owned());
            }
            sensitive::append(&mut bytes, data);
        }
        let header = |name| parts.headers.get(name)?.to_str().ok();
        Ok(Answer {
            status: parts.status,
            warnings: parts
                .headers
                .get_all(header::WARNING)
                .iter()
                .filter_map(|value| warning(value.to_str().ok()?))
                .take(MAX_WARNINGS)
                .collect(),
            retry_after: header(header::RETRY_AFTER).and_then(|text| text.parse().ok()),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    };
    timeout(bound, asking)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", bound.as_secs())))
}

/// The text of a warning header: `299 - "text"` (RFC 7234, section 5.5).
fn warning(value: &str) -> Option<String> {
    let (_, quoted) = value.split_once('"')?;
    let (text, _) = quoted.rsplit_once('"')?;
    Some(bounded(&text.replace("\\\"", "\"").replace("\\\\", "\\")))
}

pub(crate) fn request(
    method: Method,
    path: &str,
    query: &str,
    body: Option<(&str, &Value)>,
) -> Result<Request<Body>, http::Error> {
    let request = Request::builder()
        .method(method)
        .uri(format!("{path}{query}"))
        .header(header::ACCEPT, "application/json");
    match body {
        None => request.body(Body::from(Vec::new())),
        Some((media, body)) => {
            let text = Zeroizing::new(body.to_string().into_bytes());
            request
                .header(header::CONTENT_TYPE, media)
                .body(Body::from(Bytes::from_owner(text)))
        }
    }
}

/// The path of the collection that an object is in; `None` where Kubernetes does not allow a name.
pub(crate) fn collection(object: &ObjectRef, api_version: &str) -> Option<String> {
    let valid = is_name(&object.name)
        && (object.namespace.is_empty() || is_name(&object.namespace))
        && api_version.split('/').all(is_name);
    if !valid {
        return None;
    }
    let root = if api_version.contains('/') {
        "apis"
    } else {
        "api"
    };
    let plural = object.kind.info().plural;
    Some(match object.namespace.as_str() {
        "" => format!("/{root}/{api_version}/{plural}"),
        namespace => format!("/{root}/{api_version}/namespaces/{namespace}/{plural}"),
    })
}

/// The path of an object.
pub(crate) fn path(object: &ObjectRef, api_version: &str) -> Option<String> {
    Some(format!(
        "{}/{}",
        collection(object, api_version)?,
        object.name
    ))
}

/// Words from outside, cleaned and not too long.
pub(crate) fn bounded(text: &str) -> String {
    ngf_text::sanitize::line(text.trim(), MAX_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_unquoted() {
        assert_eq!(
            warning(r#"299 - "unknown field \"spec.tsl\"""#).as_deref(),
            Some(r#"unknown field "spec.tsl""#)
        );
        assert_eq!(warning("299 - nothing"), None);
    }
}
