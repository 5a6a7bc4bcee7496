//! Endpoints: every address that nginx connects to, the pod behind it, and what the last probe came to.

use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::transcript::Outcome;

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
use ngf_core::{diagnosis::evidence::Probed, model::topology::NodeKind};
use ngf_text::host_and_port;
use ngf_text::words;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Endpoints,
    name: "endpoints",
    title: "Endpoints",
    aliases: &["endpoint", "ep", "eps"],
    help: "endpoints with their pods, and what the last probe of each came to",
    columns: COLUMNS,
    order: Order::Trouble,
    rows,
};

const COLUMNS: &[Head] = &[
    head("STATE", 7, 20),
    head("ENDPOINT", 14, 48),
    head("POD", 8, 50),
    head("SERVICE", 8, 40),
    head("ROUTE", 8, 40),
    head("READY", 5, 5),
    head("LAST PROBE", 10, 12),
    head("RESULT", 6, 80),
];

fn rows(app: &App) -> Vec<Row> {
    let mut probes: BTreeMap<(&str, u16), &Probed> = BTreeMap::new();
    for probed in app.evidence.probes() {
        let endpoint = &probed.plan.endpoint;
        let last = probes
            .entry((endpoint.address.as_str(), endpoint.port))
            .or_insert(probed);
        if rank(probed) > rank(last) {
            *last = probed;
        }
    }
    let topology = &app.diagnosis.topology;
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for (place, node) in topology.iter() {
        let NodeKind::Endpoint(endpoint) = &node.what else {
            continue;
        };
        let route = topology.above(place, |node| match node.what {
            NodeKind::Route { .. } => node.object.as_ref(),
            _ => None,
        });
        let service = topology.above(place, |node| match &node.what {
            NodeKind::Backend(backend) => backend.service.as_ref(),
            _ => None,
        });
        if !seen.insert((endpoint.address.as_str(), endpoint.port, route, service)) {
            continue;
        }
        let health = app.diagnosis.health(place);
        let probe = probes.get(&(endpoint.address.as_str(), endpoint.port));
        rows.push(Row {
            mark: mark_of_health(health),
            cells: vec![
                health.word().into(),
                host_and_port(&endpoint.address, endpoint.port).into(),
                endpoint
                    .pod
                    .as_ref()
                    .map_or_else(Cell::default, |pod| path(pod).into()),
                service.map_or_else(Cell::default, |service| path(service).into()),
                route.map_or_else(Cell::default, |route| path(route).into()),
                if endpoint.ready {
                    "yes".into()
                } else {
                    "no".into()
                },
                probe.map_or_else(
                    || "never".into(),
                    |probed| Cell::sorted(words::age(probed.at, app.now), -probed.at.as_second()),
                ),
                probe.map_or_else(Cell::default, |probed| result(probed).into()),
            ],
            target: Target::Page(Subject::node(topology, place)),
            object: node.object.clone(),
        });
    }
    rows
}

/// A failing probe tells more than a good one, a newer one more than an older one.
fn rank(probed: &Probed) -> (bool, jiff::Timestamp) {
    let failed = !matches!(&probed.result, Ok(seen) if seen.nginx.outcome == Outcome::Ok);
    (failed, probed.at)
}

/// What a probe came to, in a sentence.
pub(super) fn result(probed: &Probed) -> String {
    match &probed.result {
        Ok(seen) => seen.nginx.sentence.clone(),
        Err(why) => format!("could not run: {why}"),
    }
}
