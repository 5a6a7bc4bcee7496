//! `check --over`, `--within`, `-o junit|markdown`: what a change would break, for CI.

use std::fs;

use crate::sandbox_support::Cluster;
use crate::support::{ngf_tui, scenario::Scenario};
use insta::{assert_snapshot, with_settings};
use jiff::SignedDuration;
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence, Severity,
        timeline::{Horizon, Timeline},
    },
    model::{
        decode::{self, Incoming},
        kind::Kind,
        object::ObjectRef,
        snapshot::{Scope, Snapshot, Source},
    },
    overlay::{Laid, overlay, without_status},
};
use ngf_sandbox::Stage;
use ngf_tui::report::{FailOn, compare::Comparison, json, junit, markdown, source::Sources, text};
use serde_json::{Value, json};

/// What some manifests do to a scenario's cluster.
fn laid(scenario: &Scenario, manifests: &[Value]) -> Comparison {
    let mut files = Snapshot::new(Source::Files { paths: Vec::new() }, Scope::AllNamespaces);
    for value in manifests {
        let api_version = value["apiVersion"].as_str().expect("a version");
        let kind = Kind::of(api_version, value["kind"].as_str().expect("a kind")).expect("known");
        let incoming = Incoming {
            value: value.clone(),
            cut: false,
        };
        files.put(decode::object(kind, incoming, "default").expect("an object"));
    }
    let mut laid = overlay(&scenario.snapshot, &files, Vec::new(), scenario.now);
    laid.expect_certificates();
    let of = |snapshot: &Snapshot| Diagnosis::of(snapshot, &Evidence::none(), scenario.now);
    let comparison = Comparison::of(
        &of(&scenario.snapshot),
        &of(&without_status(&scenario.snapshot)),
        &of(&without_status(&laid.snapshot)),
    );
    Comparison {
        laid: laid.laid.into_iter().collect(),
        ..comparison
    }
}

fn as_is(scenario: &Scenario, kind: Kind, name: &str) -> Value {
    let object = ObjectRef::new(kind, "default", name);
    (*scenario.snapshot.raw(&object).expect("it is there")).clone()
}

fn codes(findings: &[ngf_core::diagnosis::Finding]) -> Vec<&str> {
    findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect()
}

#[test]
fn a_manifest_that_is_in_the_cluster_already_changes_nothing() {
    let scenario = Scenario::load("guide");
    let mut policy = as_is(&scenario, Kind::BackendTLSPolicy, "backend-tls");
    policy.as_object_mut().expect("an object").remove("status");
    let comparison = laid(&scenario, &[policy]);
    assert_eq!(comparison.count(Laid::Same), 1, "{comparison:?}");
    assert_eq!(codes(&comparison.new), Vec::<&str>::new());
    assert_eq!(comparison.exit_code(FailOn::Warning), 0);
}

#[test]
fn what_a_change_breaks_is_new_and_fails() {
    let scenario = Scenario::load("guide");
    let mut policy = as_is(&scenario, Kind::BackendTLSPolicy, "backend-tls");
    policy["spec"]["validation"]["hostname"] = json!("secure-app.example.com:8443");
    let mut gateway = as_is(&scenario, Kind::Gateway, "gateway");
    gateway["spec"]["tls"]["backend"]["clientCertificateRef"]["kind"] = json!("ConfigMap");
    let comparison = laid(&scenario, &[policy, gateway]);
    assert_eq!(comparison.count(Laid::Changed), 2);
    let mut new = codes(&comparison.new);
    new.sort_unstable();
    assert_eq!(new, ["NGF-G1", "NGF-P15", "NGF-P2"]);
    assert_eq!(comparison.exit_code(FailOn::Error), 1);
    assert_eq!(comparison.exit_code(FailOn::Never), 0);
    assert_snapshot!(
        "over_text",
        text::comparison(&comparison, text::Style::default(), &Sources::default(),)
    );
    assert_snapshot!("over_markdown", markdown::comparison(&comparison));
    let report: Value =
        serde_json::from_str(&json::comparison(&comparison).expect("JSON")).expect("JSON");
    assert_eq!(report["schema"], "ngf-tui/check-over/v1");
    assert_eq!(report["new"].as_array().map(Vec::len), Some(3));
    assert_eq!(report["changed"].as_array().map(Vec::len), Some(2));
    let xml = junit::comparison(&comparison, FailOn::Error);
    let document = roxmltree::Document::parse(&xml).expect("XML");
    assert_eq!(document.root_element().attribute("failures"), Some("3"));
}

#[test]
fn what_a_change_repairs_is_gone_though_the_status_still_speaks_of_it() {
    let scenario = Scenario::load("g7-client-certificate-not-granted");
    let findings = scenario.diagnose().findings;
    let remedy = findings[0].remedy.as_ref().expect("a remedy");
    let manifest: Value =
        serde_saphyr::from_str(remedy.yaml.as_deref().expect("a manifest")).expect("YAML");
    let comparison = laid(&scenario, &[manifest]);
    assert_eq!(codes(&comparison.gone), ["NGF-G7"]);
    assert_snapshot!(
        "over_mends_text",
        text::comparison(&comparison, text::Style::default(), &Sources::default(),)
    );
    assert_snapshot!("over_mends_markdown", markdown::comparison(&comparison));
    let xml = junit::comparison(&comparison, FailOn::Warning);
    let document = roxmltree::Document::parse(&xml).expect("XML");
    assert_eq!(document.root_element().attribute("failures"), Some("0"));
    assert!(
        xml.contains("<testsuite name=\"fixed\" tests=\"1\""),
        "{xml}"
    );
    assert_eq!(codes(&comparison.new), Vec::<&str>::new());
    assert_eq!(comparison.exit_code(FailOn::Warning), 0);
}

#[test]
fn a_finding_that_was_there_before_does_not_fail_the_change() {
    let scenario = Scenario::load("p6-ca-missing");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "new", "namespace": "default"},
        "spec": {"ports": [{"port": 80}]}});
    let comparison = laid(&scenario, &[service]);
    assert!(
        codes(&comparison.same).contains(&"NGF-P6"),
        "{comparison:?}"
    );
    assert_eq!(codes(&comparison.new), Vec::<&str>::new());
    assert_eq!(comparison.exit_code(FailOn::Error), 0);
}

#[test]
fn junit_has_one_suite_a_gateway_and_numbers_that_agree() {
    let diagnosis = Scenario::load("p8-ca-secret-without-ca").diagnose();
    let xml = junit::render(&diagnosis, FailOn::Error);
    let document = roxmltree::Document::parse(&xml).expect("XML");
    let root = document.root_element();
    assert!(root.has_tag_name("testsuites"));
    let suites: Vec<_> = root
        .children()
        .filter(|node| node.has_tag_name("testsuite"))
        .collect();
    let names: Vec<_> = suites
        .iter()
        .filter_map(|suite| suite.attribute("name"))
        .collect();
    assert_eq!(names, ["Gateway default/gateway"]);
    for suite in suites {
        let cases: Vec<_> = suite
            .children()
            .filter(|node| node.has_tag_name("testcase"))
            .collect();
        let failed = |case: &&roxmltree::Node<'_, '_>| {
            case.children().any(|child| child.has_tag_name("failure"))
        };
        let number = |name| suite.attribute(name).and_then(|text| text.parse().ok());
        assert_eq!(number("tests"), Some(cases.len()));
        assert_eq!(
            number("failures"),
            Some(cases.iter().filter(failed).count())
        );
        let codes: Vec<_> = cases
            .iter()
            .filter(failed)
            .filter_map(|case| case.attribute("classname"))
            .collect();
        assert_eq!(codes, ["NGF-P8", "NGF-D1"]);
        for case in &cases {
            assert!(case.attribute("name").is_some_and(|name| !name.is_empty()));
        }
    }
}

#[test]
fn markdown_is_a_comment_that_one_can_read() {
    let diagnosis = Scenario::load("p8-ca-secret-without-ca").diagnose();
    assert_snapshot!(markdown::render(&diagnosis));
}

#[test]
fn what_expires_within_a_time_fails_with_who_renews_it() {
    let scenario = Scenario::load("e3-client-certificate-expires-soon");
    let timeline = Timeline::of(
        &scenario.snapshot,
        &Evidence::none(),
        scenario.now,
        scenario.now,
    );
    let within = |days: i64| {
        let mut findings = scenario.diagnose().findings;
        let until = scenario.now + SignedDuration::from_hours(24 * days);
        timeline.add_findings(&mut findings, scenario.now, Horizon::Until(until));
        findings.retain(|finding| finding.severity == Severity::Error);
        findings
    };
    assert_eq!(codes(&within(1)), Vec::<&str>::new());
    assert_eq!(
        codes(&within(30)),
        ["NGF-E3"],
        "once, not beside the rule's own"
    );
    let all = within(3_650);
    let lines: Vec<String> = all
        .iter()
        .map(|finding| {
            let who: Vec<&str> = finding
                .evidence
                .iter()
                .map(|line| line.value.as_str())
                .collect();
            format!("{} {}\n  {}", finding.code, finding.title, who.join("\n  "))
        })
        .collect();
    with_settings!({filters => vec![(r"[0-9a-f]{2}:[0-9a-f]{2}:…:[0-9a-f]{2}", "…")]}, {
        assert_snapshot!(lines.join("\n"));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_lays_files_over_a_cluster() {
    let cluster = Cluster::start("guide", Stage::Policy).await;
    let wrong = cluster.path("wrong.yaml");
    fs::write(
        &wrong,
        "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {name: backend-tls, namespace: default}\n\
         spec:\n  targetRefs: [{group: '', kind: Service, name: secure-app}]\n  validation:\n    \
         caCertificateRefs: [{group: '', kind: ConfigMap, name: not-there}]\n    hostname: secure-app.example.com\n",
    )
    .expect("written");
    let empty = cluster.path("empty.yaml");
    fs::write(
        &empty,
        "apiVersion: v1\nkind: Dragon\nmetadata: {name: x}\n",
    )
    .expect("written");
    let run = |arguments: &[&str]| {
        let output = tokio::task::block_in_place(|| {
            ngf_tui()
                .arg("--kubeconfig")
                .arg(cluster.path("kubeconfig"))
                .args(arguments)
                .output()
                .expect("it runs")
        });
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let wrong = wrong.to_str().expect("a path");
    let broken = run(&["check", "-f", wrong, "--over"]);
    assert_eq!(broken.0, Some(1), "{broken:?}");
    assert!(
        broken.1.contains("ConfigMap default/not-there"),
        "{broken:?}"
    );
    let tolerated = run(&["check", "-f", wrong, "--over", "--fail-on", "never"]);
    assert_eq!(tolerated.0, Some(0), "{tolerated:?}");
    let nothing = run(&["check", "-f", empty.to_str().expect("a path"), "--over"]);
    assert_eq!(nothing.0, Some(2), "{nothing:?}");
    assert!(
        nothing.2.contains("hold no object that this tool knows"),
        "{nothing:?}"
    );
    let without = run(&["check", "--over"]);
    assert_eq!(without.0, Some(2), "{without:?}");
    let soon = run(&["check", "--within", "1h"]);
    assert_eq!(soon.0, Some(0), "{soon:?}");
    // cert-manager renews all of it in time, and says when (tests/check_within.rs has what fails).
    let late = run(&["check", "--within", "3653d"]);
    assert_eq!(late.0, Some(0), "{late:?}");
    assert!(late.1.contains("replaces it on"), "{late:?}");
    let late = run(&["check", "--within", "3653d", "-o", "junit"]);
    assert_eq!(late.0, Some(0), "{late:?}");
    assert!(
        roxmltree::Document::parse(&late.1)
            .is_ok_and(|xml| { xml.root_element().attribute("failures") == Some("0") })
    );
    let never = run(&["check", "--within", "soon"]);
    assert_eq!(never.0, Some(2), "{never:?}");
    assert!(
        never.2.contains("expected 30d, 2w, 12h or 30%"),
        "{never:?}"
    );
}
