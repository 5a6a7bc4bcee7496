//! What `ngf-tui check` prints: the tree with its health and the findings, as text or as JSON, and
//! the exit code. Decides nothing by itself.

pub mod certificates;
pub mod chain;
pub mod compare;
pub mod endpoint_matrix;
pub mod explain;
pub mod html;
pub mod json;
pub mod jsonpath;
pub mod junit;
mod lazy;
pub mod logs;
pub mod markdown;
mod notes;
pub mod openmetrics;
pub mod probe;
pub(crate) mod prose;
pub mod sarif;
mod shape;
pub mod source;
pub mod table;
pub mod text;
pub mod tls_scan;

pub use shape::{Format, ShapeError, shaped, write_shaped};

use ngf_core::command::program;
use ngf_core::diagnosis::{
    Coverage, Diagnosis, Finding, Hidden, Severity, Untested, Verdict,
    suppress::{Filtered, Suppressed},
    words::count,
};

/// From which severity on the exit code is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOn {
    /// A proven error.
    #[default]
    Error,
    /// A proven error or warning.
    Warning,
    /// A proven error or warning, anything unknown, and a path that was not tested.
    Unknown,
    /// Never: the check itself ran, and that is all that is asked.
    Never,
}

impl FailOn {
    /// 1 where a finding reaches the limit, else 0. (2 is for a check that could not be run, which
    /// the caller knows.) What is merely unknown does not fail a build.
    pub fn exit_code(self, diagnosis: &Diagnosis) -> u8 {
        let limit = match self {
            Self::Never => return 0,
            Self::Error => Severity::Error,
            Self::Warning | Self::Unknown => Severity::Warning,
        };
        if self == Self::Unknown {
            let is_unknown = |finding: &Finding| finding.verdict == Verdict::Unknown;
            if !diagnosis.coverage.untested.is_empty() || diagnosis.findings.iter().any(is_unknown)
            {
                return 1;
            }
        }
        let reached = diagnosis
            .findings
            .iter()
            .any(|finding| finding.verdict == Verdict::Fail && finding.severity <= limit);
        u8::from(reached)
    }

    /// Whether a check that was to test paths fails because some could not be tested: it is unknown
    /// whether they work.
    pub fn misses_tests(self, diagnosis: &Diagnosis) -> bool {
        self != Self::Never && !diagnosis.coverage.untested.is_empty()
    }
}

/// The command that tests a path, under the name by which this program was called.
pub fn command_of(untested: &Untested) -> Option<String> {
    let arguments = untested.arguments.as_ref()?;
    Some(clean(&format!("{} {arguments}", program())))
}

/// Untested paths that are named one by one.
const UNTESTED: usize = 3;

/// What was tested, and what was not, a line each: `1 path not tested: kubectl ngf check …`.
pub fn coverage_lines(coverage: &Coverage) -> Vec<String> {
    let mut lines = Vec::new();
    let paths = coverage.paths.len();
    if paths == 0 {
        return lines;
    }
    let (tested, endpoints) = (coverage.tested(), coverage.endpoints());
    if tested > 0 {
        lines.push(format!(
            "{tested} of {paths} paths tested, {} of {endpoints} endpoints",
            coverage.tested_endpoints(),
        ));
    }
    let untested = &coverage.untested;
    let mut reasons: Vec<(&str, Vec<&Untested>)> = Vec::new();
    for one in untested {
        match reasons.iter_mut().find(|(why, _)| *why == one.why) {
            Some((_, all)) => all.push(one),
            None => reasons.push((&one.why, vec![one])),
        }
    }
    for (why, all) in reasons {
        let named = all.iter().take(UNTESTED);
        let commands: Vec<String> = named.filter_map(|one| command_of(one)).collect();
        if commands.is_empty() {
            let paths = count(all.len(), "path");
            lines.push(clean(&format!("{paths} not tested ({why})")));
            continue;
        }
        let more = match all.len().saturating_sub(UNTESTED) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        lines.push(clean(&format!(
            "{} not tested: {}{more} ({why})",
            count(all.len(), "path"),
            commands.join(", "),
        )));
    }
    lines
}

/// What the user's rights hide, in a line.
pub fn hidden_line(hidden: &[Hidden]) -> Option<String> {
    if hidden.is_empty() {
        return None;
    }
    let phrases: Vec<&str> = hidden.iter().map(|one| one.phrase.as_str()).collect();
    Some(clean(&format!("Hidden by RBAC: {}", phrases.join("; "))))
}

/// Suppressed findings that are named one by one.
const SUPPRESSED: usize = 10;

/// What options and annotations left out, a line each: never hidden, and never in the way.
pub fn filtered_lines(filtered: &Filtered) -> Vec<String> {
    let mut lines = Vec::new();
    let all = &filtered.suppressed;
    for Suppressed { finding, by } in all.iter().take(SUPPRESSED) {
        let about = finding.input.as_ref();
        let about = about.map_or_else(|| finding.subject.to_string(), Clone::clone);
        let mut why = match by.reason.as_str() {
            "" => by.place.clone(),
            reason => format!("{reason}; {}", by.place),
        };
        if let Some(until) = by.until {
            why = format!("until {until}: {why}");
        }
        lines.push(format!("Suppressed: {} of {about} ({why})", finding.code));
    }
    if all.len() > SUPPRESSED {
        let more = count(all.len() - SUPPRESSED, "finding");
        lines.push(format!("Suppressed: {more} more"));
    }
    for by in &filtered.expired {
        let until = by.until.map_or_else(String::new, |until| until.to_string());
        lines.push(format!(
            "Suppression expired on {until}: {} ({}; {})",
            by.what(),
            by.reason,
            by.place
        ));
    }
    for by in &filtered.unused {
        let (what, place) = (by.what(), &by.place);
        lines.push(format!("Suppression meets no finding: {what} ({place})"));
    }
    lines.extend(filtered.unreadable.iter().cloned());
    if filtered.left_out > 0 {
        let findings = count(filtered.left_out, "finding");
        lines.push(format!("{findings} with other codes not shown (--only)"));
    }
    lines.iter().map(|line| clean(line)).collect()
}

/// Text from outside made safe for a terminal, on one line. What comes from the cluster was cleaned
/// when it was decoded, and what comes from a peer when it was recorded; this is the last gate.
pub fn clean(text: &str) -> String {
    ngf_core::model::clean::clean_line(text)
}

/// The same, line by line.
fn clean_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(clean).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(
            clean("a\u{1b}[31mb\u{9b}c\u{7f}"),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}"
        );
        assert_eq!(clean("evil\u{202e}txt"), "evil\u{fffd}txt");
        assert_eq!(clean("two\nlines"), "two lines");
        assert_eq!(clean("Zürich ✓"), "Zürich ✓");
    }
}
