//! The words that `docs/style.md` bans are in no text that a person reads: not in README and docs, not in the source's
//! strings, comments and names of functions, not in what scenarios are about.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::links;
use crate::{packaging::packages, quoting_source::literals};

/// The banned words, in lower case.
fn banned() -> Vec<String> {
    let text = super::read("docs/style.md");
    let table = text
        .split("<!-- words -->")
        .nth(1)
        .and_then(|rest| rest.split("<!-- end of words -->").next())
        .expect("docs/style.md has a table of words");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let words: Vec<String> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split(','))
        .map(|word| word.trim().to_lowercase())
        .collect();
    assert!(words.len() > 25, "{words:?}");
    words
}

/// The banned words in a text, each as a word of its own.
fn found<'w>(text: &str, banned: &'w [String]) -> Vec<&'w str> {
    let text = text.to_lowercase().replace('\u{2019}', "'");
    // Lines that are wrapped are one text.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let holds = |word: &str| {
        text.match_indices(word).any(|(at, _)| {
            !is_word(text[..at].chars().next_back())
                && !is_word(text[at + word.len()..].chars().next())
        })
    };
    banned
        .iter()
        .map(String::as_str)
        .filter(|word| holds(word))
        .collect()
}

#[test]
fn readme_and_docs_hold_no_banned_words() {
    let banned = banned();
    let mut wrong = Vec::new();
    for page in links::pages() {
        // The list itself.
        if page.ends_with("style.md") {
            continue;
        }
        let text = fs::read_to_string(&page).expect("a page");
        for word in found(&text, &banned) {
            wrong.push(format!("{}: {word}", page.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "docs/style.md has better words:\n{}",
        wrong.join("\n")
    );
}

/// Files in a folder of every crate of the workspace, at any depth, that are wanted.
fn files(folder: &str, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = packages()
        .iter()
        .filter_map(|package| {
            Path::new(package["manifest_path"].as_str()?)
                .parent()
                .map(|root| root.join(folder))
        })
        .filter(|folder| folder.is_dir())
        .collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if wanted(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Rust files of every crate of the workspace, without their tests.
fn sources() -> Vec<PathBuf> {
    files("src", is_rust)
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "rs")
}

/// Comments of Rust source, each with the line where it ends. Lines that follow each other are one comment.
fn comments(source: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (number, line) in source.lines().enumerate() {
        let Some(text) = line.trim_start().strip_prefix("//") else {
            continue;
        };
        let text = text.trim_start_matches(['/', '!']);
        match found.last_mut() {
            Some((last, comment)) if *last == number => {
                comment.push('\n');
                comment.push_str(text);
                *last = number + 1;
            }
            _ => found.push((number + 1, text.to_owned())),
        }
    }
    found
}

/// Names of functions as sentences, each with its line.
fn names(source: &str) -> Vec<(usize, String)> {
    let name = |line: &str| {
        let (_, rest) = line.split_once("fn ")?;
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
        Some(rest[..end].replace('_', " "))
    };
    let lines = source.lines().enumerate();
    lines
        .filter_map(|(number, line)| Some((number + 1, name(line)?)))
        .collect()
}

#[test]
fn strings_and_help_hold_no_banned_words() {
    let banned = banned();
    let mut wrong = Vec::new();
    let mut texts = 0;
    for path in sources() {
        let source = fs::read_to_string(&path).expect("a source");
        let mut all = literals(&source);
        // The doc comments of arguments are the help.
        if path.components().any(|part| part.as_os_str() == "args") {
            let comments = source.lines().enumerate();
            all.extend(comments.filter_map(|(number, line)| {
                let text = line.trim_start().strip_prefix("/// ")?;
                Some((number + 1, text.to_owned()))
            }));
        }
        texts += all.len();
        for (line, text) in all {
            for word in found(&text, &banned) {
                wrong.push(format!("{}:{line}: {word}: {text}", path.display()));
            }
        }
    }
    assert!(texts > 5_000, "{texts} texts");
    assert!(
        wrong.is_empty(),
        "docs/style.md has better words:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn comments_names_and_scenarios_hold_no_banned_words() {
    let banned = banned();
    let mut wrong = Vec::new();
    let mut texts = 0;
    let of_tests = files("tests", |path| {
        is_rust(path) || path.ends_with("scenario.yaml")
    });
    for path in sources().into_iter().chain(of_tests) {
        let source = fs::read_to_string(&path).expect("a source");
        let all = if is_rust(&path) {
            let mut all = comments(&source);
            all.extend(names(&source));
            all
        } else {
            vec![(1, source)]
        };
        texts += all.len();
        for (line, text) in all {
            for word in found(&text, &banned) {
                wrong.push(format!("{}:{line}: {word}: {text}", path.display()));
            }
        }
    }
    assert!(texts > 10_000, "{texts} texts");
    assert!(
        wrong.is_empty(),
        "docs/style.md has better words:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn comments_are_read_over_line_ends_and_names_as_sentences() {
    let source = "/// nginx closes\n/// it.\nfn it_ends_there() {}\n// one line\n\n// another";
    assert_eq!(
        comments(source),
        [
            (2, " nginx closes\n it.".to_owned()),
            (4, " one line".to_owned()),
            (6, " another".to_owned()),
        ]
    );
    assert_eq!(names(source), [(3, "it ends there".to_owned())]);
}

#[test]
fn a_banned_word_is_found_as_a_word_and_over_line_ends() {
    let banned = ["goes on".to_owned(), "anew".to_owned()];
    for (text, words) in [
        ("nginx goes\n  on", &["goes on"][..]),
        ("Canewood", &[]),
        ("Anew.", &["anew"]),
        ("forgoes one", &[]),
    ] {
        assert_eq!(found(text, &banned), words, "{text}");
    }
}
