//! The selected row of a list in full: every cell whole, and what is wrong there. It is shown only where the list
//! loses nothing by it.

use ngf_ui::{
    Label, Role,
    text::{hang, pad},
};
use ratatui::layout::Rect;

use super::{ABOVE, BAR, BETWEEN, Head, MARKS};
use crate::tui::{
    state::{
        App,
        list::{ListPane, Row, Target},
    },
    views::findings::mark_of,
};

/// From this width on (without the margin of a screen of 100 columns), there may be a detail below the list.
const BELOW: u16 = 99;
/// Fewest lines for it.
const LEAST_LINES: u16 = 6;
/// From this width on (without the margin of 140 columns), the list has it at its right side.
const BESIDE: u16 = 139;
/// Fewest columns for it.
const LEAST_COLUMNS: u16 = 50;
/// Findings that are named.
const FINDINGS: usize = 6;

/// The part of the list, and that of the detail, where there is room for one.
pub(super) fn split(pane: &ListPane, columns: &[u16], area: Rect) -> (Rect, Option<Rect>) {
    if pane.shown.is_empty() {
        return (area, None);
    }
    let gaps = BETWEEN * (columns.len() as u16).saturating_sub(1);
    let needed = MARKS + columns.iter().sum::<u16>() + gaps + BAR;
    if area.width >= BESIDE && needed + BETWEEN + LEAST_COLUMNS <= area.width {
        let list = Rect {
            width: needed,
            ..area
        };
        let start = needed + BETWEEN;
        let detail = Rect {
            x: area.x + start,
            width: area.width - start,
            ..area
        };
        return (list, Some(detail));
    }
    let lines = u16::try_from(pane.shown.len()).unwrap_or(u16::MAX);
    let needed = lines.saturating_add(ABOVE);
    if area.width >= BELOW && needed.saturating_add(1 + LEAST_LINES) <= area.height {
        let list = Rect {
            height: needed,
            ..area
        };
        let start = needed + 1;
        let detail = Rect {
            y: area.y + start,
            height: area.height - start,
            ..area
        };
        return (list, Some(detail));
    }
    (area, None)
}

/// The row in full.
pub(super) fn lines(app: &App, heads: &[Head], row: &Row, width: u16) -> Vec<Label> {
    let width = usize::from(width);
    let titles = heads.iter().map(|head| head.title.len());
    let column = titles.max().unwrap_or(0) + 2;
    let mut lines = Vec::new();
    for (head, cell) in heads.iter().zip(&row.cells) {
        if cell.text.is_empty() {
            continue;
        }
        let title = pad(&Label::of(Role::Muted, head.title), column, "");
        lines.extend(hang(&title, &Label::from(cell.text.clone()), width));
    }
    let findings = findings(app, row);
    for (number, index) in findings.iter().take(FINDINGS).enumerate() {
        if number == 0 {
            lines.push(Label::new());
        }
        let finding = &app.diagnosis.findings[*index];
        let mark = mark_of(finding);
        let sign = Label::new()
            .mark(mark, &app.theme)
            .and(mark.role(), format!(" {}  ", finding.code));
        lines.extend(hang(&sign, &Label::from(finding.title.clone()), width));
    }
    if findings.len() > FINDINGS {
        let more = format!("and {} more", findings.len() - FINDINGS);
        lines.push(Label::of(Role::Muted, more));
    }
    lines
}

/// The findings at what the row is about.
fn findings(app: &App, row: &Row) -> Vec<usize> {
    let (Target::Page(subject) | Target::Tab(subject, _)) = &row.target else {
        return Vec::new();
    };
    if let Some((index, _)) = subject.find(&app.diagnosis.topology) {
        return app.diagnosis.findings_below(index);
    }
    let Some(object) = &subject.object else {
        return Vec::new();
    };
    let findings = app.diagnosis.findings.iter().enumerate();
    let about = findings.filter(|(_, finding)| finding.objects().any(|one| one == object));
    about.map(|(index, _)| index).collect()
}
