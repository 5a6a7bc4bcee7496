//! What a probe creates in a cluster goes with it, also where its creation is interrupted; `cleanup`
//! removes what a killed run left, and asks before it touches what may be in use.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use ngf_sandbox::{Denied, SCENARIOS, SandboxOptions, Stage};
use serde_json::{Value, json};

use crate::{
    sandbox_support::{Cluster, Demo, ngf_tui, run, run_with, until},
    support::{has_peer, terminal::Terminal},
};

const PROBE: &str = "probe httproute/secure-app --via pod --yes";
const OWNER: &str = "ngf-tui/owner";
const PROCESS: &str = "ngf-tui/process";
const LAST_ALIVE: &str = "ngf-tui/last-alive";

/// A program that ends with the value.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("it starts"))
    }

    fn signal(&mut self, signal: &str) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status();
        assert!(status.is_ok_and(|status| status.success()));
        self.0.wait().expect("it ends");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The debug pods that are there.
fn pods(kubectl: &dyn Fn(&str) -> String) -> Vec<Value> {
    let list = kubectl("get pods -l ngf-tui/debug-pod -o json");
    let mut list: Value = serde_json::from_str(&list).expect("JSON");
    match list["items"].take() {
        Value::Array(pods) => pods,
        other => panic!("{other}"),
    }
}

/// `cleanup` without a terminal: what it says, and its exit status.
fn cleanup(demo: &Demo, arguments: &str) -> (String, Option<i32>) {
    let output = demo
        .ngf_tui(&format!("cleanup {arguments}"))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (text, output.status.code())
}

#[test]
fn the_pod_of_a_running_probe_is_kept_until_somebody_agrees() {
    if !has_peer("kubectl") || !has_peer("tmux") {
        return;
    }
    let demo = Demo::start("--stage policy");
    let kubectl = |arguments: &str| run(&mut demo.kubectl(arguments)).fine();
    let annotation = |name: &str| {
        let pods = pods(&kubectl);
        let value = pods
            .first()
            .map(|pod| &pod["metadata"]["annotations"][name]);
        value.and_then(Value::as_str).map(str::to_owned)
    };
    let mut probe = Running::start(&mut demo.ngf_tui(&format!("{PROBE} --watch 1s")));
    until("a heartbeat", || annotation(LAST_ALIVE).is_some());
    let owner = annotation(OWNER).expect("an owner");
    assert!(owner.contains('@'), "{owner}");

    let (said, status) = cleanup(&demo, "");
    assert!(said.contains(&format!("by {owner}")), "{said}");
    assert!(
        said.contains(&format!(
            "in use by process {} of this machine",
            probe.0.id()
        )),
        "{said}"
    );
    assert!(said.contains("kept"), "{said}");
    assert_eq!(status, Some(1), "{said}");
    let (listed, status) = cleanup(&demo, "--dry-run");
    assert!(listed.contains("in use by process"), "{listed}");
    assert_eq!(status, Some(0));
    assert_eq!(pods(&kubectl).len(), 1);

    // To a colleague at another machine it looks so.
    let name = pods(&kubectl)[0]["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    let elsewhere = format!("{PROCESS}=another-machine 1 1");
    let moved = demo
        .kubectl(&format!("annotate pod {name} --overwrite"))
        .arg(elsewhere)
        .status();
    assert!(moved.expect("kubectl").success());
    let terminal = Terminal::open("cleanup", 150, 24);
    let command = format!(
        "{} --kubeconfig {} cleanup; echo ended with $?",
        env!("CARGO_BIN_EXE_ngf-tui"),
        demo.kubeconfig().display()
    );
    terminal.run(&command);
    terminal.wait_for(&["in use: its program was alive", "Remove it? [y/N]"]);
    terminal.run("n");
    terminal.wait_for(&["kept", "ended with 1"]);
    assert_eq!(pods(&kubectl).len(), 1);

    // The heartbeat continues.
    let first = annotation(LAST_ALIVE).expect("a heartbeat");
    let begun = Instant::now();
    while annotation(LAST_ALIVE).expect("a heartbeat") == first {
        assert!(begun.elapsed() < Duration::from_mins(2), "it stopped");
        thread::sleep(Duration::from_millis(500));
    }

    terminal.run("clear");
    terminal.run(&command);
    terminal.wait_for(&["Remove it? [y/N]"]);
    terminal.run("y");
    terminal.wait_for(&["removed", "ended with 0"]);
    assert_eq!(pods(&kubectl).len(), 0);
    probe.signal("-TERM");
}

/// The plan names the deadline that the pod gets.
#[test]
fn a_repeated_probe_is_planned_with_its_own_deadline() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--stage policy");
    let kubectl = |arguments: &str| run(&mut demo.kubectl(arguments)).fine();
    for (arguments, seconds) in [
        ("httproute/secure-app", 300),
        ("httproute/secure-app --watch 1s", 3600),
        ("gateway/gateway --all", 300),
        ("gateway/gateway --all --watch 1s", 3600),
    ] {
        let probe = format!("probe {arguments} --via pod");
        let plan = run(&mut demo.ngf_tui(&probe)).refused();
        assert!(
            plan.contains(&format!("deleted after {seconds} s")),
            "{plan}"
        );
        if arguments.contains("--watch") {
            let mut running = Running::start(&mut demo.ngf_tui(&format!("{probe} --yes")));
            until("a pod", || !pods(&kubectl).is_empty());
            assert_eq!(pods(&kubectl)[0]["spec"]["activeDeadlineSeconds"], seconds);
            running.signal("-TERM");
        }
    }
}

#[test]
fn without_the_right_to_patch_pods_its_deadline_has_to_do() {
    if !has_peer("kubectl") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut options = SandboxOptions::new(&SCENARIOS[0], Stage::Policy);
    options.denied = vec![Denied {
        verb: "patch".to_owned(),
        resource: "pods".to_owned(),
    }];
    let cluster = runtime.block_on(Cluster::with(options));
    let kubectl = |arguments: &str| cluster.kubectl(arguments).fine();
    let path = cluster.path("kubeconfig");
    let mut probe = Running::start(&mut ngf_tui(&path, &format!("{PROBE} --watch 1s")));
    until("it runs", || {
        pods(&kubectl)
            .iter()
            .any(|pod| pod["status"]["phase"] == "Running")
    });
    let annotations = pods(&kubectl)[0]["metadata"]["annotations"].clone();
    assert!(annotations[OWNER].is_string(), "{annotations}");
    assert_eq!(annotations[LAST_ALIVE], Value::Null, "{annotations}");
    probe.signal("-TERM");
    assert_eq!(pods(&kubectl).len(), 0);
    runtime.block_on(cluster.sandbox.shutdown());
}

#[test]
fn what_is_stale_is_removed_and_what_may_be_in_use_is_kept() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--stage policy");
    let kubectl = |arguments: &str| run(&mut demo.kubectl(arguments)).fine();
    let ago = |seconds| Timestamp::now() - SignedDuration::from_secs(seconds);
    let alive = |seconds| json!({LAST_ALIVE: ago(seconds).to_string(), PROCESS: "another 1 1"});
    for (name, annotations) in [
        ("fresh", alive(20)),
        ("stale", alive(600)),
        (
            "hostile",
            json!({OWNER: "root\u{1b}[2Jx", LAST_ALIVE: "\u{7}"}),
        ),
        ("of-an-earlier-version", json!({})),
    ] {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "labels": {"ngf-tui/debug-pod": "true"},
                "annotations": annotations,
            },
            "spec": {
                "activeDeadlineSeconds": 300,
                "restartPolicy": "Never",
                "containers": [{"name": "relay", "image": "busybox", "args": ["sleep", "300"]}],
            },
        });
        run_with(&mut demo.kubectl("apply -f -"), pod.to_string().as_bytes()).fine();
    }
    let (said, status) = cleanup(&demo, "");
    assert_eq!(status, Some(1), "{said}");
    let line = |name: &str| {
        let begins = format!("Pod default/{name}: ");
        said.lines()
            .find(|line| line.starts_with(&begins))
            .expect(name)
    };
    assert!(
        line("fresh").contains("in use: its program was alive"),
        "{said}"
    );
    assert!(line("fresh").contains("kept"), "{said}");
    assert!(
        line("stale").contains("last alive") && line("stale").ends_with(": removed"),
        "{said}"
    );
    for name in ["hostile", "of-an-earlier-version"] {
        assert!(
            line(name).contains("perhaps in use: it has no heartbeat"),
            "{said}"
        );
        assert!(line(name).contains("kept"), "{said}");
    }
    assert!(!said.contains(['\u{1b}', '\u{7}']), "{said:?}");
    let left = |pods: Vec<Value>| pods.len();
    assert_eq!(left(pods(&kubectl)), 3);
    let (said, status) = cleanup(&demo, "--yes");
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(left(pods(&kubectl)), 0);
}

/// What the proxy does with the answer to the creation of a pod.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// Closes the connection without it.
    Lost,
    /// Holds it back for a moment.
    Late,
}

/// An API server, in plain text, that does not answer as it should when a pod is created.
struct Proxy {
    kubectl: Child,
    kubeconfig: tempfile::NamedTempFile,
    /// A pod has been asked for.
    asked: Arc<AtomicBool>,
}

impl Proxy {
    fn start(demo: &Demo, answer: Answer) -> Self {
        let mut kubectl = demo
            .kubectl("proxy --port=0 --reject-paths=^$")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("kubectl starts");
        let mut line = String::new();
        let output = kubectl.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let (_, port) = line.trim().rsplit_once(':').expect("a port");
        let behind = format!("127.0.0.1:{port}");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&behind).expect("kubectl proxy listens");
                let noted = Arc::clone(&noted);
                thread::spawn(move || relay(client, server, answer, noted));
            }
        });
        let kubeconfig = tempfile::NamedTempFile::new().expect("a file");
        let text = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        std::fs::write(kubeconfig.path(), text.to_string()).expect("written");
        Self {
            kubectl,
            kubeconfig,
            asked,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.kubectl.kill();
        let _ = self.kubectl.wait();
    }
}

fn relay(mut client: TcpStream, mut server: TcpStream, answer: Answer, asked: Arc<AtomicBool>) {
    let creates = Arc::new(AtomicBool::new(false));
    let (mut from, mut to) = (
        server.try_clone().expect("a socket"),
        client.try_clone().expect("a socket"),
    );
    let answered = Arc::clone(&creates);
    thread::spawn(move || {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            if answered.swap(false, Ordering::SeqCst) {
                asked.store(true, Ordering::SeqCst);
                match answer {
                    Answer::Lost => break,
                    Answer::Late => thread::sleep(Duration::from_secs(3)),
                }
            }
            if to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length @ 1..) = client.read(&mut bytes) {
        if bytes[..length].starts_with(b"POST /api/v1/namespaces/default/pods?") {
            creates.store(true, Ordering::SeqCst);
        }
        if server.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

#[test]
fn nothing_is_left_where_the_answer_to_its_creation_is_lost() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--stage policy");
    let kubectl = |arguments: &str| run(&mut demo.kubectl(arguments)).fine();
    let proxy = Proxy::start(&demo, Answer::Lost);
    let said = run(&mut ngf_tui(proxy.kubeconfig.path(), PROBE)).refused();
    assert!(
        proxy.asked.load(Ordering::SeqCst),
        "no pod was created: {said}"
    );
    assert!(said.contains("Pod default/ngf-tui-"), "{said}");
    assert_eq!(pods(&kubectl).len(), 0, "{said}");
}

#[test]
fn nothing_is_left_where_a_signal_comes_during_its_creation() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--stage policy");
    let kubectl = |arguments: &str| run(&mut demo.kubectl(arguments)).fine();
    for signal in ["-INT", "-TERM", "-HUP"] {
        let proxy = Proxy::start(&demo, Answer::Late);
        let mut probe = Running::start(&mut ngf_tui(proxy.kubeconfig.path(), PROBE));
        until("a pod is asked for", || proxy.asked.load(Ordering::SeqCst));
        assert_eq!(pods(&kubectl).len(), 1, "{signal}: it was created");
        probe.signal(signal);
        assert_eq!(pods(&kubectl).len(), 0, "{signal}");
    }
}
