//! Conditions of all objects. One that is as it should be although the path is broken is marked: it tells nothing.

use ngf_ui::Mark;

use super::{Head, ListInfo, Order, head};
use crate::tui::state::ids::ListId;
use crate::tui::{
    state::{
        App,
        ids::ViewId,
        list::{Cell, Row, Target},
        place::Subject,
    },
    views::conditions::mark_of,
};
use ngf_core::{
    diagnosis::{Health, problems::conditions_of},
    model::object::{Condition, ObjectRef},
};
use ngf_text::words;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Conditions,
    name: "conditions",
    title: "Conditions",
    aliases: &["condition", "cond", "status"],
    help: "conditions of all objects, those that are not as they should be first",
    columns: COLUMNS,
    order: Order::Trouble,
    rows,
};

const COLUMNS: &[Head] = &[
    head("OBJECT", 16, 60),
    head("TYPE", 10, 36),
    head("STATUS", 6, 8),
    head("REASON", 8, 36),
    head("SINCE", 5, 6),
    head("MESSAGE", 10, 120),
];

fn rows(app: &App) -> Vec<Row> {
    let snapshot = &app.snapshot;
    let objects = snapshot
        .gateway_classes
        .keys()
        .chain(snapshot.gateways.keys())
        .chain(snapshot.listener_sets.keys())
        .chain(snapshot.routes.keys())
        .chain(snapshot.policies.keys())
        .chain(snapshot.ngf.keys())
        .chain(snapshot.issuers.keys())
        .chain(snapshot.certificates.keys());
    objects
        .flat_map(|object| {
            let conditions = conditions_of(snapshot, object);
            conditions
                .into_iter()
                .map(move |condition| row(app, object, condition))
        })
        .collect()
}

fn row(app: &App, object: &ObjectRef, condition: &Condition) -> Row {
    let topology = &app.diagnosis.topology;
    let is_broken = topology
        .places(object)
        .iter()
        .any(|place| app.diagnosis.health(*place) == Health::Broken);
    let (mark, status) = match mark_of(condition) {
        Mark::Ok if is_broken => (
            Mark::Info,
            format!("{}, although its path is broken", condition.status),
        ),
        mark => (mark, condition.status.clone()),
    };
    let message = if mark == Mark::Info {
        format!("{status}. {}", condition.message)
    } else {
        condition.message.clone()
    };
    Row {
        mark,
        cells: vec![
            object.to_string().into(),
            condition.kind.as_str().into(),
            condition.status.as_str().into(),
            condition.reason.as_str().into(),
            condition.last_transition.map_or_else(Cell::default, |at| {
                Cell::sorted(words::age(at, app.now), -at.as_second())
            }),
            message.into(),
        ],
        target: Target::Tab(Subject::object(topology, object), ViewId::Conditions),
        object: Some(object.clone()),
    }
}
