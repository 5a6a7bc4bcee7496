//! Starting, walking and stopping the embedded cluster.

use std::time::{Duration, Instant};

use crate::sandbox_support::{Cluster, peers};
use ngf_sandbox::{STEPS, Sandbox, SandboxError, SandboxOptions, Scenario, Stage};

fn guide() -> SandboxOptions {
    SandboxOptions::new(Scenario::find("guide").unwrap(), Stage::Policy)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_loopback_is_listened_on_and_a_taken_port_is_named() {
    let mut options = guide();
    options.address = ([0, 0, 0, 0], 0).into();
    let error = Sandbox::start(options).await.unwrap_err();
    assert!(matches!(error, SandboxError::NotLoopback(_)));
    assert!(
        error
            .to_string()
            .contains("loopback only, not on 0.0.0.0:0"),
        "{error}"
    );

    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut options = guide();
    options.address = taken.local_addr().unwrap();
    let error = Sandbox::start(options).await.unwrap_err();
    let address = taken.local_addr().unwrap().to_string();
    assert!(
        error
            .to_string()
            .contains(&format!("cannot listen on {address}")),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_prints_the_token_or_a_key() {
    let sandbox = Sandbox::start(guide()).await.unwrap();
    let kubeconfig = sandbox.kubeconfig();
    let token = kubeconfig
        .split("token: \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(token.len(), 64);
    let printed = format!("{sandbox:?}");
    assert!(
        !printed.contains(token) && !printed.contains("tls.key"),
        "{printed:.200}"
    );
    sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_cluster_is_gone() {
    let sandbox = Sandbox::start(guide()).await.unwrap();
    let address = sandbox.server_url().replace("https://", "");
    std::net::TcpStream::connect(&address).unwrap();
    drop(sandbox);
    let started = Instant::now();
    while std::net::TcpStream::connect(&address).is_ok() {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "still listening on {address}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn the_steps_are_the_guides_in_its_order() {
    let titles: Vec<_> = Stage::ALL
        .iter()
        .flat_map(|s| s.steps())
        .map(|s| s.title)
        .collect();
    assert_eq!(titles, STEPS.iter().map(|s| s.title).collect::<Vec<_>>());
    assert_eq!(STEPS.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_can_be_walked_forth_and_back() {
    if !peers(&["kubectl"]) {
        return;
    }
    let cluster = Cluster::start("guide", Stage::Before).await;
    let names = "get btlspolicy,certificates,secrets -o name";
    let before = cluster.kubectl(names).fine();
    assert!(
        !before.contains("backend-tls") && !before.contains("gateway-client-cert"),
        "{before}"
    );
    cluster.sandbox.set_stage(Stage::Policy).await.unwrap();
    let last = cluster.kubectl(names).fine();
    assert!(
        last.contains("backend-tls") && last.contains("secret/backend-cert"),
        "{last}"
    );
    cluster
        .sandbox
        .set_stage(Stage::ClientCertificate)
        .await
        .unwrap();
    let middle = cluster.kubectl(names).fine();
    assert!(
        !middle.contains("backend-tls") && middle.contains("gateway-client-cert"),
        "{middle}"
    );
    cluster.sandbox.set_stage(Stage::Before).await.unwrap();
    assert_eq!(cluster.kubectl(names).fine(), before);
    let tls = cluster
        .kubectl("get gateway gateway -o jsonpath={.spec.tls}")
        .fine();
    assert_eq!(tls, "");
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_run_side_by_side_and_pods_share_an_address_where_they_must() {
    if !peers(&["kubectl"]) {
        return;
    }
    let first = Cluster::start("guide", Stage::Policy).await;
    let second = Cluster::start("guide", Stage::Policy).await;
    let mut options = SandboxOptions::new(Scenario::find("guide").unwrap(), Stage::Policy);
    options.own_network = false;
    let third = Cluster::with(options).await;
    third
        .kubectl(r#"patch deploy secure-app --type=merge -p {"spec":{"replicas":2}}"#)
        .fine();
    third.kubectl_until(
        "get deploy secure-app -o jsonpath={.status.readyReplicas}",
        "2",
    );
    let mut all = first.endpoints("secure-app");
    all.extend(second.endpoints("secure-app"));
    all.extend(third.endpoints("secure-app"));
    assert_eq!(all.len(), 4);
    for (index, endpoint) in all.iter().enumerate() {
        assert!(!all[..index].contains(endpoint), "{all:?}");
        std::net::TcpStream::connect((endpoint.0.as_str(), endpoint.1)).unwrap();
    }
    assert!(all[..2].iter().all(|(_, port)| *port == 8443), "{all:?}");
    for cluster in [first, second, third] {
        cluster.sandbox.shutdown().await;
    }
    for (address, port) in all {
        assert!(
            std::net::TcpStream::connect((address.as_str(), port)).is_err(),
            "still listening"
        );
    }
}
