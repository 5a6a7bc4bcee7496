//! `check --over` against a real API server: what only that knows. Needs the feature `lab-tests` and a
//! lab (see `tests/support/lab.rs`).

use std::fs;

use crate::support::lab::{Lab, said};
use serde_json::Value;

/// What is new, as `CODE title`, with the namespace's name as `NS`.
fn new(lab: &Lab, context: &str, manifests: &str, more: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.yaml");
    fs::write(&file, manifests).expect("written");
    let file = file.to_str().expect("a path");
    let arguments = [&["check", "--over", "-o", "json", "-f", file], more].concat();
    let output = lab.ngf_tui(context, &arguments).output().expect("it runs");
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let text = |finding: &Value, field: &str| finding[field].as_str().expect("text").to_owned();
    let findings = report["new"].as_array().expect("a list");
    findings
        .iter()
        .map(|finding| format!("{} {}", text(finding, "code"), text(finding, "title")))
        .map(|line| line.replace(&lab.namespace, "NS"))
        .collect()
}

const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n\
    spec: {gatewayClassName: of-nobody, listeners: [{name: http, port: 80, protocol: HTTP}]}\n";

/// Every object of the namespace that a manifest here names.
fn everything(lab: &Lab) -> String {
    lab.run(&[
        "get",
        "gateways,backendtlspolicies,services,secrets",
        "-o",
        "yaml",
    ])
}

#[test]
fn a_real_api_server_says_what_it_would_store_and_stores_nothing() {
    let lab = Lab::namespace("over");
    lab.apply(GATEWAY);
    lab.apply(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: Opaque\nstringData: {a: b}\n",
    );
    lab.apply("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n");
    let before = everything(&lab);
    for (manifest, expected) in [
        (
            GATEWAY.replace("spec: {", "spec: {tsl: {a: b}, "),
            "NGF-A2 The API server would drop spec.tsl of Gateway NS/g",
        ),
        (
            GATEWAY.replace("protocol: HTTP", "protocol: 'H T'"),
            "NGF-A1 The API server would refuse Gateway NS/g: spec.listeners[0].protocol: Invalid value: \"H T\": ",
        ),
        (
            "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {name: p}\n\
             spec: {targetRefs: [{group: '', kind: Service, name: s}], validation: {hostname: a.example.com}}\n"
                .to_owned(),
            "NGF-A1 The API server would refuse BackendTLSPolicy NS/p: spec.validation: Invalid value: must specify \
             either CACertificateRefs or WellKnownCACertificates",
        ),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/tls\n\
             stringData: {tls.crt: '', tls.key: ''}\n"
                .to_owned(),
            "NGF-A1 The API server would refuse Secret NS/s: type: Invalid value: \"kubernetes.io/tls\": field is \
             immutable",
        ),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n\
             spec: {clusterIP: 10.96.250.250, ports: [{port: 80}]}\n"
                .to_owned(),
            "NGF-A1 The API server would refuse Service NS/s: spec.clusterIPs[0]: Invalid value: \
             [\"10.96.250.250\"]: may not change once set",
        ),
    ] {
        let new = new(&lab, "admin", &manifest, &[]);
        assert!(
            new.iter().any(|line| line.starts_with(expected)),
            "{expected}: {new:#?}"
        );
    }
    assert_eq!(new(&lab, "admin", GATEWAY, &[]), Vec::<String>::new());
    let denied = new(
        &lab,
        "viewer",
        &GATEWAY.replace("port: 80", "port: 81"),
        &[],
    );
    assert_eq!(
        denied,
        [
            "NGF-A3 What the API server would make of Gateway NS/g is not known: you may not patch gateways in namespace \
          NS"
        ]
    );
    assert_eq!(everything(&lab), before, "nothing was stored");
}

#[test]
fn the_policy_of_a_cluster_and_the_owner_of_a_field_are_heard() {
    let lab = Lab::namespace("over-policy");
    let name = lab.namespace.clone();
    let policy = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: {name}}}\n\
         spec:\n  failurePolicy: Fail\n  matchConstraints:\n    resourceRules:\n    \
         - {{apiGroups: [gateway.networking.k8s.io], apiVersions: ['*'], operations: [CREATE, UPDATE], resources: [gateways]}}\n  \
         validations:\n  - {{expression: 'object.spec.listeners.all(l, l.port != 8080)', message: no listener on 8080}}\n\
         ---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\n\
         metadata: {{name: {name}}}\nspec:\n  policyName: {name}\n  validationActions: [Deny]\n  matchResources:\n    \
         namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}\n"
    );
    lab.apply(&policy);
    let wrong = GATEWAY.replace("port: 80", "port: 8080");
    Lab::wait("the policy to be in force", || {
        new(&lab, "admin", &wrong, &[])
            .iter()
            .any(|line| line.starts_with("NGF-A1") && line.contains("no listener on 8080"))
    });
    lab.run(&[
        "delete",
        "validatingadmissionpolicybinding,validatingadmissionpolicy",
        &name,
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gateway.yaml");
    fs::write(&file, GATEWAY).expect("written");
    let file = file.to_str().expect("a path");
    let told = |manager: &str| {
        lab.run(&["delete", "gateway", "g", "--ignore-not-found"]);
        let manager = format!("--field-manager={manager}");
        lab.run(&["apply", "--server-side", "-f", file, &manager]);
        let patch = r#"[{"op": "replace", "path": "/spec/listeners/0/port", "value": 82}]"#;
        lab.run(&[
            "patch",
            "gateway",
            "g",
            "--type=json",
            "-p",
            patch,
            "--field-manager=person",
        ]);
        new(&lab, "admin", &GATEWAY.replace("port: 80", "port: 81"), &[])
    };
    let conflict = ".spec.listeners[name=\"http\"].port";
    assert_eq!(
        told("kubectl"),
        [format!(
            "NGF-A1 The API server would refuse Gateway NS/g: {conflict}: conflict with \"person\" using gateway.networking.k8s.io/v1"
        )]
    );
    let controller = told("somebody");
    let [warning] = controller.as_slice() else {
        panic!("{controller:#?}");
    };
    assert!(
        warning.starts_with(
            "NGF-A4 The API server warns of Gateway NS/g: somebody takes over fields of others: "
        ) && warning.contains(conflict),
        "{warning}"
    );
}
