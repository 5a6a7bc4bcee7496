//! Routes: their backends and their parents.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn routes_say_what_their_backends_lack() {
    let controllers = guide();
    let rules = |backends: Value| {
        controllers.change(
            kinds::HTTP_ROUTE,
            "secure-app",
            &json!({"spec": {"rules": [{"backendRefs": backends}]}}),
        );
    };
    let route = |resolved: &str| {
        let resolved = format!("ResolvedRefs False/{resolved}");
        controllers.expect(
            kinds::HTTP_ROUTE,
            "secure-app",
            &[ROUTE_ACCEPTED, &resolved],
        );
    };
    let service = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
        })
    };
    // R3
    rules(json!([{"name": "nobody", "port": 8443}]));
    route("BackendNotFound spec.rules[0].backendRefs[0].name: Not found: \"nobody\"");
    rules(json!([{"name": "secure-app", "port": 1}]));
    route("BackendNotFound No matching port for Service secure-app and port 1");
    // R4
    rules(json!([{"name": "x", "namespace": "nginx-gateway", "port": 1}]));
    route(
        "RefNotPermitted spec.rules[0].backendRefs[0].namespace: Forbidden: Backend ref to Service \
         nginx-gateway/x not permitted by any ReferenceGrant",
    );
    rules(json!([{"kind": "ConfigMap", "name": "x", "port": 1}]));
    route(
        "InvalidKind spec.rules[0].backendRefs[0].kind: Unsupported value: \"ConfigMap\": supported \
         values: \"Service\", \"InferencePool\"",
    );
    rules(json!([{"name": "secure-app"}]));
    route("UnsupportedValue spec.rules[0].backendRefs[0].port: Required value: port cannot be nil");
    // R1, and R2: the order decides.
    controllers.add(service("plain"));
    rules(json!([{"name": "secure-app", "port": 8443}, {"name": "plain", "port": 80}]));
    route("UnsupportedValue Backend TLS policies do not match for all backends");
    rules(json!([{"name": "plain", "port": 80}, {"name": "secure-app", "port": 8443}]));
    controllers.expect(
        kinds::HTTP_ROUTE,
        "secure-app",
        &[ROUTE_ACCEPTED, ROUTE_RESOLVED],
    );
    // R5
    controllers.change(
        kinds::SERVICE,
        "plain",
        &json!({"spec": {"ports": [{"port": 80, "appProtocol": "kubernetes.io/wss"}]}}),
    );
    rules(json!([{"name": "plain", "port": 80}]));
    route(
        "UnsupportedProtocol The Route type http does not support service port appProtocol \
         kubernetes.io/wss; missing corresponding BackendTLSPolicy",
    );
}

#[tokio::test]
async fn routes_that_do_not_attach_say_why() {
    let controllers = guide();
    let route = |accepted: &str| {
        let accepted = format!("Accepted False/{accepted}");
        controllers.expect(
            kinds::HTTP_ROUTE,
            "secure-app",
            &[ROUTE_RESOLVED, &accepted],
        );
    };
    let parent = |change: Value| {
        controllers.change(
            kinds::HTTP_ROUTE,
            "secure-app",
            &json!({"spec": {"parentRefs": [change]}}),
        );
    };
    parent(json!({"name": "gateway", "sectionName": "nobody"}));
    route("NoMatchingParent The Listener is not found for this parent ref");
    parent(json!({"name": "gateway"}));
    controllers.expect(
        kinds::HTTP_ROUTE,
        "secure-app",
        &[ROUTE_ACCEPTED, ROUTE_RESOLVED],
    );
    let listener = |change: Value| {
        let mut listener = json!({"name": "http", "port": 80, "protocol": "HTTP"});
        patch::merge(&mut listener, &change);
        controllers.change(
            kinds::GATEWAY,
            "gateway",
            &json!({"spec": {"listeners": [listener]}}),
        );
    };
    listener(json!({"hostname": "*.other.example.com"}));
    route("NoMatchingListenerHostname The Listener hostname does not match the Route hostnames");
    listener(json!({"allowedRoutes": {"kinds": [{"kind": "GRPCRoute"}]}}));
    route("NotAllowedByListeners The Route is not allowed by any listener");
    let labelled = |value: &str| {
        let selector = json!({"matchLabels": {"team": value}});
        listener(
            json!({"allowedRoutes": {"namespaces": {"from": "Selector", "selector": selector}}}),
        );
    };
    controllers.change(
        kinds::NAMESPACE,
        "default",
        &json!({"metadata": {"labels": {"team": "web"}}}),
    );
    labelled("web");
    controllers.expect(
        kinds::HTTP_ROUTE,
        "secure-app",
        &[ROUTE_ACCEPTED, ROUTE_RESOLVED],
    );
    labelled("another");
    route("NotAllowedByListeners The Route is not allowed by any listener");
    controllers.change(
        kinds::GATEWAY,
        "gateway",
        &json!({"spec": {"gatewayClassName": "another"}}),
    );
    controllers.settle();
    let gateway = controllers
        .store
        .get(kinds::GATEWAY, "default", "gateway")
        .unwrap();
    assert_ne!(
        gateway["status"]["conditions"][0]["observedGeneration"], gateway["metadata"]["generation"],
        "a Gateway of another class is not NGF's business"
    );
}

#[tokio::test]
async fn versions_and_parameters_of_the_class_are_judged() {
    let controllers = guide();
    let annotate = |version: &str| {
        let annotations = json!({"gateway.networking.k8s.io/bundle-version": version});
        controllers.change(
            kinds::CUSTOM_RESOURCE_DEFINITION,
            "gateways.gateway.networking.k8s.io",
            &json!({"metadata": {"annotations": annotations}}),
        );
    };
    // C2
    annotate("v1.4.0");
    assert_eq!(
        controllers.conditions(kinds::GATEWAY_CLASS, "nginx")[1],
        "SupportedVersion False/UnsupportedVersion The Gateway API CRD versions are not recommended. \
         Recommended version is v1.5.1"
    );
    // C1
    annotate("v2.0.0");
    controllers.expect(
        kinds::GATEWAY,
        "gateway",
        &[
            "Accepted False/Invalid The GatewayClass is invalid",
            "Programmed False/Invalid The GatewayClass is invalid",
            RESOLVED,
        ],
    );
    annotate("v1.5.1");
    // C7
    let parameters = json!({"group": "gateway.nginx.org", "kind": "NginxProxy", "name": "nobody"});
    controllers.change(
        kinds::GATEWAY,
        "gateway",
        &json!({"spec": {"infrastructure": {"parametersRef": parameters}}}),
    );
    controllers.expect(kinds::GATEWAY, "gateway", &[
        PROGRAMMED,
        "Accepted True/InvalidParameters The Gateway is accepted, but ParametersRef is ignored due to an error: \
         Spec.infrastructure.parametersRef.name: Not found: \"nobody\"",
        "ResolvedRefs False/ParametersRefInvalid Spec.infrastructure.parametersRef.name: Not found: \
         \"nobody\"",
    ]);
}
