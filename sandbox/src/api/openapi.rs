//! OpenAPI v3, as far as `kubectl` reads it before it applies: which paths take a patch, and that
//! the server validates fields itself. Schemas are named and open; `kubectl explain` finds the kind
//! and no fields. There is no OpenAPI v2: `kubectl` does without.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::error::ApiError;
use crate::kinds::{self, KINDS, Kind};

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

fn prefix(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

fn index() -> Value {
    let paths: Map<String, Value> = kinds::groups()
        .into_iter()
        .flat_map(|(group, versions)| versions.into_iter().map(move |v| prefix(group, v)))
        .map(|path| {
            let url = format!("/openapi/v3/{path}");
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({"paths": paths})
}

fn document(group: &str, version: &str) -> Option<Value> {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for kind in KINDS
        .iter()
        .filter(|k| k.group == group && k.versions.contains(&version))
    {
        let gvk = json!({"group": group, "version": version, "kind": kind.kind});
        let scope = if kind.namespaced {
            "namespaces/{namespace}/"
        } else {
            ""
        };
        let path = format!(
            "/{}/{scope}{}/{{name}}",
            prefix(group, version),
            kind.plural
        );
        paths.insert(path, path_item(kind, &gvk));
        schemas.insert(
            format!("{group}.{version}.{}", kind.kind),
            json!({
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": true,
                "x-kubernetes-group-version-kind": [gvk],
            }),
        );
    }
    if paths.is_empty() {
        return None;
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "ngf-tui's embedded cluster", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

fn path_item(kind: &Kind, gvk: &Value) -> Value {
    let operation = |action: &str| {
        json!({
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
            "parameters": [
                {"name": "dryRun", "in": "query", "schema": {"type": "string", "uniqueItems": true}},
                {"name": "fieldManager", "in": "query", "schema": {"type": "string", "uniqueItems": true}},
                {"name": "fieldValidation", "in": "query", "schema": {"type": "string", "uniqueItems": true}},
            ],
            "responses": {"200": {"description": kind.kind}},
        })
    };
    json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch")})
}
