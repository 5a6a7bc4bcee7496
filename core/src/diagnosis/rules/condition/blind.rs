//! C4 and C6: what NGF does not see.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{BackendState, ClientCertificate, PolicyDecision, known},
        plan::TrustSource,
        rule::{Need, Rule},
        words::list,
    },
    model::{
        kind::Kind,
        object::{Condition, ObjectRef},
        snapshot::{KindState, Lookup},
        topology::told_by_ngf,
    },
};

pub(in crate::diagnosis) const C4: Rule = Rule {
    code: Code::C4,
    severity: Severity::Error,
    title: "The cluster serves a kind in a version that NGF does not watch",
    explanation: "NGF watches BackendTLSPolicy v1, TLSRoute v1 from 2.5 on, and TCPRoute and UDPRoute v1 from 2.7 on, and looks for these when it starts. With older versions alone, or with CRDs that were installed after it started, the objects have no effect and get no status; without its policy nginx speaks plain HTTP to a backend.",
    remedy: "Upgrade the Gateway API CRDs, then restart NGF.",
    causes: &[Code::S8, Code::B9],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        for kind in [Kind::TLSRoute, Kind::TCPRoute, Kind::UDPRoute] {
            unwatched_routes(context, findings, kind);
        }
        let Some(KindState::Live { version }) = context.snapshot.kinds.get(&Kind::BackendTLSPolicy)
        else {
            return;
        };
        let silent: Vec<&ObjectRef> = context
            .policies
            .values()
            .filter(|(policy, _)| told_by_ngf(&policy.status.ancestors).next().is_none())
            .map(|(policy, _)| &policy.reference)
            .filter(|policy| context.policy_users.contains_key(*policy))
            .collect();
        let (false, Some(first), false) = (version == "v1", silent.first(), context.is_files())
        else {
            return;
        };
        findings.add(
            Finding::new(
                Code::C4,
                Severity::Error,
                first,
                format!(
                    "The cluster serves BackendTLSPolicy only as {version}, which NGF does not watch: {} has no effect",
                    list(&silent, 3)
                ),
            )
            .evidence("served version", version, "discovery of gateway.networking.k8s.io")
            .mark_objects(silent.iter().copied())
            .remedy(Remedy::command(
                "Upgrade the Gateway API CRDs, then restart NGF.",
                Command::new("kubectl")
                    .words(["get", "crd", "backendtlspolicies.gateway.networking.k8s.io"])
                    .json_path("{.spec.versions[*].name}"),
            )),
        );
    },
};

/// Routes of a kind that the cluster serves in an older version than NGF watches, and that NGF says nothing of.
fn unwatched_routes(context: &Context<'_>, findings: &mut Findings, kind: Kind) {
    let Some(KindState::Live { version }) = context.snapshot.kinds.get(&kind) else {
        return;
    };
    // Only a controller whose release is known is known not to watch it.
    let running = &context.running;
    let watched = running.release.watched_version(kind);
    let (Some(watched), Some((_, release))) = (watched, &running.said_by) else {
        return;
    };
    let silent: BTreeSet<&ObjectRef> = context
        .rules
        .iter()
        .filter(|rule| rule.route.reference.kind == kind)
        .filter(|rule| told_by_ngf(&rule.route.status.parents).next().is_none())
        .map(|rule| &rule.route.reference)
        .collect();
    let Some(first) = silent
        .first()
        .filter(|_| version != watched && !context.is_files())
    else {
        return;
    };
    findings.add(
        Finding::new(
            Code::C4,
            Severity::Error,
            first,
            format!(
                "The cluster serves {kind} only as {version}, which NGF {release} does not watch: {} has no effect",
                list(&silent, 3)
            ),
        )
        .evidence("served version", version, "discovery of gateway.networking.k8s.io")
        .mark_objects(silent.iter().copied())
        .remedy(Remedy::command(
            "Upgrade the Gateway API CRDs, then restart NGF.",
            Command::kubectl("")
                .words(["get", "crd"])
                .other_name(&format!("{}.gateway.networking.k8s.io", kind.info().plural))
                .json_path("{.spec.versions[*].name}"),
        )),
    );
}

pub(in crate::diagnosis) const C6: Rule = Rule {
    code: Code::C6,
    severity: Severity::Error,
    title: "NGF reports that something does not exist, and it exists",
    explanation: "NGF sees only the namespaces that its --watch-namespaces names, and writes what it knew when something last changed. What it does not see does not exist for it.",
    remedy: "Let NGF watch the namespace, and see whether its controller runs.",
    causes: &[Code::P15],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        // By what NGF misses, whoever refers to it.
        let mut missed: BTreeMap<ObjectRef, Vec<(&ObjectRef, &Condition)>> = BTreeMap::new();
        for (name, (gateway, certificate)) in &context.gateways {
            if let ClientCertificate::Presented(secret) = certificate
                && let Some(condition) =
                    denies(&gateway.status.conditions, "InvalidClientCertificateRef")
            {
                missed
                    .entry(secret.clone())
                    .or_default()
                    .push((name, condition));
            }
        }
        for (name, (policy, decision)) in &context.policies {
            if let PolicyDecision::Valid(TrustSource::Object { object, .. }) = decision
                && let Some(condition) = policy
                    .status
                    .ancestors
                    .iter()
                    .find_map(|parent| denies(&parent.conditions, "InvalidCACertificateRef"))
            {
                missed
                    .entry(object.clone())
                    .or_default()
                    .push((name, condition));
            }
        }
        services(context, &mut missed);
        missed.retain(|object, _| is_old(context, object));
        for (object, users) in missed {
            let Some((first, condition)) = users.first() else {
                continue;
            };
            for (user, condition) in &users {
                findings.explain(user, &condition.kind);
                findings.explain(user, "Accepted");
            }
            let names: Vec<&ObjectRef> = users.iter().map(|(user, _)| *user).collect();
            findings.add(
                Finding::new(
                    Code::C6,
                    Severity::Error,
                    &object,
                    format!("NGF says that {object} does not exist, and it does"),
                )
                .because(format!(
                    "Either NGF does not watch namespace {}, or it has not looked since.",
                    object.namespace
                ))
                .condition(first, condition)
                .mark_objects(names.iter().copied())
                .breaks(format!("{} goes without it", list(&names, 3)))
                .remedy(Remedy::command(
                    "Look for --watch-namespaces among the controller's arguments, and whether it runs.",
                    super::silence::controller_pods()
                        .json_path("{.items[*].spec.containers[*].args}"),
                )),
            );
        }
    },
};

/// The condition that says for this reason that something does not exist.
fn denies<'c>(conditions: &'c [Condition], reason: &str) -> Option<&'c Condition> {
    conditions.iter().find(|condition| {
        condition.status == "False"
            && condition.kind == "ResolvedRefs"
            && condition.reason == reason
            && (condition.message.contains("does not exist")
                || condition.message.contains("Not found"))
    })
}

/// Whether an object has been there for long enough for NGF to have seen it.
fn is_old(context: &Context<'_>, object: &ObjectRef) -> bool {
    let snapshot = context.snapshot;
    let created = match object.kind {
        Kind::Secret => match known::secret(snapshot, object) {
            Lookup::Found(found) => found.meta.created,
            _ => None,
        },
        Kind::ConfigMap => match known::config_map(snapshot, object) {
            Lookup::Found(found) => found.meta.created,
            _ => None,
        },
        _ => snapshot
            .services
            .get(object)
            .and_then(|service| service.meta.created),
    };
    context.is_settled(created)
}

fn services<'a>(
    context: &'a Context<'_>,
    missed: &mut BTreeMap<ObjectRef, Vec<(&'a ObjectRef, &'a Condition)>>,
) {
    for rule in &context.rules {
        let parents = told_by_ngf(&rule.route.status.parents);
        let mut denials =
            parents.filter_map(|parent| denies(&parent.conditions, "BackendNotFound"));
        let Some(condition) = denials.next() else {
            continue;
        };
        for backend in &rule.decision.backends {
            let fine = !matches!(
                backend.state,
                BackendState::Invalid(_) | BackendState::Unknown(_)
            );
            if let (true, Some(service)) = (fine, &backend.service)
                && condition.message.contains(&format!("\"{}\"", service.name))
            {
                missed
                    .entry(service.clone())
                    .or_default()
                    .push((&rule.route.reference, condition));
            }
        }
    }
}

/// Whether C6 has said already why an object's condition denies what exists.
pub(in crate::diagnosis::rules) fn is_blind_to(findings: &Findings, object: &ObjectRef) -> bool {
    findings
        .iter()
        .any(|finding| finding.code == Code::C6 && finding.objects().any(|other| other == object))
}
