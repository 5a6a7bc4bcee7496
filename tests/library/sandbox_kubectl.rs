//! The embedded cluster as `kubectl` sees it: get, describe, logs, exec, apply, patch and delete.

use std::process::Stdio;

use crate::sandbox_support::{Cluster, peers, run_with, until};
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

// After the macro that it uses.
mod edits;

#[tokio::test(flavor = "multi_thread")]
async fn get_prints_name_age_and_the_columns_of_the_kind() {
    let cluster = cluster!("guide", Stage::Policy);
    for (what, parts) in [
        (
            "gateways,httproutes,backendtlspolicies -A",
            &[
                "NAMESPACE   NAME                                        CLASS   ADDRESS",
                "gateway.gateway.networking.k8s.io/gateway   nginx   127.",
                r#"["secure-app.example.com"]"#,
                "backendtlspolicy.gateway.networking.k8s.io/backend-tls",
            ][..],
        ),
        (
            "pods",
            &["READY", "STATUS", "AGE", "True", "Running", "127."],
        ),
        ("svc", &["CLUSTER-IP", "PORT(S)", "8443", "LoadBalancer"]),
        ("secrets", &["kubernetes.io/tls", "app-tls-secret"]),
        ("cm", &["secure-config", "AGE"]),
        (
            "deploy,rs",
            &[
                "DESIRED",
                "deployment.apps/secure-app",
                "replicaset.apps/secure-app-",
            ],
        ),
        ("ns", &["default", "Active", "nginx-gateway"]),
        ("nodes", &["ngf-demo", "True", "v1."]),
        ("endpointslices", &["ENDPOINTS", "127.", "8443"]),
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
        ("nginxproxies -A", &["ngf-proxy-config"]),
        ("crd", &["backendtlspolicies.gateway.networking.k8s.io"]),
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
    let squeezed = gateway.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "The Gateway is accepted",
        "The Gateway is programmed",
        "Type: IPAddress",
    ] {
        assert!(squeezed.contains(part), "no {part:?} in\n{gateway}");
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
    // The guide's own manifest, applied again, changes nothing.
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
    until("the data plane goes with its Gateway", || {
        let all = cluster.kubectl("get deploy,svc,sa,cm -o name").fine();
        !all.contains("gateway-nginx")
    });
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_restart_grow_and_log() {
    let cluster = cluster!("guide", Stage::Policy);
    let first = cluster.kubectl("get pod -l app=secure-app -o name").fine();
    cluster.kubectl("rollout restart deploy/secure-app").fine();
    cluster
        .kubectl("rollout status deploy/secure-app --timeout=20s")
        .fine();
    let second = cluster.kubectl("get pod -l app=secure-app -o name").fine();
    assert_ne!(first, second);
    cluster
        .kubectl(r#"patch deploy/secure-app --type=merge -p {"spec":{"replicas":3}}"#)
        .fine();
    let ready = "get deploy secure-app -o jsonpath={.status.readyReplicas}";
    cluster.kubectl_until(ready, "3");
    until("three endpoints", || {
        cluster.endpoints("secure-app").len() == 3
    });
    cluster.kubectl("delete pod -l app=secure-app").fine();
    cluster.kubectl_until(ready, "3");
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
async fn exec_runs_what_the_tool_runs_and_ends_with_its_status() {
    let cluster = cluster!("guide", Stage::Policy);
    let name = cluster.pod("gateway-nginx-");
    let exec = format!("exec {name} -c nginx --");
    let key =
        "/etc/nginx/secrets/ssl_keypair_default_gateway-presents-this-cert-for-validation.pem";
    for (command, out) in [
        (
            "cat /etc/nginx/secrets/cert_bundle_default_backend-cert.crt",
            "BEGIN CERTIFICATE",
        ),
        // The key is where nginx needs it: whoever may exec may read it, here as anywhere.
        (&format!("cat {key}"), "PRIVATE KEY"),
        ("nginx -T", "proxy_ssl_name secure-app.example.com;"),
        (
            "cat /etc/resolv.conf",
            "search default.svc.cluster.local svc.cluster.local",
        ),
        ("true", ""),
    ] {
        let said = cluster.kubectl(&format!("{exec} {command}")).fine();
        assert!(said.contains(out), "{command}: {said}");
    }
    let tested = cluster.kubectl(&format!("{exec} nginx -t"));
    assert!(
        tested.ok && tested.err.contains("test is successful"),
        "{tested:?}"
    );
    for (command, status, err) in [
        (
            "cat /etc/shadow",
            1,
            "cat: can't open '/etc/shadow': No such file or directory",
        ),
        ("sleep soon", 1, "invalid number 'soon'"),
        ("nginx -s reload", 1, "the sandbox plays only -t and -T"),
        (
            "nc secure-app 22",
            1,
            "the sandbox plays only `nc -ll -p PORT -e cat`",
        ),
        (
            "sh -c true",
            127,
            "the sandbox runs only ngf-tui's own scripts",
        ),
        ("bash", 127, "the sandbox does not play this program"),
        (
            "nosuch",
            127,
            "exec: \"nosuch\": executable file not found in $PATH",
        ),
    ] {
        let output = cluster
            .kubectl_command(&format!("{exec} {command}"))
            .output()
            .expect("kubectl runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{command}: {said}");
        assert!(said.contains(err), "{command}: {said}");
    }
    for (arguments, err) in [
        (
            "exec nobody -- true".to_owned(),
            "pods \"nobody\" not found",
        ),
        (
            format!("exec {name} -c init -- true"),
            "container not found (\"init\")",
        ),
        (format!("port-forward {name} :80"), "and not to SPDY"),
    ] {
        let refused = cluster.kubectl(&arguments).refused();
        assert!(refused.contains(err), "{arguments}: {refused}");
    }
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_a_command_comes_back_byte_for_byte() {
    let cluster = cluster!("guide", Stage::Policy);
    let mut much = vec![0; 10_000_000];
    openssl::rand::rand_bytes(&mut much).expect("randomness");
    // ASCII, so that nothing of it is replaced where it is shown.
    for byte in &mut much {
        *byte = b'0' + *byte % 64;
    }
    let name = cluster.pod("gateway-nginx-");
    let mut command = cluster.kubectl_command(&format!("exec -i {name} -c nginx -- cat"));
    // The end of the input ends cat: the fifth version of the protocol can say it.
    let back = run_with(&mut command, &much).fine();
    assert!(back.as_bytes() == much, "{} bytes came back", back.len());
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
        until(text, || {
            let seen = std::fs::read_to_string(cluster.path("watched")).unwrap();
            seen.contains(text)
        });
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
async fn missing_rights_and_tokens_are_said() {
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
