//! R20: rules whose backends all have a weight of 0.

use super::refused;
use crate::{
    diagnosis::{
        code::Code,
        finding::{Finding, Remedy, Severity},
        ngf::Answer,
        rule::{Need, Rule},
        words::{answer_to, list},
    },
    model::kind::Kind,
};

pub(in crate::diagnosis) const R20: Rule = Rule {
    code: Code::R20,
    severity: Severity::Error,
    title: "All backends of a rule have a weight of 0",
    explanation: "NGF sends the rule's requests to its own server for backends that are not valid (`backendGroupName`, `createSplitClientDistributions`), which answers 500. A BackendTLSPolicy on one of the backends makes nginx speak TLS to that plain server, and clients get 502. Every condition stays True.",
    remedy: "Give one of the backends a weight.",
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
            if !is_http
                || backends.is_empty()
                || has_weight
                || rule.decision.mismatch
                || rule.decision.barred.is_some()
            {
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
    },
};
