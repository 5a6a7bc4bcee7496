//! `probe --via …`, `--all`, `cleanup` and the roles of `assets/rbac.yaml`, as a person uses them, on
//! a real cluster with the guide played on it. Needs the feature `lab-tests` and a lab:
//! `NGF_TUI_LAB_KUBECONFIG=/opt/lab/kubeconfig cargo test --features lab-tests --test ways` (see
//! `tests/support/lab.rs`).

mod elsewhere;
mod roles;

use std::{
    process::{Output, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::support::lab::{Lab, said};
use serde_json::{Value, json};

use elsewhere::openssl_pair;

const ROUTE: &str = "httproute/secure-app";
const IMAGE: &str = "lab/busybox:1";

fn probe(lab: &Lab, context: &str, arguments: &[&str]) -> Output {
    let arguments: Vec<&str> = ["probe"].iter().chain(arguments).copied().collect();
    lab.ngf_tui(context, &arguments).output().expect("it runs")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

/// What must be the same by every way: all that the backend and nginx's judgement make of it.
fn content(transcript: &Value) -> Value {
    let messages: Vec<Value> = transcript["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter(|step| step["layer"] == "tls")
        // Session tickets and signatures are new each time, and some have no fixed length.
        .map(|step| json!([step["name"], step["direction"]]))
        .collect();
    let mut same = json!({ "messages": messages });
    for key in [
        "target",
        "address",
        "nginx",
        "tls",
        "verify_trace",
        "client_certificate",
        "server_chain",
        "http",
    ] {
        same[key] = transcript[key].clone();
    }
    same
}

#[test]
fn all_ways_give_the_same_transcript() {
    let lab = Lab::guide("ways");
    let mut first = None;
    for (way, says) in [
        ("direct", "direct"),
        ("port-forward", "port-forward to secure-app-"),
        ("exec", "exec in gateway-nginx-"),
        ("ephemeral", "ephemeral ngf-tui-"),
        ("pod", "pod ngf-tui-"),
        ("auto", "exec in gateway-nginx-"),
    ] {
        let output = probe(
            &lab,
            "admin",
            &[ROUTE, "--via", way, "--image", IMAGE, "--yes", "-o", "json"],
        );
        assert_eq!(output.status.code(), Some(0), "{way}: {}", said(&output));
        let transcript = json_of(&output);
        let via = transcript["via"].as_str().expect("a way");
        assert!(via.starts_with(says), "{way}: {via}");
        let content = content(&transcript);
        match &first {
            None => first = Some(content),
            Some(first) => assert_eq!(*first, content, "{way}"),
        }
    }
    assert_eq!(lab.pods("ngf-tui/debug-pod"), Vec::<String>::new());

    // The ephemeral container still runs, and is used again.
    let output = probe(
        &lab,
        "admin",
        &[ROUTE, "--via", "ephemeral", "--image", IMAGE],
    );
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let containers = lab.run(&[
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/name=gateway-nginx",
        "-o",
        "jsonpath={.items[*].spec.ephemeralContainers[*].name}",
    ]);
    assert_eq!(containers.split_whitespace().count(), 1, "{containers}");
    let cleanup = lab
        .ngf_tui("admin", &["cleanup"])
        .output()
        .expect("it runs");
    assert!(
        said(&cleanup).contains("Kubernetes never removes"),
        "{}",
        said(&cleanup)
    );
}

#[test]
fn nothing_is_made_without_a_yes() {
    let lab = Lab::guide("yes");
    for way in ["pod", "ephemeral"] {
        let output = probe(&lab, "admin", &[ROUTE, "--via", way]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        for says in [
            "will be created",
            "image      busybox",
            "deadline   deleted after 300 s",
            "--yes",
        ] {
            assert!(text.contains(says), "{says}: {text}");
        }
    }
    assert_eq!(lab.pods("ngf-tui/debug-pod"), Vec::<String>::new());
}

#[test]
fn a_debug_pod_is_removed_however_the_probe_ends() {
    let lab = Lab::guide("ends");
    // Probes go on, so that the signal comes in the middle.
    let arguments = [
        "probe",
        ROUTE,
        "--via",
        "pod",
        "--image",
        IMAGE,
        "--yes",
        "--like-data-plane",
        "--watch",
        "1s",
    ];
    let start = || {
        let child = lab
            .ngf_tui("admin", &arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        Lab::wait("the debug pod is there", || {
            !lab.pods("ngf-tui/debug-pod").is_empty()
        });
        child
    };
    for signal in ["INT", "TERM", "HUP"] {
        for pause in [0, 3_000] {
            let mut child = start();
            sleep(Duration::from_millis(pause));
            kill(&child, signal);
            child.wait().expect("it ends");
            assert_eq!(
                lab.pods("ngf-tui/debug-pod"),
                Vec::<String>::new(),
                "{signal} after {pause} ms"
            );
        }
    }
    let mut child = start();
    sleep(Duration::from_secs(3));
    kill(&child, "KILL");
    child.wait().expect("it ends");
    let left = lab.pods("ngf-tui/debug-pod");
    assert_eq!(left.len(), 1, "nobody could remove it");
    let pod: Value =
        serde_json::from_str(&lab.run(&["get", "pod", &left[0], "-o", "json"])).expect("JSON");
    assert_eq!(
        pod["spec"]["activeDeadlineSeconds"], 3600,
        "it ends by itself"
    );
    assert_eq!(
        pod["metadata"]["ownerReferences"][0]["kind"], "Gateway",
        "nothing adopted it"
    );

    // It has the data plane's labels, and gets no traffic.
    let slices: Value = serde_json::from_str(&lab.run(&[
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=gateway-nginx",
        "-o",
        "json",
    ]))
    .expect("JSON");
    let endpoints = slices["items"][0]["endpoints"]
        .as_array()
        .expect("endpoints")
        .clone();
    let of = |pod: &str| {
        endpoints
            .iter()
            .find(|endpoint| endpoint["targetRef"]["name"] == pod)
    };
    let ours = of(&left[0]).expect("its labels are the data plane's");
    assert_eq!(ours["conditions"]["ready"], false);
    let replicas = lab.run(&[
        "get",
        "deployment",
        "gateway-nginx",
        "-o",
        "jsonpath={.status.replicas}",
    ]);
    assert_eq!(replicas, "1");

    let cleanup = lab
        .ngf_tui("admin", &["cleanup"])
        .output()
        .expect("it runs");
    assert!(said(&cleanup).contains("removed"), "{}", said(&cleanup));
    assert_eq!(lab.pods("ngf-tui/debug-pod"), Vec::<String>::new());
}

fn kill(child: &std::process::Child, signal: &str) {
    let status = std::process::Command::new("kill")
        .args([&format!("-{signal}"), &child.id().to_string()])
        .status();
    assert!(status.is_ok_and(|status| status.success()));
}

#[test]
fn what_cannot_be_made_is_said_and_leaves_nothing() {
    let lab = Lab::guide("cannot");
    let tried = |arguments: &[&str], says: &str| {
        let arguments: Vec<&str> = [ROUTE, "--yes"].iter().chain(arguments).copied().collect();
        let output = probe(&lab, "admin", &arguments);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(says), "{says}: {text}");
        assert_eq!(lab.pods("ngf-tui/debug-pod"), Vec::<String>::new());
    };
    tried(
        &["--via", "pod", "--image", "lab/no-such-image:1"],
        "--image",
    );
    tried(&["--via", "pod", "--image", "NOT AN IMAGE"], "--image");
    tried(
        &["--via", "ephemeral", "--image", "lab/no-such-image:1"],
        "its entry stays in the pod",
    );
    tried(
        &["--via", "exec", "--pod", "no-such-pod"],
        "it has gateway-nginx-",
    );
    lab.apply(r#"{"apiVersion":"v1","kind":"ResourceQuota","metadata":{"name":"none"},"spec":{"hard":{"pods":"0"}}}"#);
    sleep(Duration::from_secs(2));
    tried(&["--via", "pod", "--image", IMAGE], "quota");
    lab.run(&["delete", "resourcequota", "none"]);

    // A namespace that takes only the most restricted pods takes this one.
    let namespace = lab.namespace.clone();
    lab.run(&[
        "label",
        "namespace",
        &namespace,
        "pod-security.kubernetes.io/enforce=restricted",
    ]);
    for way in ["pod", "ephemeral"] {
        let output = probe(
            &lab,
            "admin",
            &[ROUTE, "--yes", "--via", way, "--image", IMAGE],
        );
        assert_eq!(output.status.code(), Some(0), "{way}: {}", said(&output));
    }
}

#[test]
fn one_bad_endpoint_and_one_stale_data_plane_stand_out() {
    let lab = Lab::guide("matrix");
    let others = openssl_pair("secure-app.example.com");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "other"},
        "stringData": {"tls.crt": others.0, "tls.key": others.1, "ca.crt": others.0},
    });
    lab.apply(&secret.to_string());
    let mut app: Value =
        serde_json::from_str(&lab.run(&["get", "deployment", "secure-app", "-o", "json"]))
            .expect("JSON");
    app["metadata"] = json!({"name": "bad-app"});
    app["spec"]["selector"]["matchLabels"]["bad"] = json!("yes");
    app["spec"]["template"]["metadata"]["labels"]["bad"] = json!("yes");
    app["spec"]["template"]["spec"]["volumes"][0]["secret"]["secretName"] = json!("other");
    lab.apply(&app.to_string());
    lab.run(&["rollout", "status", "deployment/bad-app", "--timeout=60s"]);
    let bad = lab.run(&[
        "get",
        "pods",
        "-l",
        "bad=yes",
        "-o",
        "jsonpath={.items[0].status.podIP}",
    ]);

    // The CA on one data plane's disk is left behind; what is on the others' is the Secret's.
    let data_planes = lab.scale(3);
    let file = format!(
        "/etc/nginx/secrets/cert_bundle_{}_backend-cert.crt",
        lab.namespace
    );
    let ca = lab.run(&[
        "get",
        "secret",
        "backend-cert",
        "-o",
        r#"go-template={{index .data "ca.crt" | base64decode}}"#,
    ]);
    let stale = data_planes[1].clone();
    for pod in &data_planes {
        let ca = if *pod == stale { &others.0 } else { &ca };
        let script = format!("cat > {file} <<'END'\n{ca}END\n");
        lab.run(&["exec", pod, "-c", "nginx", "--", "sh", "-c", &script]);
    }

    let output = probe(&lab, "diag", &["gateway/gateway", "--all", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let matrix = json_of(&output);
    assert_eq!(matrix["columns"].as_array().map(Vec::len), Some(3));
    assert_eq!(matrix["rows"].as_array().map(Vec::len), Some(2));
    let findings = matrix["findings"].to_string();
    assert!(
        findings.contains(&format!("from {stale} every endpoint fails")),
        "{findings}"
    );
    assert!(findings.contains(&format!("{bad}:8443 (Pod")), "{findings}");
    let notes = matrix["notes"].to_string();
    assert!(
        notes.contains(&format!("{file} in Pod")) && notes.contains("older one"),
        "{notes}"
    );
}
