//! The conditions that NGF would set, from the objects alone, for each release.

use std::{fmt::Write as _, time::Duration};

use crate::support::scenario::{self, Scenario};
use insta::assert_snapshot;
use ngf_cluster::{self, ClusterOptions};
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence,
        ngf::{Release, directives, predicted},
        plan::{ProbeTarget, connections},
    },
    model::{
        index::Index,
        kind::Kind,
        object::{Condition, ObjectRef},
        snapshot::Snapshot,
        topology::{Topology, is_ngf_controller},
    },
};
use ngf_sandbox::{SCENARIOS, Sandbox, SandboxOptions, Stage};

fn text(snapshot: &Snapshot, object: &ObjectRef) -> String {
    let mut out = String::new();
    for found in predicted(snapshot, object) {
        let parent = match (found.parent, found.section) {
            (Some(parent), _) => format!(" for {parent}"),
            (None, Some(listener)) => format!(" listener {listener}"),
            (None, None) => String::new(),
        };
        writeln!(
            out,
            "  {object}{parent}: {} {}",
            found.condition.kind, found.condition
        )
        .expect("text");
    }
    out
}

fn interesting() -> [ObjectRef; 3] {
    [
        ObjectRef::new(Kind::Gateway, "default", "gateway"),
        ObjectRef::new(Kind::HTTPRoute, "default", "secure-app"),
        ObjectRef::new(Kind::BackendTLSPolicy, "default", "backend-tls"),
    ]
}

#[test]
fn conditions_are_those_that_ngf_sets() {
    let mut out = String::new();
    for name in [
        "guide",
        "g3-client-certificate-missing",
        "g7-client-certificate-not-granted",
        "p2-and-p6",
        "p8-before-the-reload",
        "x1-system-and-a-ca-of-the-cluster",
        "p13-two-policies",
        "r1-different-policies",
        "r4-not-granted",
        "r7-external-name-without-resolver",
        "r16-host-names-do-not-meet",
    ] {
        let scenario = Scenario::load(name);
        writeln!(out, "{name}").expect("text");
        for object in interesting() {
            out += &text(&scenario.snapshot, &object);
        }
    }
    assert_snapshot!(out);
}

/// The guide's objects with one change, under each release of NGF.
#[test]
fn releases_of_ngf_differ() {
    let mut out = String::new();
    for name in [
        "guide",
        "p2-hostname-with-port",
        "p6-broken-pair-beside-the-ca",
        "r5-h2c-before-2-7",
    ] {
        for release in Release::ALL {
            let mut scenario = Scenario::load(name);
            scenario.set_release(&format!("{release}.0"));
            writeln!(out, "{name}, NGF {release}").expect("text");
            for object in interesting() {
                out += &text(&scenario.snapshot, &object);
            }
            let index = Index::of(&scenario.snapshot);
            let topology = Topology::with(&scenario.snapshot, &index);
            let target = ProbeTarget::parse("httproute/secure-app", "default").expect("a target");
            for connection in
                connections(&scenario.snapshot, &index, &topology, &target).unwrap_or_default()
            {
                for directive in directives(&connection) {
                    writeln!(out, "  {directive}").expect("text");
                }
            }
        }
    }
    assert_snapshot!(out);
}

/// Where a scenario's cluster says something else than NGF would, a finding says so.
#[test]
fn a_status_that_ngf_would_not_write_is_told() {
    let mut untold = Vec::new();
    for name in scenario::all() {
        let diagnosis = Scenario::load(&name).diagnose();
        for object in diagnosis.differences.keys() {
            let told = diagnosis
                .findings
                .iter()
                .any(|finding| finding.objects().any(|about| about == object));
            if !told {
                untold.push(format!("{name}: {object}"));
            }
        }
    }
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

/// The conditions of NGF's in a status, by parent.
fn reported<'s>(
    snapshot: &'s Snapshot,
    object: &ObjectRef,
    parent: Option<&ObjectRef>,
    section: Option<&str>,
) -> Option<&'s [Condition]> {
    let statuses = match object.kind {
        Kind::Gateway => {
            let gateway = &snapshot.gateways.get(object)?.status;
            let mut listeners = gateway.listeners.iter();
            return match section {
                Some(name) => listeners
                    .find(|status| status.name == name)
                    .map(|status| status.conditions.as_slice()),
                None => Some(&gateway.conditions),
            };
        }
        Kind::BackendTLSPolicy => &snapshot.policies.get(object)?.status.ancestors,
        _ => &snapshot.routes.get(object)?.status.parents,
    };
    let parent = parent?;
    statuses
        .iter()
        .find(|status| {
            is_ngf_controller(&status.controller_name)
                && status.parent.name == parent.name
                && status
                    .parent
                    .namespace
                    .as_deref()
                    .unwrap_or(&object.namespace)
                    == parent.namespace
        })
        .map(|status| status.conditions.as_slice())
}

/// The sandbox writes what ngf-core decides from its own objects: whoever reads these objects and statuses
/// through the API comes to the same words.
#[tokio::test]
async fn the_embedded_cluster_says_what_is_predicted() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for found in SCENARIOS {
        let sandbox = Sandbox::start(SandboxOptions::new(found, Stage::Policy))
            .await
            .expect("a sandbox");
        let options = ClusterOptions {
            kubeconfig_text: Some(sandbox.kubeconfig()),
            all_namespaces: true,
            ..ClusterOptions::default()
        };
        let cluster = ngf_cluster::connect(&options).await.expect("a cluster");
        let mut snapshot = cluster.snapshot(Duration::from_secs(20)).await;
        // What nginx says of a reload comes a moment later.
        for _ in 0..40 {
            let diagnosis = Diagnosis::of(&snapshot, &Evidence::none(), jiff::Timestamp::now());
            if diagnosis.differences.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            snapshot = cluster.snapshot(Duration::from_secs(20)).await;
        }
        let objects = snapshot
            .gateways
            .keys()
            .chain(snapshot.routes.keys())
            .chain(snapshot.policies.keys());
        for object in objects {
            for wanted in predicted(&snapshot, object) {
                let conditions = reported(
                    &snapshot,
                    object,
                    wanted.parent.as_ref(),
                    wanted.section.as_deref(),
                );
                let kind = wanted.condition.kind;
                let said = conditions
                    .into_iter()
                    .flatten()
                    .find(|condition| condition.kind == kind);
                let text = said.map_or_else(String::new, |said| {
                    format!("{}/{} \"{}\"", said.status, said.reason, said.message)
                });
                compared += 1;
                // nginx's own words follow a failure to reload.
                let same = text == wanted.condition.to_string()
                    || wanted.condition.message.contains("failure to reload")
                        && text
                            .trim_end_matches('"')
                            .starts_with(wanted.condition.to_string().trim_end_matches('"'));
                if !same {
                    wrong.push(format!(
                        "{}: {object} {kind}:\n  predicted {}\n  says      {text}",
                        found.name, wanted.condition
                    ));
                }
            }
        }
        sandbox.shutdown().await;
    }
    println!("{compared} conditions compared");
    assert!(compared > 50, "{compared}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
