//! A page for each code, written from the registry and from `docs/codes/by-hand.txt`.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use ngf_core::{
    diagnosis::{
        Code,
        line::codes,
        registry::{FAMILIES, RULES, Rule, family, rule},
    },
    logs,
};
use ngf_tui::report::explain;

use super::by_hand::{self, ByHand, Step, Symptom};

const WRITTEN: &str = "<!-- written by UPDATE_DOCS=1 cargo test --test library docs from the registry of rules and by-hand.txt -->\n";

fn named(rule: &Rule) -> String {
    format!("[{}]({}.md): {}", rule.code, rule.code, rule.title)
}

/// Prose of the registry as Markdown: outside of code, `<` and a `*` that begins no emphasis are only themselves.
fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next();
        let before = text[..at].chars().next_back();
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        // `*name*` is emphasis; `*.` and `ssl_*` are not.
        let is_emphasis = is_word(next) != is_word(before);
        match c {
            '`' => in_code = !in_code,
            '<' if !in_code => out.push('\\'),
            '*' if !in_code && !is_emphasis => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

/// The page about a rule.
fn page(rule: &Rule, by_hand: &ByHand) -> String {
    let mut out = format!("{WRITTEN}\n# {}: {}\n\n", rule.code, rule.title);
    let _ = writeln!(
        out,
        "Severity: {}. `ngf-tui explain {}` prints the cause and the fix in a terminal.\n",
        rule.severity,
        rule.bare_code()
    );
    let _ = writeln!(out, "## Symptoms\n");
    for symptom in &by_hand.symptoms {
        let _ = writeln!(out, "- {}", symptom.markdown());
    }
    let _ = writeln!(out, "\n## Cause\n\n{}\n", prose(rule.explanation));
    let _ = writeln!(out, "## Confirm by hand\n");
    let _ = writeln!(
        out,
        "The names are those of [the guide](../guide.md); use your own.{}\n",
        if needs_setup(by_hand) {
            " The port-forward and the files come from [A handshake by hand](../by-hand.md)."
        } else {
            ""
        }
    );
    let mut open = false;
    for step in &by_hand.steps {
        match step {
            Step::Command(command) => {
                if !open {
                    out.push_str("```console\n");
                    open = true;
                }
                let _ = writeln!(out, "$ {command}");
            }
            Step::Note(note) => {
                if open {
                    out.push_str("```\n\n");
                    open = false;
                }
                let _ = writeln!(out, "{note}\n");
            }
        }
    }
    if open {
        out.push_str("```\n\n");
    }
    let _ = writeln!(out, "## Fix\n\n{}", prose(rule.remedy));
    let effects: Vec<&Rule> = rule
        .causes
        .iter()
        .filter_map(|code| self::rule(code))
        .collect();
    for (heading, rules) in [
        ("Caused by", rule.caused_by().collect::<Vec<_>>()),
        ("Causes", effects),
    ] {
        if !rules.is_empty() {
            let _ = writeln!(out, "\n## {heading}\n");
            for rule in rules {
                let _ = writeln!(out, "- {}", named(rule));
            }
        }
    }
    out
}

fn needs_setup(by_hand: &ByHand) -> bool {
    by_hand.steps.iter().any(|step| match step {
        Step::Command(command) => {
            command.contains("18443") || command.contains(" tls.crt") || command.contains(" ca.crt")
        }
        Step::Note(_) => false,
    })
}

/// The list of all pages.
fn index() -> String {
    let mut out = format!(
        "{WRITTEN}
# Codes

Each finding has a code, and each code a page: symptoms, cause, how to confirm it by hand, how to fix it. Codes are stable.
A finding is certain where the evidence shows it, and *unknown* where evidence is missing; its severity may be milder than its rule's.
`ngf-tui explain CODE` prints the cause and the fix, `ngf-tui explain WORD` lists the codes that mention a word.
"
    );
    for (letter, about) in FAMILIES {
        let _ = write!(
            out,
            "\n## {letter}: {about}\n\n| code | severity | what is wrong |\n|---|---|---|\n"
        );
        for rule in family(*letter) {
            let title = rule.title.replace('|', "\\|");
            let _ = writeln!(
                out,
                "| [{0}]({0}.md) | {1} | {title} |",
                rule.code, rule.severity
            );
        }
    }
    out
}

/// Fails where a page is out of date, and writes all of them with `UPDATE_DOCS=1`.
#[test]
fn the_pages_about_codes_are_the_registry_of_rules() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/codes");
    let all = by_hand::read();
    let mut wanted = vec![("index.md".to_owned(), index())];
    for rule in RULES {
        let by_hand = all.get(rule.code.as_str()).unwrap_or_else(|| {
            panic!(
                "{}: docs/codes/by-hand.txt lacks its symptoms and commands",
                rule.code
            )
        });
        wanted.push((format!("{}.md", rule.code), page(rule, by_hand)));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        for (name, text) in &wanted {
            fs::write(folder.join(name), text).expect("written");
        }
    }
    for (name, text) in &wanted {
        let found = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            found == *text,
            "docs/codes/{name} is out of date: run UPDATE_DOCS=1 cargo test --test library docs"
        );
    }
    let names: BTreeSet<&String> = wanted.iter().map(|(name, _)| name).collect();
    for entry in fs::read_dir(&folder).expect("the folder") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy().into_owned();
        assert!(
            name == "by-hand.txt" || names.contains(&name),
            "docs/codes/{name} is about no rule: remove it"
        );
    }
}

#[test]
fn each_code_has_symptoms_and_commands_and_nothing_else_has() {
    let all = by_hand::read();
    for (code, by_hand) in &all {
        assert!(rule(code).is_some(), "{code} is no rule");
        assert!(!by_hand.symptoms.is_empty(), "{code} has no symptoms");
        let commands = by_hand
            .steps
            .iter()
            .filter(|step| matches!(step, Step::Command(_)));
        assert!(commands.count() > 0, "{code} has no command");
    }
}

/// A log line on a page is one that this program reads as that code, or as one of those that it causes or is caused by.
#[test]
fn log_lines_on_a_page_mean_its_code() {
    let mut lines = 0;
    let mut strange = Vec::new();
    for (code, by_hand) in &by_hand::read() {
        for symptom in &by_hand.symptoms {
            let Some(line) = symptom.line() else { continue };
            lines += 1;
            let Some(decoded) = logs::decode(&line) else {
                strange.push(format!("{code}: not a known line: {line}"));
                continue;
            };
            let means = codes(&decoded);
            let near: BTreeSet<&str> = match symptom {
                Symptom::LogLike { code, .. } => BTreeSet::from([code.as_str()]),
                _ => {
                    let rule = rule(code).expect("a rule");
                    let caused_by = rule.caused_by().map(|cause| cause.code);
                    rule.causes
                        .iter()
                        .copied()
                        .chain(caused_by)
                        .chain([rule.code])
                        .map(Code::as_str)
                        .collect()
                }
            };
            if !means.iter().any(|code| near.contains(code.as_str())) {
                strange.push(format!("{code}: {line} means {means:?}"));
            }
        }
    }
    assert!(strange.is_empty(), "{}", strange.join("\n"));
    assert!(lines > 40, "{lines} lines");
}

#[test]
fn the_address_of_a_code_is_its_page_in_the_repository() {
    let repository = env!("CARGO_PKG_REPOSITORY");
    for rule in RULES {
        let address = explain::url(rule.code);
        let path = address
            .strip_prefix(&format!("{repository}/blob/main/"))
            .unwrap_or_else(|| panic!("{address}"));
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(path).is_file(),
            "{path}"
        );
    }
}
