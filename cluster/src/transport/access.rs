//! What the user may do, asked beforehand (SelfSubjectAccessReview), and the rule that would let
//! them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams};
use ngf_text::sanitize;

use super::Via;
use crate::request::answered;

/// From this version on, exec and port-forward over a websocket want `create` beside `get`.
const CREATE_SINCE: (u32, u32) = (1, 35);

/// A right on something in a namespace; all of it is in the core group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// `pods/exec`: resource, and subresource where there is one.
    pub resource: &'static str,
    /// `get`.
    pub verb: &'static str,
}

const fn need(resource: &'static str, verb: &'static str) -> Need {
    Need { resource, verb }
}

/// What a way needs, on a cluster of this version (`1.36`; `None` where it is not known).
pub fn needs(via: Via, version: Option<&str>) -> Vec<Need> {
    let stream = |resource| {
        let mut needs = vec![need(resource, "get")];
        if wants_create(version) {
            needs.push(need(resource, "create"));
        }
        needs
    };
    let mut needs = match via {
        Via::Auto | Via::Direct => Vec::new(),
        Via::PortForward => return stream("pods/portforward"),
        Via::Exec => Vec::new(),
        Via::Ephemeral => vec![
            need("pods", "get"),
            need("pods/ephemeralcontainers", "patch"),
        ],
        Via::Pod => vec![
            need("pods", "create"),
            need("pods", "get"),
            need("pods", "delete"),
        ],
    };
    if matches!(via, Via::Exec | Via::Ephemeral | Via::Pod) {
        needs.extend(stream("pods/exec"));
    }
    needs
}

fn wants_create(version: Option<&str>) -> bool {
    let number = version.and_then(|version| {
        let (major, minor) = version.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    number.is_none_or(|number: (u32, u32)| number >= CREATE_SINCE)
}

/// What an API server says to the question whether somebody may do something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// What is needed and denied.
    pub denied: Vec<Need>,
    /// Why the question has no answer, where it has none: then only trying can tell.
    pub unknown: Option<String>,
}

impl Access {
    /// Nothing that is needed is denied, so far as anybody knows.
    pub fn is_allowed(&self) -> bool {
        self.denied.is_empty()
    }

    /// What is denied, and the rule to add.
    pub fn words(&self, namespace: &str) -> String {
        let mut verbs = BTreeMap::<&str, Vec<&str>>::new();
        for need in &self.denied {
            verbs.entry(need.resource).or_default().push(need.verb);
        }
        let denied = verbs
            .iter()
            .map(|(resource, verbs)| format!("{} {resource}", verbs.join(" and ")))
            .collect::<Vec<_>>()
            .join(", ");
        let rules = verbs
            .iter()
            .map(|(resource, verbs)| rule(namespace, resource, verbs))
            .collect::<Vec<_>>()
            .join("; ");
        format!("you may not {denied} in namespace {namespace} ({rules})")
    }
}

/// The rule that is missing, to be given to an administrator:
/// `add to a Role in namespace default: {apiGroups: [""], resources: [pods/exec], verbs: [get, create]}`.
pub(crate) fn rule(namespace: &str, resource: &str, verbs: &[&str]) -> String {
    format!(
        "add to a Role in namespace {namespace}: {{apiGroups: [\"\"], resources: [{resource}], verbs: [{}]}}",
        verbs.join(", ")
    )
}

/// Asks, and keeps the answers.
pub(super) struct Reviewer {
    client: Client,
    version: Option<String>,
    answers: Mutex<BTreeMap<(Via, String), (Access, Instant)>>,
}

/// After this time one asks again: somebody may have been given the right meanwhile.
const GOOD_FOR: Duration = Duration::from_mins(1);

impl Reviewer {
    pub(super) fn new(client: Client, version: Option<String>) -> Self {
        Self {
            client,
            version,
            answers: Mutex::default(),
        }
    }

    /// Whether the user may go this way in this namespace.
    pub(super) async fn may(&self, via: Via, namespace: &str) -> Access {
        let key = (via, namespace.to_owned());
        let answers = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, since)) = answers().get(&key)
            && since.elapsed() < GOOD_FOR
        {
            return known.clone();
        }
        let needs = needs(via, self.version.as_deref());
        let asked = join_all(needs.iter().map(|need| self.ask(*need, namespace))).await;
        let mut access = Access::default();
        for (need, answer) in needs.into_iter().zip(asked) {
            match answer {
                Ok(true) => {}
                Ok(false) => access.denied.push(need),
                Err(why) => access.unknown = Some(why),
            }
        }
        answers().insert(key, (access.clone(), Instant::now()));
        access
    }

    async fn ask(&self, need: Need, namespace: &str) -> Result<bool, String> {
        let (resource, subresource) = match need.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (need.resource, None),
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(namespace.to_owned()),
                    verb: Some(need.verb.to_owned()),
                    group: Some(String::new()),
                    resource: Some(resource.to_owned()),
                    subresource,
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let answer = answered(reviews.create(&PostParams::default(), &review)).await;
        match answer {
            Ok(answer) => Ok(answer.status.is_some_and(|status| status.allowed)),
            Err(failure) => Err(sanitize::line(failure.words(), 200)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(via: Via, version: Option<&str>) -> String {
        needs(via, version)
            .iter()
            .map(|need| format!("{} {}", need.verb, need.resource))
            .collect::<Vec<_>>()
            .join(", ")
    }

    #[test]
    fn exec_wants_create_from_1_35_on() {
        for (version, expected) in [
            (Some("1.34"), "get pods/exec"),
            (Some("1.35"), "get pods/exec, create pods/exec"),
            (Some("1.36"), "get pods/exec, create pods/exec"),
            (Some("2.0"), "get pods/exec, create pods/exec"),
            (None, "get pods/exec, create pods/exec"),
            (Some("what"), "get pods/exec, create pods/exec"),
        ] {
            assert_eq!(listed(Via::Exec, version), expected, "{version:?}");
        }
    }

    #[test]
    fn each_way_needs_what_it_does() {
        for (via, expected) in [
            (Via::Direct, ""),
            (Via::PortForward, "get pods/portforward"),
            (
                Via::Ephemeral,
                "get pods, patch pods/ephemeralcontainers, get pods/exec",
            ),
            (
                Via::Pod,
                "create pods, get pods, delete pods, get pods/exec",
            ),
        ] {
            assert_eq!(listed(via, Some("1.34")), expected);
        }
    }

    #[test]
    fn what_is_denied_is_said_with_the_rule_to_add() {
        let access = Access {
            denied: needs(Via::Exec, None),
            unknown: None,
        };
        assert_eq!(
            access.words("shop"),
            "you may not get and create pods/exec in namespace shop (add to a Role in namespace shop: {apiGroups: [\"\"], resources: [pods/exec], verbs: [get, create]})"
        );
    }
}
