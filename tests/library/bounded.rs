//! API servers and files without an end: the tool says in one sentence what is too large, continues
//! with the rest, and never takes a gigabyte of memory.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ngf_probes::{
    Recorder,
    dial::{Dial, Target},
};

use crate::{
    sandbox_support::ngf_tui,
    support::hostile_api::{self, Answer, HostileApi, Request},
};
use ngf_cluster::{Cluster, ClusterOptions, LogOptions, connect, transport::Exec};
use ngf_core::model::{
    kind::Kind,
    object::ObjectRef,
    snapshot::{KindState, Snapshot},
};

/// The most that any process may take.
const MOST_MIB: u64 = 1024;
const PATIENCE: Duration = Duration::from_mins(2);

/// What a process wrote, and the most memory that it had, in MiB.
fn measured(command: &mut Command) -> (String, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| fs::File::create(folder.path().join(name)).expect("a file");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file("out"))
        .stderr(file("err"))
        .spawn()
        .expect("the program starts");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.trim().parse().ok());
        most = most.max(peak.unwrap_or(0_u64) >> 10);
        std::thread::sleep(Duration::from_millis(5));
    }
    let read = |name: &str| fs::read(folder.path().join(name)).expect("what it wrote");
    let all = [read("out"), read("err")].concat();
    println!("{command:?}: {most} MiB");
    (String::from_utf8_lossy(&all).into_owned(), most)
}

/// `check` of a hostile cluster.
fn checked(api: &HostileApi) -> (String, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("config");
    fs::write(&kubeconfig, api.kubeconfig()).expect("a file");
    measured(&mut ngf_tui(&kubeconfig, "check --timeout 15s"))
}

async fn connected(api: &HostileApi) -> Cluster {
    let options = ClusterOptions {
        kubeconfig_text: Some(api.kubeconfig()),
        ..ClusterOptions::default()
    };
    connect(&options).await.expect("a connection")
}

async fn read(api: &HostileApi) -> Snapshot {
    connected(api).await.snapshot(PATIENCE).await
}

fn why(snapshot: &Snapshot, kind: Kind) -> String {
    match &snapshot.kinds[&kind] {
        KindState::Failed(why) | KindState::Denied(why) | KindState::Stale { why, .. } => {
            why.clone()
        }
        state => panic!("{kind}: {state:?}"),
    }
}

fn is_list(request: &Request, plural: &str) -> bool {
    request.is_for(plural) && !request.is_watch()
}

#[test]
fn floods_of_an_api_server_take_no_gigabyte() {
    let tiny = |request: &Request| {
        if is_list(request, "services") || is_list(request, "pods") {
            let begin = r#"{"metadata":{"resourceVersion":"1"},"items":["#;
            Answer::Many(200, begin, br#"{"":0},"#, 14_000_000, "{}]}")
        } else {
            Answer::Ordinary
        }
    };
    let error = |request: &Request| {
        Answer::when(
            request.path.starts_with("/api/v1/"),
            Answer::Endless(500, "", b"x"),
        )
    };
    let line = |request: &Request| {
        Answer::when(
            request.is_watch(),
            Answer::Endless(200, r#"{"type":"ADDED","object":{"a":""#, b"x"),
        )
    };
    let text = |request: &Request| {
        Answer::when(
            is_list(request, "gateways"),
            Answer::Endless(200, r#"{"metadata":{},"items":[{"a":""#, b"x"),
        )
    };
    for (name, api, says) in [
        ("tiny values", HostileApi::start(tiny), "256 MiB of memory"),
        ("error", HostileApi::start(error), "answers 500: xxx"),
        ("line", HostileApi::start(line), ""),
        ("text", HostileApi::start(text), "larger than 64 MiB"),
    ] {
        let (said, most) = checked(&api);
        assert!(most < MOST_MIB, "{name}: {most} MiB");
        let words: Vec<&str> = said.split_whitespace().collect();
        assert!(words.join(" ").contains(says), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_of_one_kind_hides_no_other() {
    let api = HostileApi::start(|request| {
        let list = |plural| is_list(request, plural);
        if list("services") {
            Answer::Endless(200, r#"{"metadata":{},"items":[{"a":""#, b"x")
        } else if list("pods") {
            Answer::Endless(500, "", b"y")
        } else if list("gateways") {
            let name = "n".repeat(2 << 20);
            let item =
                |name: &str| format!(r#"{{"metadata":{{"name":"{name}","namespace":"a"}}}}"#);
            let items = [item(&name), item("short")].join(",");
            Answer::Whole(200, format!(r#"{{"metadata":{{}},"items":[{items}]}}"#))
        } else {
            Answer::Ordinary
        }
    });
    let snapshot = read(&api).await;
    assert_eq!(
        why(&snapshot, Kind::Service),
        "its answer is larger than 64 MiB: choose one namespace with -n"
    );
    let pods = why(&snapshot, Kind::Pod);
    assert!(
        pods.starts_with("it answers 500: yyy") && pods.len() < 600,
        "{pods}"
    );
    let names: Vec<&str> = snapshot
        .gateways
        .keys()
        .map(|name| name.name.as_str())
        .collect();
    assert_eq!(names, ["short"]);
    assert!(
        snapshot.problems.iter().any(|problem| problem.message
            == "a Gateway has a name longer than 253 bytes, which Kubernetes does not allow; it is left out"),
        "{:?}",
        snapshot.problems
    );
    assert!(
        snapshot.kinds[&Kind::HTTPRoute]
            == KindState::Live {
                version: "v1".into()
            }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn error_bodies_of_logs_and_exec_are_read_to_their_bound() {
    let api = HostileApi::start(|request| {
        if request.path.contains("/log?") {
            Answer::Endless(500, "", b"x")
        } else if request.path.contains("/exec?") {
            Answer::Endless(403, "", b"x")
        } else {
            Answer::Ordinary
        }
    });
    let cluster = connected(&api).await;
    let log = cluster.pod_log("a", "b", "c", &LogOptions::default()).await;
    let log = log.expect_err("no log").to_string();
    assert!(log.contains("cannot be read: it answers 500: xxx"), "{log}");
    let pod = ObjectRef::new(Kind::Pod, "a", "b");
    let exec = Exec::in_container(&cluster, &pod, "c")
        .file("/etc/hosts")
        .await;
    let exec = exec.expect_err("no file");
    assert!(exec.contains("the API server forbids it (xxx"), "{exec}");
    // Two bodies of 1 MiB, and what lies in the buffers of the kernel.
    assert!(api.sent() < 64 << 20, "{} bytes were taken", api.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_line_of_a_log_is_cut() {
    let api = HostileApi::start(|request| {
        Answer::when(
            request.path.contains("/log?"),
            Answer::Endless(200, "", b"x"),
        )
    });
    let cluster = connected(&api).await;
    let log = cluster.pod_log("a", "b", "c", &LogOptions::default()).await;
    assert_eq!(log.expect("a log").len(), 1 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_line_says_401_and_403_whatever_the_body_holds() {
    for body in [
        "{}",
        "",
        "<html>sign in</html>",
        "[1]",
        r#"{"code":0,"kind":"Stat"#,
        "\u{1b}[2J",
    ] {
        let denied = HostileApi::start(move |request| {
            Answer::when(
                is_list(request, "services"),
                Answer::Whole(403, body.to_owned()),
            )
        });
        let snapshot = read(&denied).await;
        let state = &snapshot.kinds[&Kind::Service];
        assert!(matches!(state, KindState::Denied(_)), "{body}: {state:?}");

        let unknown = HostileApi::start(move |_| Answer::Whole(401, body.to_owned()));
        let options = ClusterOptions {
            kubeconfig_text: Some(unknown.kubeconfig()),
            ..ClusterOptions::default()
        };
        let error = connect(&options)
            .await
            .err()
            .expect("no access")
            .to_string();
        assert!(
            error.contains("does not accept the credentials"),
            "{body}: {error}"
        );
        assert!(error.contains("log in again"), "{body}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubelet_that_says_nothing_is_waited_for_once_and_not_for_each_program() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let api = HostileApi::start(move |request| {
        if request.path.contains("/exec?") {
            counted.fetch_add(1, Ordering::SeqCst);
            return Answer::Silence;
        }
        Answer::Ordinary
    });
    let cluster = connected(&api).await;
    let pod = ObjectRef::new(Kind::Pod, "a", "b");
    let exec = Exec::in_container(&cluster, &pod, "c");
    let target = Target {
        host: "10.0.0.1".to_owned(),
        port: 8443,
        timeout: Duration::from_secs(1),
    };
    let Err(said) = exec.dial(&target, &Recorder::new()).await else {
        panic!("nothing can be dialled");
    };
    let said = said.to_string();
    assert!(said.contains("nothing was started within 2s"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_password_in_the_environment_is_not_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("config");
    let text = hostile_api::kubeconfig("https://127.0.0.1:1", "", "");
    fs::write(&kubeconfig, text).expect("a file");
    for scheme in ["ftp", "socks5", "http", "https"] {
        let mut command = ngf_tui(&kubeconfig, "check --timeout 5s");
        command.env(
            "HTTPS_PROXY",
            format!("{scheme}://me:TOPSECRET@127.0.0.1:1"),
        );
        let (said, _) = measured(&mut command);
        assert!(
            said.contains("ngf-tui: ") && !said.contains("TOPSECRET"),
            "{said}"
        );
    }
}

/// `check -f` of a file that begins so, has a part many times and ends so.
fn of_file(name: &str, begin: &str, part: &str, bytes: usize, end: &str) -> (String, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let mut file = fs::File::create(&path).expect("a file");
    let parts = part.repeat(1 + (1 << 20) / part.len());
    file.write_all(begin.as_bytes()).expect("written");
    for _ in 0..bytes / parts.len() {
        file.write_all(parts.as_bytes()).expect("written");
    }
    file.write_all(end.as_bytes()).expect("written");
    drop(file);
    let arguments = format!("check -f {}", path.display());
    measured(&mut ngf_tui(Path::new("/nonexistent"), &arguments))
}

#[test]
fn files_of_tiny_values_take_no_gigabyte() {
    for (name, begin, part, bytes, end, says) in [
        (
            "maps.json",
            "[",
            r#"{"":0},"#,
            60_000_000,
            "0]",
            "item 200001",
        ),
        ("numbers.json", "[", "0,", 60_000_000, "0]", "item 200001"),
        (
            "numbers.yaml",
            "a: [",
            "0,",
            40_000_000,
            "0]",
            "numbers.yaml, document 1",
        ),
        (
            "maps.yaml",
            "a:\n",
            "- {a: 0}\n",
            60_000_000,
            "",
            "maps.yaml, document 1",
        ),
    ] {
        let (said, most) = of_file(name, begin, part, bytes, end);
        assert!(most < MOST_MIB, "{name}: {most} MiB");
        assert!(said.contains(says), "{name}: {said}");
    }
}
