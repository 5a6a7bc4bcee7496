//! P1: policies that miss what they were made for.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::known,
        registry::Rule,
        rules::{change, shared::upper},
        words::list,
    },
    model::{
        index::service_port,
        kind::Kind,
        kinds::{BackendTLSPolicy, LocalRef},
        object::{Object, ObjectRef},
        topology::{What, is_ngf_controller},
    },
};

pub(in crate::diagnosis) const P1: Rule = Rule {
    code: "NGF-P1",
    severity: Severity::Error,
    title: "A BackendTLSPolicy takes effect on nothing",
    explanation: "NGF looks at a policy only when a route's backend meets it: same namespace as the Service, the Service's name, and, where sectionName is set, the *name* of the port. A policy that misses gets no status at all, and nginx speaks plain HTTP to the backend.",
    remedy: "Move the policy to the Service's namespace, correct the name or the sectionName, or add the route.",
    causes: &["NGF-B9", "NGF-G10"],
    check: |context, findings| {
        for (name, (policy, _)) in &context.policies {
            let used = context.policy_users.contains_key(name)
                || loses(context, name)
                || is_anothers(context, policy);
            if !used {
                unused(context, policy, findings);
            }
        }
    },
};

/// Whether another controller looks after a policy: it said so, or one of its Gateways has a route to
/// the Service.
fn is_anothers(context: &Context<'_>, policy: &Object<BackendTLSPolicy>) -> bool {
    let told = policy
        .spec
        .ancestors
        .iter()
        .any(|ancestor| !is_ngf_controller(&ancestor.controller_name));
    let targets = policy
        .spec
        .target_refs
        .iter()
        .map(|target| ObjectRef::new(Kind::Service, &policy.reference.namespace, &target.name));
    let routed = |service: ObjectRef| {
        let places = context.topology.places(&service).iter();
        places
            .filter_map(|place| {
                context.topology.above(*place, |node| match node.what {
                    What::Gateway => node.object.as_ref(),
                    _ => None,
                })
            })
            .any(|gateway| !context.gateways.contains_key(gateway))
    };
    told || targets.into_iter().any(routed)
}

/// Whether a policy targets a backend in use, and an older one takes effect on it.
fn loses(context: &Context<'_>, policy: &ObjectRef) -> bool {
    context
        .rules
        .iter()
        .flat_map(|rule| &rule.decision.backends)
        .any(|backend| {
            backend
                .losers
                .iter()
                .any(|loser| loser.reference == *policy)
        })
}

fn unused(context: &Context<'_>, policy: &Object<BackendTLSPolicy>, findings: &mut Findings) {
    let name = &policy.reference;
    let mut finding = Finding::new(
        "NGF-P1",
        Severity::Error,
        name,
        format!("{name} takes effect on nothing"),
    )
    .because("NGF writes no status into a policy that no route's backend meets.");
    let mut proven = true;
    let mut misses = false;
    for target in &policy.spec.target_refs {
        let miss = why_missed(context, name, target);
        misses |= miss.is_mistake;
        proven &= miss.is_proven;
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
        finding.severity = if context.is_files() {
            Severity::Info
        } else {
            Severity::Warning
        };
        finding = finding.unknown();
    } else {
        finding = finding.breaks("nginx speaks plain HTTP to the backend that it was made for");
    }
    findings.add(finding);
}

/// Why a target meets no backend.
struct Miss {
    sentence: String,
    /// It is wrong, rather than merely unused.
    is_mistake: bool,
    is_proven: bool,
    service: Option<ObjectRef>,
    /// Services that may have been meant.
    elsewhere: Vec<ObjectRef>,
    remedy: Option<Remedy>,
}

fn why_missed(context: &Context<'_>, policy: &ObjectRef, target: &LocalRef) -> Miss {
    let service = ObjectRef::new(Kind::Service, &policy.namespace, &target.name);
    let mut miss = Miss {
        sentence: String::new(),
        is_mistake: true,
        is_proven: true,
        service: Some(service.clone()),
        elsewhere: Vec::new(),
        remedy: None,
    };
    let kind = target.kind.as_deref().unwrap_or_default();
    let group = target.group.as_deref().unwrap_or_default();
    if kind != "Service" || !matches!(group, "" | "core") {
        miss.sentence = format!(
            "it targets a {kind} of group {group:?}, and NGF knows only Services of the core group"
        );
        miss.service = None;
        return miss;
    }
    let Some(found) = context.index.service(&service) else {
        if let Err(why) = known::absence_is_proven(context.snapshot, &service) {
            miss.sentence = why;
            miss.is_proven = false;
        } else {
            miss.sentence = format!("there is no {service}");
        }
        miss.elsewhere = services_elsewhere(context, &service);
        if miss.elsewhere.is_empty() && miss.is_proven {
            wants_it(context, policy, target, &mut miss);
        } else if let [one] = miss.elsewhere.as_slice() {
            miss.sentence = format!(
                "{}; routes use {one}, and a policy must stand in its Service's namespace",
                miss.sentence
            );
            miss.remedy = Some(Remedy::say(format!(
                "Create the policy in namespace {} instead, with its CA there, too.",
                one.namespace
            )));
            miss.is_proven = true;
        }
        return miss;
    };
    if let Some(section) = target.section_name.as_deref()
        && !found.spec.ports.iter().any(|port| port.name == section)
    {
        let names: Vec<&str> = found
            .spec
            .ports
            .iter()
            .map(|port| port.name.as_str())
            .filter(|name| !name.is_empty())
            .collect();
        let have = if names.is_empty() {
            "its ports have no names".to_owned()
        } else {
            format!("its ports are named {}", list(&names, 6))
        };
        miss.sentence = format!("sectionName {section} names no port of {service}: {have}");
        let meant = change::section_meant(section, &found.spec.ports).and_then(|name| {
            let summary = format!("Name the port of {service} by its name, {name}.");
            change::target(
                context,
                summary,
                policy,
                target,
                &json!({"sectionName": name}),
            )
        });
        miss.remedy = meant.or_else(|| Some(Remedy::yaml(
            "Set sectionName to the port's name (not its number), or leave it out for all ports.",
            format!(
                "spec:\n  targetRefs:\n  - group: \"\"\n    kind: Service\n    name: {}\n{}",
                target.name,
                names
                    .first()
                    .map_or_else(String::new, |name| format!("    sectionName: {name}\n"))
            ),
        )));
        return miss;
    }
    if let Some(section) = target.section_name.as_deref() {
        let ports: BTreeSet<String> = ports_in_use(context, &service)
            .into_iter()
            .map(|port| {
                service_port(&found.spec, port)
                    .map(|port| port.name.clone())
                    .filter(|name| !name.is_empty())
                    .unwrap_or_else(|| port.to_string())
            })
            .collect();
        if !ports.is_empty() {
            miss.sentence = format!(
                "it targets port {section} of {service}, and routes use port {}",
                list(ports, 6)
            );
            return miss;
        }
    }
    miss.is_mistake = false;
    miss.sentence = format!("no route that a listener takes refers to {service}");
    miss
}

/// A probe may have shown which Service of the namespace wants the TLS that the policy is for.
fn wants_it(context: &Context<'_>, policy: &ObjectRef, target: &LocalRef, miss: &mut Miss) {
    let wanting: Vec<&ObjectRef> = crate::diagnosis::rules::handshake::wanting_tls(context)
        .into_iter()
        .filter(|service| service.namespace == policy.namespace)
        .collect();
    if let [one] = wanting.as_slice() {
        miss.sentence = format!(
            "{}; {one} wants TLS, as a probe shows, and no policy targets it",
            miss.sentence
        );
        miss.elsewhere = vec![(*one).clone()];
        miss.remedy = change::target(
            context,
            format!("Target {one}, if the policy is meant for it."),
            policy,
            target,
            &json!({"name": one.name, "sectionName": null}),
        );
    }
}

/// Services of that name in other namespaces that routes use and no policy targets.
fn services_elsewhere(context: &Context<'_>, service: &ObjectRef) -> Vec<ObjectRef> {
    let found: BTreeSet<&ObjectRef> = context
        .rules
        .iter()
        .flat_map(|rule| &rule.decision.backends)
        .filter_map(|backend| backend.service.as_ref())
        .filter(|other| other.name == service.name && other.namespace != service.namespace)
        .filter(|other| context.index.claims(other).is_empty())
        .collect();
    found.into_iter().cloned().collect()
}

fn gateways_routing_to<'a>(context: &Context<'a>, service: &ObjectRef) -> BTreeSet<&'a ObjectRef> {
    context
        .rules
        .iter()
        .filter(|rule| {
            rule.decision
                .backends
                .iter()
                .any(|backend| backend.service.as_ref() == Some(service))
        })
        .flat_map(|rule| rule.gateways.iter().copied())
        .collect()
}

fn ports_in_use(context: &Context<'_>, service: &ObjectRef) -> BTreeSet<u16> {
    context
        .rules
        .iter()
        .flat_map(|rule| &rule.decision.backends)
        .filter(|backend| backend.service.as_ref() == Some(service))
        .filter_map(|backend| backend.reference.target.port)
        .collect()
}
