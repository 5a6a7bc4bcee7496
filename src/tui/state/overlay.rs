//! What lies over the places, or is said of them: dialogs and messages.

use crate::tui::state::{fix::FixDialog, job::Job};
use jiff::Timestamp;
use ngf_cluster::temporary::Preparation;
use ngf_core::diagnosis::Code;
use ngf_ui::{
    Mark,
    scroll::{ListState, ScrollState},
};

/// A person is asked whether something may be made in the cluster.
#[derive(Debug)]
pub struct Question {
    /// What it is needed for.
    pub job: Box<Job>,
    /// What will be created.
    pub preparation: Preparation,
    /// Where its text is scrolled to.
    pub scroll: ScrollState,
    /// When it came on the screen: a key that was meant for what was there before is not an answer.
    pub shown_at: Option<Timestamp>,
}

/// State of the help screen.
#[derive(Debug, Default)]
pub struct HelpPane {
    /// Where it is scrolled to.
    pub scroll: ScrollState,
    /// What is searched for.
    pub search: ngf_ui::widgets::prompt::PromptState,
    /// The keys go into the search.
    pub is_typing: bool,
}

/// What lies over the panes and has the keys.
#[derive(Debug)]
pub enum Overlay {
    /// The help screen.
    Help(HelpPane),
    /// The command palette.
    Palette(ngf_ui::widgets::palette::PaletteState),
    /// The filter's input, and what it was before.
    Filter(ngf_ui::widgets::prompt::PromptState, String),
    /// The formats to choose from.
    Export(ListState),
    /// The ways to choose from.
    Via(ListState),
    /// Whether something may be made in the cluster.
    Question(Box<Question>),
    /// Whether to quit while temporary resources are in the cluster.
    Quit,
    /// A rule in words, by its code.
    Explain(Code, ScrollState),
    /// A fix, before it is applied and after.
    Fix(Box<FixDialog>),
}

/// A short message that goes by itself.
#[derive(Debug, Clone)]
pub struct Toast {
    /// How it went.
    pub mark: Mark,
    /// What it says.
    pub text: String,
    /// When it goes.
    pub until: Timestamp,
}
