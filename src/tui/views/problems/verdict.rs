//! The verdict above the tabs of a page.

use super::entry::{hang_at, since};
use crate::tui::state::App;
use crate::tui::views::findings::mark_of;
use ngf_ui::{
    Label, Role, Theme,
    text::{hang, wrap},
};

/// The verdict on what a page is about: the sentence in full, what clients notice, and since when.
pub fn verdict(app: &App, theme: &Theme, width: usize) -> Vec<Label> {
    let Some(problem) = app.problem() else {
        return of_place(app, theme, width);
    };
    let finding = &app.diagnosis.findings[problem.head];
    let mark = mark_of(finding);
    let sign = Label::new()
        .mark(mark, theme)
        .text(" ")
        .and(mark.role(), format!("{}  ", finding.code));
    let mut lines = hang_at(
        &sign,
        &Label::of(Role::Strong, finding.title.clone()),
        width,
    );
    let mut impact: Vec<Label> = problem
        .impact
        .iter()
        .map(|impact| Label::of(Role::Warning, impact.clone()))
        .collect();
    impact.extend(problem.since.map(|at| since(at, app.now)));
    let mut line = Label::new();
    for (index, part) in impact.iter().enumerate() {
        if index > 0 {
            line.push(Role::Muted, format!(" {} ", theme.glyphs.dot));
        }
        line.extend(part.clone());
    }
    if !line.is_empty() {
        lines.extend(hang(&Label::from("  "), &line, width));
    }
    lines
}

/// The verdict on a page that was opened by no problem.
pub(super) fn of_place(app: &App, theme: &Theme, width: usize) -> Vec<Label> {
    let Some((index, _)) = app.selected() else {
        return Vec::new();
    };
    let below = app.diagnosis.findings_below(index);
    if let Some(finding) = below.first().map(|index| &app.diagnosis.findings[*index]) {
        let mark = mark_of(finding);
        let sign = Label::new()
            .mark(mark, theme)
            .text(" ")
            .and(mark.role(), format!("{}  ", finding.code));
        return hang_at(
            &sign,
            &Label::of(Role::Strong, finding.title.clone()),
            width,
        );
    }
    let verdict = crate::tui::views::findings::nothing(app);
    wrap(&verdict, width)
}
