//! Who may do what. The bearer of the token may do everything, or what
//! [`crate::SandboxOptions::allowed`] says, except what [`crate::SandboxOptions::denied`]
//! takes away; the reviews say the same as the requests.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ApiError;
use super::{Api, Call, Target};
use crate::options::Denied;

/// The name that the cluster knows the bearer of the token by.
pub(crate) const USER: &str = "ngf-tui-demo";

/// The only review that is served: whether the user may do one thing.
pub(super) const GROUP: &str = "authorization.k8s.io";
pub(super) const KIND: &str = "SelfSubjectAccessReview";
pub(super) const PLURAL: &str = "selfsubjectaccessreviews";

/// Answers a review, if the path is one.
pub(super) fn serve(
    api: &Api,
    call: &Call,
    group: &str,
    version: &str,
    path: &[&str],
) -> Option<Result<Response, ApiError>> {
    (group == GROUP && version == "v1" && path == [PLURAL]).then(|| review(api, call))
}

fn review(api: &Api, call: &Call) -> Result<Response, ApiError> {
    if call.method != Method::POST {
        return Err(ApiError::method_not_allowed());
    }
    let mut review = call.object()?;
    if !review.is_object() {
        return Err(ApiError::bad_request("the body is not an object"));
    }
    review["status"] = access(api, &review["spec"])?;
    Ok((StatusCode::CREATED, Json(review)).into_response())
}

fn access(api: &Api, spec: &Value) -> Result<Value, ApiError> {
    let text =
        |attributes: &Value, field: &str| attributes[field].as_str().unwrap_or_default().to_owned();
    let attributes = &spec["resourceAttributes"];
    if !attributes.is_object() {
        return Err(ApiError::bad_request(
            "spec.resourceAttributes: Required value",
        ));
    }
    let allowed = may(
        api,
        &text(attributes, "verb"),
        &text(attributes, "group"),
        &text(attributes, "resource"),
        &text(attributes, "subresource"),
        Some(text(attributes, "namespace").as_str()).filter(|namespace| !namespace.is_empty()),
    );
    Ok(json!({"allowed": allowed}))
}

fn resource_name(resource: &str, group: &str, subresource: &str) -> String {
    let subresource = if subresource.is_empty() {
        String::new()
    } else {
        format!("/{subresource}")
    };
    let group = if group.is_empty() {
        String::new()
    } else {
        format!(".{group}")
    };
    format!("{resource}{group}{subresource}")
}

fn may(
    api: &Api,
    verb: &str,
    group: &str,
    resource: &str,
    subresource: &str,
    namespace: Option<&str>,
) -> bool {
    let full = resource_name(resource, group, subresource);
    let denied = |d: &Denied| (d.verb == "*" || d.verb == verb) && d.resource == full;
    let plain = resource_name(resource, "", subresource);
    let allowed = api.allowed.as_ref();
    !api.denied.iter().any(denied)
        && allowed.is_none_or(|rules| {
            rules.iter().any(|rule| {
                let is_there = rule.namespace.is_none() || rule.namespace.as_deref() == namespace;
                is_there && rule.allows(verb, group, &plain)
            })
        })
}

/// 403 for a request that is denied.
pub(super) fn authorize(api: &Api, call: &Call, target: Target<'_>) -> Result<(), ApiError> {
    let collection = target.name.is_empty();
    let verb = match (&call.method, collection) {
        (&Method::GET, _) if call.flag("watch") => "watch",
        (&Method::GET, true) => "list",
        (&Method::GET, false) => "get",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, true) => "deletecollection",
        (&Method::DELETE, false) => "delete",
        _ => return Ok(()),
    };
    let kind = target.kind;
    let streams = matches!(target.subresource, "exec" | "portforward");
    let create = streams && verb == "get" && api.version.streams_are_created();
    let wanted = [Some(verb), create.then_some("create")];
    let denied = |verb: &&str| {
        !may(
            api,
            verb,
            kind.group,
            kind.plural,
            target.subresource,
            target.namespace,
        )
    };
    let Some(verb) = wanted.into_iter().flatten().find(denied) else {
        return Ok(());
    };
    let name = if collection {
        String::new()
    } else {
        format!(" \"{}\"", target.name)
    };
    let place = match target.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    let plain = resource_name(kind.plural, "", target.subresource);
    Err(ApiError::forbidden(format!(
        "{}{name} is forbidden: User \"{USER}\" cannot {verb} resource \"{plain}\" in API group \
         \"{}\" {place}",
        kind.resource(),
        kind.group
    )))
}
