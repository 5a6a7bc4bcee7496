//! BackendTLSPolicies (`state/graph/backend_tls_policy.go`, `findBackendTLSPolicyForService`,
//! `PrepareBackendTLSPolicyRequests`).

use std::collections::{BTreeMap, BTreeSet};

use super::{Predicted, PredictedCondition, Predictor, gateway::GatewayDecision};
use crate::{
    diagnosis::{
        context::Context,
        ngf::{PolicyDecision, backend::may_have_policy},
        plan::TrustSource,
    },
    model::{
        attachment::parent_of,
        kind::Kind,
        kinds::{BackendTLSPolicy, LocalRef},
        object::{Object, ObjectRef},
        topology::{gateway_of, is_ngf_controller, service_of},
    },
};

/// The Gateways that routes name, by the Service that the routes refer to.
pub(super) type GatewaysOfService<'a> = BTreeMap<ObjectRef, BTreeSet<&'a ObjectRef>>;

/// The length of `status.ancestors` (Gateway API's `PolicyStatus`).
pub(in crate::diagnosis) const MOST_ANCESTORS: usize = 16;

/// The Gateways that routes name, by the Services that the routes refer to, whether or not a listener
/// takes the route (`buildReferencedServices`).
pub(super) fn gateways_of_services<'a>(
    context: &Context<'a>,
    decisions: &BTreeMap<&'a ObjectRef, GatewayDecision>,
) -> GatewaysOfService<'a> {
    let mut found: GatewaysOfService<'a> = BTreeMap::new();
    // Without policies nobody asks.
    if context.policies.is_empty() {
        return found;
    }
    let targets: BTreeSet<(&str, &str)> = context
        .policies
        .values()
        .flat_map(|(policy, _)| {
            let namespace = policy.reference.namespace.as_str();
            let names = policy.spec.target_refs.iter();
            names.map(move |target| (namespace, target.name.as_str()))
        })
        .collect();
    let routes = context.snapshot.routes.values();
    for route in routes.filter(|route| route.spec.takes_all_rules) {
        let namespace = &route.reference.namespace;
        let services: BTreeSet<ObjectRef> = route
            .spec
            .rules
            .iter()
            .flat_map(|rule| rule.backend_refs.iter().chain(&rule.filter_backend_refs))
            .filter_map(|backend| service_of(&backend.target, namespace))
            .filter(|service| {
                targets.contains(&(service.namespace.as_str(), service.name.as_str()))
            })
            .collect();
        if services.is_empty() {
            continue;
        }
        let gateways: BTreeSet<&'a ObjectRef> = route
            .spec
            .parent_refs
            .iter()
            .filter_map(|reference| gateway_named(context, decisions, reference, namespace))
            .collect();
        for service in services {
            found.entry(service).or_default().extend(&gateways);
        }
    }
    found
}

/// NGF's Gateway that a parentRef means, by way of a ListenerSet or not. A Gateway that NGF does not take
/// has no listeners, and is not meant by a parentRef that names none (`buildSectionNameRefs`).
fn gateway_named<'a>(
    context: &Context<'a>,
    decisions: &BTreeMap<&'a ObjectRef, GatewayDecision>,
    reference: &LocalRef,
    namespace: &str,
) -> Option<&'a ObjectRef> {
    let parent = parent_of(reference, namespace)?;
    let gateway = match parent.kind {
        Kind::ListenerSet if !context.running.release.knows_listener_sets() => return None,
        Kind::ListenerSet => gateway_of(context.snapshot.listener_sets.get(&parent)?),
        _ => parent,
    };
    let (name, _) = context.gateways.get_key_value(&gateway)?;
    let is_named = reference.section_name.is_some() || reference.port.is_some();
    let is_taken = || {
        decisions
            .get(name)
            .is_some_and(|found| found.valid == Some(true))
    };
    (is_named || is_taken()).then_some(*name)
}

/// The policies that an older one wins against somewhere.
pub(super) fn losers<'a>(context: &Context<'a>) -> BTreeSet<&'a ObjectRef> {
    context
        .rules
        .iter()
        .filter(|rule| may_have_policy(rule.route.reference.kind, context.running.release))
        .flat_map(|rule| &rule.decision.backends)
        .flat_map(|backend| &backend.losers)
        .map(|policy| &policy.reference)
        .collect()
}

pub(super) fn predict(predictor: &Predictor<'_, '_>, name: &ObjectRef) -> Vec<PredictedCondition> {
    let context = predictor.context;
    let Some((policy, decision)) = context.policies.get(name) else {
        return Vec::new();
    };
    let wins = context.policy_users.contains_key(name);
    let loses = predictor.losers.contains(name);
    if !wins && !loses {
        return Vec::new();
    }
    let conditions = conditions(policy, decision, wins, loses);
    let (named, _) = ancestors(context, &predictor.gateways_of_service, policy);
    named
        .into_iter()
        .flat_map(|gateway| {
            conditions.iter().map(move |condition| PredictedCondition {
                parent: Some(gateway.clone()),
                section: None,
                condition: condition.clone(),
            })
        })
        .collect()
}

fn conditions(
    policy: &Object<BackendTLSPolicy>,
    decision: &PolicyDecision,
    wins: bool,
    loses: bool,
) -> Vec<Predicted> {
    let mut all = match decision {
        PolicyDecision::Unknown { .. } => return Vec::new(),
        PolicyDecision::Invalid(fault) => fault.conditions.clone(),
        // System has no reference to resolve, and NGF sets no such condition (P11).
        PolicyDecision::Valid(TrustSource::System) => Vec::new(),
        PolicyDecision::Valid(TrustSource::Object { .. }) => vec![Predicted {
            kind: "ResolvedRefs",
            status: "True",
            reason: "ResolvedRefs",
            message: "All CACertificateRefs are resolved".to_owned(),
        }],
    };
    let is_valid = matches!(decision, PolicyDecision::Valid(_));
    let accepted = Predicted {
        kind: "Accepted",
        status: "True",
        reason: "Accepted",
        message: "The Policy is accepted".to_owned(),
    };
    match (wins, loses) {
        // Conditions are the policy's, not its targets': which is written last is left to chance.
        (true, true) => {
            all.retain(|condition| condition.kind != "Accepted");
            let one = policy.spec.target_refs.len() == 1;
            if !is_valid && one {
                return Vec::new();
            }
        }
        (_, true) => {
            all.retain(|condition| condition.kind != "Accepted");
            all.push(Predicted {
                status: "False",
                reason: "Conflicted",
                message: "Conflicts with another BackendTLSPolicy targeting the same Service"
                    .to_owned(),
                ..accepted
            });
        }
        _ if is_valid => all.push(accepted),
        _ => {}
    }
    all
}

/// The policies that have no place for a Gateway in their status, by the Gateway: NGF passes over them
/// there, and nginx speaks plain HTTP (P14).
pub(super) fn left_out<'a>(
    context: &Context<'a>,
    gateways_of_service: &GatewaysOfService<'a>,
) -> BTreeMap<&'a ObjectRef, Vec<&'a ObjectRef>> {
    let mut found: BTreeMap<&'a ObjectRef, Vec<&'a ObjectRef>> = BTreeMap::new();
    for (name, (policy, _)) in &context.policies {
        let (_, beyond) = ancestors(context, gateways_of_service, policy);
        for gateway in beyond {
            found.entry(gateway).or_default().push(name);
        }
    }
    found
}

/// The Gateways that the status would name, up to its length: those that it names already, then the
/// oldest; and those for which there is no place (`addGatewaysForBackendTLSPolicies`).
fn ancestors<'a>(
    context: &Context<'a>,
    gateways_of_service: &GatewaysOfService<'a>,
    policy: &Object<BackendTLSPolicy>,
) -> (Vec<&'a ObjectRef>, Vec<&'a ObjectRef>) {
    let namespace = &policy.reference.namespace;
    let mut gateways: Vec<&'a ObjectRef> = Vec::new();
    for target in &policy.spec.target_refs {
        let service = ObjectRef::new(Kind::Service, namespace, &target.name);
        for gateway in gateways_of_service.get(&service).into_iter().flatten() {
            if !gateways.contains(gateway) {
                gateways.push(gateway);
            }
        }
    }
    let told = &policy.status.ancestors;
    let is_named = |gateway: &ObjectRef| {
        told.iter().any(|ancestor| {
            is_ngf_controller(&ancestor.controller_name)
                && parent_of(&ancestor.parent, namespace).as_ref() == Some(gateway)
        })
    };
    let age = |gateway: &ObjectRef| {
        let found = context.snapshot.gateways.get(gateway);
        found.and_then(|gateway| gateway.meta.created)
    };
    gateways.sort_by_key(|gateway| (!is_named(gateway), age(gateway), *gateway));
    let others = told
        .iter()
        .filter(|ancestor| !is_ngf_controller(&ancestor.controller_name))
        .count();
    let places = MOST_ANCESTORS.saturating_sub(others).min(gateways.len());
    let beyond = gateways.split_off(places);
    (gateways, beyond)
}
