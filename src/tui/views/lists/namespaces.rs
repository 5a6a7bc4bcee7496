//! Namespaces: what is in each, and how it is; Enter reads that one alone.

use std::collections::BTreeMap;

use ngf_ui::Mark;

use super::{Head, ListInfo, Order, head};
use crate::tui::state::ids::ListId;
use crate::tui::{
    state::{
        App,
        list::{Cell, Row, Target},
    },
    views::findings::{mark_of, mark_of_health},
};
use ngf_core::model::{object::ObjectRef, snapshot::Scope, topology::NodeKind};

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Namespaces,
    name: "namespaces",
    title: "Namespaces",
    aliases: &["namespace", "ns"],
    help: "namespaces with their problems; enter or :ns NAME reads one alone, :ns all reads all",
    columns: COLUMNS,
    order: Order::Given("those with problems first"),
    rows,
};

const COLUMNS: &[Head] = &[
    head("NAMESPACE", 9, 60),
    head("PROBLEMS", 8, 8),
    head("GATEWAYS", 8, 8),
    head("ROUTES", 6, 6),
    head("POLICIES", 8, 8),
    head("READ", 4, 20),
];

/// The name that stands for all of them.
pub(in crate::tui) const ALL: &str = "all";

#[derive(Default)]
struct Counts {
    gateways: usize,
    routes: usize,
    policies: usize,
    problems: usize,
    worst: Option<Mark>,
}

impl Counts {
    /// The worst sign counts.
    fn note(&mut self, mark: Mark) {
        if self.worst.is_none_or(|worst| rank(mark) < rank(worst)) {
            self.worst = Some(mark);
        }
    }
}

fn rows(app: &App) -> Vec<Row> {
    let mut all: BTreeMap<&str, Counts> = BTreeMap::new();
    for namespace in &app.namespaces {
        all.entry(namespace).or_default();
    }
    let snapshot = &app.snapshot;
    let mut count = |object: &'_ ObjectRef, add: fn(&mut Counts)| {
        if let Some(counts) = all.get_mut(object.namespace.as_str()) {
            add(counts);
        }
    };
    for object in snapshot.gateways.keys() {
        count(object, |counts| counts.gateways += 1);
    }
    for object in snapshot.routes.keys() {
        count(object, |counts| counts.routes += 1);
    }
    for object in snapshot.policies.keys() {
        count(object, |counts| counts.policies += 1);
    }
    for finding in &app.diagnosis.findings {
        if let Some(counts) = all.get_mut(finding.subject.namespace.as_str()) {
            counts.problems += 1;
            counts.note(mark_of(finding));
        }
    }
    // A path that nobody tested is no healthy one.
    for (place, node) in app.diagnosis.topology.iter() {
        if let (NodeKind::Route { .. }, Some(object)) = (&node.what, &node.object)
            && let Some(counts) = all.get_mut(object.namespace.as_str())
        {
            counts.note(mark_of_health(app.diagnosis.health(place)));
        }
    }
    let read = match &snapshot.scope {
        Scope::AllNamespaces => None,
        Scope::Namespace(namespace) => Some(namespace.as_str()),
    };
    let mut rows = vec![Row {
        mark: Mark::Muted,
        cells: vec![
            ALL.into(),
            Cell::default(),
            Cell::default(),
            Cell::default(),
            Cell::default(),
            if read.is_none() { "yes" } else { "no" }.into(),
        ],
        target: Target::Namespace(None),
        object: None,
    }];
    let mut named: Vec<(&str, Counts)> = all.into_iter().collect();
    named.sort_by_key(|(_, counts)| counts.worst.map_or(u8::MAX, rank));
    rows.extend(named.into_iter().map(|(namespace, counts)| {
        let is_read = read.is_none_or(|read| read == namespace);
        let number = |number: usize| {
            if is_read {
                Cell::count(number)
            } else {
                Cell::from("?")
            }
        };
        Row {
            mark: match (is_read, counts.worst) {
                (false, _) => Mark::Unknown,
                (true, Some(worst)) => worst,
                // Nothing that is checked is there.
                (true, None) => Mark::Muted,
            },
            cells: vec![
                namespace.into(),
                number(counts.problems),
                number(counts.gateways),
                number(counts.routes),
                number(counts.policies),
                if is_read { "yes" } else { "no" }.into(),
            ],
            target: Target::Namespace(Some(namespace.to_owned())),
            object: None,
        }
    }));
    rows
}

/// The worst first.
fn rank(mark: Mark) -> u8 {
    match mark {
        Mark::Failed => 0,
        Mark::Warning => 1,
        Mark::Unknown => 2,
        Mark::Info => 3,
        Mark::Ok => 4,
        Mark::Muted => 5,
    }
}
