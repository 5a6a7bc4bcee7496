//! S7 to S9: what conditions should have said by now.

use std::collections::BTreeMap;

use super::{ngf_would_say, told};
use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::{Difference, predict},
        rule::{Need, Rule},
        words::list,
    },
    model::{
        kind::Kind,
        object::{Meta, ObjectRef},
        topology::{is_ngf_controller, told_by_ngf},
    },
};

pub(in crate::diagnosis) const S7: Rule = Rule {
    code: Code::S7,
    severity: Severity::Warning,
    title: "NGF has not looked at the last change of an object",
    explanation: "observedGeneration of its conditions is behind the object's generation: what they say is about an older spec. The controller is down, restarting, overloaded, or does not watch the namespace.",
    remedy: "Look at the controller's pod and log.",
    causes: &[Code::D5],
    needs: &[Need::Paths],
    check: |context, findings| {
        let mut stale: BTreeMap<&ObjectRef, (i64, i64)> = BTreeMap::new();
        for told in told(context) {
            // NGF leaves the status of a policy alone once no backend meets it any more: NGF-P1.
            let is_left = told.object.kind == Kind::BackendTLSPolicy
                && !context.policy_users.contains_key(told.object)
                && !context.losers.contains(told.object);
            if let Some(observed) = told.condition.observed_generation
                && observed < told.meta.generation
                && !is_left
            {
                stale.insert(told.object, (observed, told.meta.generation));
            }
        }
        let Some((first, (observed, generation))) = stale.first_key_value() else {
            return;
        };
        let whom = match stale.len() {
            1 => first.to_string(),
            several => format!("{first} and {} more", several - 1),
        };
        let finding = Finding::new(
            Code::S7,
            Severity::Warning,
            first,
            format!("NGF has not looked at the last change of {whom}"),
        );
        findings.add(
            ngf_would_say(context, finding, first, None)
                .because("What the conditions say is about an older generation.")
                .evidence(
                    "observedGeneration",
                    format!("{observed}, generation is {generation}"),
                    format!("{first} status"),
                )
                .scope(&super::controller::scope(context))
                .mark_objects(stale.keys().copied())
                .remedy(controller()),
        );
    },
};

pub(in crate::diagnosis) const S8: Rule = Rule {
    code: Code::S8,
    severity: Severity::Warning,
    title: "NGF has written no status into objects that it should look after",
    explanation: "A Gateway of its class, a route that one of its Gateways takes, or a policy on such a route's backend gets a status within a second. Without one the controller is down, does not watch the namespace, or started before the kind's CRD was installed (BackendTLSPolicy v1: upgrade the CRDs, then restart NGF).",
    remedy: "Look at the controller's pod and log; restart it after installing CRDs.",
    causes: &[Code::D5, Code::B9],
    needs: &[Need::Paths],
    check: |context, findings| {
        if context.is_files() && !is_of_a_cluster(context) {
            return;
        }
        // What an API server has not given has no status of anybody.
        let is_there = |meta: &Meta| {
            (!context.is_files() || !meta.uid.is_empty()) && context.is_settled(meta.created)
        };
        let mut silent: Vec<&ObjectRef> = Vec::new();
        // Whose class is not given may be another controller's.
        let is_known = |gateway: &ObjectRef| !findings.has(Code::C5, gateway);
        for (name, (gateway, _)) in &context.gateways {
            if is_known(name) && gateway.status.conditions.is_empty() && is_there(&gateway.meta) {
                silent.push(name);
            }
        }
        for rule in context.rules.iter().filter(|rule| rule.index == 0) {
            let ours = rule
                .route
                .status
                .parents
                .iter()
                .any(|parent| is_ngf_controller(&parent.controller_name));
            let has_known = rule.gateways.iter().copied().any(&is_known);
            if !ours && has_known && is_there(&rule.route.meta) {
                silent.push(&rule.route.reference);
            }
        }
        for name in context.policy_users.keys() {
            if let Some((policy, _)) = context.policies.get(*name)
                // Others may have left NGF no place, which P14 tells of the Gateway.
                && policy.status.ancestors.len() < predict::MOST_ANCESTORS
                && !policy
                    .status
                    .ancestors
                    .iter()
                    .any(|ancestor| is_ngf_controller(&ancestor.controller_name))
                && is_there(&policy.meta)
                && context.gateways_using(name).into_iter().any(&is_known)
                && is_looked_at(context, name)
            {
                silent.push(name);
            }
        }
        let Some(first) = silent.first() else { return };
        let whom = list(&silent, 3);
        let only_policies = silent
            .iter()
            .all(|name| name.kind == Kind::BackendTLSPolicy);
        let mut finding = Finding::new(
            Code::S8,
            Severity::Warning,
            first,
            format!("NGF has written no status into {whom}"),
        )
        .unknown()
        .scope(&super::controller::scope(context))
        .mark_objects(silent.iter().copied())
        .remedy(controller());
        if only_policies {
            finding = finding.because("Gateways and routes have one: the CRD of BackendTLSPolicy may have been installed after NGF started, or in a version that it does not watch (NGF-C4).");
        }
        findings.add(finding);
    },
};

/// Whether NGF gets as far as a policy: not by a route that it does not take, nor surely by one whose
/// references it refuses.
fn is_looked_at(context: &Context<'_>, policy: &ObjectRef) -> bool {
    context.users_of(policy).any(|(rule, _)| {
        let parents = told_by_ngf(&rule.route.status.parents);
        let mut conditions = parents.flat_map(|parent| &parent.conditions);
        !conditions.any(|said| {
            matches!(said.kind.as_str(), "Accepted" | "ResolvedRefs") && said.status == "False"
        })
    })
}

/// Whether files hold what `kubectl get -o yaml` printed of a cluster in which NGF writes statuses.
fn is_of_a_cluster(context: &Context<'_>) -> bool {
    let mut gateways = context.gateways.values();
    gateways.any(|(gateway, _)| !gateway.status.conditions.is_empty())
}

pub(in crate::diagnosis) const S9: Rule = Rule {
    code: Code::S9,
    severity: Severity::Warning,
    title: "A status reports no problem, and NGF would report one for the objects as they are",
    explanation: "NGF writes a status when something that it watches changes. Where a Secret, Service or ReferenceGrant is gone or broken and the conditions that depend on it stay True at the object's own generation, the controller is down, is behind, or does not watch what changed. nginx serves by the last configuration that it was given.",
    remedy: "Look at the controller's pod and log.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        let mut found: BTreeMap<&ObjectRef, Vec<&Difference>> = BTreeMap::new();
        for (object, differences) in &context.differences {
            let hidden: Vec<&Difference> = differences
                .iter()
                .filter(|difference| difference.hides_a_fault())
                .filter(|difference| is_up_to_date(context, object, difference))
                .collect();
            if !hidden.is_empty() {
                found.insert(object, hidden);
            }
        }
        let Some((first, differences)) = found.first_key_value() else {
            return;
        };
        let whom = list(found.keys(), 2);
        let mut finding = Finding::new(
            Code::S9,
            Severity::Warning,
            first,
            format!("The status of {whom} is not what NGF would write today"),
        )
        .unknown()
        .because("What it refers to has changed since, and NGF has not noticed: its controller is down or behind, or does not watch it.")
        .scope(&super::controller::scope(context))
        .mark_objects(found.keys().copied())
        .remedy(controller());
        for difference in differences.iter().take(2) {
            finding = finding.evidence(
                format!("condition {}", difference.predicted.condition.kind),
                difference.reported_text(),
                format!("{first} status"),
            );
        }
        findings.add(ngf_would_say(context, finding, first, None));
    },
};

/// Whether NGF has looked at the object itself; S7 tells where it has not.
fn is_up_to_date(context: &Context<'_>, object: &ObjectRef, difference: &Difference) -> bool {
    let snapshot = context.snapshot;
    let generation = match object.kind {
        Kind::Gateway => snapshot.gateways.get(object).map(|found| &found.meta),
        Kind::BackendTLSPolicy => snapshot.policies.get(object).map(|found| &found.meta),
        _ => snapshot.routes.get(object).map(|found| &found.meta),
    }
    .map_or(0, |meta| meta.generation);
    difference
        .reported
        .as_ref()
        .and_then(|reported| reported.observed_generation)
        .is_none_or(|observed| observed >= generation)
}

pub(super) fn controller() -> Remedy {
    Remedy::command("Look at the controller's pod and log.", controller_pods())
}

/// The command that lists the pods of NGF's control plane, as its chart labels them.
pub(in crate::diagnosis::rules) fn controller_pods() -> Command {
    Command::new("kubectl").words([
        "get",
        "pods",
        "-A",
        "-l",
        "app.kubernetes.io/name=nginx-gateway-fabric",
    ])
}
