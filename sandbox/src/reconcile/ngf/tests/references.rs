//! Gateways, policies, the class, and what they refer to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

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
    let controllers = guide();
    controllers.expect(kinds::GATEWAY, "gateway", &[ACCEPTED, PROGRAMMED, RESOLVED]);
    controllers.expect(
        kinds::HTTP_ROUTE,
        "secure-app",
        &[ROUTE_ACCEPTED, ROUTE_RESOLVED],
    );
    controllers.expect(
        kinds::BACKEND_TLS_POLICY,
        "backend-tls",
        &[POLICY_RESOLVED, POLICY_ACCEPTED],
    );
    controllers.expect(
        kinds::GATEWAY_CLASS,
        "nginx",
        &[
            "Accepted True/Accepted The GatewayClass is accepted",
            "SupportedVersion True/SupportedVersion The Gateway API CRD versions are supported",
            "ResolvedRefs True/ResolvedRefs The ParametersRef resource is resolved",
        ],
    );
    let gateway = controllers
        .store
        .get(kinds::GATEWAY, "default", "gateway")
        .unwrap();
    let listener = &gateway["status"]["listeners"][0];
    assert_eq!(listener["attachedRoutes"], 1);
    let mut types: Vec<_> = listener["conditions"]
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
    types.sort();
    assert_eq!(
        types,
        [
            "Accepted=True",
            "Conflicted=False",
            "Programmed=True",
            "ResolvedRefs=True"
        ]
    );
    // Settled means settled.
    let before = controllers.store.revision();
    controllers.settle();
    assert_eq!(controllers.store.revision(), before);
}

#[tokio::test]
async fn the_gateways_client_certificate_is_judged() {
    let controllers = guide();
    let refuse = |error: &str| {
        let refused = gateway_refused(error);
        controllers.expect(kinds::GATEWAY, "gateway", &[ACCEPTED, PROGRAMMED, &refused]);
    };
    let secret = controllers
        .store
        .get(kinds::SECRET, "default", CLIENT)
        .unwrap();
    let data = |key: &str| secret["data"][key].clone();
    let put = |kind: &str, data: Value| {
        if controllers
            .store
            .get(kinds::SECRET, "default", CLIENT)
            .is_some()
        {
            controllers.remove(kinds::SECRET, CLIENT);
        }
        controllers.add(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": CLIENT}, "type": kind,
            "data": data,
        }));
    };
    let other = controllers
        .store
        .get(kinds::SECRET, "default", "app-tls-secret")
        .unwrap();
    let encoded = |text: &str| json!(STANDARD.encode(text));
    let tls = "kubernetes.io/tls";

    // G3
    controllers.remove(kinds::SECRET, CLIENT);
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
        "tls secret is invalid: tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched",
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
    controllers.expect(kinds::GATEWAY, "gateway", &[ACCEPTED, PROGRAMMED, RESOLVED]);
    // G1
    let reference = |change: Value| {
        controllers.change(
            kinds::GATEWAY,
            "gateway",
            &json!({"spec": {"tls": {"backend": {"clientCertificateRef": change}}}}),
        );
    };
    reference(json!({"kind": "ConfigMap"}));
    controllers.expect(kinds::GATEWAY, "gateway", &[
        ACCEPTED,
        PROGRAMMED,
        "ResolvedRefs False/InvalidClientCertificateRef Spec.tls.backend.clientCertificateRef.kind: \
         Unsupported value: \"ConfigMap\": supported values: \"Secret\"",
    ]);
}

#[tokio::test]
async fn another_namespaces_secret_needs_a_grant() {
    let controllers = guide();
    let reference = json!({"namespace": "cert-manager", "name": "local-ca-secret"});
    controllers.change(
        kinds::GATEWAY,
        "gateway",
        &json!({"spec": {"tls": {"backend": {"clientCertificateRef": reference}}}}),
    );
    // G7
    controllers.expect(kinds::GATEWAY, "gateway", &[
        ACCEPTED,
        PROGRAMMED,
        "ResolvedRefs False/RefNotPermitted secret ref cert-manager/local-ca-secret not permitted by \
         any ReferenceGrant",
    ]);
    controllers.add(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "grant", "namespace": "cert-manager"},
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "default"}],
            "to": [{"group": "", "kind": "Secret"}],
        },
    }));
    controllers.expect(kinds::GATEWAY, "gateway", &[ACCEPTED, PROGRAMMED, RESOLVED]);
}

#[tokio::test]
async fn policies_are_judged_by_their_host_name_and_their_ca() {
    let controllers = guide();
    let validation = |change: Value| {
        controllers.change(
            kinds::BACKEND_TLS_POLICY,
            "backend-tls",
            &json!({"spec": {"validation": change}}),
        );
    };
    let policy =
        |expected: &[&str]| controllers.expect(kinds::BACKEND_TLS_POLICY, "backend-tls", expected);
    let secret = controllers
        .store
        .get(kinds::SECRET, "default", "backend-cert")
        .unwrap();
    // P6
    controllers.remove(kinds::SECRET, "backend-cert");
    let refused = policy_refused("Secret default/backend-cert does not exist");
    policy(&[&refused[0], &refused[1]]);
    // P15
    let message = refused[0].split_once(" validation").unwrap().1;
    let route = format!(
        "ResolvedRefs False/UnsupportedValue The BackendTLSPolicy is invalid: validation{message}"
    );
    controllers.expect(kinds::HTTP_ROUTE, "secure-app", &[ROUTE_ACCEPTED, &route]);
    // P7
    controllers.add(json!({
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
    controllers.add(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"x": "y"}}));
    policy(&[
        &of_map("ConfigMap does not have the data or binaryData field ca.crt"),
        none,
    ]);
    let ca = STANDARD
        .decode(secret["data"]["ca.crt"].as_str().unwrap())
        .unwrap();
    let pem = String::from_utf8(ca).unwrap();
    controllers.change(kinds::CONFIG_MAP, "ca", &json!({"data": {"ca.crt": pem}}));
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
    let refused = controllers.conditions(kinds::BACKEND_TLS_POLICY, "backend-tls");
    assert!(
        refused[0].starts_with(
            "Accepted False/Invalid Invalid hostname: tls.hostname: Invalid value: \
             \"Not_A_Host\": a lowercase RFC 1123 subdomain must consist"
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_nginx_does_not_take_is_not_programmed() {
    let controllers = guide();
    let secret = controllers
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
        controllers.change(
            kinds::SECRET,
            "backend-cert",
            &json!({"data": {"ca.crt": ca}}),
        );
        controllers.expect(
            kinds::BACKEND_TLS_POLICY,
            "backend-tls",
            &[POLICY_RESOLVED, POLICY_ACCEPTED],
        );
        let gateway = controllers.conditions(kinds::GATEWAY, "gateway");
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
    let controllers = guide();
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
    controllers.add(policy(
        "zz-later",
        json!({"group": "", "kind": "Service", "name": "secure-app", "sectionName": "https"}),
    ));
    controllers.expect(
        kinds::BACKEND_TLS_POLICY,
        "backend-tls",
        &[POLICY_RESOLVED, POLICY_ACCEPTED],
    );
    controllers.expect(kinds::BACKEND_TLS_POLICY, "zz-later", &[
        POLICY_RESOLVED,
        "Accepted False/Conflicted Conflicts with another BackendTLSPolicy targeting the same Service",
    ]);
    // P1: another port's name, another Service.
    controllers.add(policy(
        "other-port",
        json!({"group": "", "kind": "Service", "name": "secure-app", "sectionName": "http"}),
    ));
    controllers.add(policy(
        "other-service",
        json!({"group": "", "kind": "Service", "name": "nobody"}),
    ));
    controllers.expect(kinds::BACKEND_TLS_POLICY, "other-port", &[]);
    controllers.expect(kinds::BACKEND_TLS_POLICY, "other-service", &[]);
    // A status of former times stays when nothing uses the policy any more.
    controllers.remove(kinds::HTTP_ROUTE, "secure-app");
    controllers.expect(
        kinds::BACKEND_TLS_POLICY,
        "backend-tls",
        &[POLICY_RESOLVED, POLICY_ACCEPTED],
    );
}
