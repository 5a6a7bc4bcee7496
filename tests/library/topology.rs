//! The tree that objects form, and what to probe in it.

use std::fmt::Write as _;

use crate::support::scenario::Scenario;
use insta::assert_snapshot;
use ngf_core::{
    diagnosis::{
        ngf::directives,
        plan::{PlannedTls, ProbeTarget, connections, plan},
    },
    model::{
        index::Index,
        snapshot::Snapshot,
        topology::{NodeIx, Topology},
    },
};

fn tree(topology: &Topology) -> String {
    fn node(topology: &Topology, place: NodeIx, depth: usize, out: &mut String) {
        let node_ = topology.node(place);
        let note = node_
            .note
            .as_ref()
            .map_or_else(String::new, |note| format!("  ({note})"));
        let indent = "  ".repeat(depth);
        writeln!(out, "{indent}{} {}{note}", node_.what.word(), node_.name).expect("text");
        for child in &node_.children {
            node(topology, *child, depth + 1, out);
        }
    }
    let mut out = String::new();
    for root in topology.roots() {
        node(topology, *root, 0, &mut out);
    }
    out
}

fn planned(snapshot: &Snapshot, target: &str) -> String {
    let target = ProbeTarget::parse(target, "default").expect("a target");
    let mut text = String::new();
    match plan(snapshot, &target) {
        Ok(plans) => {
            for plan in plans {
                let endpoint = &plan.endpoint;
                writeln!(
                    text,
                    "{}:{} {}, Host {} {}\n  {}",
                    endpoint.address,
                    endpoint.port,
                    spoken(plan.tls.as_ref()),
                    plan.host,
                    plan.path,
                    plan.because.join("\n  ")
                )
                .expect("text");
            }
        }
        Err(error) => writeln!(text, "error: {error}").expect("text"),
    }
    text
}

fn spoken(tls: Option<&PlannedTls>) -> String {
    tls.map_or_else(
        || "plain".to_owned(),
        |tls| {
            let client = tls
                .client_certificate
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), ToString::to_string);
            format!(
                "TLS for {} trusting {} presenting {client}",
                tls.hostname, tls.trust
            )
        },
    )
}

#[test]
fn routes_hang_under_every_listener_that_takes_them_and_the_rest_under_groups() {
    let scenario = Scenario::load("topology");
    assert_snapshot!(tree(&Topology::of(&scenario.snapshot)));
}

#[test]
fn the_guide_has_one_plan_and_says_why_it_is_so() {
    let scenario = Scenario::load("guide");
    assert_snapshot!(planned(&scenario.snapshot, "httproute/secure-app"));
}

#[test]
fn targets_without_a_connection_are_answered_in_a_sentence() {
    let cases = [
        ("guide", "httproute/nobody"),
        ("guide", "gateway/nobody"),
        ("guide", "service/nobody"),
        ("guide", "service/secure-app:80"),
        ("p6-ca-missing", "httproute/secure-app"),
        ("p8-before-the-reload", "httproute/secure-app"),
        ("r1-different-policies", "httproute/secure-app"),
        ("r3-service-missing", "service/secure-app"),
        ("r3-service-missing", "httproute/secure-app"),
        ("r8-not-ready", "httproute/secure-app"),
        ("n3-misnamed-target-port", "httproute/secure-app"),
        ("r16-section-misspelt", "httproute/secure-app"),
        ("c5-class-does-not-exist", "httproute/secure-app"),
        ("g3-in-files-nobody-knows", "httproute/nobody"),
        ("k1-policies-denied", "httproute/secure-app"),
        ("topology", "tcproute/bytes"),
        ("topology", "tlsroute/passed"),
    ];
    let mut text = String::new();
    for (name, target) in cases {
        let scenario = Scenario::load(name);
        write!(
            text,
            "{name}, {target}: {}",
            planned(&scenario.snapshot, target)
        )
        .expect("text");
    }
    assert_snapshot!(text);
}

#[test]
fn what_nginx_would_do_is_planned_where_it_surprises() {
    let mut text = String::new();
    for (name, target) in [
        ("r2-plain-before-tls", "httproute/secure-app"),
        ("r9-grpc", "grpcroute/grpc"),
        ("g4-client-certificate-opaque", "gateway/gateway"),
        ("p13-two-policies", "service/secure-app"),
        ("p14-too-many-gateways", "httproute/secure-app"),
        ("topology", "httproute/wild"),
    ] {
        let scenario = Scenario::load(name);
        writeln!(
            text,
            "{name}, {target}:\n{}",
            planned(&scenario.snapshot, target)
        )
        .expect("text");
    }
    assert_snapshot!(text);
}

#[test]
fn directives_are_those_that_ngf_renders() {
    let mut text = String::new();
    for (name, target) in [
        ("guide", "httproute/secure-app"),
        ("r9-grpc", "grpcroute/grpc"),
        ("x1-system-and-a-ca-of-the-cluster", "httproute/secure-app"),
        (
            "g10-client-certificate-without-policy",
            "httproute/secure-app",
        ),
    ] {
        let scenario = Scenario::load(name);
        let index = Index::of(&scenario.snapshot);
        let topology = Topology::with(&scenario.snapshot, &index);
        let target = ProbeTarget::parse(target, "default").expect("a target");
        writeln!(text, "{name}:").expect("text");
        for connection in
            connections(&scenario.snapshot, &index, &topology, &target).expect("a connection")
        {
            for directive in directives(&connection) {
                writeln!(text, "  {directive}").expect("text");
            }
        }
    }
    assert_snapshot!(text);
}

#[test]
fn nodes_keep_their_names_when_others_come_and_go() {
    let before = Topology::of(&Scenario::load("topology").snapshot);
    let after = Topology::of(&Scenario::load("topology-later").snapshot);
    let mut gone = Vec::new();
    for (_, node) in before.iter() {
        match after.find(&node.id) {
            Some(place) => {
                assert_eq!(after.node(place).id, node.id);
                assert_eq!(after.node(place).what.word(), node.what.word());
            }
            None => gone.push(&*node.name),
        }
    }
    // One pod was replaced, and stands in the tree in seven places.
    assert_eq!(gone, ["10.244.0.12:8443"; 7]);
    assert_eq!(before.len(), after.len());
}

#[test]
fn no_two_nodes_have_one_name_and_parents_stand_before_their_children() {
    let topology = Topology::of(&Scenario::load("topology").snapshot);
    for (place, node) in topology.iter() {
        assert_eq!(topology.find(&node.id), Some(place), "{}", node.id);
        assert_eq!(
            node.parent.map(|above| topology.node(above).id.clone()),
            node.id.parent().cloned()
        );
        assert!(node.parent.is_none_or(|above| above < place));
    }
}
