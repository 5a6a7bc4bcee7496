//! Routes (`state/graph/route_common.go`, `state/graph/backend_refs.go`, `prepareRouteStatus`).

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    Predicted, PredictedCondition, Predictor,
    attachment::{self, Attachment, AttachmentOutcome},
};
use crate::{
    diagnosis::{
        context::Context,
        ngf::{BackendState, Barred, RuleDecision, decide_rule, resolver::has_resolver},
    },
    model::{
        attachment::Restriction,
        kinds::Route,
        object::{Object, ObjectRef},
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
    let running = &context.running;
    let watched = running
        .release
        .watches(route.reference.kind, running.experimental);
    if watched != Some(true) {
        return Vec::new();
    }
    let decided = decisions(context, route);
    let attachments: Vec<Attachment> = route
        .spec
        .parent_refs
        .iter()
        .filter_map(|reference| attachment::of(predictor, route, reference))
        .collect();
    // What NGF says of the route itself it says for each parent.
    let to_invalid = attachments
        .iter()
        .any(|found| found.outcome == Some(AttachmentOutcome::InvalidListener { attached: true }));
    let mut all = Vec::new();
    for found in attachments {
        let outcome = match found.outcome {
            Some(AttachmentOutcome::Attached) if to_invalid => {
                AttachmentOutcome::InvalidListener { attached: true }
            }
            Some(outcome) => outcome,
            None => continue,
        };
        let mut add = |condition| {
            all.push(PredictedCondition {
                parent: Some(found.parent.clone()),
                section: found.section.clone(),
                condition,
            });
        };
        let is_attached = outcome == AttachmentOutcome::Attached;
        if !is_attached || (route.spec.is_plain && route.spec.takes_all_rules) {
            add(outcome.condition());
        }
        // A route that NGF looks no further at is not asked for a resolver.
        let bound = !matches!(
            outcome,
            AttachmentOutcome::NoMatchingParent | AttachmentOutcome::InvalidListenerSet
        );
        if route.spec.takes_all_rules
            && let Some(resolved) = resolved_refs(context, &decided, &found.gateway, bound)
        {
            add(resolved);
        }
    }
    all
}

/// What NGF makes of the rules, whether or not a listener takes the route.
fn decisions<'c>(
    context: &'c Context<'_>,
    route: &'c Object<Route>,
) -> Vec<Cow<'c, RuleDecision<'c>>> {
    let first = context
        .rules
        .partition_point(|rule| rule.route.reference < route.reference);
    let in_use: Vec<Cow<'c, RuleDecision<'c>>> = context.rules[first..]
        .iter()
        .take_while(|rule| rule.route.reference == route.reference)
        .map(|rule| Cow::Borrowed(&rule.decision))
        .collect();
    if in_use.len() == route.spec.rules.len() {
        return in_use;
    }
    let release = context.running.release;
    let rules = route.spec.rules.iter().enumerate();
    rules
        .map(|(index, rule)| {
            let decided = decide_rule(context.snapshot, context.index, release, route, index, rule);
            Cow::Owned(decided)
        })
        .collect()
}

/// Of several faults the last one counts; `None` where some backend is not known.
fn resolved_refs(
    context: &Context<'_>,
    rules: &[Cow<'_, RuleDecision<'_>>],
    gateway: &ObjectRef,
    bound: bool,
) -> Option<Predicted> {
    // What NGF says of such a filter is not predicted.
    let is_barred = |rule: &Cow<'_, RuleDecision<'_>>| {
        matches!(rule.barred, Some(Barred::UnknownFilter | Barred::Protocol))
    };
    if rules.iter().any(is_barred) {
        return None;
    }
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
        for backend in &rule.backends {
            // Of pools nothing is read.
            if backend.service.is_none() && !matches!(backend.state, BackendState::Invalid(_)) {
                return None;
            }
            match &backend.state {
                BackendState::Invalid(fault) => said = no(fault.reason, &fault.message),
                // A policy that nobody is certain of may be invalid.
                BackendState::Unknown(_) | BackendState::Tls { doubt: Some(_), .. } => return None,
                BackendState::Plain | BackendState::Tls { .. } => {}
            }
            let is_external = backend
                .port
                .is_some_and(|(service, _)| service.spec.service_type == "ExternalName");
            if is_external {
                let (gateway, _) = context.gateways.get(gateway)?;
                unresolved_name |= !has_resolver(context.snapshot, gateway)?;
            }
        }
        if rule.mismatch {
            said = no(
                "UnsupportedValue",
                "Backend TLS policies do not match for all backends",
            );
        }
        if rule.barred == Some(Barred::Backend) {
            said = no(
                "InvalidFilter",
                "ExternalAuth filter references a backend that could not be resolved; the rule is rejected to avoid proxying without authentication",
            );
        }
    }
    // What is a Gateway's own counts after all that is the route's.
    if unresolved_name && bound {
        said = no(
            "UnsupportedValue",
            "ExternalName service requires DNS resolver configuration in Gateway's NginxProxy",
        );
    }
    Some(said)
}
