//! Problems, the home screen: what is wrong, by root cause, in whole sentences, with what clients notice, since
//! when, what shows it and what fixes it. Untested paths are an entry; if all is well, one entry says so.

mod entry;
mod reading;
mod remote;
mod state;
mod verdict;

use self::{
    entry::entry,
    reading::empty_entry,
    remote::{remote_entry, remotes},
    state::{healthy, suppressed_entry, untested_entry},
};
pub use self::{
    remote::{Remote, here, others, searched_elsewhere, select_remote, selected_remote},
    state::{expires_next, untested_reasons},
    verdict::verdict,
};

use ngf_ui::{
    Label, Mark, Role,
    text::{widest_word, wrap},
    widgets::entries::{CURSOR, Entries, Entry},
};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    chain,
    problems_detail::{self, Panes},
};
use crate::tui::state::{App, Tests};
use ngf_core::diagnosis::{
    Diagnosis, Severity, Verdict, problems::Problem, words::count as counted,
};

/// Cells by which everything below a headline is indented.
const INDENT: usize = 6;

/// The entries after the problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extra {
    /// Paths that nobody tested.
    Untested,
    /// Everything that could be tested is well.
    Healthy,
    /// There is nothing to say yet, or nothing to look at.
    Empty,
}

/// How many entries there are.
pub fn count(app: &App) -> usize {
    let is_filtered = !app.home.filter.is_empty();
    let extra = usize::from(extra(app).is_some() || is_filtered);
    let own = app.home.problems.len() + extra + usize::from(has_suppressed(app));
    own + remotes(app).len()
}

/// Whether there is an entry of suppressed findings, after the own problems.
fn has_suppressed(app: &App) -> bool {
    let filtered = &app.diagnosis.filtered;
    app.home.filter.is_empty()
        && !(filtered.suppressed.is_empty()
            && filtered.expired.is_empty()
            && filtered.unused.is_empty()
            && filtered.unreadable.is_empty())
}

/// Whether the entry at this place is that of suppressed findings.
pub fn is_suppressed(app: &App, place: usize) -> bool {
    has_suppressed(app) && place + 1 + remotes(app).len() == count(app)
}

fn extra(app: &App) -> Option<Extra> {
    if !app.home.filter.is_empty() {
        return None;
    }
    let coverage = &app.diagnosis.coverage;
    let is_reading = app.diagnosed_at.is_none() || app.diagnosis.loading > 0;
    // Between a new diagnosis and its grouping the problems are those of the one before.
    let is_wrong = |problem: &Problem| {
        let finding = app.diagnosis.findings.get(problem.head);
        finding.is_none_or(|finding| {
            finding.severity != Severity::Info || finding.verdict == Verdict::Unknown
        })
    };
    if is_reading {
        return app.home.problems.is_empty().then_some(Extra::Empty);
    }
    if !coverage.untested.is_empty() {
        return Some(Extra::Untested);
    }
    // What is accepted is not healthy.
    let accepted = &app.diagnosis.filtered.suppressed;
    if app.home.problems.iter().any(is_wrong) || !accepted.is_empty() {
        return None;
    }
    Some(if coverage.tested() > 0 {
        Extra::Healthy
    } else {
        Extra::Empty
    })
}

/// Whether the entry after the problems is that of untested paths.
pub fn has_untested(app: &App) -> bool {
    extra(app) == Some(Extra::Untested)
}

/// The sign where nothing is wrong: that of health only where everything was read and tested.
pub fn all_clear(app: &App) -> Option<Mark> {
    if extra(app) != Some(Extra::Healthy) {
        return None;
    }
    let coverage = &app.diagnosis.coverage;
    let is_testing = matches!(app.tests, Tests::Running { .. } | Tests::Wanted);
    Some(
        match (
            is_testing,
            coverage.tested_endpoints() < coverage.endpoints(),
        ) {
            (true, _) => Mark::Unknown,
            // Of a backend with many endpoints a few are tested.
            (false, true) => Mark::Info,
            (false, false) => Mark::Ok,
        },
    )
}

/// What a filter searches in a problem: its words, and the objects of all of its findings.
pub fn searched(problem: &Problem, diagnosis: &Diagnosis) -> String {
    let key = &problem.key;
    let mut text = format!("{} {} {}", key.head, key.root, problem.sentence);
    for more in problem.impact.iter().chain(&problem.because) {
        text.push('\n');
        text.push_str(more);
    }
    let findings = problem.findings.iter();
    for object in findings.flat_map(|index| diagnosis.findings[*index].objects()) {
        text.push('\n');
        text.push_str(&object.to_string());
    }
    text
}

/// Draws them, and the selected one in full where there is room; where the list stands.
pub fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) -> Rect {
    if area.width >= problems_detail::THREE {
        chain::look(app);
    }
    let mut state = app.home.list;
    let wrapped = Wrapped::new(app);
    let Panes {
        list,
        detail,
        chain,
    } = problems_detail::split(&wrapped, area);
    {
        let make = |width: u16, _| wrapped.at(usize::from(width)).to_vec();
        Entries::new(&make, &app.theme).render(list, buffer, &mut state);
    }
    app.home.list = state;
    if let Some(detail) = detail {
        problems_detail::draw(app, detail, buffer);
        if detail.x > list.x + list.width {
            super::screen::line_before(app, detail, buffer);
        }
    }
    if let Some(place) = chain {
        super::screen::line_before(app, place, buffer);
        chain::draw_beside(app, place, buffer);
    }
    list
}

/// The problems as entries, made once for each width: a frame asks what fits before it draws.
pub(super) struct Wrapped<'a> {
    pub(super) app: &'a App,
    made: RefCell<BTreeMap<usize, Rc<Vec<Entry>>>>,
}

impl<'a> Wrapped<'a> {
    fn new(app: &'a App) -> Self {
        Self {
            app,
            made: RefCell::default(),
        }
    }

    fn at(&self, width: usize) -> Rc<Vec<Entry>> {
        let mut made = self.made.borrow_mut();
        let entries = made
            .entry(width)
            .or_insert_with(|| Rc::new(entries(self.app, width)));
        Rc::clone(entries)
    }

    /// Columns in which no line of theirs has to be wrapped.
    pub(super) fn width(&self) -> u16 {
        let entries = self.at(usize::from(u16::MAX));
        let lines = entries.iter().flat_map(|entry| &entry.lines);
        let widest = lines
            .map(|line| {
                let right = line.right.width();
                line.left.width() + if right > 0 { right + 2 } else { 0 }
            })
            .max();
        u16::try_from(widest.unwrap_or(0)).map_or(u16::MAX, |widest| widest.saturating_add(CURSOR))
    }

    /// Columns in which no word of theirs is broken.
    pub(super) fn least_width(&self) -> u16 {
        let entries = self.at(usize::from(u16::MAX));
        let lines = entries.iter().flat_map(|entry| &entry.lines);
        let word = widest_word(lines.map(|line| &line.left)) + INDENT;
        u16::try_from(word).map_or(u16::MAX, |word| word.saturating_add(CURSOR))
    }

    /// How many lines they take at this width.
    pub(super) fn lines(&self, width: u16) -> usize {
        let entries = self.at(usize::from(width.saturating_sub(CURSOR)));
        entries.iter().map(|entry| entry.lines.len()).sum()
    }
}

/// The entry at a line of the screen, where the problems are drawn in this area.
pub fn at(app: &App, area: Rect, y: u16) -> Option<usize> {
    let make = |width: u16, _| entries(app, usize::from(width));
    Entries::new(&make, &app.theme).at(y, area, &app.home.list)
}

/// The same in words.
pub fn describe(app: &App, width: u16) -> Vec<String> {
    let make = |width: u16, _| entries(app, usize::from(width));
    Entries::new(&make, &app.theme).to_text(width)
}

fn entries(app: &App, width: usize) -> Vec<Entry> {
    let problems = app.home.problems.iter();
    let mut entries: Vec<Entry> = problems.map(|problem| entry(app, problem, width)).collect();
    if !app.home.filter.is_empty() {
        let shown = app.home.problems.len();
        let words = format!(
            "{} shown, by the filter /{}",
            counted(shown, "problem"),
            app.home.filter.text()
        );
        entries.push(Entry::of(wrap(&Label::of(Role::Accent, words), width)));
    }
    entries.extend(match extra(app) {
        None => None,
        Some(Extra::Untested) => Some(untested_entry(app, width)),
        Some(Extra::Healthy) => Some(healthy(app, width)),
        Some(Extra::Empty) => Some(empty_entry(app, width)),
    });
    if has_suppressed(app) {
        entries.push(suppressed_entry(app, width));
    }
    let remotes = remotes(app).into_iter();
    entries.extend(remotes.map(|(_, one, problem)| remote_entry(app, one, problem, width)));
    entries
}
