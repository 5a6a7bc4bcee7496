//! `check` on a cluster: it tests paths, reads logs and the data plane, and names what it does not know.

use std::process::Output;

use ngf_tui::report;
use serde_json::Value;

use super::demo::Served;
use crate::support::ngf_tui;

/// Each scenario: the exit status of `check`, and the code of its first finding.
const SCENARIOS: &[(&str, i32, Option<&str>)] = &[
    ("guide", 0, None),
    ("wrong-hostname", 1, Some("NGF-T8")),
    ("expired-backend-certificate", 1, Some("NGF-T5")),
    ("wrong-ca", 1, Some("NGF-M4")),
    ("no-client-certificate", 1, Some("NGF-G8")),
    ("client-certificate-from-another-ca", 1, Some("NGF-M4")),
    ("secret-without-ca-crt", 1, Some("NGF-P8")),
    ("policy-on-wrong-service", 1, Some("NGF-P1")),
    ("opaque-secret", 1, Some("NGF-P7")),
    ("plain-backend", 1, Some("NGF-T12")),
    ("two-endpoints-one-expired", 1, Some("NGF-T5")),
    ("fleet", 1, Some("NGF-D3")),
    ("expired-client-certificate", 1, Some("NGF-G9")),
    ("sni-mismatch-421", 1, Some("NGF-B8")),
    // It works, and one client came without a certificate.
    ("frontend-mtls", 0, Some("NGF-L4")),
];

fn check(served: &Served, args: &[&str]) -> Output {
    ngf_tui()
        .arg("check")
        .args(["--timeout", "120s", "--kubeconfig", served.kubeconfig()])
        .args(args)
        .output()
        .expect("ngf-tui runs")
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn json(served: &Served, args: &[&str]) -> Value {
    let output = check(served, &[args, &["-o", "json"]].concat());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn check_names_the_cause_of_every_scenario_first() {
    let names: Vec<&str> = SCENARIOS.iter().map(|(name, ..)| *name).collect();
    let known: Vec<&str> = ngf_sandbox::SCENARIOS.iter().map(|s| s.name).collect();
    assert_eq!(names, known, "each scenario has a line in this table");
    for (scenario, status, first) in SCENARIOS {
        let served = Served::start(scenario);
        let output = check(&served, &["-o", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let errors = String::from_utf8_lossy(&output.stderr);
        let found = report["findings"][0]["code"].as_str();
        assert_eq!(found, *first, "{scenario}: {errors}\n{report:#}");
        assert_eq!(output.status.code(), Some(*status), "{scenario}: {errors}");
        assert_eq!(report["summary"]["untested_paths"], 0, "{scenario}");
    }
}

#[test]
fn of_many_endpoints_a_sample_is_tested_and_the_summary_counts_it() {
    let served = Served::start("fleet");
    let report = text(&check(&served, &[]));
    assert!(
        report.contains("1 of 1 paths tested, 4 of 40 endpoints"),
        "{report}"
    );
    assert!(report.contains("1 of 5 data-plane pods"), "{report}");
}

#[test]
fn a_part_that_is_left_out_is_not_known_and_is_named() {
    let served = Served::start("no-client-certificate");
    let output = check(&served, &["--no-probe", "--no-logs"]);
    let report = text(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(
        unwrapped(&report).contains(
            "1 path not tested: ngf-tui check httproute/default/secure-app (no handshake was made)"
        ),
        "{report}"
    );
    let strict = check(
        &served,
        &["--no-probe", "--no-logs", "--fail-on", "unknown"],
    );
    assert_eq!(strict.status.code(), Some(1));

    let report = json(&served, &["--no-probe", "--no-logs"]);
    assert_eq!(report["schema"], report::json::SCHEMA);
    assert_eq!(report["summary"]["untested_paths"], 1);
    assert_eq!(report["summary"]["tested_paths"], 0);
    let untested = &report["untested"][0];
    assert_eq!(untested["service"]["name"], "secure-app");
    assert_eq!(
        untested["command"],
        "ngf-tui check httproute/default/secure-app"
    );

    let junit = text(&check(&served, &["--no-probe", "--no-logs", "-o", "junit"]));
    let document = roxmltree::Document::parse(&junit).expect("XML");
    let case = |class: &str| {
        document
            .descendants()
            .find(|node| node.attribute("classname") == Some(class))
            .unwrap_or_else(|| panic!("{class} in {junit}"))
    };
    let is_skipped = |class: &str| {
        let mut children = case(class).children();
        children.any(|child| child.has_tag_name("skipped"))
    };
    assert!(is_skipped("path"), "{junit}");
    assert!(is_skipped("NGF-T1"), "{junit}");
    assert!(!is_skipped("NGF-P1"), "objects alone show P1: {junit}");

    let markdown = text(&check(
        &served,
        &["--no-probe", "--no-logs", "-o", "markdown"],
    ));
    assert!(
        markdown.contains("no problems found, 1 path not tested"),
        "{markdown}"
    );

    // The command that it names tests the path.
    let output = check(&served, &["httproute/default/secure-app"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("NGF-G8"));
}

#[test]
fn the_former_options_change_nothing() {
    let served = Served::start("opaque-secret");
    let without = json(&served, &[]);
    let with = json(&served, &["--logs", "--data-plane"]);
    let codes = |report: &Value| {
        let all = report["findings"].as_array().expect("a list").iter();
        all.map(|finding| finding["code"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(&with), codes(&without));
}

#[test]
fn one_object_is_checked_alone() {
    let served = Served::start("no-client-certificate");
    for target in [
        "gateway/gateway",
        "httproute/secure-app",
        "svc/secure-app:8443",
        "backendtlspolicy/backend-tls",
        "httproute/default/secure-app",
    ] {
        let report = json(&served, &[target]);
        assert_eq!(report["findings"][0]["code"], "NGF-G8", "{target}");
        assert_eq!(report["summary"]["tested_paths"], 1, "{target}");
    }
    // Nothing about the route concerns a Service that it does not use.
    let report = json(&served, &["service/gateway-nginx"]);
    let errors = &report["summary"]["errors"];
    assert_eq!(errors, 0, "{report:#}");

    for (target, sentence) in [
        (
            "gateway/nope",
            "gateway \"nope\" not found in namespace \"default\"",
        ),
        (
            "httproute/shop/secure-app",
            "httproute \"secure-app\" not found in namespace \"shop\"",
        ),
    ] {
        let output = check(&served, &[target]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{target}: {errors}");
        assert!(errors.contains(sentence), "{errors}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_namespace_that_does_not_exist_is_one_sentence() {
    let served = Served::start("guide");
    let kubeconfig = served.kubeconfig();
    for command in [
        &["check"][..],
        &["check", "-o", "junit"],
        &["chain"],
        &["logs"],
        &["fix"],
        &["probe", "httproute/secure-app"],
    ] {
        let output = ngf_tui()
            .args(command)
            .args(["-n", "nope", "--kubeconfig", kubeconfig])
            .output()
            .expect("ngf-tui runs");
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(errors, "ngf-tui: namespace \"nope\" not found\n");
        assert!(output.stdout.is_empty(), "{command:?}");
    }
}

#[test]
fn input_that_cannot_be_read_is_an_error_in_every_format() {
    let run = |format: &str| {
        ngf_tui()
            .args(["check", "-f", "/nonexistent/folder", "-o", format])
            .output()
            .expect("ngf-tui runs")
    };
    for format in ["text", "json", "junit", "markdown"] {
        assert_eq!(run(format).status.code(), Some(2), "{format}");
    }
    let junit = text(&run("junit"));
    let document = roxmltree::Document::parse(&junit).expect("XML");
    let root = document.root_element();
    assert_eq!(root.attribute("errors"), Some("1"), "{junit}");
    assert_eq!(
        root.attribute("tests"),
        Some("1"),
        "nothing passes: {junit}"
    );
    assert!(junit.contains("<error message="), "{junit}");
    let json: Value = serde_json::from_slice(&run("json").stdout).expect("JSON");
    assert!(
        json["unread"][0]
            .as_str()
            .is_some_and(|why| why.contains("/nonexistent/folder"))
    );
    assert!(text(&run("markdown")).contains("could not be read"));
    assert!(text(&run("text")).contains("could not be read"));
}

#[test]
fn files_are_not_tested_and_the_summary_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let manifests: String = ngf_sandbox::STEPS
        .iter()
        .map(|step| format!("{}\n---\n", step.manifest))
        .collect();
    std::fs::write(folder.path().join("guide.yaml"), manifests).expect("a file");
    let output = ngf_tui()
        .args(["check", "-f"])
        .arg(folder.path())
        .output()
        .expect("ngf-tui runs");
    let report = text(&output);
    assert!(
        unwrapped(&report).contains(
            "1 path not tested: ngf-tui check httproute/default/secure-app (files hold no endpoint to connect to)"
        ),
        "{report}"
    );
}

/// What the demo prints below a command is what the command prints.
#[test]
fn the_demo_prints_what_its_commands_print() {
    let plain = ngf_tui()
        .args(["demo", "--scenario", "wrong-hostname", "--plain"])
        .output()
        .expect("ngf-tui runs");
    let plain = text(&plain);
    let (_, after) = plain.split_once("$ ngf-tui check\n").expect("the command");
    let (shown, rest) = after
        .split_once("\n$ ngf-tui probe httproute/secure-app\n")
        .expect("the next command");
    let served = Served::start("wrong-hostname");
    let printed = text(&check(&served, &[]));
    assert_eq!(steady(shown), steady(&printed));

    let probe = ngf_tui()
        .args([
            "probe",
            "httproute/secure-app",
            "--kubeconfig",
            served.kubeconfig(),
        ])
        .output()
        .expect("ngf-tui runs");
    let (shown, _) = rest.split_once("$ kubectl logs").expect("the next command");
    let verdict = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| line.starts_with(['✓', '✗', '?']));
        steady(&lines.collect::<Vec<_>>().join("\n"))
    };
    assert_eq!(verdict(shown), verdict(&text(&probe)));
}

/// Text without its line breaks.
fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Without what differs from run to run: addresses, names of pods, times, line breaks.
fn steady(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let differs = word.contains(|c: char| c.is_ascii_digit());
        words.push(if differs {
            "#".to_owned()
        } else {
            word.to_owned()
        });
    }
    words.join(" ")
}
