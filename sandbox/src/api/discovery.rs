//! Discovery: which groups, versions and kinds there are, aggregated in one answer each for `/api` and
//! `/apis`, as ngf-tui and kubectl ask for it.

use axum::Json;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ApiError;
use super::{Call, Version, review};
use crate::kinds::{self, KINDS, Kind};

const VERBS: &[&str] = &["create", "delete", "get", "list", "patch", "watch"];
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/version`, `/api` and `/apis`.
pub(crate) fn serve(
    call: &Call,
    served_version: Version,
    path: &[&str],
) -> Result<Response, ApiError> {
    if call.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    match path {
        ["version"] => Ok(Json(version(served_version)).into_response()),
        ["api"] => Ok(groups(&[("", vec!["v1"])])),
        ["apis"] => Ok(groups(&named_groups())),
        _ => Err(ApiError::no_such_path()),
    }
}

fn version(version: Version) -> Value {
    json!({
        "major": "1",
        "minor": version.minor.to_string(),
        "gitVersion": version.git(),
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// Every group but the core one, with its versions.
fn named_groups() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<_> = kinds::groups()
        .into_iter()
        .filter(|(group, _)| !group.is_empty())
        .collect();
    groups.push((review::GROUP, vec!["v1"]));
    groups
}

/// An `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.
fn groups(groups: &[(&str, Vec<&str>)]) -> Response {
    let items: Vec<_> = groups
        .iter()
        .map(|(group, versions)| {
            json!({
                "metadata": {"name": group, "creationTimestamp": null},
                "versions": versions.iter().map(|v| resources(group, v)).collect::<Vec<_>>(),
            })
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    });
    ([(header::CONTENT_TYPE, AGGREGATED)], list.to_string()).into_response()
}

/// What a version of a group holds.
fn resources(group: &str, version: &str) -> Value {
    let response = |kind: &str| json!({"group": group, "version": version, "kind": kind});
    let mut resources: Vec<_> = KINDS
        .iter()
        .filter(|kind| kind.group == group && kind.versions.contains(&version))
        .map(|kind| resource(kind, &response(kind.kind)))
        .collect();
    if group == review::GROUP {
        resources.push(json!({
            "resource": review::PLURAL,
            "responseKind": response(review::KIND),
            "scope": "Cluster",
            "singularResource": review::KIND.to_lowercase(),
            "verbs": ["create"],
        }));
    }
    json!({"version": version, "freshness": "Current", "resources": resources})
}

fn resource(kind: &Kind, response: &Value) -> Value {
    let subresources: Vec<_> = kind
        .subresources()
        .iter()
        .map(|subresource| {
            let verbs: &[&str] = match *subresource {
                "ephemeralcontainers" => &["get", "patch"],
                "exec" | "portforward" => &["create", "get"],
                _ => &["get"],
            };
            json!({"subresource": subresource, "responseKind": response, "verbs": verbs})
        })
        .collect();
    json!({
        "resource": kind.plural,
        "responseKind": response,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": VERBS,
        "shortNames": kind.short_names,
        "categories": kind.categories,
        "subresources": subresources,
    })
}
