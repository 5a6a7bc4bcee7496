//! Objects as large as Kubernetes and the Gateway API allow, and references in circles: they are read and diagnosed,
//! and hide nothing else.

use ngf_core::{
    diagnosis::{Diagnosis, Evidence},
    manifests::parse,
    model::{kind::Kind, object::ObjectRef, snapshot::Snapshot, topology::NodeKind},
};
use ngf_generator::{Cluster, Size};
use serde_json::{Value, json};

use crate::support::scenario::moment;

const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";

/// A cluster of which some is broken.
fn cluster() -> Vec<Value> {
    let size = Size {
        routes: 60,
        broken_per_mille: 300,
        seed: 5,
    };
    Cluster::of(size).objects
}

/// What is found, as `P1 BackendTLSPolicy team-0/app-3`, but for what is said of fields that were not understood.
fn diagnosed(text: &str) -> (Snapshot, Diagnosis, Vec<String>) {
    let snapshot = parse(text, "default");
    let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), moment());
    let mut findings: Vec<String> = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.code.family() != 'K')
        .map(|finding| format!("{} {}", finding.code.bare(), finding.subject))
        .collect();
    findings.sort();
    (snapshot, diagnosis, findings)
}

fn text(objects: &[Value]) -> String {
    objects
        .iter()
        .map(|object| format!("---\n{object}\n"))
        .collect()
}

/// What is found in the cluster as it is.
fn plain() -> Vec<String> {
    let (snapshot, _, findings) = diagnosed(&text(&cluster()));
    assert_eq!(snapshot.problems, []);
    assert!(findings.len() >= 5, "{findings:?}");
    findings
}

#[test]
fn annotations_of_a_megabyte_change_no_finding() {
    let mut objects = cluster();
    let long = "x".repeat(1 << 20);
    for object in objects.iter_mut().step_by(7) {
        object["metadata"]["annotations"] = json!({"example.com/note": long});
    }
    let (snapshot, _, findings) = diagnosed(&text(&objects));
    assert_eq!(snapshot.problems, []);
    assert_eq!(findings, plain());
}

#[test]
fn names_of_253_characters_are_names_and_longer_ones_are_told() {
    let prefix = "n".repeat(230);
    // Not in hostnames, whose labels have at most 63 characters.
    let mut long = text(&cluster());
    for key in ["name", "kubernetes.io/service-name"] {
        let begin = format!("\"{key}\":\"");
        long = long.replace(&format!("{begin}app-"), &format!("{begin}{prefix}app-"));
    }
    let (snapshot, diagnosis, findings) = diagnosed(&long);
    assert_eq!(snapshot.problems, []);
    let longest = snapshot.services.keys().map(|name| name.name.len()).max();
    assert!(longest.is_some_and(|length| (235..=253).contains(&length)));
    let findings: Vec<String> = {
        let mut all: Vec<String> = findings
            .iter()
            .map(|finding| finding.replace(&prefix, ""))
            .collect();
        all.sort();
        all
    };
    assert_eq!(findings, plain());
    assert!(
        diagnosis
            .findings
            .iter()
            .any(|finding| finding.title.contains(&prefix))
    );

    let service = |length: usize| {
        let name = "n".repeat(length);
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}})
    };
    let (snapshot, ..) = diagnosed(&text(&[service(253), service(254)]));
    assert_eq!(snapshot.services.len(), 1);
    let problems: Vec<&str> = snapshot
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].contains("longer than 253 bytes"),
        "{problems:?}"
    );
}

#[test]
fn a_gateway_with_64_listeners_takes_a_route_on_each() {
    let mut objects = cluster();
    let listeners: Vec<Value> = (0..64)
        .map(|number| {
            json!({"name": format!("l-{number}"), "port": 8000 + number, "protocol": "HTTP",
                "allowedRoutes": {"namespaces": {"from": "All"}}})
        })
        .collect();
    objects.push(json!({
        "apiVersion": GATEWAY_API, "kind": "Gateway", "metadata": {"name": "wide", "namespace": "team-0"},
        "spec": {"gatewayClassName": "nginx", "listeners": listeners},
    }));
    objects.push(json!({
        "apiVersion": GATEWAY_API, "kind": "HTTPRoute", "metadata": {"name": "wide", "namespace": "team-0"},
        "spec": {"parentRefs": [{"name": "wide"}], "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]},
    }));
    let (snapshot, diagnosis, findings) = diagnosed(&text(&objects));
    assert_eq!(snapshot.problems, []);
    let route = ObjectRef::new(Kind::HTTPRoute, "team-0", "wide");
    let places = diagnosis.topology.places(&route).into_iter();
    let routes = places
        .filter(|place| matches!(diagnosis.topology.node(*place).what, NodeKind::Route { .. }));
    assert_eq!(routes.count(), 64);
    let others: Vec<String> = findings
        .into_iter()
        .filter(|finding| !finding.ends_with("team-0/wide"))
        .collect();
    assert_eq!(others, plain());
}

#[test]
fn a_status_with_16_ancestors_and_references_in_circles_end() {
    let mut objects = cluster();
    let ancestors: Vec<Value> = (0..16)
        .map(|number| {
            json!({"ancestorRef": {"name": format!("other-{number}")}, "controllerName": "example.com/other",
                "conditions": []})
        })
        .collect();
    let meta = |name: &str| json!({"name": name, "namespace": "circle"});
    let set = |name: &str, parent: &str| {
        json!({"apiVersion": GATEWAY_API, "kind": "ListenerSet", "metadata": meta(name),
            "spec": {"parentRef": {"kind": "ListenerSet", "name": parent}, "listeners": [
                {"name": "l", "port": 80, "protocol": "HTTP"}]}})
    };
    let pod = |name: &str, owner: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "circle",
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": owner, "uid": "u", "controller": true}]},
            "spec": {"containers": []}})
    };
    let circle = [
        set("a", "b"),
        set("b", "a"),
        set("c", "c"),
        json!({"apiVersion": GATEWAY_API, "kind": "HTTPRoute", "metadata": meta("self"), "spec": {
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "self"}, {"kind": "ListenerSet", "name": "a"}],
            "rules": [{"backendRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "self", "port": 80}]}]}}),
        json!({"apiVersion": GATEWAY_API, "kind": "BackendTLSPolicy", "metadata": meta("self"), "spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "BackendTLSPolicy", "name": "self"}],
            "validation": {"hostname": "a.example", "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "root"}]}}, "status": {"ancestors": ancestors}}),
        json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": meta("root"),
            "spec": {"ca": {"secretName": "root"}}}),
        json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": meta("root"), "spec": {
            "secretName": "root", "isCA": true, "commonName": "root", "issuerRef": {"name": "root"}}}),
        pod("x", "y"),
        pod("y", "x"),
    ];
    objects.extend(circle);
    let (snapshot, _, findings) = diagnosed(&text(&objects));
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.listener_sets.len(), 3);
    let others: Vec<String> = findings
        .into_iter()
        .filter(|finding| !finding.contains(" circle/"))
        .collect();
    assert_eq!(others, plain());
}
