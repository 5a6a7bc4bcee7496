//! P: BackendTLSPolicies.

pub(in crate::diagnosis) mod bundle;
pub(in crate::diagnosis) mod invalid;
pub(in crate::diagnosis) mod unused;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        finding::{Finding, Remedy, Severity},
        ngf::BackendState,
        rule::{Need, Rule},
        words::{self, condition, list},
    },
    model::{
        kinds::BackendTLSPolicy,
        object::{Condition, Object, ObjectRef},
        topology::told_by_ngf,
    },
};

pub(super) fn ancestors_say<'a>(
    policy: &'a Object<BackendTLSPolicy>,
    kind: &str,
) -> Option<&'a Condition> {
    told_by_ngf(&policy.status.ancestors).find_map(|ancestor| condition(&ancestor.conditions, kind))
}

pub(in crate::diagnosis) const P12: Rule = Rule {
    code: Code::P12,
    severity: Severity::Warning,
    title: "NGF ignores fields that the policy sets",
    explanation: "NGF does not look at validation.subjectAltNames nor at options: the certificate is checked against validation.hostname alone.",
    remedy: "Do not rely on them: set validation.hostname to a name that the certificate carries.",
    causes: &[],
    needs: &[Need::Paths, Need::NginxProxies],
    check: |context, findings| {
        for (name, (policy, _)) in &context.policies {
            let mut ignored = Vec::new();
            if !policy.spec.subject_alt_names.is_empty() {
                ignored.push((
                    "spec.validation.subjectAltNames",
                    list(&policy.spec.subject_alt_names, 4),
                ));
            }
            if !policy.spec.options.is_empty() {
                ignored.push(("spec.options", list(policy.spec.options.keys(), 4)));
            }
            if ignored.is_empty() || !context.policy_users.contains_key(name) {
                continue;
            }
            let fields = list(ignored.iter().map(|(field, _)| field), 2);
            let mut finding = Finding::new(
                Code::P12,
                Severity::Warning,
                name,
                format!("NGF ignores {fields} of {name}"),
            )
            .because("nginx checks the certificate's name against validation.hostname alone.")
            .remedy(Remedy::say(
                "Set validation.hostname to a name that the backend's certificate carries.",
            ));
            for (field, value) in ignored {
                finding = finding.evidence(field, value, name.to_string());
            }
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const P13: Rule = Rule {
    code: Code::P13,
    severity: Severity::Warning,
    title: "Two BackendTLSPolicies target one Service port, and the older one wins",
    explanation: "NGF takes the oldest, then the first by namespace and name; a sectionName gives no priority. The loser gets Accepted False/Conflicted, in one condition for all of its targets, so that it may look refused although it takes effect elsewhere.",
    remedy: "Delete one, or make each target another port by sectionName.",
    causes: &[],
    needs: &[Need::Paths, Need::NginxProxies],
    check: |context, findings| {
        let mut losers: BTreeMap<&ObjectRef, BTreeMap<&ObjectRef, BTreeSet<String>>> =
            BTreeMap::new();
        for rule in &context.rules {
            for backend in &rule.decision.backends {
                if let Some(winner) = backend.state.policy() {
                    for loser in &backend.losers {
                        losers
                            .entry(&loser.reference)
                            .or_default()
                            .entry(&winner.reference)
                            .or_default()
                            .insert(backend.label());
                    }
                }
            }
        }
        for (loser, winners) in losers {
            let Some((policy, _)) = context.policies.get(loser) else {
                continue;
            };
            let winner_names: Vec<&ObjectRef> = winners.keys().copied().collect();
            let ports: BTreeSet<&String> = winners.values().flatten().collect();
            let reported = ancestors_say(policy, "Accepted")
                .filter(|condition| condition.reason == "Conflicted");
            if reported.is_some() {
                findings.explain(loser, "Accepted");
            }
            findings.add(
                Finding::new(
                    Code::P13,
                    Severity::Warning,
                    loser,
                    format!(
                        "{loser} has no effect on {}: {} wins",
                        list(ports, 3),
                        list(&winner_names, 3)
                    ),
                )
                .because("The oldest policy wins, then the first by namespace and name; sectionName gives no priority.")
                .evidence("created", created(policy), loser.to_string())
                .evidence(
                    "created",
                    winner_names
                        .first()
                        .and_then(|winner| context.policies.get(*winner))
                        .map_or_else(String::new, |(winner, _)| created(winner)),
                    winner_names.first().map_or_else(String::new, ToString::to_string),
                )
                .condition_if(loser, reported)
                .scope(winner_names)
                .remedy(if context.policy_users.contains_key(loser) {
                    Remedy::command(
                        "Delete the one that is not wanted.",
                        Command::kubectl(&loser.namespace)
                            .words(["delete"])
                            .object(loser),
                    )
                } else {
                    Remedy::delete(
                        "Delete it, if it is not the one that is wanted: it takes effect nowhere, so nothing changes for nginx.",
                        loser,
                    )
                }),
            );
        }
    },
};

fn created(policy: &Object<BackendTLSPolicy>) -> String {
    policy.meta.created.map_or_else(
        || "unknown".to_owned(),
        |time| words::moment(time.as_second()),
    )
}

pub(in crate::diagnosis) const P14: Rule = Rule {
    code: Code::P14,
    severity: Severity::Error,
    title: "A policy has more Gateways than its status can list, and nginx speaks plain HTTP for the rest",
    explanation: "A policy's status holds 16 ancestors. For a seventeenth Gateway NGF sets AncestorLimitReached there and does not apply the policy: its nginx speaks plain HTTP to the backend, against the API's intent.",
    remedy: "Use one policy for each Service, and fewer Gateways for each.",
    causes: &[Code::B9],
    needs: &[Need::Paths, Need::NginxProxies],
    check: |context, findings| {
        for (name, (gateway, _)) in &context.gateways {
            let limit = gateway
                .status
                .conditions
                .iter()
                .find(|condition| condition.reason == "AncestorLimitReached");
            if let Some(condition) = limit {
                let policies: Vec<&ObjectRef> = context
                    .policies
                    .keys()
                    .copied()
                    .filter(|policy| {
                        condition
                            .message
                            .split([' ', ','])
                            .any(|word| word == policy.path())
                    })
                    .collect();
                findings.explain(name, &condition.kind);
                findings.add(
                    Finding::new(
                        Code::P14,
                        Severity::Error,
                        name,
                        format!("{name} is one Gateway too many for a policy: nginx speaks plain HTTP to its backends"),
                    )
                    .condition(name, condition)
                    .mark_objects(policies)
                    .remedy(Remedy::say("Spread the Services over several policies, so that each has at most 16 Gateways.")),
                );
            }
        }
    },
};

/// Whether a backend's TLS is certain.
pub(in crate::diagnosis::rules) fn is_tls(state: &BackendState<'_>) -> bool {
    matches!(state, BackendState::Tls { .. })
}
