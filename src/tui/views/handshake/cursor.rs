//! The step that the cursor is on, and the one that fails.

use super::diagram;
use super::view::guide_of;
use crate::tui::state::ids::ViewId;
use crate::tui::state::{App, Zoom};
use crate::tui::views::chain;

/// The entry of the step that fails; `None` where none does, or no handshake was run.
pub fn at_fault(app: &App) -> Option<usize> {
    diagram::at_fault(&guide_of(app)?)
}

/// The number of the message that is selected; the number after the last one stands for what is around them.
pub fn selected_message(app: &App) -> usize {
    let selected = app.detail.messages.selected;
    if app.detail.zoom == Zoom::Wire {
        return selected;
    }
    let Some(arrows) = guide_of(app) else {
        return selected;
    };
    let rows = diagram::rows(&arrows);
    rows.get(selected)
        .map_or(arrows.len(), |row| row.arrows.start)
}

/// The numbers of the arrows with which a direction of trust begins: the gateway's certificate, the backend's.
pub(super) const PROOFS: [&str; 2] = ["5", "7"];

/// The row that belongs to the direction of trust on which the chain's cursor is; the fault, where that is broken.
pub(super) fn shared_row(app: &App) -> Option<usize> {
    let fault = at_fault(app);
    let Some((direction, is_broken)) = chain::direction(app) else {
        return fault;
    };
    if is_broken && fault.is_some() {
        return fault;
    }
    let arrows = guide_of(app)?;
    let number = PROOFS.get(direction)?;
    let rows = diagram::rows(&arrows);
    let is_it = |row: &diagram::Row| {
        let mut own = arrows[row.arrows.clone()].iter();
        own.any(|arrow| arrow.message.number == *number)
    };
    rows.iter().position(is_it).or(fault)
}

/// The direction of trust that the selected step belongs to, from 0.
pub(in crate::tui::views) fn direction(app: &App) -> Option<usize> {
    let arrows = guide_of(app)?;
    let number = &arrows.get(selected_message(app))?.message.number;
    match number.as_str() {
        "4" | "5" | "6" => Some(0),
        "7" | "8" => Some(1),
        _ => None,
    }
}

/// The message that the cursor is on, or where the chain has the keys the one that fails.
pub fn pointed_at(app: &App) -> usize {
    if app.detail.view == ViewId::Handshake {
        return selected_message(app);
    }
    let Some(arrows) = guide_of(app) else {
        return 0;
    };
    let rows = diagram::rows(&arrows);
    let fault = shared_row(app).and_then(|row| rows.get(row));
    fault.map_or(arrows.len(), |row| row.arrows.start)
}
