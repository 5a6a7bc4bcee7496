//! What NGF itself answers to the objects of the scenarios, release by release, beside what this tool
//! predicts. The answers were recorded from NGF's own code (`tests/ngf/README.md`); with
//! `NGF_ANSWERS=DIR` they are asked for anew, and recorded.

mod support;

#[path = "ngf/answers.rs"]
mod answers;
#[path = "ngf/nginx.rs"]
mod nginx;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use answers::Asked;
use insta::assert_snapshot;
use ngf_tui::{
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
use support::scenario::{self, Scenario};

/// Calls back for each scenario and release with what NGF answers.
fn each(mut with: impl FnMut(&str, Asked, &Snapshot, &BTreeSet<String>)) {
    for name in scenario::all() {
        let Some(answers) = answers::of(&name) else {
            continue;
        };
        let mut scenario = Scenario::load(&name);
        for (asked, said) in &answers {
            scenario.set_controller(&format!("{}.0", asked.release), asked.experimental);
            with(&name, *asked, &scenario.snapshot, said);
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
fn nearly_all_scenarios_have_an_answer_to_the_objects_of_today() {
    let all = scenario::all();
    let missing: Vec<&String> = all
        .iter()
        .filter(|name| answers::of(name).is_none())
        .collect();
    assert!(
        missing.len() * 20 <= all.len(),
        "record NGF's answers (tests/ngf/README.md) about {missing:?}"
    );
}

#[test]
fn conditions_are_what_ngf_writes() {
    let (mut wrong, mut compared) = (String::new(), 0);
    let mut untold: BTreeMap<String, usize> = BTreeMap::new();
    each(|name, asked, snapshot, said| {
        let predicted = predictions(snapshot);
        let by_subject: BTreeMap<String, &String> =
            conditions(said).map(|line| (subject(line), line)).collect();
        for line in &predicted {
            compared += 1;
            if !said.contains(line) {
                let instead = by_subject.get(&subject(line));
                let instead = instead.map_or("nothing", |line| line.as_str());
                writeln!(
                    wrong,
                    "{name} {asked}\n  predicted {line}\n  NGF says  {instead}"
                )
                .expect("text");
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
            *untold
                .entry(format!("{kind}{listener} {rest}"))
                .or_default() += 1;
        }
    });
    println!("{compared} conditions compared");
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 15_000, "{compared}");
    // What is not claimed, so that less of it is a success and more of it is noticed.
    let untold: Vec<String> = untold.keys().cloned().collect();
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
/// nginx goes on with what it had.
fn is_served(line: &str, said: &BTreeSet<String>) -> bool {
    let gateway = line.split(' ').nth(1).expect("a Gateway");
    let listeners = format!("Gateway/{gateway} listener ");
    said.iter().any(|line| line.starts_with(&listeners))
}

#[test]
fn directives_are_what_ngf_renders() {
    let (mut wrong, mut compared) = (String::new(), 0);
    each(|name, asked, snapshot, said| {
        // Of what is not in the files nobody knows, and NGF would find nothing.
        if matches!(snapshot.source, Source::Files { .. }) {
            return;
        }
        let rendered: BTreeSet<String> = said
            .iter()
            .filter(|line| line.starts_with("nginx "))
            .cloned()
            .collect();
        let mut predicted = predicted_passes(snapshot);
        predicted.retain(|line| is_served(line, said));
        compared += rendered.len();
        for line in predicted.difference(&rendered) {
            writeln!(wrong, "{name} {asked}\n  predicted    {line}").expect("text");
        }
        for line in rendered.difference(&predicted) {
            writeln!(wrong, "{name} {asked}\n  NGF renders  {line}").expect("text");
        }
    });
    println!("{compared} ways to pass requests on compared");
    assert!(wrong.is_empty(), "{wrong}");
    assert!(compared > 1_000, "{compared}");
}
