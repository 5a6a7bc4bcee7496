//! `probe --via …`, `--all`, `cleanup` and the roles of `assets/rbac.yaml`, as a person uses them, on
//! a real cluster with the guide played on it. Needs the feature `lab-tests` and a lab:
//! `NGF_TUI_LAB_KUBECONFIG=/opt/lab/kubeconfig cargo test --features lab-tests --test ways` (see
//! `tests/support/lab.rs`).

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Output, Stdio},
    thread::sleep,
    time::Duration,
};

use crate::support::lab::{Lab, said};
use serde_json::{Value, json};

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

/// Of the whole cluster, so that the end of a namespace does not take it along.
struct Bound<'l>(&'l Lab, String);

impl Drop for Bound<'_> {
    fn drop(&mut self) {
        self.0.run(&["delete", "clusterrolebinding", &self.1]);
    }
}

/// Lets an account read everywhere: GatewayClasses are in no namespace.
fn reads_everywhere<'l>(lab: &'l Lab, name: &str) -> Bound<'l> {
    let binding = format!("{}-{name}", lab.namespace);
    let account = format!("--serviceaccount={}:{name}", lab.namespace);
    lab.run(&[
        "create",
        "clusterrolebinding",
        &binding,
        "--clusterrole=ngf-tui-reader",
        &account,
    ]);
    Bound(lab, binding)
}

/// A user by the roles that are bound to it in the namespace, whose token is used as a context of the
/// lab.
fn user(lab: &Lab, name: &str, roles: &[&str]) -> std::path::PathBuf {
    lab.run(&["create", "serviceaccount", name]);
    let account = format!("--serviceaccount={}:{name}", lab.namespace);
    for role in roles {
        let binding = format!("{name}-{role}");
        let role = format!("--clusterrole={role}");
        lab.run(&["create", "rolebinding", &binding, &role, &account]);
    }
    let token = lab.run(&["create", "token", name]);
    let path = std::env::temp_dir().join(format!("{}-{name}.kubeconfig", lab.namespace));
    std::fs::copy(&lab.kubeconfig, &path).expect("a copy");
    let kubectl = |arguments: &[&str]| {
        let status = std::process::Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&path)
            .args(arguments)
            .output()
            .expect("kubectl");
        assert!(status.status.success(), "{status:?}");
    };
    kubectl(&[
        "config",
        "set-credentials",
        name,
        &format!("--token={}", token.trim()),
    ]);
    let namespace = format!("--namespace={}", lab.namespace);
    kubectl(&[
        "config",
        "set-context",
        "user",
        "--cluster=lab",
        &format!("--user={name}"),
        &namespace,
    ]);
    path
}

#[test]
fn each_role_suffices_for_what_it_is_for() {
    let lab = Lab::guide("roles");
    let roles = std::fs::read_to_string("assets/rbac.yaml").expect("the roles");
    lab.apply(&roles);
    let reader = user(&lab, "reader", &[]);
    let prober = user(&lab, "prober", &["ngf-tui-prober"]);
    let _bound = ["reader", "prober"].map(|name| reads_everywhere(&lab, name));
    let run = |kubeconfig: &std::path::Path, arguments: &[&str]| {
        let mut command = lab.ngf_tui_with(kubeconfig, "user", arguments);
        command.output().expect("it runs")
    };
    // The reader sees everything, and says nothing is denied.
    let output = run(&reader, &["check", "-o", "json"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let denied: Vec<_> = text
        .lines()
        .filter(|line| line.contains("forbidden"))
        .collect();
    assert_eq!(denied, Vec::<&str>::new());
    let output = run(&reader, &["probe", ROUTE, "-o", "json"]);
    let report = json_of(&output);
    assert_eq!(report["via"], "direct");
    let why = report["way"]["not_taken"].to_string();
    for rule in [
        "resources: [pods/exec], verbs: [get, create]",
        "resources: [pods/portforward], verbs: [get, create]",
    ] {
        assert!(why.contains(rule), "{why}");
    }
    for way in ["exec", "port-forward", "ephemeral", "pod"] {
        let output = run(
            &reader,
            &["probe", ROUTE, "--via", way, "--image", IMAGE, "--yes"],
        );
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{way}: {text}");
        assert!(text.contains("add to a Role in namespace"), "{way}: {text}");
    }
    for way in ["auto", "exec", "port-forward", "ephemeral", "pod"] {
        let output = run(
            &prober,
            &["probe", ROUTE, "--via", way, "--image", IMAGE, "--yes"],
        );
        assert_eq!(output.status.code(), Some(0), "{way}: {}", said(&output));
    }
    let output = run(&prober, &["probe", "gateway/gateway", "--all"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = run(&prober, &["cleanup"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for path in [reader, prober] {
        std::fs::remove_file(path).expect("it is there");
    }
    lab.run(&["delete", "-f", "assets/rbac.yaml"]);
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

/// A self-signed certificate and its key.
fn openssl_pair(name: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (folder.path().join("c"), folder.path().join("k"));
    let output = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=Other",
        ])
        .args(["-addext", &format!("subjectAltName=DNS:{name}"), "-out"])
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .expect("openssl");
    assert!(output.status.success(), "{}", said(&output));
    let read = |path| std::fs::read_to_string(path).expect("a file");
    (read(certificate), read(key))
}

/// A backend that is no pod: at this address, behind a route of its own.
fn elsewhere(lab: &Lab, name: &str, service: &Value, address: Option<(&str, u16)>) {
    let mut service = service.clone();
    service["apiVersion"] = json!("v1");
    service["kind"] = json!("Service");
    service["metadata"] = json!({"name": name});
    service["spec"]["ports"] = json!([{"port": 8443, "name": "https"}]);
    lab.apply(&service.to_string());
    if let Some((address, port)) = address {
        lab.apply(
            &json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [address]}],
                "ports": [{"name": "https", "port": port}],
            })
            .to_string(),
        );
    }
    lab.apply(&json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "gateway"}], "hostnames": [format!("{name}.example.com")],
                 "rules": [{"backendRefs": [{"name": name, "port": 8443}]}]},
    }).to_string());
    lab.apply(&json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy", "metadata": {"name": name},
        "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": name}],
                 "validation": {"hostname": "secure-app.example.com",
                                "caCertificateRefs": [{"group": "", "kind": "Secret", "name": "backend-cert"}]}},
    }).to_string());
}

#[test]
fn no_connection_is_told_from_no_handshake() {
    let lab = Lab::guide("dead");
    let app = lab.run(&[
        "get",
        "pods",
        "-l",
        "app=secure-app",
        "-o",
        "jsonpath={.items[0].status.podIP}",
    ]);
    elsewhere(&lab, "silent", &json!({}), Some(("192.0.2.1", 8443)));
    elsewhere(&lab, "closed", &json!({}), Some((&app, 9)));
    for (route, outcome, line, status) in [
        (
            "silent",
            "timeout",
            "upstream timed out (110: Connection timed out) while connecting to upstream",
            504,
        ),
        (
            "closed",
            "connect_error",
            "connect() failed (111: Connection refused) while connecting to upstream",
            502,
        ),
    ] {
        let route = format!("httproute/{route}");
        let output = probe(
            &lab,
            "admin",
            &[
                &route,
                "--via",
                "exec",
                "--timeout",
                "2s",
                "--backend-only",
                "-o",
                "json",
            ],
        );
        let nginx = &json_of(&output)["nginx"];
        assert_eq!(nginx["outcome"], outcome, "{nginx}");
        assert_eq!(nginx["log_line"], line, "{nginx}");
        assert_eq!(nginx["client_status"], status, "{nginx}");
    }
    // The data plane's own line stands beside the probe once a client has asked.
    lab.reconcile();
    Lab::wait("nginx knows the route", || {
        let output = probe(&lab, "admin", &["httproute/closed", "-o", "json"]);
        let context = &json_of(&output)["context"];
        let said = context["log_lines"].to_string();
        context["client"]["status"] == 502 && said.contains("connect() failed (111")
    });
}

#[test]
fn a_name_is_resolved_as_the_pod_does() {
    let lab = Lab::guide("names");
    // The node's own address, where the pods reach a name server of this test's.
    let listener = TcpListener::bind("10.244.0.1:53").expect("the lab's node has no name server");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    let dns = r#"{"spec":{"template":{"spec":{"dnsPolicy":"None","dnsConfig":{"nameservers":["10.244.0.1"],"searches":["test.example"],"options":[{"name":"ndots","value":"3"}]}}}}}"#;
    lab.scale(0);
    lab.run(&["patch", "deployment", "gateway-nginx", "-p", dns]);
    lab.scale(1);
    let service = json!({"spec": {"type": "ExternalName", "externalName": "backend"}});
    elsewhere(&lab, "named", &service, None);
    let output = probe(
        &lab,
        "admin",
        &[
            "httproute/named",
            "--via",
            "exec",
            "-o",
            "json",
            "--timeout",
            "3s",
        ],
    );
    let report = json_of(&output);
    let name = &report["context"]["names"][0];
    assert_eq!(name["name"], "backend", "{report}");
    assert_eq!(name["servers"], json!(["10.244.0.1"]));
    assert_eq!(name["ndots"], 3);
    assert_eq!(name["there"], json!(["10.244.0.77"]), "{name}");
    assert_eq!(name["here"], json!([]), "unknown to this machine");
}

/// Answers queries over TCP (RFC 1035 §4): 10.244.0.77 for backend.test.example, else NXDOMAIN.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    const KNOWN: &[u8] = b"\x07backend\x04test\x07example\0";
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query)?;
        let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap_or(0) + 1;
        let name = query[12..end].to_ascii_lowercase();
        let is_a = query[end + 1] == 1;
        let (code, count) = match (name == KNOWN, is_a) {
            (true, true) => (0x80, 1),
            (true, false) => (0x80, 0),
            (false, _) => (0x83, 0),
        };
        let mut answer = query[..2].to_vec();
        answer.extend([0x85, code, 0, 1, 0, count, 0, 0, 0, 0]);
        answer.extend(&query[12..end + 4]);
        if count == 1 {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 244, 0, 77]);
        }
        stream.write_all(&(answer.len() as u16).to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}
