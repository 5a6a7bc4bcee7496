//! Routes: under which hosts, by which Gateway, and what nginx speaks to their backends.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
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
use ngf_core::{
    diagnosis::evidence::Probed,
    model::{
        object::ObjectRef,
        topology::{Backend, NodeIx, NodeKind},
    },
};
use ngf_text::words;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Routes,
    name: "routes",
    title: "Routes",
    aliases: &["route", "httproute", "httproutes", "hr", "rt"],
    help: "routes with their hosts, and what nginx speaks to their backends",
    columns: COLUMNS,
    order: Order::Trouble,
    rows,
};

const COLUMNS: &[Head] = &[
    head("STATE", 7, 20),
    head("ROUTE", 12, 50),
    head("HOSTS", 8, 40),
    head("GATEWAY", 8, 40),
    head("POLICY", 8, 40),
    head("SPEAKS", 6, 60),
    head("ENDPOINTS", 9, 9),
    head("LAST PROBE", 10, 24),
    head("SINCE", 5, 6),
];

/// What is looked up once for all routes.
struct Known<'a> {
    probes: BTreeMap<(&'a ObjectRef, &'a ObjectRef), &'a Probed>,
    since: BTreeMap<ObjectRef, Timestamp>,
}

impl<'a> Known<'a> {
    fn of(app: &'a App) -> Self {
        let mut probes: BTreeMap<_, &Probed> = BTreeMap::new();
        for probed in app.evidence.probes() {
            let last = probes
                .entry((&probed.plan.gateway, &probed.plan.route))
                .or_insert(probed);
            if rank(probed) > rank(last) {
                *last = probed;
            }
        }
        Self {
            probes,
            since: since(app),
        }
    }
}

/// A failing probe tells more than a good one, a newer one more than an older one.
fn rank(probed: &Probed) -> (bool, Timestamp) {
    let failed = !matches!(&probed.result, Ok(seen) if seen.nginx.outcome == Outcome::Ok);
    (failed, probed.at)
}

/// Since when each route has its first problem.
fn since(app: &App) -> BTreeMap<ObjectRef, Timestamp> {
    let mut since: BTreeMap<ObjectRef, Timestamp> = BTreeMap::new();
    let topology = &app.diagnosis.topology;
    for problem in &app.home.problems {
        let Some(at) = problem.since else { continue };
        let place = problem.place.as_ref().and_then(|id| topology.find(id));
        let route = place.and_then(|place| route_at(app, place));
        let about = problem.findings.iter();
        let about = about.flat_map(|index| app.diagnosis.findings[*index].objects());
        let routes: BTreeSet<&ObjectRef> = about
            .filter(|object| app.snapshot.routes.contains_key(*object))
            .chain(route)
            .collect();
        for route in routes {
            let first = since.entry(route.clone()).or_insert(at);
            *first = at.min(*first);
        }
    }
    since
}

fn route_at(app: &App, place: NodeIx) -> Option<&ObjectRef> {
    app.diagnosis.topology.above(place, |node| match node.what {
        NodeKind::Route { .. } => node.object.as_ref(),
        _ => None,
    })
}

fn rows(app: &App) -> Vec<Row> {
    let known = Known::of(app);
    let topology = &app.diagnosis.topology;
    // A route that several listeners of one Gateway take is one row.
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for (place, node) in topology.iter() {
        let (NodeKind::Route { hostnames }, Some(route)) = (&node.what, &node.object) else {
            continue;
        };
        let gateway = topology.above(place, |node| match node.what {
            NodeKind::Gateway => node.object.as_ref(),
            _ => None,
        });
        if seen.insert((route, gateway)) {
            rows.push(row(app, &known, place, route, hostnames, gateway));
        }
    }
    rows
}

fn row(
    app: &App,
    known: &Known<'_>,
    place: NodeIx,
    route: &ObjectRef,
    hostnames: &[String],
    gateway: Option<&ObjectRef>,
) -> Row {
    let topology = &app.diagnosis.topology;
    let below = || topology.subtree(place).map(|place| topology.node(place));
    let backends: Vec<&Backend> = below()
        .filter_map(|node| match &node.what {
            NodeKind::Backend(backend) => Some(&**backend),
            _ => None,
        })
        .collect();
    let ready: Vec<bool> = below()
        .filter_map(|node| match &node.what {
            NodeKind::Endpoint(endpoint) => Some(endpoint.ready),
            _ => None,
        })
        .collect();
    let up = ready.iter().filter(|ready| **ready).count();
    let policies: BTreeSet<&str> = backends
        .iter()
        .filter_map(|backend| Some(backend.policy.as_ref()?.name.as_str()))
        .collect();
    let policies: Vec<&str> = policies.into_iter().collect();
    let health = app.diagnosis.health(place);
    let probe = gateway.and_then(|gateway| known.probes.get(&(gateway, route)));
    let age = |at: Timestamp| Cell::sorted(words::age(at, app.now), -at.as_second());
    let since = known.since.get(route).copied();
    Row {
        mark: mark_of_health(health),
        cells: vec![
            health.word().into(),
            path(route).into(),
            if hostnames.is_empty() {
                "any".into()
            } else {
                hostnames.join(", ").into()
            },
            gateway.map_or_else(|| "none".into(), |gateway| path(gateway).into()),
            policies.join(", ").into(),
            speaks(app, gateway, &backends).into(),
            Cell::counted(format!("{up}/{}", ready.len()), up),
            probe.map_or_else(|| "never".into(), |probed| last(app, probed)),
            since.map_or_else(Cell::default, age),
        ],
        target: Target::Page(Subject::node(topology, place)),
        object: Some(route.clone()),
    }
}

/// When the last probe was, and what it came to.
fn last(app: &App, probed: &Probed) -> Cell {
    let age = words::age(probed.at, app.now);
    let what = match &probed.result {
        Ok(seen) => seen
            .nginx
            .client_status
            .map_or_else(|| "not known".to_owned(), |status| status.to_string()),
        Err(_) => "could not run".to_owned(),
    };
    Cell::sorted(format!("{what}, {age} ago"), -probed.at.as_second())
}

/// What nginx would speak to the backends: `http`, or TLS with which name, by which CA, with or without a
/// client certificate.
fn speaks(app: &App, gateway: Option<&ObjectRef>, backends: &[&Backend]) -> String {
    let presents = gateway
        .and_then(|gateway| app.snapshot.gateways.get(gateway))
        .is_some_and(|gateway| gateway.spec.client_certificate_ref.is_some());
    let kinds: BTreeSet<String> = backends
        .iter()
        .map(|backend| {
            let policy = backend.policy.as_ref();
            let Some(policy) = policy.and_then(|policy| app.snapshot.policies.get(policy)) else {
                return "http".to_owned();
            };
            let word = if presents { "mTLS" } else { "TLS" };
            let spec = &policy.spec;
            let ca = spec
                .ca_certificate_refs
                .first()
                .map_or("System", |ca| ca.name.as_str());
            format!("{word} {} by {ca}", spec.hostname)
        })
        .collect();
    let kinds: Vec<String> = kinds.into_iter().collect();
    kinds.join(", ")
}
