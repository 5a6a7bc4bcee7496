//! The mouse: the wheel scrolls, a click selects what is under it, opens what was selected already, and goes to a
//! tab or to a place of the breadcrumb.

use crossterm::event::{KeyCode, KeyEvent};
use ngf_ui::input::{Mouse, MouseKind};
use ratatui::layout::{Position, Rect};

use super::{keys, moving, opening};
use crate::tui::{
    state::{App, Hit, event::Effect, ids::ViewId, place::Place},
    views::{VIEWS, chain, handshake, lists, problems, screen, yaml},
};

/// Lines that a turn of the wheel moves by.
const WHEEL: isize = 3;

/// Something was done with the mouse.
pub(super) fn pointed(app: &mut App, mouse: Mouse) -> Vec<Effect> {
    let up = match mouse.kind {
        MouseKind::WheelUp => true,
        MouseKind::WheelDown => false,
        MouseKind::Click => return clicked(app, mouse),
    };
    if app.overlay.is_some() {
        // What lies over the screen has the wheel, as it has the keys.
        let key = if up { KeyCode::Up } else { KeyCode::Down };
        let turns = (0..WHEEL).flat_map(|_| keys::pressed(app, KeyEvent::from(key)));
        return turns.collect();
    }
    moving::move_by(app, if up { -WHEEL } else { WHEEL });
    Vec::new()
}

fn clicked(app: &mut App, mouse: Mouse) -> Vec<Effect> {
    if app.overlay.is_some() {
        return Vec::new();
    }
    let at = Position {
        x: mouse.column,
        y: mouse.row,
    };
    let hit = app.hits.iter().rev().find(|(area, _)| area.contains(at));
    let Some((area, hit)) = hit.copied() else {
        return Vec::new();
    };
    match hit {
        Hit::Crumb(depth) => {
            // Places that were opened one upon the other are left one by one, as by Esc.
            while screen::trail(app).len() > depth + 1 {
                let before = screen::trail(app).len();
                if !app.places.back(&mut app.detail) || screen::trail(app).len() >= before {
                    break;
                }
            }
            Vec::new()
        }
        Hit::Tabs => match screen::tab_at(app, usize::from(at.x - area.x), area.width) {
            Some(index) => opening::show_view(app, VIEWS[index].id),
            None => Vec::new(),
        },
        Hit::Body(view) => clicked_in(app, area, at.y, view),
    }
}

/// A click in what the screen is about: selects the row, or opens it where it was selected.
fn clicked_in(app: &mut App, area: Rect, y: u16, view: Option<ViewId>) -> Vec<Effect> {
    if let Some(view) = view.filter(|view| *view != app.detail.view) {
        // The other one of two that stand side by side.
        app.detail.view = view;
    }
    let Some(row) = row_at(app, area, y) else {
        return Vec::new();
    };
    let state = match (app.place().clone(), app.detail.view) {
        (Place::Problems, _) => {
            app.tree.touched = true;
            &mut app.home.list
        }
        (Place::Tree, _) => {
            let before = app.tree.state.selected;
            let topology = &app.diagnosis.topology;
            app.tree
                .move_selection(topology, |list| list.selected = row);
            return open_if(app, before == row);
        }
        (Place::List(id), _) => match app.lists.get_mut(&id) {
            Some(pane) => &mut pane.state,
            None => return Vec::new(),
        },
        (Place::Page(_), ViewId::Chain) => &mut app.detail.links,
        (Place::Page(_), ViewId::Handshake) => {
            app.detail.replay = None;
            &mut app.detail.messages
        }
        (Place::Page(_), ViewId::Yaml) => &mut app.detail.yaml.list,
        _ => return Vec::new(),
    };
    let was_selected = state.selected == row;
    state.selected = row;
    open_if(app, was_selected)
}

fn open_if(app: &mut App, is_selected: bool) -> Vec<Effect> {
    if is_selected {
        opening::open(app)
    } else {
        Vec::new()
    }
}

/// The row of the list that stands at a line of the screen.
fn row_at(app: &App, area: Rect, y: u16) -> Option<usize> {
    match (app.place(), app.detail.view) {
        (Place::Problems, _) => problems::at(app, area, y),
        (Place::Tree, _) => {
            let row = app.tree.state.offset + usize::from(y.checked_sub(area.y)?);
            (row < app.tree.visible().len()).then_some(row)
        }
        (Place::List(id), _) => lists::at(app, *id, area, y),
        (Place::Page(_), ViewId::Chain) if !app.detail.unfolded => chain::at(app, area, y),
        (Place::Page(_), ViewId::Handshake) => handshake::at(app, area, y),
        (Place::Page(_), ViewId::Yaml) => yaml::at(app, area, y),
        _ => None,
    }
}
