//! Objects that kubectl changes.

use crate::sandbox_support::{Cluster, peers};
use ngf_sandbox::Stage;

use super::POLICY;

#[tokio::test(flavor = "multi_thread")]
async fn edits_are_admitted_refused_and_tried_dry() {
    let cluster = cluster!("guide", Stage::Policy);
    let dry = cluster
        .kubectl("delete btlspolicy backend-tls --dry-run=server")
        .fine();
    assert!(dry.contains("server dry run"), "{dry}");
    cluster.kubectl("get btlspolicy backend-tls").fine();
    let change = r#"{"spec":{"validation":{"hostname":"x.example.com"}}}"#;
    let patch = format!("patch btlspolicy backend-tls --type=merge -p {change}");
    cluster.kubectl(&format!("{patch} --dry-run=server")).fine();
    let host = "get btlspolicy backend-tls -o jsonpath={.spec.validation.hostname}";
    assert_eq!(cluster.kubectl(host).fine(), "secure-app.example.com");
    cluster.kubectl(&patch).fine();
    assert_eq!(cluster.kubectl(host).fine(), "x.example.com");
    cluster
        .kubectl_with("apply --server-side --force-conflicts -f -", POLICY)
        .fine();
    assert_eq!(cluster.kubectl(host).fine(), "secure-app.example.com");
    cluster.kubectl("label svc secure-app tier=web").fine();
    cluster.kubectl("annotate gateway gateway note=x").fine();
    let typeless = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: Wrong_Name}\nspec: {listeners: []}\n";
    let invalid = cluster.kubectl_with("apply -f -", typeless).refused();
    for part in [
        "is invalid",
        "spec.gatewayClassName: Required value",
        "RFC 1123",
    ] {
        assert!(invalid.contains(part), "{invalid}");
    }
    let map = |namespace: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x, namespace: {namespace}}}\n")
    };
    let nowhere = cluster
        .kubectl_with("apply -f -", &map("nowhere"))
        .refused();
    assert!(
        nowhere.contains("namespaces \"nowhere\" not found"),
        "{nowhere}"
    );
    let team = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n";
    cluster.kubectl_with("apply -f -", team).fine();
    cluster.kubectl_with("apply -f -", &map("team")).fine();
    cluster.kubectl("delete ns team --timeout=60s").fine();
    cluster.sandbox.shutdown().await;
}

/// `kubectl apply` sends changes of built-in kinds as strategic merge patches, with its directives.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_apply_changes_adds_and_takes_away_entries_of_lists() {
    let cluster = cluster!("guide", Stage::Policy);
    let deployment = |containers: &str, volumes: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: made}}\nspec:\n  replicas: 0\n  \
             selector: {{matchLabels: {{app: made}}}}\n  template:\n    metadata: {{labels: {{app: made}}}}\n    \
             spec:\n      containers: {containers}\n      volumes: {volumes}\n"
        )
    };
    for (containers, volumes, names, images, mounted) in [
        (
            "[{name: a, image: one}, {name: b, image: two}]",
            "[{name: v, emptyDir: {}}]",
            "a b",
            "one two",
            "{}",
        ),
        (
            "[{name: c, image: three}, {name: a, image: four}]",
            "[{name: v, configMap: {name: m}}]",
            "c a",
            "three four",
            "",
        ),
    ] {
        let manifest = deployment(containers, volumes);
        cluster.kubectl_with("apply -f -", &manifest).fine();
        let spec = "get deploy made -o jsonpath={.spec.template.spec.";
        for (path, expected) in [
            ("containers[*].name}", names),
            ("containers[*].image}", images),
            ("volumes[0].emptyDir}", mounted),
        ] {
            let found = cluster.kubectl(&format!("{spec}{path}")).fine();
            assert_eq!(found, expected, "{path}");
        }
        let again = cluster.kubectl_with("apply -f -", &manifest).fine();
        assert_eq!(again, "deployment.apps/made unchanged\n");
    }
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_not_written_with_the_object() {
    let cluster = cluster!("guide", Stage::Policy);
    // No controller writes the status of this kind.
    let policy = |a: &str| {
        format!(
            "apiVersion: gateway.nginx.org/v1alpha1\nkind: ClientSettingsPolicy\n\
             metadata: {{name: p}}\nspec: {{a: {a}}}\nstatus: {{set: by-apply}}\n"
        )
    };
    let shown = "get cspolicy p -o jsonpath={.metadata.generation}/{.status.set}/{.spec.a}";
    for (a, expected) in [("b", "1//b"), ("c", "2//c")] {
        cluster.kubectl_with("apply -f -", &policy(a)).fine();
        assert_eq!(cluster.kubectl(shown).fine(), expected);
    }
    cluster.kubectl("label cspolicy p x=y").fine();
    assert_eq!(cluster.kubectl(shown).fine(), "2//c");
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_write_is_a_conflict() {
    let cluster = cluster!("guide", Stage::Policy);
    let version = "get cm secure-config -o jsonpath={.metadata.resourceVersion}";
    let version = cluster.kubectl(version).fine();
    cluster.kubectl("label cm secure-config a=b").fine();
    let patch = format!(r#"{{"metadata":{{"resourceVersion":"{version}"}},"data":{{"x":"y"}}}}"#);
    let conflict = cluster
        .kubectl(&format!("patch cm secure-config --type=merge -p {patch}"))
        .refused();
    assert!(
        conflict.contains("(Conflict)") && conflict.contains("the object has been modified"),
        "{conflict}"
    );
    cluster.sandbox.shutdown().await;
}
