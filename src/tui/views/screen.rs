//! The whole screen: header, breadcrumb, the place that one is at, messages, footer; and a dialog over them.

mod footer;
mod help;
mod messages;
mod page;

pub(super) use self::page::line_before;
use self::{
    footer::footer,
    messages::messages,
    page::{page, step_in},
};
pub use self::{help::help_sections, page::tab_at};

use ngf_ui::{
    Label, Role,
    text::{cut_middle, draw_label, draw_right, width},
    widgets::{rows::Lazy, textview::TextView, tree::Tree},
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Position, Rect},
    style::Style,
    widgets::{StatefulWidget, Widget},
};

use super::{
    VIEWS, ViewId, diff, endpoint_matrix, findings::mark_of_health, handshake, header, lists,
    overlays, problems, search,
};
use crate::tui::state::{App, Hit, place::Place};
use ngf_core::model::{
    kind::Kind,
    snapshot::KindState,
    topology::{Node, NodeKind},
};

/// Draws everything; where the cursor belongs, if somewhere.
pub fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    app.hits.clear();
    let messages = messages(app, area);
    let height = messages.len() as u16;
    let [top, way, main, strip, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(height),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(app, top, buffer);
    breadcrumb(app, way, buffer);
    place(app, main, buffer);
    let lines = TextView::new(&messages, &app.theme).wrap(false);
    Widget::render(&lines, inset(strip), buffer);
    let cursor = footer(app, bottom, buffer);
    overlays::draw(app, area, buffer).or(cursor)
}

/// One blank cell at the left.
fn inset(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1).min(area.right()),
        width: area.width.saturating_sub(1),
        ..area
    }
}

/// Where the person is, and how they came there.
pub fn trail(app: &App) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let places: Vec<&Place> = app.places.places().collect();
    for (index, place) in places.iter().enumerate() {
        let is_last = index + 1 == places.len();
        match place {
            Place::Problems => names.push("Problems".to_owned()),
            Place::Tree => names.push("Tree".to_owned()),
            Place::List(id) => names.push(id.info().title.to_owned()),
            Place::Matrix => names.push("Matrix".to_owned()),
            Place::Diff(one, other) => names.push(format!("probes {one} and {other}")),
            Place::Page(subject) => {
                // A page that was opened again, on another tab, is named once.
                let is_same =
                    index > 0 && matches!(places[index - 1], Place::Page(one) if one == subject);
                if !is_same {
                    names.push(subject.name.clone());
                }
                let is_top = is_last || matches!(places.get(index + 1), Some(Place::Step(_)));
                if is_top {
                    names.push(VIEWS[app.detail.view.index()].title.to_owned());
                }
            }
            Place::Step(message) => names.push(handshake::step_name(app, *message)),
        }
    }
    names
}

/// The same as a line.
fn breadcrumb(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let theme = &app.theme.clone();
    let mut names = trail(app);
    let last = names.pop().unwrap_or_default();
    let separator = format!(" {} ", theme.glyphs.more_right);
    let mut before = String::new();
    for name in &names {
        before.push_str(name);
        before.push_str(&separator);
    }
    let mut area = inset(area);
    if matches!(app.place(), Place::Page(_)) && app.detail.view == ViewId::Handshake {
        let from = Label::of(Role::Muted, "via ").and(Role::Accent, app.via.to_string());
        let used = draw_right(&from, area, buffer, theme);
        area.width = area.width.saturating_sub(used + 1);
    }
    let room = usize::from(area.width).saturating_sub(width(&last));
    if width(&before) <= room {
        let mut x = area.x;
        for (depth, name) in names.iter().chain([&last]).enumerate() {
            let cells = width(name) as u16;
            let place = Rect {
                x,
                width: cells,
                ..area
            };
            app.hits.push((place, Hit::Crumb(depth)));
            x = x.saturating_add(cells + width(&separator) as u16);
        }
    }
    let line = Label::of(
        Role::Muted,
        cut_middle(&before, room, theme.glyphs.ellipsis),
    )
    .and(Role::Title, last);
    draw_label(&line, area, buffer, theme, Style::new());
}

/// The place itself.
pub fn place(app: &mut App, area: Rect, buffer: &mut Buffer) {
    match app.place().clone() {
        Place::Problems => {
            let list = problems::draw(app, area, buffer);
            app.hits.push((list, Hit::Body(None)));
        }
        Place::Tree => tree(app, area, buffer),
        Place::List(id) => {
            app.hits.push((inset(area), Hit::Body(None)));
            lists::draw(app, id, inset(area), buffer);
        }
        Place::Diff(one, other) => {
            app.searched = inset(area);
            diff::draw(app, one, other, inset(area), buffer);
        }
        Place::Matrix => {
            app.searched = inset(area);
            endpoint_matrix::draw(app, inset(area), buffer);
        }
        Place::Page(_) => page(app, area, buffer),
        Place::Step(message) => app.searched = step_in(app, message, inset(area), buffer),
    }
    search::mark(app, buffer);
}

fn tree(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let area = inset(area);
    let mut state = app.tree.state;
    let (skeleton, nodes) = (app.tree.rows(), app.tree.visible());
    let diagnosis = &app.diagnosis;
    let rows = Lazy::new(skeleton.len(), |index: usize| {
        let (node, mut row) = (nodes[index], skeleton[index].clone());
        row.label = label(diagnosis.topology.node(node));
        row.mark = Some(mark_of_health(diagnosis.health(node)));
        row
    });
    let [line, area] = Layout::vertical([
        Constraint::Length(u16::from(!app.tree.filter.is_empty())),
        Constraint::Min(0),
    ])
    .areas(area);
    let filter = Label::of(Role::Accent, format!("/{}", app.tree.filter.text()));
    draw_label(&filter, line, buffer, &app.theme, Style::new());
    Tree::new(&rows, &app.theme)
        .focused(true)
        .found(&|text| app.tree.filter.places(text))
        .empty(empty_words(app))
        .render(area, buffer, &mut state);
    app.tree.state = state;
    app.hits.push((area, Hit::Body(None)));
}

/// What to say where there is nothing.
pub(super) fn empty_words(app: &App) -> &'static str {
    if !app.tree.filter.is_empty() {
        "Nothing matches the filter."
    } else if app.diagnosed_at.is_none() {
        "Reading…"
    } else if may_not_be_read(app) {
        "No GatewayClass, Gateway or route may be read: the problems name the rule to add."
    } else {
        "No GatewayClass, Gateway or route was found here. Try -A for all namespaces."
    }
}

/// Whether neither Gateways nor routes may be read.
fn may_not_be_read(app: &App) -> bool {
    [Kind::Gateway, Kind::HTTPRoute]
        .iter()
        .all(|kind| matches!(app.snapshot.kinds.get(kind), Some(KindState::Denied(_))))
}

fn label(node: &Node) -> Label {
    let mut label = Label::of(Role::Normal, node.name.to_string());
    let kind = match (&node.what, &node.object) {
        (NodeKind::Route { .. } | NodeKind::Policy { .. }, Some(object)) => {
            Some(object.kind.name())
        }
        (NodeKind::Class | NodeKind::Gateway | NodeKind::ListenerSet, _) => Some(node.what.word()),
        _ => None,
    };
    if let Some(note) = &node.note {
        label.push(Role::Muted, format!(" {note}"));
    }
    if let Some(kind) = kind {
        label.push(Role::Muted, format!(" ({kind})"));
    }
    label
}
