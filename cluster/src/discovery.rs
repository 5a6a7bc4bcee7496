//! Which of the tool's kinds the cluster has, and in which version: two requests where the API
//! server aggregates its discovery (Kubernetes 1.26 and later), and a few more elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;
use serde_json::Value;

use super::{
    error::Failure,
    request::{fetch, is_name},
};
use ngf_core::model::{
    clean::clean_line,
    kind::{KINDS, Kind, KindInfo},
    snapshot::Problem,
};

/// Versions that are asked for or kept, of one group.
const MAX_VERSIONS: usize = 50;

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
    /// Unknown: its group does not answer.
    Unknown(String),
}

/// What the cluster has.
#[derive(Debug)]
pub(super) struct Discovered {
    /// Of each kind.
    pub(super) kinds: BTreeMap<Kind, Served>,
    /// What was left out.
    pub(super) problems: Vec<Problem>,
}

/// Groups, with what is in each version: the plural names of its resources, or why they are unknown.
type Groups = BTreeMap<String, BTreeMap<String, Result<BTreeSet<String>, String>>>;

/// Asks the cluster.
///
/// # Errors
/// Where neither the core API nor the list of groups can be read.
pub(super) async fn discover(client: &Client) -> Result<Discovered, Failure> {
    let mut groups = Groups::new();
    let mut problems = Vec::new();
    for root in ["/api", "/apis"] {
        let answer: Value = fetch(client, request(root, AGGREGATED)?).await?;
        match answer.get("kind").and_then(Value::as_str) {
            Some("APIGroupDiscoveryList") => aggregated(&answer, &mut groups),
            _ => problems.extend(one_by_one(client, root, &answer, &mut groups).await?),
        }
    }
    let kinds = KINDS
        .iter()
        .map(|info| (info.kind, served(info, &groups)))
        .collect();
    Ok(Discovered { kinds, problems })
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
        for version in list(group, "versions").take(MAX_VERSIONS) {
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

/// Reads an `APIVersions` or `APIGroupList`, and asks for each version of each group that counts; returns
/// what was left out.
async fn one_by_one(
    client: &Client,
    root: &str,
    answer: &Value,
    groups: &mut Groups,
) -> Result<Vec<Problem>, Failure> {
    let (wanted, problems) = versions(answer);
    for (group, version) in wanted {
        let path = if group.is_empty() {
            format!("{root}/{version}")
        } else {
            format!("{root}/{group}/{version}")
        };
        let resources = match fetch::<Value>(client, request(&path, "application/json")?).await {
            Ok(answer) => Ok(list(&answer, "resources")
                .map(|resource| text(resource, "name").to_owned())
                .collect()),
            Err(failure @ (Failure::NoAnswer(_) | Failure::Unauthorized(_))) => {
                return Err(failure);
            }
            Err(failure) => Err(failure.words().to_owned()),
        };
        groups.entry(group).or_default().insert(version, resources);
    }
    Ok(problems)
}

/// The versions to ask for, by group: those that the tool reads first, and of each group no more than
/// [`MAX_VERSIONS`]; and the groups that have more.
fn versions(answer: &Value) -> (BTreeSet<(String, String)>, Vec<Problem>) {
    let core = list(answer, "versions").filter_map(|version| Some(("", version.as_str()?)));
    let others = list(answer, "groups").flat_map(|group| {
        let name = text(group, "name");
        list(group, "versions").map(move |version| (name, text(version, "version")))
    });
    let mut by_group: BTreeMap<&str, BTreeSet<(bool, &str)>> = BTreeMap::new();
    for (group, version) in core.chain(others) {
        if is_wanted(group) && is_name(version) {
            let is_unread = !KINDS
                .iter()
                .any(|info| info.group == group && info.versions.contains(&version));
            let of_group = by_group.entry(group).or_default();
            of_group.insert((is_unread, version));
        }
    }
    let mut problems = Vec::new();
    let mut wanted = BTreeSet::new();
    for (group, of_group) in by_group {
        if of_group.len() > MAX_VERSIONS {
            problems.push(Problem {
                place: format!(
                    "API group {}",
                    if group.is_empty() { "core" } else { group }
                ),
                message: format!(
                    "has {} versions: {MAX_VERSIONS} were read and the rest is left out",
                    of_group.len()
                ),
                notes: Vec::new(),
            });
        }
        let of_group = of_group.into_iter().take(MAX_VERSIONS);
        wanted.extend(of_group.map(|(_, version)| (group.to_owned(), version.to_owned())));
    }
    (wanted, problems)
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

    #[test]
    fn versions_without_end_are_left_out_and_those_that_can_be_read_come_first() {
        let many: Vec<Value> = (0..20_000)
            .map(|number| json!({"version": format!("a{number}")}))
            .chain([
                json!({"version": "v1"}),
                json!({"version": "../../secrets"}),
            ])
            .collect();
        let answer = json!({"groups": [
            {"name": "gateway.networking.k8s.io", "versions": many},
            {"name": "apps", "versions": [{"version": "v1"}]},
            {"name": "metrics.k8s.io", "versions": [{"version": "v1"}]},
        ]});
        let (wanted, problems) = versions(&answer);
        assert_eq!(wanted.len(), MAX_VERSIONS + 1);
        for group in ["gateway.networking.k8s.io", "apps"] {
            assert!(
                wanted.contains(&(group.to_owned(), "v1".to_owned())),
                "{group}"
            );
        }
        let [problem] = problems.as_slice() else {
            panic!("{problems:?}")
        };
        assert_eq!(
            format!("{} {}", problem.place, problem.message),
            "API group gateway.networking.k8s.io has 20001 versions: 50 were read and the rest is left out"
        );
    }
}
