//! R and N: routes and the endpoints behind them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnosis::{
        context::{Context, RuleInUse},
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::{BackendDecision, BackendState, ClientCertificate, known},
        registry::Rule,
        rules::client_certificate::{grant, upper},
        words::{condition, list},
    },
    model::{index::NoEndpoints, kind::Kind, object::ObjectRef, snapshot::Snapshot},
};

/// Says that the ResolvedRefs condition of a rule's route is explained, for each parent.
pub(super) fn explain_resolved_refs(
    _context: &Context<'_>,
    findings: &mut Findings,
    rule: &RuleInUse<'_>,
) {
    findings.explain(&rule.route.reference, "ResolvedRefs");
}

pub(in crate::diagnosis) const R1: Rule = Rule {
    code: "NGF-R1",
    severity: Severity::Error,
    title: "The backends of a rule have different TLS policies, and clients get 500",
    explanation: "NGF renders one set of proxy_ssl_* directives for a rule. It compares CA references and hostnames of the backends' policies, filters' backends included; two policies with wellKnownCACertificates never count as equal. Where they differ, it answers 500 for all backends of the rule.",
    remedy: "Use one policy with several targetRefs, or split the rule.",
    causes: &[],
    check: |context, findings| {
        for rule in context.rules.iter().filter(|rule| rule.decision.mismatch) {
            let name = &rule.route.reference;
            let mut finding = Finding::new(
                "NGF-R1",
                Severity::Error,
                name,
                format!("Clients of {name} get 500: the backends of rule {} have different TLS policies", rule.index),
            )
            .mark(rule.mark())
            .remedy(Remedy::say("Let one BackendTLSPolicy target all Services of the rule, or give each its own rule."));
            for backend in &rule.decision.backends {
                let policy = backend.state.policy().map_or_else(
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
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const R2: Rule = Rule {
    code: "NGF-R2",
    severity: Severity::Error,
    title: "A backend without TLS policy shares a rule with one that has one, and nginx speaks TLS to both",
    explanation: "NGF's comparison of policies looks only at what follows the first backend with a policy. With a plain backend before it, the rule passes, and one https:// is rendered for all: the plain backend gets a ClientHello.",
    remedy: "Give the plain backend a rule of its own, or a policy.",
    causes: &["NGF-T12"],
    check: |context, findings| {
        for rule in context.rules.iter().filter(|rule| rule.decision.spills) {
            let name = &rule.route.reference;
            let plain: Vec<&BackendDecision<'_>> = rule
                .decision
                .backends
                .iter()
                .filter(|backend| !backend.filter && matches!(backend.state, BackendState::Plain))
                .collect();
            let labels = list(plain.iter().map(|backend| backend.label()), 3);
            let mut finding = Finding::new(
                "NGF-R2",
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

macro_rules! invalid {
    ($name:ident, $code:literal, $title:literal, $explanation:literal, $remedy:literal) => {
        pub(in crate::diagnosis) const $name: Rule = Rule {
            code: $code,
            severity: Severity::Error,
            title: $title,
            explanation: $explanation,
            remedy: $remedy,
            causes: &[],
            check: |context, findings| invalid(context, findings, $code),
        };
    };
}

invalid!(
    R3,
    "NGF-R3",
    "A route's backend does not exist, or has no such port",
    "NGF keeps the route and answers 500 for the backend.",
    "Create the Service, or correct its name, namespace or port in the route."
);
invalid!(
    R4,
    "NGF-R4",
    "No ReferenceGrant lets the route use a Service of another namespace",
    "A route may refer to a Service of another namespace only where a ReferenceGrant there allows it. NGF answers 500 for the backend.",
    "Create the ReferenceGrant in the Service's namespace."
);
invalid!(
    R5,
    "NGF-R5",
    "The Service port's appProtocol is none that this kind of route takes",
    "NGF knows kubernetes.io/h2c, ws and wss; wss needs a BackendTLSPolicy. `appProtocol: https` means nothing to it and does not turn TLS on. NGF answers 500 for the backend.",
    "Correct the appProtocol, or add the BackendTLSPolicy."
);
invalid!(
    R17,
    "NGF-R17",
    "A route's backend is of a kind that NGF does not take",
    "NGF takes Services, and InferencePools in HTTPRoutes. It answers 500 for anything else.",
    "Refer to a Service."
);

/// One finding for each missing Service, port or grant, however many rules refer to it.
fn invalid(context: &Context<'_>, findings: &mut Findings, code: &'static str) {
    type Users<'c, 'a> = Vec<(&'c RuleInUse<'a>, &'c BackendDecision<'a>)>;
    let mut by_backend: BTreeMap<(String, &str, &str), Users<'_, '_>> = BTreeMap::new();
    for rule in &context.rules {
        for backend in &rule.decision.backends {
            if let BackendState::Invalid(fault) = &backend.state
                && fault.code == code
            {
                let from = if code == "NGF-R4" {
                    rule.route.reference.namespace.as_str()
                } else {
                    ""
                };
                let kind = rule.route.reference.kind.name();
                let kind = if code == "NGF-R3" { "" } else { kind };
                let key = (backend.label(), from, kind);
                by_backend.entry(key).or_default().push((rule, backend));
            }
        }
    }
    for users in by_backend.values() {
        let Some((rule, backend)) = users.first() else {
            continue;
        };
        let BackendState::Invalid(fault) = &backend.state else {
            continue;
        };
        let routes: BTreeSet<&ObjectRef> = users
            .iter()
            .map(|(rule, _)| &rule.route.reference)
            .collect();
        let mut finding = Finding::new(
            code,
            Severity::Error,
            &rule.route.reference,
            invalid_title(context, code, backend, &routes),
        )
        .evidence(
            "NGF says",
            &fault.message,
            "by what it checks in the objects",
        )
        .scope(backend.service.iter())
        .mark_objects(routes.iter().copied());
        for (rule, backend) in users {
            finding = finding.mark(rule.mark());
            finding.marks.extend(backend.mark());
            explain_resolved_refs(context, findings, rule);
            for parent in &rule.route.spec.parents {
                finding = match condition(&parent.conditions, "ResolvedRefs") {
                    Some(reported) if reported.status == "False" && finding.evidence.len() < 3 => {
                        finding.condition(&rule.route.reference, reported)
                    }
                    _ => finding,
                };
            }
        }
        if let Some(remedy) = invalid_remedy(context, code, rule, backend) {
            finding = finding.remedy(remedy);
        }
        findings.add(finding.breaks(format!("clients of {} get 500 for it", list(&routes, 3))));
    }
}

fn invalid_title(
    context: &Context<'_>,
    code: &str,
    backend: &BackendDecision<'_>,
    routes: &BTreeSet<&ObjectRef>,
) -> String {
    let users = list(routes, 2);
    let label = backend.label();
    let Some(service) = &backend.service else {
        return format!("{users} refers to {label}, which is no Service");
    };
    match code {
        "NGF-R4" => format!("No ReferenceGrant lets {users} use {service}"),
        "NGF-R5" => {
            let protocol = backend
                .port
                .and_then(|(_, port)| port.app_protocol.clone())
                .unwrap_or_default();
            format!("{users} cannot use {label}: its appProtocol is {protocol}")
        }
        _ if context.index.service(service).is_none() => {
            format!("{users} refers to {service}, which does not exist")
        }
        _ if backend.reference.target.port.is_none() => {
            format!("{users} refers to {service} without a port")
        }
        _ => {
            let port = backend.reference.target.port.unwrap_or_default();
            format!("{users} refers to port {port} of {service}, which has no such port")
        }
    }
}

fn invalid_remedy(
    context: &Context<'_>,
    code: &str,
    rule: &RuleInUse<'_>,
    backend: &BackendDecision<'_>,
) -> Option<Remedy> {
    let service = backend.service.as_ref()?;
    Some(match code {
        "NGF-R4" => Remedy::yaml(
            format!(
                "Allow it with a ReferenceGrant in namespace {}.",
                service.namespace
            ),
            grant(
                rule.route.reference.kind.name(),
                &rule.route.reference.namespace,
                "Service",
                &service.namespace,
                &service.name,
            ),
        ),
        "NGF-R5" => Remedy::say(
            "Remove the appProtocol, set one that the route can use, or add a BackendTLSPolicy for wss.",
        ),
        _ => match context.index.service(service) {
            Some(found) => Remedy::say(format!(
                "Use one of its ports: {}.",
                list(
                    found.spec.ports.iter().map(|port| if port.name.is_empty() {
                        port.port.to_string()
                    } else {
                        format!("{} ({})", port.port, port.name)
                    }),
                    8
                )
            )),
            None => Remedy::command(
                format!("Create {service}, or correct the name in the route."),
                format!("kubectl -n {} get services", service.namespace),
            ),
        },
    })
}

pub(in crate::diagnosis) const K2: Rule = Rule {
    code: "NGF-K2",
    severity: Severity::Info,
    title: "What a route or Gateway refers to is not known",
    explanation: "The object could not be read, or is not in the files: what nginx does with it cannot be said.",
    remedy: "Grant read access to it, or add it to the files.",
    causes: &[],
    check: |context, findings| {
        let mut unknown: BTreeMap<String, (Finding, BTreeSet<&ObjectRef>)> = BTreeMap::new();
        for rule in &context.rules {
            for backend in &rule.decision.backends {
                let BackendState::Unknown(why) = &backend.state else {
                    continue;
                };
                let Some(service) = &backend.service else {
                    continue;
                };
                let severity = if context.is_files() {
                    Severity::Info
                } else {
                    Severity::Warning
                };
                let (finding, routes) = unknown.entry(why.clone()).or_insert_with(|| {
                    let unread = [Kind::Service, Kind::BackendTLSPolicy, Kind::ReferenceGrant]
                        .into_iter()
                        .filter(|kind| known::kind_is_known(context.snapshot, *kind).is_err())
                        .map(|kind| ObjectRef::new(kind, "", "*"))
                        .collect::<Vec<_>>();
                    let finding = Finding::new(
                        "NGF-K2",
                        severity,
                        &rule.route.reference,
                        format!("How nginx speaks to {service} is unknown"),
                    )
                    .scope(&unread);
                    (
                        finding.unknown().because(format!("{}.", upper(why))),
                        BTreeSet::new(),
                    )
                });
                routes.insert(&rule.route.reference);
                *finding =
                    std::mem::replace(finding, Finding::new("NGF-K2", severity, service, ""))
                        .scope([service])
                        .mark(rule.mark());
                finding.marks.extend(backend.mark());
            }
        }
        for (finding, _) in unknown.into_values() {
            findings.add(finding);
        }
    },
};

pub(in crate::diagnosis) const R7: Rule = Rule {
    code: "NGF-R7",
    severity: Severity::Error,
    title: "An ExternalName Service needs a DNS resolver in the Gateway's NginxProxy",
    explanation: "nginx resolves an ExternalName at run time, and NGF wants to be told by which server: without NginxProxy's dnsResolver it answers 500.",
    remedy: "Set spec.dnsResolver in the NginxProxy.",
    causes: &[],
    check: |context, findings| {
        for rule in &context.rules {
            let name = &rule.route.reference;
            let reported = rule
                .route
                .spec
                .parents
                .iter()
                .flat_map(|parent| &parent.conditions)
                .find(|condition| {
                    condition.status == "False"
                        && condition.message.contains("DNS resolver configuration")
                });
            if let Some(reported) = reported
                && rule.index == 0
            {
                findings.explain(name, &reported.kind);
                findings.add(
                    Finding::new(
                        "NGF-R7",
                        Severity::Error,
                        name,
                        format!("Clients of {name} get 500: its ExternalName Service needs a DNS resolver in the NginxProxy"),
                    )
                    .condition(name, reported)
                    .mark(rule.mark())
                    .remedy(Remedy::yaml(
                        "Name a resolver in the Gateway's NginxProxy.",
                        "spec:\n  dnsResolver:\n    addresses:\n    - type: IPAddress\n      value: 10.96.0.10\n",
                    )),
                );
            }
        }
    },
};

pub(in crate::diagnosis) const R8: Rule = Rule {
    code: "NGF-R8",
    severity: Severity::Error,
    title: "A backend with a TLS policy has no ready endpoint, and clients get 502 instead of 503",
    explanation: "NGF sends the request to a plain 503 server of its own, but with https://: nginx logs `wrong version number`, and clients get 502.",
    remedy: "Make an endpoint ready.",
    causes: &[],
    check: |context, findings| no_endpoints(context, findings, "NGF-R8"),
};

pub(in crate::diagnosis) const N3: Rule = Rule {
    code: "NGF-N3",
    severity: Severity::Error,
    title: "A backend has no ready endpoint, and clients get 503",
    explanation: "nginx is given ready endpoints only. A Service without any has no pods that meet its selector, none that is ready, or a targetPort that names no port of the pods.",
    remedy: "Make an endpoint ready: look at the pods, the selector and the targetPort.",
    causes: &[],
    check: |context, findings| no_endpoints(context, findings, "NGF-N3"),
};

fn no_endpoints(context: &Context<'_>, findings: &mut Findings, code: &'static str) {
    let mut by_port: BTreeMap<(&ObjectRef, u16), Vec<(&RuleInUse<'_>, &BackendDecision<'_>)>> =
        BTreeMap::new();
    for rule in &context.rules {
        for backend in &rule.decision.backends {
            let Some((service, port)) = backend.port else {
                continue;
            };
            let encrypted = super::policy::is_tls(&backend.state)
                || rule.decision.spills && matches!(backend.state, BackendState::Plain);
            let speaks = encrypted || matches!(backend.state, BackendState::Plain);
            if speaks && encrypted == (code == "NGF-R8") {
                by_port
                    .entry((&service.reference, port.port))
                    .or_default()
                    .push((rule, backend));
            }
        }
    }
    for ((name, number), users) in by_port {
        let Some((service, port)) = users.first().and_then(|(_, backend)| backend.port) else {
            continue;
        };
        let ready = context
            .index
            .endpoints(service, port)
            .iter()
            .any(|endpoint| endpoint.ready);
        if ready || !endpoints_are_known(context.snapshot, name) {
            continue;
        }
        let why = context.index.why_none_ready(service, port);
        let routes: BTreeSet<&ObjectRef> = users
            .iter()
            .map(|(rule, _)| &rule.route.reference)
            .collect();
        let status = if code == "NGF-R8" { 502 } else { 503 };
        let mut finding = Finding::new(
            code,
            Severity::Error,
            name,
            format!("{name}:{number} has no ready endpoint: {}", reason(&why)),
        )
        .scope(routes.iter().copied())
        .breaks(format!("clients of {} get {status}", list(&routes, 3)))
        .remedy(endpoint_remedy(name, &service.spec.selector, &why));
        if code == "NGF-R8" {
            finding = finding.because("NGF sends the request with https:// to its own plain 503 server, so the log says `wrong version number`: it is not the backend's TLS that fails.");
        }
        for (rule, backend) in users {
            finding = finding.mark(rule.mark());
            finding.marks.extend(backend.mark());
        }
        findings.add(finding);
    }
}

fn endpoints_are_known(snapshot: &Snapshot, service: &ObjectRef) -> bool {
    let slice = ObjectRef::new(Kind::EndpointSlice, &service.namespace, "");
    known::absence_is_proven(snapshot, &slice).is_ok()
        // Whoever gives the slices of a Service in files gives all of them.
        || snapshot.endpoint_slices.values().any(|slice| {
            slice.reference.namespace == service.namespace
                && slice.spec.service.as_deref() == Some(&service.name)
        })
}

fn reason(why: &NoEndpoints) -> String {
    match why {
        NoEndpoints::NoSlices => "it has no EndpointSlice".to_owned(),
        NoEndpoints::NoSuchPort { name, found } => format!(
            "its targetPort names no port of the pods (no EndpointSlice has a port {name:?}, only {})",
            list(found.iter().map(|name| format!("{name:?}")), 4)
        ),
        NoEndpoints::NoneReady(1) => "its only endpoint is not ready".to_owned(),
        NoEndpoints::NoneReady(count) => format!("none of its {count} endpoints is ready"),
        NoEndpoints::NoAddresses => "no pod meets its selector".to_owned(),
    }
}

fn endpoint_remedy(
    service: &ObjectRef,
    selector: &BTreeMap<String, String>,
    why: &NoEndpoints,
) -> Remedy {
    let labels: Vec<String> = selector
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    match why {
        NoEndpoints::NoSuchPort { .. } => Remedy::command(
            "Correct the Service's targetPort: a name must be that of a container's port.",
            format!(
                "kubectl -n {} get service {} -o jsonpath='{{.spec.ports}}'",
                service.namespace, service.name
            ),
        ),
        _ if labels.is_empty() => {
            Remedy::say("The Service has no selector: write its EndpointSlices, or give it one.")
        }
        _ => Remedy::command(
            "Look at the pods that the Service selects, and why they are not ready.",
            format!(
                "kubectl -n {} get pods -l {}",
                service.namespace,
                labels.join(",")
            ),
        ),
    }
}

pub(in crate::diagnosis) const R9: Rule = Rule {
    code: "NGF-R9",
    severity: Severity::Warning,
    title: "nginx presents no client certificate to the backends of a GRPCRoute",
    explanation: "NGF renders proxy_ssl_certificate for the Gateway, which grpc_pass does not look at, and never grpc_ssl_certificate. A backend that demands a client certificate answers 400.",
    remedy: "None within NGF but a SnippetsFilter with grpc_ssl_certificate; or let the backend not demand one.",
    causes: &["NGF-B1", "NGF-B10", "NGF-B11"],
    check: |context, findings| {
        let mut by_gateway: BTreeMap<&ObjectRef, Vec<&RuleInUse<'_>>> = BTreeMap::new();
        for rule in &context.rules {
            let encrypted = rule
                .decision
                .backends
                .iter()
                .any(|backend| super::policy::is_tls(&backend.state));
            if rule.route.reference.kind == Kind::GRPCRoute && encrypted {
                for gateway in &rule.gateways {
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
                "NGF-R9",
                Severity::Warning,
                &rules[0].route.reference,
                format!("nginx presents no client certificate to the backends of {}", list(&routes, 3)),
            )
            .because(format!("{name} names {secret}, but NGF renders it for proxy_pass only, not for grpc_pass."))
            .scope([name, secret])
            .remedy(Remedy::yaml(
                "A SnippetsFilter can add it, where snippets are allowed.",
                format!(
                    "apiVersion: gateway.nginx.org/v1alpha1\nkind: SnippetsFilter\nmetadata:\n  name: grpc-client-certificate\n  namespace: {}\nspec:\n  snippets:\n  - context: http.server.location\n    value: |\n      grpc_ssl_certificate {file};\n      grpc_ssl_certificate_key {file};\n",
                    rules[0].route.reference.namespace,
                    file = crate::diagnosis::ngf::key_pair_file(&secret.namespace, &secret.name)
                ),
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
    code: "NGF-R11",
    severity: Severity::Info,
    title: "A BackendTLSPolicy targets a Service that nginx only passes bytes to",
    explanation: "On a Passthrough listener, and for TCPRoutes and UDPRoutes, nginx takes no part in the TLS between client and backend. The policy is Accepted all the same for a TLSRoute, and never consulted for TCP and UDP.",
    remedy: "Nothing, if that is meant; else use an HTTPRoute or a listener that terminates TLS.",
    causes: &[],
    check: |context, findings| {
        for rule in &context.rules {
            let kind = rule.route.reference.kind;
            let name = &rule.route.reference;
            for backend in &rule.decision.backends {
                let Some((service, port)) = backend.port else {
                    continue;
                };
                let policies = context.index.policies(&service.reference, &port.name);
                let Some(policy) = policies.first() else {
                    continue;
                };
                let passed = matches!(kind, Kind::TCPRoute | Kind::UDPRoute)
                    || kind == Kind::TLSRoute && only_passthrough(context, rule);
                if !passed {
                    continue;
                }
                let code = if kind == Kind::TLSRoute {
                    "NGF-R11"
                } else {
                    "NGF-R13"
                };
                if findings.has(code, name) {
                    continue;
                }
                findings.add(
                    Finding::new(
                        code,
                        Severity::Info,
                        name,
                        format!(
                            "{} has no effect for {name}: nginx passes its bytes on unread",
                            policy.reference
                        ),
                    )
                    .scope([&policy.reference, &service.reference]),
                );
            }
        }
    },
};

fn only_passthrough(context: &Context<'_>, rule: &RuleInUse<'_>) -> bool {
    rule.gateways.iter().all(|gateway| {
        context.gateways.get(*gateway).is_some_and(|(gateway, _)| {
            gateway
                .spec
                .listeners
                .iter()
                .filter(|listener| listener.protocol == "TLS")
                .all(|listener| listener.tls_mode.as_deref() == Some("Passthrough"))
        })
    })
}

pub(in crate::diagnosis) const R16: Rule = Rule {
    code: "NGF-R16",
    severity: Severity::Error,
    title: "No listener takes a route, and clients get 404",
    explanation: "A route attaches where a parentRef names a listener that exists, allows its kind and namespace, and shares a host name with it.",
    remedy: "Correct the parentRef, the host names or the listener's allowedRoutes.",
    causes: &[],
    check: |context, findings| {
        for (name, why) in context.unattached() {
            let Some(route) = context.snapshot.routes.get(name) else {
                continue;
            };
            let (ours, proven) = parents_are_ours(context, route);
            if !ours {
                continue;
            }
            let reported = route
                .spec
                .parents
                .iter()
                .flat_map(|parent| &parent.conditions)
                .find(|condition| condition.kind == "Accepted" && condition.status == "False");
            let mut finding = Finding::new(
                "NGF-R16",
                Severity::Error,
                name,
                format!("No listener takes {name}: {why}"),
            )
            .condition_if(name, reported)
            .breaks("clients get 404")
            .remedy(Remedy::command(
                "Compare the route's parentRefs and host names with the Gateway's listeners.",
                format!(
                    "kubectl -n {} get {} {} -o yaml",
                    name.namespace,
                    name.kind.info().plural,
                    name.name
                ),
            ));
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
        } else if context.snapshot.listener_sets.contains_key(&parent) {
            ours = true;
        } else {
            ours = true;
            proven &= known::absence_is_proven(context.snapshot, &parent).is_ok();
        }
    }
    (ours, proven)
}
