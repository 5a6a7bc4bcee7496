//! A fix that is shown before it is applied: what it changes, what the API server says of it.

use ngf_ui::scroll::ScrollState;

use crate::{diagnosis::Finding, model::snapshot::Snapshot};

/// What would be changed, as it is shown.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The finding's code.
    pub code: &'static str,
    /// What it does, in a sentence.
    pub summary: String,
    /// The difference.
    pub lines: Vec<ProposedLine>,
}

/// A line of the difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedLine {
    /// What happens to it.
    pub kind: LineKind,
    /// The line.
    pub text: String,
}

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Names the object; not a line of it.
    Head,
    /// It stays.
    Same,
    /// It is added.
    Add,
    /// It is removed.
    Remove,
}

/// A fix on the screen.
#[derive(Debug, Clone)]
pub struct FixDialog {
    /// Tells it from others.
    pub number: u64,
    /// What it would change.
    pub proposal: Proposal,
    /// How far it has come.
    pub phase: FixPhase,
    /// Where it is scrolled to.
    pub scroll: ScrollState,
}

impl FixDialog {
    /// Whether the person is asked to agree.
    pub fn asks(&self) -> bool {
        matches!(self.phase, FixPhase::Tried(_))
    }
}

/// How far a fix has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FixPhase {
    /// It may not be applied: why.
    Shown(String),
    /// The API server tries it.
    Trying,
    /// The API server would take it, and says this; the person is asked.
    Tried(Vec<String>),
    /// The API server would not take it: why.
    Refused(String),
    /// It is being applied.
    Applying,
    /// It was applied; the API server says this.
    Applied(Vec<String>),
    /// It was not, or not all of it, applied: why.
    Failed(String),
}

/// What would fix a finding.
///
/// # Errors
/// A sentence: why there is nothing that could be applied.
pub fn propose(finding: &Finding, _: &Snapshot) -> Result<Proposal, String> {
    Err(match &finding.remedy {
        Some(remedy) => format!(
            "{} is not fixed by a change of objects that could be applied from here: {}",
            finding.code, remedy.summary
        ),
        None => format!("no remedy is known for {}", finding.code),
    })
}
