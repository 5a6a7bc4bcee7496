//! Which of the tool's kinds the cluster has, and in which version: two requests where the API
//! server aggregates its discovery (Kubernetes 1.26 and later), and a few more elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;
use serde_json::Value;

use super::{error::Failure, request::fetch};
use crate::model::{
    clean::clean_line,
    kind::{KINDS, Kind, KindInfo},
};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// What the cluster has of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Served {
    /// This version, the first that the tool reads.
    Version(String),
    /// Nothing.
    Nothing,
    /// Only versions that the tool does not read.
    Unreadable(Vec<String>),
    /// Nobody knows: its group does not answer.
    Unknown(String),
}

/// Groups, with what is in each version: the plural names of its resources, or why nobody knows.
type Groups = BTreeMap<String, BTreeMap<String, Result<BTreeSet<String>, String>>>;

/// Asks the cluster.
///
/// # Errors
/// Where neither the core API nor the list of groups can be read.
pub(super) async fn discover(client: &Client) -> Result<BTreeMap<Kind, Served>, Failure> {
    let mut groups = Groups::new();
    for root in ["/api", "/apis"] {
        let answer: Value = fetch(client, request(root, AGGREGATED)?).await?;
        match answer.get("kind").and_then(Value::as_str) {
            Some("APIGroupDiscoveryList") => aggregated(&answer, &mut groups),
            _ => one_by_one(client, root, &answer, &mut groups).await?,
        }
    }
    Ok(KINDS
        .iter()
        .map(|info| (info.kind, served(info, &groups)))
        .collect())
}

fn request(path: &str, accept: &str) -> Result<http::Request<Vec<u8>>, Failure> {
    http::Request::get(path)
        .header(http::header::ACCEPT, accept)
        .body(Vec::new())
        .map_err(|error| Failure::Other(error.to_string()))
}

fn served(info: &KindInfo, groups: &Groups) -> Served {
    let Some(versions) = groups.get(info.group) else {
        return Served::Nothing;
    };
    let mut has = Vec::new();
    let mut unknown = None;
    for (version, resources) in versions {
        match resources {
            Ok(resources) if resources.contains(info.plural) => has.push(version.clone()),
            Ok(_) => {}
            Err(why) => unknown = Some(why.clone()),
        }
    }
    let readable = info
        .versions
        .iter()
        .find(|version| has.iter().any(|has| has == *version));
    match (readable, unknown) {
        (Some(version), _) => Served::Version((*version).to_owned()),
        (None, Some(why)) => Served::Unknown(why),
        (None, None) if has.is_empty() => Served::Nothing,
        (None, None) => Served::Unreadable(has),
    }
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Reads an `APIGroupDiscoveryList`. The resources of an aggregated API whose server does not answer
/// are `Stale`, and may be empty.
fn aggregated(answer: &Value, groups: &mut Groups) {
    for group in list(answer, "items") {
        let name = group.pointer("/metadata/name").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        if !is_wanted(name) {
            continue;
        }
        for version in list(group, "versions") {
            let resources: BTreeSet<String> = list(version, "resources")
                .map(|resource| text(resource, "resource").to_owned())
                .collect();
            let stale = text(version, "freshness") == "Stale" && resources.is_empty();
            let resources = if stale {
                Err(format!("the API group {name} does not answer"))
            } else {
                Ok(resources)
            };
            groups
                .entry(name.to_owned())
                .or_default()
                .insert(clean_line(text(version, "version")), resources);
        }
    }
}

/// Reads an `APIVersions` or `APIGroupList`, and asks for each version of each group that counts.
async fn one_by_one(
    client: &Client,
    root: &str,
    answer: &Value,
    groups: &mut Groups,
) -> Result<(), Failure> {
    let mut versions: Vec<(String, String)> = list(answer, "versions")
        .filter_map(|version| Some((String::new(), version.as_str()?.to_owned())))
        .collect();
    for group in list(answer, "groups") {
        let name = text(group, "name");
        versions.extend(
            list(group, "versions")
                .map(|version| (name.to_owned(), text(version, "version").to_owned())),
        );
    }
    for (group, version) in versions {
        if !is_wanted(&group) {
            continue;
        }
        let path = if group.is_empty() {
            format!("{root}/{version}")
        } else {
            format!("{root}/{group}/{version}")
        };
        let resources = match fetch::<Value>(client, request(&path, "application/json")?).await {
            Ok(answer) => Ok(list(&answer, "resources")
                .map(|resource| text(resource, "name").to_owned())
                .collect()),
            Err(Failure::NoAnswer(why)) => return Err(Failure::NoAnswer(why)),
            Err(failure) => Err(failure.words().to_owned()),
        };
        groups
            .entry(group)
            .or_default()
            .insert(clean_line(&version), resources);
    }
    Ok(())
}

fn is_wanted(group: &str) -> bool {
    KINDS.iter().any(|info| info.group == group)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn version(version: &str, freshness: &str, resources: &[&str]) -> Value {
        let resources: Vec<Value> = resources.iter().map(|r| json!({"resource": r})).collect();
        json!({"version": version, "freshness": freshness, "resources": resources})
    }

    #[test]
    fn the_first_version_that_can_be_read_is_chosen() {
        let answer = json!({"items": [
            {"metadata": {"name": "gateway.networking.k8s.io"}, "versions": [
                version("v1", "Current", &["gateways", "gateways/status"]),
                version("v1alpha3", "Current", &["backendtlspolicies"]),
                version("v2", "Current", &["httproutes"]),
            ]},
            {"metadata": {"name": "cert-manager.io"}, "versions": [version("v1", "Stale", &[])]},
            {"metadata": {"name": "metrics.k8s.io"}, "versions": [version("v1", "Stale", &[])]},
        ]});
        let mut groups = Groups::new();
        aggregated(&answer, &mut groups);
        for (kind, expected) in [
            (Kind::Gateway, Served::Version("v1".into())),
            (Kind::BackendTLSPolicy, Served::Version("v1alpha3".into())),
            (Kind::HTTPRoute, Served::Unreadable(vec!["v2".into()])),
            (Kind::ListenerSet, Served::Nothing),
            (Kind::NginxProxy, Served::Nothing),
            (
                Kind::Issuer,
                Served::Unknown("the API group cert-manager.io does not answer".into()),
            ),
        ] {
            assert_eq!(served(kind.info(), &groups), expected, "{kind}");
        }
    }
}
