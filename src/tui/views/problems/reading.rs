//! The home screen while a cluster is being read: how many kinds are still to come, and what the status of each Gateway
//! says. No rule has been asked yet, so that nothing is called healthy or broken.

use super::{INDENT, entry::hang_at, state::nothing};
use crate::tui::state::App;
use ngf_core::{
    diagnosis::words::count as counted,
    model::{
        kinds::Gateway,
        object::{Condition, Object},
    },
};
use ngf_ui::{
    Label, Mark, Role,
    text::{hang, wrap},
    widgets::entries::Entry,
};

/// Gateways that are named one by one.
const NAMED: usize = 8;

/// The entry where there is no problem, and nothing else to say.
pub(super) fn empty_entry(app: &App, width: usize) -> Entry {
    let is_reading = app.diagnosis.loading > 0;
    if is_reading && !app.snapshot.gateways.is_empty() {
        return Entry::of(reading(app, width));
    }
    Entry::of(wrap(&nothing(app), width))
}

fn reading(app: &App, width: usize) -> Vec<Label> {
    let mut gateways: Vec<&Object<Gateway>> =
        app.snapshot.gateways.values().map(|g| &**g).collect();
    gateways.sort_by_key(|gateway| programmed(gateway).is_some_and(|one| one.status == "True"));
    let sign = Label::new().mark(Mark::Unknown, &app.theme).text(" ");
    let headline = format!(
        "Reading: {} to come. Problems are shown when all kinds have been read.",
        counted(app.diagnosis.loading, "kind"),
    );
    let mut lines = hang_at(&sign, &Label::of(Role::Unknown, headline), width);
    let indent = Label::from(" ".repeat(INDENT));
    let mut say = |role: Role, text: String| {
        lines.extend(hang(&indent, &Label::of(role, text), width));
    };
    for gateway in gateways.iter().take(NAMED) {
        let listeners = counted(gateway.spec.listeners.len(), "listener");
        let text = format!("{}: {}, {listeners}", gateway.reference, status(gateway));
        say(Role::Normal, text);
    }
    if let Some(more @ 1..) = gateways.len().checked_sub(NAMED) {
        let words = format!("{} more; :gateways lists all", counted(more, "Gateway"));
        say(Role::Muted, words);
    }
    lines
}

fn programmed(gateway: &Object<Gateway>) -> Option<&Condition> {
    let mut conditions = gateway.status.conditions.iter();
    conditions.find(|condition| condition.kind == "Programmed")
}

/// What the status says, as its controller wrote it.
fn status(gateway: &Object<Gateway>) -> String {
    match programmed(gateway) {
        Some(condition) if condition.status == "True" => "Programmed is True".to_owned(),
        Some(condition) => format!("Programmed is {} ({})", condition.status, condition.reason),
        None => "no condition Programmed yet".to_owned(),
    }
}
