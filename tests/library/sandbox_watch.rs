//! The embedded cluster through the eyes of kube-rs: lists in pages, watches, bookmarks, 410.

use std::time::Duration;

use crate::sandbox_support::Cluster;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{
    ApiResource, DynamicObject, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::Discovery;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, Config as ClientConfig};
use ngf_sandbox::Stage;

async fn client(cluster: &Cluster) -> Client {
    // Chosen once in a process; another test of this one may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::from_yaml(&cluster.sandbox.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = ClientConfig::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

fn config_map(name: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    map
}

async fn fill(client: &Client, count: usize) -> Api<ConfigMap> {
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    for number in 0..count {
        let map = config_map(&format!("map-{number:03}"));
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    maps
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_read_in_pages_of_one_version() {
    let cluster = Cluster::start("guide", Stage::Before).await;
    let client = client(&cluster).await;
    let maps = fill(&client, 25).await;
    let whole = maps.list(&ListParams::default()).await.unwrap().items.len();
    let mut parameters = ListParams::default().limit(10);
    let mut names = Vec::new();
    let mut versions = Vec::new();
    loop {
        let page = maps.list(&parameters).await.unwrap();
        // What comes between two pages is in none of them.
        let between = config_map(&format!("a-{}", names.len()));
        maps.create(&PostParams::default(), &between).await.unwrap();
        names.extend(page.items.iter().filter_map(|m| m.metadata.name.clone()));
        versions.extend(page.metadata.resource_version);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = ListParams::default().limit(10).continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names.len(), whole);
    let mut sorted = names.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(names, sorted);
    assert!(
        versions.iter().all(|version| *version == versions[0]),
        "{versions:?}"
    );

    let first = maps.list(&ListParams::default().limit(3)).await.unwrap();
    assert_eq!(
        first.metadata.remaining_item_count,
        Some(i64::try_from(whole).unwrap())
    );
    cluster.sandbox.compact();
    let token = first.metadata.continue_.unwrap();
    let expired = maps
        .list(&ListParams::default().limit(3).continue_token(&token))
        .await;
    match expired {
        Err(kube::Error::Api(status)) => {
            assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
        }
        other => panic!("{other:?}"),
    }
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_with_small_pages_sees_everything_once_and_then_every_change() {
    let cluster = Cluster::start("guide", Stage::Before).await;
    let client = client(&cluster).await;
    let maps = fill(&client, 23).await;
    let config = Config::default().labels("app!=x").timeout(20).page_size(5);
    let mut events = watcher(maps.clone(), config).boxed();
    let mut initial = Vec::new();
    loop {
        match events.try_next().await.unwrap().unwrap() {
            Event::Init => {}
            Event::InitApply(map) => initial.extend(map.metadata.name),
            Event::InitDone => break,
            other => panic!("{other:?}"),
        }
    }
    let expected = maps.list(&ListParams::default()).await.unwrap().items.len();
    assert_eq!(initial.len(), expected);

    let added = maps
        .create(&PostParams::default(), &config_map("new"))
        .await
        .unwrap();
    assert_eq!(added.metadata.uid.as_deref().map(str::len), Some(36));
    let label = serde_json::json!({"metadata": {"labels": {"app": "x"}}});
    maps.patch("map-001", &PatchParams::default(), &Patch::Merge(&label))
        .await
        .unwrap();
    maps.delete("map-002", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let next = tokio::time::timeout(Duration::from_secs(10), events.try_next()).await;
        match next.expect("an event").unwrap().unwrap() {
            Event::Apply(map) => seen.push(format!("apply {}", map.metadata.name.unwrap())),
            Event::Delete(map) => seen.push(format!("delete {}", map.metadata.name.unwrap())),
            other => panic!("{other:?}"),
        }
    }
    // What a selector no longer selects is gone for who watches by it.
    assert_eq!(seen, ["apply new", "delete map-001", "delete map-002"]);
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_from_a_forgotten_version_is_told_410_and_a_watcher_starts_again() {
    let cluster = Cluster::start("guide", Stage::Before).await;
    let client = client(&cluster).await;
    let maps = fill(&client, 3).await;
    let old = maps
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    maps.create(&PostParams::default(), &config_map("later"))
        .await
        .unwrap();
    let first = maps
        .watch(&WatchParams::default().timeout(5), &old)
        .await
        .unwrap();
    let first = first.boxed().try_next().await.unwrap().unwrap();
    assert!(
        matches!(first, WatchEvent::Added(map) if map.metadata.name.as_deref() == Some("later"))
    );

    cluster.sandbox.compact();
    let mut expired = maps
        .watch(&WatchParams::default().timeout(5), &old)
        .await
        .unwrap()
        .boxed();
    match expired.try_next().await.unwrap() {
        Some(WatchEvent::Error(status)) => {
            assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
            assert!(
                status.message.starts_with("too old resource version: "),
                "{}",
                status.message
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(expired.try_next().await.unwrap().is_none());
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_it_is_told_to_with_a_bookmark_of_where_it_is() {
    let cluster = Cluster::start("guide", Stage::Before).await;
    let client = client(&cluster).await;
    let slices: Api<EndpointSlice> = Api::all(client.clone());
    let list = slices.list(&ListParams::default()).await.unwrap();
    let version = list.metadata.resource_version.unwrap();
    // Another kind's change moves the version, and bookmarks say so.
    fill(&client, 2).await;
    let parameters = WatchParams::default().timeout(1);
    let events: Vec<_> = slices
        .watch(&parameters, &version)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let bookmarks: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            WatchEvent::Bookmark(mark) => mark.metadata.resource_version.parse().ok(),
            _ => None,
        })
        .collect();
    assert!(
        bookmarks.last() > version.parse().ok().as_ref(),
        "{bookmarks:?} after {version}"
    );
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_finds_what_is_served_and_not_what_is_left_out() {
    let cluster = Cluster::start("guide", Stage::Policy).await;
    let client = client(&cluster).await;
    let discovery = Discovery::new(client.clone());
    let discovery = discovery.run_aggregated().await.unwrap();
    let group = discovery
        .get("gateway.networking.k8s.io")
        .expect("the Gateway API");
    assert_eq!(group.preferred_version_or_latest(), "v1");
    let kinds: Vec<String> = group
        .recommended_resources()
        .into_iter()
        .map(|(resource, _)| resource.kind)
        .collect();
    for kind in [
        "Gateway",
        "HTTPRoute",
        "BackendTLSPolicy",
        "ListenerSet",
        "TLSRoute",
    ] {
        assert!(kinds.iter().any(|k| k == kind), "{kind} in {kinds:?}");
    }
    assert!(
        !kinds.iter().any(|k| k == "TCPRoute" || k == "UDPRoute"),
        "{kinds:?}"
    );
    let missing = ApiResource {
        group: "gateway.networking.k8s.io".into(),
        version: "v1alpha2".into(),
        api_version: "gateway.networking.k8s.io/v1alpha2".into(),
        kind: "TCPRoute".into(),
        plural: "tcproutes".into(),
    };
    let routes: Api<DynamicObject> = Api::all_with(client, &missing);
    match routes.list(&ListParams::default()).await {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 404),
        other => panic!("{other:?}"),
    }
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_alone_one_secret_by_name_and_logs_can_be_followed() {
    let cluster = Cluster::start("guide", Stage::Policy).await;
    let client = client(&cluster).await;
    let secrets: Api<Secret> = Api::default_namespaced(client.clone());
    let metadata = secrets.list_metadata(&ListParams::default()).await.unwrap();
    assert!(
        metadata
            .items
            .iter()
            .any(|m| m.metadata.name.as_deref() == Some("backend-cert"))
    );
    // As the tool watches Secrets: from what there is on, without values.
    let parameters = WatchParams::default()
        .fields("metadata.name=backend-cert")
        .timeout(20);
    let watched = secrets.watch_metadata(&parameters, "0").await.unwrap();
    match watched.boxed().try_next().await.unwrap() {
        Some(WatchEvent::Added(secret)) => {
            assert_eq!(secret.metadata.name.as_deref(), Some("backend-cert"));
        }
        other => panic!("{other:?}"),
    }
    let by_name = Config::default()
        .fields("metadata.name=backend-cert")
        .timeout(20);
    let mut events = watcher(secrets.clone(), by_name).boxed();
    let mut names = Vec::new();
    loop {
        match events.try_next().await.unwrap().unwrap() {
            Event::InitApply(secret) => names.extend(secret.metadata.name),
            Event::InitDone => break,
            _ => {}
        }
    }
    assert_eq!(names, ["backend-cert"]);

    let pods: Api<Pod> = Api::default_namespaced(client);
    let list = pods
        .list(&ListParams::default().labels("app=secure-app"))
        .await
        .unwrap();
    let pod = &list.items[0];
    let address = pod.status.as_ref().unwrap().pod_ip.clone().unwrap();
    let name = pod.metadata.name.clone().unwrap();
    let follow = LogParams {
        follow: true,
        timestamps: true,
        ..LogParams::default()
    };
    let mut lines = futures::AsyncBufReadExt::lines(pods.log_stream(&name, &follow).await.unwrap());
    let asked = tokio::task::spawn_blocking(move || {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect((address.as_str(), 8443)).unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(
        asked
            .await
            .unwrap()
            .contains("The plain HTTP request was sent to HTTPS port")
    );
    let mut seen = Vec::new();
    while !seen
        .iter()
        .any(|line: &String| line.ends_with("ssl_client_verify=- ssl_client_subject=-"))
    {
        let line = tokio::time::timeout(Duration::from_secs(10), lines.try_next()).await;
        seen.push(line.expect("a line").unwrap().unwrap());
    }
    let (time, _) = seen[0].split_once(' ').unwrap();
    time.parse::<jiff::Timestamp>().unwrap();
    let shortened = LogParams {
        tail_lines: Some(1),
        limit_bytes: Some(9),
        ..LogParams::default()
    };
    assert_eq!(pods.logs(&name, &shortened).await.unwrap(), "127.0.0.1");
    cluster.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_stops_ends_its_watches() {
    let cluster = Cluster::start("guide", Stage::Before).await;
    let client = client(&cluster).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let mut events = maps
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .boxed();
    events.try_next().await.unwrap().unwrap();
    let ended = tokio::spawn(async move { while let Ok(Some(_)) = events.try_next().await {} });
    tokio::time::timeout(Duration::from_secs(5), cluster.sandbox.shutdown())
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(5), ended)
        .await
        .unwrap()
        .unwrap();
}
