//! Fixes: what each would change, that it repairs what it is for, and that nothing is written that
//! was not shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
    time::Duration,
};

use crate::sandbox_support::{Cluster, peers};
use crate::support::{
    ngf_tui, pki,
    scenario::{self, Scenario},
};
use insta::assert_snapshot;
use ngf_cluster::{self, ClusterOptions, fix::FixError, transport::Confirmation};
use ngf_core::{
    diagnosis::{Code, Diagnosis, Finding, Severity, Verdict, finding::Remedy},
    fix::{self, Change, DiffKind, FixPlan},
    model::{
        decode::{self, Incoming},
        kind::Kind,
        object::ObjectRef,
        snapshot::Snapshot,
    },
    overlay::without_status,
};
use ngf_sandbox::Stage;
use ngf_tui::tui::{
    effects::{Live, LiveOptions},
    state::job::Session as _,
};
use serde_json::json;
use tokio::sync::watch;

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

async fn connected(cluster: &Cluster) -> ngf_cluster::Cluster {
    let options = ClusterOptions {
        kubeconfig: Some(cluster.path("kubeconfig")),
        ..ClusterOptions::default()
    };
    ngf_cluster::connect(&options)
        .await
        .expect("the embedded cluster answers")
}

fn finding(remedy: Remedy, object: &ObjectRef) -> Finding {
    Finding::new(Code::T8, Severity::Error, object, "for the test").remedy(remedy)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_over_what_somebody_changed_meanwhile() {
    if !peers(&["kubectl"]) {
        return;
    }
    let embedded = Cluster::start("wrong-hostname", Stage::Policy).await;
    let cluster = connected(&embedded).await;
    let snapshot = cluster.snapshot(Duration::from_secs(10)).await;
    let policy = ObjectRef::new(Kind::BackendTLSPolicy, "default", "backend-tls");
    let remedy = Remedy::merge(
        "Rename.",
        &policy,
        json!({"spec": {"validation": {"hostname": "secure-app.example.com"}}}),
    );
    let plan = fix::plan(&finding(remedy, &policy), &snapshot).expect("a plan");
    let said = ngf_cluster::fix::dry_run(&cluster, &plan)
        .await
        .expect("it would be taken");
    assert_eq!(
        said,
        ["the API server would take the change of BackendTLSPolicy default/backend-tls"]
    );
    let hostname = "get backendtlspolicy backend-tls -o jsonpath={.spec.validation.hostname}";
    assert_eq!(embedded.kubectl(hostname).fine(), "backend.example.com");

    embedded
        .kubectl("label backendtlspolicy backend-tls somebody=else")
        .fine();
    let refused = ngf_cluster::fix::apply(&cluster, &plan, Confirmation::given()).await;
    assert!(
        matches!(refused, Err(FixError::Changed { .. })),
        "{refused:?}"
    );
    // Nor by a write that comes between the second look and the change.
    let refused = ngf_cluster::fix::dry_run(&cluster, &plan).await;
    assert!(
        matches!(refused, Err(FixError::Changed { .. })),
        "{refused:?}"
    );
    assert_eq!(embedded.kubectl(hostname).fine(), "backend.example.com");

    embedded
        .kubectl("delete backendtlspolicy backend-tls")
        .fine();
    let refused = ngf_cluster::fix::apply(&cluster, &plan, Confirmation::given()).await;
    assert!(matches!(refused, Err(FixError::Gone { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_not_made_and_what_is_there_can_be_removed() {
    if !peers(&["kubectl"]) {
        return;
    }
    let embedded = Cluster::start("guide", Stage::Policy).await;
    let cluster = connected(&embedded).await;
    let snapshot = cluster.snapshot(Duration::from_secs(10)).await;
    let manifest = json!({
        "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
        "metadata": {"name": "g", "namespace": "default"},
        "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "other"}],
            "to": [{"group": "", "kind": "Secret"}]},
    });
    let grant = ObjectRef::new(Kind::ReferenceGrant, "default", "g");
    let create = finding(Remedy::create("Allow it.", manifest), &grant);
    let plan = fix::plan(&create, &snapshot).expect("a plan");
    let done = ngf_cluster::fix::apply(&cluster, &plan, Confirmation::given())
        .await
        .expect("made");
    assert_eq!(done, ["created ReferenceGrant default/g"]);
    let again = ngf_cluster::fix::apply(&cluster, &plan, Confirmation::given()).await;
    assert!(matches!(again, Err(FixError::Exists { .. })), "{again:?}");

    let snapshot = cluster.snapshot(Duration::from_secs(10)).await;
    let why = fix::plan(&create, &snapshot).expect_err("it is there");
    assert!(why.contains("is there already"), "{why}");
    let delete = finding(Remedy::delete("Take it away.", &grant), &grant);
    let plan = fix::plan(&delete, &snapshot).expect("a plan");
    assert!(plan.lines().iter().all(|line| line.kind != DiffKind::Add));
    let done = ngf_cluster::fix::apply(&cluster, &plan, Confirmation::given())
        .await
        .expect("removed");
    assert_eq!(done, ["deleted ReferenceGrant default/g"]);
    let refused = embedded.kubectl("get referencegrant g").refused();
    assert!(refused.contains("not found"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_tries_applies_and_looks_again() {
    let embedded = Cluster::start("wrong-hostname", Stage::Policy).await;
    let run = |arguments: &str| {
        let mut command = ngf_tui();
        command
            .arg("--kubeconfig")
            .arg(embedded.path("kubeconfig"))
            .args(arguments.split(' '));
        let output = command
            .stdin(std::process::Stdio::null())
            .output()
            .expect("it runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let run = tokio::task::block_in_place(|| {
        [
            "fix",
            "fix NGF-T8 --dry-run",
            "fix NGF-T8",
            "fix NGF-T8 --yes --read-only",
            "fix t8 gateway/none --yes",
            "fix t8 backendtlspolicy/backend-tls --yes",
            "fix t8 --yes",
        ]
        .map(run)
    });
    let [list, dry, nobody, read_only, other, done, again] = run;
    assert_eq!(list.0, Some(0), "{list:?}");
    assert!(
        list.1
            .contains("ngf-tui fix NGF-T8 backendtlspolicy/default/backend-tls"),
        "{list:?}"
    );
    assert_eq!(dry.0, Some(0), "{dry:?}");
    assert!(
        dry.1
            .contains("-    hostname: backend.example.com\n+    hostname: secure-app.example.com")
    );
    assert_eq!(nobody.0, Some(2), "{nobody:?}");
    assert!(nobody.2.contains("no terminal to ask at"), "{nobody:?}");
    assert_eq!(read_only.0, Some(2), "{read_only:?}");
    assert!(
        read_only.2.contains("nothing was changed: --read-only"),
        "{read_only:?}"
    );
    assert_eq!(other.0, Some(1), "{other:?}");
    assert!(
        other
            .2
            .contains("no finding NGF-T8 about Gateway default/none"),
        "{other:?}"
    );
    assert_eq!(done.0, Some(0), "{done:?}");
    assert!(
        done.1
            .contains("changed BackendTLSPolicy default/backend-tls\nNGF-T8 is gone"),
        "{done:?}"
    );
    assert_eq!(again.0, Some(1), "{again:?}");
}

/// What is broken by kubectl, and the code whose fix repairs it.
#[tokio::test(flavor = "multi_thread")]
async fn a_ca_and_a_policy_that_can_be_known_are_named() {
    if !peers(&["kubectl"]) {
        return;
    }
    let policy = "patch backendtlspolicy backend-tls --type=merge -p";
    let trusts = |kind: &str, name: &str| {
        format!(
            r#"{policy} {{"spec":{{"validation":{{"caCertificateRefs":[{{"group":"","kind":"{kind}","name":"{name}"}}]}}}}}}"#
        )
    };
    let other = pki::mint(
        &BTreeMap::from([(
            "other".to_owned(),
            serde_json::from_value(json!({"cn": "OtherCA", "ca": true})).expect("a wish"),
        )]),
        jiff::Timestamp::now(),
    );
    for code in ["NGF-P7", "NGF-P11", "NGF-T1", "NGF-B9"] {
        let embedded = Cluster::start("guide", Stage::Policy).await;
        let system = format!(
            r#"{policy} {{"spec":{{"validation":{{"caCertificateRefs":null,"wellKnownCACertificates":"System"}}}}}}"#
        );
        let other_ca = embedded.path("other-ca.json");
        let pem = other["other"].certificate_pem();
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other-ca"},
            "data": {"ca.crt": String::from_utf8_lossy(pem.as_ref())}});
        std::fs::write(&other_ca, map.to_string()).expect("written");
        let get = "get secret backend-cert -o jsonpath={.data.ca\\.crt}";
        let known = embedded.kubectl(get).fine();
        let opaque = embedded.path("opaque.json");
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "opaque-ca"}, "data": {"ca.crt": known.trim()}});
        std::fs::write(&opaque, secret.to_string()).expect("written");
        let steps = match code {
            "NGF-P7" => vec![
                format!("apply -f {}", opaque.display()),
                trusts("Secret", "opaque-ca"),
            ],
            "NGF-P11" => vec![system],
            "NGF-T1" => vec![
                format!("apply -f {}", other_ca.display()),
                trusts("ConfigMap", "other-ca"),
            ],
            _ => {
                // What NGF-N1 would make, too, is taken by an API server.
                let found = Scenario::load("n1-network-policy").diagnose().findings;
                let remedy = found[0].remedy.as_ref().expect("a remedy");
                let manifest = embedded.path("policy.yaml");
                let yaml = remedy.yaml.as_ref().expect("a manifest");
                std::fs::write(&manifest, yaml).expect("written");
                vec![
                    format!("apply --dry-run=server -f {}", manifest.display()),
                    "delete backendtlspolicy backend-tls".to_owned(),
                ]
            }
        };
        for step in &steps {
            embedded.kubectl(step).fine();
        }
        let run = |arguments: &str| {
            let mut command = ngf_tui();
            command
                .arg("--kubeconfig")
                .arg(embedded.path("kubeconfig"))
                .args(arguments.split(' '));
            let output = tokio::task::block_in_place(|| {
                command
                    .stdin(std::process::Stdio::null())
                    .output()
                    .expect("it runs")
            });
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            (output.status.code(), text)
        };
        let tried = run(&format!("fix {code} --dry-run"));
        assert_eq!(tried.0, Some(0), "{code}: {}", tried.1);
        assert!(
            tried.1.contains("the API server would "),
            "{code}: {}",
            tried.1
        );
        let done = run(&format!("fix {code} --yes"));
        assert_eq!(done.0, Some(0), "{code}: {}", done.1);
        assert!(
            done.1.contains(&format!("{code} is gone")),
            "{code}: {}",
            done.1
        );
    }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_ngf_has_not_applied_is_not_done() {
    for (scenario, stage, code) in [
        ("guide", Stage::ClientCertificate, "NGF-B9"),
        ("wrong-hostname", Stage::Policy, "NGF-T8"),
    ] {
        let embedded = Cluster::start(scenario, stage).await;
        embedded.sandbox.stop_ngf();
        let output = tokio::task::block_in_place(|| {
            ngf_tui()
                .arg("--kubeconfig")
                .arg(embedded.path("kubeconfig"))
                .args(["fix", code, "--yes"])
                .stdin(std::process::Stdio::null())
                .output()
                .expect("it runs")
        });
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{code}: {out}{err}");
        assert!(
            err.contains("NGF has not applied the change: "),
            "{code}: {out}{err}"
        );
        assert!(!out.contains("is gone"), "{code}: {out}{err}");
    }
}

/// The embedded cluster as the interface follows it.
async fn followed(cluster: &ngf_cluster::Cluster) -> (Live, tokio::task::JoinHandle<()>) {
    let read = async |cluster: &ngf_cluster::Cluster| {
        Arc::new(cluster.snapshot(Duration::from_secs(10)).await)
    };
    let (sender, snapshots) = watch::channel(read(cluster).await);
    let live = Live::new(
        cluster.clone(),
        snapshots,
        LiveOptions::embedded(Duration::from_secs(5)),
    );
    let cluster = cluster.clone();
    let follow = tokio::spawn(async move {
        while sender.send(read(&cluster).await).is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    });
    (live, follow)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_interface_waits_for_ngf_too() {
    for is_away in [false, true] {
        let embedded = Cluster::start("wrong-hostname", Stage::Policy).await;
        let cluster = connected(&embedded).await;
        let (live, follow) = followed(&cluster).await;
        if is_away {
            embedded.sandbox.stop_ngf();
        }
        let snapshot = cluster.snapshot(Duration::from_secs(10)).await;
        let policy = ObjectRef::new(Kind::BackendTLSPolicy, "default", "backend-tls");
        let remedy = Remedy::merge(
            "Rename.",
            &policy,
            json!({"spec": {"validation": {"hostname": "secure-app.example.com"}}}),
        );
        let plan = fix::plan(&finding(remedy, &policy), &snapshot).expect("a plan");
        let done = live.apply_fix(&plan, Confirmation::given()).await;
        follow.abort();
        let changed = "changed BackendTLSPolicy default/backend-tls";
        if is_away {
            let why = format!(
                "{changed}; NGF has not applied the change: the status of {policy} is about generation 1, and its generation is 2"
            );
            assert_eq!(done, Err(why));
        } else {
            assert_eq!(done, Ok(vec![changed.to_owned()]));
        }
    }
}

/// Everything that `check` reports as a cause, `fix` names: with a fix of it or of its effect, or without.
#[tokio::test(flavor = "multi_thread")]
async fn fix_knows_what_check_knows() {
    for scenario in [
        "two-endpoints-one-expired",
        "client-certificate-from-another-ca",
        "fleet",
    ] {
        let embedded = Cluster::start(scenario, Stage::Policy).await;
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
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let checked: serde_json::Value =
            serde_json::from_str(&run(&["check", "-o", "json"])).expect("JSON");
        let fixes = run(&["fix"]);
        let findings = checked["findings"].as_array().expect("findings");
        let mut causes = 0;
        for (index, cause) in findings.iter().enumerate() {
            if !cause["caused_by"].is_null() || cause["severity"] == "info" {
                continue;
            }
            causes += 1;
            let codes = findings
                .iter()
                .enumerate()
                .filter(|(number, finding)| {
                    *number == index || finding["caused_by_index"] == json!(index)
                })
                .filter_map(|(_, finding)| finding["code"].as_str());
            assert!(
                codes.clone().any(|code| fixes.contains(code)),
                "{scenario}: {} is not in\n{fixes}",
                cause["code"]
            );
        }
        assert!(causes > 0, "{scenario}: {checked}");
    }
}
