//! Causes: what is wrong anywhere, the roots first, a line each; always on the screen.

use ngf_ui::{
    Glyphs, Label, Role,
    widgets::{
        panel::Panel,
        rows::Lazy,
        tree::{Tree, TreeRow},
    },
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    widgets::{StatefulWidget, Widget},
};

use super::findings::mark_of;
use crate::app::state::{App, Pane};
use ngf_core::diagnosis::Finding;

/// How many lines the causes want, frame included; 0 where there are none.
pub fn height(app: &App, available: u16) -> u16 {
    let findings = app.diagnosis.findings.len();
    if findings == 0 {
        return 0;
    }
    let most = match app.pane {
        // Whoever goes through them sees as many as there is room for.
        Pane::Causes => available / 2,
        _ if available < 30 => 3,
        _ => 6,
    };
    findings.min(usize::from(most)) as u16 + 2
}

/// Draws them.
pub fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let focused = app.pane == Pane::Causes;
    let count = app.diagnosis.findings.len();
    let position = format!(
        "{}/{count}",
        app.causes.selected.min(count.saturating_sub(1)) + 1
    );
    (&Panel::new("Causes", &app.theme)
        .right(Label::of(Role::Muted, position))
        .focused(focused))
        .render(area, buffer);
    let findings = &app.diagnosis.findings;
    let rows = Lazy::new(count, |index| {
        row(&findings[index], depth(findings, index), app.theme.glyphs)
    });
    Tree::new(&rows, &app.theme).focused(focused).render(
        Panel::inner(area),
        buffer,
        &mut app.causes,
    );
}

/// How many causes stand above a finding; more than a few are not told apart.
fn depth(findings: &[Finding], index: usize) -> usize {
    let above = |index: &usize| findings.get(*index)?.caused_by;
    std::iter::successors(Some(index), above)
        .skip(1)
        .take(3)
        .count()
}

fn row(finding: &Finding, depth: usize, glyphs: &Glyphs) -> TreeRow {
    let indent = match depth {
        0 => String::new(),
        depth => format!("{}{} ", "  ".repeat(depth), glyphs.last_branch),
    };
    let label = Label::of(Role::Muted, indent)
        .and(Role::Key, finding.code)
        .and(Role::Normal, format!("  {}", finding.title));
    TreeRow::new(0, label).mark(mark_of(finding))
}
