//! Lists, watches, pages, and what is read of each object.

use std::sync::Arc;

use ngf_core::model::{
    kind::{KINDS, Kind, Reading},
    object::ObjectRef,
    snapshot::{KindState, Lookup, Snapshot},
};
use tokio_util::sync::CancellationToken;

use crate::{
    objects::{gateway, routes, secret, service},
    server::{ApiServer, GATEWAY_API, PATIENCE, until, until_so},
};

fn is_settled(snapshot: &Snapshot) -> bool {
    let mut states = snapshot.kinds.values();
    !states.any(|state| *state == KindState::Loading)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_that_the_cluster_serves_is_live() {
    let server = ApiServer::shared();
    let namespace = server.namespace("kinds");
    let cluster = server.connect("reader", Some(&namespace)).await;
    let snapshot = cluster.snapshot(PATIENCE).await;
    assert_eq!(snapshot.problems, []);
    let watched = KINDS.iter().filter(|info| info.reading != Reading::ByName);
    for info in watched {
        let state = &snapshot.kinds[&info.kind];
        // Of NGF 2.7, which the test's own CRDs of NGF do not have, and of trust-manager, whose CRDs are not installed.
        let is_absent = matches!(
            info.kind,
            Kind::PayloadProcessor
                | Kind::ExternalLoadBalancer
                | Kind::Bundle
                | Kind::ClusterBundle
                | Kind::ClusterTrustBundle
        );
        let is_right = match state {
            KindState::Live { version } => !is_absent && info.versions.contains(&version.as_str()),
            KindState::NotServed => is_absent,
            _ => false,
        };
        assert!(is_right, "{}: {state:?}", info.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_read_page_by_page_and_whole() {
    let server = ApiServer::shared();
    let namespace = server.namespace("pages");
    server.create(&routes(&namespace, 0..1_203));
    let cluster = server.connect("reader", Some(&namespace)).await;
    let snapshot = cluster.snapshot(PATIENCE).await;
    assert_eq!(snapshot.routes.len(), 1_203);
    let path = format!("/namespaces/{namespace}/httproutes");
    let pages = server.asked(|asked| asked.verb == "list" && asked.uri.contains(&path));
    let all = pages.iter().all(|page| page.uri.contains("limit=500"));
    assert!(all, "{pages:?}");
    let next = pages.iter().filter(|page| page.uri.contains("continue="));
    assert_eq!(next.count(), 2, "{pages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_told_and_what_does_not_is_shared() {
    let server = ApiServer::shared();
    let namespace = server.namespace("watch");
    server.apply(&routes(&namespace, 0..2));
    let cluster = server.connect("reader", Some(&namespace)).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    let before = until(&mut snapshots, "two routes", |s| {
        s.routes.len() == 2 && is_settled(s)
    })
    .await;
    server.apply(&(gateway(&namespace, None) + &service(&namespace)));
    let after = until(&mut snapshots, "a Gateway and a Service", |s| {
        s.gateways.len() == 1 && s.services.len() == 1
    })
    .await;
    let route = |n: usize| ObjectRef::new(Kind::HTTPRoute, &*namespace, format!("route-{n}"));
    assert!(Arc::ptr_eq(
        &before.routes[&route(1)],
        &after.routes[&route(1)]
    ));
    server
        .kubectl(&format!("delete httproute route-0 -n {namespace}"))
        .fine();
    let after = until(&mut snapshots, "one route", |s| s.routes.len() == 1).await;
    assert!(after.routes.contains_key(&route(1)));
    // The defaults and managed fields that the API server adds: the first are read, the second are not.
    let gateway = &after.gateways[&ObjectRef::new(Kind::Gateway, &*namespace, "gateway")];
    let from = "/spec/listeners/0/allowedRoutes/namespaces/from";
    assert_eq!(
        gateway.raw.pointer(from).and_then(|from| from.as_str()),
        Some("Same"),
        "{}",
        gateway.raw
    );
    assert_eq!(gateway.raw.pointer("/metadata/managedFields"), None);
    cancel.cancel();
    let of_namespace = format!("/namespaces/{namespace}/");
    let watches = server.asked(|asked| asked.verb == "watch" && asked.uri.contains(&of_namespace));
    assert!(watches.len() > 20, "{watches:?}");
    for watch in &watches {
        assert_eq!(watch.code, 200, "{watch:?}");
        assert!(watch.uri.contains("allowWatchBookmarks=true"), "{watch:?}");
        assert!(watch.uri.contains("timeoutSeconds=290"), "{watch:?}");
    }
    let written = server.asked(|asked| asked.user == "reader" && asked.writes());
    assert!(written.is_empty(), "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_by_name_alone_and_followed() {
    let server = ApiServer::shared();
    let namespace = server.namespace("names");
    server.apply(&gateway(&namespace, Some("client")));
    server.apply(&secret(&namespace, "other", &[("password", "hunter2")]));
    let cluster = server.connect("reader", Some(&namespace)).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    let reference = ObjectRef::new(Kind::Secret, &*namespace, "client");
    let keys = |snapshot: &Snapshot| match snapshot.secrets.get(&reference) {
        Some(Lookup::Found(secret)) => secret
            .raw
            .get("data")
            .and_then(|data| data.as_object())
            .map(|data| data.keys().cloned().collect::<Vec<_>>()),
        _ => None,
    };
    until(&mut snapshots, "the Secret is absent", |s| {
        matches!(s.secrets.get(&reference), Some(Lookup::Absent))
    })
    .await;
    for key in ["one", "two"] {
        server.apply(&secret(&namespace, "client", &[(key, "value")]));
        until(&mut snapshots, "the Secret with its key", |s| {
            keys(s).is_some_and(|keys| keys == [key])
        })
        .await;
    }
    server
        .kubectl(&format!("delete secret client -n {namespace}"))
        .fine();
    until(&mut snapshots, "the Secret is gone", |s| {
        matches!(s.secrets.get(&reference), Some(Lookup::Absent))
    })
    .await;
    cancel.cancel();
    let path = format!("/namespaces/{namespace}/secrets");
    let asked = server.asked(|asked| asked.user == "reader" && asked.uri.contains(&path));
    assert!(!asked.is_empty());
    for one in asked {
        let is_by_name = match one.verb.as_str() {
            "get" => one.uri.ends_with("/secrets/client"),
            "watch" => one.uri.contains("fieldSelector=metadata.name%3Dclient"),
            _ => false,
        };
        assert!(is_by_name, "{one:?}");
        // From the beginning of what the API server knows: no watch is refused as too old.
        assert_ne!(one.code, 410, "{one:?}");
    }
}

/// Beyond a hundred, one watch tells the names of those that change, and nothing else of them.
#[tokio::test(flavor = "multi_thread")]
async fn many_secrets_are_followed_by_a_watch_of_their_names() {
    const MANY: usize = 150;
    let server = ApiServer::shared();
    let namespace = server.namespace("many");
    let names: Vec<String> = (0..MANY).map(|n| format!("client-{n}")).collect();
    let written = |name: &String| {
        let gateway = gateway(&namespace, Some(name));
        let gateway = gateway.replace("name: gateway", &format!("name: gateway-{name}"));
        let secret = secret(&namespace, name, &[("one", "value")]);
        format!("{gateway}{secret}")
    };
    server.create(&names.iter().map(written).collect::<String>());
    let cluster = server.connect("reader", None).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    let of_these = |s: &Snapshot| {
        let found = s.secrets.iter().filter(|(reference, found)| {
            *reference.namespace == *namespace && matches!(found, Lookup::Found(_))
        });
        found.count()
    };
    until(&mut snapshots, "all Secrets are followed", |s| {
        of_these(s) == MANY && s.unwatched.is_empty()
    })
    .await;
    let of_secrets = |asked: &crate::server::Asked| {
        asked.user == "reader"
            && asked
                .uri
                .contains(&format!("/namespaces/{namespace}/secrets/"))
    };
    let before = server.asked(of_secrets).len();
    let changed = |name: &String| secret(&namespace, name, &[("one", "value"), ("two", "value")]);
    server.apply(&names.iter().map(changed).collect::<String>());
    server
        .kubectl(&format!("delete secret client-0 client-149 -n {namespace}"))
        .fine();
    until(&mut snapshots, "each Secret as it is now", |s| {
        let is_new = |name: &String| {
            let reference = ObjectRef::new(Kind::Secret, &*namespace, name.as_str());
            match s.secrets.get(&reference) {
                Some(Lookup::Found(secret)) => secret.raw.pointer("/data/two").is_some(),
                _ => name == "client-0" || name == "client-149",
            }
        };
        names.iter().all(is_new) && of_these(s) == MANY - 2
    })
    .await;
    cancel.cancel();
    let reads = server.asked(of_secrets).len() - before;
    assert!(
        reads <= 2 * (MANY + 2),
        "{reads} reads of {MANY} Secrets that changed"
    );
    let of_all = server.asked(|asked| {
        asked.user == "reader" && asked.uri.starts_with("/api/v1/secrets") && asked.code == 200
    });
    assert!(!of_all.is_empty());
    for one in of_all {
        let is_of_names = one.verb == "watch" && one.uri.contains("includeObject=None");
        assert!(is_of_names, "{one:?}");
    }
}

/// A bookmark moves the watch of a quiet kind on: when it is begun again it begins there.
#[tokio::test(flavor = "multi_thread")]
async fn bookmarks_keep_the_watch_of_a_quiet_kind_young() {
    let server = ApiServer::start(GATEWAY_API, &[]);
    server.apply(&routes("default", 0..1));
    let cluster = server.connect("reader", Some("default")).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    until(&mut snapshots, "the route", |s| {
        s.routes.len() == 1 && is_settled(s)
    })
    .await;
    let of_routes = |verb: &'static str| {
        move |asked: &crate::server::Asked| {
            asked.user == "reader" && asked.verb == verb && asked.uri.contains("/httproutes")
        }
    };
    server.create(
        &(0..50)
            .map(|n| secret("default", &format!("s{n}"), &[("a", "b")]))
            .collect::<String>(),
    );
    // The API server sends each watch a bookmark a minute after it began. This one began after the tool's.
    let watched_since = server.asked(of_routes("watch"));
    let at = watched_since[0].version() + 50;
    let path = "/apis/gateway.networking.k8s.io/v1/httproutes?watch=true&allowWatchBookmarks=true&resourceVersion=0";
    server.until_bookmark(path, at).await;
    let before = server.asked(of_routes("watch")).len();
    server.tell("stop");
    server.tell("start");
    until_so("the routes are watched again", || {
        server.asked(of_routes("watch")).len() > before
    })
    .await;
    let again = &server.asked(of_routes("watch"))[before];
    assert!(again.version() >= at, "{again:?} from before {at}");
    until(&mut snapshots, "it is live again", |s| {
        matches!(s.kinds[&Kind::HTTPRoute], KindState::Live { .. }) && s.lost.is_none()
    })
    .await;
    cancel.cancel();
}
