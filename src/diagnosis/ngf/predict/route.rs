//! Routes (`state/graph/route_common.go`, `state/graph/backend_refs.go`, `prepareRouteStatus`).

use std::collections::BTreeMap;

use super::{Predicted, PredictedCondition, Predictor};
use crate::{
    diagnosis::{
        context::{Context, RuleInUse},
        ngf::{BackendState, resolver::has_resolver},
    },
    model::{
        attachment::{Refusal, Restriction, attach, parent_of},
        kind::Kind,
        kinds::{LocalRef, Route},
        object::{Object, ObjectRef},
        topology::gateway_of,
    },
};

/// What the listeners of each parent allow.
pub(super) fn restrictions<'a>(context: &Context<'a>) -> BTreeMap<&'a ObjectRef, Vec<Restriction>> {
    let snapshot = context.snapshot;
    let gateways = context.gateways.values();
    let gateways =
        gateways.map(|(gateway, _)| (&gateway.reference, Restriction::read(&gateway.raw)));
    let sets = snapshot.listener_sets.iter();
    let sets = sets.map(|(name, set)| (name, Restriction::read(&set.raw)));
    gateways.chain(sets).collect()
}

pub(super) fn predict(
    predictor: &Predictor<'_, '_>,
    route: &Object<Route>,
) -> Vec<PredictedCondition> {
    let context = predictor.context;
    let first = context
        .rules
        .partition_point(|rule| rule.route.reference < route.reference);
    let rules: Vec<&RuleInUse<'_>> = context.rules[first..]
        .iter()
        .take_while(|rule| rule.route.reference == route.reference)
        .collect();
    let mut all = Vec::new();
    for reference in &route.spec.parent_refs {
        let Some((parent, gateway)) = parent(context, route, reference) else {
            continue;
        };
        let mut add = |condition| {
            all.push(PredictedCondition {
                parent: Some(parent.clone()),
                section: reference.section_name.clone(),
                condition,
            });
        };
        let Some(accepted) = accepted(predictor, route, reference, &parent) else {
            continue;
        };
        let is_accepted = accepted.status == "True";
        add(accepted);
        if is_accepted && let Some(resolved) = resolved_refs(context, &rules, &gateway) {
            add(resolved);
        }
    }
    all
}

/// The parent that a parentRef means, where it is NGF's, and its Gateway.
fn parent(
    context: &Context<'_>,
    route: &Object<Route>,
    reference: &LocalRef,
) -> Option<(ObjectRef, ObjectRef)> {
    let parent = parent_of(reference, &route.reference.namespace)?;
    let gateway = match parent.kind {
        Kind::ListenerSet => gateway_of(context.snapshot.listener_sets.get(&parent)?),
        _ => parent.clone(),
    };
    context
        .gateways
        .contains_key(&gateway)
        .then_some((parent, gateway))
}

fn accepted(
    predictor: &Predictor<'_, '_>,
    route: &Object<Route>,
    reference: &LocalRef,
    parent: &ObjectRef,
) -> Option<Predicted> {
    let snapshot = predictor.context.snapshot;
    let listeners = match parent.kind {
        // Whether the Gateway takes the set is another question.
        Kind::ListenerSet => &snapshot.listener_sets.get(parent)?.spec.listeners,
        _ => &snapshot.gateways.get(parent)?.spec.listeners,
    };
    let none = Vec::new();
    let restrictions = predictor.restrictions.get(parent).unwrap_or(&none);
    let (status, reason, message) = match attach(route, reference, parent, listeners, restrictions)
    {
        Ok(_) => ("True", "Accepted", "The Route is accepted"),
        Err(refusal) => (
            "False",
            refusal.reason()?,
            match refusal {
                Refusal::NoSuchListener { .. } => "The Listener is not found for this parent ref",
                Refusal::NotAllowed(_) => "The Route is not allowed by any listener",
                Refusal::HostnamesDoNotMatch(_) => {
                    "The Listener hostname does not match the Route hostnames"
                }
                _ => return None,
            },
        ),
    };
    Some(Predicted {
        kind: "Accepted",
        status,
        reason,
        message: message.to_owned(),
    })
}

/// Of several faults the last one counts; `None` where some backend is not known.
fn resolved_refs(
    context: &Context<'_>,
    rules: &[&RuleInUse<'_>],
    gateway: &ObjectRef,
) -> Option<Predicted> {
    let no = |reason, message: &str| Predicted {
        kind: "ResolvedRefs",
        status: "False",
        reason,
        message: message.to_owned(),
    };
    let mut said = Predicted {
        kind: "ResolvedRefs",
        status: "True",
        reason: "ResolvedRefs",
        message: "All references are resolved".to_owned(),
    };
    let mut unresolved_name = false;
    for rule in rules {
        for backend in &rule.decision.backends {
            match &backend.state {
                BackendState::Invalid(fault) => said = no(fault.reason, &fault.message),
                BackendState::Unknown(_) => return None,
                BackendState::Plain | BackendState::Tls { .. } => {}
            }
            let is_external = backend
                .port
                .is_some_and(|(service, _)| service.spec.service_type == "ExternalName");
            if is_external {
                unresolved_name |= !has_resolver(context, gateway)?;
            }
        }
        if rule.decision.mismatch {
            said = no(
                "UnsupportedValue",
                "Backend TLS policies do not match for all backends",
            );
        }
    }
    // What is a Gateway's own counts after all that is the route's.
    if unresolved_name {
        said = no(
            "UnsupportedValue",
            "ExternalName service requires DNS resolver configuration in Gateway's NginxProxy",
        );
    }
    Some(said)
}
