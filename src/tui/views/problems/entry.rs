//! A problem as an entry: the sentence, what clients notice, since when, what shows it and what fixes it.

use super::{INDENT, remote::here};
use crate::tui::state::App;
use crate::tui::views::findings::mark_of;
use jiff::Timestamp;
use ngf_core::diagnosis::{finding::Remedy, problems::Problem};
use ngf_text::words;
use ngf_ui::{
    Label, Role,
    text::{hang, wrap},
    widgets::entries::{Entry, Line},
};

/// Most characters of a piece of evidence: a controller may quote whole logs.
pub(super) const LONGEST: usize = 320;

pub(super) fn entry(app: &App, problem: &Problem, width: usize) -> Entry {
    let theme = &app.theme;
    let finding = &app.diagnosis.findings[problem.head];
    let mark = mark_of(finding);
    let since = problem.since.map_or(Label::new(), |at| since(at, app.now));
    let sign = Label::new()
        .mark(mark, theme)
        .text(" ")
        .and(mark.role(), format!("{}  ", finding.code));
    let room = width.saturating_sub(if since.is_empty() {
        0
    } else {
        since.width() + 2
    });
    let title = Label::of(Role::Strong, problem.sentence.clone());
    let mut lines: Vec<Line> = beside(&sign, &title, room, width)
        .into_iter()
        .map(Line::from)
        .collect();
    if let Some(first) = lines.first_mut() {
        first.right = since;
    }
    let mut below = |label: Label| {
        let indent = Label::from(" ".repeat(INDENT));
        lines.extend(hang(&indent, &label, width).into_iter().map(Line::from));
    };
    for impact in &problem.impact {
        below(Label::of(Role::Warning, impact.clone()));
    }
    if !app.elsewhere.is_empty() {
        below(Label::of(Role::Accent, format!("in context {}", here(app))));
    }
    if let Some(because) = &problem.because {
        let because: String = because.chars().take(LONGEST).collect();
        below(Label::of(Role::Muted, "because ").text(because));
    }
    let findings = &app.diagnosis.findings;
    let remedy = |index: Option<usize>| findings.get(index?)?.remedy.as_ref();
    match (remedy(problem.fix), remedy(problem.advice)) {
        (Some(fix), other) => {
            below(Label::of(Role::Key, "f  ").text(fix.summary.clone()));
            if let Some(other) = other {
                below(Label::of(Role::Muted, "or ").joined(&in_short(other)));
            }
        }
        (None, Some(advice)) => below(Label::of(Role::Ok, "fix: ").joined(&in_short(advice))),
        (None, None) => {}
    }
    if problem.key.subject.is_none() && problem.roots.len() > 1 {
        below(Label::of(Role::Key, "space").and(Role::Muted, " shows them one by one"));
    }
    Entry { lines }
}

/// What to do, with the command where it is one line.
pub(super) fn in_short(remedy: &Remedy) -> Label {
    let label = Label::from(remedy.summary.clone());
    match &remedy.command {
        Some(command) if !command.contains('\n') => {
            label.text(" ").and(Role::Evidence, command.clone())
        }
        _ => label,
    }
}

/// Text after a sign; the further lines stand at the indent of what is below.
pub(super) fn hang_at(sign: &Label, text: &Label, width: usize) -> Vec<Label> {
    let all = sign.clone().joined(text);
    let indent = Label::from(" ".repeat(2));
    let mut lines = wrap(&all, width.saturating_sub(2));
    for line in lines.iter_mut().skip(1) {
        *line = indent.clone().joined(line);
    }
    lines
}

/// The same with a first line of another width: something stands at its right.
pub(super) fn beside(sign: &Label, text: &Label, first: usize, width: usize) -> Vec<Label> {
    let narrow = hang_at(sign, text, first);
    let Some((head, rest)) = narrow.split_first() else {
        return narrow;
    };
    let mut again = Label::new();
    for line in rest {
        let words = line.plain();
        if !again.is_empty() {
            again.push(Role::Normal, " ");
        }
        again.push(Role::Strong, words.trim_start().to_owned());
    }
    let mut lines = vec![head.clone()];
    if !again.is_empty() {
        lines.extend(hang(&Label::from("  "), &again, width));
    }
    lines
}

/// `since 11:52, 3m`, `since 2026-11-29, 1d`.
pub(super) fn since(at: Timestamp, now: Timestamp) -> Label {
    let is_today = now.as_second() - at.as_second() < 86_400;
    let form = if is_today { "%H:%M UTC" } else { "%Y-%m-%d" };
    let words = format!("since {}, {}", at.strftime(form), words::age(at, now));
    Label::of(Role::Muted, words)
}
