//! Users as RBAC of the API server lets them: the roles of `assets/rbac.yaml`, less, and nothing.

use ngf_cluster::ClusterError;
use ngf_core::model::{
    kind::{KINDS, Kind, Reading},
    object::ObjectRef,
    snapshot::{KindState, Lookup},
};
use serde_json::Value;

use crate::{
    objects::{CLASS, gateway, routes, secret, service},
    server::{ApiServer, PATIENCE},
};

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn watched() -> impl Iterator<Item = Kind> {
    let watched = KINDS.iter().filter(|info| info.reading != Reading::ByName);
    watched.map(|info| info.kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_reads_everything_and_the_tool_uses_no_more_than_its_role() {
    let server = ApiServer::shared();
    let namespace = server.namespace("reader");
    server.apply(&(gateway(&namespace, Some("client")) + &routes(&namespace, 0..1)));
    server.apply(&secret(&namespace, "client", &[("a", "b")]));
    let cluster = server.connect("reader", None).await;
    let snapshot = cluster.snapshot(PATIENCE).await;
    for kind in watched() {
        let state = &snapshot.kinds[&kind];
        let is_read = matches!(state, KindState::Live { .. } | KindState::NotServed);
        assert!(is_read, "{}: {state:?}", kind.name());
    }
    let client = ObjectRef::new(Kind::Secret, &*namespace, "client");
    let lookup = &snapshot.secrets[&client];
    assert!(matches!(lookup, Lookup::Found(_)), "{lookup:?}");
    // The role has each right that is used to read: nothing was refused.
    let arguments = format!("check --no-probe --no-logs --no-data-plane -n {namespace}");
    let said = server.ngf_tui("reader", &arguments);
    assert!(said.out.contains("route-0"), "{said:?}");
    let of_program = server.asked(|asked| {
        asked.user == "reader"
            && asked.agent.starts_with("ngf-tui/")
            && asked.uri.contains(&namespace)
    });
    assert!(!of_program.is_empty());
    for asked in of_program {
        assert_ne!(asked.code, 403, "{asked:?}");
        assert!(!asked.writes(), "{asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_does_not_exist_is_named_to_the_reader() {
    let server = ApiServer::shared();
    let said = server.ngf_tui("reader", "check --no-probe -n no-such-namespace");
    assert!(said.refused().contains("\"no-such-namespace\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_may_read_no_secret_and_is_told_so_with_the_rule() {
    let server = ApiServer::shared();
    let namespace = server.namespace("viewer");
    server.apply(CLASS);
    server.apply(&(gateway(&namespace, Some("client")) + &routes(&namespace, 0..1)));
    server.apply(&(service(&namespace) + &secret(&namespace, "client", &[("a", "b")])));
    let cluster = server.connect("viewer", Some(&namespace)).await;
    let snapshot = cluster.snapshot(PATIENCE).await;
    let client = ObjectRef::new(Kind::Secret, &*namespace, "client");
    let lookup = &snapshot.secrets[&client];
    assert!(matches!(lookup, Lookup::Unknown(_)), "{lookup:?}");
    let said = server.ngf_tui("viewer", &format!("check --no-probe -n {namespace}"));
    let text = joined(&said.out);
    assert!(text.contains(&format!("{namespace}/client")), "{text}");
    let to_add = format!("Add this to a Role in namespace {namespace}");
    assert!(text.contains(&to_add), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_one_namespace_reads_it_and_is_told_that_it_is_one() {
    let server = ApiServer::shared();
    let elsewhere = server.namespace("elsewhere");
    server.apply(&(gateway("dev", None) + &routes("dev", 0..1) + &gateway(&elsewhere, None)));
    let mut options = server.options("dev", None);
    // The namespace of the context, as a kubeconfig of such a user has it.
    let text = std::fs::read_to_string(server.kubeconfig()).expect("a kubeconfig");
    let of_dev = text.replace("user: dev, namespace: default", "user: dev, namespace: dev");
    assert_ne!(text, of_dev);
    options.kubeconfig = None;
    options.kubeconfig_text = Some(of_dev);
    let cluster = ngf_cluster::connect(&options).await.expect("it answers");
    let snapshot = cluster.snapshot(PATIENCE).await;
    assert_eq!(snapshot.gateways.len(), 1, "{:?}", snapshot.gateways.keys());
    for kind in watched().filter(|kind| kind.info().namespaced) {
        let state = &snapshot.kinds[&kind];
        if *state == KindState::NotServed {
            continue;
        }
        assert!(
            matches!(state, KindState::Live { .. }),
            "{kind:?}: {state:?}"
        );
        let of = snapshot.narrowed.get(&kind).map(String::as_str);
        assert_eq!(of, Some("dev"), "{kind:?}");
    }
    for kind in [Kind::GatewayClass, Kind::ClusterIssuer] {
        let state = &snapshot.kinds[&kind];
        assert!(matches!(state, KindState::Denied(_)), "{kind:?}: {state:?}");
    }
    let text = joined(&server.ngf_tui("dev", "check --no-probe -n dev").out);
    assert!(text.contains("gatewayclasses"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_each_kind_and_of_the_rule_to_add() {
    let server = ApiServer::shared();
    let cluster = server.connect("nobody", None).await;
    let snapshot = cluster.snapshot(PATIENCE).await;
    for kind in watched() {
        let state = &snapshot.kinds[&kind];
        let is_denied = matches!(state, KindState::Denied(_) | KindState::NotServed);
        assert!(is_denied, "{}: {state:?}", kind.name());
    }
    let said = server.ngf_tui("nobody", "check --no-probe");
    let text = joined(&(said.out + &said.err));
    assert!(text.contains("gateway.networking.k8s.io"), "{text}");
    assert!(!text.contains("no problems found"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_is_named_in_one_sentence() {
    let server = ApiServer::shared();
    let refused = ngf_cluster::connect(&server.options("stranger", None)).await;
    let error = refused.err().expect("it is refused");
    assert!(
        matches!(error, ClusterError::Unauthorized { .. }),
        "{error:?}"
    );
    let said = server.ngf_tui("stranger", "check --no-probe").refused();
    assert!(said.contains("stranger"), "{said}");
    assert!(!said.contains("ngf-tui-test-stranger"), "{said}");
}

/// What each user's rights make of each transport, as the API server's own access review says.
#[tokio::test(flavor = "multi_thread")]
async fn the_access_review_agrees_with_what_the_api_server_then_does() {
    let server = ApiServer::shared();
    let namespace = server.namespace("review");
    server.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: pod, namespace: {namespace}}}\n\
         spec: {{containers: [{{name: nginx, image: nginx}}]}}\n"
    ));
    for (user, may) in [("prober", true), ("reader", false), ("nobody", false)] {
        for (verb, resource) in [
            ("create", "pods/exec"),
            ("get", "pods/log"),
            ("patch", "pods"),
        ] {
            let said = server.kubectl(&format!(
                "auth can-i {verb} {resource} -n {namespace} --as {user}"
            ));
            assert_eq!(said.out.trim() == "yes", may, "{user} {verb} {resource}");
        }
        let cluster = server.connect(user, Some(&namespace)).await;
        let log = cluster
            .pod_log(&namespace, "pod", "nginx", &Default::default())
            .await;
        let words = log.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(words.contains("pods/log"), !may, "{user}: {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_says_what_is_hidden() {
    let server = ApiServer::shared();
    let namespace = server.namespace("hidden");
    server.apply(&gateway(&namespace, Some("client")));
    let said = server.ngf_tui(
        "viewer",
        &format!("check --no-probe -o json -n {namespace}"),
    );
    let report: Value = serde_json::from_str(&said.out).expect("JSON");
    let rules = report["hidden"][0]["rules"][0].clone();
    let expected = serde_json::json!(
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch"]}
    );
    assert_eq!(rules, expected, "{}", report["hidden"]);
}
