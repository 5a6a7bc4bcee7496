//! Whether the user may make a change, asked beforehand (SelfSubjectAccessReview), and the rule that
//! would let them.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, api::PostParams};
use tokio::time::timeout;

use crate::{Cluster, failure_in_words};
use ngf_core::fix::FixPlan;
use ngf_core::model::object::ObjectRef;

/// Bound on one question.
const ANSWER: Duration = Duration::from_secs(10);

/// A right that a change needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// On this object.
    pub object: ObjectRef,
    /// `create`, `get`, `patch`, `delete`.
    pub verb: &'static str,
}

/// What a plan needs: each change its verb, and a `get` of what is changed, since it is read again
/// before.
pub fn rights(plan: &FixPlan) -> Vec<Right> {
    let mut rights = Vec::new();
    for change in &plan.changes {
        let verbs: &[&'static str] = match change.verb() {
            "create" => &["create"],
            "delete" => &["get", "delete"],
            _ => &["get", "patch"],
        };
        for verb in verbs {
            let right = Right {
                object: change.object().clone(),
                verb,
            };
            if !rights.contains(&right) {
                rights.push(right);
            }
        }
    }
    rights
}

/// Asks whether the user may do it.
///
/// # Errors
/// A sentence that names what is denied and the rules to add. Where the question itself has no
/// answer, only trying can tell: that is no error.
pub async fn who_may(cluster: &Cluster, plan: &FixPlan) -> Result<(), String> {
    let rights = rights(plan);
    let answers = join_all(rights.iter().map(|right| ask(cluster, right))).await;
    let denied: Vec<&Right> = rights
        .iter()
        .zip(answers)
        .filter(|(_, answer)| matches!(answer, Ok(false)))
        .map(|(right, _)| right)
        .collect();
    if denied.is_empty() {
        return Ok(());
    }
    Err(refusal(&denied))
}

fn refusal(denied: &[&Right]) -> String {
    let mut verbs = BTreeMap::<(&str, &str, &str), Vec<&str>>::new();
    for right in denied {
        let info = right.object.kind.info();
        let known = verbs
            .entry((&right.object.namespace, info.group, info.plural))
            .or_default();
        if !known.contains(&right.verb) {
            known.push(right.verb);
        }
    }
    let sentences: Vec<String> = verbs
        .iter()
        .map(|((namespace, group, plural), verbs)| {
            let (place, role) = match *namespace {
                "" => (String::new(), "a ClusterRole".to_owned()),
                namespace => (
                    format!(" in namespace {namespace}"),
                    format!("a Role in namespace {namespace}"),
                ),
            };
            format!(
                "you may not {} {plural}{place}; add to {role}: {{apiGroups: [{}], resources: [{plural}], verbs: [{}]}}",
                verbs.join(" and "),
                if group.is_empty() { "\"\"" } else { group },
                verbs.join(", ")
            )
        })
        .collect();
    sentences.join("; ")
}

/// Whether the user may do that to the object; an error where the API server does not say.
pub(crate) async fn may(
    cluster: &Cluster,
    verb: &'static str,
    object: &ObjectRef,
) -> Result<bool, String> {
    let right = Right {
        object: object.clone(),
        verb,
    };
    ask(cluster, &right).await
}

async fn ask(cluster: &Cluster, right: &Right) -> Result<bool, String> {
    let info = right.object.kind.info();
    // A create cannot be bound to a name: the API server does not know it when it asks.
    let name = (right.verb != "create").then(|| right.object.name.clone());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(right.object.namespace.clone()),
                verb: Some(right.verb.to_owned()),
                group: Some(info.group.to_owned()),
                resource: Some(info.plural.to_owned()),
                name,
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client());
    match timeout(ANSWER, reviews.create(&PostParams::default(), &review)).await {
        Ok(Ok(answer)) => Ok(answer.status.is_some_and(|status| status.allowed)),
        Ok(Err(error)) => Err(failure_in_words(error)),
        Err(_) => Err(format!("no answer within {} s", ANSWER.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ngf_core::model::kind::Kind;

    #[test]
    fn what_is_denied_is_said_with_the_rule_to_add() {
        let gateway = ObjectRef::new(Kind::Gateway, "shop", "gateway");
        let right = |verb| Right {
            object: gateway.clone(),
            verb,
        };
        assert_eq!(
            refusal(&[&right("get"), &right("patch")]),
            "you may not get and patch gateways in namespace shop; add to a Role in namespace shop: {apiGroups: [gateway.networking.k8s.io], resources: [gateways], verbs: [get, patch]}"
        );
    }
}
