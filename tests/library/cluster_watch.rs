//! Reads the embedded cluster as any other.

use std::{sync::Arc, time::Duration};

use crate::support::wire::Wire;
use ngf_cluster::{Cluster, ClusterError, ClusterOptions, LogOptions, connect};
use ngf_core::model::{
    kind::{KINDS, Kind},
    object::ObjectRef,
    snapshot::{KindState, Lookup, Scope, Snapshot, Source},
};
use ngf_sandbox::{Denied, Sandbox, SandboxOptions, Scenario, Stage};
use tokio::{sync::watch::Receiver, time::timeout};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_mins(2);

fn denied(verb: &str, resource: &str) -> Denied {
    Denied {
        verb: verb.into(),
        resource: resource.into(),
    }
}

async fn start(stage: Stage, denied: Vec<Denied>) -> (Sandbox, Cluster, tempfile::TempDir) {
    let (sandbox, folder) = sandbox(stage, denied).await;
    let cluster = connect(&options(&folder, None))
        .await
        .expect("a connection");
    (sandbox, cluster, folder)
}

fn options(folder: &tempfile::TempDir, namespace: Option<&str>) -> ClusterOptions {
    ClusterOptions {
        kubeconfig: Some(folder.path().join("config")),
        namespace: namespace.map(Into::into),
        ..ClusterOptions::default()
    }
}

async fn sandbox(stage: Stage, denied: Vec<Denied>) -> (Sandbox, tempfile::TempDir) {
    let guide = Scenario::find("guide").expect("the guide");
    let mut options = SandboxOptions::new(guide, stage);
    options.denied = denied;
    let sandbox = Sandbox::start(options).await.expect("the embedded cluster");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("config"), sandbox.kubeconfig()).expect("a kubeconfig");
    (sandbox, folder)
}

/// Waits for a snapshot of which something is true.
async fn until(
    snapshots: &mut Receiver<Arc<Snapshot>>,
    what: &str,
    is_true: impl FnMut(&Arc<Snapshot>) -> bool,
) -> Arc<Snapshot> {
    let waited = timeout(PATIENCE, snapshots.wait_for(is_true)).await;
    let snapshot = waited.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for: {what}"));
    Arc::clone(&snapshot.unwrap_or_else(|_| panic!("nobody reads any more; waited for: {what}")))
}

fn reference(kind: Kind, name: &str) -> ObjectRef {
    ObjectRef::new(kind, "default", name)
}

fn found(snapshot: &Snapshot, name: &str) -> bool {
    matches!(
        snapshot.secrets.get(&reference(Kind::Secret, name)),
        Some(Lookup::Found(_))
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_is_read_whole() {
    let (sandbox, cluster, _folder) = start(Stage::Policy, Vec::new()).await;
    let snapshot = cluster.snapshot(PATIENCE).await;
    assert_eq!(snapshot.problems, []);
    assert!(matches!(&snapshot.source, Source::Cluster { context, .. } if context == "ngf-demo"));
    for info in KINDS {
        let state = &snapshot.kinds[&info.kind];
        assert!(
            matches!(state, KindState::Live { .. } | KindState::NotServed),
            "{}: {state:?}",
            info.name
        );
    }
    let gateway = &snapshot.gateways[&reference(Kind::Gateway, "gateway")];
    assert_eq!(gateway.notes, []);
    assert!(gateway.raw.pointer("/metadata/managedFields").is_none());
    assert!(snapshot.holds_all(Kind::Gateway, "anywhere"));
    for name in [
        "app-tls-secret",
        "backend-cert",
        "gateway-presents-this-cert-for-validation",
    ] {
        let lookup = &snapshot.secrets[&reference(Kind::Secret, name)];
        let Lookup::Found(secret) = lookup else {
            panic!("{name}: {lookup:?}")
        };
        assert_eq!(secret.spec.certificate.certificates().len(), 1, "{name}");
        assert_eq!(
            secret.spec.ca.certificates()[0].subject,
            "CN=LocalCA",
            "{name}"
        );
        assert!(
            secret.raw["data"]["tls.key"]
                .as_str()
                .is_some_and(|v| v.ends_with(" bytes"))
        );
    }
    let local_ca = ObjectRef::new(Kind::Secret, "cert-manager", "local-ca-secret");
    assert!(matches!(snapshot.secrets[&local_ca], Lookup::Found(_)));
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_and_what_did_not_change_is_shared() {
    let (sandbox, cluster, _folder) = start(Stage::Before, Vec::new()).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    assert!(
        snapshots
            .borrow()
            .kinds
            .values()
            .all(|state| *state == KindState::Loading)
    );
    let before = until(&mut snapshots, "the route", |s| {
        s.routes.len() == 1 && !s.kinds.values().any(|state| *state == KindState::Loading)
    })
    .await;
    assert!(before.policies.is_empty());
    assert!(!found(&before, "backend-cert"));
    sandbox
        .set_stage(Stage::Policy)
        .await
        .expect("the last stage");
    let after = until(&mut snapshots, "the policy and its Secret", |s| {
        s.policies.len() == 1 && found(s, "backend-cert") && found(s, "app-tls-secret")
    })
    .await;
    let class = ObjectRef::new(Kind::GatewayClass, "", "nginx");
    assert!(Arc::ptr_eq(
        &before.gateway_classes[&class],
        &after.gateway_classes[&class]
    ));
    sandbox
        .set_stage(Stage::Before)
        .await
        .expect("the first stage");
    until(&mut snapshots, "the policy and its Secret to go", |s| {
        s.policies.is_empty()
            && !s
                .secrets
                .contains_key(&reference(Kind::Secret, "backend-cert"))
    })
    .await;
    cancel.cancel();
    let ended = timeout(PATIENCE, async {
        while snapshots.changed().await.is_ok() {}
    })
    .await;
    assert!(ended.is_ok(), "cancelling ends the reading");
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_hides_nothing_else() {
    let (sandbox, cluster, _folder) = start(
        Stage::Policy,
        vec![
            denied("get", "secrets"),
            denied("list", "backendtlspolicies.gateway.networking.k8s.io"),
            denied("watch", "configmaps"),
        ],
    )
    .await;
    let snapshot = cluster.snapshot(PATIENCE).await;
    let KindState::Denied(words) = &snapshot.kinds[&Kind::BackendTLSPolicy] else {
        panic!("{:?}", snapshot.kinds[&Kind::BackendTLSPolicy])
    };
    assert!(words.contains("backendtlspolicies"), "{words}");
    assert!(!snapshot.holds_all(Kind::BackendTLSPolicy, "default"));
    assert_eq!(snapshot.routes.len(), 1);
    let client = reference(Kind::Secret, "gateway-presents-this-cert-for-validation");
    let Lookup::Unknown(words) = &snapshot.secrets[&client] else {
        panic!("{:?}", snapshot.secrets[&client])
    };
    assert!(words.contains("forbidden"), "{words}");
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_api_server_is_noticed_and_what_was_read_remains() {
    let (sandbox, cluster, _folder) = start(Stage::Policy, Vec::new()).await;
    let mut snapshots = cluster.watch(&CancellationToken::new());
    until(&mut snapshots, "the policy", |s| {
        s.policies.len() == 1 && found(s, "backend-cert")
    })
    .await;
    sandbox.shutdown().await;
    let stale = until(&mut snapshots, "everything to be stale", |s| {
        !s.kinds
            .values()
            .any(|state| matches!(state, KindState::Live { .. }))
    })
    .await;
    assert_eq!(stale.policies.len(), 1);
    assert!(found(&stale, "backend-cert"));
    let KindState::Stale { why, .. } = &stale.kinds[&Kind::Gateway] else {
        panic!("{:?}", stale.kinds[&Kind::Gateway])
    };
    assert!(!why.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_config_maps_are_never_listed() {
    let everything_but_lists = ["secrets", "configmaps"].map(|resource| denied("list", resource));
    let (sandbox, cluster, _folder) = start(Stage::Policy, everything_but_lists.into()).await;
    let snapshot = cluster.snapshot(PATIENCE).await;
    assert!(found(&snapshot, "backend-cert"));
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_gets_what_it_needs() {
    let (sandbox, cluster, _folder) = start(Stage::Policy, Vec::new()).await;
    let client = reference(Kind::Secret, "gateway-presents-this-cert-for-validation");
    let identity = cluster.load_identity(&client).await.expect("an identity");
    assert!(
        identity
            .certificate_pem
            .starts_with(b"-----BEGIN CERTIFICATE-----")
    );
    assert!(identity.key_pem.starts_with(b"-----BEGIN"));
    assert!(!format!("{identity:?}").contains("PRIVATE"));
    let bundle = reference(Kind::Secret, "backend-cert");
    let ca = cluster
        .load_bundle(&bundle, "ca.crt")
        .await
        .expect("a bundle");
    assert!(ca.starts_with(b"-----BEGIN CERTIFICATE-----"));
    for (object, key, words) in [
        (
            &bundle,
            "nothing",
            "Secret default/backend-cert has no readable key nothing",
        ),
        (
            &reference(Kind::ConfigMap, "absent"),
            "ca.crt",
            "ConfigMap default/absent does not exist",
        ),
        (
            &reference(Kind::Secret, "../../pods"),
            "ca.crt",
            "Secret default/../../pods does not exist",
        ),
        (
            &reference(Kind::Pod, "x"),
            "ca.crt",
            "Pod default/x holds no certificates",
        ),
    ] {
        let error = cluster.load_bundle(object, key).await.expect_err(words);
        assert!(matches!(error, ClusterError::Object { .. }));
        assert!(error.to_string().starts_with(words), "{error}");
    }
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_read_bounded() {
    let (sandbox, cluster, _folder) = start(Stage::Policy, Vec::new()).await;
    let snapshot = cluster.snapshot(PATIENCE).await;
    let pod = snapshot
        .pods
        .keys()
        .find(|pod| pod.name.starts_with("secure-app"))
        .expect("the application's pod");
    let container = &snapshot.pods[pod].spec.containers[0].name;
    let all = cluster
        .pod_log("default", &pod.name, container, &LogOptions::default())
        .await
        .expect("a log");
    let some = LogOptions {
        limit: Some(10),
        ..LogOptions::default()
    };
    let some = cluster
        .pod_log("default", &pod.name, container, &some)
        .await
        .expect("a log");
    assert!(some.len() <= 10 && some.len() <= all.len());
    let absent = cluster
        .pod_log("default", "absent", "x", &LogOptions::default())
        .await
        .expect_err("there is no such pod");
    assert!(
        absent
            .to_string()
            .starts_with("Pod default/absent container \"x\": its log"),
        "{absent}"
    );
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_namespace_is_read_where_one_is_asked_for() {
    let (sandbox, folder) = sandbox(Stage::Policy, Vec::new()).await;
    let read = async |namespace| {
        let cluster = connect(&options(&folder, Some(namespace)))
            .await
            .expect("a connection");
        cluster.snapshot(PATIENCE).await
    };
    let default = read("default").await;
    assert_eq!(default.scope, Scope::Namespace("default".into()));
    assert_eq!(default.gateways.len(), 1);
    assert_eq!(default.gateway_classes.len(), 1);
    assert!(default.holds_all(Kind::Gateway, "default"));
    assert!(!default.holds_all(Kind::Gateway, "other"));
    let elsewhere = read("nginx-gateway").await;
    assert_eq!((elsewhere.gateways.len(), elsewhere.problems.len()), (0, 0));
    let absent = read("no-such-namespace").await;
    assert_eq!(absent.problems[0].place, "namespace no-such-namespace");
    let impossible = connect(&options(&folder, Some("a/b"))).await;
    let error = impossible
        .map(|_| ())
        .expect_err("no namespace can be called so");
    assert!(
        error
            .to_string()
            .starts_with("\"a/b\" is no name of a namespace"),
        "{error}"
    );
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_wire_is_noticed_and_what_happened_meanwhile_is_made_up_for() {
    let (sandbox, folder) = sandbox(Stage::Before, Vec::new()).await;
    let server = sandbox.server_url();
    let address = server.trim_start_matches("https://").parse();
    let mut wire = Wire::to(address.expect("an address")).await;
    let through_wire = sandbox
        .kubeconfig()
        .replace(&server, &format!("https://{}", wire.address));
    std::fs::write(folder.path().join("config"), through_wire).expect("a kubeconfig");
    let cluster = connect(&options(&folder, None))
        .await
        .expect("a connection");
    let mut snapshots = cluster.watch(&CancellationToken::new());
    let is_live = |snapshot: &Arc<Snapshot>| {
        let mut states = snapshot.kinds.values();
        states.all(|state| matches!(state, KindState::Live { .. } | KindState::NotServed))
    };
    let before = until(&mut snapshots, "everything to be live", is_live).await;

    wire.cut().await;
    let stale =
        |snapshot: &Snapshot, kind| matches!(snapshot.kinds[&kind], KindState::Stale { .. });
    until(&mut snapshots, "the break to be noticed", |s| {
        stale(s, Kind::Gateway) && stale(s, Kind::GatewayClass) && s.gateways.len() == 1
    })
    .await;
    sandbox
        .set_stage(Stage::Policy)
        .await
        .expect("the last stage");
    // the API server no longer knows what happened since the break: a new list is needed
    sandbox.compact();
    wire.mend().await;

    let after = until(
        &mut snapshots,
        "the policy, its Secret and live kinds",
        |s| s.policies.len() == 1 && found(s, "backend-cert") && is_live(s),
    )
    .await;
    let class = ObjectRef::new(Kind::GatewayClass, "", "nginx");
    let is_shared = Arc::ptr_eq(
        &before.gateway_classes[&class],
        &after.gateway_classes[&class],
    );
    assert!(
        is_shared,
        "what a new list holds unchanged is not read again"
    );
    sandbox.shutdown().await;
}
