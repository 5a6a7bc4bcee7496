//! The Kubernetes API of the embedded cluster: HTTP on loopback (see [`listener`]), one bearer token.
//!
//! A request is told apart by its path alone, as Kubernetes' own server does it:
//! `/api/v1/…` or `/apis/GROUP/VERSION/…`, then `namespaces/NS/`, then `PLURAL/NAME/SUBRESOURCE`.
//! What each segment may be comes from the list in [`super::kinds`].
//!
//! Subresources are served by [`subresource`] and listed by [`super::kinds::Kind::subresources`], from
//! which discovery tells clients that they exist. `exec` and `portforward` upgrade to a websocket;
//! SPDY, to which older clients upgrade, is not served. Bodies are JSON.

mod discovery;
mod ephemeral;
pub(crate) mod error;
mod exec;
pub(crate) mod listener;
mod logs;
mod openapi;
mod pages;
mod port_forward;
mod resources;
mod review;
mod table;
mod version;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use self::error::ApiError;
pub(crate) use self::version::Version;
use super::kinds::{self, Kind};
use super::logs::Logs;
use super::pods::Pods;
use super::store::Store;

/// Bytes of a request's body, Kubernetes' own limit.
const MAX_BODY: usize = 3 * 1024 * 1024;
/// Requests that are served at once, watches included.
const MAX_REQUESTS: usize = 512;
/// Websockets that are served at once.
const MAX_STREAMS: usize = 512;
/// The media type of a server-side apply.
const APPLY: &str = "application/apply-patch+yaml";
/// Bytes of one message of a websocket.
const MAX_MESSAGE: usize = 1 << 20;

/// What the handlers share.
pub(crate) struct Api {
    pub(crate) store: Arc<Store>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) pods: Arc<Pods>,
    pub(crate) version: Version,
    pub(crate) token: Zeroizing<String>,
    pub(crate) denied: Vec<crate::options::Denied>,
    pub(crate) allowed: Option<Vec<crate::options::Rule>>,
    pub(crate) pages: pages::Pages,
    pub(crate) requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
}

impl Api {
    pub(crate) fn new(
        pods: Arc<Pods>,
        version: Version,
        token: Zeroizing<String>,
        denied: Vec<crate::options::Denied>,
        allowed: Option<Vec<crate::options::Rule>>,
    ) -> Self {
        Self {
            store: pods.store.clone(),
            logs: pods.logs.clone(),
            stop: pods.stop.clone(),
            pods,
            version,
            token,
            denied,
            allowed,
            pages: pages::Pages::default(),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
        }
    }
}

/// The API as a service.
pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new().fallback(serve).with_state(api)
}

/// A request, taken apart.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) query: HashMap<String, String>,
    pub(crate) body: Bytes,
    /// The rest of the request.
    pub(crate) parts: Parts,
    /// Where the client asks to go on by websocket; taken once.
    upgrade: Mutex<Option<WebSocketUpgrade>>,
}

impl Call {
    /// A query parameter, empty where it is not given.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// A boolean query parameter.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.param(name), "true" | "1")
    }

    /// Whether nothing is to be kept; an unknown value of `dryRun` is an error.
    pub(crate) fn keep(&self) -> Result<bool, ApiError> {
        match self.param("dryRun") {
            "" => Ok(true),
            "All" => Ok(false),
            other => Err(ApiError::bad_request(format!(
                "dryRun: Unsupported value: \"{other}\": supported values: \"All\""
            ))),
        }
    }

    /// The body, which is JSON: clients send a server-side apply as JSON too, which is YAML as well.
    pub(crate) fn object(&self) -> Result<Value, ApiError> {
        let kind = content_type(&self.parts.headers);
        let known = matches!(kind, "" | "application/json" | APPLY) || kind.ends_with("+json");
        if !known {
            return Err(ApiError::unsupported_media_type("application/json"));
        }
        serde_json::from_slice(&self.body)
            .map_err(|e| ApiError::bad_request(format!("the body is not valid JSON: {e}")))
    }
}

/// The media type of the body, without parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    value.split(';').next().unwrap_or("").trim()
}

async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    let Ok(permit) = api.requests.clone().try_acquire_owned() else {
        return ApiError::too_many_requests().into_response();
    };
    let response = match dispatch(&api, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    response.map(|body| {
        if body.size_hint().exact().is_some() {
            body
        } else {
            hold(body, &api, permit)
        }
    })
}

/// A body that may go on for ever (a watch, a followed log) ends with the cluster, and counts as a
/// request for as long as it is read.
fn hold(body: Body, api: &Api, permit: OwnedSemaphorePermit) -> Body {
    let stop = api.stop.clone();
    let chunks = body
        .into_data_stream()
        .take_until(async move { stop.cancelled().await });
    Body::from_stream(chunks.map(move |chunk| {
        let _counted = &permit;
        chunk
    }))
}

async fn dispatch(api: &Arc<Api>, request: Request) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    authenticate(api, &parts.headers)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let Query(query) = Query::try_from_uri(&parts.uri)
        .map_err(|e| ApiError::bad_request(format!("the query cannot be read: {e}")))?;
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| ApiError::too_large(MAX_BODY))?;
    let path = parts.uri.path().trim_matches('/').to_owned();
    let segments: Vec<String> = path.split('/').map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let call = Call {
        method: parts.method.clone(),
        query,
        body,
        parts,
        upgrade: Mutex::new(upgrade.ok()),
    };
    match segments.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => Ok("ok".into_response()),
        ["openapi", rest @ ..] => openapi::serve(rest),
        ["api", "v1", rest @ ..] if !rest.is_empty() => resource(api, &call, "", "v1", rest),
        ["apis", group, version, rest @ ..] if !rest.is_empty() => {
            resource(api, &call, group, version, rest)
        }
        other => discovery::serve(&call, api.version, other),
    }
}

/// `Authorization: Bearer TOKEN`, compared in constant time.
fn authenticate(api: &Api, headers: &HeaderMap) -> Result<(), ApiError> {
    let given = headers
        .get(header::AUTHORIZATION)
        .map(header::HeaderValue::as_bytes)
        .and_then(|value| {
            let (scheme, token) = value.split_at_checked("Bearer ".len())?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
        })
        .ok_or_else(ApiError::unauthorized)?;
    let token = api.token.as_bytes();
    if given.len() == token.len() && openssl::memcmp::eq(given, token) {
        Ok(())
    } else {
        Err(ApiError::unauthorized())
    }
}

fn decode(segment: &str) -> String {
    let escaped = |rest: &[u8]| {
        let hex = rest.strip_prefix(b"%")?.get(..2)?;
        u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    };
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if let Some(byte) = escaped(rest) {
            bytes.push(byte);
            rest = &rest[3..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a resource path names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) kind: &'static Kind,
    pub(crate) version: &'a str,
    /// `None` for all namespaces, and for kinds that have none.
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) subresource: &'a str,
}

fn resource(
    api: &Arc<Api>,
    call: &Call,
    group: &str,
    version: &str,
    path: &[&str],
) -> Result<Response, ApiError> {
    if let Some(answer) = review::serve(api, call, group, version, path) {
        return answer;
    }
    let (namespace, path) = match path {
        ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status" | "finalize"]) => {
            (Some(*namespace), rest)
        }
        all => (None, all),
    };
    let (plural, name, subresource) = match path {
        [plural] => (*plural, "", ""),
        [plural, name] => (*plural, *name, ""),
        [plural, name, subresource] => (*plural, *name, *subresource),
        _ => return Err(ApiError::no_such_path()),
    };
    let kind = kinds::find(group, version, plural).ok_or_else(ApiError::no_such_path)?;
    let misplaced = if kind.namespaced {
        namespace.is_none() && !name.is_empty()
    } else {
        namespace.is_some()
    };
    if misplaced {
        return Err(ApiError::no_such_path());
    }
    let target = Target {
        kind,
        version,
        namespace,
        name,
        subresource,
    };
    review::authorize(api, call, target)?;
    if subresource.is_empty() {
        resources::serve(api, call, target)
    } else {
        self::subresource(api, call, target)
    }
}

/// The subresources.
fn subresource(api: &Arc<Api>, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    match (target.kind.plural, target.subresource, &call.method) {
        ("pods", "log", &Method::GET) => logs::serve(api, call, target),
        ("pods", "log", _) => Err(ApiError::method_not_allowed()),
        ("pods", "exec", &Method::GET | &Method::POST) => exec::serve(api, call, target),
        ("pods", "portforward", &Method::GET | &Method::POST) => {
            port_forward::serve(api, call, target)
        }
        ("pods", "ephemeralcontainers", _) => ephemeral::serve(api, call, target),
        _ => Err(ApiError::no_such_path()),
    }
}

/// The upgrade that the client asks for, in the first of these subprotocols that it speaks.
fn upgrade(
    call: &Call,
    protocols: &'static [&'static str],
) -> Result<(WebSocketUpgrade, String), ApiError> {
    let upgrade = call
        .upgrade
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    let upgrade = upgrade.ok_or_else(|| {
        ApiError::bad_request(
            "Upgrade request required: the sandbox upgrades to a websocket, and not to SPDY",
        )
    })?;
    let upgrade = upgrade
        .protocols(protocols.iter().copied())
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE);
    let chosen = upgrade
        .selected_protocol()
        .and_then(|value| value.to_str().ok());
    let chosen = chosen.map(str::to_owned).ok_or_else(|| {
        ApiError::bad_request(format!(
            "unable to upgrade connection: the client speaks none of the subprotocols {}",
            protocols.join(", ")
        ))
    })?;
    Ok((upgrade, chosen))
}

/// Counts a websocket for as long as it is held.
fn stream_permit(api: &Api) -> Result<OwnedSemaphorePermit, ApiError> {
    api.streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| ApiError::too_many_requests())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn path_segments_are_decoded_and_broken_escapes_are_left_alone() {
        assert_eq!(decode("system%3Anode"), "system:node");
        assert_eq!(decode("a%2"), "a%2");
        assert_eq!(decode("%zz"), "%zz");
    }
}
