//! What `ngf-tui check` prints: the tree with its health and the findings, as text or as JSON, and
//! the exit code. Decides nothing by itself.

pub mod chain;
pub mod compare;
pub mod explain;
pub mod grid;
pub mod json;
pub mod junit;
pub mod logs;
pub mod markdown;
pub mod matrix;
mod notes;
pub mod probe;
pub mod text;

use crate::diagnosis::{Diagnosis, Severity, Verdict};

/// From which severity on the exit code is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOn {
    /// A proven error.
    #[default]
    Error,
    /// A proven error or warning.
    Warning,
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
            Self::Warning => Severity::Warning,
        };
        let reached = diagnosis
            .findings
            .iter()
            .any(|finding| finding.verdict == Verdict::Fail && finding.severity <= limit);
        u8::from(reached)
    }
}

/// Text from outside made safe for a terminal, on one line. What comes from the cluster was cleaned
/// when it was decoded, and what comes from a peer when it was recorded; this is the last gate.
pub fn clean(text: &str) -> String {
    crate::model::clean::clean_line(text)
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
