//! Moving: selection, panes, tabs.

use ngf_ui::{
    Mark,
    scroll::{ListState, ScrollState},
};

use super::probing;
use crate::{
    app::state::{App, Overlay, Pane, Zoom},
    views::{VIEWS, ViewId},
};
use ngf_core::model::topology::NodeIx;

pub(super) fn move_by(app: &mut App, lines: isize) {
    on_list(
        app,
        |list| list.move_by(lines),
        |scroll| scroll.scroll_by(lines),
    );
}

pub(super) fn page(app: &mut App, down: bool) {
    if down {
        on_list(app, ListState::page_down, ScrollState::page_down);
    } else {
        on_list(app, ListState::page_up, ScrollState::page_up);
    }
}

pub(super) fn end(app: &mut App, last: bool) {
    if last {
        on_list(app, ListState::last, ScrollState::last);
    } else {
        on_list(app, ListState::first, ScrollState::first);
    }
}

/// Moves in whatever has the keys: a list, or a text.
fn on_list(app: &mut App, list: impl FnOnce(&mut ListState), text: impl FnOnce(&mut ScrollState)) {
    match (app.pane, app.detail.view) {
        (Pane::Tree, _) => {
            app.tree.move_selection(&app.diagnosis.topology, list);
            forget_position(app);
        }
        (Pane::Causes, _) => list(&mut app.causes),
        (Pane::Detail, ViewId::Handshake) if app.shown_probe().is_some() => {
            list(&mut app.detail.messages);
        }
        (Pane::Detail, ViewId::Findings) => list(&mut app.detail.findings),
        (Pane::Detail, ViewId::Matrix) => {
            if let Some(matrix) = &mut app.matrix {
                list(&mut matrix.state.rows);
            }
        }
        (Pane::Detail, view) => text(app.detail.scroll.entry(view).or_default()),
    }
}

/// Something else is selected: its tabs are read from their beginning.
fn forget_position(app: &mut App) {
    app.detail.scroll.clear();
    app.detail.messages = ListState::default();
    app.detail.findings = ListState::default();
    app.detail.endpoint = 0;
    app.detail.opened = None;
}

/// Another column of the matrix.
pub(super) fn turn_column(app: &mut App, step: isize) {
    if let Some(matrix) = &mut app.matrix {
        matrix.state.columns.move_by(step);
    }
}

pub(super) fn open(app: &mut App) {
    match (app.pane, app.detail.view) {
        (Pane::Tree, _) => app.pane = Pane::Detail,
        (Pane::Causes, _) => go_to_cause(app, app.causes.selected),
        (Pane::Detail, ViewId::Handshake) if app.shown_probe().is_some() => {
            app.overlay = Some(Overlay::Step(
                app.detail.messages.selected,
                ScrollState::default(),
            ));
        }
        (Pane::Detail, ViewId::Matrix) => probing::open_cell(app),
        (Pane::Detail, _) => {}
    }
}

pub(super) fn back(app: &mut App) {
    if app.toast.take().is_some() {
        return;
    }
    if app.detail.opened.take().is_some() {
        app.detail.messages = ListState::default();
        show_view(app, ViewId::Matrix);
        return;
    }
    if app.pane == Pane::Tree && !app.tree.filter.is_empty() {
        app.tree.set_filter("", &app.diagnosis);
    }
    app.pane = Pane::Tree;
}

pub(super) fn next_pane(app: &App, forwards: bool) -> Pane {
    let panes: &[Pane] = if app.diagnosis.findings.is_empty() {
        &[Pane::Tree, Pane::Detail]
    } else {
        &[Pane::Tree, Pane::Detail, Pane::Causes]
    };
    let here = panes
        .iter()
        .position(|pane| *pane == app.pane)
        .unwrap_or_default();
    let step = if forwards { 1 } else { panes.len() - 1 };
    panes[(here + step) % panes.len()]
}

pub(super) fn show_view(app: &mut App, view: ViewId) {
    app.detail.view = view;
    app.pane = Pane::Detail;
}

pub(super) fn turn_view(app: &mut App, step: usize) {
    let next = (app.detail.view.index() + step) % VIEWS.len();
    show_view(app, VIEWS[next].id);
}

pub(super) fn turn_endpoint(app: &mut App, step: isize) {
    app.detail.opened = None;
    let count = app.probes_of_selected().len();
    if count > 0 {
        let here = app.detail.endpoint % count;
        app.detail.endpoint = (here.cast_signed() + step).rem_euclid(count.cast_signed()) as usize;
        app.detail.messages = ListState::default();
    }
}

pub(super) fn zoom(app: &mut App) {
    app.detail.zoom = match app.detail.zoom {
        Zoom::Guide => Zoom::Wire,
        Zoom::Wire => Zoom::Guide,
    };
    app.detail.messages = ListState::default();
    show_view(app, ViewId::Handshake);
}

pub(super) fn go_to_cause(app: &mut App, finding: usize) {
    if app.diagnosis.findings.is_empty() {
        app.say(Mark::Ok, "No problems found");
        return;
    }
    let finding = finding.min(app.diagnosis.findings.len() - 1);
    app.causes.selected = finding;
    if let Some(node) = place_of_finding(app, finding) {
        app.tree.touched = true;
        app.tree.reveal(node, &app.diagnosis);
        forget_position(app);
        let here = app.diagnosis.findings_below(node);
        app.detail.findings.selected = here
            .iter()
            .position(|index| *index == finding)
            .unwrap_or_default();
    }
    show_view(app, ViewId::Findings);
}

/// Where a finding is shown in the tree, the deepest place first: that is nearest to the trouble.
pub(super) fn place_of_finding(app: &App, finding: usize) -> Option<NodeIx> {
    let topology = &app.diagnosis.topology;
    topology
        .iter()
        .map(|(index, _)| index)
        .filter(|index| app.diagnosis.findings_at(*index).contains(&finding))
        .max_by_key(|index| topology.ancestors(*index).count())
}
