//! Search: the text that `/` searches in what is on the screen, its matches, and which of them is shown.

use ngf_ui::{text::mark_found, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{chain, conditions, diff, endpoint_matrix, findings, handshake, nginx, yaml};
use crate::tui::state::{App, filter::Filter, ids::ViewId, search::Pane};

/// What is searched.
pub enum Text {
    /// The rows of a text, as they are drawn.
    Rows(Vec<String>),
    /// Entries of which one is selected, each with all that it can show.
    Entries(Vec<String>),
}

impl Text {
    /// The rows of a text that is wrapped in an area.
    pub fn of(text: &TextView<'_>, area: Rect) -> Self {
        Self::Rows(text.rows(area))
    }

    /// Its rows or entries.
    pub fn parts(&self) -> &[String] {
        match self {
            Self::Rows(parts) | Self::Entries(parts) => parts,
        }
    }

    /// The rows in which a match begins, or the entries that have one.
    pub fn matches(&self, filter: &Filter) -> Vec<usize> {
        match self {
            Self::Rows(rows) => {
                let text = rows.join("\n");
                let mut starts: Vec<usize> = found(filter, &text)
                    .map(|place| text[..place.start].matches('\n').count())
                    .collect();
                starts.sort_unstable();
                starts.dedup();
                starts
            }
            Self::Entries(entries) => {
                let entries = entries.iter().enumerate();
                entries
                    .filter(|(_, entry)| found(filter, entry).next().is_some())
                    .map(|(number, _)| number)
                    .collect()
            }
        }
    }
}

/// The places of what is searched for; an expression that is met by nothing at all has none.
fn found(filter: &Filter, text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let places = filter.places(text).into_iter();
    places.filter(|place| !place.is_empty())
}

/// The text of a part of the screen.
pub fn text(app: &App, pane: Pane) -> Text {
    let area = app.searched;
    match pane {
        Pane::Tab(ViewId::Chain) => chain::searched(app, area),
        Pane::Tab(ViewId::Handshake) => handshake::searched(app, area),
        Pane::Tab(ViewId::Findings) => findings::searched(app, area),
        Pane::Tab(ViewId::Conditions) => conditions::searched(app, area),
        Pane::Tab(ViewId::Nginx) => nginx::searched(app, area),
        Pane::Tab(ViewId::Yaml) => Text::Entries(yaml::searched(app)),
        Pane::Tab(ViewId::Logs) => Text::Rows(Vec::new()),
        Pane::Step => handshake::searched_step(app, area),
        Pane::Diff => Text::Entries(diff::searched(app)),
        Pane::Matrix => Text::Entries(endpoint_matrix::searched(app)),
    }
}

/// The entry that is selected, where the text has entries.
pub fn selected(app: &App, pane: Pane) -> usize {
    match pane {
        Pane::Tab(ViewId::Chain) => app.detail.links.selected,
        Pane::Tab(ViewId::Handshake) => app.detail.messages.selected,
        Pane::Tab(ViewId::Yaml) => yaml::selected(app).unwrap_or(0),
        Pane::Diff => app.detail.diff.selected,
        Pane::Matrix => app
            .matrix
            .as_ref()
            .map_or(0, |matrix| matrix.state.rows.selected),
        Pane::Tab(_) | Pane::Step => 0,
    }
}

/// The first row on the screen, where the text has rows.
pub fn offset(app: &App, pane: Pane) -> usize {
    match pane {
        Pane::Tab(ViewId::Findings) => app.detail.findings.offset,
        Pane::Tab(view) => app
            .detail
            .scroll
            .get(&view)
            .map_or(0, |scroll| scroll.offset),
        Pane::Step => app.detail.step.offset,
        Pane::Diff | Pane::Matrix => 0,
    }
}

/// What is said of the search on the screen: `match 2 of 7`.
pub fn words(app: &App) -> Option<String> {
    let (pane, search) = (app.pane()?, app.search()?);
    let text = text(app, pane);
    let matches = text.matches(&search.filter);
    let count = matches.len();
    let shown = match &text {
        Text::Rows(_) => Some(search.shown).filter(|shown| *shown < count),
        Text::Entries(_) => {
            let selected = selected(app, pane);
            matches.iter().position(|entry| *entry == selected)
        }
    };
    Some(match (shown, count) {
        (_, 0) => "nothing matches".to_owned(),
        (Some(shown), _) => format!("match {} of {count}", shown + 1),
        (None, 1) => "1 match".to_owned(),
        (None, _) => format!("{count} matches"),
    })
}

/// Marks the matches in what was drawn.
pub fn mark(app: &App, buffer: &mut Buffer) {
    let (Some(pane), Some(search)) = (app.pane(), app.search()) else {
        return;
    };
    let area = app.searched;
    let current = match text(app, pane) {
        text @ Text::Rows(_) => {
            let row = text.matches(&search.filter).get(search.shown).copied();
            let line = row.and_then(|row| row.checked_sub(offset(app, pane)));
            line.and_then(|line| area.y.checked_add(u16::try_from(line).ok()?))
        }
        Text::Entries(_) => None,
    };
    let find = |text: &str| found(&search.filter, text).collect();
    mark_found(&find, current, area, buffer, &app.theme);
}
