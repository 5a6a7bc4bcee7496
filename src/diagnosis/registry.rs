//! The one list of rules.

use super::{context::Context, engine::Findings, finding::Severity};

/// A rule: what it is called, what it looks for, and how.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable code: `NGF-` and the catalogue's letter and number.
    pub code: &'static str,
    /// How bad it is where it fires; a single finding may say less.
    pub severity: Severity,
    /// What is wrong, in one sentence without names.
    pub title: &'static str,
    /// What is behind it: what NGF and nginx do, and how it shows.
    pub explanation: &'static str,
    /// What to do about it, in general.
    pub remedy: &'static str,
    /// Codes of findings that are mere effects of this one where both are about one object.
    pub causes: &'static [&'static str],
    /// Looks for it.
    pub check: fn(&Context<'_>, &mut Findings),
}

/// Every rule, in the order in which they are asked. A rule that explains a condition stands before
/// those that only repeat it.
pub static RULES: &[Rule] = &[];

/// The rule of that code, with or without `NGF-`, whatever the case.
pub fn rule(code: &str) -> Option<&'static Rule> {
    let wanted = code.trim();
    let bare = |text: &str| {
        text.to_ascii_uppercase()
            .trim_start_matches("NGF-")
            .to_owned()
    };
    RULES.iter().find(|rule| bare(rule.code) == bare(wanted))
}
