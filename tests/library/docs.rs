//! The documentation says what is true.

mod by_hand;
mod commands;
mod generated;
mod keys;
mod links;
mod markdown;
mod pages;
mod words;

use std::{fs, path::Path};

use crate::support::ngf_tui;
use ngf_core::diagnosis::registry::RULES;

/// A file of the repository.
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
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
        for written in [rule.code.to_string(), rule.bare_code().to_lowercase()] {
            let (status, text, _) = explained(&[&written]);
            assert_eq!(status, Some(0), "{written}");
            assert!(text.starts_with(rule.code.as_str()), "{text}");
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
            .filter(|line| line.split_whitespace().next() == Some(rule.code.as_str()));
        assert_eq!(found.count(), 1, "{}", rule.code);
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn a_word_lists_the_codes_that_mention_it() {
    for (word, with, without) in [
        ("ReferenceGrant", "NGF-G7", "NGF-T1"),
        ("Self-Signed ROOT", "NGF-M6", "NGF-G7"),
        ("421", "NGF-B8", "NGF-T1"),
    ] {
        let (status, text, _) = explained(&[word]);
        assert_eq!(status, Some(0), "{word}");
        let listed: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert!(listed.contains(&with), "{word}: {text}");
        assert!(!listed.contains(&without), "{word}: {text}");
    }
}

#[test]
fn every_explanation_ends_with_the_address_of_its_page() {
    for rule in RULES {
        let (_, text, _) = explained(&[rule.code.as_str()]);
        let address = ngf_tui::report::explain::url(rule.code);
        assert_eq!(text.lines().last(), Some(address.as_str()));
    }
}

#[test]
fn what_is_no_code_gets_one_sentence_with_the_nearest() {
    for (written, sentence) in [
        (
            "T99",
            "ngf-tui: unknown code \"T99\": the nearest is NGF-T9; `ngf-tui explain` lists all\n",
        ),
        (
            "tls\u{1b}[31m",
            "ngf-tui: no code mentions \"tls\u{fffd}[31m\": `ngf-tui explain` lists all\n",
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
            assert!(
                script.contains(rule.code.as_str()),
                "{shell}: {}",
                rule.code
            );
        }
    }
}
