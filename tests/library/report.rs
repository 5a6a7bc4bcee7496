//! What `ngf-tui check` prints, as text at 80 columns and as JSON.

use crate::support::scenario::{BROKEN, Scenario};
use insta::{assert_snapshot, with_settings};
use ngf_core::diagnosis::Diagnosis;
use ngf_tui::report::{FailOn, json, text};
use serde_json::Value;

fn printed(diagnosis: &Diagnosis) -> String {
    text::render(diagnosis, text::Style::default())
}

#[test]
fn thirty_broken_sets_at_once_are_a_wall_that_one_can_read() {
    let diagnosis = Scenario::together(BROKEN).diagnose();
    let text = printed(&diagnosis);
    let too_wide: Vec<&str> = text
        .lines()
        // A command is to be copied, and so is never broken.
        .filter(|line| {
            line.chars().count() > 80 && !line.contains("kubectl") && !line.contains("cmctl")
        })
        .collect();
    assert!(too_wide.is_empty(), "{}", too_wide.join("\n"));
    with_settings!({filters => vec![(r"[0-9a-f]{2}:[0-9a-f]{2}:…:[0-9a-f]{2}", "…")]}, {
        assert_snapshot!(text);
    });
}

#[test]
fn a_healthy_set_is_short() {
    assert_snapshot!(printed(&Scenario::load("b0-all-well").diagnose()));
}

#[test]
fn causes_stand_before_their_effects() {
    assert_snapshot!(printed(
        &Scenario::load("p8-ca-secret-without-ca").diagnose()
    ));
}

#[test]
fn json_has_what_scripts_ask_for() {
    let diagnosis = Scenario::load("p8-ca-secret-without-ca").diagnose();
    let report: Value =
        serde_json::from_str(&json::render(&diagnosis).expect("JSON")).expect("JSON");
    assert_eq!(report["schema"], "ngf-tui/check/v1");
    assert_eq!(report["summary"]["errors"], 2);
    assert_eq!(report["summary"]["health"], "broken");
    let [cause, effect] = report["findings"].as_array().expect("findings").as_slice() else {
        panic!("two findings are expected: {}", report["findings"]);
    };
    assert_eq!(cause["code"], "NGF-P8");
    assert_eq!(cause["severity"], "error");
    assert_eq!(cause["verdict"], "fail");
    assert_eq!(
        cause["subject"],
        serde_json::json!({"kind": "Secret", "namespace": "default", "name": "backend-cert"})
    );
    assert_eq!(cause["caused_by"], Value::Null);
    assert!(cause["title"].is_string() && cause["remedy"].is_string());
    for line in cause["evidence"].as_array().expect("evidence") {
        assert!(line["what"].is_string() && line["value"].is_string() && line["where"].is_string());
    }
    assert_eq!(effect["code"], "NGF-D1");
    assert_eq!(effect["caused_by"], "NGF-P8");
}

#[test]
fn the_exit_code_says_what_was_asked() {
    let cases = [
        ("b0-all-well", [0, 0, 0]),
        ("b7-never-asked", [0, 0, 0]),
        ("p12-subject-alt-names", [0, 1, 0]),
        ("p8-before-the-reload", [1, 1, 0]),
        // What is unknown fails no build.
        ("k1-policies-denied", [0, 0, 0]),
    ];
    for (name, expected) in cases {
        let diagnosis = Scenario::load(name).diagnose();
        let codes = [FailOn::Error, FailOn::Warning, FailOn::Never]
            .map(|fail_on| fail_on.exit_code(&diagnosis));
        assert_eq!(codes, expected, "{name}");
    }
}

#[test]
fn colour_comes_only_when_asked_and_changes_nothing_else() {
    for diagnosis in [
        Scenario::load("p8-ca-secret-without-ca").diagnose(),
        Scenario::together(BROKEN).diagnose(),
    ] {
        colour_changes_nothing_else(&diagnosis);
    }
}

fn colour_changes_nothing_else(diagnosis: &Diagnosis) {
    let plain = printed(diagnosis);
    assert!(!plain.contains('\u{1b}'));
    let coloured = text::render(
        diagnosis,
        text::Style {
            colour: true,
            width: 80,
        },
    );
    assert!(coloured.contains("\u{1b}[31m✗\u{1b}[0m"));
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        stripped += before;
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    stripped += rest;
    assert_eq!(stripped, plain);
}
