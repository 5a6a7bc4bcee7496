//! The page of `check`: problems by cause, certificates by expiry, both directions of each path, the tree.

use std::fmt::Write;

use jiff::Timestamp;
use ngf_core::{
    diagnosis::{
        Diagnosis, Finding, Health, Severity, Verdict, chain::Trust, timeline::Timeline, words,
    },
    model::topology::NodeIx,
};

use super::{END, head, lines, list, page, section, table, text};
use crate::report::{
    compare::Comparison, coverage_lines, explain::url, filtered_lines, hidden_line,
};

/// Findings that are shown in full.
const MOST: usize = 300;

/// The page of a diagnosis; `unread` says why objects could not be read.
pub fn check(
    diagnosis: &Diagnosis,
    timeline: &Timeline,
    unread: &[String],
    at: Timestamp,
) -> String {
    let mut out = String::new();
    write_check(&mut out, diagnosis, timeline, unread, at);
    out
}

/// The same, written as it is made. Errors are those of `out`, which tells them itself.
pub fn write_check(
    out: &mut dyn Write,
    diagnosis: &Diagnosis,
    timeline: &Timeline,
    unread: &[String],
    at: Timestamp,
) {
    let _ = out.write_str(&head("ngf-tui check", at));
    let mut summary = vec![totals(&diagnosis.findings)];
    summary.extend(unread.iter().map(|why| format!("Could not be read: {why}")));
    summary.extend(coverage_lines(&diagnosis.coverage));
    summary.extend(hidden_line(&diagnosis.hidden));
    summary.extend(filtered_lines(&diagnosis.filtered));
    section(out, "Summary", &list(&summary));
    let problems = match cards(&diagnosis.findings) {
        none if none.is_empty() && unread.is_empty() => {
            "<p class=\"card ok\">No problems found.</p>\n".to_owned()
        }
        cards => cards,
    };
    section(out, "Problems", &problems);
    section(out, "Chains", &chains(timeline));
    section(out, "Certificates", &certificates(timeline));
    if !diagnosis.topology.roots().is_empty() {
        let _ = writeln!(out, "<section>\n<h2>Gateways and routes</h2>");
        let roots = diagnosis.topology.roots();
        nodes(out, diagnosis, roots, " class=\"tree\"");
        let _ = writeln!(out, "</section>");
    }
    let _ = out.write_str(END);
}

/// The page of a comparison.
pub fn comparison(comparison: &Comparison, at: Timestamp) -> String {
    let mut body = String::new();
    let mut summary = vec![totals(&comparison.new)];
    summary.extend(filtered_lines(&comparison.filtered));
    section(&mut body, "Summary", &list(&summary));
    section(&mut body, "New", &cards(&comparison.new));
    section(&mut body, "Fixed", &cards(&comparison.gone));
    section(&mut body, "As before", &cards(&comparison.same));
    page("ngf-tui check --over", at, &body)
}

fn totals(findings: &[Finding]) -> String {
    let proven = |severity: Severity| {
        let of = findings.iter();
        of.filter(|finding| finding.severity == severity && finding.verdict == Verdict::Fail)
            .count()
    };
    let unknown = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Unknown)
        .count();
    format!(
        "{}, {}, {unknown} unknown",
        words::count(proven(Severity::Error), "error"),
        words::count(proven(Severity::Warning), "warning"),
    )
}

/// The class and the sign of a finding.
fn class(finding: &Finding) -> (&'static str, &'static str) {
    match (finding.verdict, finding.severity) {
        (Verdict::Unknown, _) => ("unknown", "?"),
        (Verdict::Fail, Severity::Error) => ("error", "✗"),
        (Verdict::Fail, Severity::Warning) => ("warning", "!"),
        (Verdict::Fail, Severity::Info) => ("info", "i"),
    }
}

/// Each cause, with what it causes inside.
fn cards(findings: &[Finding]) -> String {
    let mut out = String::new();
    for (index, finding) in findings.iter().enumerate().take(MOST) {
        if finding.caused_by.is_none() {
            card(&mut out, findings, index, finding, 0);
        }
    }
    if findings.len() > MOST {
        let more = words::count(findings.len() - MOST, "finding");
        let _ = writeln!(out, "<p class=\"muted\">{more} more</p>");
    }
    out
}

fn card(out: &mut String, all: &[Finding], index: usize, finding: &Finding, depth: usize) {
    let (class, sign) = class(finding);
    let so = if depth > 0 { "so: " } else { "" };
    let _ = writeln!(
        out,
        "<div class=\"card {class}\">\n<h3><span class=\"sign {class}\">{sign}</span> <a href=\"{}\">{}</a> {so}{}</h3>",
        text(&url(finding.code)),
        text(finding.code.as_str()),
        text(&finding.title)
    );
    for line in &finding.detail {
        let _ = writeln!(out, "<p>{}</p>", text(line));
    }
    if !finding.evidence.is_empty() {
        let rows = finding.evidence.iter();
        out.push_str(&table(
            ["Evidence", "Value", "Where"],
            rows.map(|line| [text(&line.what), text(&line.value), text(&line.place)]),
        ));
    }
    out.push_str(&list(&finding.effects));
    if let Some(remedy) = &finding.remedy {
        let _ = writeln!(
            out,
            "<p><strong>Fix:</strong> {}</p>",
            text(&remedy.summary)
        );
        for how in remedy.command.iter().chain(&remedy.yaml) {
            let _ = writeln!(out, "<pre>{}</pre>", lines(how));
        }
    }
    if depth < 8 {
        for (effect, caused) in all.iter().enumerate() {
            if caused.caused_by == Some(index) {
                card(out, all, effect, caused, depth + 1);
            }
        }
    }
    out.push_str("</div>\n");
}

/// Both directions of each path.
fn chains(timeline: &Timeline) -> String {
    let mut out = String::new();
    for path in &timeline.paths {
        let _ = writeln!(out, "<h3>{}</h3>\n<ul class=\"tree\">", text(&path.title));
        for (heading, trust, conclusion) in &path.directions {
            let (class, sign) = match trust {
                Trust::Verified => ("ok", "✓"),
                Trust::Broken(_) => ("error", "✗"),
                Trust::Unknown(_) => ("unknown", "?"),
            };
            let _ = writeln!(
                out,
                "<li><span class=\"sign {class}\">{sign}</span> {}: {}</li>",
                text(heading),
                text(conclusion)
            );
        }
        out.push_str("</ul>\n");
    }
    out
}

/// What expires first.
fn certificates(timeline: &Timeline) -> String {
    if timeline.entries.is_empty() {
        return String::new();
    }
    let at = timeline.at.as_second();
    let rows = timeline.entries.iter().map(|entry| {
        let facts = &entry.facts;
        let expires = if facts.not_after < at {
            "expired".to_owned()
        } else {
            format!("in {}", words::span(facts.not_after - at))
        };
        let mut users: Vec<&str> = entry.uses.iter().map(|used| used.of.as_str()).collect();
        users.dedup();
        [
            text(&expires),
            text(&words::moment(facts.not_after)),
            text(&facts.subject),
            text(&facts.issuer),
            text(&users.join(", ")),
        ]
    });
    table(
        ["Expires", "Not after", "Subject", "Issuer", "Used by"],
        rows,
    )
}

fn nodes(out: &mut dyn Write, diagnosis: &Diagnosis, places: &[NodeIx], class: &str) {
    if places.is_empty() {
        return;
    }
    let _ = writeln!(out, "<ul{class}>");
    for place in places {
        let node = diagnosis.topology.node(*place);
        let (health, sign) = match diagnosis.health(*place) {
            Health::NotOurs => ("none", "·"),
            Health::Ok => ("ok", "✓"),
            Health::Unknown => ("unknown", "?"),
            Health::Warning => ("warning", "!"),
            Health::Broken => ("error", "✗"),
        };
        let what = match (node.what.word(), &node.object) {
            ("group" | "endpoint" | "rule", _) => String::new(),
            ("route", Some(object)) => format!("{} ", object.kind.name()),
            (word, _) => format!("{word} "),
        };
        let remark = node.note.as_ref().map_or_else(String::new, |note| {
            format!(" <span class=\"muted\">{}</span>", text(note))
        });
        let _ = write!(
            out,
            "<li><span class=\"sign {health}\">{sign}</span> {}{}{remark}",
            text(&what),
            text(&node.name)
        );
        nodes(out, diagnosis, &node.children, "");
        let _ = writeln!(out, "</li>");
    }
    let _ = writeln!(out, "</ul>");
}
