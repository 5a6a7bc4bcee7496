//! Every transport against a real API server, kubelet and container runtime. Needs the feature
//! `lab-tests` and a lab: `NGF_TUI_LAB_KUBECONFIG=/opt/lab/kubeconfig cargo test --features
//! lab-tests --test transports` (see `tests/support/lab.rs`).

use std::time::Duration;

use crate::support::{
    lab::Lab,
    proxy::{Habit, Proxy},
};
use ngf_cluster::transport::{Exec, PortForward};
use ngf_core::model::{kind::Kind, object::ObjectRef};
use ngf_probes::{
    Recorder,
    dial::{Dial, DialError, Dialled, Target},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Closes a pod's manifest.
const PLAIN: &str = "}]}}";
/// Answers every connection with what it is sent, until the other side ends.
const ECHO: &[&str] = &["nc", "-ll", "-p", "7000", "-e", "cat"];
const SLEEP: &[&str] = &["sleep", "3600"];

/// The end of the manifest of a pod that holds these programs of the node and no others: the image's
/// own shell is busybox's, which is every program at once.
fn with_programs(programs: &[&str], more_volumes: &str) -> String {
    let (mut mounts, mut volumes) = (Vec::new(), Vec::new());
    let folders = ["/lib", "/lib64", "/usr/lib"];
    for (index, path) in folders.iter().chain(programs).enumerate() {
        mounts.push(format!(r#"{{"name":"v{index}","mountPath":"{path}"}}"#));
        volumes.push(format!(
            r#"{{"name":"v{index}","hostPath":{{"path":"{path}"}}}}"#
        ));
    }
    if !more_volumes.is_empty() {
        mounts.push(r#"{"name":"nc","mountPath":"/bin/nc","subPath":"nc"}"#.to_owned());
        volumes.push(more_volumes.to_owned());
    }
    format!(
        r#","command":["/bin/sleep"],"volumeMounts":[{}]}}],"volumes":[{}]}}}}"#,
        mounts.join(","),
        volumes.join(",")
    )
}

/// With bash and coreutils, and no nc.
const BASH: &[&str] = &[
    "/bin/sh",
    "/bin/bash",
    "/bin/cat",
    "/bin/sleep",
    "/bin/grep",
    "/bin/readlink",
];
/// With a shell, and neither nc nor bash.
const NEITHER: &[&str] = &["/bin/sh", "/bin/sleep"];
/// A container in which no program is found, not even a shell.
const NO_SHELL: &str =
    r#","command":["/bin/sleep"],"env":[{"name":"PATH","value":"/nowhere"}]}]}}"#;

/// An nc that writes a megabyte to standard error once it is connected.
const NOISY: &str = r#"#!/bin/bash
exec 3<>"/dev/tcp/$1/$2"
printf 'x%.0s' {1..1000000} >&2
cat <&3 &
cat >&3
wait
"#;

fn target(host: &str, port: u16) -> Target {
    Target {
        host: host.to_owned(),
        port,
        timeout: Duration::from_secs(3),
    }
}

async fn exec(lab: &Lab, context: &str, pod: &str) -> Exec {
    let cluster = lab.connect(context).await;
    let pod = ObjectRef::new(Kind::Pod, &lab.namespace, pod);
    Exec::in_container(&cluster, &pod, "main")
}

async fn dial(dial: &dyn Dial, host: &str, port: u16) -> Result<Dialled, DialError> {
    dial.dial(&target(host, port), &Recorder::new()).await
}

fn said(result: Result<Dialled, DialError>) -> String {
    match result {
        Err(DialError::Transport(why)) => why,
        other => panic!("{other:?} is no fault of the transport"),
    }
}

/// 10 MB there and back at once, compared byte by byte, and the end is passed on where it can be.
async fn there_and_back(dialled: Dialled, passes_the_end_on: bool) {
    const SIZE: usize = 10 << 20;
    let bytes: Vec<u8> = (0..SIZE as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let (mut from, mut to) = tokio::io::split(dialled.stream);
    let up = async {
        to.write_all(&bytes).await.expect("it is taken");
        to.flush().await.expect("it is taken");
        if passes_the_end_on {
            to.shutdown().await.expect("it is taken");
        }
    };
    let down = async {
        let mut back = vec![0; SIZE];
        from.read_exact(&mut back)
            .await
            .expect("all of it comes back");
        if passes_the_end_on {
            let mut rest = Vec::new();
            from.read_to_end(&mut rest).await.expect("an orderly end");
            assert!(rest.is_empty(), "{} bytes more", rest.len());
        }
        back
    };
    let both = async { tokio::join!(up, down) };
    let ((), back) = tokio::time::timeout(Duration::from_mins(2), both)
        .await
        .expect("in two minutes");
    assert!(back == bytes, "what comes back is not what was sent");
    assert_eq!(dialled.fault.get(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_by_nc_is_byte_exact_and_leaves_no_process() {
    let lab = Lab::namespace("nc");
    lab.pod("echo", "lab/busybox:1", ECHO, PLAIN);
    lab.listens("echo", 7000);
    lab.pod("relay", "lab/busybox:1", SLEEP, PLAIN);
    let exec = exec(&lab, "diag", "relay").await;
    let dialled = dial(&exec, &lab.ip("echo"), 7000).await.expect("a stream");
    there_and_back(dialled, true).await;

    // What becomes of a relay whose user goes away in the middle, and of one that nobody answers.
    let dialled = dial(&exec, &lab.ip("echo"), 7000).await.expect("a stream");
    drop(dialled);
    let hangs = dial(&exec, "192.0.2.1", 7000).await;
    assert!(
        matches!(hangs, Err(DialError::TimedOut { .. })),
        "{hangs:?}"
    );
    Lab::wait("no relay is left", || {
        let processes = lab.run(&["exec", "relay", "--", "ps"]);
        !processes.contains("nc ") && !processes.contains("ngf-tui")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_by_bash_is_byte_exact_and_tells_a_reset() {
    let lab = Lab::namespace("bash");
    lab.pod("echo", "lab/busybox:1", ECHO, PLAIN);
    lab.listens("echo", 7000);
    lab.pod("relay", "lab/pause:1", &["3600"], &with_programs(BASH, ""));
    let exec = exec(&lab, "diag", "relay").await;
    let recorder = Recorder::new();
    let dialled = exec
        .dial(&target(&lab.ip("echo"), 7000), &recorder)
        .await
        .expect("a stream");
    let relay = recorder
        .steps()
        .iter()
        .any(|step| step.summary.starts_with("bash started"));
    assert!(relay, "{:?}", recorder.steps());
    there_and_back(dialled, false).await;
    let refused = dial(&exec, &lab.ip("echo"), 7001).await;
    assert!(
        matches!(
            refused,
            Err(DialError::Remote {
                errno: Some(111),
                ..
            })
        ),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_says_why_there_is_no_connection() {
    let lab = Lab::namespace("why");
    lab.pod("relay", "lab/busybox:1", SLEEP, PLAIN);
    lab.pod(
        "neither",
        "lab/pause:1",
        &["3600"],
        &with_programs(NEITHER, ""),
    );
    lab.pod("no-shell", "lab/busybox:1", &["3600"], NO_SHELL);
    let relay = exec(&lab, "diag", "relay").await;

    let refused = dial(&relay, &lab.ip("neither"), 7001).await;
    assert!(
        matches!(
            refused,
            Err(DialError::Remote {
                errno: Some(111),
                ..
            })
        ),
        "{refused:?}"
    );
    let silent = dial(&relay, "192.0.2.1", 7001).await;
    assert!(
        matches!(silent, Err(DialError::TimedOut { .. })),
        "{silent:?}"
    );
    let nameless = dial(&relay, "no-such-name.invalid", 7001).await;
    assert!(
        matches!(
            nameless,
            Err(DialError::Name { .. } | DialError::TimedOut { .. })
        ),
        "{nameless:?}"
    );

    for pod in ["neither", "no-shell"] {
        let bare = exec(&lab, "diag", pod).await;
        let why = said(dial(&bare, "10.0.0.1", 80).await);
        assert!(why.contains("neither nc nor bash"), "{why}");
    }
    let gone = exec(&lab, "diag", "no-such-pod").await;
    let why = said(dial(&gone, "10.0.0.1", 80).await);
    assert!(why.contains("the pod is gone"), "{why}");
    for context in ["viewer", "oldexec"] {
        let denied = exec(&lab, context, "relay").await;
        let why = said(dial(&denied, "10.0.0.1", 80).await);
        assert!(
            why.contains("resources: [pods/exec], verbs: [get, create]"),
            "{why}"
        );
    }
    let hostile = said(dial(&relay, "-e/bin/sh", 80).await);
    assert!(hostile.contains("no name or address"), "{hostile}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_on_stderr_stalls_nothing() {
    let lab = Lab::namespace("stderr");
    lab.apply(
        &serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nc"},
            "data": {"nc": NOISY},
        })
        .to_string(),
    );
    lab.pod("echo", "lab/busybox:1", ECHO, PLAIN);
    lab.listens("echo", 7000);
    let volume = r#"{"name":"nc","configMap":{"name":"nc","defaultMode":493}}"#;
    lab.pod(
        "relay",
        "lab/pause:1",
        &["3600"],
        &with_programs(BASH, volume),
    );
    let exec = exec(&lab, "diag", "relay").await;
    let recorder = Recorder::new();
    let dialled = exec
        .dial(&target(&lab.ip("echo"), 7000), &recorder)
        .await
        .expect("a stream");
    let relay = recorder
        .steps()
        .iter()
        .any(|step| step.summary.starts_with("nc started"));
    assert!(relay, "{:?}", recorder.steps());
    there_and_back(dialled, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_goes_in_the_middle_is_no_verdict() {
    let lab = Lab::namespace("gone");
    lab.pod("echo", "lab/busybox:1", ECHO, PLAIN);
    lab.listens("echo", 7000);
    lab.pod("relay", "lab/busybox:1", SLEEP, PLAIN);
    let exec = exec(&lab, "diag", "relay").await;
    let mut dialled = dial(&exec, &lab.ip("echo"), 7000).await.expect("a stream");
    dialled
        .stream
        .write_all(b"hello")
        .await
        .expect("it is taken");
    let mut back = [0; 5];
    dialled.stream.read_exact(&mut back).await.expect("an echo");
    lab.run(&["delete", "pod", "relay", "--force", "--grace-period=0"]);
    let ended = tokio::time::timeout(Duration::from_mins(1), dialled.stream.read(&mut back)).await;
    assert!(matches!(ended, Ok(Err(_))), "{ended:?}");
    let why = dialled.fault.get().expect("a fault of the transport");
    assert!(why.contains("probe again"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn port_forward_is_byte_exact_and_says_why_not() {
    let lab = Lab::namespace("forward");
    lab.pod("echo", "lab/busybox:1", ECHO, PLAIN);
    lab.listens("echo", 7000);
    let pod = |name: &str| ObjectRef::new(Kind::Pod, &lab.namespace, name);
    let cluster = lab.connect("diag").await;
    let forward = PortForward::new(&cluster, &pod("echo"));
    let dialled = dial(&forward, "10.0.0.1", 7000).await.expect("a stream");
    there_and_back(dialled, false).await;

    // A kubelet says at once whether anybody listens, or when the first byte comes.
    let why = match dial(&forward, "10.0.0.1", 7001).await {
        Ok(mut closed) => {
            let _ = closed.stream.write_all(b"hello").await;
            let ended = closed.stream.read_to_end(&mut Vec::new()).await;
            assert!(ended.is_err(), "the end is not the backend's");
            closed.fault.get().unwrap_or_default().to_owned()
        }
        refused => said(refused),
    };
    assert!(why.contains("listens on localhost"), "{why}");

    let gone = PortForward::new(&cluster, &pod("no-such-pod"));
    let why = said(dial(&gone, "10.0.0.1", 7000).await);
    assert!(why.contains("the pod is gone"), "{why}");
    let viewer = lab.connect("viewer").await;
    let denied = PortForward::new(&viewer, &pod("echo"));
    let why = said(dial(&denied, "10.0.0.1", 7000).await);
    assert!(
        why.contains("resources: [pods/portforward], verbs: [get, create]"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_on_an_api_server_that_knows_the_older_protocol_only() {
    let lab = Lab::namespace("old");
    lab.pod("echo", "lab/busybox:1", ECHO, PLAIN);
    lab.listens("echo", 7000);
    lab.pod("relay", "lab/busybox:1", SLEEP, PLAIN);
    let proxy = Proxy::start(&lab, Habit::OldProtocol);
    let pod = ObjectRef::new(Kind::Pod, &lab.namespace, "relay");
    let exec = Exec::in_container(&proxy.connect().await, &pod, "main");
    let recorder = Recorder::new();
    let dialled = exec
        .dial(&target(&lab.ip("echo"), 7000), &recorder)
        .await
        .expect("a stream");
    let steps = format!("{:?}", recorder.steps());
    assert!(steps.contains("v4.channel.k8s.io"), "{steps}");
    // v4 cannot say that nothing more is coming, and what is said so must not cut the answer off.
    there_and_back(dialled, false).await;
    let mut dialled = dial(&exec, &lab.ip("echo"), 7000).await.expect("a stream");
    dialled
        .stream
        .write_all(b"hello")
        .await
        .expect("it is taken");
    dialled.stream.shutdown().await.expect("it is taken");
    let mut back = [0; 5];
    dialled.stream.read_exact(&mut back).await.expect("an echo");
    assert_eq!(&back, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_cuts_or_lets_no_websocket_pass_is_no_verdict() {
    let lab = Lab::namespace("cut");
    lab.pod("echo", "lab/busybox:1", ECHO, PLAIN);
    lab.listens("echo", 7000);
    lab.pod("relay", "lab/busybox:1", SLEEP, PLAIN);
    let pod = |name: &str| ObjectRef::new(Kind::Pod, &lab.namespace, name);

    let proxy = Proxy::start(&lab, Habit::NoUpgrade);
    let cluster = proxy.connect().await;
    for transport in [
        Box::new(Exec::in_container(&cluster, &pod("relay"), "main")) as Box<dyn Dial>,
        Box::new(PortForward::new(&cluster, &pod("echo"))),
    ] {
        let why = said(dial(&*transport, &lab.ip("echo"), 7000).await);
        assert!(
            why.contains("websocket") && why.contains("--via direct"),
            "{why}"
        );
    }

    let proxy = Proxy::start(&lab, Habit::Cuts(100_000));
    let cluster = proxy.connect().await;
    for transport in [
        Box::new(Exec::in_container(&cluster, &pod("relay"), "main")) as Box<dyn Dial>,
        Box::new(PortForward::new(&cluster, &pod("echo"))),
    ] {
        let dialled = dial(&*transport, &lab.ip("echo"), 7000)
            .await
            .expect("a stream");
        let (mut from, mut to) = tokio::io::split(dialled.stream);
        tokio::spawn(async move { to.write_all(&vec![7; 1 << 20]).await });
        let mut back = Vec::new();
        let ended = from.read_to_end(&mut back).await;
        assert!(ended.is_err(), "{}: {} bytes", transport.via(), back.len());
        let why = dialled.fault.get().expect("a fault of the transport");
        assert!(
            why.contains("API server") && why.contains("probe again"),
            "{why}"
        );
    }
}
