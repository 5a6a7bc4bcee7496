//! Routes (`state/graph/route_common.go`, `state/graph/backend_refs.go`, `prepareRouteStatus`).

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::{
    Predicted, PredictedCondition, Predictor,
    attachment::{self, Attachment, Outcome},
};
use crate::{
    diagnosis::{
        context::Context,
        ngf::{BackendState, RuleDecision, decide_rule, resolver::has_resolver},
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
        .any(|found| found.outcome == Some(Outcome::InvalidListener { attached: true }));
    let mut all = Vec::new();
    for found in attachments {
        let outcome = match found.outcome {
            Some(Outcome::Attached) if to_invalid => Outcome::InvalidListener { attached: true },
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
        let is_attached = outcome == Outcome::Attached;
        if !is_attached || (is_plain(route) && takes_all_rules(route)) {
            add(outcome.condition());
        }
        // A route that NGF looks no further at is not asked for a resolver.
        let bound = !matches!(
            outcome,
            Outcome::NoMatchingParent | Outcome::InvalidListenerSet
        );
        if takes_all_rules(route)
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

/// Whether it is certain that NGF drops no rule: of a GRPCRoute it takes no match by service or method
/// alone (`validateGRPCMethodMatch`), and what an extensionRef names may be invalid.
pub(super) fn takes_all_rules(route: &Object<Route>) -> bool {
    let rules = route.raw.pointer("/spec/rules").and_then(Value::as_array);
    let mut filters = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule.get("filters")?.as_array())
        .flatten();
    if filters.any(|filter| filter.get("type").and_then(Value::as_str) == Some("ExtensionRef")) {
        return false;
    }
    let mut matches = rules
        .into_iter()
        .flatten()
        .filter_map(|rule| rule.get("matches")?.as_array())
        .flatten();
    matches.all(|matched| {
        let method = matched.get("method").and_then(Value::as_object);
        method.is_none_or(|method| method.contains_key("service") && method.contains_key("method"))
    })
}

/// Whether the rules have nothing that NGF may ignore or refuse by itself (`checkForUnsupported…Fields`,
/// `validateFilter`).
fn is_plain(route: &Object<Route>) -> bool {
    const FIELDS: [&str; 3] = ["matches", "filters", "backendRefs"];
    const FILTERS: [&str; 5] = [
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestRedirect",
        "URLRewrite",
        "RequestMirror",
    ];
    let rules = route.raw.pointer("/spec/rules").and_then(Value::as_array);
    rules.into_iter().flatten().all(|rule| {
        let fields = rule.as_object().into_iter().flat_map(|rule| rule.keys());
        let filters = rule.get("filters").and_then(Value::as_array);
        let types = filters.into_iter().flatten();
        fields
            .map(String::as_str)
            .all(|field| FIELDS.contains(&field))
            && types
                .filter_map(|filter| filter.get("type")?.as_str())
                .all(|kind| FILTERS.contains(&kind))
    })
}

/// Of several faults the last one counts; `None` where some backend is not known.
fn resolved_refs(
    context: &Context<'_>,
    rules: &[Cow<'_, RuleDecision<'_>>],
    gateway: &ObjectRef,
    bound: bool,
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
