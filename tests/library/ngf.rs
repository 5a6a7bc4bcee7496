//! Compares what NGF itself answers to the objects of the scenarios, release by release, with what this
//! tool predicts. The answers were recorded from NGF's own code (`tests/ngf/README.md`).

mod answers;
mod variations;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::support::scenario::{self, Scenario};
use insta::assert_snapshot;
use ngf_core::{
    diagnosis::{
        ngf::{directives, predicted_all},
        plan::{ProbeTarget, connections},
    },
    model::{
        index::Index,
        kind::Kind,
        snapshot::{Snapshot, Source},
        topology::Topology,
    },
};

/// What a comparison of this tool with NGF came to.
#[derive(Default)]
struct Compared {
    conditions: usize,
    wrong_conditions: Vec<String>,
    /// Sorts of conditions that this tool does not predict.
    untold: BTreeSet<String>,
    passes: usize,
    wrong_passes: Vec<String>,
}

/// Compares everything once, for all tests.
fn compared() -> &'static Compared {
    static ALL: OnceLock<Compared> = OnceLock::new();
    ALL.get_or_init(|| {
        let names = answers::names();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut found = Compared::default();
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                found.compare(name);
            }
            found
        };
        let parts: Vec<Compared> = thread::scope(|scope| {
            let threads = thread::available_parallelism().map_or(2, usize::from);
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("a thread"))
                .collect()
        });
        let mut all = Compared::default();
        for part in parts {
            all.conditions += part.conditions;
            all.wrong_conditions.extend(part.wrong_conditions);
            all.untold.extend(part.untold);
            all.passes += part.passes;
            all.wrong_passes.extend(part.wrong_passes);
        }
        all
    })
}

impl Compared {
    /// Compares a scenario or variation under every release.
    fn compare(&mut self, name: &str) {
        let Some(answers) = answers::of(name) else {
            return;
        };
        let mut snapshot = match answers::variation(name) {
            Some(number) => scenario::cluster_of(&variations::objects(number)),
            None => Scenario::load(name).snapshot,
        };
        // What is not in the files is unknown, and NGF would find nothing.
        if matches!(snapshot.source, Source::Files { .. }) {
            return;
        }
        for (asked, said) in &answers {
            let version = format!("{}.0", asked.release);
            scenario::set_controller(&mut snapshot, &version, asked.experimental);
            let place = format!("{name} {asked}");
            self.compare_conditions(&place, &snapshot, said);
            self.compare_passes(&place, &snapshot, said);
        }
    }

    fn compare_conditions(&mut self, place: &str, snapshot: &Snapshot, said: &BTreeSet<String>) {
        let predicted = predictions(snapshot);
        let by_subject: BTreeMap<String, &String> =
            conditions(said).map(|line| (subject(line), line)).collect();
        for line in &predicted {
            self.conditions += 1;
            if !agrees(line, said) {
                let instead = by_subject.get(&subject(line));
                let instead = instead.map_or("nothing", |line| line.as_str());
                self.wrong_conditions.push(format!(
                    "{place}\n  predicted {line}\n  NGF says  {instead}"
                ));
            }
        }
        let known: BTreeSet<String> = predicted.iter().map(|line| subject(line)).collect();
        for line in conditions(said).filter(|line| !known.contains(&subject(line))) {
            let (place, rest) = line.split_once(": ").expect("a condition");
            let kind = place.split('/').next().expect("a kind");
            let listener = if place.contains(" listener ") {
                " listener"
            } else {
                ""
            };
            let rest = rest.split(" \"").next().expect("words");
            self.untold.insert(format!("{kind}{listener} {rest}"));
        }
    }

    fn compare_passes(&mut self, place: &str, snapshot: &Snapshot, said: &BTreeSet<String>) {
        let rendered: BTreeSet<String> = said
            .iter()
            .filter(|line| line.starts_with("nginx "))
            .cloned()
            .collect();
        let mut predicted = predicted_passes(snapshot);
        predicted.retain(|line| is_served(line, said));
        self.passes += rendered.len();
        for line in predicted.difference(&rendered) {
            self.wrong_passes
                .push(format!("{place}\n  predicted    {line}"));
        }
        for line in rendered.difference(&predicted) {
            self.wrong_passes
                .push(format!("{place}\n  NGF renders  {line}"));
        }
    }
}

/// The conditions that this tool predicts, as lines of the same form as NGF's answers.
fn predictions(snapshot: &Snapshot) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (object, all) in predicted_all(snapshot) {
        for found in all {
            let place = match (&found.parent, &found.section) {
                (Some(parent), Some(section)) => format!(" of {parent}#{section}"),
                (Some(parent), None) => format!(" of {parent}"),
                (None, Some(listener)) => format!(" listener {listener}"),
                (None, None) => String::new(),
            };
            lines.insert(format!(
                "{}/{}/{}{place}: {} {}",
                object.kind, object.namespace, object.name, found.condition.kind, found.condition
            ));
        }
    }
    // What nginx says to a configuration NGF's graph does not know.
    lines.retain(|line| !line.contains("failure to reload nginx"));
    lines
}

/// Whether NGF says the same, but for Go's own words about a key pair that cannot be read.
fn agrees(line: &str, said: &BTreeSet<String>) -> bool {
    const FILES: [&str; 2] = [
        "tls secret is invalid: tls.key:",
        "tls secret is invalid: tls.crt:",
    ];
    let own = FILES.iter().find_map(|file| line.split_once(file));
    match own {
        None => said.contains(line),
        Some((start, _)) => {
            let start = format!("{start}tls secret is invalid: ");
            said.iter().any(|said| said.starts_with(&start))
        }
    }
}

/// The place and type that a line is about.
fn subject(line: &str) -> String {
    let (place, rest) = line.split_once(": ").expect("a line of a condition");
    let kind = rest.split(' ').next().expect("a type");
    format!("{place}: {kind}")
}

fn conditions(said: &BTreeSet<String>) -> impl Iterator<Item = &String> {
    said.iter().filter(|line| !line.starts_with("nginx "))
}

#[test]
fn recorded_answers_are_answers_to_the_objects_of_today() {
    let names = answers::names();
    let recorded: Vec<&String> = names
        .iter()
        .filter(|name| answers::are_recorded(name))
        .collect();
    let stale: Vec<&&String> = recorded
        .iter()
        .filter(|name| answers::of(name).is_none())
        .collect();
    assert!(
        stale.is_empty(),
        "the objects of these changed after NGF answered: give the change a scenario of its own: {stale:?}"
    );
    // As many as there are: a deleted file would otherwise compare less without a word.
    assert!(recorded.len() >= 371, "{}", recorded.len());
}

#[test]
fn conditions_are_what_ngf_writes() {
    let found = compared();
    println!("{} conditions compared", found.conditions);
    assert!(
        found.wrong_conditions.is_empty(),
        "{}",
        found.wrong_conditions.join("\n")
    );
    assert!(found.conditions > 20_000, "{}", found.conditions);
    // What is not claimed, so that less of it is a success and more of it is noticed.
    let untold: Vec<&str> = found.untold.iter().map(String::as_str).collect();
    assert_snapshot!(untold.join("\n"));
}

/// Lines of the same form as NGF's: how nginx speaks TLS to backends, as this tool predicts it.
fn predicted_passes(snapshot: &Snapshot) -> BTreeSet<String> {
    let index = Index::of(snapshot);
    let topology = Topology::with(snapshot, &index);
    let mut lines = BTreeSet::new();
    for route in snapshot.routes.keys() {
        let target = ProbeTarget::Route(route.clone());
        for connection in connections(snapshot, &index, &topology, &target).unwrap_or_default() {
            let all: Vec<String> = directives(&connection)
                .iter()
                .map(|directive| format!("{} {}", directive.name, directive.value))
                .collect();
            if all.is_empty() {
                continue;
            }
            let scheme = match route.kind {
                Kind::GRPCRoute => "grpcs",
                Kind::TLSRoute => "stream",
                _ => "https",
            };
            let (gateway, service) = (&connection.gateway, &connection.service);
            lines.insert(format!(
                "nginx {}/{} {scheme}://{}_{}_{}: {}",
                gateway.namespace,
                gateway.name,
                service.namespace,
                service.name,
                connection.port,
                all.join("; ")
            ));
        }
    }
    lines
}

/// Whether NGF takes the Gateway that a line is about. Where it does not it says so in the status, and
/// nginx continues with what it had.
fn is_served(line: &str, said: &BTreeSet<String>) -> bool {
    let gateway = line.split(' ').nth(1).expect("a Gateway");
    let listeners = format!("Gateway/{gateway} listener ");
    said.iter().any(|line| line.starts_with(&listeners))
}

#[test]
fn directives_are_what_ngf_renders() {
    let found = compared();
    println!("{} ways to pass requests on compared", found.passes);
    assert!(
        found.wrong_passes.is_empty(),
        "{}",
        found.wrong_passes.join("\n")
    );
    assert!(found.passes > 1_500, "{}", found.passes);
}
