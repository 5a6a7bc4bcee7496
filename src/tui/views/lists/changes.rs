//! Changes: what happened and when, as far as objects, logs and the data plane's disk tell, and what was seen to
//! change while the program ran. The newest comes first.

use std::cmp::Reverse;

use jiff::Timestamp;
use ngf_ui::Mark;

use super::{Head, ListInfo, Order, head};
use crate::tui::state::ids::ListId;
use crate::tui::state::{
    App,
    ids::ViewId,
    list::{Cell, Row, Target},
    place::Subject,
};
use ngf_core::{
    diagnosis::changes::{Moment, moments},
    model::kind::Kind,
};
use ngf_text::words;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Changes,
    name: "changes",
    title: "Changes",
    aliases: &["change", "changed", "timeline"],
    help: "what changed and when: objects, conditions, certificates, first log lines; /11:52 leaves one minute",
    columns: COLUMNS,
    order: Order::Given("newest first"),
    rows,
};

const COLUMNS: &[Head] = &[
    head("WHEN", 12, 16),
    head("OBJECT", 14, 28),
    head("WHAT", 14, 60),
    head("AGO", 3, 6),
    head("DETAIL", 10, 200),
];

fn rows(app: &App) -> Vec<Row> {
    let mut all: Vec<(Moment, bool)> = moments(&app.snapshot, &app.evidence, app.now)
        .into_iter()
        .map(|moment| (moment, false))
        .collect();
    all.extend(app.changes.log().map(|change| {
        let moment = Moment {
            at: change.at,
            object: change.object.clone(),
            what: change.what.clone(),
            detail: "seen by this program".to_owned(),
            is_bad: false,
        };
        (moment, true)
    }));
    all.sort_by_key(|(moment, _)| Reverse(moment.at));
    let rows = all.into_iter();
    rows.map(|(moment, seen)| row(app, moment, seen)).collect()
}

fn row(app: &App, moment: Moment, seen: bool) -> Row {
    let topology = &app.diagnosis.topology;
    let mark = match (moment.is_bad, seen) {
        (true, _) => Mark::Failed,
        (false, true) => Mark::Warning,
        (false, false) => Mark::Info,
    };
    let view = match moment.object.kind {
        Kind::Pod if moment.is_bad => ViewId::Logs,
        Kind::Secret | Kind::ConfigMap | Kind::Service => ViewId::Yaml,
        _ => ViewId::Conditions,
    };
    Row {
        mark,
        cells: vec![
            Cell::sorted(when(moment.at, app.now), -moment.at.as_second()),
            moment.object.to_string().into(),
            moment.what.into(),
            Cell::sorted(words::age(moment.at, app.now), -moment.at.as_second()),
            moment.detail.into(),
        ],
        target: Target::Tab(Subject::object(topology, &moment.object), view),
        object: Some(moment.object),
    }
}

/// `11:52:03 UTC` within a day, `2026-05-02 11:52` before.
fn when(at: Timestamp, now: Timestamp) -> String {
    let form = if now.as_second() - at.as_second() < 86_400 {
        "%H:%M:%S UTC"
    } else {
        "%Y-%m-%d %H:%M"
    };
    at.strftime(form).to_string()
}
