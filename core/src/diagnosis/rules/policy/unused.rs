//! P1: policies that miss what they were made for.

mod missed;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Severity},
        ngf::{BackendDecision, BackendState, policy::incomplete},
        rule::{Need, Rule},
        rules::shared::upper,
    },
    model::{
        kind::Kind,
        kinds::{BackendTLSPolicy, LocalRef, ServicePort},
        object::{Object, ObjectRef},
        topology::{NodeKind, is_ngf_controller},
    },
};

use missed::why_missed;

pub(in crate::diagnosis) const P1: Rule = Rule {
    code: Code::P1,
    severity: Severity::Error,
    title: "A BackendTLSPolicy targets no backend of a route",
    explanation: "NGF looks at a policy only when a route's backend meets it: same namespace as the Service, the Service's name, and, where sectionName is set, the *name* of the port. From 2.7 on the backend of a PayloadProcessor counts, too. A policy that misses gets no status at all, and nginx speaks plain HTTP to the backend.",
    remedy: "Move the policy to the Service's namespace, correct the name or the sectionName, or add the route.",
    causes: &[Code::B9, Code::G10, Code::X4],
    needs: &[Need::Paths, Need::NginxProxies],
    check: |context, findings| {
        for (name, (policy, _)) in &context.policies {
            let used = context.policy_users.contains_key(name)
                || context.losers.contains(*name)
                || is_met(context, name)
                || is_passed_by(context, name)
                || is_of_payload_processor(context, policy)
                || is_incomplete(context, policy)
                || is_anothers(context, policy);
            if !used {
                unused(context, policy, findings);
            } else if context.policy_users.contains_key(name) && !context.losers.contains(*name) {
                partly_unused(context, policy, findings);
            }
        }
    },
};

/// Whether a policy targets the backend of a route, and lacks a field that the API requires: NGF-K3 says so, and what
/// nginx does with that backend is not known.
fn is_incomplete(context: &Context<'_>, policy: &Object<BackendTLSPolicy>) -> bool {
    let namespace = &policy.reference.namespace;
    let mut targets = policy.spec.target_refs.iter();
    incomplete(context.snapshot, policy).is_some()
        && targets.any(|target| {
            let service = ObjectRef::new(Kind::Service, namespace, &target.name);
            context.rules_using(&service).next().is_some()
        })
}

/// Targets that miss what they were meant for, of a policy that takes effect on another.
fn partly_unused(
    context: &Context<'_>,
    policy: &Object<BackendTLSPolicy>,
    findings: &mut Findings,
) {
    let name = &policy.reference;
    let is_met = |target: &LocalRef| {
        context.users_of(name).any(|(_, backend)| {
            let of_section = |port: &ServicePort| {
                let section = target.section_name.as_deref();
                section.is_none_or(|section| section == port.name)
            };
            backend.port.is_some_and(|(service, port)| {
                service.reference.name == target.name && of_section(port)
            })
        })
    };
    for target in &policy.spec.target_refs {
        if is_met(target) {
            continue;
        }
        let miss = why_missed(context, name, target);
        if !miss.is_mistake || !miss.is_proven {
            continue;
        }
        let routed = miss
            .service
            .as_ref()
            .is_some_and(|service| context.rules_using(service).next().is_some());
        let severity = if routed {
            Severity::Error
        } else {
            Severity::Warning
        };
        let title = match &miss.service {
            Some(service) => format!("{name} takes effect, but not on {service}"),
            None => format!("{name} takes effect, but not on {}", target.name),
        };
        let mut finding = Finding::new(Code::P1, severity, name, title)
            .because(format!("{}.", upper(&miss.sentence)))
            .scope(miss.service.iter())
            .scope(&miss.elsewhere);
        for service in miss.service.iter().filter(|_| routed) {
            finding = finding
                .mark(Mark::Backend {
                    service: service.clone(),
                    port: None,
                })
                .breaks(format!("nginx speaks plain HTTP to {service}"));
        }
        if let Some(remedy) = miss.remedy {
            finding = finding.remedy(remedy);
        }
        findings.add(finding);
    }
}

/// Whether a PayloadProcessor's backend meets a policy: NGF consults it there, too, from 2.7 on
/// (`resolveExtProcessBackendTLS`).
fn is_of_payload_processor(context: &Context<'_>, policy: &Object<BackendTLSPolicy>) -> bool {
    if !context.running.release.processes_payloads() {
        return false;
    }
    let processors = context.snapshot.ngf.iter();
    let mut processors = processors.filter(|(name, _)| name.kind == Kind::PayloadProcessor);
    processors.any(|(name, processor)| {
        let mut backends = Vec::new();
        backend_refs(&processor.raw, &mut backends);
        backends.iter().any(|backend| {
            let text = |field: &str| backend.get(field).and_then(Value::as_str);
            let namespace = text("namespace").unwrap_or(&name.namespace);
            let mut targets = policy.spec.target_refs.iter();
            namespace == policy.reference.namespace
                && targets.any(|target| Some(&*target.name) == text("name"))
        })
    })
}

/// The values of all fields `backendRef`.
fn backend_refs<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "backendRef" {
                    found.push(value);
                }
                backend_refs(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| backend_refs(item, found)),
        _ => {}
    }
}

/// Whether another controller manages a policy: it said so, or one of its Gateways has a route to
/// the Service.
pub(super) fn is_anothers(context: &Context<'_>, policy: &Object<BackendTLSPolicy>) -> bool {
    let told = policy
        .status
        .ancestors
        .iter()
        .any(|ancestor| !is_ngf_controller(&ancestor.controller_name));
    let targets = policy
        .spec
        .target_refs
        .iter()
        .map(|target| ObjectRef::new(Kind::Service, &policy.reference.namespace, &target.name));
    let routed = |service: ObjectRef| {
        let places = context.topology.places(&service).into_iter();
        places
            .filter_map(|place| {
                context.topology.above(place, |node| match node.what {
                    NodeKind::Gateway => node.object.as_ref(),
                    _ => None,
                })
            })
            .any(|gateway| !context.gateways.contains_key(gateway))
    };
    told || targets.into_iter().any(routed)
}

/// Whether the policy is for the backend of a route whose bytes nginx passes on unread (NGF-R11, NGF-R13).
fn is_passed_by(context: &Context<'_>, policy: &ObjectRef) -> bool {
    let of_streams = |kind| matches!(kind, Kind::TCPRoute | Kind::UDPRoute | Kind::TLSRoute);
    let rules = context.rules.iter();
    let mut rules = rules.filter(|rule| of_streams(rule.route.reference.kind));
    rules.any(|rule| {
        rule.decision.backends.iter().any(|backend| {
            backend.port.is_some_and(|(service, port)| {
                let policies = context.index.policies(&service.reference, &port.name);
                policies.iter().any(|one| one.reference == *policy)
            })
        })
    })
}

/// Whether a backend meets the policy that NGF refuses for its appProtocol alone: it looks at policies
/// before (`createBackendRef`), so that the policy has its status.
fn is_met(context: &Context<'_>, policy: &ObjectRef) -> bool {
    context.rules.iter().any(|rule| {
        rule.decision.backends.iter().any(|backend| {
            matches!(&backend.state, BackendState::Invalid(fault) if fault.code == Code::R5)
                && backend.port.is_some_and(|(service, port)| {
                    let policies = context.index.policies(&service.reference, &port.name);
                    policies.iter().any(|meant| meant.reference == *policy)
                })
        })
    })
}

fn unused(context: &Context<'_>, policy: &Object<BackendTLSPolicy>, findings: &mut Findings) {
    let name = &policy.reference;
    let mut finding = Finding::new(
        Code::P1,
        Severity::Error,
        name,
        format!("{name} targets no backend of a route"),
    )
    .because("NGF writes no status into a policy that no route's backend meets.");
    let mut proven = true;
    let (mut misses, mut similar) = (false, false);
    for target in &policy.spec.target_refs {
        let miss = why_missed(context, name, target);
        misses |= miss.is_mistake;
        similar |= miss.similar;
        proven &= miss.is_proven;
        // A Service that a route refers to and that does not exist is missing for both (NGF-R3).
        let meant = ObjectRef::new(Kind::Service, &name.namespace, &target.name);
        if context.index.service(&meant).is_none() {
            let routes = context.rules_using(&meant);
            finding = finding.scope(routes.map(|rule| &rule.route.reference));
        }
        finding = finding
            .because(format!("{}.", upper(&miss.sentence)))
            .scope(miss.service.iter())
            .scope(&miss.elsewhere);
        for service in miss.elsewhere.iter().chain(&miss.service) {
            finding = finding.scope(gateways_routing_to(context, service));
            if context.index.service(service).is_some() && miss.is_mistake {
                finding = finding.mark(Mark::Backend {
                    service: service.clone(),
                    port: None,
                });
            }
        }
        if miss.is_mistake && miss.is_proven {
            finding = finding.scope(gateways_of_namespace(context, &name.namespace));
        }
        if let Some(remedy) = miss.remedy {
            finding = finding.remedy(remedy);
        }
    }
    if policy.spec.target_refs.is_empty() {
        finding = finding.because("It has no targetRefs.");
    }
    if !misses {
        // A Service that no route uses yet breaks nothing.
        finding.severity = Severity::Info;
    } else if !proven {
        finding.severity = if context.is_files() && !similar {
            Severity::Info
        } else {
            Severity::Warning
        };
        finding = finding.unknown();
    } else {
        finding =
            finding.breaks("nginx speaks plain HTTP to the backend that the policy is meant for");
    }
    findings.add(finding);
}

fn gateways_routing_to<'a>(context: &Context<'a>, service: &ObjectRef) -> BTreeSet<&'a ObjectRef> {
    context
        .rules_using(service)
        .flat_map(|rule| rule.gateways.iter().copied())
        .collect()
}

/// The Gateways that speak plain HTTP to a Service of the namespace: one of them the policy was made for.
fn gateways_of_namespace<'a>(context: &Context<'a>, namespace: &str) -> BTreeSet<&'a ObjectRef> {
    let plain = |backend: &BackendDecision<'_>| {
        let here = backend.service.as_ref();
        matches!(backend.state, BackendState::Plain)
            && here.is_some_and(|service| service.namespace == namespace)
    };
    let rules = context.rules.iter();
    let elsewhere = context.elsewhere().plain.get(namespace);
    rules
        .filter(|rule| rule.decision.backends.iter().any(plain))
        .flat_map(|rule| rule.gateways.iter().copied())
        .chain(elsewhere.into_iter().flatten())
        .collect()
}

fn ports_in_use(context: &Context<'_>, service: &ObjectRef) -> BTreeSet<u16> {
    context
        .rules_using(service)
        .flat_map(|rule| &rule.decision.backends)
        .filter(|backend| backend.service.as_ref() == Some(service))
        .filter_map(|backend| backend.reference.target.port)
        .collect()
}
