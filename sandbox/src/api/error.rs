//! Errors as `metav1.Status`, in the words that `kubectl` prints and clients match on.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::store::StoreError;

/// An error that the API answers with.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Value,
}

impl ApiError {
    fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: json!({}),
        }
    }

    fn about(mut self, kind: &Kind, name: &str) -> Self {
        self.details = json!({"name": name, "group": kind.group, "kind": kind.plural});
        self
    }

    /// 401: no token, or another one.
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    /// 403: `who` may not.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    /// 404 for a path that nothing is served at.
    pub(crate) fn no_such_path() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(StatusCode::NOT_FOUND, "NotFound", message)
    }

    /// 404 for an object.
    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.resource());
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(kind, name)
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 406: nothing that the client accepts can be served.
    pub(crate) fn not_acceptable() -> Self {
        let message = "only the following media types are accepted: application/json";
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    /// 415: a body in a format that is not understood.
    pub(crate) fn unsupported_media_type(known: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {known}"
        );
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            message,
        )
    }

    /// 413.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            message,
        )
    }

    /// 429.
    pub(crate) fn too_many_requests() -> Self {
        let message = "too many requests, please try again later";
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        error.details = json!({"retryAfterSeconds": 1});
        error
    }

    /// 504, for a version that the cluster has not reached.
    pub(crate) fn version_too_large(asked: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let mut error = Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
        error.details = json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        });
        error
    }

    /// 410, for a version or a continue token that is gone.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// 410, for a continue token.
    pub(crate) fn expired_continue() -> Self {
        Self::expired(
            "The provided continue parameter is too old to display a consistent list result. You \
             must start a new list without the continue parameter.",
        )
    }

    /// 409, as optimistic locking says it.
    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            kind.resource()
        );
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(kind, name)
    }

    /// 422 with the fields and what is wrong with them.
    pub(crate) fn invalid(kind: &Kind, name: &str, causes: &[(String, String)]) -> Self {
        let full = if kind.group.is_empty() {
            kind.kind.to_owned()
        } else {
            format!("{}.{}", kind.kind, kind.group)
        };
        let mut listed: Vec<_> = causes.iter().map(|(f, m)| format!("{f}: {m}")).collect();
        let text = if listed.len() == 1 {
            listed.remove(0)
        } else {
            format!("[{}]", listed.join(", "))
        };
        let message = format!("{full} \"{name}\" is invalid: {text}");
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message);
        let causes: Vec<_> = causes
            .iter()
            .map(|(field, message)| json!({"reason": cause(message), "message": message, "field": field}))
            .collect();
        error.details =
            json!({"name": name, "group": kind.group, "kind": kind.kind, "causes": causes});
        error
    }

    /// What the store's refusal means for this object.
    pub(crate) fn from_store(error: StoreError, kind: &Kind, name: &str) -> Self {
        match error {
            StoreError::NotFound => Self::not_found(kind, name),
            StoreError::AlreadyExists => {
                let message = format!("{} \"{name}\" already exists", kind.resource());
                Self::new(StatusCode::CONFLICT, "AlreadyExists", message).about(kind, name)
            }
            StoreError::Conflict(why) => Self::conflict(kind, name, &why),
            StoreError::Invalid(causes) => Self::invalid(kind, name, &causes),
            StoreError::Forbidden(why) => Self::forbidden(format!(
                "{} \"{name}\" is forbidden: {why}",
                kind.resource()
            ))
            .about(kind, name),
            expired @ StoreError::Expired { .. } => Self::expired(expired.to_string()),
            StoreError::Full(message) => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "InternalError", message)
                    .about(kind, name)
            }
        }
    }

    /// The `Status` object.
    pub(crate) fn status(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code.as_u16(),
        })
    }
}

/// The machine-readable reason that goes with a field error's first words.
fn cause(message: &str) -> &'static str {
    match message.split(':').next().unwrap_or_default() {
        "Required value" => "FieldValueRequired",
        "Unsupported value" => "FieldValueNotSupported",
        "Forbidden" => "FieldValueForbidden",
        "Too many" => "FieldValueTooMany",
        _ => "FieldValueInvalid",
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.code, Json(self.status())).into_response();
        let header: Option<(HeaderName, &str)> = match self.code {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::TOO_MANY_REQUESTS => Some((header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = header {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
