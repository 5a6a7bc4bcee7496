//! A diagnosis that is kept up to date equals one that is made of everything, whatever changes.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence,
        incremental::{Counts, Incremental, Why},
    },
    model::{
        kind::Kind,
        object::ObjectRef,
        snapshot::{Lookup, Snapshot, Source},
        topology::{Node, NodeId, NodeIx},
    },
};

use ngf_generator::{Cluster, Size};

use crate::support::scenario::{self, Scenario};

/// What differs between two diagnoses, in words.
fn difference(kept: &Diagnosis, whole: &Diagnosis) -> Option<String> {
    if kept.findings != whole.findings {
        let all = kept.findings.iter().zip(&whole.findings);
        let first = all.take_while(|(one, other)| one == other).count();
        let at = |diagnosis: &Diagnosis| format!("{:#?}", diagnosis.findings.get(first));
        return Some(format!(
            "finding {first}: {} instead of {}",
            at(kept),
            at(whole)
        ));
    }
    let (mut one, mut other) = (kept.topology.iter(), whole.topology.iter());
    loop {
        match (one.next(), other.next()) {
            (Some(node), Some(expected)) if is_same_node((kept, node), (whole, expected)) => {}
            (None, None) => break,
            (node, expected) => return Some(format!("node {node:?} instead of {expected:?}")),
        }
    }
    let roots = |diagnosis: &Diagnosis| -> Vec<NodeId> {
        let topology = &diagnosis.topology;
        let roots = topology.roots().iter();
        roots.map(|root| topology.node(*root).id.clone()).collect()
    };
    let rest = [
        (roots(kept) == roots(whole), "roots"),
        (
            kept.topology.len() == whole.topology.len(),
            "number of nodes",
        ),
        (kept.coverage == whole.coverage, "coverage"),
        (kept.differences == whole.differences, "differences"),
        (kept.running == whole.running, "release"),
        (kept.hidden == whole.hidden, "what is hidden"),
        (kept.loading == whole.loading, "loading"),
    ];
    let other = rest.into_iter().find(|(is_same, _)| !is_same);
    other.map(|(_, what)| format!("another {what}"))
}

type InTree<'d> = (&'d Diagnosis, (NodeIx, &'d Node));

/// Whether two nodes are the same, and how they are, and where their objects stand.
fn is_same_node((kept, (place, node)): InTree<'_>, (whole, (known, expected)): InTree<'_>) -> bool {
    let ids = |diagnosis: &Diagnosis, all: &[NodeIx]| -> Vec<NodeId> {
        let nodes = all.iter().map(|place| diagnosis.topology.node(*place));
        nodes.map(|node| node.id.clone()).collect()
    };
    let places = |diagnosis: &Diagnosis, node: &Node| {
        let object = node.object.as_ref();
        object.map(|object| ids(diagnosis, &diagnosis.topology.places(object)))
    };
    node.id == expected.id
        && node.what == expected.what
        && node.name == expected.name
        && node.note == expected.note
        && node.object == expected.object
        && ids(kept, node.parent.as_slice()) == ids(whole, expected.parent.as_slice())
        && ids(kept, &node.children) == ids(whole, &expected.children)
        && kept.own_health(place) == whole.own_health(known)
        && kept.health(place) == whole.health(known)
        && kept.findings_at(place) == whole.findings_at(known)
        && kept.topology.find(&node.id) == Some(place)
        && places(kept, node) == places(whole, expected)
        && node.object.as_ref().is_none_or(|object| {
            kept.topology.is_undecided(object) == whole.topology.is_undecided(object)
        })
}

/// One that is kept up to date, and what it said last.
struct Kept {
    incremental: Incremental,
    last: Diagnosis,
    /// What happened until now, for who has to find out.
    story: Vec<String>,
    wrong: Vec<String>,
}

impl Kept {
    fn new() -> Self {
        Self {
            incremental: Incremental::new(),
            last: Diagnosis::default(),
            story: Vec::new(),
            wrong: Vec::new(),
        }
    }

    fn look(&mut self, what: String, snapshot: &Snapshot, evidence: &Evidence, now: Timestamp) {
        self.story.push(what);
        let snapshot = Arc::new(snapshot.clone());
        if let Some(diagnosis) = self.incremental.update(&snapshot, evidence, now) {
            self.last = diagnosis;
        }
        let whole = Diagnosis::of(&snapshot, evidence, now);
        if let Some(difference) = difference(&self.last, &whole) {
            self.wrong
                .push(format!("{}\n{difference}", self.story.join("\n")));
        }
    }
}

/// What came of following several clusters.
#[derive(Default)]
struct Sum {
    counts: Counts,
    wrong: Vec<String>,
}

impl Sum {
    fn add(&mut self, kept: Kept) {
        let counts = kept.incremental.counts();
        self.counts.kept += counts.kept;
        self.counts.parts += counts.parts;
        for (why, count) in &counts.whole {
            *self.counts.whole.entry(*why).or_default() += count;
        }
        self.wrong.extend(kept.wrong.into_iter().next());
    }

    /// Nothing is wrong, and parts were judged by themselves at least this often of a hundred times.
    fn check(&self, least: usize) {
        let Counts { parts, whole, .. } = &self.counts;
        let again: usize = whole
            .iter()
            .filter(|(why, _)| **why != Why::First)
            .map(|(_, count)| count)
            .sum();
        eprintln!("{:?}", self.counts);
        for wrong in &self.wrong {
            let lines: Vec<&str> = wrong.lines().take(120).collect();
            eprintln!("#### {}", lines.join("\n"));
        }
        assert_eq!(self.wrong.len(), 0);
        assert!(parts * 100 >= (parts + again) * least, "{:?}", self.counts);
    }
}

/// How many times as much is tried where there is time: `make test-slow`.
fn much() -> usize {
    if cfg!(feature = "soak-tests") { 10 } else { 1 }
}

/// Numbers that a seed gives.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // Knuth's MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// The scenarios of clusters: what files hold is judged as a whole.
fn of_clusters() -> impl Iterator<Item = Scenario> {
    scenario::all()
        .into_iter()
        .map(|name| Scenario::load(&name))
        .filter(|scenario| matches!(scenario.snapshot.source, Source::Cluster { .. }))
}

fn objects(snapshot: &Snapshot) -> Vec<ObjectRef> {
    let mut all = Vec::new();
    snapshot.for_each_entry(|object| all.push(object.clone()));
    all
}

/// The snapshot without an object.
fn without(snapshot: &Snapshot, object: &ObjectRef) -> Snapshot {
    let mut less = snapshot.clone();
    less.remove(object);
    less
}

#[test]
fn each_object_of_each_scenario_goes_and_comes() {
    let every = if much() > 1 { 1 } else { 12 };
    let mut sum = Sum::default();
    for (number, scenario) in of_clusters().enumerate() {
        let (snapshot, evidence, now) = (&scenario.snapshot, &scenario.evidence, scenario.now);
        let mut kept = Kept::new();
        kept.look(scenario.name.clone(), snapshot, evidence, now);
        for (place, object) in objects(snapshot).iter().enumerate() {
            if (place + number) % every == 0 {
                let less = without(snapshot, object);
                kept.look(format!("- {object}"), &less, evidence, now);
                kept.look(format!("+ {object}"), snapshot, evidence, now);
            }
        }
        sum.add(kept);
    }
    sum.check(50);
}

#[test]
fn evidence_comes_and_time_passes_in_each_scenario() {
    let mut sum = Sum::default();
    let step = if much() > 1 { 1 } else { 3 };
    for scenario in of_clusters().step_by(step) {
        let Scenario {
            snapshot,
            evidence,
            now,
            ..
        } = &scenario;
        let mut kept = Kept::new();
        kept.look(scenario.name.clone(), snapshot, &Evidence::none(), *now);
        kept.look("evidence".to_owned(), snapshot, evidence, *now);
        let mut at = *now;
        for seconds in [1, 30, 3_600, 13 * 86_400, 400 * 86_400] {
            at += SignedDuration::from_secs(seconds);
            kept.look(format!("{seconds} s later"), snapshot, evidence, at);
            let all = objects(snapshot);
            let object = &all[seconds as usize % all.len()];
            kept.look(
                format!("- {object}"),
                &without(snapshot, object),
                evidence,
                at,
            );
            at += SignedDuration::from_secs(40);
            kept.look(format!("+ {object}"), snapshot, evidence, at);
        }
        kept.look("no evidence".to_owned(), snapshot, &Evidence::none(), at);
        sum.add(kept);
    }
    sum.check(20);
}

#[test]
fn what_changes_in_one_of_several_sets_at_random() {
    let mut sum = Sum::default();
    for seed in 0..4 * much() as u64 {
        let mut random = Random(seed);
        let names: BTreeSet<&str> = (0..6)
            .map(|_| scenario::BROKEN[random.below(scenario::BROKEN.len())])
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        let scenario = Scenario::together(&names);
        random_changes(&scenario.snapshot, scenario.now, &mut random, 40, &mut sum);
    }
    sum.check(50);
}

#[test]
fn what_changes_in_a_large_cluster_at_random() {
    let mut sum = Sum::default();
    for seed in 1..=much() as u64 {
        let size = Size {
            broken_per_mille: 100,
            seed,
            ..Size::routes(200)
        };
        let text = Cluster::of(size).manifests();
        let mut snapshot = ngf_core::manifests::parse(&text, "default");
        scenario::as_cluster(&mut snapshot, &[]);
        let now = scenario::moment();
        random_changes(&snapshot, now, &mut Random(seed), 40, &mut sum);
    }
    // What no status follows is gathered over all parts.
    sum.check(20);
}

/// Objects go, come back and change, several at once or one alone, and time passes.
fn random_changes(
    full: &Snapshot,
    mut now: Timestamp,
    random: &mut Random,
    steps: usize,
    sum: &mut Sum,
) {
    let all = objects(full);
    let evidence = Evidence::none();
    let mut kept = Kept::new();
    let mut snapshot = full.clone();
    kept.look("all".to_owned(), &snapshot, &evidence, now);
    for _ in 0..steps {
        let mut told = Vec::new();
        for _ in 0..=random.below(3) / 2 {
            let object = &all[random.below(all.len())];
            match random.below(3) {
                0 => {
                    snapshot.remove(object);
                    told.push(format!("- {object}"));
                }
                1 => {
                    put_back(full, object, &mut snapshot);
                    told.push(format!("+ {object}"));
                }
                _ => told.extend(changed(object, &mut snapshot, random)),
            }
        }
        if random.below(8) == 0 {
            now += SignedDuration::from_secs(random.below(100).try_into().expect("small"));
        }
        kept.look(told.join(", "), &snapshot, &evidence, now);
    }
    sum.add(kept);
}

fn put_back(full: &Snapshot, object: &ObjectRef, snapshot: &mut Snapshot) {
    let part = full.part([object]);
    macro_rules! extend {
        ($($table:ident),*) => {
            $(snapshot.$table.extend(part.$table);)*
        };
    }
    extend!(
        gateway_classes,
        gateways,
        listener_sets,
        routes,
        policies,
        grants,
        services,
        endpoint_slices,
        pods,
        workloads,
        network_policies,
        ngf,
        issuers,
        certificates,
        certificate_requests,
        orders,
        challenges,
        trust_bundles,
        secrets,
        config_maps
    );
}

/// Changes something of an object that rules read, and says what.
fn changed(object: &ObjectRef, snapshot: &mut Snapshot, random: &mut Random) -> Option<String> {
    let what = match object.kind {
        Kind::HTTPRoute => {
            let others: Vec<String> = snapshot
                .services
                .keys()
                .filter(|service| service.namespace == object.namespace)
                .map(|service| service.name.clone())
                .collect();
            let found = Arc::make_mut(snapshot.routes.get_mut(object)?);
            match random.below(4) {
                0 => {
                    found.status.parents.clear();
                    "has no status"
                }
                1 => {
                    found.meta.generation += 1;
                    "is of a newer generation"
                }
                2 => {
                    found.spec.parent_refs.clear();
                    "names no parent"
                }
                _ => {
                    let other = others.get(random.below(others.len().max(1)))?;
                    let backend = found.spec.rules.first_mut()?.backend_refs.first_mut()?;
                    backend.target.name.clone_from(other);
                    "leads to another Service"
                }
            }
        }
        Kind::Gateway => {
            let found = Arc::make_mut(snapshot.gateways.get_mut(object)?);
            if random.below(2) == 0 {
                "another".clone_into(&mut found.spec.class);
                "is of another class"
            } else {
                found.meta.created = Some(scenario::moment());
                found.status.conditions.clear();
                "is new and has no status"
            }
        }
        Kind::BackendTLSPolicy => {
            let found = Arc::make_mut(snapshot.policies.get_mut(object)?);
            if random.below(2) == 0 {
                found.spec.target_refs.first_mut()?.name.push_str("-gone");
                "targets another Service"
            } else {
                found.meta.generation += 1;
                "other.example.com".clone_into(&mut found.spec.hostname);
                "expects another name"
            }
        }
        Kind::EndpointSlice => {
            let found = Arc::make_mut(snapshot.endpoint_slices.get_mut(object)?);
            for endpoint in &mut found.spec.endpoints {
                endpoint.ready = Some(random.below(2) == 0);
            }
            "has other endpoints that are ready"
        }
        Kind::Service => {
            let found = Arc::make_mut(snapshot.services.get_mut(object)?);
            found.spec.ports.first_mut()?.name.push('x');
            "has a port of another name"
        }
        Kind::Secret => {
            snapshot.secrets.insert(object.clone(), Lookup::Absent);
            "does not exist"
        }
        _ => return None,
    };
    Some(format!("{object} {what}"))
}
