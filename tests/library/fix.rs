//! Fixes: what each would change, that it repairs what it is for, and that nothing is written that
//! was not shown.

mod applied;

use std::{collections::BTreeSet, fmt::Write as _};

use crate::sandbox_support::Cluster;
use crate::support::{
    ngf_tui,
    scenario::{self, Scenario},
};
use insta::assert_snapshot;
use ngf_core::{
    diagnosis::{Code, Diagnosis, Finding, Severity, Verdict, finding::Remedy},
    fix::{self, Change, FixPlan},
    model::{
        decode::{self, Incoming},
        kind::Kind,
        object::ObjectRef,
        snapshot::Snapshot,
    },
    overlay::without_status,
};
use ngf_sandbox::Stage;
use serde_json::json;

/// Every scenario with the plans for its findings.
fn planned() -> Vec<(Scenario, Vec<(Finding, FixPlan)>)> {
    scenario::all()
        .iter()
        .map(|name| {
            let scenario = Scenario::load(name);
            let findings = scenario.diagnose().findings;
            let plans = fix::plans(&findings, &scenario.snapshot)
                .into_iter()
                .map(|(finding, plan)| (finding.clone(), plan))
                .collect();
            (scenario, plans)
        })
        .collect()
}

fn put(snapshot: &mut Snapshot, change: &Change) {
    let object = change.object();
    match change.after() {
        None => {
            snapshot.remove(object);
        }
        Some(value) => {
            let incoming = Incoming { value, cut: false };
            let decoded = decode::object(object.kind, incoming, &object.namespace);
            snapshot.put(decoded.expect("an object"));
        }
    }
}

#[test]
fn every_plan_in_the_scenarios_is_as_shown_here() {
    let mut text = String::new();
    for (scenario, plans) in planned() {
        for (finding, plan) in plans {
            let _ = writeln!(
                text,
                "==== {} {}: {}",
                scenario.name, finding.code, plan.summary
            );
            for line in plan.lines() {
                let _ = writeln!(text, "{}", line.marked().trim_end());
            }
        }
    }
    assert_snapshot!(text);
}

#[test]
fn what_a_plan_is_for_is_gone_once_it_is_made() {
    let mut codes = BTreeSet::new();
    for (scenario, plans) in planned() {
        for (finding, plan) in plans {
            // Of a Secret the tool knows only facts, so a changed one cannot be read again here.
            if plan
                .changes
                .iter()
                .any(|change| change.object().kind == Kind::Secret)
            {
                continue;
            }
            let mut snapshot = scenario.snapshot.clone();
            for change in &plan.changes {
                put(&mut snapshot, change);
            }
            let after = Diagnosis::of(&without_status(&snapshot), &scenario.evidence, scenario.now);
            let left = after
                .findings
                .iter()
                // A line of a log stays after the change, and is told as one of the time before.
                .filter(|left| {
                    scenario.evidence.logs().next().is_none() || left.verdict == Verdict::Fail
                })
                .find(|left| left.code == finding.code && left.subject == finding.subject);
            assert!(
                left.is_none(),
                "{}: {} is still there: {}",
                scenario.name,
                finding.code,
                left.map_or("", |left| &left.title)
            );
            codes.insert(finding.code);
        }
    }
    for code in [
        "NGF-G8", "NGF-P6", "NGF-T10", "NGF-T12", "NGF-B9", "NGF-C5", "NGF-G1", "NGF-G2", "NGF-G7",
        "NGF-N1", "NGF-P1", "NGF-P11", "NGF-P13", "NGF-P2", "NGF-P7", "NGF-R16", "NGF-T1",
        "NGF-R3", "NGF-R4", "NGF-T8",
    ] {
        assert!(
            codes.contains(code),
            "no scenario has a plan for {code}: {codes:?}"
        );
    }
}

#[test]
fn what_is_shown_is_what_is_applied() {
    for (scenario, plans) in planned() {
        for (finding, plan) in plans {
            let remedy = finding.remedy.expect("a remedy");
            for change in &plan.changes {
                let object = change.object();
                let shown = remedy.command.clone().unwrap_or_default()
                    + remedy.yaml.as_deref().unwrap_or_default();
                let names_it = shown.contains(&object.name) && shown.contains(&object.namespace);
                assert!(names_it, "{}: {shown}", scenario.name);
                if let Change::Merge { patch, .. } = change {
                    assert!(
                        shown.contains(&patch.to_string()),
                        "{}: {shown}",
                        scenario.name
                    );
                }
            }
        }
    }
}

/// What a plan creates, and for which targets.
fn created(plan: &FixPlan) -> Vec<String> {
    let mut created = Vec::new();
    for change in &plan.changes {
        if let Change::Create { object, manifest } = change {
            let targets = manifest.pointer("/spec/targetRefs");
            let targets = targets.and_then(serde_json::Value::as_array);
            match targets {
                None => created.push(object.to_string()),
                Some(targets) => {
                    created.extend(targets.iter().map(|target| {
                        format!("{} {} {target}", object.kind.name(), object.namespace)
                    }));
                }
            }
        }
    }
    created
}

#[test]
fn a_cause_and_its_effects_are_offered_one_fix() {
    let mut left_to_the_cause = BTreeSet::new();
    for (scenario, plans) in planned() {
        let findings = scenario.diagnose().findings;
        let offered = fix::offered(&findings, &scenario.snapshot);
        let mut targets = BTreeSet::new();
        let mut causes = BTreeSet::new();
        for (finding, plan) in &offered {
            let root = std::iter::successors(Some(*finding), |one| findings.get(one.caused_by?));
            let root = root.last().map(|root| std::ptr::from_ref(root).addr());
            assert!(
                causes.insert(root),
                "{}: {} is a second fix of one cause",
                scenario.name,
                plan.code
            );
            for target in created(plan) {
                assert!(
                    targets.insert(target.clone()),
                    "{}: {target} is created twice",
                    scenario.name
                );
            }
        }
        for (finding, plan) in &plans {
            let first = fix::plan_of_cause(finding, &findings, &scenario.snapshot);
            let first = first.expect("a plan");
            if !first.does_the_same(plan) {
                left_to_the_cause.insert((first.code, plan.code));
            }
        }
    }
    assert!(
        left_to_the_cause.contains(&(Code::P1, Code::B9)),
        "{left_to_the_cause:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fix_of_an_effect_is_left_to_its_cause() {
    let embedded = Cluster::start("policy-on-wrong-service", Stage::Policy).await;
    let run = |arguments: &[&str]| {
        let output = tokio::task::block_in_place(|| {
            ngf_tui()
                .arg("--kubeconfig")
                .arg(embedded.path("kubeconfig"))
                .args(arguments)
                .stdin(std::process::Stdio::null())
                .output()
                .expect("it runs")
        });
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    let (status, list) = run(&["fix"]);
    assert_eq!(status, Some(0), "{list}");
    assert!(list.contains("ngf-tui fix NGF-P1 "), "{list}");
    assert!(!list.contains("ngf-tui fix NGF-B9 "), "{list}");
    let (status, refused) = run(&["fix", "NGF-B9", "--yes"]);
    assert_eq!(status, Some(1), "{refused}");
    let sentence = "NGF-B9 is an effect of NGF-P1, and both would be fixed by: ngf-tui fix NGF-P1 backendtlspolicy/default/backend-tls";
    assert!(refused.contains(sentence), "{refused}");
    let (status, done) = run(&["fix", "NGF-P1", "--yes"]);
    assert_eq!(status, Some(0), "{done}");
    assert!(done.contains("NGF-P1 is gone"), "{done}");
}

#[test]
fn what_mounts_and_probes_show_names_the_fix() {
    for (scenario, code, summary) in [
        (
            "t12-plain-port-beside-a-tls-port",
            "NGF-T12",
            "Limit BackendTLSPolicy default/backend-tls to port https of Service default/secure-app: a probe shows TLS there, and none on port 9090.",
        ),
        (
            "t10-name-in-the-mounted-certificate",
            "NGF-T10",
            "Set the hostname of BackendTLSPolicy default/backend-tls to secure-app.example.com, a name in the certificate in Secret default/app-tls-secret, which the pods of Service default/secure-app mount.",
        ),
        (
            "p6-ca-missing",
            "NGF-P6",
            "Name Secret default/app-tls-secret in BackendTLSPolicy default/backend-tls: the ca.crt in it verifies the certificate in Secret default/app-tls-secret, which the pods of Service default/secure-app mount.",
        ),
        (
            "g8-secret-for-clients-without-cert-manager",
            "NGF-G8",
            "Name Secret default/made-by-hand in Gateway default/gateway: of the certificates for clients in its namespace, the only one that verifies by the CA that the pods of Service default/secure-app mount.",
        ),
    ] {
        let scenario = Scenario::load(scenario);
        let findings = scenario.diagnose().findings;
        let finding = findings.iter().find(|finding| finding.code == code);
        let plan = fix::plan(finding.expect(code), &scenario.snapshot).expect(code);
        assert_eq!(plan.summary, summary);
    }
    // Nothing shows another answer: the only port has no TLS, the mounted certificate has that name.
    for (scenario, code) in [
        ("t12-plain-port", "NGF-T12"),
        ("t10-unknown-name", "NGF-T10"),
    ] {
        let scenario = Scenario::load(scenario);
        let findings = scenario.diagnose().findings;
        let finding = findings.iter().find(|finding| finding.code == code);
        assert!(fix::plan(finding.expect(code), &scenario.snapshot).is_err());
    }
}

#[test]
fn a_secrets_values_are_in_no_difference() {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": {"name": "s", "namespace": "default"},
        "data": {"tls.key": "cHJpdmF0ZQ==", "ca.crt": "YnJva2Vu"},
    });
    let incoming = Incoming {
        value: secret,
        cut: false,
    };
    let mut snapshot = Scenario::load("guide").snapshot;
    snapshot.put(decode::object(Kind::Secret, incoming, "default").expect("a Secret"));
    let object = ObjectRef::new(Kind::Secret, "default", "s");
    let mut finding = Finding::new(Code::G6, Severity::Error, &object, "broken");
    let patch =
        json!({"data": {"ca.crt": null, "new": "c2VjcmV0"}, "stringData": {"also": "plain"}});
    finding.remedy = Some(Remedy::merge("Repair it.", &object, patch));
    let plan = fix::plan(&finding, &snapshot).expect("a plan");
    let text: Vec<String> = plan.lines().iter().map(fix::DiffLine::marked).collect();
    assert_snapshot!(text.join("\n"), @r#"
    --- Secret default/s (now)
    +++ Secret default/s (after)
    @@ -6,4 +6,6 @@
       namespace: default
     data:
       tls.key: 7 bytes
    -  ca.crt: 6 bytes
    +  new: (a new value, not shown)
    +stringData:
    +  also: (a new value, not shown)
    "#);
}

#[test]
fn where_there_is_nothing_to_apply_the_sentence_says_why() {
    let mut seen = BTreeSet::new();
    for name in scenario::all() {
        let scenario = Scenario::load(&name);
        for finding in scenario.diagnose().findings {
            if let Err(why) = fix::plan(&finding, &scenario.snapshot) {
                assert!(why.len() > 20 && !why.contains('\n'), "{name}: {why:?}");
                seen.insert(finding.code);
            }
        }
    }
    assert!(
        seen.contains("NGF-T1"),
        "it is unknown which CA is right: {seen:?}"
    );
}

#[test]
fn who_writes_an_object_from_elsewhere_is_said() {
    let scenario = Scenario::load("t8-wrong-hostname");
    let mut snapshot = scenario.snapshot.clone();
    let policy = ObjectRef::new(Kind::BackendTLSPolicy, "default", "backend-tls");
    let mut value = (*snapshot.raw(&policy).expect("the policy")).clone();
    value["metadata"]["annotations"] = json!({"meta.helm.sh/release-name": "shop"});
    let incoming = Incoming { value, cut: false };
    snapshot.put(decode::object(policy.kind, incoming, "default").expect("a policy"));
    let findings = Diagnosis::of(&snapshot, &scenario.evidence, scenario.now).findings;
    let (_, plan) = fix::plans(&findings, &snapshot).remove(0);
    assert_eq!(
        plan.notes,
        [
            "BackendTLSPolicy default/backend-tls belongs to Helm release shop: change it at its source too, or this is undone."
        ]
    );
}

#[test]
fn bad_input_gets_a_sentence() {
    for (arguments, sentence) in [
        (&["fix", "NGF-Z99"][..], "unknown code NGF-Z99"),
        (
            &["fix", "G7", "dragon"],
            "`dragon` names no object: write KIND/NAME",
        ),
        (
            &[
                "-f",
                "tests/scenarios/guide/objects.yaml",
                "fix",
                "G7",
                "--yes",
            ],
            "fix writes to a cluster only",
        ),
        (&["fix", "--yes"], "required arguments were not provided"),
    ] {
        let output = ngf_tui().args(arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(sentence), "{arguments:?}: {said}");
    }
}
