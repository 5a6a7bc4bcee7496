//! `scale` of Deployments and ReplicaSets, as `kubectl scale` asks for it.

use axum::Json;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ApiError;
use super::{Api, Call, Target};
use crate::metadata::{meta, place};
use crate::patch;
use crate::store::{Key, Part, Preconditions, StoreError};

/// `GET`, `PUT` and `PATCH`.
pub(super) fn serve(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let namespace = target.namespace.unwrap_or_default();
    let missing = || ApiError::not_found(target.kind, target.name);
    let stored = api
        .store
        .get(target.kind, namespace, target.name)
        .ok_or_else(missing)?;
    if call.method == Method::GET {
        return Ok(Json(scale(&stored)).into_response());
    }
    let mut wanted = scale(&stored);
    match call.method {
        Method::PUT => wanted = call.object()?,
        Method::PATCH => patch::merge(&mut wanted, &call.object()?),
        _ => return Err(ApiError::method_not_allowed()),
    }
    let replicas = wanted.pointer("/spec/replicas").and_then(Value::as_u64);
    let Some(replicas) = replicas.or_else(|| wanted.pointer("/spec").map(|_| 0)) else {
        return Err(ApiError::bad_request("spec.replicas: Required value"));
    };
    let key = Key::new(namespace, target.name);
    let changed = api
        .store
        .modify(target.kind, &key, Part::Main, call.keep()?, |stored| {
            Preconditions::of(&wanted).check(stored)?;
            let mut object = stored.clone();
            *place(&mut object, &["spec", "replicas"]) = json!(replicas);
            Ok(object)
        });
    let changed = changed
        .map_err(|error: StoreError| ApiError::from_store(error, target.kind, target.name))?;
    Ok(Json(scale(&changed)).into_response())
}

fn scale(object: &Value) -> Value {
    let labels = object
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object);
    let selector: Vec<_> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta(object, "name"),
            "namespace": meta(object, "namespace"),
            "uid": meta(object, "uid"),
            "resourceVersion": meta(object, "resourceVersion"),
            "creationTimestamp": meta(object, "creationTimestamp"),
        },
        "spec": {"replicas": object["spec"]["replicas"]},
        "status": {
            "replicas": object["status"]["replicas"].as_u64().unwrap_or(0),
            "selector": selector.join(","),
        },
    })
}
