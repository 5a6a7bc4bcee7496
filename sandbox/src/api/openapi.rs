//! The little of OpenAPI v3 without which `kubectl apply` sends nothing: that each kind takes a patch with
//! the parameter `fieldValidation`. kubectl then leaves the validation to the server.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use crate::kinds::{self, KINDS};

/// `/openapi/…`.
pub(crate) fn serve(path: &[&str]) -> Result<Response, ApiError> {
    let answer = match path {
        ["v3"] => index(),
        ["v3", "api", version] => document("", version).ok_or_else(ApiError::no_such_path)?,
        ["v3", "apis", group, version] => {
            document(group, version).ok_or_else(ApiError::no_such_path)?
        }
        _ => return Err(ApiError::no_such_path()),
    };
    Ok(Json(answer).into_response())
}

fn index() -> Value {
    let prefix = |group: &str| match group {
        "" => "api".to_owned(),
        group => format!("apis/{group}"),
    };
    let paths: Map<String, Value> = kinds::groups()
        .into_iter()
        .flat_map(|(group, versions)| {
            let versions = versions.into_iter();
            versions.map(move |version| format!("{}/{version}", prefix(group)))
        })
        .map(|path| {
            let url = format!("/openapi/v3/{path}");
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({"paths": paths})
}

/// The patches of a version's kinds; `None` where nothing has this version.
fn document(group: &str, version: &str) -> Option<Value> {
    let paths: Map<String, Value> = KINDS
        .iter()
        .filter(|kind| kind.group == group && kind.versions.contains(&version))
        .map(|kind| {
            let patch = json!({
                "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind.kind},
                "parameters": [{"name": "fieldValidation", "in": "query"}],
            });
            (format!("/{}/{{name}}", kind.plural), json!({"patch": patch}))
        })
        .collect();
    (!paths.is_empty()).then(|| json!({"openapi": "3.0.0", "paths": paths}))
}
