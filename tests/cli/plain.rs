//! `--plain` prints every view of the terminal interface as linear text.

use std::process::Output;

use crate::{sandbox_support::Demo, support::ngf_tui};

fn on(demo: &Demo, args: &[&str]) -> String {
    let output = demo
        .ngf_tui("--plain")
        .args(args)
        .output()
        .expect("ngf-tui runs");
    text(&output)
}

fn text(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

/// Nothing that draws, and no sign that has to be seen.
fn is_linear(text: &str) {
    let drawn = text.chars().find(|c| {
        matches!(*c, '\u{2190}'..='\u{21ff}' | '\u{2500}'..='\u{25ff}' | '\u{2713}' | '\u{2717}' | '\u{1b}')
    });
    assert_eq!(drawn, None, "{text}");
}

#[test]
fn every_view_is_printed_as_lines_that_can_be_read_aloud() {
    let demo = Demo::start("--scenario wrong-ca");
    let all = on(&demo, &[]);
    is_linear(&all);
    for title in [
        "# Problems",
        "# Tree",
        "# Gateways",
        "# Routes",
        "# Policies",
        "# Certificates",
        "# Endpoints",
        "# Conditions",
        "# Probes",
        "# Logs",
        "# Events",
        "# Changes",
        "# Namespaces",
        "# Contexts",
        "# Chain of httproute/secure-app -n default",
        "# Handshake of httproute/secure-app -n default",
        "# Findings of httproute/secure-app -n default",
        "# Logs of httproute/secure-app -n default",
        "# Conditions of backendtlspolicy/backend-tls -n default",
        "# YAML of gateway/gateway -n default",
        "# nginx of httproute/secure-app -n default",
    ] {
        assert_eq!(
            all.lines().filter(|line| *line == title).count(),
            1,
            "{title}:\n{all}"
        );
    }
    // A sentence is one line, a sign is a word, and the handshake tells who does what.
    for line in [
        "error NGF-T1 The CA in Secret default/backend-cert did not sign the certificate that Service \
         default/secure-app:8443 presents",
        "error: STATE broken; ROUTE default/secure-app; HOSTS secure-app.example.com;",
        "1. client to nginx: GET http://secure-app.example.com/",
        "8. nginx:",
        "10. backend to nginx: HTTPS response (never happened)",
    ] {
        assert!(
            all.lines().any(|one| one.starts_with(line)),
            "{line}:\n{all}"
        );
    }
    let part = on(&demo, &["--view", "routes", "--view", "gw"]);
    assert_eq!(
        part.lines()
            .filter(|line| line.starts_with("# "))
            .collect::<Vec<_>>(),
        ["# Routes", "# Gateways"]
    );
    assert_eq!(part.lines().count(), 5, "{part}");
}

#[test]
fn a_view_that_there_is_not_is_named_with_those_that_there_are() {
    for (args, says) in [
        (
            &["--plain", "--view", "pods", "-f", "x"][..],
            "there is no view \"pods\": expected problems, tree, matrix, gateways,",
        ),
        (
            &["--plain", "--context", "a", "--context", "b"],
            "--plain takes one --context",
        ),
        (&["--plain", "check"], "after the command"),
    ] {
        let output = ngf_tui().args(args).output().expect("ngf-tui runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains(says) && error.lines().count() == 1,
            "{says}: {error}"
        );
    }
}
