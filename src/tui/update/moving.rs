//! Moving: what is selected, where it is scrolled to, which tab is on top.

use ngf_ui::scroll::{ListState, ScrollState};

use super::opening;
use crate::tui::{
    state::{App, Zoom, event::Effect, ids::ViewId, list::ListPane, place::Place},
    views::{VIEWS, lists, problems, yaml},
};

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

/// Half a page; at least a line.
pub(super) fn half_page(app: &mut App, direction: isize) {
    let half = |page: usize| (page / 2).max(1).cast_signed() * direction;
    on_list(
        app,
        |list| list.move_by(half(list.page)),
        |scroll| scroll.scroll_by(half(scroll.page)),
    );
}

pub(super) fn end(app: &mut App, last: bool) {
    if last {
        on_list(app, ListState::last, ScrollState::last);
    } else {
        on_list(app, ListState::first, ScrollState::first);
    }
}

/// Moves in what is on the screen: a list, or a text.
fn on_list(app: &mut App, list: impl FnOnce(&mut ListState), text: impl FnOnce(&mut ScrollState)) {
    match (app.place(), app.detail.view) {
        (Place::Problems, _) => {
            app.home.list = app.home.list.of(problems::count(app));
            list(&mut app.home.list);
            app.tree.touched = true;
        }
        (Place::List(id), _) => {
            let id = *id;
            lists::refresh(app, id);
            if let Some(pane) = app.lists.get_mut(&id) {
                pane.state = pane.state.of(pane.shown.len());
                list(&mut pane.state);
            }
        }
        (Place::Tree, _) => app.tree.move_selection(&app.diagnosis.topology, list),
        (Place::Matrix, _) => {
            if let Some(matrix) = &mut app.matrix {
                list(&mut matrix.state.rows);
            }
        }
        (Place::Step(_), _) => text(&mut app.detail.step),
        (Place::Diff(..), _) => list(&mut app.detail.diff),
        (Place::Page(_), ViewId::Chain) if !app.detail.unfolded => list(&mut app.detail.links),
        (Place::Page(_), ViewId::Handshake) if app.shown_probe().is_some() => {
            app.detail.replay = None;
            list(&mut app.detail.messages);
        }
        (Place::Page(_), ViewId::Findings) => list(&mut app.detail.findings),
        (Place::Page(_), ViewId::Yaml) => list(&mut app.detail.yaml.list),
        (Place::Page(_), view) => text(app.detail.scroll.entry(view).or_default()),
    }
}

/// Another column of the matrix; in a list the columns further to a side.
pub(super) fn turn_column(app: &mut App, step: isize) {
    if let Some((_, pane)) = list_on_screen(app) {
        pane.turn_column(step);
        return;
    }
    if let Some(matrix) = &mut app.matrix {
        matrix.state.columns.move_by(step);
    }
}

pub(super) fn turn_view(app: &mut App, step: usize) -> Vec<Effect> {
    let next = (app.detail.view.index() + step) % VIEWS.len();
    opening::show_view(app, VIEWS[next].id)
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
    app.detail.replay = None;
}

/// What space does: unfolds, or folds again.
pub(super) fn toggle(app: &mut App) {
    match app.place() {
        Place::Tree => app.tree.toggle(&app.diagnosis),
        Place::Page(_) if app.detail.view == ViewId::Yaml => yaml::fold(app),
        Place::Page(_) => app.detail.unfolded = !app.detail.unfolded,
        Place::Problems => {
            let Some(problem) = app.selected_problem() else {
                return;
            };
            let kind = ngf_core::diagnosis::problems::ProblemKey {
                subject: None,
                ..problem.key.clone()
            };
            let is_folded = problem.key.subject.is_none();
            if is_folded && app.home.unfolded.insert(kind.clone()) {
                // It is unfolded now.
            } else if !app.home.unfolded.remove(&kind) {
                app.say(ngf_ui::Mark::Info, "This problem is one of its kind");
                return;
            }
            super::group_problems(app);
        }
        Place::List(_) | Place::Matrix | Place::Step(_) | Place::Diff(..) => {}
    }
}

/// Sorts the list by its next column.
pub(super) fn sort(app: &mut App) {
    if let Some((columns, pane)) = list_on_screen(app) {
        pane.sort_by_next(columns);
    }
}

/// Turns the order of the list around.
pub(super) fn reverse(app: &mut App) {
    if let Some((_, pane)) = list_on_screen(app) {
        pane.reverse();
    }
}

/// The list that is on the screen, and how many columns it has.
fn list_on_screen(app: &mut App) -> Option<(usize, &mut ListPane)> {
    let Place::List(id) = *app.place() else {
        return None;
    };
    let pane = app.lists.get_mut(&id)?;
    Some((lists::heads(pane, id.info()).len(), pane))
}
