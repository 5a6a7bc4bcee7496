//! The selected problem in full, below or beside the list of problems: its findings with what shows them, and their
//! remedies; on a very wide screen also its chain. Each is shown only where all of it fits, and where the list loses
//! nothing by it.

use ngf_ui::{Label, Role, text::hang, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};

use super::{chain, findings::item, problems::Wrapped};
use crate::tui::state::App;

/// From this width on there may be a detail below the list.
const BELOW: u16 = 100;
/// Cells by which it is indented there, so that it stands below the sentences.
const INDENT: u16 = 2;
/// Cells between parts that stand side by side.
const BETWEEN: u16 = 3;
/// From this width on it stands at the right side, where all of it fits there.
const BESIDE: u16 = 140;
/// Fewest columns for it there.
const LEAST: u16 = 50;
/// From this width on the chain of the selected problem may stand at the right of both.
pub(super) const THREE: u16 = 180;
/// Fewest columns for the chain.
const CHAIN: u16 = 52;
/// Findings that are told in full.
const FINDINGS: usize = 8;

/// What stands where.
pub(super) struct Panes {
    /// The list.
    pub(super) list: Rect,
    /// The selected problem in full, where there is room.
    pub(super) detail: Option<Rect>,
    /// Its chain, where there is room.
    pub(super) chain: Option<Rect>,
}

/// The part of the list, that of the detail, and that of the chain, where there is room for them.
pub(super) fn split(problems: &Wrapped<'_>, area: Rect) -> Panes {
    let app = problems.app;
    let alone = Panes {
        list: area,
        detail: None,
        chain: None,
    };
    if app.selected_problem().is_none() || area.width < BELOW {
        return alone;
    }
    // Half of a detail is not worth the room.
    let fits = |detail: Rect| {
        let lines = lines(app, detail.width);
        (1..=usize::from(detail.height)).contains(&lines.len())
    };
    if let Some([list, detail, chain]) = three(problems, area).filter(|panes| fits(panes[1])) {
        return Panes {
            list,
            detail: Some(detail),
            chain: Some(chain),
        };
    }
    // As wide as its text needs, or half of the screen where the other half is needed.
    let half = area.width.saturating_sub(BETWEEN) / 2;
    let mut beside = [LEAST, half.max(LEAST)]
        .into_iter()
        .filter_map(|least| beside(problems, area, least));
    let beside = beside.find(|(_, detail)| fits(*detail));
    let found = beside.or_else(|| below(problems, area).filter(|(_, detail)| fits(*detail)));
    match found {
        Some((list, detail)) => Panes {
            list,
            detail: Some(detail),
            chain: None,
        },
        None => alone,
    }
}

/// Below the list, where there is room.
fn below(problems: &Wrapped<'_>, area: Rect) -> Option<(Rect, Rect)> {
    let lines = u16::try_from(problems.lines(area.width)).ok()?;
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

/// The list as wide as its text needs, as far as `others` columns stay free, where every entry is on the screen.
fn list(problems: &Wrapped<'_>, area: Rect, others: u16) -> Option<Rect> {
    let width = problems.width().min(area.width.checked_sub(others)?);
    if width < problems.least_width() {
        return None;
    }
    let list = Rect { width, ..area };
    (problems.lines(width) <= usize::from(area.height)).then_some(list)
}

/// Beside the list, where every entry of it is still on the screen.
fn beside(problems: &Wrapped<'_>, area: Rect, least: u16) -> Option<(Rect, Rect)> {
    if area.width < BESIDE {
        return None;
    }
    let list = list(problems, area, least + BETWEEN)?;
    Some((list, right_of(list, area)))
}

/// What is left at the right of a part.
fn right_of(part: Rect, area: Rect) -> Rect {
    let x = part.right() + BETWEEN;
    Rect {
        x,
        width: area.right().saturating_sub(x),
        ..area
    }
}

/// The list, the detail and the chain, where every entry of the list is still on the screen, and the whole chain.
fn three(problems: &Wrapped<'_>, area: Rect) -> Option<[Rect; 3]> {
    if area.width < THREE {
        return None;
    }
    let least = chain::least_width(problems.app)?.max(CHAIN);
    let list = list(problems, area, LEAST + least + 2 * BETWEEN)?;
    let rest = right_of(list, area);
    // What is left over is shared.
    let spare = rest.width.checked_sub(LEAST + least + BETWEEN)?;
    let detail = Rect {
        width: LEAST + spare / 2,
        ..rest
    };
    let chain = right_of(detail, area);
    let is_whole = chain::height(problems.app, chain.width)? <= usize::from(area.height);
    is_whole.then_some([list, detail, chain])
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
