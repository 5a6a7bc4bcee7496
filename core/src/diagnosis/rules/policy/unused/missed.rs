//! Why a policy misses its target.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    diagnosis::{context::Context, finding::Remedy, ngf::known, rules::change, words::list},
    model::{
        index::service_port,
        kind::Kind,
        kinds::{LocalRef, Service},
        object::{Object, ObjectRef},
        topology::service_of,
    },
};

use super::ports_in_use;

/// Why a target meets no backend.
pub(super) struct Miss {
    pub(super) sentence: String,
    /// It is wrong, rather than merely unused.
    pub(super) is_mistake: bool,
    pub(super) is_proven: bool,
    pub(super) service: Option<ObjectRef>,
    /// Services that may have been meant.
    pub(super) elsewhere: Vec<ObjectRef>,
    /// It is one of nearly the same name.
    pub(super) similar: bool,
    pub(super) remedy: Option<Remedy>,
}

pub(super) fn why_missed(context: &Context<'_>, policy: &ObjectRef, target: &LocalRef) -> Miss {
    let service = ObjectRef::new(Kind::Service, &policy.namespace, &target.name);
    let mut miss = Miss {
        sentence: String::new(),
        is_mistake: true,
        is_proven: true,
        service: Some(service.clone()),
        elsewhere: Vec::new(),
        similar: false,
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
        if miss.elsewhere.is_empty()
            && let Some(similar) = similar(context, &service)
        {
            mean(context, policy, target, similar, &mut miss);
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
        miss.remedy = meant.or_else(|| {
            let mut right = json!({"group": "", "kind": "Service", "name": target.name});
            if let Some(name) = names.first() {
                right["sectionName"] = json!(name);
            }
            Some(Remedy::manifest(
                "Set sectionName to the port's name (not its number), or leave it out for all ports.",
                &json!({"spec": {"targetRefs": [right]}}),
            ))
        });
        return miss;
    }
    let (is_mistake, sentence, stopped) = not_routed(context, found, target);
    miss.is_mistake = is_mistake;
    miss.sentence = sentence;
    miss.elsewhere = stopped;
    miss
}

/// Says that a Service of nearly the same name may have been meant.
fn mean(
    context: &Context<'_>,
    policy: &ObjectRef,
    target: &LocalRef,
    similar: ObjectRef,
    miss: &mut Miss,
) {
    miss.sentence = format!(
        "{}; routes use {similar}, on which no policy takes effect",
        miss.sentence
    );
    miss.remedy = change::target(
        context,
        format!("Target {similar}, if that is meant."),
        policy,
        target,
        &json!({"name": similar.name}),
    );
    miss.similar = true;
    miss.elsewhere = vec![similar];
}

/// Of a target that is there: whether routes use another port of it, on which no policy takes effect, what to say, and
/// which routes stop before they get there.
fn not_routed(
    context: &Context<'_>,
    found: &Object<Service>,
    target: &LocalRef,
) -> (bool, String, Vec<ObjectRef>) {
    let service = &found.reference;
    if let Some(section) = target.section_name.as_deref() {
        let ports: BTreeSet<String> = ports_in_use(context, service)
            .into_iter()
            .map(|port| {
                service_port(&found.spec, port)
                    .map(|port| port.name.clone())
                    .filter(|name| !name.is_empty())
                    .unwrap_or_else(|| port.to_string())
            })
            .collect();
        if !ports.is_empty() {
            let ports = list(ports, 6);
            let sentence =
                format!("it targets port {section} of {service}, and routes use port {ports}");
            return (is_bare(context, found), sentence, Vec::new());
        }
    }
    let stopped = stopped(context, service);
    let sentence = if stopped.is_empty() {
        format!("no route that a listener takes refers to {service}")
    } else {
        let routes = list(&stopped, 2);
        let (refer, do_not) = match stopped.len() {
            1 => ("refers", "does not"),
            _ => ("refer", "do not"),
        };
        format!("{routes} {refer} to {service}, and {do_not} get there")
    };
    (false, sentence, stopped)
}

/// Whether routes use a port of a Service on which no policy takes effect.
fn is_bare(context: &Context<'_>, found: &Object<Service>) -> bool {
    let service = &found.reference;
    ports_in_use(context, service)
        .into_iter()
        .filter_map(|port| service_port(&found.spec, port))
        .any(|port| context.index.policies(service, &port.name).is_empty())
}

/// The routes that refer to a Service and are stopped before NGF looks for a policy: by a port that it
/// does not have, a ReferenceGrant that is missing, or because no listener takes them.
fn stopped(context: &Context<'_>, service: &ObjectRef) -> Vec<ObjectRef> {
    let refused = context
        .rules_using(service)
        .map(|rule| rule.route.reference.clone());
    let unattached = context
        .unattached()
        .filter_map(|(name, _)| context.snapshot.routes.get(name))
        .filter(|route| {
            let backends = route.spec.rules.iter().flat_map(|rule| &rule.backend_refs);
            backends
                .filter_map(|backend| service_of(&backend.target, &route.reference.namespace))
                .any(|target| target == *service)
        })
        .map(|route| route.reference.clone());
    let all: BTreeSet<ObjectRef> = refused.chain(unattached).collect();
    all.into_iter().collect()
}

/// A probe may have shown which Service of the namespace wants the TLS that the policy is for.
fn wants_it(context: &Context<'_>, policy: &ObjectRef, target: &LocalRef, miss: &mut Miss) {
    let wanting = crate::diagnosis::rules::handshake::wanting_tls(context);
    let wanting: BTreeSet<&ObjectRef> = wanting
        .into_iter()
        .chain(&context.elsewhere().wanting)
        .filter(|service| service.namespace == policy.namespace)
        .collect();
    let mut wanting = wanting.into_iter();
    if let (Some(one), None) = (wanting.next(), wanting.next()) {
        miss.sentence = format!(
            "{}; {one} wants TLS, as a probe shows, and no policy targets it",
            miss.sentence
        );
        miss.elsewhere = vec![one.clone()];
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
    let named = context.services_by_name.get(&service.name);
    named
        .into_iter()
        .flatten()
        .filter(|other| other.namespace != service.namespace)
        .filter(|other| context.index.claims(other).is_empty())
        .cloned()
        .collect()
}

/// The Service of nearly the same name that routes refer to and no policy targets, where there is one. A cluster has all
/// its Services: there a probe tells which was meant.
pub(super) fn similar(context: &Context<'_>, service: &ObjectRef) -> Option<ObjectRef> {
    const MOST: usize = 2;
    if !context.is_files() {
        return None;
    }
    let is_near = |other: &ObjectRef| {
        other.namespace == service.namespace
            && service.name.len() > 2 * MOST
            && strsim::levenshtein(&other.name, &service.name) <= MOST
    };
    let cluster = context.cluster(&[
        Kind::HTTPRoute,
        Kind::GRPCRoute,
        Kind::Service,
        Kind::BackendTLSPolicy,
    ]);
    let is_targeted = |other: &ObjectRef| {
        let policies = cluster.policies.values();
        let mut policies = policies.filter(|policy| policy.reference.namespace == other.namespace);
        policies.any(|policy| {
            let mut targets = policy.spec.target_refs.iter();
            targets.any(|target| target.name == other.name)
        })
    };
    let is_routed = |other: &ObjectRef| {
        cluster.routes.values().any(|route| {
            let mut backends = route.spec.rules.iter().flat_map(|rule| &rule.backend_refs);
            backends.any(|backend| {
                service_of(&backend.target, &route.reference.namespace).as_ref() == Some(other)
            })
        })
    };
    let mut near = cluster.services.keys().filter(|other| is_near(other));
    let one = near.next().filter(|_| near.next().is_none())?;
    (is_routed(one) && !is_targeted(one)).then(|| one.clone())
}
