//! What NGF says, case by case: the guide, one change, and the condition that follows. Codes are those
//! of the catalogue of failures (`G3`, `P13`, …).

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::sandbox::guide::Stage;
use crate::sandbox::kinds::{self, Kind};
use crate::sandbox::logs::Logs;
use crate::sandbox::reconcile::{Network, World};
use crate::sandbox::scenarios::Scenario;
use crate::sandbox::store::{Key, Part, Preconditions, Store, StoreError};
use crate::sandbox::{admission, objects, patch};

/// The guide's last stage, settled.
fn guide() -> World {
    let world = World {
        store: Arc::new(Store::new()),
        logs: Arc::new(Logs::default()),
        scenario: Scenario::find("guide").unwrap(),
        network: Network::Shared,
        stop: CancellationToken::new(),
        runtime: Handle::current(),
        running: Mutex::default(),
    };
    objects::install(&world.store);
    objects::apply_stage(&world.store, world.scenario, Stage::Policy);
    world.settle();
    world
}

impl World {
    fn change(&self, kind: &'static Kind, name: &str, change: Value) {
        let namespace = if kind.namespaced { "default" } else { "" };
        let changed: Result<_, StoreError> = self.store.modify(
            kind,
            &Key::new(namespace, name),
            Part::Main,
            true,
            |stored| {
                let mut object = stored.clone();
                patch::merge(&mut object, &change);
                Ok(object)
            },
        );
        changed.unwrap();
    }

    fn remove(&self, kind: &'static Kind, name: &str) {
        let key = Key::new("default", name);
        self.store
            .delete(kind, &key, &Preconditions::default(), true)
            .unwrap();
    }

    fn add(&self, object: Value) {
        let text = |field: &str| object[field].as_str().unwrap();
        let kind = kinds::of_type(text("apiVersion"), text("kind")).unwrap();
        let mut object = object;
        if kind.namespaced && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!("default");
        }
        admission::admit(kind, &mut object, None, &self.store).unwrap();
        self.store.create(kind, object, true).unwrap();
    }

    /// `Type Status/Reason "message"` of every condition in an object's status, by type.
    fn conditions(&self, kind: &'static Kind, name: &str) -> Vec<String> {
        self.settle();
        let namespace = if kind.namespaced { "default" } else { "" };
        let object = self.store.get(kind, namespace, name).unwrap();
        let conditions = match kind.kind {
            "BackendTLSPolicy" => object["status"]["ancestors"][0]["conditions"].clone(),
            "HTTPRoute" => object["status"]["parents"][0]["conditions"].clone(),
            _ => object["status"]["conditions"].clone(),
        };
        let text = |c: &Value, field: &str| c[field].as_str().unwrap_or_default().to_owned();
        conditions
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| {
                assert_eq!(c["observedGeneration"], object["metadata"]["generation"]);
                format!(
                    "{} {}/{} {}",
                    text(c, "type"),
                    text(c, "status"),
                    text(c, "reason"),
                    text(c, "message")
                )
            })
            .collect()
    }

    #[track_caller]
    fn expect(&self, kind: &'static Kind, name: &str, expected: &[&str]) {
        assert_eq!(self.conditions(kind, name), expected);
    }
}

const ACCEPTED: &str = "Accepted True/Accepted The Gateway is accepted";
const PROGRAMMED: &str = "Programmed True/Programmed The Gateway is programmed";
const RESOLVED: &str = "ResolvedRefs True/ResolvedRefs The referenced resources are resolved";
const ROUTE_ACCEPTED: &str = "Accepted True/Accepted The Route is accepted";
const ROUTE_RESOLVED: &str = "ResolvedRefs True/ResolvedRefs All references are resolved";
const POLICY_RESOLVED: &str = "ResolvedRefs True/ResolvedRefs All CACertificateRefs are resolved";
const POLICY_ACCEPTED: &str = "Accepted True/Accepted The Policy is accepted";

const CLIENT: &str = "gateway-presents-this-cert-for-validation";

fn gateway_refused(error: &str) -> String {
    format!(
        "ResolvedRefs False/InvalidClientCertificateRef Spec.tls.backend.clientCertificateRef: \
         Invalid value: {{\"Namespace\":\"default\",\"Name\":\"{CLIENT}\"}}: {error}"
    )
}

fn policy_refused(error: &str) -> [String; 2] {
    [
        format!(
            "ResolvedRefs False/InvalidCACertificateRef validation.caCertificateRefs[0]: Invalid \
             value: {{\"group\":\"\",\"kind\":\"Secret\",\"name\":\"backend-cert\"}}: {error}"
        ),
        "Accepted False/NoValidCACertificate No valid CACertificateRef found".to_owned(),
    ]
}

#[tokio::test]
async fn the_guide_has_the_conditions_of_the_guide() {
    let world = guide();
    world.expect(kinds::GATEWAY, "gateway", &[ACCEPTED, PROGRAMMED, RESOLVED]);
    world.expect(
        kinds::HTTP_ROUTE,
        "secure-app",
        &[ROUTE_ACCEPTED, ROUTE_RESOLVED],
    );
    world.expect(
        kinds::BACKEND_TLS_POLICY,
        "backend-tls",
        &[POLICY_RESOLVED, POLICY_ACCEPTED],
    );
    world.expect(
        kinds::GATEWAY_CLASS,
        "nginx",
        &[
            "Accepted True/Accepted The GatewayClass is accepted",
            "SupportedVersion True/SupportedVersion The Gateway API CRD versions are supported",
            "ResolvedRefs True/ResolvedRefs The ParametersRef resource is resolved",
        ],
    );
    let gateway = world
        .store
        .get(kinds::GATEWAY, "default", "gateway")
        .unwrap();
    let listener = &gateway["status"]["listeners"][0];
    assert_eq!(listener["attachedRoutes"], 1);
    let types: Vec<_> = listener["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            format!(
                "{}={}",
                c["type"].as_str().unwrap(),
                c["status"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        types,
        [
            "Programmed=True",
            "Accepted=True",
            "ResolvedRefs=True",
            "Conflicted=False"
        ]
    );
    // Settled means settled.
    let before = world.store.revision();
    world.settle();
    assert_eq!(world.store.revision(), before);
}

#[tokio::test]
async fn the_gateways_client_certificate_is_judged() {
    let world = guide();
    let refuse = |error: &str| {
        let refused = gateway_refused(error);
        world.expect(kinds::GATEWAY, "gateway", &[ACCEPTED, PROGRAMMED, &refused]);
    };
    let secret = world.store.get(kinds::SECRET, "default", CLIENT).unwrap();
    let data = |key: &str| secret["data"][key].clone();
    let put = |kind: &str, data: Value| {
        if world.store.get(kinds::SECRET, "default", CLIENT).is_some() {
            world.remove(kinds::SECRET, CLIENT);
        }
        world.add(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": CLIENT}, "type": kind,
            "data": data,
        }));
    };
    let other = world
        .store
        .get(kinds::SECRET, "default", "app-tls-secret")
        .unwrap();
    let encoded = |text: &str| json!(STANDARD.encode(text));
    let tls = "kubernetes.io/tls";

    // G3
    world.remove(kinds::SECRET, CLIENT);
    refuse(&format!("Secret default/{CLIENT} does not exist"));
    // G4
    put("Opaque", secret["data"].clone());
    refuse("unsupported secret type \"Opaque\"");
    // G5
    put(
        tls,
        json!({"tls.crt": encoded("x"), "tls.key": data("tls.key")}),
    );
    refuse("tls secret is invalid: tls: failed to find any PEM data in certificate input");
    put(
        tls,
        json!({"tls.crt": data("tls.key"), "tls.key": data("tls.crt")}),
    );
    refuse(
        "tls secret is invalid: tls: failed to find certificate PEM data in certificate input, but \
         did find a private key; PEM inputs may have been switched",
    );
    put(
        tls,
        json!({"tls.crt": data("tls.crt"), "tls.key": encoded("")}),
    );
    refuse("tls secret is invalid: tls: failed to find any PEM data in key input");
    put(
        tls,
        json!({"tls.crt": data("tls.crt"), "tls.key": other["data"]["tls.key"]}),
    );
    refuse("tls secret is invalid: tls: private key does not match public key");
    // G6
    put(
        tls,
        json!({"tls.crt": data("tls.crt"), "tls.key": data("tls.key"), "ca.crt": encoded("x")}),
    );
    refuse("the data field \"ca.crt\" must hold a valid CERTIFICATE PEM block");
    put(
        tls,
        json!({"tls.crt": data("tls.crt"), "tls.key": data("tls.key"), "ca.crt": data("tls.key")}),
    );
    refuse(
        "the data field \"ca.crt\" must hold a valid CERTIFICATE PEM block, but got \"RSA PRIVATE KEY\"",
    );
    // And back.
    put(tls, secret["data"].clone());
    world.expect(kinds::GATEWAY, "gateway", &[ACCEPTED, PROGRAMMED, RESOLVED]);
    // G1
    let reference = |change: Value| {
        world.change(
            kinds::GATEWAY,
            "gateway",
            json!({"spec": {"tls": {"backend": {"clientCertificateRef": change}}}}),
        );
    };
    reference(json!({"kind": "ConfigMap"}));
    world.expect(kinds::GATEWAY, "gateway", &[
        ACCEPTED,
        PROGRAMMED,
        "ResolvedRefs False/InvalidClientCertificateRef Spec.tls.backend.clientCertificateRef.kind: \
         Unsupported value: \"ConfigMap\": supported values: \"Secret\"",
    ]);
}

#[tokio::test]
async fn another_namespaces_secret_needs_a_grant() {
    let world = guide();
    let reference = json!({"namespace": "cert-manager", "name": "local-ca-secret"});
    world.change(
        kinds::GATEWAY,
        "gateway",
        json!({"spec": {"tls": {"backend": {"clientCertificateRef": reference}}}}),
    );
    // G7
    world.expect(kinds::GATEWAY, "gateway", &[
        ACCEPTED,
        PROGRAMMED,
        "ResolvedRefs False/RefNotPermitted secret ref cert-manager/local-ca-secret not permitted by \
         any ReferenceGrant",
    ]);
    world.add(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "grant", "namespace": "cert-manager"},
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "default"}],
            "to": [{"group": "", "kind": "Secret"}],
        },
    }));
    world.expect(kinds::GATEWAY, "gateway", &[ACCEPTED, PROGRAMMED, RESOLVED]);
}

#[tokio::test]
async fn policies_are_judged_by_their_host_name_and_their_ca() {
    let world = guide();
    let validation = |change: Value| {
        world.change(
            kinds::BACKEND_TLS_POLICY,
            "backend-tls",
            json!({"spec": {"validation": change}}),
        );
    };
    let policy =
        |expected: &[&str]| world.expect(kinds::BACKEND_TLS_POLICY, "backend-tls", expected);
    let secret = world
        .store
        .get(kinds::SECRET, "default", "backend-cert")
        .unwrap();
    // P6
    world.remove(kinds::SECRET, "backend-cert");
    let refused = policy_refused("Secret default/backend-cert does not exist");
    policy(&[&refused[0], &refused[1]]);
    // P15
    let message = refused[0].split_once(" validation").unwrap().1;
    let route = format!(
        "ResolvedRefs False/UnsupportedValue The BackendTLSPolicy is invalid: validation{message}"
    );
    world.expect(kinds::HTTP_ROUTE, "secure-app", &[ROUTE_ACCEPTED, &route]);
    // P7
    world.add(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "backend-cert"}, "type": "Opaque",
        "data": secret["data"],
    }));
    let refused = policy_refused("unsupported secret type \"Opaque\"");
    policy(&[&refused[0], &refused[1]]);
    // P6, a ConfigMap
    validation(json!({"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}));
    let of_map = |error: &str| {
        policy_refused(error)[0].replace(
            "\"kind\":\"Secret\",\"name\":\"backend-cert\"",
            "\"kind\":\"ConfigMap\",\"name\":\"ca\"",
        )
    };
    let none = "Accepted False/NoValidCACertificate No valid CACertificateRef found";
    policy(&[
        &of_map("ConfigMap default/ca does not exist, or is missing an expected key"),
        none,
    ]);
    world.add(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"x": "y"}}));
    policy(&[
        &of_map("ConfigMap does not have the data or binaryData field ca.crt"),
        none,
    ]);
    let ca = STANDARD
        .decode(secret["data"]["ca.crt"].as_str().unwrap())
        .unwrap();
    let pem = String::from_utf8(ca).unwrap();
    world.change(kinds::CONFIG_MAP, "ca", json!({"data": {"ca.crt": pem}}));
    policy(&[POLICY_RESOLVED, POLICY_ACCEPTED]);
    // P5
    validation(json!({"caCertificateRefs": [{"group": "", "kind": "Service", "name": "ca"}]}));
    policy(&[
        "ResolvedRefs False/InvalidKind validation.caCertificateRefs[0].kind: Unsupported value: \
         \"Service\": supported values: \"ConfigMap\", \"Secret\"",
        none,
    ]);
    // P4
    let two = json!([{"group": "", "kind": "ConfigMap", "name": "ca"}, {"group": "", "kind": "ConfigMap", "name": "b"}]);
    validation(json!({"caCertificateRefs": two}));
    policy(&[
        "Accepted False/Invalid validation.caCertificateRefs: Too many: 2: must have at most 1 item",
    ]);
    // P3
    validation(json!({"wellKnownCACertificates": "System"}));
    policy(&[
        "Accepted False/Invalid CACertificateRefs and WellKnownCACertificates are mutually exclusive",
    ]);
    // P11
    validation(json!({"caCertificateRefs": null}));
    policy(&[POLICY_ACCEPTED]);
    validation(json!({"wellKnownCACertificates": null}));
    policy(&[
        "Accepted False/Invalid Either CACertificateRefs or WellKnownCACertificates must be specified",
    ]);
    // P2
    validation(json!({"wellKnownCACertificates": "System", "hostname": "Not_A_Host"}));
    let refused = world.conditions(kinds::BACKEND_TLS_POLICY, "backend-tls");
    assert!(
        refused[0].starts_with(
            "Accepted False/Invalid Invalid hostname: validation.hostname: Invalid value: \
             \"Not_A_Host\": a lowercase RFC 1123 subdomain must consist"
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_nginx_does_not_take_is_not_programmed() {
    let world = guide();
    let secret = world
        .store
        .get(kinds::SECRET, "default", "backend-cert")
        .unwrap();
    let pem = String::from_utf8(
        STANDARD
            .decode(secret["data"]["ca.crt"].as_str().unwrap())
            .unwrap(),
    );
    for (code, ca, error) in [
        // P8
        (
            "P8",
            Value::Null,
            "no start line:Expecting: TRUSTED CERTIFICATE",
        ),
        // P9
        (
            "P9",
            json!(STANDARD.encode(pem.unwrap() + "-----BEGIN CERTIFICATE-----\nMIIx\n")),
            "PEM routines::",
        ),
    ] {
        world.change(
            kinds::SECRET,
            "backend-cert",
            json!({"data": {"ca.crt": ca}}),
        );
        world.expect(
            kinds::BACKEND_TLS_POLICY,
            "backend-tls",
            &[POLICY_RESOLVED, POLICY_ACCEPTED],
        );
        let gateway = world.conditions(kinds::GATEWAY, "gateway");
        assert_eq!(
            gateway[..2],
            [ACCEPTED.to_owned(), RESOLVED.to_owned()],
            "{code}"
        );
        assert!(
            gateway[2].starts_with(
                "Programmed False/Invalid The Gateway is not programmed due to a failure to reload \
                 nginx with the configuration: msg: Config apply failed"
            ) && gateway[2].contains("cert_bundle_default_backend-cert.crt")
                && gateway[2].contains(error),
            "{code}: {gateway:?}"
        );
    }
}

#[tokio::test]
async fn the_older_of_two_policies_wins_and_an_unused_one_is_passed_over() {
    let world = guide();
    let policy = |name: &str, target: Value| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "BackendTLSPolicy",
            "metadata": {"name": name},
            "spec": {
                "targetRefs": [target],
                "validation": {
                    "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "backend-cert"}],
                    "hostname": "secure-app.example.com",
                },
            },
        })
    };
    // P13: sectionName gives no priority.
    world.add(policy(
        "zz-later",
        json!({"group": "", "kind": "Service", "name": "secure-app", "sectionName": "https"}),
    ));
    world.expect(
        kinds::BACKEND_TLS_POLICY,
        "backend-tls",
        &[POLICY_RESOLVED, POLICY_ACCEPTED],
    );
    world.expect(kinds::BACKEND_TLS_POLICY, "zz-later", &[
        POLICY_RESOLVED,
        "Accepted False/Conflicted Conflicts with another BackendTLSPolicy targeting the same Service",
    ]);
    // P1: another port's name, another Service.
    world.add(policy(
        "other-port",
        json!({"group": "", "kind": "Service", "name": "secure-app", "sectionName": "http"}),
    ));
    world.add(policy(
        "other-service",
        json!({"group": "", "kind": "Service", "name": "nobody"}),
    ));
    world.expect(kinds::BACKEND_TLS_POLICY, "other-port", &[]);
    world.expect(kinds::BACKEND_TLS_POLICY, "other-service", &[]);
    // A status of former times stays when nothing uses the policy any more.
    world.remove(kinds::HTTP_ROUTE, "secure-app");
    world.expect(
        kinds::BACKEND_TLS_POLICY,
        "backend-tls",
        &[POLICY_RESOLVED, POLICY_ACCEPTED],
    );
}

#[tokio::test]
async fn routes_say_what_their_backends_lack() {
    let world = guide();
    let rules = |backends: Value| {
        world.change(
            kinds::HTTP_ROUTE,
            "secure-app",
            json!({"spec": {"rules": [{"backendRefs": backends}]}}),
        );
    };
    let route = |resolved: &str| {
        let resolved = format!("ResolvedRefs False/{resolved}");
        world.expect(
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
    world.add(service("plain"));
    rules(json!([{"name": "secure-app", "port": 8443}, {"name": "plain", "port": 80}]));
    route("UnsupportedValue Backend TLS policies do not match for all backends");
    rules(json!([{"name": "plain", "port": 80}, {"name": "secure-app", "port": 8443}]));
    world.expect(
        kinds::HTTP_ROUTE,
        "secure-app",
        &[ROUTE_ACCEPTED, ROUTE_RESOLVED],
    );
    // R5
    world.change(
        kinds::SERVICE,
        "plain",
        json!({"spec": {"ports": [{"port": 80, "appProtocol": "kubernetes.io/wss"}]}}),
    );
    rules(json!([{"name": "plain", "port": 80}]));
    route(
        "UnsupportedProtocol The Route type http does not support service port appProtocol \
         kubernetes.io/wss; missing corresponding BackendTLSPolicy",
    );
}

#[tokio::test]
async fn routes_that_do_not_attach_say_why() {
    let world = guide();
    let route = |accepted: &str| {
        let accepted = format!("Accepted False/{accepted}");
        world.expect(
            kinds::HTTP_ROUTE,
            "secure-app",
            &[ROUTE_RESOLVED, &accepted],
        );
    };
    let parent = |change: Value| {
        world.change(
            kinds::HTTP_ROUTE,
            "secure-app",
            json!({"spec": {"parentRefs": [change]}}),
        );
    };
    parent(json!({"name": "gateway", "sectionName": "nobody"}));
    route("NoMatchingParent The Listener is not found for this parent ref");
    parent(json!({"name": "gateway"}));
    world.expect(
        kinds::HTTP_ROUTE,
        "secure-app",
        &[ROUTE_ACCEPTED, ROUTE_RESOLVED],
    );
    let listener = |change: Value| {
        let mut listener = json!({"name": "http", "port": 80, "protocol": "HTTP"});
        patch::merge(&mut listener, &change);
        world.change(
            kinds::GATEWAY,
            "gateway",
            json!({"spec": {"listeners": [listener]}}),
        );
    };
    listener(json!({"hostname": "*.other.example.com"}));
    route("NoMatchingListenerHostname The Listener hostname does not match the Route hostnames");
    listener(json!({"allowedRoutes": {"kinds": [{"kind": "GRPCRoute"}]}}));
    route("NotAllowedByListeners The Route is not allowed by any listener");
    world.change(
        kinds::GATEWAY,
        "gateway",
        json!({"spec": {"gatewayClassName": "another"}}),
    );
    world.settle();
    let gateway = world
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
    let world = guide();
    let annotate = |version: &str| {
        let annotations = json!({"gateway.networking.k8s.io/bundle-version": version});
        world.change(
            kinds::CUSTOM_RESOURCE_DEFINITION,
            "gateways.gateway.networking.k8s.io",
            json!({"metadata": {"annotations": annotations}}),
        );
    };
    // C2
    annotate("v1.4.0");
    assert_eq!(
        world.conditions(kinds::GATEWAY_CLASS, "nginx")[1],
        "SupportedVersion False/UnsupportedVersion The Gateway API CRD versions are not recommended. \
         Recommended version is v1.5.1"
    );
    // C1
    annotate("v2.0.0");
    world.expect(
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
    world.change(
        kinds::GATEWAY,
        "gateway",
        json!({"spec": {"infrastructure": {"parametersRef": parameters}}}),
    );
    world.expect(kinds::GATEWAY, "gateway", &[
        PROGRAMMED,
        "Accepted False/InvalidParameters The Gateway is not accepted due to an invalid ParametersRef: \
         Spec.infrastructure.parametersRef.name: Not found: \"nobody\"",
        "ResolvedRefs False/ParametersRefInvalid Spec.infrastructure.parametersRef.name: Not found: \
         \"nobody\"",
    ]);
}
