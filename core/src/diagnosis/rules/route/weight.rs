//! R20: rules without a backend, or whose backends all have a weight of 0.

use serde_json::Value;

use super::refused;
use crate::{
    diagnosis::{
        code::Code,
        context::RuleInUse,
        finding::{Finding, Remedy, Severity},
        ngf::Answer,
        rule::{Need, Rule},
        words::{answer_to, list},
    },
    model::{
        kind::Kind,
        kinds::Route,
        object::{Object, ObjectRef},
    },
};

pub(in crate::diagnosis) const R20: Rule = Rule {
    code: Code::R20,
    severity: Severity::Error,
    title: "A rule has no backend, or all its backends have a weight of 0",
    explanation: "Of an HTTPRoute without rules the API server makes one rule for every path, without a backend. A route whose list of rules is empty, or a GRPCRoute without rules, makes no location at all, and clients get 404. NGF sends the rule's requests to its own server for backends that are not valid (`backendGroupName`, `createSplitClientDistributions`), which answers 500. A BackendTLSPolicy on one of the backends makes nginx speak TLS to that plain server, and clients get 502. Every condition stays True.",
    remedy: "Give the rule a backend, or one of its backends a weight.",
    causes: &[Code::D1],
    needs: &[Need::Paths],
    check: |context, findings| {
        for rule in &context.rules {
            let name = &rule.route.reference;
            let backends: Vec<_> = rule
                .decision
                .backends
                .iter()
                .filter(|backend| !backend.filter)
                .collect();
            let is_http = matches!(name.kind, Kind::HTTPRoute | Kind::GRPCRoute);
            let has_weight = backends.iter().any(|backend| backend.reference.weight != 0);
            // What is refused is told for its own reason.
            if !is_http || has_weight || rule.decision.mismatch || rule.decision.barred.is_some() {
                continue;
            }
            if backends.is_empty() {
                if names_none(rule) && !may_answer(rule) {
                    findings.add(without_backend(rule));
                }
                continue;
            }
            let labels = list(backends.iter().map(|backend| backend.label()), 3);
            let why = format!(
                "every backend of rule {} has weight 0 ({labels})",
                rule.index
            );
            let title = match refused::answer(context, rule) {
                Answer::Status502 { .. } => {
                    format!("Clients of {name} get {}: {why}", answer_to([name], 502))
                }
                Answer::NotLoaded { .. } => format!(
                    "nginx of {} cannot load its configuration: {why}",
                    list(&rule.gateways, 2)
                ),
                Answer::Status500 | Answer::Closed => {
                    format!("Clients of {name} get {}: {why}", answer_to([name], 500))
                }
            };
            let finding = Finding::new(Code::R20, Severity::Error, name, title)
                .mark(rule.mark())
                .scope(backends.iter().filter_map(|backend| backend.service.as_ref()))
                .evidence(
                    "weight",
                    "0",
                    format!("{name} spec.rules[{}].backendRefs", rule.index),
                )
                .remedy(Remedy::say(format!(
                    "Give one of the backends of rule {} of {name} a weight, unless its clients are meant to get an error.",
                    rule.index
                )));
            findings.add(refused::tell(context, finding, [rule]));
        }
        for (name, route) in &context.snapshot.routes {
            let is_http = matches!(name.kind, Kind::HTTPRoute | Kind::GRPCRoute);
            if is_http
                && route.spec.rules.is_empty()
                && has_none(route)
                && !context.gateways_of_route(name).is_empty()
            {
                findings.add(without_rules(name));
            }
        }
    },
};

/// Whether the route as it is written has no rules; what could not be read is told elsewhere.
fn has_none(route: &Object<Route>) -> bool {
    match route.raw.pointer("/spec/rules") {
        None | Some(Value::Null) => true,
        Some(Value::Array(rules)) => rules.is_empty(),
        Some(_) => false,
    }
}

/// A route that NGF takes and makes no location of.
fn without_rules(name: &ObjectRef) -> Finding {
    let got = match name.kind {
        Kind::GRPCRoute => "UNIMPLEMENTED (404)",
        _ => "404",
    };
    Finding::new(
        Code::R20,
        Severity::Warning,
        name,
        format!("Clients of {name} get {got}: it has no rules"),
    )
    .evidence("rules", "none", format!("{name} spec"))
    .because("NGF accepts it, and nginx gets a server without a location for it, unless another route has the same host name.")
    .remedy(Remedy::say(format!("Give {name} a rule with a backend.")))
}

/// Whether the rule as it is written has no backend; what could not be read is told elsewhere.
fn names_none(rule: &RuleInUse<'_>) -> bool {
    let at = format!("/spec/rules/{}/backendRefs", rule.index);
    match rule.route.raw.pointer(&at) {
        None | Some(Value::Null) => true,
        Some(Value::Array(backends)) => backends.is_empty(),
        Some(_) => false,
    }
}

/// Whether a filter of a rule answers requests, or may: a redirect, or snippets and extensions of NGF.
fn may_answer(rule: &RuleInUse<'_>) -> bool {
    let at = format!("/spec/rules/{}/filters", rule.index);
    let filters = rule.route.raw.pointer(&at);
    let filters = filters.and_then(Value::as_array).into_iter().flatten();
    let mut kinds = filters.filter_map(|filter| filter.get("type").and_then(Value::as_str));
    kinds.any(|kind| matches!(kind, "RequestRedirect" | "ExtensionRef"))
}

fn without_backend(rule: &RuleInUse<'_>) -> Finding {
    let name = &rule.route.reference;
    Finding::new(
        Code::R20,
        Severity::Warning,
        name,
        format!(
            "Clients of {name} get {}: rule {} has no backend",
            answer_to([name], 500),
            rule.index
        ),
    )
    .mark(rule.mark())
    .evidence(
        "backendRefs",
        "none",
        format!("{name} spec.rules[{}]", rule.index),
    )
    .remedy(Remedy::say(format!(
        "Give rule {} of {name} a backend, unless its clients are meant to get an error.",
        rule.index
    )))
}
