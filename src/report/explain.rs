//! What a rule is about, as text: `explain`, and `docs/codes.md`. Everything comes from the registry.

use std::fmt::Write as _;

use super::{clean, text::wrap};
use ngf_core::{
    command::Command,
    diagnosis::{
        line::codes,
        registry::{FAMILIES, Rule, family, rule},
    },
    logs::{Decoded, Writer},
};

/// One rule, in full.
pub fn one(rule: &Rule, width: usize) -> String {
    let mut out = String::new();
    let mut paragraph = |lead: &str, text: &str| {
        let indent = lead.len();
        let lines = wrap(text, width, indent, indent);
        for (index, line) in lines.iter().enumerate() {
            let lead = if index == 0 { lead } else { "" };
            let _ = writeln!(out, "{lead:indent$}{}", line.trim_start());
        }
    };
    paragraph("", &format!("{} ({})", rule.code, rule.severity));
    paragraph("", rule.title);
    paragraph("", "");
    paragraph("", rule.explanation);
    paragraph("", "");
    paragraph("What to do:  ", rule.remedy);
    let named = |rule: &Rule| format!("{} {}", rule.code, rule.title);
    for (index, cause) in rule.caused_by().enumerate() {
        let lead = if index == 0 {
            "Caused by:   "
        } else {
            "             "
        };
        paragraph(lead, &named(cause));
    }
    let effects = rule
        .causes
        .iter()
        .filter_map(|code| ngf_core::diagnosis::registry::rule(code));
    for (index, effect) in effects.enumerate() {
        let lead = if index == 0 {
            "Causes:      "
        } else {
            "             "
        };
        paragraph(lead, &named(effect));
    }
    out
}

/// A line of a log: what it means, and the rules that rest on such lines.
pub fn line(decoded: &Decoded, width: usize) -> String {
    let mut out = String::new();
    let mut paragraph = |lead: &str, text: &str| {
        let indent = lead.len();
        let lines = wrap(&clean(text), width, indent, indent);
        for (index, line) in lines.iter().enumerate() {
            let lead = if index == 0 { lead } else { "" };
            let _ = writeln!(out, "{lead:indent$}{}", line.trim_start());
        }
    };
    let who = match decoded.writer {
        Writer::Nginx if decoded.is_of_backend() => "nginx, of its client",
        Writer::Nginx => "nginx",
        Writer::Access => "the access log of an nginx backend",
        Writer::Agent => "NGF's agent in the data plane",
        Writer::Controller => "NGF's control plane",
    };
    paragraph("Means:      ", &capital(&decoded.means()));
    paragraph("Written by: ", &format!("{who}, level {}", decoded.level));
    if let Some(upstream) = &decoded.request.upstream {
        paragraph("Endpoint:   ", &upstream.to_string());
    }
    if let Some(host) = &decoded.request.host {
        paragraph("Host:       ", host);
    }
    if let Some(step) = decoded.step() {
        paragraph("Step:       ", step);
    }
    let codes = codes(decoded);
    for (index, rule) in codes.iter().filter_map(|code| rule(code)).enumerate() {
        let lead = if index == 0 {
            "Code:       "
        } else {
            "or:         "
        };
        paragraph(lead, &format!("{} {}", rule.code, rule.title));
        paragraph("            ", rule.remedy);
    }
    let explain = codes
        .first()
        .map(|code| Command::new("ngf-tui").words(["explain", *code]).text());
    if let Some(Ok(explain)) = explain {
        paragraph("", "");
        paragraph("", &format!("{explain} tells more about it."));
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// All rules, a line each where they fit, by family.
pub fn all(width: usize) -> String {
    let mut out = String::new();
    for (letter, about) in FAMILIES {
        let _ = writeln!(out, "{letter}  {about}");
        for rule in family(*letter) {
            let lead = format!("  {:<8} {:<8} ", rule.code, rule.severity.to_string());
            let hanging = lead.len();
            for (index, line) in wrap(rule.title, width, hanging, hanging).iter().enumerate() {
                let lead = if index == 0 { lead.as_str() } else { "" };
                let _ = writeln!(out, "{lead:hanging$}{}", line.trim_start());
            }
        }
    }
    out
}

/// All rules as Markdown, for `docs/codes.md`.
pub fn markdown() -> String {
    let mut out = String::new();
    for (letter, about) in FAMILIES {
        let _ = write!(
            out,
            "\n## {letter}: {about}\n\n| code | severity | what is wrong | what is behind it | what to do | causes |\n|---|---|---|---|---|---|\n"
        );
        for rule in family(*letter) {
            let causes: Vec<&str> = rule
                .causes
                .iter()
                .map(|code| code.trim_start_matches("NGF-"))
                .collect();
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                rule.code,
                rule.severity,
                cell(rule.title),
                cell(rule.explanation),
                cell(rule.remedy),
                causes.join(" ")
            );
        }
    }
    out
}

/// What stands in a cell of a table must not end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
