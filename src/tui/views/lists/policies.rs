//! BackendTLSPolicies: what they target, which name and CA they ask for, and what NGF says of them.

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
use ngf_core::{
    diagnosis::Health,
    model::{status::PolicyStatus, topology::NodeKind},
};
use ngf_text::words;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Policies,
    name: "policies",
    title: "Policies",
    aliases: &[
        "policy",
        "btp",
        "backendtlspolicy",
        "backendtlspolicies",
        "btlspolicy",
    ],
    help: "BackendTLSPolicies with their targets, names and CAs",
    columns: COLUMNS,
    order: Order::Trouble,
    rows,
};

const COLUMNS: &[Head] = &[
    head("STATE", 7, 20),
    head("POLICY", 12, 50),
    head("TARGETS", 8, 50),
    head("HOSTNAME", 8, 40),
    head("CA", 6, 50),
    head("ACCEPTED", 8, 30),
    head("ROUTES", 6, 6),
    head("AGE", 3, 6),
];

fn rows(app: &App) -> Vec<Row> {
    let topology = &app.diagnosis.topology;
    let policies = app.snapshot.policies.iter();
    policies
        .map(|(object, policy)| {
            let places = topology.places(object);
            // At each place it may be well or not: the worst counts.
            let health = places
                .iter()
                .map(|place| app.diagnosis.health(*place))
                .max();
            let health = health.unwrap_or(Health::Unknown);
            let routes: BTreeSet<_> = places
                .iter()
                .filter_map(|place| {
                    topology.above(*place, |node| match node.what {
                        NodeKind::Route { .. } => node.object.as_ref(),
                        _ => None,
                    })
                })
                .collect();
            let spec = &policy.spec;
            let targets: Vec<String> = spec
                .target_refs
                .iter()
                .map(|target| match &target.section_name {
                    Some(section) => format!("{}[{section}]", target.name),
                    None => target.name.clone(),
                })
                .collect();
            let cas: Vec<&str> = spec
                .ca_certificate_refs
                .iter()
                .map(|ca| ca.name.as_str())
                .collect();
            let ca = match &spec.well_known_ca_certificates {
                Some(well_known) => well_known.clone(),
                None => cas.join(", "),
            };
            Row {
                mark: mark_of_health(health),
                cells: vec![
                    health.word().into(),
                    path(object).into(),
                    targets.join(", ").into(),
                    spec.hostname.as_str().into(),
                    ca.into(),
                    accepted(&policy.status).into(),
                    Cell::count(routes.len()),
                    policy.meta.created.map_or_else(Cell::default, |at| {
                        Cell::sorted(words::age(at, app.now), -at.as_second())
                    }),
                ],
                target: Target::Page(Subject::object(topology, object)),
                object: Some(object.clone()),
            }
        })
        .collect()
}

/// What controllers say: the first that does not accept it, or that all do.
fn accepted(status: &PolicyStatus) -> String {
    let conditions = status
        .ancestors
        .iter()
        .flat_map(|ancestor| &ancestor.conditions);
    let accepted: Vec<_> = conditions.filter(|one| one.kind == "Accepted").collect();
    match accepted.iter().find(|one| one.status != "True") {
        Some(bad) => format!("{} {}", bad.status, bad.reason),
        None if accepted.is_empty() => "no status".to_owned(),
        None => "True".to_owned(),
    }
}
