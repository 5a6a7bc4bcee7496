//! `check -o markdown`: for a comment on a pull request.

use std::fmt::Write as _;

use self::inline::Names;
use super::{clean, compare::Comparison};
use ngf_core::{
    diagnosis::{Coverage, Diagnosis, Finding, Severity, Verdict, words::count},
    overlay::Laid,
};

mod inline;

/// Findings that are told in full; the rest are rows of the table.
const IN_FULL: usize = 30;

/// The report.
pub fn render(diagnosis: &Diagnosis) -> String {
    render_as_read(diagnosis, &[])
}

/// The same, where `unread` says why objects could not be read.
pub fn render_as_read(diagnosis: &Diagnosis, unread: &[String]) -> String {
    let findings: Vec<&Finding> = diagnosis.findings.iter().collect();
    let errors = diagnosis.count(Severity::Error);
    let mut out = format!(
        "### ngf-tui check: {}\n\n",
        if !unread.is_empty() {
            "❌ what it needs could not be read".to_owned()
        } else if findings.is_empty() {
            all_well(&diagnosis.coverage)
        } else {
            format!(
                "{}, {}",
                count(errors, "error"),
                count(diagnosis.count(Severity::Warning), "warning")
            )
        }
    );
    for line in unread {
        let _ = writeln!(
            out,
            "- could not be read: {}",
            inline::text(line, &Names::none())
        );
    }
    for line in super::coverage_lines(&diagnosis.coverage) {
        let _ = writeln!(out, "- {}", inline::text(&line, &Names::none()));
    }
    let hidden = super::hidden_line(&diagnosis.hidden);
    if let Some(line) = &hidden {
        let _ = writeln!(out, "- {}", inline::text(line, &Names::none()));
    }
    let filtered = super::filtered_lines(&diagnosis.filtered);
    for line in &filtered {
        let _ = writeln!(out, "- {}", inline::text(line, &Names::none()));
    }
    if !unread.is_empty()
        || hidden.is_some()
        || !filtered.is_empty()
        || !diagnosis.coverage.paths.is_empty()
    {
        out.push('\n');
    }
    section(&mut out, &findings);
    out
}

/// What to say where nothing was found.
fn all_well(coverage: &Coverage) -> String {
    match (coverage.tested(), coverage.untested.len()) {
        (0, 0) => "no problems found".to_owned(),
        (0, untested) => format!("no problems found, {} not tested", count(untested, "path")),
        (tested, 0) => format!("no problems found in {}", count(tested, "tested path")),
        (tested, untested) => format!(
            "no problems found in {}, {} not tested",
            count(tested, "tested path"),
            count(untested, "path")
        ),
    }
}

/// The report of a comparison.
pub fn comparison(comparison: &Comparison) -> String {
    let count_of = |severity: Severity| {
        let new = comparison.new.iter();
        new.filter(|finding| finding.verdict == Verdict::Fail && finding.severity == severity)
            .count()
    };
    let verdict = match (count_of(Severity::Error), count_of(Severity::Warning)) {
        (0, 0) if comparison.is_unsure() => {
            "❔ no new problems found; some could not be determined".to_owned()
        }
        (0, 0) => "✅ this change breaks nothing".to_owned(),
        (0, warnings) => format!("⚠️ this change brings {}", count(warnings, "warning")),
        (errors, 0) => format!("❌ this change brings {}", count(errors, "error")),
        (errors, warnings) => format!(
            "❌ this change brings {} and {}",
            count(errors, "error"),
            count(warnings, "warning")
        ),
    };
    let mut out = format!(
        "### ngf-tui check --over: {verdict}\n\n{} new, {} changed, {} as before",
        count(comparison.count(Laid::New), "object"),
        comparison.count(Laid::Changed),
        comparison.count(Laid::Same)
    );
    match comparison.refused().count() {
        0 => {}
        refused => {
            let _ = write!(out, ", {refused} refused");
        }
    }
    out.push_str("\n\n");
    let filtered = super::filtered_lines(&comparison.filtered);
    for line in &filtered {
        let _ = writeln!(out, "- {}", inline::text(line, &Names::none()));
    }
    if !filtered.is_empty() {
        out.push('\n');
    }
    for (title, findings) in [
        ("New", &comparison.new),
        ("Fixed", &comparison.gone),
        ("As before", &comparison.same),
    ] {
        if findings.is_empty() {
            continue;
        }
        let findings: Vec<&Finding> = findings.iter().collect();
        let _ = writeln!(out, "#### {title} ({})\n", findings.len());
        match title {
            "New" => section(&mut out, &findings),
            "Fixed" => rows(&mut out, &findings, |_| "✅"),
            _ => table(&mut out, &findings),
        }
    }
    out
}

fn section(out: &mut String, findings: &[&Finding]) {
    if findings.is_empty() {
        return;
    }
    table(out, findings);
    for finding in findings.iter().take(IN_FULL) {
        details(out, finding);
    }
    if let Some(more) = findings.len().checked_sub(IN_FULL).filter(|more| *more > 0) {
        let _ = writeln!(out, "{more} more are in the table only.\n");
    }
}

fn table(out: &mut String, findings: &[&Finding]) {
    rows(out, findings, mark);
}

fn rows(out: &mut String, findings: &[&Finding], mark: fn(&Finding) -> &'static str) {
    out.push_str("| | Code | Where | What |\n|---|---|---|---|\n");
    for finding in findings {
        let names = Names::of(finding);
        let place = match &finding.input {
            Some(input) => inline::code_in_cell(input),
            None => format!(
                "{} {}",
                finding.subject.kind,
                inline::code_in_cell(&finding.subject.path())
            ),
        };
        let _ = writeln!(
            out,
            "| {} | {} | {place} | {} |",
            mark(finding),
            finding.code,
            inline::cell(&finding.title, &names)
        );
    }
    out.push('\n');
}

fn details(out: &mut String, finding: &Finding) {
    let names = Names::of(finding);
    let text = |raw: &str| inline::text(raw, &names);
    // A line of HTML: Markdown has no meaning here, neither markup nor escapes.
    let _ = writeln!(
        out,
        "<details><summary>{} {}</summary>\n",
        finding.code,
        inline::html(&finding.title, &names)
    );
    for line in &finding.detail {
        let _ = writeln!(out, "{}\n", inline::text(line, &Names::none()));
    }
    for line in &finding.evidence {
        let _ = writeln!(
            out,
            "- {}: {} ({})",
            text(&line.what),
            inline::code(&line.value),
            text(&line.place)
        );
    }
    for line in &finding.effects {
        let _ = writeln!(out, "- so: {}", inline::text(line, &Names::none()));
    }
    if let Some(remedy) = &finding.remedy {
        let _ = writeln!(out, "\n**Fix:** {}\n", text(&remedy.summary));
        let how: Vec<String> = remedy
            .command
            .iter()
            .chain(&remedy.yaml)
            .flat_map(|text| text.lines())
            .map(clean)
            .collect();
        if !how.is_empty() {
            let fence = fence(&how);
            let _ = writeln!(out, "{fence}\n{}\n{fence}\n", how.join("\n"));
        }
    }
    out.push_str("</details>\n\n");
}

/// A fence that no line of these ends.
fn fence(lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line)).max();
    "`".repeat(longest.unwrap_or_default().max(2) + 1)
}

/// How many backticks stand side by side.
fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or_default()
}

fn mark(finding: &Finding) -> &'static str {
    match (finding.verdict, finding.severity) {
        (Verdict::Unknown, _) => "❔",
        (_, Severity::Error) => "❌",
        (_, Severity::Warning) => "⚠️",
        (_, Severity::Info) => "ℹ️",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_ends_its_fence() {
        assert_eq!(fence(&["a ``` b".to_owned()]), "````");
        assert_eq!(fence(&["a".to_owned()]), "```");
    }
}
