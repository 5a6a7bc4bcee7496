//! The objects.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{Broken, Cluster, Fault, Size};

/// Eight times a CA, a certificate of it and its key, for nothing but tests; valid from 2020 to 2120.
const PAIRS: &str = include_str!("pairs.pem");
const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";
const GROUP: &str = "gateway.networking.k8s.io";
const CONTROLLER: &str = "gateway.nginx.org/nginx-gateway-controller";
const SINCE: &str = "2026-01-01T00:00:00Z";

pub(crate) fn all(size: Size) -> Cluster {
    let mut random = fastrand::Rng::with_seed(size.seed);
    let pairs = pairs();
    let faults = faults(size, &mut random);
    let mut objects = vec![class()];
    for number in 0..size.namespaces() {
        objects.push(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team(number)}}),
        );
    }
    let mut attached = vec![0; size.gateways()];
    let mut routes = Vec::with_capacity(size.routes);
    for number in 0..size.routes {
        let service = number % size.services();
        let gateway = gateway_of(service, size);
        attached[gateway] += 1;
        routes.push(route(number, service, gateway, faults[service]));
    }
    for (number, attached) in attached.iter().enumerate() {
        objects.push(gateway(number, *attached));
    }
    let mut broken = Vec::new();
    for (number, fault) in faults.iter().enumerate() {
        let gateway = gateway_of(number, size);
        if let Some(fault) = *fault {
            broken.push(Broken {
                fault,
                namespace: namespace_of(gateway),
                service: service(number),
            });
        }
        let pair = &pairs[random.usize(..pairs.len())];
        backend(number, gateway, *fault, pair, &mut objects);
    }
    objects.extend(routes);
    Cluster { objects, broken }
}

/// The data of TLS Secrets.
fn pairs() -> Vec<Value> {
    let mut blocks = Vec::new();
    let mut block = String::new();
    for line in PAIRS.lines() {
        block.push_str(line);
        block.push('\n');
        if line.starts_with("-----END ") {
            blocks.push(STANDARD.encode(&block));
            block.clear();
        }
    }
    let triples = blocks.chunks_exact(3);
    triples
        .map(|one| json!({"ca.crt": one[0], "tls.crt": one[1], "tls.key": one[2]}))
        .collect()
}

/// Which Service has which fault: as many as the size says, all faults alike often.
fn faults(size: Size, random: &mut fastrand::Rng) -> Vec<Option<Fault>> {
    let services = size.services();
    let count = services * size.broken_per_mille.min(1_000) / 1_000;
    let mut faults = vec![None; services];
    for (number, fault) in faults.iter_mut().take(count).enumerate() {
        *fault = Some(Fault::ALL[number % Fault::ALL.len()]);
    }
    random.shuffle(&mut faults);
    faults
}

fn team(number: usize) -> String {
    format!("team-{number}")
}

fn service(number: usize) -> String {
    format!("app-{number}")
}

/// The Gateway whose routes lead to a Service.
fn gateway_of(service: usize, size: Size) -> usize {
    service % size.gateways()
}

fn namespace_of(gateway: usize) -> String {
    team(gateway / 10)
}

fn condition(kind: &str, reason: &str, message: &str) -> Value {
    let is_true = !matches!(
        reason,
        "NoConflicts"
            | "BackendNotFound"
            | "InvalidCACertificateRef"
            | "NoValidCACertificate"
            | "UnsupportedValue"
    );
    json!({
        "type": kind, "status": if is_true { "True" } else { "False" }, "reason": reason, "message": message,
        "observedGeneration": 1, "lastTransitionTime": SINCE,
    })
}

fn class() -> Value {
    json!({
        "apiVersion": GATEWAY_API, "kind": "GatewayClass", "metadata": {"name": "nginx"},
        "spec": {"controllerName": CONTROLLER},
        "status": {"conditions": [
            condition("Accepted", "Accepted", "The GatewayClass is accepted"),
            condition("SupportedVersion", "SupportedVersion", "The Gateway API CRD versions are supported"),
        ]},
    })
}

fn gateway(number: usize, attached: usize) -> Value {
    json!({
        "apiVersion": GATEWAY_API, "kind": "Gateway",
        "metadata": {"name": format!("gateway-{number}"), "namespace": namespace_of(number)},
        "spec": {"gatewayClassName": "nginx", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
        "status": {
            "addresses": [{"type": "IPAddress", "value": format!("10.96.{}.{}", number / 200, 1 + number % 200)}],
            "conditions": [
                condition("Accepted", "Accepted", "The Gateway is accepted"),
                condition("Programmed", "Programmed", "The Gateway is programmed"),
                condition("ResolvedRefs", "ResolvedRefs", "The referenced resources are resolved"),
            ],
            "listeners": [{
                "name": "http", "attachedRoutes": attached,
                "supportedKinds": [{"group": GROUP, "kind": "HTTPRoute"}, {"group": GROUP, "kind": "GRPCRoute"}],
                "conditions": [
                    condition("Accepted", "Accepted", "The Listener is accepted"),
                    condition("Programmed", "Programmed", "The Listener is programmed"),
                    condition("ResolvedRefs", "ResolvedRefs", "All references are resolved"),
                    condition("Conflicted", "NoConflicts", "No conflicts"),
                ],
            }],
        },
    })
}

fn route(number: usize, to: usize, gateway: usize, fault: Option<Fault>) -> Value {
    let parent = json!({"group": GROUP, "kind": "Gateway", "name": format!("gateway-{gateway}"), "sectionName": "http"});
    let resolved = match fault {
        Some(Fault::ServiceMissing) => condition(
            "ResolvedRefs",
            "BackendNotFound",
            &format!(
                "spec.rules[0].backendRefs[0].name: Not found: \"{}\"",
                service(to)
            ),
        ),
        Some(Fault::SecretMissing) => condition(
            "ResolvedRefs",
            "UnsupportedValue",
            &format!(
                "The BackendTLSPolicy is invalid: {}",
                no_secret(to, gateway)
            ),
        ),
        _ => condition(
            "ResolvedRefs",
            "ResolvedRefs",
            "All references are resolved",
        ),
    };
    json!({
        "apiVersion": GATEWAY_API, "kind": "HTTPRoute",
        "metadata": {
            "name": format!("route-{number}"), "namespace": namespace_of(gateway),
            "labels": {"app.kubernetes.io/name": service(to), "team": namespace_of(gateway)},
        },
        "spec": {
            "parentRefs": [parent],
            "hostnames": [format!("h{number}.example.com")],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"group": "", "kind": "Service", "name": service(to), "port": 8443, "weight": 1}],
            }],
        },
        "status": {"parents": [{
            "parentRef": parent, "controllerName": CONTROLLER,
            "conditions": [condition("Accepted", "Accepted", "The Route is accepted"), resolved],
        }]},
    })
}

fn no_secret(number: usize, gateway: usize) -> String {
    format!(
        "validation.caCertificateRefs[0]: Invalid value: {{\"group\":\"\",\"kind\":\"Secret\",\"name\":\"{0}-ca\"}}: Secret {1}/{0}-ca does not exist",
        service(number),
        namespace_of(gateway)
    )
}

/// The Service with all that belongs to it.
fn backend(
    number: usize,
    gateway: usize,
    fault: Option<Fault>,
    pair: &Value,
    objects: &mut Vec<Value>,
) {
    if fault == Some(Fault::ServiceMissing) {
        return;
    }
    let (namespace, name) = (namespace_of(gateway), service(number));
    let metadata = |name: &str| json!({"name": name, "namespace": namespace});
    objects.push(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata(&name),
        "spec": {"clusterIP": "None", "selector": {"app": name}, "ports": [{"name": "https", "port": 8443, "protocol": "TCP", "targetPort": 8443}]},
    }));
    let is_ready = fault != Some(Fault::NotReady);
    let endpoints: Vec<Value> = (0..Size::ENDPOINTS)
        .map(|n| {
            let address = number * Size::ENDPOINTS + n;
            json!({
                "addresses": [format!("10.{}.{}.{}", 128 + (address >> 16), (address >> 8) & 255, address & 255)],
                "conditions": {"ready": is_ready, "serving": is_ready, "terminating": false},
                "targetRef": {"kind": "Pod", "name": format!("{name}-{n}"), "namespace": namespace},
            })
        })
        .collect();
    objects.push(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": format!("{name}-1"), "namespace": namespace,
            "labels": {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"},
        },
        "ports": [{"name": "https", "port": 8443, "protocol": "TCP"}],
        "endpoints": endpoints,
    }));
    objects.push(policy(number, gateway, fault));
    if fault != Some(Fault::SecretMissing) {
        objects.push(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": metadata(&format!("{name}-ca")), "data": pair,
        }));
    }
}

fn policy(number: usize, gateway: usize, fault: Option<Fault>) -> Value {
    let name = service(number);
    let mut target = json!({"group": "", "kind": "Service", "name": name});
    if fault == Some(Fault::PolicyMissesPort) {
        target["sectionName"] = json!("8443");
    }
    let mut policy = json!({
        "apiVersion": GATEWAY_API, "kind": "BackendTLSPolicy",
        "metadata": {"name": name, "namespace": namespace_of(gateway)},
        "spec": {
            "targetRefs": [target],
            "validation": {
                "caCertificateRefs": [{"group": "", "kind": "Secret", "name": format!("{name}-ca")}],
                "hostname": format!("{name}.{}.svc", namespace_of(gateway)),
            },
        },
    });
    let conditions = match fault {
        // NGF gives it no status.
        Some(Fault::PolicyMissesPort) => return policy,
        Some(Fault::SecretMissing) => [
            condition(
                "ResolvedRefs",
                "InvalidCACertificateRef",
                &no_secret(number, gateway),
            ),
            condition(
                "Accepted",
                "NoValidCACertificate",
                "No valid CACertificateRef found",
            ),
        ],
        _ => [
            condition(
                "ResolvedRefs",
                "ResolvedRefs",
                "All CACertificateRefs are resolved",
            ),
            condition("Accepted", "Accepted", "The Policy is accepted"),
        ],
    };
    policy["status"] = json!({"ancestors": [{
        "ancestorRef": {"group": GROUP, "kind": "Gateway", "name": format!("gateway-{gateway}"), "namespace": namespace_of(gateway)},
        "controllerName": CONTROLLER, "conditions": conditions,
    }]});
    policy
}
