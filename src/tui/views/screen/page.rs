//! The page of a path or an object: the verdict, the tabs, and the tab that is on top; on a wide screen several of them.

use super::inset;
use crate::tui::state::{App, Hit};
use crate::tui::views::{VIEWS, ViewId, chain, handshake, problems};
use ngf_ui::{
    Label, Role,
    text::{draw_label, wrap},
    widgets::{
        fields::Fields,
        tabs::{Tab, Tabs},
        textview::TextView,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    style::Style,
    widgets::{StatefulWidget, Widget},
};

/// The verdict, the tabs, and the tab that is on top.
pub(super) fn page(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let area = inset(area);
    let verdict = problems::verdict(app, &app.theme, usize::from(area.width));
    // On a very low screen the tab matters more.
    let height = (verdict.len() as u16).min(area.height / 2);
    let [top, bar, body] = Layout::vertical([
        Constraint::Length(height),
        Constraint::Length(1),
        Constraint::Min(0),
    ])
    .areas(area);
    let lines = TextView::new(&verdict, &app.theme).wrap(false);
    Widget::render(&lines, top, buffer);
    // Its tab has a mark, whichever tab is on top.
    chain::look(app);
    let selected = app.detail.view.index();
    let parts = side_by_side(app, body);
    if let Some(Parts {
        chain,
        handshake,
        fields,
    }) = parts
    {
        (VIEWS[ViewId::Chain.index()].draw)(app, chain, buffer);
        (VIEWS[ViewId::Handshake.index()].draw)(app, handshake, buffer);
        line_before(app, handshake, buffer);
        if let Some(fields) = fields {
            let message = handshake::pointed_at(app);
            let _ = step_in(app, message, fields, buffer);
            line_before(app, fields, buffer);
        }
    } else {
        (VIEWS[selected].draw)(app, body, buffer);
    }
    app.searched = match parts {
        Some(Parts { chain, .. }) if app.detail.view == ViewId::Chain => chain,
        Some(Parts { handshake, .. }) => handshake,
        None => body,
    };
    // Afterwards: what was drawn may give its tab a mark.
    let tabs = tabs(app);
    Tabs::new(&tabs, selected, &app.theme).render(bar, buffer);
    app.hits.push((bar, Hit::Tabs));
    match parts {
        Some(Parts {
            chain, handshake, ..
        }) => {
            app.hits.push((chain, Hit::Body(Some(ViewId::Chain))));
            app.hits
                .push((handshake, Hit::Body(Some(ViewId::Handshake))));
        }
        None => app.hits.push((body, Hit::Body(Some(app.detail.view)))),
    }
}

/// From this width on, chain and handshake stand side by side.
pub(super) const WIDE: u16 = 160;

/// Fewest columns for the chain.
pub(super) const CHAIN: u16 = 52;

/// Columns between both.
pub(super) const BETWEEN: u16 = 3;

/// From this width on the decoded fields of the selected step may stand at the right of both.
pub(super) const VERY_WIDE: u16 = 180;

/// Fewest columns for them.
pub(super) const FIELDS: u16 = 36;

/// What stands side by side on a page.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    chain: Rect,
    handshake: Rect,
    /// The decoded fields of the selected step.
    fields: Option<Rect>,
}

/// A line before a part.
pub(in crate::tui::views) fn line_before(app: &App, part: Rect, buffer: &mut Buffer) {
    let between = Rect {
        x: part.x.saturating_sub(2),
        width: 1,
        ..part
    };
    for y in between.top()..between.bottom() {
        let line = Rect {
            y,
            height: 1,
            ..between
        };
        let sign = Label::of(Role::Border, app.theme.glyphs.vertical);
        draw_label(&sign, line, buffer, &app.theme, Style::new());
    }
}

/// Where chain and handshake stand side by side: where one of them is on top, and nothing of either is lost by it.
pub(super) fn side_by_side(app: &App, area: Rect) -> Option<Parts> {
    let is_one = matches!(app.detail.view, ViewId::Chain | ViewId::Handshake);
    if !is_one || area.width + 1 < WIDE || app.detail.unfolded {
        return None;
    }
    let needed = handshake::width(app)?;
    if let Some(parts) = three(app, area, needed) {
        return Some(parts);
    }
    let chain = area.width.checked_sub(needed.checked_add(BETWEEN)?)?;
    // The chain takes what is left, up to half of the screen: then arrows grow.
    let chain = chain.min(area.width / 2);
    if chain < CHAIN || chain::height(app, chain)? > usize::from(area.height) {
        return None;
    }
    let left = Rect {
        width: chain,
        ..area
    };
    let right = Rect {
        x: area.x + chain + BETWEEN,
        width: area.width - chain - BETWEEN,
        ..area
    };
    Some(Parts {
        chain: left,
        handshake: right,
        fields: None,
    })
}

/// Chain, handshake and the fields of the selected step, where nothing of the first two is lost by the third.
pub(super) fn three(app: &App, area: Rect, needed: u16) -> Option<Parts> {
    if area.width + 1 < VERY_WIDE {
        return None;
    }
    let least = chain::least_width(app)?.max(CHAIN);
    let all = least
        .checked_add(needed)?
        .checked_add(FIELDS + 2 * BETWEEN)?;
    let spare = area.width.checked_sub(all)?;
    let chain = least + spare / 3;
    if chain::height(app, chain)? > usize::from(area.height) {
        return None;
    }
    let left = Rect {
        width: chain,
        ..area
    };
    let middle = Rect {
        x: area.x + chain + BETWEEN,
        width: needed + spare / 3,
        ..area
    };
    let x = middle.right() + BETWEEN;
    let right = Rect {
        x,
        width: area.right().saturating_sub(x),
        ..area
    };
    Some(Parts {
        chain: left,
        handshake: middle,
        fields: Some(right),
    })
}

/// The tabs of the page, with the marks of what they show.
pub(super) fn tabs(app: &App) -> Vec<Tab> {
    let tabs = VIEWS.iter().map(|view| {
        let tab = Tab::new(view.title);
        (view.mark)(app).map_or(tab.clone(), |mark| tab.mark(mark))
    });
    tabs.collect()
}

/// The tab at a cell of their line, counted from its left edge.
pub fn tab_at(app: &App, cell: usize, width: u16) -> Option<usize> {
    let selected = app.detail.view.index();
    Tabs::new(&tabs(app), selected, &app.theme).at(cell, usize::from(width))
}

/// Draws the decoded fields of a step, and gives the part of the area that they have below their title.
pub(super) fn step_in(app: &mut App, message: usize, area: Rect, buffer: &mut Buffer) -> Rect {
    let fields = handshake::fields(app, message);
    let title = Label::of(Role::Title, handshake::step_title(app, message));
    let heading = wrap(&title, usize::from(area.width));
    let height = (heading.len() as u16).min(area.height / 2);
    let [top, body] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    Widget::render(
        &TextView::new(&heading, &app.theme).wrap(false),
        top,
        buffer,
    );
    StatefulWidget::render(
        &Fields::new(&fields, &app.theme),
        body,
        buffer,
        &mut app.detail.step,
    );
    body
}
