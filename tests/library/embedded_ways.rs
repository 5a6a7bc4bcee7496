//! Every way of the tool to a backend (`--via …`) on the embedded cluster, with the real binary: the
//! same transcript by each, nothing left behind, and the bytes as they are.

use std::process::{Child, Stdio};
use std::time::Duration;

use crate::sandbox_support::{Cluster, Demo, run, until};
use ngf_cluster::transport::{Exec, PortForward};
use ngf_cluster::{self, Cluster as Client, ClusterOptions};
use ngf_core::model::kind::Kind;
use ngf_core::model::object::ObjectRef;
use ngf_probes::Recorder;
use ngf_probes::dial::{Dial, Dialled, Target};
use ngf_sandbox::Stage;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ROUTE: &str = "httproute/secure-app";
/// More than any buffer on the way holds.
const MUCH: usize = 10_000_000;

/// Bytes of an encrypted alert's record.
const CLOSE_NOTIFY: u64 = 19;

fn probed(demo: &Demo, arguments: &str) -> Value {
    let said = run(&mut demo.ngf_tui(&format!("probe {ROUTE} -o json {arguments}")));
    serde_json::from_str(&said.fine()).expect("JSON")
}

/// A transcript without what is new in each: times, random numbers, the way and what it did.
fn content(mut transcript: Value) -> Value {
    fn strip(value: &mut Value) {
        const NEW_EACH_TIME: &[&str] = &[
            "random",
            "legacy_session_id",
            "legacy_session_id_echo",
            "date",
        ];
        match value {
            Value::Object(map) => {
                map.retain(|name, _| !name.ends_with("_us"));
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => {
                list.retain(|one| {
                    let name = one["name"].as_str().unwrap_or_default().to_lowercase();
                    let connects = one["layer"] == "tcp";
                    // Whether the backend's goodbye comes before ours is a matter of time.
                    let goodbye = one["direction"] == "received"
                        && (one["length"] == CLOSE_NOTIFY || name == "alert");
                    let is_new = NEW_EACH_TIME.contains(&name.as_str()) && one["value"].is_string();
                    !(connects || goodbye || is_new)
                });
                list.iter_mut().for_each(strip);
            }
            _ => {}
        }
    }
    for way in ["via", "way", "context", "started_at"] {
        transcript
            .as_object_mut()
            .expect("an object")
            .remove(way)
            .expect(way);
    }
    strip(&mut transcript);
    transcript
}

/// Where two values differ.
fn differences(one: &Value, other: &Value) -> Vec<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => a
            .iter()
            .flat_map(|(name, value)| {
                let inner = differences(value, &b[name]);
                inner.into_iter().map(move |at| format!("{name}.{at}"))
            })
            .collect(),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .flat_map(|(index, (a, b))| {
                let inner = differences(a, b);
                inner.into_iter().map(move |at| format!("{index}.{at}"))
            })
            .collect(),
        _ if one == other => Vec::new(),
        _ => vec![format!(" {one} and not {other}")],
    }
}

#[test]
fn every_way_gives_the_same_transcript() {
    let demo = Demo::start("--stage policy");
    let direct = probed(&demo, "--via direct");
    assert_eq!(direct["http"]["status"], 200);
    let direct = content(direct);
    assert!(direct["steps"].as_array().expect("steps").len() > 15);
    for (way, says) in [
        ("port-forward", "port-forward to secure-app-"),
        ("exec", "exec in gateway-nginx-"),
        ("ephemeral --yes", "ephemeral ngf-tui-"),
        ("pod --yes", "pod ngf-tui-"),
        ("pod --like-data-plane --yes", "pod ngf-tui-"),
        ("pod --image example.com/ngf-tui:1 --yes", "pod ngf-tui-"),
        ("auto", "exec in gateway-nginx-"),
    ] {
        let transcript = probed(&demo, &format!("--via {way}"));
        let via = transcript["via"].as_str().expect("a way");
        assert!(via.starts_with(says), "{way}: {via}");
        let content = content(transcript);
        assert_eq!(
            differences(&content, &direct),
            Vec::<String>::new(),
            "{way}"
        );
    }
    // The ephemeral container still runs, and is used again.
    probed(&demo, "--via ephemeral");
    let pods = run(&mut demo.kubectl("get pods -o json")).fine();
    let pods: Value = serde_json::from_str(&pods).expect("JSON");
    let pods = pods["items"].as_array().expect("pods");
    assert_eq!(pods.len(), 2, "no debug pod is left");
    let added = pods
        .iter()
        .filter_map(|pod| pod["spec"]["ephemeralContainers"].as_array());
    assert_eq!(added.map(Vec::len).sum::<usize>(), 1);
}

/// What the gateway's client gets, what the application logged and what names mean in the pod stand
/// beside the probe.
#[test]
fn what_lies_beside_is_the_data_planes_own() {
    let demo = Demo::start("--scenario expired-backend-certificate");
    let said = run(&mut demo.ngf_tui(&format!("probe {ROUTE} --via exec -o json --dns")));
    assert!(!said.out.is_empty(), "{said:?}");
    let transcript: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(transcript["nginx"]["client_status"], 502);
    let context = transcript["context"].to_string();
    assert_eq!(transcript["context"]["client"]["status"], 502, "{context}");
    assert!(
        context.contains("upstream SSL certificate verify error: (10:certificate has expired)"),
        "the data plane's own line: {context}"
    );
    let name = &transcript["context"]["names"][0];
    assert_eq!(name["name"], "secure-app.default.svc", "{context}");
    let address = run(&mut demo.kubectl("get service secure-app -o jsonpath={.spec.clusterIP}"));
    assert_eq!(name["there"][0], address.fine().trim(), "{context}");
    assert_eq!(name["servers"][0], "10.96.0.10");
    assert_eq!(name["ndots"], 5);
}

#[test]
fn one_bad_endpoint_and_one_stale_data_plane_stand_out_of_two_hundred() {
    let demo = Demo::start("--scenario fleet");
    let said = run(&mut demo.ngf_tui("probe gateway/gateway --all -o json"));
    let matrix: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(matrix["columns"].as_array().expect("columns").len(), 5);
    assert_eq!(matrix["rows"].as_array().expect("rows").len(), 40);
    let findings: Vec<&str> = matrix["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let [stale, expired] = findings.as_slice() else {
        panic!("two are wanted: {findings:#?}");
    };
    // The objects of the cluster say which they are.
    let pods = run(&mut demo.kubectl("get pods -o name")).fine();
    let old = crate::sandbox_support::pod(&pods, "secure-app-old-");
    assert!(
        expired.contains(&format!("Pod default/{old})"))
            && expired.contains("(10:certificate has expired)"),
        "{expired}"
    );
    let command = "cat /etc/nginx/secrets/cert_bundle_default_backend-cert.crt";
    let gateways = pods.lines().filter_map(|line| line.strip_prefix("pod/"));
    let mut bundles: Vec<(String, &str)> = gateways
        .filter(|name| name.starts_with("gateway-nginx-"))
        .map(|name| {
            let exec = format!("exec {name} -c nginx -- {command}");
            (run(&mut demo.kubectl(&exec)).fine(), name)
        })
        .collect();
    bundles.sort();
    let other = if bundles[0].0 == bundles[1].0 {
        &bundles[4]
    } else {
        &bundles[0]
    };
    let same = bundles.iter().filter(|(bundle, _)| *bundle == other.0);
    assert_eq!(same.count(), 1);
    assert!(
        stale.contains(other.1)
            && stale.contains("every endpoint fails that is well from elsewhere"),
        "{stale}"
    );
}

fn kill(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let status = std::process::Command::new("kill")
        .args([&format!("-{signal}"), &id])
        .status();
    assert!(status.is_ok_and(|status| status.success()));
}

fn debug_pods(demo: &Demo) -> String {
    run(&mut demo.kubectl("get pods -l ngf-tui/debug-pod -o name")).fine()
}

/// Starts probes that go on, from a debug pod, and waits until it is there.
fn probing(demo: &Demo) -> Child {
    let arguments = format!("probe {ROUTE} --via pod --yes --like-data-plane --watch 1s");
    let child = demo
        .ngf_tui(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    until("the debug pod is there", || !debug_pods(demo).is_empty());
    child
}

#[test]
fn a_debug_pod_goes_with_its_probe_or_by_its_deadline() {
    let demo = Demo::start("--stage policy");
    for signal in ["INT", "TERM", "HUP"] {
        for pause in [0, 700] {
            let mut child = probing(&demo);
            std::thread::sleep(Duration::from_millis(pause));
            kill(&child, signal);
            child.wait().expect("it ends");
            assert_eq!(debug_pods(&demo), "", "{signal} after {pause} ms");
        }
    }
    let mut child = probing(&demo);
    std::thread::sleep(Duration::from_millis(700));
    kill(&child, "KILL");
    child.wait().expect("it ends");
    let left = debug_pods(&demo);
    let name = left
        .trim()
        .strip_prefix("pod/")
        .expect("nobody could remove it");
    let pod = run(&mut demo.kubectl(&format!("get pod {name} -o json"))).fine();
    let pod: Value = serde_json::from_str(&pod).expect("JSON");
    assert!(
        pod["spec"]["activeDeadlineSeconds"]
            .as_u64()
            .is_some_and(|s| s <= 3600)
    );
    // It has the data plane's labels, and neither traffic nor another owner.
    assert_eq!(pod["metadata"]["ownerReferences"][0]["kind"], "Gateway");
    assert_eq!(pod["status"]["phase"], "Running");
    let slices =
        run(&mut demo
            .kubectl("get endpointslices -l kubernetes.io/service-name=gateway-nginx -o json"));
    let slices: Value = serde_json::from_str(&slices.fine()).expect("JSON");
    let endpoints = slices["items"][0]["endpoints"]
        .as_array()
        .expect("endpoints");
    let ours = endpoints.iter().find(|e| e["targetRef"]["name"] == name);
    assert_eq!(
        ours.expect("its labels are the data plane's")["conditions"]["ready"],
        false
    );
    let replicas = "get deployment gateway-nginx -o jsonpath={.status.replicas}";
    assert_eq!(run(&mut demo.kubectl(replicas)).fine(), "1");
    let cleanup = run(&mut demo.ngf_tui("cleanup")).fine();
    assert!(
        cleanup.contains(name) && cleanup.contains("removed"),
        "{cleanup}"
    );
    assert_eq!(debug_pods(&demo), "");
}

async fn client(cluster: &Cluster) -> Client {
    let options = ClusterOptions {
        kubeconfig_text: Some(cluster.sandbox.kubeconfig()),
        ..ClusterOptions::default()
    };
    ngf_cluster::connect(&options).await.expect("connected")
}

async fn dialled(dial: &impl Dial, host: &str, port: u16) -> Dialled {
    let target = Target {
        host: host.to_owned(),
        port,
        timeout: Duration::from_secs(5),
    };
    dial.dial(&target, &Recorder::new())
        .await
        .expect("connected")
}

/// Bytes that no way may change: every value, and no period that a buffer's size could hide.
fn much() -> Vec<u8> {
    let mut state = 1u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(MUCH)
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_come_back_as_they_were() {
    let cluster = Cluster::start("guide", Stage::Policy).await;
    cluster
        .kubectl("run echo --image=busybox --restart=Never -- nc -ll -p 7000 -e cat")
        .fine();
    cluster.kubectl_until("get pod echo", "Running");
    let ip = cluster
        .kubectl("get pod echo -o jsonpath={.status.podIP}")
        .fine();
    let client = client(&cluster).await;
    let pod = |name: &str| ObjectRef::new(Kind::Pod, "default", name);
    let exec = Exec::in_container(&client, &pod(&cluster.pod("gateway-nginx-")), "nginx");
    let forward = PortForward::new(&client, &pod("echo"));
    let much = much();
    for (dial, host) in [(&exec as &dyn Dial, ip.trim()), (&forward, "127.0.0.1")] {
        let target = Target {
            host: host.to_owned(),
            port: 7000,
            timeout: Duration::from_secs(5),
        };
        let dialled = dial
            .dial(&target, &Recorder::new())
            .await
            .expect("connected");
        let (mut from, mut to) = tokio::io::split(dialled.stream);
        let sent = much.clone();
        let writer = tokio::spawn(async move {
            to.write_all(&sent).await.expect("written");
            to
        });
        let mut back = vec![0; MUCH];
        from.read_exact(&mut back).await.expect("read");
        assert!(back == much, "{} changed bytes", dial.via());
        writer.await.expect("all was written");
    }
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_goes_in_the_middle_is_said_and_not_taken_for_the_backend() {
    let cluster = Cluster::start("guide", Stage::Policy).await;
    cluster
        .kubectl("run echo --image=busybox --restart=Never -- nc -ll -p 7000 -e cat")
        .fine();
    cluster.kubectl_until("get pod echo", "Running");
    let ip = cluster
        .kubectl("get pod echo -o jsonpath={.status.podIP}")
        .fine();
    let client = client(&cluster).await;
    let gateway = cluster.pod("gateway-nginx-");
    let gateway_pod = ObjectRef::new(Kind::Pod, "default", &gateway);
    let exec = Exec::in_container(&client, &gateway_pod, "nginx");
    let mut connection = dialled(&exec, ip.trim(), 7000).await;
    connection
        .stream
        .write_all(b"hello")
        .await
        .expect("written");
    let mut back = [0; 5];
    connection.stream.read_exact(&mut back).await.expect("read");
    assert_eq!(&back, b"hello");
    cluster
        .kubectl(&format!("delete pod {gateway} --wait=false"))
        .fine();
    let read = connection.stream.read(&mut back);
    let read = tokio::time::timeout(Duration::from_secs(10), read).await;
    assert!(matches!(read, Ok(Err(_))), "{read:?}");
    let why = connection.fault.get().expect("the transport's fault");
    assert!(
        why.contains("the relay in the pod was killed (exit status 137)"),
        "{why}"
    );
    cluster.sandbox.shutdown().await;
}

/// One request to the Gateway, forwarded to port 80 of its data-plane pod.
async fn asked(forward: &PortForward, host: &str) -> String {
    let mut stream = dialled(forward, "127.0.0.1", 80).await.stream;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    // How a forwarded connection ends depends on the transport; the answer ends before.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_plane_answers_and_logs_what_each_scenario_is_about() {
    for (scenario, status, logged) in [
        ("guide", "200", &["\"GET / HTTP/1.1\" 200"][..]),
        (
            "expired-backend-certificate",
            "502",
            &[
                "upstream SSL certificate verify error: (10:certificate has expired) while SSL handshaking",
            ],
        ),
        (
            "wrong-hostname",
            "502",
            &[
                "upstream SSL certificate does not match \"backend.example.com\" while SSL handshaking",
            ],
        ),
        (
            "plain-backend",
            "502",
            // In OpenSSL's words before 3.2, and since then.
            &["wrong version number", "packet length too long"],
        ),
        ("no-client-certificate", "400", &["\"GET / HTTP/1.1\" 400"]),
        ("opaque-secret", "500", &["\"GET / HTTP/1.1\" 500"]),
    ] {
        let cluster = Cluster::start(scenario, Stage::Policy).await;
        let client = client(&cluster).await;
        let gateway = cluster.pod("gateway-nginx-");
        let pod = ObjectRef::new(Kind::Pod, "default", &gateway);
        let forward = PortForward::new(&client, &pod);
        let answer = asked(&forward, "secure-app.example.com").await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{scenario}: {answer}"
        );
        let log = cluster.kubectl(&format!("logs {gateway} -c nginx")).fine();
        assert!(
            logged.iter().any(|line| log.contains(line)),
            "{scenario}: {log}"
        );
        let answer = asked(&forward, "nobody.example.com").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{scenario}: {answer}");
        cluster.sandbox.shutdown().await;
    }
}
