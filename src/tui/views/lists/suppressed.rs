//! Findings that somebody decided to accept, with the reason, and decisions that have ended or meet nothing.

use ngf_ui::Mark;

use super::{Head, ListInfo, Order, head};
use crate::tui::state::ids::ListId;
use crate::tui::state::{
    App,
    ids::ViewId,
    list::{Row, Target},
    place::Subject,
};
use ngf_core::diagnosis::suppress::{Suppressed, Suppression};

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Suppressed,
    name: "suppressed",
    title: "Suppressed",
    aliases: &["suppress", "ignored", "accepted"],
    help: "findings that somebody decided to accept: by an ignore file, the configuration or an annotation",
    columns: COLUMNS,
    order: Order::Given("in the order of the findings"),
    rows,
};

const COLUMNS: &[Head] = &[
    head("CODE", 6, 8),
    head("OBJECT", 14, 36),
    head("STATE", 8, 24),
    head("REASON", 10, 40),
    head("FINDING", 10, 120),
    head("BY", 10, 60),
];

fn rows(app: &App) -> Vec<Row> {
    let filtered = &app.diagnosis.filtered;
    let accepted = filtered.suppressed.iter().map(|one| accepted(app, one));
    let expired = filtered.expired.iter();
    let expired = expired.map(|by| entry(by, "expired", "The finding is reported again."));
    let unused = filtered.unused.iter();
    let unused = unused.map(|by| entry(by, "no finding", "Nothing has this code here."));
    let unreadable = filtered.unreadable.iter().map(|why| Row {
        mark: Mark::Warning,
        cells: ["", "", "unreadable", "", why, ""].map(Into::into).to_vec(),
        target: Target::Nothing("The annotation cannot be read"),
        object: None,
    });
    accepted
        .chain(expired)
        .chain(unused)
        .chain(unreadable)
        .collect()
}

fn accepted(app: &App, one: &Suppressed) -> Row {
    let Suppressed { finding, by } = one;
    let until = by
        .until
        .map_or_else(|| "suppressed".to_owned(), |until| format!("until {until}"));
    let subject = Subject::object(&app.diagnosis.topology, &finding.subject);
    Row {
        mark: Mark::Info,
        cells: vec![
            finding.code.to_string().into(),
            finding.subject.to_string().into(),
            until.into(),
            by.reason.clone().into(),
            finding.title.clone().into(),
            by.place.clone().into(),
        ],
        target: Target::Tab(subject, ViewId::Conditions),
        object: Some(finding.subject.clone()),
    }
}

/// A decision that suppresses nothing.
fn entry(by: &Suppression, state: &str, says: &str) -> Row {
    Row {
        mark: Mark::Warning,
        cells: vec![
            by.code.to_string().into(),
            by.what().into(),
            state.into(),
            by.reason.clone().into(),
            says.into(),
            by.place.clone().into(),
        ],
        target: Target::Nothing("This suppression has no finding"),
        object: None,
    }
}
