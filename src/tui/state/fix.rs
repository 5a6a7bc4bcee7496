//! A fix that is shown before it is applied: what it changes, what the API server says of it.

use ngf_ui::scroll::ScrollState;

use ngf_core::fix::FixPlan;

/// A fix on the screen.
#[derive(Debug, Clone)]
pub struct FixDialog {
    /// Tells it from others.
    pub number: u64,
    /// What it would change.
    pub plan: FixPlan,
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
