//! Users who may not read everything: what is hidden is said in each report, with the rule to add.

use crate::sandbox_support::Cluster;
use ngf_sandbox::{Denied, Rule, SandboxOptions, Scenario, Stage};
use serde_json::Value;

fn guide() -> SandboxOptions {
    SandboxOptions::new(Scenario::find("guide").expect("the guide"), Stage::Policy)
}

/// The roles of `assets/rbac.yaml`, reader and prober.
fn roles() -> Vec<Rule> {
    let text = std::fs::read_to_string("assets/rbac.yaml").expect("the roles");
    Rule::of_roles(&text)
}

async fn allowed(rules: Vec<Rule>) -> Cluster {
    let mut options = guide();
    options.allowed = Some(rules);
    Cluster::with(options).await
}

/// Lines joined: the reports wrap at 80 columns.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A viewer: everything but Secrets.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_told_of_each_secret_that_may_not_be_read() {
    let mut options = guide();
    options.denied = vec![Denied {
        verb: "*".to_owned(),
        resource: "secrets".to_owned(),
    }];
    let cluster = Cluster::with(options).await;
    let text = joined(&cluster.ngf_tui("check --no-probe").fine());
    let hidden = "Hidden by RBAC: 7 Secrets in 3 namespaces (cert-manager/local-ca-secret, \
         default/app-tls-secret, default/backend-cert";
    assert!(text.contains(hidden), "{text}");
    assert!(
        text.contains("? NGF-K2 7 Secrets in 3 namespaces"),
        "{text}"
    );
    assert!(
        text.contains(
            "Add this to a Role in each of the namespaces cert-manager, default and nginx-gateway"
        ),
        "{text}"
    );
    assert!(
        text.contains("? BackendTLSPolicy default/backend-tls"),
        "{text}"
    );

    let report = json(&cluster.ngf_tui("check --no-probe -o json").fine());
    let hidden = &report["hidden"][0];
    assert_eq!(hidden["what"], "objects");
    assert_eq!(
        hidden["role"],
        "a Role in each of the namespaces cert-manager, default and nginx-gateway"
    );
    assert_eq!(hidden["objects"].as_array().map(Vec::len), Some(7));
    assert_eq!(
        hidden["rules"][0],
        serde_json::json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch"]})
    );

    let junit = cluster.ngf_tui("check --no-probe -o junit").fine();
    let document = roxmltree::Document::parse(&junit).expect("XML");
    let is_skipped = |class: &str| {
        let cases = document
            .descendants()
            .filter(|node| node.attribute("classname") == Some(class));
        let skipped = cases.map(|case| case.children().any(|child| child.has_tag_name("skipped")));
        let skipped: Vec<bool> = skipped.collect();
        assert!(!skipped.is_empty(), "{class} in {junit}");
        skipped.into_iter().all(|skipped| skipped)
    };
    for class in ["rights", "NGF-K2", "NGF-P8", "NGF-G9", "NGF-E1"] {
        assert!(is_skipped(class), "{class}: {junit}");
    }
    assert!(!is_skipped("NGF-P1"), "no Secret is needed for P1: {junit}");

    let markdown = cluster.ngf_tui("check --no-probe -o markdown").fine();
    assert!(markdown.contains("Hidden by RBAC: "), "{markdown}");

    let chain = joined(&cluster.ngf_tui("chain").fine());
    assert!(
        chain.contains("its pods mount Secret default/app-tls-secret, which may not be read"),
        "{chain}"
    );
    assert!(
        chain.contains("{apiGroups: [\"\"], resources: [secrets], verbs: [get, watch]}"),
        "{chain}"
    );

    let probe = joined(&cluster.ngf_tui("probe httproute/secure-app").refused());
    assert!(
        probe.contains(
            "add to a Role in namespace default: {apiGroups: [\"\"], resources: [secrets], verbs: [get]}"
        ),
        "{probe}"
    );
    cluster.sandbox.shutdown().await;
}

/// A user who has the roles in one namespace only.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_one_namespace_is_told_that_it_is_one() {
    let mut rules = roles();
    for rule in &mut rules {
        rule.namespace = Some("default".to_owned());
    }
    let cluster = allowed(rules).await;
    let text = joined(&cluster.ngf_tui("check --no-probe").fine());
    assert!(
        text.contains("Only namespace default may be read: what is in the others is not known"),
        "{text}"
    );
    assert!(text.contains("all namespaces but default, for"), "{text}");
    let report = json(&cluster.ngf_tui("check --no-probe -o json").fine());
    let hidden = report["hidden"].as_array().expect("a list");
    let narrowed = hidden
        .iter()
        .find(|one| one["what"] == "namespaces")
        .unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!(narrowed["read_namespace"], "default");
    assert_eq!(narrowed["role"], "a ClusterRole");
    let kinds = narrowed["kinds"].as_array().expect("a list");
    assert!(kinds.contains(&Value::from("HTTPRoute")), "{report:#}");

    let elsewhere = joined(&cluster.ngf_tui("probe httproute/shop/cart").refused());
    assert!(
        elsewhere.contains("namespace shop is not read")
            && elsewhere.contains("add to a ClusterRole"),
        "{elsewhere}"
    );
    cluster.sandbox.shutdown().await;
}

/// Who may read nothing is told so, and not that there is nothing.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_what_to_add() {
    let cluster = allowed(Vec::new()).await;
    let check = joined(&cluster.ngf_tui("check").out);
    assert!(check.contains("Hidden by RBAC"), "{check}");
    assert!(check.contains("- httproutes"), "the rule: {check}");
    for command in ["chain", "probe httproute/secure-app"] {
        let said = cluster.ngf_tui(command);
        assert!(!said.ok, "{command}: {said:?}");
        let said = joined(&format!("{} {}", said.out, said.err));
        assert!(
            said.contains("httproutes") && said.contains("add to a ClusterRole"),
            "{command}: {said}"
        );
    }
    cluster.sandbox.shutdown().await;
}
