//! What comes of backends that NGF refuses, for the findings that name the reason; R19.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnosis::{
        code::Code,
        context::{Context, RuleInUse},
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{Answer, Barred, backend::is_authentication, cluster_ip::flag_of_proxy},
        rule::{Need, Rule},
        rules::logs::line,
        words::{answer_to, list},
    },
    logs::{Meaning, Upstream},
    model::{kind::Kind, object::ObjectRef, topology::told_by_ngf},
};

/// The socket of NGF's own server for 500 (`nginx500Server`).
const SOCKET: &str = "nginx-500-server.sock";

/// What clients get for the backends of a rule that NGF refuses; the gravest, where Gateways differ.
pub(in crate::diagnosis::rules) fn answer<'a>(
    context: &Context<'a>,
    rule: &RuleInUse<'a>,
) -> Answer {
    let of = rule.gateways.iter();
    of.filter_map(|gateway| context.answer(rule, gateway))
        .max()
        .unwrap_or(Answer::Status500)
}

/// Says what clients of the rules get, why, and what the data plane's log shows of it.
pub(in crate::diagnosis::rules) fn tell<'r, 'a: 'r>(
    context: &Context<'a>,
    mut finding: Finding,
    rules: impl IntoIterator<Item = &'r RuleInUse<'a>>,
) -> Finding {
    let mut by_answer: BTreeMap<Answer, (BTreeSet<&ObjectRef>, BTreeSet<&ObjectRef>)> =
        BTreeMap::new();
    for rule in rules {
        for gateway in &rule.gateways {
            if let Some(answer) = context.answer(rule, gateway) {
                let (routes, gateways) = by_answer.entry(answer).or_default();
                routes.insert(&rule.route.reference);
                gateways.insert(gateway);
            }
        }
    }
    for (answer, (routes, gateways)) in by_answer.iter().rev() {
        let clients = list(routes, 3);
        finding = match answer {
            Answer::Status500 => finding.breaks(format!(
                "clients of {clients} get {} for it",
                answer_to(routes.iter().copied(), 500)
            )),
            Answer::Closed => finding.breaks(format!(
                "nginx closes the connections of clients of {clients}"
            )),
            Answer::Status502 { policy } => logged(context, finding, gateways)
                .because(format!(
                    "{policy} makes the location speak TLS, and nginx speaks it to NGF's own server for 500, which is plain: it logs `wrong version number`."
                ))
                .scope([policy])
                .breaks(format!(
                    "clients of {clients} get {} for it, not 500",
                    answer_to(routes.iter().copied(), 502)
                )),
            Answer::NotLoaded {
                policy,
                object,
                file,
            } => finding
                .because(format!(
                    "{policy} makes the location name {file}, and NGF writes the CA of {object} only for backends that it accepts: nginx refuses the configuration (`No such file or directory`)."
                ))
                .scope([policy, object])
                .scope(gateways.iter().copied())
                .mark_objects(gateways.iter().copied())
                .breaks(format!(
                    "no change takes effect any more, for any route of {}",
                    list(gateways, 3)
                )),
        };
    }
    finding
}

pub(in crate::diagnosis) const R19: Rule = Rule {
    code: Code::R19,
    severity: Severity::Error,
    title: "NGF refuses a rule, because it cannot use its external authentication",
    explanation: "From 2.7 on NGF knows the filter ExternalAuth; earlier releases refuse the rule that has one, as 2.7 does where its protocol is not HTTP (Accepted False/UnsupportedValue, or PartiallyInvalid True), and clients get 500. Where it refuses the filter's backend it refuses the whole rule, so that nothing passes without authentication: clients get 500, and the route's ResolvedRefs is False/InvalidFilter.",
    remedy: "Correct what the finding about the backend names.",
    causes: &[Code::S4],
    needs: &[Need::Paths],
    check: |context, findings| {
        for rule in &context.rules {
            let route = rule.route;
            let authenticates = rule.decision.backends.iter().filter(|backend| {
                let filter = backend.reference.filter;
                filter.is_some_and(|filter| is_authentication(route, rule.index, filter))
            });
            let authenticates: Vec<_> = authenticates.collect();
            match rule.decision.barred {
                None => continue,
                Some(Barred::Backend) => {}
                Some(_) => {
                    filter_refused(context, findings, rule);
                    continue;
                }
            }
            let name = &route.reference;
            let told = route
                .status
                .parents
                .iter()
                .flat_map(|parent| &parent.conditions);
            let told = told
                .into_iter()
                .find(|said| said.status == "False" && said.reason == "InvalidFilter");
            findings.explain(name, "ResolvedRefs");
            let labels = list(authenticates.iter().map(|backend| backend.label()), 2);
            findings.add(
                Finding::new(
                    Code::R19,
                    Severity::Error,
                    name,
                    format!("NGF refuses rule {} of {name}: it cannot use {labels}, which authenticates its requests", rule.index),
                )
                .condition_if(name, told)
                .mark(rule.mark())
                .scope(authenticates.iter().filter_map(|backend| backend.service.as_ref()))
                .breaks(format!(
                    "clients of {name} get {} for every request of the rule",
                    answer_to([name], 500)
                )),
            );
        }
    },
};

pub(in crate::diagnosis) const R23: Rule = Rule {
    code: Code::R23,
    severity: Severity::Error,
    title: "NGF refuses a GRPCRoute, because the Gateway's NginxProxy disables HTTP/2",
    explanation: "gRPC needs HTTP/2 from the client on. With disableHTTP2 in the NginxProxy of a Gateway, or of its class, NGF refuses every GRPCRoute for the Gateway (Accepted False/UnsupportedConfiguration, `HTTP2 is disabled - cannot configure GRPCRoutes`), and clients get 404.",
    remedy: "Remove disableHTTP2 from the NginxProxy, or give the GRPCRoute a Gateway without it.",
    causes: &[Code::S4],
    needs: &[Need::Paths, Need::NginxProxies],
    check: |context, findings| {
        for rule in &context.rules {
            let name = &rule.route.reference;
            if name.kind != Kind::GRPCRoute || findings.has(Code::R23, name) {
                continue;
            }
            let refusing = rule.gateways.iter().find_map(|gateway| {
                let (found, _) = context.gateways.get(*gateway)?;
                let of_proxy = flag_of_proxy(context.snapshot, found, "/spec/disableHTTP2");
                of_proxy
                    .filter(|(_, flag)| *flag)
                    .map(|(proxy, _)| (*gateway, proxy))
            });
            let Some((gateway, proxy)) = refusing else {
                continue;
            };
            let told = told_by_ngf(&rule.route.status.parents);
            let told = told
                .flat_map(|parent| &parent.conditions)
                .find(|said| said.status == "False" && said.message.contains("HTTP2"));
            findings.explain(name, "Accepted");
            findings.add(
                Finding::new(
                    Code::R23,
                    Severity::Error,
                    name,
                    format!("NGF refuses {name} for {gateway}: {proxy} disables HTTP/2"),
                )
                .condition_if(name, told)
                .evidence("spec.disableHTTP2", "true", proxy.to_string())
                .mark(rule.mark())
                .scope([gateway, &proxy])
                .breaks(format!("clients of {name} get 404"))
                .remedy(Remedy::say(format!(
                    "Remove disableHTTP2 from {proxy}, or give {name} another Gateway."
                ))),
            );
        }
    },
};

/// R19 for a filter that NGF does not take as it is written.
fn filter_refused(context: &Context<'_>, findings: &mut Findings, rule: &RuleInUse<'_>) {
    let name = &rule.route.reference;
    let told = told_by_ngf(&rule.route.status.parents);
    let told = told.flat_map(|parent| &parent.conditions).find(|said| {
        said.message.contains("ExternalAuth") || said.message.contains("externalAuth")
    });
    let by_release = rule.decision.barred == Some(Barred::UnknownFilter);
    let index = rule.index;
    let (title, because, remedy) = match &context.running.said_by {
        Some((_, version)) if by_release => (
            format!(
                "NGF {version} does not know the filter ExternalAuth, and refuses rule {index} of {name}"
            ),
            "NGF knows it from 2.7 on.",
            "Upgrade NGF to 2.7 or later, or remove the filter.",
        ),
        _ => (
            format!(
                "NGF refuses rule {index} of {name}: the protocol of its filter ExternalAuth is not HTTP"
            ),
            "NGF takes the protocol HTTP only, not GRPC.",
            "Set externalAuth.protocol HTTP, and let the backend answer HTTP requests.",
        ),
    };
    findings.explain(name, "Accepted");
    findings.explain(name, "PartiallyInvalid");
    let mut finding = Finding::new(Code::R19, Severity::Error, name, title)
        .because(because)
        .condition_if(name, told)
        .mark(rule.mark())
        .breaks(format!(
            "clients of {name} get {} for every request of the rule",
            answer_to([name], 500)
        ))
        .remedy(Remedy::say(remedy));
    if let (true, Some((workload, version))) = (by_release, &context.running.said_by) {
        finding = finding.evidence("version", version, workload.to_string());
    }
    findings.add(finding);
}

/// The lines in which nginx says that it spoke TLS to NGF's own server.
fn logged(context: &Context<'_>, mut finding: Finding, gateways: &BTreeSet<&ObjectRef>) -> Finding {
    for joined in &context.logs {
        let said = &joined.counted.last_line;
        let to_socket = matches!(
            &said.request.upstream,
            Some(Upstream::Socket(path)) if path.contains(SOCKET)
        );
        let of = joined.log.gateway.as_ref();
        if to_socket
            && said.what == Meaning::NotTls
            && of.is_some_and(|gateway| gateways.contains(gateway))
            && finding.evidence.len() < 6
        {
            finding = line(context, finding, joined.log, joined.counted);
        }
    }
    finding
}
