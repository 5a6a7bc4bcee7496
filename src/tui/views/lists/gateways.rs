//! Gateways: class, addresses, listeners, and how many routes are attached.

use std::collections::BTreeSet;

use super::{Head, ListInfo, Order, head, path};
use crate::tui::state::ids::ListId;
use crate::tui::{
    state::{
        App,
        list::{Cell, Row, Target},
        place::Subject,
    },
    views::findings::mark_of_health,
};
use ngf_core::model::topology::NodeKind;
use ngf_text::words;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Gateways,
    name: "gateways",
    title: "Gateways",
    aliases: &["gateway", "gw", "gtw"],
    help: "Gateways with their class, addresses, listeners and attached routes",
    columns: COLUMNS,
    order: Order::Trouble,
    rows,
};

const COLUMNS: &[Head] = &[
    head("STATE", 7, 20),
    head("GATEWAY", 12, 50),
    head("CLASS", 5, 24),
    head("ADDRESS", 7, 40),
    head("LISTENERS", 9, 40),
    head("ROUTES", 6, 8),
    head("CLIENT CERTIFICATE", 10, 50),
    head("AGE", 3, 6),
];

fn rows(app: &App) -> Vec<Row> {
    let topology = &app.diagnosis.topology;
    let gateways = app.snapshot.gateways.iter();
    gateways
        .map(|(object, gateway)| {
            let place = topology.places(object).first().copied();
            let health = place
                .map(|place| app.diagnosis.health(place))
                .unwrap_or_default();
            let routes: BTreeSet<_> = place
                .into_iter()
                .flat_map(|place| topology.subtree(place))
                .map(|node| topology.node(node))
                .filter(|node| matches!(node.what, NodeKind::Route { .. }))
                .filter_map(|node| node.object.as_ref())
                .collect();
            let spec = &gateway.spec;
            let listeners = spec.listeners.iter();
            let listeners: Vec<String> = listeners
                .map(|one| format!("{}:{}", one.name, one.port))
                .collect();
            let certificate = spec.client_certificate_ref.as_ref();
            let age = gateway.meta.created;
            Row {
                mark: mark_of_health(health),
                cells: vec![
                    health.word().into(),
                    path(object).into(),
                    spec.class.as_str().into(),
                    gateway.status.addresses.join(", ").into(),
                    listeners.join(", ").into(),
                    Cell::count(routes.len()),
                    certificate
                        .map_or("none", |reference| reference.name.as_str())
                        .into(),
                    age.map_or_else(Cell::default, |at| {
                        Cell::sorted(words::age(at, app.now), -at.as_second())
                    }),
                ],
                target: Target::Page(Subject::object(topology, object)),
                object: Some(object.clone()),
            }
        })
        .collect()
}
