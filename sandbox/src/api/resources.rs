//! Objects: get, list in pages, watch, create, patch and delete.

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ApiError;
use super::pages::{read_token, write_token};
use super::table;
use super::{APPLY, Api, Call, Target, content_type, ephemeral, watch};
use crate::admission;
use crate::kinds::{self, Kind, Origin};
use crate::metadata::{meta, metadata_mut};
use crate::patch;
use crate::scenarios::Quirk;
use crate::selectors::Selector;
use crate::store::{Key, Object, Part, Preconditions, Store, StoreError};

/// `GET`, `POST`, … on a collection or an object.
pub(crate) fn serve(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let collection = target.name.is_empty();
    match (&call.method, collection) {
        (&Method::GET, _) if call.flag("watch") => watch::serve(api, call, target),
        (&Method::GET, true) => list(api, call, target),
        (&Method::GET, false) => get(api, call, target),
        (&Method::POST, true) => create(api, call, target),
        (&Method::PATCH, false) => patch(api, call, target),
        (&Method::DELETE, false) if target.subresource.is_empty() => delete(api, call, target),
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// `labelSelector` and `fieldSelector`.
pub(crate) fn selector(call: &Call, kind: &Kind) -> Result<Selector, ApiError> {
    Selector::parse(
        kind,
        call.param("labelSelector"),
        call.param("fieldSelector"),
    )
    .map_err(ApiError::bad_request)
}

/// A `resourceVersion` parameter.
pub(crate) fn version_param(text: &str) -> Result<Option<u64>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        ApiError::bad_request(format!(
            "resourceVersion: Invalid value: \"{text}\": not a number"
        ))
    })
}

fn answer(
    code: StatusCode,
    call: &Call,
    target: Target<'_>,
    object: &Value,
) -> Result<Response, ApiError> {
    let form = table::negotiate(&call.parts.headers, call.param("includeObject"))?;
    Ok((
        code,
        Json(table::one(target.kind, target.version, object, form)),
    )
        .into_response())
}

fn get(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let found = api
        .store
        .get(
            target.kind,
            target.namespace.unwrap_or_default(),
            target.name,
        )
        .ok_or_else(|| ApiError::not_found(target.kind, target.name))?;
    answer(StatusCode::OK, call, target, &found)
}

fn list(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let form = table::negotiate(&call.parts.headers, call.param("includeObject"))?;
    let limit = match call.param("limit") {
        "" | "0" => usize::MAX,
        text => text.parse().map_err(|_| {
            ApiError::bad_request(format!("limit: Invalid value: \"{text}\": not a number"))
        })?,
    };
    let resource = target.kind.resource();
    let token = call.param("continue");
    let (id, offset, objects, revision) = if token.is_empty() {
        check_version(&api.store, call)?;
        let selector = selector(call, target.kind)?;
        let (mut objects, revision) = api.store.list(target.kind, target.namespace);
        objects.retain(|object| selector.matches(object));
        (None, 0, objects, revision)
    } else {
        let (id, offset) = read_token(token)?;
        let (objects, revision) = api
            .pages
            .get(id, &resource)
            .ok_or_else(ApiError::expired_continue)?;
        (Some(id), offset, objects, revision)
    };
    let end = offset.saturating_add(limit).min(objects.len());
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    let page = objects.get(offset..end).unwrap_or_default().to_vec();
    let rest = objects.len() - end;
    if rest > 0 {
        let id = id.unwrap_or_else(|| api.pages.keep(resource, objects, revision));
        metadata["continue"] = json!(write_token(id, end));
        metadata["remainingItemCount"] = json!(rest);
    } else if let Some(id) = id {
        api.pages.done(id);
    }
    let bytes = table::list(
        target.kind,
        target.version,
        page.iter().map(|object| &**object),
        form,
        metadata,
    );
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// `resourceVersion` on a list: the cluster has one present and, through pages only, some pasts.
fn check_version(store: &Store, call: &Call) -> Result<(), ApiError> {
    let current = store.revision();
    match version_param(call.param("resourceVersion"))? {
        Some(asked) if asked > current => Err(ApiError::version_too_large(asked, current)),
        Some(asked) if asked < current && call.param("resourceVersionMatch") == "Exact" => {
            Err(ApiError::from_store(
                StoreError::Expired {
                    asked,
                    oldest: current,
                },
                kinds::NAMESPACE,
                "",
            ))
        }
        _ => Ok(()),
    }
}

/// The object of a request's body, checked against the path that it was sent to.
fn body(call: &Call, target: Target<'_>) -> Result<Value, ApiError> {
    let mut object = call.object()?;
    if !object.is_object() {
        return Err(ApiError::bad_request("the body is not an object"));
    }
    check_type(&object, target)?;
    object["apiVersion"] = json!(target.kind.api_version(target.kind.preferred()));
    object["kind"] = json!(target.kind.kind);
    let metadata = metadata_mut(&mut object);
    match target.namespace {
        Some(namespace) => {
            let given = metadata
                .get("namespace")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if !given.is_empty() && given != namespace {
                return Err(ApiError::bad_request(format!(
                    "the namespace of the provided object does not match the namespace sent on \
                     the request ({given} != {namespace})"
                )));
            }
            metadata.insert("namespace".into(), json!(namespace));
        }
        None => {
            metadata.remove("namespace");
        }
    }
    Ok(object)
}

fn check_type(object: &Value, target: Target<'_>) -> Result<(), ApiError> {
    let expected = target.kind.api_version(target.version);
    for (field, given, expected) in [
        (
            "API version",
            object["apiVersion"].as_str(),
            expected.as_str(),
        ),
        ("kind", object["kind"].as_str(), target.kind.kind),
    ] {
        if let Some(given) = given.filter(|g| !g.is_empty() && *g != expected) {
            return Err(ApiError::bad_request(format!(
                "the {field} in the data ({given}) does not match the expected {field} ({expected})"
            )));
        }
    }
    Ok(())
}

fn create(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let object = body(call, target)?;
    let created = create_object(api, call, target, object)?;
    answer(StatusCode::CREATED, call, target, &created)
}

fn create_object(
    api: &Api,
    call: &Call,
    target: Target<'_>,
    mut object: Value,
) -> Result<Object, ApiError> {
    let kind = target.kind;
    if kind.namespaced && target.namespace.is_none() {
        return Err(ApiError::method_not_allowed());
    }
    admission::name(&mut object);
    let name = meta(&object, "name").to_owned();
    if kind.status
        && let Some(map) = object.as_object_mut()
    {
        map.shift_remove("status");
    }
    admission::admit(kind, &mut object, None, &api.store)
        .map_err(|refused| ApiError::from_store(refused, kind, &name))?;
    if std::ptr::eq(kind, kinds::POD) {
        if admission::is_restricted(&api.store, meta(&object, "namespace")) {
            admission::pod_security(&object)
                .map_err(|refused| ApiError::from_store(refused, kind, &name))?;
        }
        if api.pods.has(Quirk::RefusesPods) {
            return Err(ApiError::forbidden(format!(
                "pods \"{name}\" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=9, \
                 limited: pods=9"
            )));
        }
    }
    if let Some(namespace) = target.namespace
        && api.store.get(kinds::NAMESPACE, "", namespace).is_none()
    {
        return Err(ApiError::not_found(kinds::NAMESPACE, namespace));
    }
    api.store
        .create(kind, object, call.keep()?)
        .map_err(|refused| ApiError::from_store(refused, kind, &name))
}

/// An error inside a change: the API's own, or the store's.
enum ChangeError {
    Api(ApiError),
    Store(StoreError),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl ChangeError {
    fn answer(self, target: Target<'_>) -> ApiError {
        match self {
            Self::Api(error) => error,
            Self::Store(error) => ApiError::from_store(error, target.kind, target.name),
        }
    }
}

fn admit_change(
    target: Target<'_>,
    object: &mut Value,
    stored: &Value,
    store: &Store,
    restricted: bool,
) -> Result<(), ChangeError> {
    if target.subresource == "ephemeralcontainers" {
        *object = ephemeral::merged(object, stored)?;
        if restricted {
            admission::pod_security(object)?;
        }
    } else {
        admission::admit(target.kind, object, Some(stored), store)?;
    }
    Ok(())
}

fn patch(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let media = content_type(&call.parts.headers).to_owned();
    let how: fn(&mut Value, &Value) = match media.as_str() {
        "application/merge-patch+json" => patch::merge,
        "application/strategic-merge-patch+json" if target.kind.origin == Origin::BuiltIn => {
            patch::strategic
        }
        APPLY => patch::apply,
        _ => {
            return Err(ApiError::unsupported_media_type(
                "application/merge-patch+json, application/apply-patch+yaml",
            ));
        }
    };
    let apply = media == APPLY;
    let patch = if apply {
        body(call, target)?
    } else {
        call.object()?
    };
    let namespace = target.namespace.unwrap_or_default();
    if apply && api.store.get(target.kind, namespace, target.name).is_none() {
        let mut object = patch;
        metadata_mut(&mut object).insert("name".into(), json!(target.name));
        let created = create_object(api, call, target, object)?;
        return answer(StatusCode::CREATED, call, target, &created);
    }
    let key = Key::new(namespace, target.name);
    // Asked before: while an object is changed the store is locked.
    let restricted = admission::is_restricted(&api.store, namespace);
    let changed = api
        .store
        .modify(target.kind, &key, Part::Main, call.keep()?, |stored| {
            let mut object = stored.clone();
            how(&mut object, &patch);
            if !object.is_object() {
                return Err(ChangeError::Api(ApiError::bad_request(
                    "the patch leaves no object",
                )));
            }
            object["apiVersion"] = stored["apiVersion"].clone();
            object["kind"] = stored["kind"].clone();
            // A patch may name the version it is meant for.
            Preconditions::of(&object).check(stored)?;
            admit_change(target, &mut object, stored, &api.store, restricted)?;
            Ok(object)
        });
    let changed = changed.map_err(|error: ChangeError| error.answer(target))?;
    answer(StatusCode::OK, call, target, &changed)
}

/// `DeleteOptions` of the body: preconditions, and whether it is a dry run.
fn delete_options(call: &Call) -> Result<(Preconditions, bool), ApiError> {
    if call.body.is_empty() {
        return Ok((Preconditions::default(), call.keep()?));
    }
    let options = call.object()?;
    let text = |pointer: &str| {
        options
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let dry = options["dryRun"]
        .as_array()
        .is_some_and(|all| all.contains(&json!("All")));
    let preconditions = Preconditions {
        resource_version: text("/preconditions/resourceVersion"),
        uid: text("/preconditions/uid"),
    };
    Ok((preconditions, call.keep()? && !dry))
}

fn delete(api: &Api, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let (preconditions, keep) = delete_options(call)?;
    let key = Key::new(target.namespace.unwrap_or_default(), target.name);
    let gone = api
        .store
        .delete(target.kind, &key, &preconditions, keep)
        .map_err(|error| ApiError::from_store(error, target.kind, target.name))?;
    if !meta(&gone, "deletionTimestamp").is_empty() {
        return answer(StatusCode::OK, call, target, &gone);
    }
    Ok(Json(json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": target.name,
            "group": target.kind.group,
            "kind": target.kind.plural,
            "uid": meta(&gone, "uid"),
        },
    }))
    .into_response())
}
