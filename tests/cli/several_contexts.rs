//! `--context a --context b`: what is wrong in each, and one that cannot be reached hides nothing of the others.

use std::{fs, path::PathBuf};

use crate::{
    sandbox_support::Demo,
    support::{ngf_tui, pty::Pty},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A kubeconfig with these clusters, and with one that nobody serves.
fn kubeconfig(clusters: &[(&str, &Demo)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut merged = json!({"apiVersion": "v1", "kind": "Config", "current-context": clusters[0].0,
        "clusters": [{"name": "dead", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "dead", "user": {"token": "x"}}],
        "contexts": [{"name": "dead", "context": {"cluster": "dead", "user": "dead"}}]});
    for (name, demo) in clusters {
        let text = fs::read_to_string(demo.kubeconfig()).expect("a kubeconfig");
        let field = |field: &str| {
            let found = text
                .lines()
                .find_map(|line| line.trim().trim_start_matches("- ").strip_prefix(field));
            found
                .expect("the field")
                .trim()
                .trim_matches(['"', '\''])
                .to_owned()
        };
        let cluster = json!({"server": field("server: "), "certificate-authority-data": field("certificate-authority-data: ")});
        let mut add = |list: &str, kind: &str, value: Value| {
            let one = json!({"name": name, kind: value});
            merged[list].as_array_mut().expect("a list").push(one);
        };
        add("clusters", "cluster", cluster);
        add("users", "user", json!({"token": field("token: ")}));
        add(
            "contexts",
            "context",
            json!({"cluster": name, "user": name}),
        );
    }
    let path = folder.path().join("kubeconfig");
    fs::write(&path, merged.to_string()).expect("a file");
    (folder, path)
}

#[test]
fn each_context_is_told_by_itself() {
    let (prod, staging) = (
        Demo::start("--scenario wrong-ca"),
        Demo::start("--scenario no-client-certificate"),
    );
    let (_folder, path) = kubeconfig(&[("prod", &prod), ("staging", &staging)]);
    let command = |args: &[&str]| {
        let mut command = ngf_tui();
        command.arg("--kubeconfig").arg(&path).args(args);
        command
    };
    let check = |args: &[&str]| {
        let mut command = command(&["check", "--timeout", "60s"]);
        let output = command.args(args).output().expect("ngf-tui runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            output.status.code(),
            String::from_utf8(output.stdout).expect("UTF-8"),
            error,
        )
    };
    let three = [
        "--context",
        "prod",
        "--context",
        "dead",
        "--context",
        "staging",
    ];
    let (status, text, error) = check(&three);
    assert_eq!(status, Some(2), "{text}{error}");
    let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}:\n{text}"));
    let (first, dead, last) = (
        place("Context prod\n"),
        place("Context dead could not be read: "),
        place("Context staging\n"),
    );
    assert!(
        first < place("NGF-T1") && place("NGF-T1") < dead && dead < last && last < place("NGF-G8")
    );
    assert!(
        text.ends_with("3 contexts; failed: prod and staging; could not be read: dead\n"),
        "{text}"
    );
    let (status, text, error) = check(&["--context", "prod", "--context", "staging", "-o", "json"]);
    assert_eq!(status, Some(1), "{error}");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["schema"], "ngf-tui/checks/v1");
    assert_eq!(
        report["contexts"][0]["report"]["schema"],
        "ngf-tui/check/v1"
    );
    assert_eq!(report["contexts"][1]["context"], "staging");
    assert_eq!(report["contexts"][1]["report"]["summary"]["errors"], 2);

    // The interface lists the problems of all of them, and goes to the other one.
    let mut pty = Pty::run(&command(&three), 100, 40);
    // The terminal gets single words: what is between them is there already.
    for seen in ["NGF-T1", "dead:", "NGF-G8"] {
        pty.wait_for(seen);
    }
    let from = pty.count();
    pty.press("G\r");
    pty.wait_for("connected:");
    pty.wait_for_after(from, "staging");
    pty.press("q");
    assert!(pty.end().success());
    // Of several the first one that answers is on the screen.
    let mut pty = Pty::run(
        &command(&["--context", "dead", "--context", "staging"]),
        100,
        40,
    );
    pty.wait_for("NGF-G8");
    pty.wait_for("dead:");
    pty.press("q");
    assert!(pty.end().success());
}

#[test]
fn what_takes_one_context_says_so() {
    let two = ["--context", "a", "--context", "b"];
    for (args, says) in [
        (&["logs"][..], "this command takes one --context"),
        (
            &["check", "-f", "x.yaml"],
            "several contexts are for clusters, not for files",
        ),
        (&["check", "-o", "junit"], "run check once for each context"),
        (&["check", "--store", "configmap/x"], "take one --context"),
    ] {
        let output = ngf_tui()
            .args(args)
            .args(two)
            .output()
            .expect("ngf-tui runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains(says) && error.lines().count() == 1,
            "{says}: {error}"
        );
    }
}
