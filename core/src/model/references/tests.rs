use serde_json::{Value, json};

use super::*;
use crate::model::{
    decode::{self, Incoming},
    snapshot::{Scope, Source},
};

fn snapshot(objects: &[Value]) -> Snapshot {
    let source = Source::Files { paths: Vec::new() };
    let mut snapshot = Snapshot::new(source, Scope::AllNamespaces);
    for value in objects {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let kind = Kind::of(&text("apiVersion"), &text("kind")).expect("a known kind");
        let incoming = Incoming {
            value: value.clone(),
            cut: false,
        };
        let decoded = decode::object(kind, incoming, "apps").expect("an object");
        snapshot.put(decoded);
    }
    snapshot
}

fn wanted(objects: &[Value]) -> Vec<String> {
    let references = references(&snapshot(objects));
    references.iter().map(ToString::to_string).collect()
}

fn object(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn gateway_api(kind: &str, name: &str, spec: &Value) -> Value {
    object("gateway.networking.k8s.io/v1", kind, name, spec)
}

fn policy(service: &str) -> Value {
    gateway_api(
        "BackendTLSPolicy",
        "tls",
        &json!({"targetRefs": [{"group": "", "kind": "Service", "name": service}],
            "validation": {"hostname": "a", "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}}),
    )
}

fn service(name: &str) -> Value {
    object(
        "v1",
        "Service",
        name,
        &json!({"selector": {"app": name}, "ports": []}),
    )
}

/// A Deployment whose pods mount the Secret `NAME-tls`, and what all pods mount.
fn deployment(name: &str) -> Value {
    object(
        "apps/v1",
        "Deployment",
        name,
        &json!({"template": {"metadata": {"labels": {"app": name}}, "spec": {"volumes": [
            {"name": "tls", "secret": {"secretName": format!("{name}-tls")}},
            {"name": "api", "projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}},
        ]}}}),
    )
}

fn issued(secret: &str, issuer_kind: &str, issuer: &str) -> Value {
    object(
        "cert-manager.io/v1",
        "Certificate",
        secret,
        &json!({"secretName": secret, "issuerRef": {"kind": issuer_kind, "name": issuer}}),
    )
}

#[test]
fn what_gateways_and_policies_name_is_wanted_and_nothing_else() {
    let gateway = gateway_api(
        "Gateway",
        "gateway",
        &json!({
            "gatewayClassName": "nginx",
            "listeners": [{"name": "a", "port": 1, "protocol": "HTTPS", "tls": {"certificateRefs": [
                {"name": "here"}, {"name": "there", "namespace": "infra"},
                {"name": "not-a-secret", "group": "example.com", "kind": "Thing"}, {"name": ""},
            ]}}],
            "tls": {"backend": {"clientCertificateRef": {"name": "client"}}},
            "backendTLS": {"clientCertificateRef": {"name": "old-client"}},
        }),
    );
    assert_eq!(
        wanted(&[gateway, policy("none"), service("app"), deployment("app")]),
        [
            "Secret apps/client",
            "Secret apps/here",
            "Secret apps/old-client",
            "Secret infra/there",
            "ConfigMap apps/ca",
        ]
    );
}

#[test]
fn what_pods_behind_tls_services_mount_is_wanted() {
    let route = |backends: &[&str]| {
        let backends: Vec<Value> = backends.iter().map(|name| json!({"name": name})).collect();
        gateway_api(
            "HTTPRoute",
            "route",
            &json!({"rules": [{"backendRefs": backends}]}),
        )
    };
    let mut objects = vec![
        service("app"),
        service("other"),
        deployment("app"),
        deployment("other"),
        route(&["other"]),
    ];
    assert_eq!(wanted(&objects), [""; 0]);
    objects.push(policy("app"));
    assert_eq!(
        wanted(&objects),
        ["Secret apps/app-tls", "ConfigMap apps/ca"]
    );
    objects[4] = route(&["other", "app"]);
    assert_eq!(
        wanted(&objects),
        [
            "Secret apps/app-tls",
            "Secret apps/other-tls",
            "ConfigMap apps/ca"
        ]
    );
}

#[test]
fn behind_a_port_that_is_meant_for_tls_mounted_secrets_are_read_without_a_policy() {
    let objects = |port: Value| {
        [
            object(
                "v1",
                "Service",
                "app",
                &json!({"selector": {"app": "app"}, "ports": [port, {"name": "web", "port": 81}]}),
            ),
            deployment("app"),
            gateway_api(
                "HTTPRoute",
                "route",
                &json!({"rules": [{"backendRefs": [{"name": "app", "port": 9000}]}]}),
            ),
        ]
    };
    let tls = json!({"name": "https-web", "port": 9000});
    assert_eq!(wanted(&objects(tls)), ["Secret apps/app-tls"]);
    let by_protocol = json!({"name": "a", "port": 9000, "appProtocol": "https"});
    assert_eq!(wanted(&objects(by_protocol)), ["Secret apps/app-tls"]);
    for other in [
        json!({"name": "http", "port": 9000}),
        // The route uses another port.
        json!({"name": "https", "port": 8443}),
    ] {
        assert_eq!(wanted(&objects(other)), [""; 0]);
    }
}

#[test]
fn issuers_are_followed_to_the_root_and_circles_end() {
    let issuer = |kind: &str, name: &str, secret: &str| {
        object(
            "cert-manager.io/v1",
            kind,
            name,
            &json!({"ca": {"secretName": secret}}),
        )
    };
    let mut root = issued("cluster-ca", "ClusterIssuer", "self");
    root["metadata"]["namespace"] = json!("cert-manager");
    let objects = [
        service("app"),
        deployment("app"),
        policy("app"),
        issued("app-tls", "Issuer", "team"),
        issuer("Issuer", "team", "team-ca"),
        issued("team-ca", "ClusterIssuer", "cluster"),
        issuer("ClusterIssuer", "cluster", "cluster-ca"),
        root,
        issuer("ClusterIssuer", "self", "cluster-ca"),
        issued("unrelated", "Issuer", "unrelated"),
        issuer("Issuer", "unrelated", "unrelated-ca"),
    ];
    assert_eq!(
        wanted(&objects),
        [
            "Secret apps/app-tls",
            "Secret apps/team-ca",
            "Secret cert-manager/cluster-ca",
            "ConfigMap apps/ca",
        ]
    );
}
