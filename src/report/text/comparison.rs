//! The comparison of the files with the cluster, in words.

use std::fmt::Write as _;

use crate::report::{compare::Comparison, source::Sources};
use ngf_core::{
    diagnosis::{Severity, Verdict, words::count},
    overlay::Laid,
};

use super::{BOLD, GREEN, MAGENTA, Printer, RED, Style, WALL, YELLOW, causes};

/// The report of a comparison as text: what is new in full, the rest by title, and at the end what it
/// comes to.
pub fn comparison(comparison: &Comparison, style: Style, sources: &Sources) -> String {
    let is_wall = causes(&comparison.new).count() >= WALL;
    let mut printer = Printer::new(style, is_wall, sources);
    let mut head = format!(
        "Laid over the cluster: {} new, {} changed, {} as before",
        count(comparison.count(Laid::New), "object"),
        comparison.count(Laid::Changed),
        comparison.count(Laid::Same)
    );
    match comparison.refused().count() {
        0 => {}
        refused => {
            let _ = write!(head, ", {refused} refused");
        }
    }
    printer.wrapped("", 0, 2, &format!("{head}."));
    if !comparison.new.is_empty() {
        let _ = writeln!(
            printer.out,
            "\nThis change brings {}:\n",
            count(comparison.new.len(), "finding")
        );
        if is_wall {
            printer.overview(&comparison.new);
        }
        printer.findings(&comparison.new);
    }
    printer.headed("It fixes", &comparison.gone, true);
    printer.headed("It leaves as before", &comparison.same, false);
    printer.out.push('\n');
    for line in crate::report::filtered_lines(&comparison.filtered) {
        printer.wrapped("", 0, 2, &line);
    }
    printer.comes_to(comparison);
    printer.pages(&comparison.new);
    printer.out
}

/// What a change comes to: a mark, its colour, and a sentence.
pub(super) fn verdict(comparison: &Comparison) -> (&'static str, u8, String) {
    let [errors, warnings] = [Severity::Error, Severity::Warning].map(|severity| {
        let new = comparison.new.iter();
        new.filter(|finding| finding.severity == severity && finding.verdict == Verdict::Fail)
            .count()
    });
    let fixed = match comparison.gone.len() {
        0 => String::new(),
        gone => format!(" It fixes {}.", count(gone, "finding")),
    };
    let unsure = if comparison.is_unsure() {
        " Some could not be determined."
    } else {
        ""
    };
    match (errors, warnings) {
        (0, 0) if comparison.is_unsure() => (
            "?",
            MAGENTA,
            format!("No new problems found; some could not be determined.{fixed}"),
        ),
        (0, 0) => ("✓", GREEN, format!("This change breaks nothing.{fixed}")),
        (0, warnings) => (
            "!",
            YELLOW,
            format!(
                "This change breaks nothing, and brings {}.{unsure}{fixed}",
                count(warnings, "warning")
            ),
        ),
        (errors, warnings) => (
            "✗",
            RED,
            match warnings {
                0 => format!(
                    "This change brings {}.{unsure}{fixed}",
                    count(errors, "error")
                ),
                warnings => format!(
                    "This change brings {} and {}.{unsure}{fixed}",
                    count(errors, "error"),
                    count(warnings, "warning")
                ),
            },
        ),
    }
}

impl Printer<'_> {
    /// What a change comes to, in a sentence.
    fn comes_to(&mut self, comparison: &Comparison) {
        let (glyph, colour, sentence) = verdict(comparison);
        let glyph = self.paint(glyph, colour);
        self.wrapped_as(Some(BOLD), &format!("{glyph} "), 2, 2, &sentence);
    }
}
