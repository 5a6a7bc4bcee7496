//! Where the person has been: back and forward as in a browser, and to the last place and back again.

use crate::tui::state::{App, Opened, ids::ViewId, place::Place};
use ngf_core::diagnosis::problems::FieldAt;
use ngf_ui::ListState;

/// So many places are remembered.
const MOST: usize = 100;

/// A place with those below it, and what was opened there.
#[derive(Debug, Clone)]
pub struct Visit {
    places: Vec<Place>,
    view: ViewId,
    opened: Option<Opened>,
    field: Option<FieldAt>,
    messages: ListState,
    links: ListState,
}

impl Visit {
    /// Where the person is.
    pub fn of(app: &App) -> Self {
        let detail = &app.detail;
        Self {
            places: app.places.places().cloned().collect(),
            view: detail.view,
            opened: detail.opened.clone(),
            field: detail.field.clone(),
            messages: detail.messages,
            links: detail.links,
        }
    }

    /// Whether both are one place, on one tab.
    pub fn is_same_place(&self, other: &Self) -> bool {
        self.places == other.places && self.view == other.view
    }

    /// Goes there.
    fn restore(self, app: &mut App) {
        app.places.home(&mut app.detail);
        for place in self.places.into_iter().skip(1) {
            app.places.open(place, &mut app.detail);
        }
        let detail = &mut app.detail;
        detail.view = self.view;
        detail.opened = self.opened;
        detail.field = self.field;
        detail.messages = self.messages;
        detail.links = self.links;
    }
}

/// Places that were left, on both sides of the one that is on the screen.
#[derive(Debug, Default)]
pub struct History {
    past: Vec<Visit>,
    future: Vec<Visit>,
}

impl History {
    /// Remembers where the person was, if they are somewhere else now.
    pub fn note(&mut self, before: Visit, now: &Visit) {
        if before.is_same_place(now) {
            return;
        }
        self.past.push(before);
        if self.past.len() > MOST {
            self.past.remove(0);
        }
        self.future.clear();
    }
}

/// Goes back to where the person was before, or forward again; `false` where there is nothing.
pub fn travel(app: &mut App, back: bool) -> bool {
    let here = Visit::of(app);
    let from = if back {
        &mut app.history.past
    } else {
        &mut app.history.future
    };
    let Some(there) = from.pop() else {
        return false;
    };
    if back {
        app.history.future.push(here);
    } else {
        app.history.past.push(here);
    }
    there.restore(app);
    true
}

/// Goes to the place before this one; a second time leads back here.
pub fn to_last(app: &mut App) -> bool {
    let here = Visit::of(app);
    let Some(there) = app.history.past.pop() else {
        return false;
    };
    app.history.past.push(here);
    there.restore(app);
    true
}
