//! No command is written as text with names put into it: the source is read for such texts.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Programs that printed commands run.
const PROGRAMS: &[&str] = &["kubectl", "openssl", "cmctl", "helm", "base64", "ngf-tui"];

/// What is no command to copy: a completion script, a template of the program's own words, the program's name with its
/// version, a page.
const ALLOWED: &[(&str, &str)] = &[
    ("src/cli/completion.rs", "complete -c ngf-tui -n "),
    ("src/cli/args/examples.rs", "ngf-tui check -o jsonpath="),
    ("src/cli/info.rs", "ngf-tui {}\n"),
    ("src/cli/version.rs", "ngf-tui {} (OpenSSL"),
    ("src/cli/man.rs", "ngf-tui "),
    ("src/cli/logging/panics.rs", "ngf-tui {} panicked"),
    ("src/report/html.rs", "<!doctype html>"),
    ("src/tui/views/export.rs", "ngf-tui {}, {}"),
];

/// String literals of Rust source, each with its line; comments are left out.
pub(crate) fn literals(source: &str) -> Vec<(usize, String)> {
    let text: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    let starts = |at: usize, what: &str| {
        what.chars()
            .enumerate()
            .all(|(place, c)| text.get(at + place) == Some(&c))
    };
    while at < text.len() {
        if starts(at, "//") {
            while at < text.len() && text[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            while at < text.len() && !starts(at, "*/") {
                line += usize::from(text[at] == '\n');
                at += 1;
            }
            at += 2;
        } else if text[at] == 'r' && (starts(at, "r\"") || starts(at, "r#")) {
            let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
            let open = at + 1 + hashes;
            if text.get(open) == Some(&'"') {
                let end = format!("\"{}", "#".repeat(hashes));
                let begun = line;
                let mut literal = String::new();
                at = open + 1;
                while at < text.len() && !starts(at, &end) {
                    line += usize::from(text[at] == '\n');
                    literal.push(text[at]);
                    at += 1;
                }
                at += end.len();
                found.push((begun, literal));
            } else {
                at += 1;
            }
        } else if text[at] == '"' {
            let begun = line;
            let mut literal = String::new();
            at += 1;
            while at < text.len() && text[at] != '"' {
                line += usize::from(text[at] == '\n');
                if text[at] == '\\' {
                    at += 1;
                    match text[at] {
                        'n' => literal.push('\n'),
                        '\n' => line += 1,
                        c => literal.push(c),
                    }
                } else {
                    literal.push(text[at]);
                }
                at += 1;
            }
            at += 1;
            found.push((begun, literal));
        } else if text[at] == '\'' {
            // A character, where it ends as one; else a lifetime.
            let escaped = text.get(at + 1) == Some(&'\\');
            let end = if escaped {
                text[at + 3..]
                    .iter()
                    .position(|c| *c == '\'')
                    .map(|more| at + 3 + more)
            } else {
                Some(at + 2).filter(|end| text.get(*end) == Some(&'\''))
            };
            at = end.unwrap_or(at) + 1;
        } else {
            line += usize::from(text[at] == '\n');
            at += 1;
        }
    }
    found
}

/// Whether a text is a command with a place for a value, or one that is to be continued.
fn is_raw_command(literal: &str) -> bool {
    PROGRAMS.iter().any(|program| {
        literal.match_indices(program).any(|(at, _)| {
            let before = literal[..at].chars().next_back();
            let is_word = before.is_none_or(|c| !c.is_alphanumeric() && !"-_/.".contains(c));
            let Some(rest) = literal[at + program.len()..].strip_prefix(' ') else {
                return false;
            };
            // A sentence about a program ends at its punctuation.
            let ends = [". ", ", ", "; ", ": ", "`", "\n"];
            let end = ends.iter().filter_map(|end| rest.find(end)).min();
            let arguments = &rest[..end.unwrap_or(rest.len())];
            let takes_a_value = arguments.replace("{{", "").contains('{');
            let is_continued = end.is_none() && arguments.ends_with([' ', '/', '=']);
            is_word && (takes_a_value || is_continued)
        })
    })
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("command/tests.rs")
        {
            into.push(path);
        }
    }
}

#[test]
fn no_source_writes_a_command_as_text() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in [
        "src",
        "core/src",
        "cluster/src",
        "tls/src",
        "ui/src",
        "probes/src",
        "sandbox/src",
    ] {
        sources(&root.join(folder), &mut files);
    }
    let (mut wrong, mut read) = (Vec::new(), 0);
    for file in &files {
        let text = fs::read_to_string(file).expect("source");
        let allowed: Vec<&str> = ALLOWED
            .iter()
            .filter(|(path, _)| file.ends_with(path))
            .map(|(_, text)| *text)
            .collect();
        for (line, literal) in literals(&text) {
            read += 1;
            let is_allowed = allowed.iter().any(|text| literal.starts_with(text));
            if is_raw_command(&literal) && !is_allowed {
                wrong.push(format!("{}:{line}: {literal:?}", file.display()));
            }
        }
    }
    assert!(read > 3_000, "{read} texts were found");
    assert!(
        wrong.is_empty(),
        "build these with ngf_core::command::Command:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_command_written_as_text_is_found() {
    for (source, count) in [
        (r#"format!("kubectl -n {} get pods", namespace)"#, 1),
        (r#"format!("cmctl renew {name}")"#, 1),
        (r#"format!("get -o json | kubectl apply -f {file}")"#, 1),
        (
            r#"let a = '"'; format!("{first}\nkubectl get {second}")"#,
            1,
        ),
        (r##"format!(r#"ngf-tui fix "{code}" {object}"#)"##, 1),
        (r#""kubectl get pod ".to_owned() + name"#, 1),
        ("concat!(\"kubectl \\\n  get {}\")", 1),
        (r#"// format!("kubectl get {}")"#, 0),
        (r#""kubectl get pods""#, 0),
        (r#"format!("ngf-tui: {text}")"#, 0),
        (
            r#"format!("{text}; see why with kubectl describe, or {other}")"#,
            0,
        ),
        (r#"format!("`ngf-tui fix` lists {all}")"#, 0),
        (r#"fn a<'a>(b: &'a str) -> &'a str { "kubectl get {}" }"#, 1),
    ] {
        let found = literals(source);
        let raw = found.iter().filter(|(_, literal)| is_raw_command(literal));
        assert_eq!(raw.count(), count, "{source}: {found:?}");
    }
}
