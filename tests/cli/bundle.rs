//! A bundle holds what `check` needs, and nothing that a stranger must not see.

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    sandbox_support::{Demo, run_with},
    support::{
        has_peer, ngf_tui,
        pty::{Pty, signal_to},
    },
};

const ENVIRONMENT: &str = "value-of-the-environment-4711";
const ARGUMENT: &str = "value-of-an-argument-4711";
const ANNOTATION: &str = "value-of-an-annotation-4711";
const HEADER: &str = "value-of-a-header-4711";

/// A Deployment and a route with values that must not leave.
const SECRETIVE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: secretive
  annotations: {team/note: "value-of-an-annotation-4711"}
spec:
  selector: {matchLabels: {app: secretive}}
  template:
    metadata: {labels: {app: secretive}}
    spec:
      containers:
      - name: app
        image: secretive
        args: ["--api-token=value-of-an-argument-4711"]
        env: [{name: PASSWORD, value: value-of-the-environment-4711}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: secretive}
spec:
  parentRefs: [{name: gateway}]
  hostnames: [secretive.example.com]
  rules:
  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: Authorization, value: value-of-a-header-4711}]}
    backendRefs: [{name: secure-app, port: 8443}]
"#;

fn on(demo: &Demo, folder: &Path, args: &[&str]) -> Output {
    demo.ngf_tui("")
        .current_dir(folder)
        .args(args)
        .output()
        .expect("ngf-tui runs")
}

fn from(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = ngf_tui()
        .current_dir(folder)
        .args(args)
        .output()
        .expect("ngf-tui runs");
    (
        output.status.code(),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

fn codes(json: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(json).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    findings
        .iter()
        .map(|finding| format!("{} {}", finding["code"], finding["subject"]))
        .collect()
}

#[test]
#[allow(clippy::too_many_lines)] // one cluster for all of it
fn a_bundle_tells_what_the_cluster_tells_and_holds_no_secret() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--scenario wrong-ca");
    let applied = run_with(&mut demo.kubectl("apply -f -"), SECRETIVE.as_bytes());
    assert!(applied.ok, "{applied:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let output = on(
        &demo,
        folder,
        &["bundle", "case.json", "--all", "--timeout", "60s"],
    );
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    assert!(
        error.contains("To open it: ngf-tui check --from case.json"),
        "{error}"
    );
    let bundle = fs::read_to_string(folder.join("case.json")).expect("a bundle");

    // The same findings, without the cluster.
    let live = on(&demo, folder, &["check", "-o", "json", "--timeout", "60s"]);
    let live = String::from_utf8(live.stdout).expect("UTF-8");
    let (status, opened, error) = from(folder, &["check", "--from", "case.json", "-o", "json"]);
    assert_eq!(status, Some(1), "{error}");
    assert_eq!(codes(&opened), codes(&live));
    let part = |json: &str, pointer: &str| {
        let value: Value = serde_json::from_str(json).expect("JSON");
        value.pointer(pointer).cloned()
    };
    for pointer in ["/summary", "/tree", "/untested"] {
        assert_eq!(part(&opened, pointer), part(&live, pointer), "{pointer}");
    }
    let (_, chain, error) = from(folder, &["chain", "--from", "case.json", "-o", "name"]);
    assert!(
        chain.lines().any(|line| line == "secret/backend-cert"),
        "{chain}{error}"
    );

    // The endpoint matrix, and what the gateway's client gets.
    let document: Value = serde_json::from_str(&bundle).expect("JSON");
    let cells = document.pointer("/matrices/0/matrix/rows/0/cells/0/state");
    assert_eq!(cells, Some(&Value::from("probed")));
    let probes = document["probes"].as_array().expect("probes");
    let status = probes
        .iter()
        .find_map(|probe| probe.pointer("/context/client/status")?.as_u64());
    assert_eq!(status, Some(502), "what the gateway's client gets");
    for (view, told) in [
        ("matrix", "error: "),
        ("handshake", "the gateway's client gets 502"),
    ] {
        let (_, plain, error) = from(folder, &["--from", "case.json", "--plain", "--view", view]);
        assert!(plain.contains(told), "{view}: {plain}{error}");
    }

    let recording = record(&demo, folder);
    let from_interface = record_in_the_interface(&demo, folder);

    // What must not leave, in every form that it may have.
    let mut forbidden = vec![
        ENVIRONMENT.to_owned(),
        ARGUMENT.to_owned(),
        ANNOTATION.to_owned(),
        HEADER.to_owned(),
    ];
    let kubeconfig = fs::read_to_string(demo.kubeconfig()).expect("a kubeconfig");
    let token = kubeconfig
        .lines()
        .find_map(|line| line.trim().strip_prefix("token: "))
        .expect("a token");
    forbidden.push(token.trim_matches(['"', '\'']).to_owned());
    let secrets = demo
        .kubectl("get secrets -A -o json")
        .output()
        .expect("kubectl runs");
    let secrets: Value = serde_json::from_slice(&secrets.stdout).expect("JSON");
    let mut keys = 0;
    for secret in secrets["items"].as_array().expect("items") {
        for (name, value) in secret["data"].as_object().into_iter().flatten() {
            if Path::new(name).extension().is_some_and(|end| end == "crt") {
                continue;
            }
            let encoded = value.as_str().expect("base64");
            forbidden.push(encoded.to_owned());
            let decoded = STANDARD.decode(encoded).expect("base64");
            let text = String::from_utf8_lossy(&decoded).into_owned();
            keys += usize::from(text.contains("PRIVATE KEY"));
            forbidden.extend(text.lines().map(str::to_owned));
        }
    }
    assert!(keys >= 2, "{keys} keys");
    for text in forbidden
        .iter()
        .filter(|text| text.len() >= 12 && !text.contains("----"))
    {
        assert!(!bundle.contains(text.as_str()), "the bundle holds {text:?}");
        for recording in [&recording, &from_interface] {
            let holds = recording.contains(text.as_str());
            assert!(!holds, "the recording holds {text:?}");
        }
    }
    for file in [&bundle, &recording, &from_interface] {
        assert!(!file.contains("PRIVATE KEY"));
        assert!(file.contains("secretive.example.com"), "names stay");
    }

    // It is its owner's, and never written over a file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for name in ["case.json", "case.jsonl", "screen.jsonl"] {
            let file = fs::metadata(folder.join(name)).expect("it");
            assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
    let again = on(&demo, folder, &["bundle", "case.json"]);
    let error = String::from_utf8_lossy(&again.stderr);
    assert_eq!(again.status.code(), Some(2), "{error}");
    assert!(
        error.contains("case.json exists and is not overwritten"),
        "{error}"
    );
    assert_eq!(
        fs::read_to_string(folder.join("case.json")).expect("it"),
        bundle
    );

    // The interface opens it, too.
    let mut command = ngf_tui();
    command.current_dir(folder).args(["--from", "case.json"]);
    let mut pty = Pty::run(&command, 120, 40);
    pty.wait_for("NGF-T1");
    pty.wait_for("seen 2");
    pty.press("q");
    assert!(pty.end().success());
    replay(folder, &recording);
}

/// The lines that are written so far.
fn lines(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.matches('\n').count()
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(2), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Records while a route is changed; what the file holds.
fn record(demo: &Demo, folder: &Path) -> String {
    let path = folder.join("case.jsonl");
    let mut recording = demo
        .ngf_tui("")
        .current_dir(folder)
        .args(["record", "case.jsonl", "--timeout", "60s"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("ngf-tui runs");
    until("the paths are tested", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.contains("\"probes/") && text.contains("\"logs/")
    });
    let before = lines(&path);
    let change = r#"{"spec": {"hostnames": ["later.example.com"]}}"#;
    let mut kubectl = demo.kubectl("patch httproute secretive --type merge -p");
    let output = kubectl.arg(change).output().expect("kubectl runs");
    assert!(output.status.success(), "{output:?}");
    until("the change is recorded", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.contains("later.example.com")
    });
    assert!(lines(&path) > before);
    signal_to(recording.id(), "INT");
    let status = recording.wait().expect("it ends");
    let mut error = String::new();
    let mut pipe = recording.stderr.take().expect("a pipe");
    pipe.read_to_string(&mut error).expect("UTF-8");
    assert!(status.success(), "{error}");
    assert!(
        error.contains("Recording context")
            && error.contains("To play it: ngf-tui replay case.jsonl"),
        "{error}"
    );
    let again = on(demo, folder, &["record", "case.jsonl"]);
    let error = String::from_utf8_lossy(&again.stderr);
    assert_eq!(again.status.code(), Some(2), "{error}");
    assert!(
        error.contains("case.jsonl exists and is not overwritten"),
        "{error}"
    );
    fs::read_to_string(path).expect("a recording")
}

/// Records from the interface while the probes of a path run; what the file holds.
fn record_in_the_interface(demo: &Demo, folder: &Path) -> String {
    let path = folder.join("screen.jsonl");
    let mut command = demo.ngf_tui("");
    command.current_dir(folder);
    let mut pty = Pty::run(&command, 120, 40);
    pty.wait_for("NGF-T1");
    pty.press(":record screen.jsonl\r");
    until("something is recorded", || lines(&path) > 0);
    pty.press("r");
    until("the probe and its context are recorded", || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.contains("\"probes/") && text.contains("\"client\":{")
    });
    pty.press(":stop\r");
    pty.press("q");
    assert!(pty.end().success());
    let (status, opened, error) = from(folder, &["check", "--from", "screen.jsonl", "-o", "json"]);
    assert_eq!(status, Some(1), "{error}");
    assert!(opened.contains("NGF-T1"), "{opened}");
    fs::read_to_string(path).expect("a recording")
}

/// The recording is played, stepped through, and opened by `check` at its end.
fn replay(folder: &Path, recording: &str) {
    let moments = recording.lines().count();
    let mut command = ngf_tui();
    command.current_dir(folder).args(["replay", "case.jsonl"]);
    let mut pty = Pty::run(&command, 120, 40);
    pty.wait_for("A recording of");
    pty.press(" ");
    for moment in 1..moments {
        pty.press("}");
        let position = format!("{} of {moments}", moment + 1);
        pty.wait_until_screen(&position, |screen| screen.contains(&position));
    }
    pty.wait_for("NGF-T1");
    pty.press(":routes\r");
    pty.wait_for("later.example.com");
    pty.press("r");
    pty.wait_for("nothing is asked of the cluster");
    pty.press("q");
    assert!(pty.end().success());
    let (status, opened, error) = from(folder, &["check", "--from", "case.jsonl", "-o", "json"]);
    assert_eq!(status, Some(1), "{error}");
    assert!(opened.contains("NGF-T1"), "{opened}");
}

#[test]
fn what_is_no_bundle_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (text, says) in [
        ("", "it is not a bundle of ngf-tui"),
        ("[]", "it has no field schema"),
        (
            "{\"schema\": \"ngf-tui/check/v1\"}",
            "it is a bundle of version \"ngf-tui/check/v1\"",
        ),
        ("{\"schema\": \"ngf-tui/bundle/v1\"}", "missing field"),
        ("{\"schema\": \"ngf-tui/bundle/v1\u{1b}[31m\"}", "it is "),
        (deep.as_str(), "it is not a bundle of ngf-tui"),
    ] {
        fs::write(folder.join("case.json"), text).expect("a file");
        for command in [
            &["check", "--from", "case.json"][..],
            &["chain", "--from", "case.json"],
        ] {
            let (status, out, error) = from(folder, command);
            assert_eq!((status, out.as_str()), (Some(2), ""), "{error}");
            assert!(error.contains(says), "{says}: {error}");
            assert!(
                !error.contains('\u{1b}') && !error.contains("panicked"),
                "{error:?}"
            );
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
    fs::write(
        folder.join("case.json"),
        "{\"schema\": \"ngf-tui/recording/v1\"}",
    )
    .expect("a file");
    for (file, says) in [
        (
            "case.json",
            "case.json: it is no recording of ngf-tui: line 1: it has no field at",
        ),
        ("missing.json", "missing.json: cannot be read"),
        ("-", "replay needs a file"),
    ] {
        let (status, out, error) = from(folder, &["replay", file]);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{error}");
        assert!(error.contains(says), "{says}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let (status, _, error) = from(folder, &["check", "--from", "missing.json"]);
    assert_eq!(status, Some(2), "{error}");
    assert!(
        error.contains("--from missing.json: cannot be read"),
        "{error}"
    );
    let (status, _, error) = from(folder, &["check", "--from", "case.json", "-f", "x"]);
    assert_eq!(status, Some(2), "{error}");
}
