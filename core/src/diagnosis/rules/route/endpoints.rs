//! R8 and N3: backends without a ready endpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::{Context, RuleInUse},
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        ngf::{BackendDecision, BackendState, cluster_ip::cluster_ip, known},
        plan::NAMES_ONLY,
        rule::{Need, Rule},
        rules::{cert_manager::issuer_of, logs::refused_by_backend},
        words::{answer, list},
    },
    logs::Meaning,
    model::{
        index::{Endpoint, NoEndpoints},
        kind::Kind,
        kinds::{EndpointSlice, Service},
        object::{Object, ObjectRef},
        snapshot::Lookup,
    },
};

pub(in crate::diagnosis) const R8: Rule = Rule {
    code: Code::R8,
    severity: Severity::Error,
    title: "A backend with a TLS policy has no ready endpoint, and clients get 502 instead of 503",
    explanation: "For HTTPRoutes and GRPCRoutes NGF sends the request to a plain 503 server of its own, but with https://: nginx logs `wrong version number` (with OpenSSL 3.2 to 3.5 `packet length too long`), and clients get 502.",
    remedy: "Make an endpoint ready.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods],
    check: |context, findings| no_endpoints(context, findings, Code::R8),
};

pub(in crate::diagnosis) const N3: Rule = Rule {
    code: Code::N3,
    severity: Severity::Error,
    title: "A backend has no ready endpoint",
    explanation: "nginx is given ready endpoints only. A Service without any has no pods that meet its selector, none that is ready, or a targetPort that names no port of the pods. Clients of HTTPRoutes and GRPCRoutes get 503. For a TLSRoute nginx closes the connection; for a TCPRoute or UDPRoute NGF leaves out the port, and nobody listens there. With useClusterIP (NGF 2.7) nginx connects to the Service's ClusterIP, where nobody answers: clients get 502 or 504.",
    remedy: "Make an endpoint ready: look at the pods, the selector and the targetPort.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods, Need::NginxProxies],
    check: |context, findings| no_endpoints(context, findings, Code::N3),
};

fn no_endpoints(context: &Context<'_>, findings: &mut Findings, code: Code) {
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
            // No request goes to a weight of 0.
            if backend.reference.weight != 0 && speaks && encrypted == (code == Code::R8) {
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
        let wants_it_said = !context.running.release.trusts_silent_endpoints();
        let ready = endpoints
            .iter()
            .any(|endpoint| endpoint.ready && (endpoint.says_ready || !wants_it_said));
        let unlabelled = unlabelled(context, service);
        if ready || unlabelled.is_none() && !endpoints_are_known(context, name) {
            continue;
        }
        let unsaid = endpoints.iter().any(|endpoint| endpoint.ready);
        let why = context.index.why_none_ready(service, port);
        let scaled = scaled_to_zero(context, service);
        let because = if let Some(slice) = unlabelled {
            format!(
                "{slice} lacks the label {SERVICE_NAME}: {}, so it belongs to no Service",
                name.name
            )
        } else if unsaid {
            format!(
                "its EndpointSlices leave out conditions.ready, which NGF {} takes for not ready",
                context.running.release
            )
        } else if let Some(workload) = scaled {
            format!("{workload} is scaled to 0")
        } else {
            reason(&why, starting(context, service))
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
        .scope(unlabelled)
        .scope(scaled)
        .remedy(if let Some(slice) = unlabelled {
            Remedy::merge(
                format!("Give {slice} the label {SERVICE_NAME}: {}.", name.name),
                slice,
                json!({"metadata": {"labels": {SERVICE_NAME: name.name}}}),
            )
        } else if let Some(workload) = scaled {
            Remedy::command(
                format!("Scale {workload} up."),
                Command::kubectl(&workload.namespace)
                    .words(["scale"])
                    .object(workload)
                    .words(["--replicas=1"]),
            )
        } else if unsaid {
            Remedy::say("Write conditions: {ready: true} into each endpoint of its EndpointSlices.")
        } else {
            endpoint_remedy(name, &service.spec.selector, &why)
        });
        if code == Code::R8 {
            finding = finding.because("NGF sends the request with https:// to its own plain 503 server, so the log says `wrong version number` or `packet length too long`: it is not the backend's TLS that fails.");
        }
        finding = why_not_ready(context, service, &endpoints, finding);
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
    code: Code,
) -> String {
    let route = &rule.route.reference;
    let clients = backend.service.as_ref().map_or_else(
        || format!("clients of {route}"),
        |service| context.clients(route, rule.index, service),
    );
    match route.kind {
        Kind::TLSRoute => format!("nginx closes the connections of clients of {route}"),
        Kind::TCPRoute => {
            format!("NGF leaves out the port of {route}: connections of its clients are refused")
        }
        Kind::UDPRoute => {
            format!("NGF leaves out the port of {route}: nothing answers its clients")
        }
        _ if by_cluster_ip(context, rule, backend) => format!(
            "nginx connects to the Service's ClusterIP, where nobody answers: {clients} get 502 or 504"
        ),
        _ if code == Code::R8 => format!("{clients} get {}", answer(route.kind, 502)),
        _ => format!("{clients} get {}", answer(route.kind, 503)),
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

/// The Deployment behind a Service whose only fault is that nobody wants a pod of it.
fn scaled_to_zero<'a>(context: &Context<'a>, service: &Object<Service>) -> Option<&'a ObjectRef> {
    let mut behind = context
        .snapshot
        .workloads
        .iter()
        .filter(|(name, workload)| {
            name.namespace == service.reference.namespace
                && service.spec.selects(&workload.spec.template.labels)
        });
    let (name, workload) = behind.next()?;
    // A DaemonSet wants as many pods as there are nodes for it.
    let is_zero = workload.spec.desired == 0 && name.kind == Kind::Deployment;
    (is_zero && behind.next().is_none()).then_some(name)
}

/// What the pods and their logs say of why no endpoint is ready.
fn why_not_ready(
    context: &Context<'_>,
    service: &Object<Service>,
    endpoints: &[Endpoint],
    mut finding: Finding,
) -> Finding {
    let selected = context.snapshot.pods.iter().filter(|(name, pod)| {
        name.namespace == service.reference.namespace && service.spec.selects(&pod.meta.labels)
    });
    let mut pods: BTreeSet<&ObjectRef> = selected.map(|(name, _)| name).take(PODS).collect();
    pods.extend(
        endpoints
            .iter()
            .filter_map(|endpoint| endpoint.pod.as_ref())
            .take(PODS),
    );
    for name in &pods {
        let Some(pod) = context.snapshot.pods.get(*name) else {
            continue;
        };
        let mut waiting = pod.status.containers.iter().filter(|container| {
            !container.ready
                && (container.state.starts_with("waiting")
                    || container.state.starts_with("terminated"))
        });
        if let Some(container) = waiting.next()
            && finding.evidence.len() < 2
        {
            finding = finding.evidence(
                format!("container {}", container.name),
                format!(
                    "{}, restarted {} times",
                    container.state, container.restarts
                ),
                name.to_string(),
            );
        }
    }
    for (log, counted) in refused_by_backend(context, &pods).into_iter().take(2) {
        let Meaning::ConfigurationRefused { file, reason } = &counted.last_line.what else {
            continue;
        };
        // Pods of one Deployment fail for one reason, which is told once.
        let why = format!("Its nginx does not start: {reason}");
        let is_new = !finding.detail.contains(&why);
        if is_new {
            finding = finding.because(why);
        }
        finding = finding.evidence("logged", counted.last_line.text.clone(), log.place());
        if is_new && let Some((source, key)) = missing_key(context, service, file.as_deref()) {
            finding = finding
                .because(format!(
                    "{source}, which the pod mounts there, has no key {key}."
                ))
                .scope([&source])
                .remedy(Remedy::say(format!(
                    "Give {source} the key {key} again; the pod then starts."
                )));
        }
    }
    if finding.evidence.is_empty()
        || !finding
            .detail
            .iter()
            .any(|told| told.contains("has no key"))
    {
        // Without a log, what is missing from the Secret is all that is known.
        for (source, key) in lost_ca(context, service) {
            finding = finding
                .because(format!("{source}, which its pods mount with its certificate, has no {key}: a server that verifies clients by it may not start."))
                .scope([&source]);
        }
    }
    finding
}

/// Pods of a Service that are looked at.
const PODS: usize = 8;

/// The mounted Secret or ConfigMap that lacks the file that nginx could not open.
fn missing_key(
    context: &Context<'_>,
    service: &Object<Service>,
    file: Option<&str>,
) -> Option<(ObjectRef, String)> {
    let (directory, key) = file?.rsplit_once('/')?;
    let mounted = context.mounted(service);
    let source = mounted
        .iter()
        .find(|mounted| mounted.path.trim_end_matches('/') == directory)
        .map(|mounted| mounted.source.clone())?;
    let has = if source.kind == Kind::Secret {
        match known::secret(context.snapshot, &source) {
            Lookup::Found(secret) => secret.spec.keys.contains_key(key),
            _ => return None,
        }
    } else {
        match known::config_map(context.snapshot, &source) {
            Lookup::Found(map) => map.spec.keys.contains_key(key),
            _ => return None,
        }
    };
    (!has).then(|| (source, key.to_owned()))
}

/// TLS Secrets that the pods mount and that have a certificate and no ca.crt, although their issuer gives
/// one.
fn lost_ca(context: &Context<'_>, service: &Object<Service>) -> Vec<(ObjectRef, &'static str)> {
    let mounted = context.mounted(service);
    let lost = mounted.iter().filter(|mounted| {
        let Lookup::Found(secret) = known::secret(context.snapshot, &mounted.source) else {
            return false;
        };
        let gives_one = context
            .writer(&mounted.source)
            .and_then(|writer| context.snapshot.certificates.get(writer))
            .and_then(|certificate| issuer_of(context.snapshot, certificate))
            .is_some_and(|issuer| matches!(issuer.spec.issuer_type.as_str(), "ca" | "selfSigned"));
        mounted.source.kind == Kind::Secret
            && secret.spec.keys.contains_key("tls.crt")
            && !secret.spec.keys.contains_key("ca.crt")
            && gives_one
    });
    lost.map(|mounted| (mounted.source.clone(), "ca.crt"))
        .collect()
}

/// The label by which an EndpointSlice belongs to a Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// An EndpointSlice that was written for a Service without selector, by its name or its owner, and that
/// no label ties to one.
fn unlabelled<'a>(context: &Context<'a>, service: &Object<Service>) -> Option<&'a ObjectRef> {
    let name = &service.reference;
    if context.index.has_slices(name) {
        return None;
    }
    let is_meant = |slice: &Object<EndpointSlice>| {
        let named = slice.reference.name.strip_prefix(&name.name);
        let is_named = named.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        let mut owners = slice.meta.owners.iter();
        let is_owned = owners.any(|owner| owner.kind == "Service" && owner.name == name.name);
        let port = |(port, _): &(String, _)| service.spec.ports.iter().any(|own| own.name == *port);
        (is_named || is_owned) && slice.spec.ports.iter().any(port)
    };
    // A label that names no Service is no better than none.
    let is_lost = |slice: &Object<EndpointSlice>| match &slice.spec.service {
        None => true,
        Some(other) => {
            let other = ObjectRef::new(Kind::Service, &name.namespace, other);
            context.index.service(&other).is_none() && !context.is_files()
        }
    };
    let slices = context.snapshot.endpoint_slices.iter();
    slices
        .filter(|(slice, _)| slice.namespace == name.namespace)
        .find(|(_, slice)| is_lost(slice) && is_meant(slice))
        .map(|(slice, _)| slice)
}

fn endpoints_are_known(context: &Context<'_>, service: &ObjectRef) -> bool {
    let slice = ObjectRef::new(Kind::EndpointSlice, &service.namespace, "");
    known::absence_is_proven(context.snapshot, &slice).is_ok()
        // Whoever gives the slices of a Service in files gives all of them.
        || context.index.has_slices(service)
}

/// How many pods a Service selects that have no address yet: no EndpointSlice holds these.
fn starting(context: &Context<'_>, service: &Object<Service>) -> usize {
    let pods = context.snapshot.pods.values();
    pods.filter(|pod| {
        pod.reference.namespace == service.reference.namespace
            && service.spec.selects(&pod.meta.labels)
            && pod.status.ips.is_empty()
    })
    .count()
}

/// Why a Service has no endpoint, `starting` of whose pods have no address yet.
fn reason(why: &NoEndpoints, starting: usize) -> String {
    match (why, starting) {
        (NoEndpoints::NoAddresses, 1) => return "its only pod has not started".to_owned(),
        (NoEndpoints::NoAddresses, 2..) => {
            return format!("none of its {starting} pods has started");
        }
        _ => {}
    }
    match why {
        NoEndpoints::NoSlices => "it has no EndpointSlice".to_owned(),
        NoEndpoints::NoSuchPort { name, found } => format!(
            "its targetPort names no port of the pods (no EndpointSlice has a port {name:?}, only {})",
            list(found.iter().map(|name| format!("{name:?}")), 4)
        ),
        NoEndpoints::NamesOnly => NAMES_ONLY.to_owned(),
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
        NoEndpoints::NamesOnly => Remedy::say(format!(
            "Write EndpointSlices of {service} with addresses, or make it an ExternalName Service."
        )),
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
