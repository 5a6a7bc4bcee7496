//! N4: NetworkPolicies that let nobody of the data plane in, before a request shows it.

use std::collections::BTreeSet;

use super::expected::told;
use crate::{
    diagnosis::{
        admits::{Admits, End, GATEWAY_NAME, admits_between},
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::BackendState,
        rule::{Need, Rule},
        words::list,
    },
    model::{
        kinds::{Service, ServicePort},
        object::{Object, ObjectRef},
    },
};

/// Pods of a Service that are looked at.
const PODS: usize = 8;

pub(in crate::diagnosis) const N4: Rule = Rule {
    code: Code::N4,
    severity: Severity::Warning,
    title: "No NetworkPolicy lets the data plane in to the backend's pods",
    explanation: "A NetworkPolicy selects the backend's pods, and none that does has an ingress rule for the data plane's pods and the port. A network plugin that enforces NetworkPolicies drops the packets: nginx logs `upstream timed out` while connecting, and clients get 504 (NGF-N1). Whether the plugin enforces them only a request or a probe shows.",
    remedy: "Let a NetworkPolicy of the backend admit the data plane's pods.",
    causes: &[],
    needs: &[Need::Paths, Need::NetworkPolicies, Need::Pods],
    check: |context, findings| {
        let told = told(findings);
        let mut seen = BTreeSet::new();
        for rule in &context.rules {
            for backend in &rule.decision.backends {
                let Some((service, port)) = backend.port else {
                    continue;
                };
                let is_spoken_to = matches!(
                    backend.state,
                    BackendState::Tls { .. } | BackendState::Plain
                );
                let name = &service.reference;
                if !is_spoken_to
                    || is_reached(context, service, port)
                    || told.contains(name)
                    || findings.has(Code::N1, name)
                {
                    continue;
                }
                for gateway in &rule.gateways {
                    if !seen.insert((name, port.port, *gateway)) {
                        continue;
                    }
                    let Some((to, policies)) = isolated(context, gateway, service, port) else {
                        continue;
                    };
                    let mut finding = Finding::new(
                        Code::N4,
                        Severity::Warning,
                        name,
                        format!(
                            "{} {} not let the data plane of {gateway} in to {name}:{}",
                            list(&policies, 2),
                            if policies.len() == 1 { "does" } else { "do" },
                            port.port
                        ),
                    )
                    .unknown()
                    .because(format!(
                        "{} the pods of the Service, and no rule admits the pods of namespace {}.",
                        if policies.len() == 1 {
                            "It selects"
                        } else {
                            "They select"
                        },
                        gateway.namespace
                    ))
                    .because("If the network plugin enforces it, clients get 504.")
                    .evidence(
                        "spec.ingress",
                        format!(
                            "no rule for the data plane and TCP port {}",
                            target(port, &to)
                        ),
                        list(&policies, 2),
                    )
                    .scope([*gateway])
                    .scope(&policies)
                    .scope([&rule.route.reference]);
                    finding.marks.extend(backend.mark());
                    findings.add(finding.remedy(admit(gateway, service, port, &to)));
                }
            }
        }
    },
};

/// Whether a probe from the data plane's own network says it already.
fn is_reached(context: &Context<'_>, service: &Object<Service>, port: &ServicePort) -> bool {
    context.probes.iter().any(|probed| {
        probed.plan.service == service.reference
            && probed.plan.port == port.port
            && probed.data_plane_pod().is_some()
    })
}

/// The first pod of a Service that the data plane may not reach, with the policies that isolate it.
fn isolated<'a>(
    context: &Context<'a>,
    gateway: &ObjectRef,
    service: &'a Object<Service>,
    port: &ServicePort,
) -> Option<(End<'a>, Vec<ObjectRef>)> {
    let snapshot = context.snapshot;
    let from: Vec<End<'_>> = snapshot
        .pods
        .values()
        .filter(|pod| pod.reference.namespace == gateway.namespace)
        .filter(|pod| pod.meta.labels.get(GATEWAY_NAME) == Some(&gateway.name))
        .take(1)
        .map(|pod| End::pod(pod))
        .collect();
    let from = match from.into_iter().next() {
        Some(from) => from,
        None => End::data_plane(context.gateways.get(gateway)?.0),
    };
    let of = |namespace: &str| namespace == service.reference.namespace;
    let pods = snapshot
        .pods
        .values()
        .filter(|pod| of(&pod.reference.namespace) && service.spec.selects(&pod.meta.labels));
    let mut ends: Vec<End<'_>> = pods.take(PODS).map(|pod| End::pod(pod)).collect();
    if ends.is_empty() {
        let workloads = snapshot.workloads.values().filter(|workload| {
            of(&workload.reference.namespace)
                && service.spec.selects(&workload.spec.template.labels)
        });
        ends.extend(workloads.take(PODS).map(|workload| End::template(workload)));
    }
    ends.into_iter().find_map(
        |to| match admits_between(snapshot, &from, &to, target(port, &to)) {
            Admits::Nobody(policies) => Some((to, policies)),
            _ => None,
        },
    )
}

/// The number of the port of a pod behind a Service's port.
fn target(port: &ServicePort, to: &End<'_>) -> u16 {
    let written = port.target_port.as_deref().unwrap_or_default();
    written
        .parse()
        .ok()
        .or_else(|| to.ports.get(written).copied())
        .unwrap_or(port.port)
}

/// A NetworkPolicy that admits the data plane.
fn admit(
    gateway: &ObjectRef,
    service: &Object<Service>,
    port: &ServicePort,
    to: &End<'_>,
) -> Remedy {
    let name = &service.reference;
    let manifest = serde_json::json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": format!("{}-from-{}", name.name, gateway.name),
            "namespace": name.namespace,
        },
        "spec": {
            "podSelector": {"matchLabels": service.spec.selector},
            "policyTypes": ["Ingress"],
            "ingress": [{
                "from": [{
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": gateway.namespace}},
                    "podSelector": {"matchLabels": {GATEWAY_NAME: gateway.name}},
                }],
                "ports": [{"protocol": "TCP", "port": target(port, to)}],
            }],
        },
    });
    let summary = format!("Let the pods of {gateway} in to those of {name}.");
    Remedy::manifest(summary, &manifest)
}
