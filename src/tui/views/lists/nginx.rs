//! nginx: its configuration for each connection to a backend, directive by directive, as NGF renders it from the
//! objects and as the data-plane pods use it.

use super::{Head, ListInfo, Order, head, path};
use crate::tui::state::ids::ListId;
use crate::tui::{
    state::{
        App,
        ids::ViewId,
        list::{Row, Target},
        place::Subject,
    },
    views::nginx::{live, mark_of},
};
use ngf_core::diagnosis::{configured::configured, plan::ProbeTarget};

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Nginx,
    name: "nginx",
    title: "nginx",
    aliases: &["ngx", "configuration", "directives"],
    help: "nginx's configuration for each backend: what NGF renders from the objects, and what the data plane uses",
    columns: COLUMNS,
    order: Order::Trouble,
    rows,
};

const COLUMNS: &[Head] = &[
    head("ROUTE", 10, 24),
    head("DIRECTIVE", 12, 28),
    head("FROM THE OBJECTS", 16, 44),
    head("IN USE", 8, 60),
    head("BACKEND", 8, 40),
];

fn rows(app: &App) -> Vec<Row> {
    let topology = &app.diagnosis.topology;
    let mut rows = Vec::new();
    for gateway in app.snapshot.gateways.keys() {
        let target = ProbeTarget::Gateway(gateway.clone());
        let all = configured(&app.snapshot, topology, &app.evidence, &target, app.now);
        for one in all.unwrap_or_default() {
            let connection = &one.connection;
            for line in &one.lines {
                rows.push(Row {
                    mark: mark_of(line.state),
                    cells: vec![
                        path(&connection.route).into(),
                        line.name.as_str().into(),
                        line.predicted.clone().unwrap_or_default().into(),
                        live(line, &one).into(),
                        format!("{}:{}", path(&connection.service), connection.port).into(),
                    ],
                    target: Target::Tab(
                        Subject::object(topology, &connection.route),
                        ViewId::Nginx,
                    ),
                    object: Some(connection.route.clone()),
                });
            }
        }
    }
    // The same connection through two listeners is configured twice, and told once.
    let mut told = std::collections::BTreeSet::new();
    rows.retain(|row: &Row| {
        let cells: Vec<&str> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
        told.insert(cells.join("\n"))
    });
    rows
}
