//! The selected problem in full, below or beside the list of problems: its findings with what shows them, and their
//! remedies. It is shown only where all of it fits, and where the list loses nothing by it.

use ngf_ui::{Label, Role, text::hang, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};

use super::{findings::item, problems::lines_at};
use crate::tui::state::App;

/// From this width on there may be a detail below the list.
const BELOW: u16 = 100;
/// Cells by which it is indented there, so that it stands below the sentences.
const INDENT: u16 = 2;
/// From this width on it may stand at the right side.
const BESIDE: u16 = 140;
/// Its columns there, in hundredths of the screen's.
const SHARE: u16 = 40;
/// Findings that are told in full.
const FINDINGS: usize = 8;

/// The part of the list, and that of the detail, where there is room for one.
pub(super) fn split(app: &App, area: Rect) -> (Rect, Option<Rect>) {
    if app.selected_problem().is_none() || area.width < BELOW {
        return (area, None);
    }
    // Half of a detail is not worth the room.
    let fits = |(_, detail): &(Rect, Rect)| {
        let lines = lines(app, detail.width);
        (1..=usize::from(detail.height)).contains(&lines.len())
    };
    let found = below(app, area).filter(fits);
    match found.or_else(|| beside(app, area).filter(fits)) {
        Some((list, detail)) => (list, Some(detail)),
        None => (area, None),
    }
}

/// Below the list, where there is room.
fn below(app: &App, area: Rect) -> Option<(Rect, Rect)> {
    let lines = u16::try_from(lines_at(app, area.width)).ok()?;
    let height = area.height.checked_sub(lines.checked_add(1)?)?;
    let list = Rect {
        height: lines,
        ..area
    };
    let detail = Rect {
        x: area.x + INDENT,
        y: area.y + lines + 1,
        width: area.width - INDENT,
        height,
    };
    Some((list, detail))
}

/// At the right side, where every entry of the list is still on the screen.
fn beside(app: &App, area: Rect) -> Option<(Rect, Rect)> {
    if area.width < BESIDE {
        return None;
    }
    let width = u32::from(area.width) * u32::from(SHARE) / 100;
    let width = u16::try_from(width).ok()?;
    let list = Rect {
        width: area.width - width - INDENT,
        ..area
    };
    let detail = Rect {
        x: area.x + list.width + INDENT,
        width,
        ..area
    };
    let is_whole = lines_at(app, list.width) <= usize::from(area.height);
    is_whole.then_some((list, detail))
}

/// Draws it.
pub(super) fn draw(app: &App, area: Rect, buffer: &mut Buffer) {
    let lines = lines(app, area.width);
    Widget::render(&TextView::new(&lines, &app.theme).wrap(false), area, buffer);
}

/// The findings of the problem, each with everything that there is to say of it.
fn lines(app: &App, width: u16) -> Vec<Label> {
    let Some(problem) = app.selected_problem() else {
        return Vec::new();
    };
    let findings = problem.findings.iter().take(FINDINGS);
    let findings = findings.filter_map(|index| app.diagnosis.findings.get(*index));
    let width = usize::from(width);
    let mut lines = Vec::new();
    for finding in findings {
        let item = item(app, finding);
        let sign = Label::new()
            .mark(item.mark, &app.theme)
            .and(item.mark.role(), format!(" {}  ", item.code));
        let title = Label::of(Role::Strong, item.title.plain());
        lines.extend(hang(&sign, &title, width));
        for line in &item.lines {
            lines.extend(hang(&Label::from("  "), line, width));
        }
    }
    lines
}
