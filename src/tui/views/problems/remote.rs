//! The problems of other contexts that are watched at the same time.

use super::{
    INDENT, count,
    entry::{beside, hang_at, since},
};
use crate::tui::state::{
    App,
    elsewhere::{Elsewhere, ElsewhereState, RemoteProblem},
};
use ngf_core::{
    diagnosis::{Code, words::count as counted},
    model::snapshot::Source,
};
use ngf_text::sanitize;
use ngf_ui::{
    Label, Mark, Role,
    text::hang,
    widgets::entries::{Entry, Line},
};
use std::fmt::Write as _;

/// An entry about another context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The context.
    pub context: String,
    /// Its problem; `None` for what is known of the context as a whole.
    pub problem: Option<(Code, String)>,
}

/// The entries about other contexts, after the own ones.
pub(super) fn remotes(app: &App) -> Vec<(Remote, &Elsewhere, Option<&RemoteProblem>)> {
    let filter = &app.home.filter;
    let mut all = Vec::new();
    for one in others(app) {
        let whole = |problem| Remote {
            context: one.context.clone(),
            problem,
        };
        let problems: &[RemoteProblem] = match &one.state {
            ElsewhereState::Known(summary) => &summary.problems,
            ElsewhereState::Reading | ElsewhereState::Unreadable(_) => &[],
        };
        for problem in problems {
            // What labels there are in another context is not known here.
            if filter.meets(&searched_remote(one, problem)) && !filter.wants_labels() {
                let key = (problem.code, problem.sentence.clone());
                all.push((whole(Some(key)), one, Some(problem)));
            }
        }
        // What is not known is never left out: it would look as if all were well.
        if needs_line(one) {
            all.push((whole(None), one, None));
        }
    }
    all
}

/// What a filter searches in a problem of another context.
pub(super) fn searched_remote(one: &Elsewhere, problem: &RemoteProblem) -> String {
    format!(
        "{}\n{} {}\n{}",
        one.context,
        problem.code,
        problem.sentence,
        problem.impact.join("\n")
    )
}

/// The same of all problems of other contexts.
pub fn searched_elsewhere(app: &App) -> Vec<String> {
    let known = others(app).filter_map(|one| match &one.state {
        ElsewhereState::Known(summary) => Some((one, summary)),
        ElsewhereState::Reading | ElsewhereState::Unreadable(_) => None,
    });
    known
        .flat_map(|(one, summary)| {
            let problems = summary.problems.iter();
            problems.map(move |problem| searched_remote(one, problem))
        })
        .collect()
}

/// Whether a context has a line for itself: it is well, not read, or not tested.
pub(super) fn needs_line(one: &Elsewhere) -> bool {
    match &one.state {
        ElsewhereState::Known(summary) => {
            summary.problems.is_empty()
                || summary.tested < summary.paths
                || summary.stale.is_some()
                || summary.hidden > 0
        }
        ElsewhereState::Reading | ElsewhereState::Unreadable(_) => true,
    }
}

/// The contexts that are watched besides the one on the screen.
pub fn others(app: &App) -> impl Iterator<Item = &Elsewhere> {
    let here = here(app);
    app.elsewhere
        .iter()
        .filter(move |one| sanitize::line(&one.context, 256) != here)
}

/// The context on the screen.
pub fn here(app: &App) -> String {
    match &app.snapshot.source {
        Source::Cluster { context, .. } => context.clone(),
        Source::Files { .. } => String::new(),
    }
}

/// The entry about another context that is selected.
pub fn selected_remote(app: &App) -> Option<Remote> {
    let all = remotes(app);
    let own = count(app) - all.len();
    let index = app.home.list.selected.checked_sub(own)?;
    all.get(index).map(|(remote, ..)| remote.clone())
}

/// Selects the same entry again, wherever it stands now.
pub fn select_remote(app: &mut App, remote: Option<Remote>) {
    let Some(remote) = remote else { return };
    let all: Vec<Remote> = remotes(app).into_iter().map(|(one, ..)| one).collect();
    let own = count(app) - all.len();
    let same = all.iter().position(|one| *one == remote);
    let same = same.or_else(|| all.iter().position(|one| one.context == remote.context));
    app.home.list.selected = same.map_or(0, |index| own + index);
}

pub(super) fn remote_entry(
    app: &App,
    one: &Elsewhere,
    problem: Option<&RemoteProblem>,
    width: usize,
) -> Entry {
    let context = sanitize::line(&one.context, 256);
    let indent = Label::from(" ".repeat(INDENT));
    let Some(problem) = problem else {
        let (mark, words) = of_whole(one);
        let sign = Label::new().mark(mark, &app.theme).text(" ");
        let words = format!("context {context}: {words}");
        return Entry::of(hang_at(&sign, &Label::of(mark.role(), words), width));
    };
    let since = problem.since.map_or(Label::new(), |at| since(at, app.now));
    let room = width.saturating_sub(if since.is_empty() {
        0
    } else {
        since.width() + 2
    });
    let sign = Label::new()
        .mark(problem.mark, &app.theme)
        .text(" ")
        .and(problem.mark.role(), format!("{}  ", problem.code));
    let title = Label::of(Role::Strong, problem.sentence.clone());
    let mut lines: Vec<Line> = beside(&sign, &title, room, width)
        .into_iter()
        .map(Line::from)
        .collect();
    if let Some(first) = lines.first_mut() {
        first.right = since;
    }
    for impact in &problem.impact {
        let impact = Label::of(Role::Warning, impact.clone());
        lines.extend(hang(&indent, &impact, width).into_iter().map(Line::from));
    }
    let place = Label::of(Role::Accent, format!("in context {context}"))
        .and(Role::Muted, ": enter opens it there");
    lines.extend(hang(&indent, &place, width).into_iter().map(Line::from));
    Entry { lines }
}

/// What is known of a context as a whole.
pub(super) fn of_whole(one: &Elsewhere) -> (Mark, String) {
    match &one.state {
        ElsewhereState::Reading => (Mark::Info, "reading".to_owned()),
        ElsewhereState::Unreadable(why) => (Mark::Unknown, format!("cannot be read: {why}")),
        ElsewhereState::Known(summary) => {
            let tested = format!(
                "{} of {} tested",
                summary.tested,
                counted(summary.paths, "path")
            );
            let mut words = if summary.problems.is_empty() {
                format!("no problems found, {tested}")
            } else {
                tested
            };
            if summary.hidden > 0 {
                let _ = write!(words, ", {} not read", counted(summary.hidden, "kind"));
            }
            if let Some(why) = summary.stale {
                let _ = write!(words, "; this is old: {why}");
            }
            let is_whole = summary.problems.is_empty()
                && summary.hidden == 0
                && summary.stale.is_none()
                && summary.paths > 0
                && summary.tested == summary.paths;
            let mark = if is_whole { Mark::Ok } else { Mark::Unknown };
            (mark, words)
        }
    }
}
