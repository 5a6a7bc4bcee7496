//! What a rule is.

use super::{code::Code, context::Context, engine::Findings, finding::Severity};

/// A rule: what it is called, what it looks for, and how.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its code.
    pub code: Code,
    /// How bad it is where it fires; a single finding may say less.
    pub severity: Severity,
    /// What is wrong, in one sentence without names.
    pub title: &'static str,
    /// The background: what NGF and nginx do, and how it shows.
    pub explanation: &'static str,
    /// What to do about it, in general.
    pub remedy: &'static str,
    /// Codes of findings that are mere effects of this one where both are about one object.
    pub causes: &'static [Code],
    /// Looks for it.
    pub check: fn(&Context<'_>, &mut Findings),
}

impl Rule {
    /// Its code without `NGF-`: `T1`.
    pub fn bare_code(&self) -> &'static str {
        self.code.bare()
    }
}
