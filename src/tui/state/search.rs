//! What is searched on the screen, as in `less`: in which part of it, for what, and which match is shown.

use std::collections::{BTreeSet, HashMap};

use ngf_ui::{ListState, ScrollState};

use crate::tui::state::{App, filter::Filter, ids::ViewId, place::Place};

/// A part of the screen that has a text to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    /// A tab of the page.
    Tab(ViewId),
    /// The decoded fields of a step.
    Step,
    /// Two probes side by side.
    Diff,
    /// Every endpoint from every data-plane pod.
    Matrix,
}

/// A search in one of them.
#[derive(Debug, Default)]
pub struct Search {
    /// What is searched for.
    pub filter: Filter,
    /// The match that is shown, from 0. Where entries are selected, the selected one counts instead.
    pub shown: usize,
}

/// What was on the screen when `/` was pressed. While the text is typed, each search begins there.
#[derive(Debug)]
pub struct Origin {
    links: ListState,
    messages: ListState,
    replay: Option<usize>,
    findings: ListState,
    diff: ListState,
    yaml: ListState,
    folded: BTreeSet<usize>,
    scroll: HashMap<ViewId, ScrollState>,
    step: ScrollState,
    row: Option<ListState>,
}

impl Origin {
    /// What is on the screen now.
    pub fn of(app: &App) -> Self {
        let detail = &app.detail;
        Self {
            links: detail.links,
            messages: detail.messages,
            replay: detail.replay,
            findings: detail.findings,
            diff: detail.diff,
            yaml: detail.yaml.list,
            folded: detail.yaml.folded.clone(),
            scroll: detail.scroll.clone(),
            step: detail.step,
            row: app.matrix.as_ref().map(|matrix| matrix.state.rows),
        }
    }

    /// Shows it again.
    pub fn restore(&self, app: &mut App) {
        let detail = &mut app.detail;
        detail.links = self.links;
        detail.messages = self.messages;
        detail.replay = self.replay;
        detail.findings = self.findings;
        detail.diff = self.diff;
        detail.yaml.list = self.yaml;
        detail.yaml.folded.clone_from(&self.folded);
        detail.scroll.clone_from(&self.scroll);
        detail.step = self.step;
        if let (Some(matrix), Some(row)) = (&mut app.matrix, self.row) {
            matrix.state.rows = row;
        }
    }
}

impl App {
    /// The part of the screen that `/` searches; `None` where it filters instead.
    pub fn pane(&self) -> Option<Pane> {
        match self.place() {
            // Of logs only the lines that have the text are shown.
            Place::Page(_) if self.detail.view == ViewId::Logs => None,
            Place::Page(_) => Some(Pane::Tab(self.detail.view)),
            Place::Step(_) => Some(Pane::Step),
            Place::Diff(..) => Some(Pane::Diff),
            Place::Matrix => Some(Pane::Matrix),
            Place::Problems | Place::Tree | Place::List(_) => None,
        }
    }

    /// What is searched on the screen, if something is.
    pub fn search(&self) -> Option<&Search> {
        self.detail.searches.get(&self.pane()?)
    }
}
