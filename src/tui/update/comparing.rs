//! Two probes side by side: which ones.

use ngf_ui::{ListState, Mark};

use crate::tui::state::{App, ids::ListId, list::Target, place::Place};

/// The probe of the selected row.
fn selected(app: &App) -> Option<u64> {
    match app.selected_row()?.target {
        Target::Probe(number) => Some(number),
        _ => None,
    }
}

/// Marks the selected probe to compare others with, or takes the mark away.
pub(super) fn mark(app: &mut App) {
    let Some(number) = selected(app) else {
        app.say(Mark::Info, "No probe is selected");
        return;
    };
    if app.marked == Some(number) {
        app.marked = None;
    } else {
        app.marked = Some(number);
        app.say(
            Mark::Info,
            format!("probe {number} is marked: = on another one compares both"),
        );
    }
    if let Some(pane) = app.lists.get_mut(&ListId::Probes) {
        pane.made_for = None;
    }
}

/// Compares the selected probe with the marked one; where none is marked, with the probe before it of the same
/// connection.
pub(super) fn open(app: &mut App) {
    let Some(number) = selected(app) else {
        app.say(Mark::Info, "No probe is selected");
        return;
    };
    let marked = app.marked.filter(|marked| *marked != number);
    let before = || {
        let this = app.probed.iter().find(|seen| seen.number == number)?;
        let key = this.probed.plan.key();
        let mut others = app.probed.iter().rev();
        let other = others.find(|seen| seen.number < number && seen.probed.plan.key() == key)?;
        Some(other.number)
    };
    match marked.or_else(before) {
        Some(other) => {
            app.places.open(Place::Diff(other, number), &mut app.detail);
            app.detail.diff = ListState::default();
        }
        None => app.say(
            Mark::Info,
            "This is the first probe of its connection: mark another one with space",
        ),
    }
}
