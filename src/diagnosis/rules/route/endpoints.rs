//! R8 and N3: backends without a ready endpoint.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    command::Command,
    diagnosis::{
        context::{Context, RuleInUse},
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{BackendDecision, BackendState, Release, cluster_ip::cluster_ip, known},
        registry::Rule,
        words::list,
    },
    model::{index::NoEndpoints, kind::Kind, object::ObjectRef},
};

pub(in crate::diagnosis) const R8: Rule = Rule {
    code: "NGF-R8",
    severity: Severity::Error,
    title: "A backend with a TLS policy has no ready endpoint, and clients get 502 instead of 503",
    explanation: "For HTTPRoutes and GRPCRoutes NGF sends the request to a plain 503 server of its own, but with https://: nginx logs `wrong version number` (with OpenSSL 3.2 to 3.5 `packet length too long`), and clients get 502.",
    remedy: "Make an endpoint ready.",
    causes: &[],
    check: |context, findings| no_endpoints(context, findings, "NGF-R8"),
};

pub(in crate::diagnosis) const N3: Rule = Rule {
    code: "NGF-N3",
    severity: Severity::Error,
    title: "A backend has no ready endpoint",
    explanation: "nginx is given ready endpoints only. A Service without any has no pods that meet its selector, none that is ready, or a targetPort that names no port of the pods. Clients of HTTPRoutes and GRPCRoutes get 503. For a TLSRoute nginx closes the connection; for a TCPRoute or UDPRoute NGF leaves out the port, and nobody listens there. With useClusterIP (NGF 2.7) nginx connects to the Service's ClusterIP, where nobody answers: clients get 502 or 504.",
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
            let speaks_tls = crate::diagnosis::rules::policy::is_tls(&backend.state)
                || rule.decision.spills && matches!(backend.state, BackendState::Plain);
            let speaks = speaks_tls || matches!(backend.state, BackendState::Plain);
            // Only NGF's own server for 503 answers TLS wrongly; a stream has none.
            let is_http = matches!(rule.route.reference.kind, Kind::HTTPRoute | Kind::GRPCRoute);
            let encrypted = speaks_tls && is_http && !by_cluster_ip(context, rule, backend);
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
        // Until 2.6 NGF takes an endpoint without `conditions.ready` for one that is not
        // (`endpointReady`), as Kubernetes itself does not.
        let endpoints = context.index.endpoints(service, port);
        let wants_it_said = context.running.release < Release::V2_7;
        let ready = endpoints
            .iter()
            .any(|endpoint| endpoint.ready && (endpoint.says_ready || !wants_it_said));
        if ready || !endpoints_are_known(context, name) {
            continue;
        }
        let unsaid = endpoints.iter().any(|endpoint| endpoint.ready);
        let why = context.index.why_none_ready(service, port);
        let because = if unsaid {
            format!(
                "its EndpointSlices leave out conditions.ready, which NGF {} takes for not ready",
                context.running.release
            )
        } else {
            reason(&why)
        };
        let routes: BTreeSet<&ObjectRef> = users
            .iter()
            .map(|(rule, _)| &rule.route.reference)
            .collect();
        let mut finding = Finding::new(
            code,
            Severity::Error,
            name,
            format!("{name}:{number} has no ready endpoint: {because}"),
        )
        .scope(routes.iter().copied())
        .remedy(if unsaid {
            Remedy::say("Write conditions: {ready: true} into each endpoint of its EndpointSlices.")
        } else {
            endpoint_remedy(name, &service.spec.selector, &why)
        });
        if code == "NGF-R8" {
            finding = finding.because("NGF sends the request with https:// to its own plain 503 server, so the log says `wrong version number` or `packet length too long`: it is not the backend's TLS that fails.");
        }
        let mut effects: BTreeSet<String> = BTreeSet::new();
        for (rule, backend) in users {
            finding = finding.mark(rule.mark());
            finding.marks.extend(backend.mark());
            effects.insert(effect(context, rule, backend, code));
        }
        for effect in effects {
            finding = finding.breaks(effect);
        }
        findings.add(finding);
    }
}

/// What clients of a rule's route get where a backend has no ready endpoint (`processLayer4Servers`,
/// `createStreamServers`).
fn effect(
    context: &Context<'_>,
    rule: &RuleInUse<'_>,
    backend: &BackendDecision<'_>,
    code: &str,
) -> String {
    let route = &rule.route.reference;
    match route.kind {
        Kind::TLSRoute => format!("nginx closes the connections of clients of {route}"),
        Kind::TCPRoute => {
            format!("NGF leaves out the port of {route}: connections of its clients are refused")
        }
        Kind::UDPRoute => {
            format!("NGF leaves out the port of {route}: nothing answers its clients")
        }
        _ if by_cluster_ip(context, rule, backend) => format!(
            "nginx connects to the Service's ClusterIP, where nobody answers: clients of {route} get 502 or 504"
        ),
        _ if code == "NGF-R8" => format!("clients of {route} get 502"),
        _ => format!("clients of {route} get 503"),
    }
}

/// Whether every Gateway of a rule gives nginx the Service's ClusterIP.
fn by_cluster_ip(
    context: &Context<'_>,
    rule: &RuleInUse<'_>,
    backend: &BackendDecision<'_>,
) -> bool {
    let Some((service, port)) = backend.port else {
        return false;
    };
    let release = context.running.release;
    let kind = rule.route.reference.kind;
    rule.gateways.iter().all(|gateway| {
        context.gateways.get(*gateway).is_some_and(|(found, _)| {
            cluster_ip(context.snapshot, release, found, kind, service, port).is_some()
        })
    })
}

fn endpoints_are_known(context: &Context<'_>, service: &ObjectRef) -> bool {
    let slice = ObjectRef::new(Kind::EndpointSlice, &service.namespace, "");
    known::absence_is_proven(context.snapshot, &slice).is_ok()
        // Whoever gives the slices of a Service in files gives all of them.
        || context.index.has_slices(service)
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
    match why {
        NoEndpoints::NoSuchPort { .. } => Remedy::command(
            "Correct the Service's targetPort: a name must be that of a container's port.",
            Command::kubectl(&service.namespace)
                .words(["get"])
                .object(service)
                .json_path("{.spec.ports}"),
        ),
        _ if selector.is_empty() => {
            Remedy::say("The Service has no selector: write its EndpointSlices, or give it one.")
        }
        _ => Remedy::command(
            "Look at the pods that the Service selects, and why they are not ready.",
            Command::kubectl(&service.namespace)
                .words(["get", "pods"])
                .labels(selector),
        ),
    }
}
