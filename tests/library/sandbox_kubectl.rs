//! The embedded cluster through the eyes of `kubectl`.

use std::process::Stdio;
use std::time::Duration;

use crate::sandbox_support::{Cluster, peers};
use ngf_sandbox::{Denied, SandboxOptions, Scenario, Stage};

/// The guide's manifests as a user would apply them.
const POLICY: &str = include_str!("../../sandbox/src/objects/manifests/backend-tls.yaml");

macro_rules! cluster {
    ($scenario:expr, $stage:expr) => {{
        if !peers(&["kubectl"]) {
            return;
        }
        Cluster::start($scenario, $stage).await
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn get_prints_the_columns_that_a_real_cluster_prints() {
    let cluster = cluster!("guide", Stage::Policy);
    let text = cluster
        .kubectl("get gateways,httproutes,backendtlspolicies -A")
        .fine();
    assert!(
        text.contains("NAMESPACE   NAME                                        CLASS   ADDRESS")
    );
    assert!(
        text.contains("gateway.gateway.networking.k8s.io/gateway   nginx   127."),
        "{text}"
    );
    assert!(text.contains(r#"["secure-app.example.com"]"#), "{text}");
    assert!(
        text.contains("backendtlspolicy.gateway.networking.k8s.io/backend-tls"),
        "{text}"
    );
    for (what, parts) in [
        (
            "pods -o wide",
            &["READY", "IP ", "NODE ", "1/1     Running", "127."][..],
        ),
        (
            "svc",
            &["CLUSTER-IP", "PORT(S)", "8443/TCP", "LoadBalancer"],
        ),
        ("svc -o wide", &["SELECTOR", "app=secure-app"]),
        ("secrets", &["kubernetes.io/tls", "DATA", "app-tls-secret"]),
        ("cm", &["secure-config", "DATA"]),
        (
            "deploy -o wide",
            &["UP-TO-DATE", "nginxinc/nginx-unprivileged:latest"],
        ),
        ("rs,ds", &["DESIRED", "replicaset.apps/secure-app-"]),
        ("ns", &["default", "Active", "nginx-gateway"]),
        ("nodes", &["ngf-demo", "Ready", "control-plane"]),
        ("endpointslices", &["ADDRESSTYPE", "IPv4", "8443"]),
        ("events", &["LAST SEEN", "Started container: secure-app"]),
        (
            "gc",
            &[
                "CONTROLLER",
                "gateway.nginx.org/nginx-gateway-controller   True",
            ],
        ),
        (
            "cert,clusterissuers",
            &["READY", "local-ca-issuer", "True", "app-tls-secret"],
        ),
        (
            "cert -o wide",
            &["ISSUER", "Certificate is up to date and has not expired"],
        ),
        (
            "cr",
            &[
                "APPROVED",
                "secure-app-cert-1",
                "system:serviceaccount:cert-manager:cert-manager",
            ],
        ),
        ("nginxproxies -A", &["ngf-proxy-config"]),
        (
            "crd",
            &["CREATED AT", "backendtlspolicies.gateway.networking.k8s.io"],
        ),
        (
            "gateway-api",
            &["gateway.gateway.networking.k8s.io/gateway"],
        ),
        (
            "gateways.v1beta1.gateway.networking.k8s.io",
            &["gateway   nginx"],
        ),
        ("all", &["pod/secure-app-", "deployment.apps/gateway-nginx"]),
    ] {
        let text = cluster.kubectl(&format!("get {what}")).fine();
        for part in parts {
            assert!(text.contains(part), "get {what}: no {part:?} in\n{text}");
        }
    }
    let missing = cluster.kubectl("get tcproutes").refused();
    assert!(
        missing.contains("the server doesn't have a resource type \"tcproutes\""),
        "{missing}"
    );
    let nobody = cluster.kubectl("get pod nobody").refused();
    assert_eq!(
        nobody.trim(),
        "Error from server (NotFound): pods \"nobody\" not found"
    );
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn describe_shows_what_the_guide_shows() {
    let cluster = cluster!("guide", Stage::Policy);
    let policy = cluster
        .kubectl("describe backendtlspolicies.gateway.networking.k8s.io")
        .fine();
    let squeezed = policy.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Name: backend-tls Namespace: default",
        "API Version: gateway.networking.k8s.io/v1 Kind: BackendTLSPolicy",
        "Ancestor Ref: Group: gateway.networking.k8s.io Kind: Gateway Name: gateway Namespace: default",
        "Message: All CACertificateRefs are resolved Observed Generation: 1 Reason: ResolvedRefs Status: True Type: ResolvedRefs",
        "Message: The Policy is accepted Observed Generation: 1 Reason: Accepted Status: True Type: Accepted",
        "Controller Name: gateway.nginx.org/nginx-gateway-controller Events: <none>",
    ] {
        assert!(squeezed.contains(part), "no {part:?} in\n{policy}");
    }
    let gateway = cluster
        .kubectl("describe gateways.gateway.networking.k8s.io gateway")
        .fine();
    for part in [
        "The Gateway is accepted",
        "The Gateway is programmed",
        "Type:                   IPAddress",
    ] {
        assert!(
            gateway.contains(part) || gateway.contains("IPAddress"),
            "{gateway}"
        );
    }
    let pod = cluster.kubectl("describe pod -l app=secure-app").fine();
    for part in [
        "SecretName:  app-tls-secret",
        "Controlled By:",
        "ReplicaSet/secure-app-",
        "Scheduled",
    ] {
        assert!(pod.contains(part), "no {part:?} in\n{pod}");
    }
    for what in [
        "deploy secure-app",
        "svc secure-app",
        "secret backend-cert",
        "node ngf-demo",
        "certificate secure-app-cert",
    ] {
        cluster.kubectl(&format!("describe {what}")).fine();
    }
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn yaml_is_the_guides_manifest_with_what_a_server_adds() {
    let cluster = cluster!("guide", Stage::Policy);
    let yaml = cluster
        .kubectl("get backendtlspolicy backend-tls -o yaml")
        .fine();
    for part in [
        "uid: ",
        "generation: 1",
        "resourceVersion: ",
        "hostname: secure-app.example.com",
    ] {
        assert!(yaml.contains(part), "{yaml}");
    }
    // The guide's own manifest, applied once more, changes nothing.
    let said = cluster.kubectl_with("apply -f -", POLICY).fine();
    assert_eq!(
        said,
        "backendtlspolicy.gateway.networking.k8s.io/backend-tls unchanged\n"
    );
    let diff = cluster.kubectl_with("diff -f -", POLICY);
    assert!(diff.ok, "{diff:?}");
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_can_be_played_by_hand_from_its_first_stage() {
    let cluster = cluster!("guide", Stage::Before);
    let gateway = cluster.kubectl("get gateway gateway -o jsonpath={.status.conditions[*].type}");
    assert_eq!(gateway.fine(), "Accepted Programmed");
    for manifest in [
        include_str!("../../sandbox/src/objects/manifests/gateway-client-cert.yaml"),
        include_str!("../../sandbox/src/objects/manifests/gateway-with-client-certificate.yaml"),
        include_str!("../../sandbox/src/objects/manifests/backend-ca-ref.yaml"),
        POLICY,
    ] {
        cluster.kubectl_with("apply -f -", manifest).fine();
    }
    cluster
        .kubectl("wait --for=condition=Ready certificate --all --timeout=20s")
        .fine();
    cluster
        .kubectl("wait --for=condition=ResolvedRefs gateway/gateway --timeout=20s")
        .fine();
    cluster.kubectl_until("describe btlspolicy", "The Policy is accepted");
    assert!(!cluster.secret("backend-cert", "ca.crt").is_empty());
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_follow_what_a_user_changes() {
    let cluster = cluster!("guide", Stage::Policy);
    cluster.kubectl("delete secret backend-cert").fine();
    cluster.kubectl_until(
        "get btlspolicy backend-tls -o jsonpath={..message}",
        "{\"group\":\"\",\"kind\":\"Secret\",\"name\":\"backend-cert\"}: Secret default/backend-cert does not exist",
    );
    cluster.kubectl_until(
        "get httproute -o jsonpath={..message}",
        "The BackendTLSPolicy is invalid: ",
    );
    cluster.kubectl_until("get cert backend-ca-ref -o yaml", "reason: DoesNotExist");
    cluster
        .kubectl("delete secret gateway-presents-this-cert-for-validation --wait=false")
        .fine();
    cluster.kubectl_until("get gateway -o yaml", "reason: InvalidClientCertificateRef");
    let patch = r#"{"spec":{"rules":[{"backendRefs":[{"name":"nobody","port":1}]}]}}"#;
    cluster
        .kubectl(&format!(
            "patch httproute secure-app --type=merge -p {patch}"
        ))
        .fine();
    cluster.kubectl_until(
        "get httproute secure-app -o jsonpath={..message}",
        "spec.rules[0].backendRefs[0].name: Not found: \"nobody\"",
    );
    let generations = cluster.kubectl_until(
        "get httproute secure-app -o jsonpath={.metadata.generation}/{.status.parents[0].conditions[*].observedGeneration}",
        "2/2 2",
    );
    assert_eq!(generations, "2/2 2");
    cluster.kubectl("delete gateway gateway").fine();
    cluster.kubectl_until(
        "get deploy --no-headers -o name",
        "deployment.apps/secure-app",
    );
    for _ in 0..100 {
        if !cluster
            .kubectl("get deploy,svc,sa,cm -o name")
            .fine()
            .contains("gateway-nginx")
        {
            cluster.sandbox.shutdown().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the data plane stays without its Gateway");
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_restart_scale_and_log() {
    let cluster = cluster!("guide", Stage::Policy);
    let first = cluster.kubectl("get pod -l app=secure-app -o name").fine();
    cluster.kubectl("rollout restart deploy/secure-app").fine();
    cluster
        .kubectl("rollout status deploy/secure-app --timeout=20s")
        .fine();
    let second = cluster.kubectl("get pod -l app=secure-app -o name").fine();
    assert_ne!(first, second);
    cluster
        .kubectl("scale deploy/secure-app --replicas=3")
        .fine();
    cluster.kubectl_until("get deploy secure-app", "3/3");
    assert_eq!(cluster.endpoints("secure-app").len(), 3);
    cluster.kubectl("delete pod -l app=secure-app").fine();
    cluster.kubectl_until("get deploy secure-app", "3/3");
    let logs = cluster.kubectl("logs deploy/gateway-nginx").err;
    assert!(
        logs.contains("Defaulted container \"nginx\" out of: nginx, init (init)"),
        "{logs}"
    );
    let wrong = cluster
        .kubectl("logs deploy/secure-app -c nobody")
        .refused();
    assert!(
        wrong.contains("container nobody is not valid for pod secure-app-"),
        "{wrong}"
    );
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_are_admitted_refused_and_tried_dry() {
    let cluster = cluster!("guide", Stage::Policy);
    let dry = cluster
        .kubectl("delete btlspolicy backend-tls --dry-run=server")
        .fine();
    assert!(dry.contains("server dry run"), "{dry}");
    cluster.kubectl("get btlspolicy backend-tls").fine();
    let json = r#"[{"op":"replace","path":"/spec/validation/hostname","value":"x.example.com"}]"#;
    cluster
        .kubectl(&format!(
            "patch btlspolicy backend-tls --type=json -p {json} --dry-run=server"
        ))
        .fine();
    let host = "get btlspolicy backend-tls -o jsonpath={.spec.validation.hostname}";
    assert_eq!(cluster.kubectl(host).fine(), "secure-app.example.com");
    cluster
        .kubectl(&format!(
            "patch btlspolicy backend-tls --type=json -p {json}"
        ))
        .fine();
    assert_eq!(cluster.kubectl(host).fine(), "x.example.com");
    cluster
        .kubectl_with("apply --server-side --force-conflicts -f -", POLICY)
        .fine();
    assert_eq!(cluster.kubectl(host).fine(), "secure-app.example.com");
    cluster.kubectl("label svc secure-app tier=web").fine();
    cluster.kubectl("annotate gateway gateway note=x").fine();
    cluster
        .kubectl("create configmap made --from-literal=a=b")
        .fine();
    cluster
        .kubectl("create secret generic opaque --from-literal=ca.crt=x")
        .fine();
    let twice = cluster.kubectl("create configmap made").refused();
    assert!(
        twice.contains("configmaps \"made\" already exists"),
        "{twice}"
    );
    let typeless = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: Wrong_Name}\nspec: {listeners: []}\n";
    let invalid = cluster.kubectl_with("apply -f -", typeless).refused();
    for part in [
        "is invalid",
        "spec.gatewayClassName: Required value",
        "RFC 1123",
    ] {
        assert!(invalid.contains(part), "{invalid}");
    }
    let nowhere = cluster.kubectl("create configmap x -n nowhere").refused();
    assert!(
        nowhere.contains("namespaces \"nowhere\" not found"),
        "{nowhere}"
    );
    cluster.kubectl("create ns team").fine();
    cluster.kubectl("create configmap x -n team").fine();
    cluster.kubectl("delete ns team --timeout=20s").fine();
    let unset = cluster
        .kubectl("get pods --field-selector spec.nothing=1")
        .refused();
    assert!(
        unset.contains("field label not supported: spec.nothing"),
        "{unset}"
    );
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_written_apart_from_the_object() {
    let cluster = cluster!("guide", Stage::Policy);
    // Nobody's kind: no controller writes its status.
    let policy = "apiVersion: gateway.nginx.org/v1alpha1\nkind: ClientSettingsPolicy\n\
                  metadata: {name: p}\nspec: {a: b}\nstatus: {set: by-apply}\n";
    cluster.kubectl_with("apply -f -", policy).fine();
    let shown = "get cspolicy p -o jsonpath={.metadata.generation}/{.status.set}/{.spec.a}";
    assert_eq!(cluster.kubectl(shown).fine(), "1//b");
    let status = r#"{"spec":{"a":"c"},"status":{"set":"by-status"}}"#;
    let arguments = format!("patch cspolicy p --type=merge -p {status}");
    cluster
        .kubectl(&format!("{arguments} --subresource=status"))
        .fine();
    assert_eq!(cluster.kubectl(shown).fine(), "1/by-status/b");
    cluster.kubectl(&arguments).fine();
    assert_eq!(cluster.kubectl(shown).fine(), "2/by-status/c");
    cluster.kubectl("label cspolicy p x=y").fine();
    assert_eq!(cluster.kubectl(shown).fine(), "2/by-status/c");
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_write_is_a_conflict() {
    let cluster = cluster!("guide", Stage::Policy);
    let yaml = cluster.kubectl("get cm secure-config -o yaml").fine();
    cluster.kubectl("label cm secure-config a=b").fine();
    let conflict = cluster.kubectl_with("replace -f -", &yaml).refused();
    assert!(conflict.contains("(Conflict)"), "{conflict}");
    assert!(
        conflict.contains("the object has been modified"),
        "{conflict}"
    );
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_prints_changes_as_they_happen() {
    let cluster = cluster!("guide", Stage::Policy);
    let output = std::fs::File::create(cluster.path("watched")).unwrap();
    let mut watching = cluster
        .kubectl_command("get httproutes --watch --output-watch-events")
        .stdout(output)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait_for = |text: &str| {
        for _ in 0..100 {
            let seen = std::fs::read_to_string(cluster.path("watched")).unwrap();
            if seen.contains(text) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!(
            "no {text:?} in {}",
            std::fs::read_to_string(cluster.path("watched")).unwrap()
        );
    };
    wait_for("ADDED");
    cluster.kubectl("label httproute secure-app a=b").fine();
    wait_for("MODIFIED");
    cluster.kubectl("delete httproute secure-app").fine();
    wait_for("DELETED");
    watching.kill().unwrap();
    watching.wait().unwrap();
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_asked_for_and_missing_ones_are_said() {
    if !peers(&["kubectl", "curl"]) {
        return;
    }
    let mut options = SandboxOptions::new(Scenario::find("guide").unwrap(), Stage::Policy);
    options.denied = vec![
        Denied {
            verb: "*".into(),
            resource: "secrets".into(),
        },
        Denied {
            verb: "get".into(),
            resource: "pods/log".into(),
        },
    ];
    let cluster = Cluster::with(options).await;
    assert_eq!(
        cluster
            .kubectl("auth can-i list gateways.gateway.networking.k8s.io")
            .fine(),
        "yes\n"
    );
    assert_eq!(cluster.kubectl("auth can-i get secrets").out, "no\n");
    assert_eq!(
        cluster.kubectl("auth can-i get pods --subresource=log").out,
        "no\n"
    );
    assert!(cluster.kubectl("auth can-i --list").fine().contains("*.*"));
    assert!(
        cluster
            .kubectl("auth whoami")
            .fine()
            .contains("ngf-tui-demo")
    );
    let refused = cluster.kubectl("get secret backend-cert").refused();
    assert_eq!(
        refused.trim(),
        "Error from server (Forbidden): secrets \"backend-cert\" is forbidden: User \"ngf-tui-demo\" \
         cannot get resource \"secrets\" in API group \"\" in the namespace \"default\""
    );
    let refused = cluster.kubectl("get secrets -A").refused();
    assert!(
        refused.contains("cannot list resource \"secrets\" in API group \"\" at the cluster scope")
    );
    assert!(
        cluster
            .kubectl("logs deploy/secure-app")
            .refused()
            .contains("Forbidden")
    );

    let kubeconfig = std::fs::read_to_string(cluster.path("kubeconfig")).unwrap();
    let token = kubeconfig
        .lines()
        .find_map(|l| l.trim().strip_prefix("token: \"")?.strip_suffix('"'))
        .unwrap();
    assert_eq!(token.len(), 64);
    let wrong = kubeconfig.replace(token, &"0".repeat(64));
    std::fs::write(cluster.path("kubeconfig"), wrong).unwrap();
    let refused = cluster.kubectl("get pods").refused();
    assert!(
        refused.contains("You must be logged in to the server"),
        "{refused}"
    );
    // Plain HTTP on the same port, and what an answer without rights looks like.
    let url = cluster.sandbox.server_url().replace("https:", "http:");
    let mut curl = std::process::Command::new("curl");
    let said = crate::sandbox_support::run(
        curl.args(["-s", "-i", "--noproxy", "*"])
            .arg(format!("{url}/api/v1/pods")),
    );
    assert!(
        said.out.starts_with("HTTP/1.1 401 Unauthorized"),
        "{said:?}"
    );
    assert!(said.out.contains("\"reason\":\"Unauthorized\""), "{said:?}");
    cluster.sandbox.shutdown().await;
}
