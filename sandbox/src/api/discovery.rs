//! Discovery: which groups, versions and kinds there are, in both forms that clients ask for.

use axum::Json;
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::ApiError;
use super::{Call, Version, review};
use crate::kinds::{self, KINDS, Kind};

const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `/version`, `/api`, `/apis` and what is under them, down to a version.
pub(crate) fn serve(
    call: &Call,
    served_version: Version,
    path: &[&str],
) -> Result<Response, ApiError> {
    if call.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let accept = call
        .parts
        .headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok());
    let aggregated = accept.unwrap_or_default().split(',').any(|range| {
        let has = |parameter| range.split(';').any(|p| p.trim() == parameter);
        has("g=apidiscovery.k8s.io") && has("v=v2") && has("as=APIGroupDiscoveryList")
    });
    let answer = match path {
        ["version"] => version(served_version),
        ["api"] if aggregated => return Ok(aggregated_list(&[("", vec!["v1"])])),
        ["apis"] if aggregated => return Ok(aggregated_list(&named_groups())),
        ["api"] => json!({
            "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [],
        }),
        ["apis"] => json!({
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": named_groups().iter().map(|(g, v)| group(g, v)).collect::<Vec<_>>(),
        }),
        ["api", "v1"] => resource_list("", "v1"),
        ["apis", name] => {
            let groups = named_groups();
            let (name, versions) = groups
                .iter()
                .find(|(g, _)| g == name)
                .ok_or_else(ApiError::no_such_path)?;
            let mut found = group(name, versions);
            found["kind"] = json!("APIGroup");
            found["apiVersion"] = json!("v1");
            found
        }
        ["apis", name, version] if served(name, version) => resource_list(name, version),
        _ => return Err(ApiError::no_such_path()),
    };
    Ok(Json(answer).into_response())
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
pub(super) fn named_groups() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<_> = kinds::groups()
        .into_iter()
        .filter(|(g, _)| !g.is_empty())
        .collect();
    groups.extend(review::GROUPS.iter().map(|(group, _)| (*group, vec!["v1"])));
    groups
}

fn served(group: &str, version: &str) -> bool {
    named_groups()
        .iter()
        .any(|(g, versions)| *g == group && versions.contains(&version))
}

fn group(name: &str, versions: &[&str]) -> Value {
    let entry = |v: &&str| json!({"groupVersion": format!("{name}/{v}"), "version": v});
    json!({
        "name": name,
        "versions": versions.iter().map(entry).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(entry),
    })
}

fn of_version<'a>(
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = &'static Kind> + use<'a> {
    KINDS
        .iter()
        .copied()
        .filter(move |k| k.group == group && k.versions.contains(&version))
}

fn subresource_verbs(subresource: &str) -> &'static [&'static str] {
    match subresource {
        "status" | "scale" | "ephemeralcontainers" => &["get", "patch", "update"],
        "exec" | "attach" | "portforward" => &["create", "get"],
        _ => &["get"],
    }
}

fn resource_list(group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    for kind in of_version(group, version) {
        resources.push(json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": VERBS,
            "shortNames": kind.short_names,
            "categories": kind.categories,
        }));
        resources.extend(kind.subresources().iter().map(|subresource| {
            let mut entry = json!({
                "name": format!("{}/{subresource}", kind.plural),
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": subresource_verbs(subresource),
            });
            if *subresource == "scale" {
                entry["kind"] = json!("Scale");
                entry["group"] = json!("autoscaling");
                entry["version"] = json!("v1");
            }
            entry
        }));
    }
    resources.extend(review::kinds(group).map(|(kind, plural)| {
        json!({
            "name": plural, "singularName": kind.to_lowercase(), "namespaced": false,
            "kind": kind, "verbs": ["create"],
        })
    }));
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    })
}

/// `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`: everything in one answer.
fn aggregated_list(groups: &[(&str, Vec<&str>)]) -> Response {
    let items: Vec<_> = groups
        .iter()
        .map(|(group, versions)| {
            json!({
                "metadata": {"name": group, "creationTimestamp": null},
                "versions": versions.iter().map(|v| aggregated(group, v)).collect::<Vec<_>>(),
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

fn aggregated(group: &str, version: &str) -> Value {
    let resources: Vec<_> = of_version(group, version)
        .map(|kind| {
            let response_kind = json!({"group": group, "version": version, "kind": kind.kind});
            let subresources: Vec<_> = kind
                .subresources()
                .iter()
                .map(|s| {
                    let scale = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
                    let answer = if *s == "scale" {
                        &scale
                    } else {
                        &response_kind
                    };
                    json!({
                        "subresource": s, "responseKind": answer, "verbs": subresource_verbs(s),
                    })
                })
                .collect();
            json!({
                "resource": kind.plural,
                "responseKind": response_kind,
                "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": kind.singular,
                "verbs": VERBS,
                "shortNames": kind.short_names,
                "categories": kind.categories,
                "subresources": subresources,
            })
        })
        .chain(review::kinds(group).map(|(kind, plural)| {
            json!({
                "resource": plural,
                "responseKind": {"group": group, "version": version, "kind": kind},
                "scope": "Cluster",
                "singularResource": kind.to_lowercase(),
                "verbs": ["create"],
            })
        }))
        .collect();
    json!({"version": version, "freshness": "Current", "resources": resources})
}
