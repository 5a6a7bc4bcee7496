//! Fixes that are applied to the embedded cluster.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::sandbox_support::{Cluster, peers};
use crate::support::{ngf_tui, pki, scenario::Scenario};
use ngf_cluster::{self, ClusterOptions, fix::FixError, transport::Confirmation};
use ngf_core::{
    diagnosis::{Code, Finding, Severity, finding::Remedy},
    fix::{self, DiffKind},
    model::{kind::Kind, object::ObjectRef},
};
use ngf_sandbox::Stage;
use ngf_tui::tui::{
    effects::{Live, LiveOptions},
    state::job::Session as _,
};
use serde_json::json;
use tokio::sync::watch;

async fn connected(cluster: &Cluster) -> ngf_cluster::Cluster {
    let options = ClusterOptions {
        kubeconfig: Some(cluster.path("kubeconfig")),
        ..ClusterOptions::default()
    };
    ngf_cluster::connect(&options)
        .await
        .expect("the embedded cluster answers")
}

pub(super) fn finding(remedy: Remedy, object: &ObjectRef) -> Finding {
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
