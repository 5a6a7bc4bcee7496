//! R: routes.

pub(in crate::diagnosis) mod backend;
pub(in crate::diagnosis) mod endpoints;
pub(in crate::diagnosis) mod protocol;
pub(in crate::diagnosis) mod refused;
pub(in crate::diagnosis) mod weight;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{
    command::{Command, names},
    diagnosis::{
        code::Code,
        context::{Context, RuleInUse},
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::{
            Answer, BackendDecision, BackendState, ClientCertificate, key_pair_file, known,
            snippets::{self, GRPC_CERTIFICATE},
        },
        rule::{Need, Rule},
        rules::change,
        words::{answer_to, list},
    },
    model::{kind::Kind, object::ObjectRef, topology::NodeKind},
};

/// Says that the ResolvedRefs condition of a rule's route is explained, for each parent.
pub(in crate::diagnosis::rules) fn explain_resolved_refs(
    _context: &Context<'_>,
    findings: &mut Findings,
    rule: &RuleInUse<'_>,
) {
    findings.explain(&rule.route.reference, "ResolvedRefs");
}

pub(in crate::diagnosis) const R1: Rule = Rule {
    code: Code::R1,
    severity: Severity::Error,
    title: "The backends of a rule have different TLS policies, and NGF refuses all of them",
    explanation: "NGF renders one set of proxy_ssl_* directives for a rule. It compares CA references and hostnames of the backends' policies, filters' backends included; two policies with wellKnownCACertificates never count as equal. Where they differ NGF refuses all backends of the rule, and still renders https:// and the CA file of the first policy. It writes that file only if another, accepted backend of the Gateway uses the same CA. Without the file nginx refuses the whole configuration, and no change of the Gateway takes effect any more; with it, or with wellKnownCACertificates, clients get 502, because nginx speaks TLS to NGF's own plain server for 500.",
    remedy: "Use one policy with several targetRefs, or split the rule.",
    causes: &[Code::D1, Code::R19],
    needs: &[Need::Paths],
    check: |context, findings| {
        for rule in context.rules.iter().filter(|rule| rule.decision.mismatch) {
            let name = &rule.route.reference;
            let differ = format!(
                "the backends of rule {} have different TLS policies",
                rule.index
            );
            let title = match refused::answer(context, rule) {
                Answer::Status500 => {
                    format!("Clients of {name} get {}: {differ}", answer_to([name], 500))
                }
                Answer::Status502 { .. } => {
                    format!("Clients of {name} get {}: {differ}", answer_to([name], 502))
                }
                Answer::Closed => {
                    format!("nginx closes the connections of clients of {name}: {differ}")
                }
                Answer::NotLoaded { .. } => format!(
                    "nginx of {} cannot load its configuration: in {name} {differ}",
                    list(&rule.gateways, 2)
                ),
            };
            let mut finding = Finding::new(Code::R1, Severity::Error, name, title)
            .mark(rule.mark())
            .remedy(Remedy::say("Let one BackendTLSPolicy target all Services of the rule, or give each its own rule."));
            for backend in &rule.decision.backends {
                let policy = backend.state.any_policy().map_or_else(
                    || "no policy".to_owned(),
                    |policy| policy.reference.to_string(),
                );
                finding = finding.evidence(
                    backend.label(),
                    policy,
                    format!("{name} rule {}", rule.index),
                );
                finding.marks.extend(backend.mark());
            }
            findings.explain(name, "ResolvedRefs");
            findings.add(refused::tell(context, finding, [rule]));
        }
    },
};

pub(in crate::diagnosis) const R2: Rule = Rule {
    code: Code::R2,
    severity: Severity::Error,
    title: "A backend without TLS policy shares a rule with one that has one, and nginx speaks TLS to both",
    explanation: "NGF's comparison of policies looks only at what follows the first backend with a policy. With a plain backend before it, the rule passes, and one https:// is rendered for all: the plain backend gets a ClientHello.",
    remedy: "Give the plain backend a rule of its own, or a policy.",
    causes: &[Code::T12, Code::B12],
    needs: &[Need::Paths],
    check: |context, findings| {
        for rule in context.rules.iter().filter(|rule| rule.decision.spills) {
            let name = &rule.route.reference;
            let plain: Vec<&BackendDecision<'_>> = rule
                .decision
                .backends
                .iter()
                .filter(|backend| !backend.filter && matches!(backend.state, BackendState::Plain))
                .filter(|backend| backend.reference.weight != 0)
                .collect();
            let labels = list(plain.iter().map(|backend| backend.label()), 3);
            let mut finding = Finding::new(
                Code::R2,
                Severity::Error,
                name,
                format!("nginx speaks TLS to {labels}, which has no policy, because another backend of the rule has one"),
            )
            .because("NGF compares the policies of a rule's backends only from the first one that has a policy on.")
            .mark(rule.mark())
            .breaks(format!("requests for {labels} fail with 502, unless it speaks TLS with the same name and CA"))
            .remedy(Remedy::say("Give the backend without policy a rule of its own, or target it with the same policy."));
            for backend in plain {
                finding.marks.extend(backend.mark());
            }
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const R9: Rule = Rule {
    code: Code::R9,
    severity: Severity::Warning,
    title: "nginx presents no client certificate to the backends of a GRPCRoute",
    explanation: "NGF renders proxy_ssl_certificate for the Gateway, which grpc_pass does not look at, and never grpc_ssl_certificate. A backend that demands a client certificate answers 400.",
    remedy: "None within NGF but a SnippetsFilter with grpc_ssl_certificate; or let the backend not demand one.",
    causes: &[Code::B1, Code::B10, Code::B11],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        let mut by_gateway: BTreeMap<&ObjectRef, Vec<&RuleInUse<'_>>> = BTreeMap::new();
        for rule in &context.rules {
            let encrypted = rule
                .decision
                .backends
                .iter()
                .any(|backend| crate::diagnosis::rules::policy::is_tls(&backend.state));
            if rule.route.reference.kind == Kind::GRPCRoute && encrypted {
                for gateway in &rule.gateways {
                    let snippets =
                        snippets::of_rule(context.snapshot, rule.route, rule.index, gateway);
                    if snippets
                        .iter()
                        .any(|snippet| snippet.sets(GRPC_CERTIFICATE).is_some())
                    {
                        continue;
                    }
                    by_gateway.entry(gateway).or_default().push(rule);
                }
            }
        }
        for (name, rules) in by_gateway {
            let Some((_, ClientCertificate::Presented(secret))) = context.gateways.get(name) else {
                continue;
            };
            let routes: BTreeSet<&ObjectRef> =
                rules.iter().map(|rule| &rule.route.reference).collect();
            let mut finding = Finding::new(
                Code::R9,
                Severity::Warning,
                &rules[0].route.reference,
                format!(
                    "nginx presents no client certificate to the backends of {}",
                    list(&routes, 3)
                ),
            )
            .because(format!(
                "{name} names {secret}, but NGF renders it for proxy_pass only, not for grpc_pass."
            ))
            .scope([name, secret])
            .remedy(grpc_certificate(
                &rules[0].route.reference.namespace,
                secret,
            ));
            for rule in rules {
                finding = finding
                    .mark(Mark::Object(rule.route.reference.clone()))
                    .mark(rule.mark());
            }
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const R11: Rule = Rule {
    code: Code::R11,
    severity: Severity::Info,
    title: "A BackendTLSPolicy targets the backend of a TLSRoute on a Passthrough listener",
    explanation: "nginx passes the bytes on and takes no part in the TLS between client and backend: a valid policy has no effect there. Until 2.6 NGF never looks at policies for TLSRoutes, and one that nothing else uses gets no status. From 2.7 on it does: a valid policy is Accepted, and an invalid one makes NGF refuse the backend, so that nginx closes the connections (NGF-P15).",
    remedy: "Nothing, if that is meant; else use a listener that terminates TLS, which NGF can from 2.7 on.",
    causes: &[],
    needs: &[Need::Paths],
    check: |context, findings| passed_on(context, findings, Code::R11),
};

pub(in crate::diagnosis) const R13: Rule = Rule {
    code: Code::R13,
    severity: Severity::Info,
    title: "A BackendTLSPolicy targets the backend of a TCPRoute or UDPRoute",
    explanation: "NGF never consults policies for them: nginx passes the bytes on as they come.",
    remedy: "Nothing, if that is meant; else use an HTTPRoute or a TLSRoute on a listener that terminates TLS.",
    causes: &[],
    needs: &[Need::Paths],
    check: |context, findings| passed_on(context, findings, Code::R13),
};

fn passed_on(context: &Context<'_>, findings: &mut Findings, code: Code) {
    for rule in &context.rules {
        let name = &rule.route.reference;
        let passed = match name.kind {
            Kind::TLSRoute => code == Code::R11 && only_passthrough(context, rule),
            Kind::TCPRoute | Kind::UDPRoute => code == Code::R13,
            _ => false,
        };
        if !passed || findings.has(code, name) {
            continue;
        }
        let policy = rule.decision.backends.iter().find_map(|backend| {
            let (service, port) = backend.port?;
            let policies = context.index.policies(&service.reference, &port.name);
            policies
                .first()
                .map(|policy| (&policy.reference, &service.reference))
        });
        if let Some((policy, service)) = policy {
            findings.add(
                Finding::new(
                    code,
                    Severity::Info,
                    name,
                    format!("{policy} has no effect for {name}: nginx passes its bytes on unread"),
                )
                .scope([policy, service]),
            );
        }
    }
}

/// Whether every listener by which a route is reached, of Gateways and ListenerSets, passes TLS through.
fn only_passthrough(context: &Context<'_>, rule: &RuleInUse<'_>) -> bool {
    let topology = context.topology;
    let snapshot = context.snapshot;
    let mut any = false;
    for place in topology.places(&rule.route.reference) {
        if !matches!(topology.node(place).what, NodeKind::Route { .. }) {
            continue;
        }
        let above = topology.above(place, |node| match &node.what {
            NodeKind::Listener { name } => Some((node.object.as_ref()?, name.as_str())),
            _ => None,
        });
        let Some((owner, name)) = above else {
            continue;
        };
        let of_gateway = snapshot
            .gateways
            .get(owner)
            .map(|found| &found.spec.listeners);
        let of_set = || {
            snapshot
                .listener_sets
                .get(owner)
                .map(|found| &found.spec.listeners)
        };
        let mut listeners = of_gateway.or_else(of_set).into_iter().flatten();
        let listener = listeners.find(|listener| listener.name == name);
        if listener.is_none_or(|listener| listener.tls_mode.as_deref() != Some("Passthrough")) {
            return false;
        }
        any = true;
    }
    any
}

pub(in crate::diagnosis) const R18: Rule = Rule {
    code: Code::R18,
    severity: Severity::Error,
    title: "A TLSRoute has more than one rule or backend, and NGF refuses the whole route",
    explanation: "NGF accepts TLSRoutes with exactly one rule that has exactly one backend. Of another one it renders nothing, and nginx closes the connections of its clients.",
    remedy: "Leave one rule and one backend; spread the load behind one Service.",
    causes: &[Code::S4],
    needs: &[Need::Paths],
    check: |context, findings| {
        for rule in context.rules.iter().filter(|rule| rule.index == 0) {
            let route = rule.route;
            let name = &route.reference;
            if name.kind != Kind::TLSRoute || has_one_backend(&route.spec) {
                continue;
            }
            let told = route
                .status
                .parents
                .iter()
                .flat_map(|parent| &parent.conditions);
            let told = told.into_iter().find(|said| {
                said.status == "False" && said.message.contains("exactly one Rule and BackendRef")
            });
            findings.explain(name, "ResolvedRefs");
            findings.explain(name, "Accepted");
            let backends: usize = route
                .spec
                .rules
                .iter()
                .map(|rule| rule.backend_refs.len())
                .sum();
            findings.add(
                Finding::new(
                    Code::R18,
                    Severity::Error,
                    name,
                    format!("NGF refuses {name}: it has {} rules with {backends} backends, and NGF accepts one rule with one backend", route.spec.rules.len()),
                )
                .condition_if(name, told)
                .mark(rule.mark())
                .breaks("nginx closes the connections of its clients")
                .remedy(Remedy::say("Leave one rule and one backend in the TLSRoute.")),
            );
        }
    },
};

/// `buildTLSRoute`.
pub(in crate::diagnosis) fn has_one_backend(route: &crate::model::kinds::Route) -> bool {
    matches!(route.rules.as_slice(), [only] if only.backend_refs.len() == 1)
}

pub(in crate::diagnosis) const R16: Rule = Rule {
    code: Code::R16,
    severity: Severity::Error,
    title: "No listener takes a route, and clients get 404",
    explanation: "A route attaches where a parentRef names a listener that exists, allows its kind and namespace, and shares a host name with it.",
    remedy: "Correct the parentRef, the host names or the listener's allowedRoutes.",
    causes: &[Code::P1],
    needs: &[Need::Paths],
    check: |context, findings| {
        for (name, why) in context.unattached() {
            let Some(route) = context.snapshot.routes.get(name) else {
                continue;
            };
            let (ours, mut proven) = parents_are_ours(context, route);
            proven &= !context.topology.is_undecided(name);
            if !ours {
                continue;
            }
            let reported = route
                .status
                .parents
                .iter()
                .flat_map(|parent| &parent.conditions)
                .find(|condition| condition.kind == "Accepted" && condition.status == "False");
            let mut finding = Finding::new(
                Code::R16,
                Severity::Error,
                name,
                format!("No listener takes {name}: {why}"),
            )
            .condition_if(name, reported)
            .breaks("clients get 404")
            .remedy(change::listener(context, name).unwrap_or_else(|| {
                Remedy::command(
                    "Compare the route's parentRefs and host names with the Gateway's listeners.",
                    Command::kubectl(&name.namespace)
                        .words(["get", name.kind.info().plural])
                        .name(name.kind, &name.name)
                        .words(["-o", "yaml"]),
                )
            }));
            if !proven && reported.is_none() {
                finding.severity = if context.is_files() {
                    Severity::Info
                } else {
                    Severity::Warning
                };
                finding = finding.unknown();
            }
            findings.explain(name, "Accepted");
            findings.add(finding);
        }
    },
};

/// The snippet that lets nginx present a Secret's certificate to backends over gRPC.
fn grpc_certificate(namespace: &str, secret: &ObjectRef) -> Remedy {
    let summary = "A SnippetsFilter can add it, where snippets are allowed.";
    // A name becomes a part of nginx's configuration here.
    if let Err(why) = names::of_object(secret) {
        return Remedy::say(format!("{summary} {why}, so no snippet is shown."));
    }
    let file = key_pair_file(&secret.namespace, &secret.name);
    Remedy::manifest(
        summary,
        &json!({
            "apiVersion": "gateway.nginx.org/v1alpha1",
            "kind": "SnippetsFilter",
            "metadata": {"name": "grpc-client-certificate", "namespace": namespace},
            "spec": {"snippets": [{
                "context": "http.server.location",
                "value": format!("grpc_ssl_certificate {file};\ngrpc_ssl_certificate_key {file};\n"),
            }]},
        }),
    )
}

/// Whether a route means one of NGF's Gateways, or one that does not exist; and whether that is
/// certain.
fn parents_are_ours(
    context: &Context<'_>,
    route: &crate::model::object::Object<crate::model::kinds::Route>,
) -> (bool, bool) {
    let mut ours = false;
    let mut proven = true;
    for reference in &route.spec.parent_refs {
        let Some(parent) =
            crate::model::attachment::parent_of(reference, &route.reference.namespace)
        else {
            continue;
        };
        if parent.kind == Kind::Gateway && context.snapshot.gateways.contains_key(&parent) {
            ours |= context.gateways.contains_key(&parent);
        } else if let Some(set) = context.snapshot.listener_sets.get(&parent) {
            ours |= context
                .gateways
                .contains_key(&crate::model::topology::gateway_of(set));
        } else {
            ours = true;
            proven &= known::absence_is_proven(context.snapshot, &parent).is_ok();
        }
    }
    (ours, proven)
}
