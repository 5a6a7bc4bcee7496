//! What a rule is about, as text, and the address of its page. Everything comes from the registry.

use std::fmt::Write as _;

use super::{clean, text::wrap};
use ngf_core::{
    command::Command,
    diagnosis::{
        Code,
        lexicon::Entry,
        line::codes,
        registry::{FAMILIES, Rule, family},
    },
    logs::{Answered, Decoded, Writer},
};

/// The folder of the pages about codes: in the repository that `Cargo.toml` names.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/codes/");

/// The address of the page about a code.
pub fn url(code: Code) -> String {
    format!("{PAGES}{code}.md")
}

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
    let effects = rule.causes.iter().map(|code| code.rule());
    for (index, effect) in effects.enumerate() {
        let lead = if index == 0 {
            "Causes:      "
        } else {
            "             "
        };
        paragraph(lead, &named(effect));
    }
    // An address stands on a line of its own: what is wrapped cannot be opened.
    let _ = writeln!(out, "\n{}", url(rule.code));
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
    told(&codes(decoded), paragraph);
    out
}

/// Words of conditions or messages: what each means, and the rules about it.
pub fn entries(entries: &[&Entry], width: usize) -> String {
    let mut out = String::new();
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let mut paragraph = |lead: &str, text: &str| {
            let indent = lead.len();
            let lines = wrap(text, width, indent, indent);
            for (index, line) in lines.iter().enumerate() {
                let lead = if index == 0 { lead } else { "" };
                let _ = writeln!(out, "{lead:indent$}{}", line.trim_start());
            }
        };
        paragraph("Words:      ", entry.words);
        paragraph("Where:      ", entry.place);
        paragraph("Means:      ", entry.means);
        told(entry.codes, paragraph);
    }
    out
}

/// The codes that a line can mean, the likeliest first.
fn told(codes: &[Code], mut paragraph: impl FnMut(&str, &str)) {
    for (index, rule) in codes.iter().map(|code| code.rule()).enumerate() {
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
        .map(|code| Command::own().words(["explain", code.as_str()]).text());
    if let Some(Ok(explain)) = explain {
        paragraph("", "");
        paragraph("", &format!("{explain} tells more about it."));
    }
}

/// A line of an access log: what the client got, and the rules about such answers. Why is in the error log.
pub fn answered(answered: &Answered, width: usize) -> String {
    let mut out = String::new();
    let mut paragraph = |lead: &str, text: &str| {
        let indent = lead.len();
        let lines = wrap(&clean(text), width, indent, indent);
        for (index, line) in lines.iter().enumerate() {
            let lead = if index == 0 { lead } else { "" };
            let _ = writeln!(out, "{lead:indent$}{}", line.trim_start());
        }
    };
    let Answered { request, status } = answered;
    let is_hello = request.starts_with("\\x16\\x03");
    let (means, codes): (String, &[Code]) = match status {
        400 if is_hello => (
            "A client spoke TLS to a port that speaks plain HTTP".to_owned(),
            &[],
        ),
        444 => (
            format!("nginx closed the connection without an answer to {request}"),
            &[Code::L4],
        ),
        495 | 496 => (
            format!("A client sent no good certificate with {request}"),
            &[Code::L4],
        ),
        497 => (
            format!("A client sent {request} in plain text to a port that speaks TLS"),
            &[],
        ),
        status => (
            format!("A client got {status} for {request}"),
            match status {
                400 => &[Code::B1, Code::B2, Code::B9],
                421 => &[Code::B8],
                500 => &[Code::P15, Code::R3],
                503 => &[Code::N3],
                504 => &[Code::T14, Code::T22],
                _ => &[],
            },
        ),
    };
    paragraph("Means:      ", &means);
    paragraph("Written by: ", "the access log of nginx");
    if *status >= 400 {
        paragraph(
            "Why:        ",
            "The access log does not say. The error log of the same moment does; explain takes its lines, too.",
        );
    }
    told(codes, paragraph);
    out
}

/// As a sentence begins; nginx is written so there, too.
fn capital(text: &str) -> String {
    if text.starts_with("nginx") {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// All rules, a line each where they fit, by family.
pub fn all(width: usize) -> String {
    listed(width, |_| true)
}

/// The rules that mention this, whatever the case; `None` where no rule does.
pub fn matching(text: &str, width: usize) -> Option<String> {
    let wanted = text.trim().to_lowercase();
    let holds = |rule: &Rule| {
        let text = [rule.title, rule.explanation, rule.remedy].join("\n");
        text.to_lowercase().contains(&wanted)
    };
    let found = listed(width, holds);
    (!wanted.is_empty() && !found.is_empty()).then_some(found)
}

fn listed(width: usize, wanted: impl Fn(&Rule) -> bool) -> String {
    let mut out = String::new();
    for (letter, about) in FAMILIES {
        let mut rules = family(*letter);
        rules.retain(|rule| wanted(rule));
        if rules.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{letter}  {about}");
        for rule in rules {
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
