//! The documentation says what is true.

use crate::support::ngf_tui;
use ngf_core::diagnosis::registry::RULES;
use ngf_tui::report::explain;

const HEAD: &str = "# Codes

<!-- written by UPDATE_DOCS=1 cargo test --test library docs from core/src/diagnosis/registry.rs -->

`ngf-tui explain CODE` prints the same. A finding says *fail*, where the evidence shows it, or *unknown*, where
evidence is missing; its severity may be milder than the rule's. Codes are stable.
";

/// Fails when the table is out of date, and writes it anew with `UPDATE_DOCS=1`.
#[test]
fn the_table_of_codes_is_the_list_of_rules() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/codes.md");
    let wanted = format!("{HEAD}{}", explain::markdown());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, wanted).expect("docs/codes.md can be written");
        return;
    }
    let found = std::fs::read_to_string(path).expect("docs/codes.md is there");
    assert!(
        found == wanted,
        "run UPDATE_DOCS=1 cargo test --test library docs"
    );
}

fn explained(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = ngf_tui()
        .arg("explain")
        .args(arguments)
        .output()
        .expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn every_code_is_explained_at_80_columns_however_it_is_written() {
    for rule in RULES {
        for written in [rule.code.to_owned(), rule.bare_code().to_lowercase()] {
            let (status, text, _) = explained(&[&written]);
            assert_eq!(status, Some(0), "{written}");
            assert!(text.starts_with(rule.code), "{text}");
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            for part in [rule.title, rule.explanation, rule.remedy] {
                assert!(words(&text).contains(&words(part)), "{written}: {text}");
            }
            assert!(
                text.lines().all(|line| line.chars().count() <= 80),
                "{text}"
            );
        }
    }
}

#[test]
fn without_a_code_all_are_listed() {
    let (status, text, _) = explained(&[]);
    assert_eq!(status, Some(0));
    for rule in RULES {
        let found = text
            .lines()
            .filter(|line| line.split_whitespace().next() == Some(rule.code));
        assert_eq!(found.count(), 1, "{}", rule.code);
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn what_is_no_code_gets_one_sentence_with_the_nearest() {
    for (written, sentence) in [
        (
            "T99",
            "ngf-tui: there is no code T99: the nearest is NGF-T9; `ngf-tui explain` lists all\n",
        ),
        (
            "tls\u{1b}[31m",
            "ngf-tui: there is no code tls\u{fffd}[31m: `ngf-tui explain` lists all\n",
        ),
    ] {
        let (status, text, error) = explained(&[written]);
        assert_eq!(
            (status, text.as_str(), error.as_str()),
            (Some(2), "", sentence)
        );
    }
}

#[test]
fn shells_complete_codes() {
    for shell in ["bash", "zsh", "fish"] {
        let output = ngf_tui()
            .args(["completions", shell])
            .output()
            .expect("it runs");
        let script = String::from_utf8(output.stdout).expect("UTF-8");
        for rule in RULES {
            assert!(script.contains(rule.code), "{shell}: {}", rule.code);
        }
    }
}
