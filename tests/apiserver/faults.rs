//! An API server that forgets, restarts, stands still and loses its etcd.

use std::time::Duration;

use ngf_core::model::{kind::Kind, object::ObjectRef, snapshot::KindState};
use tokio_util::sync::CancellationToken;

use crate::{
    objects::{CLASS, gateway, routes, secret},
    server::{ApiServer, Asked, GATEWAY_API, PATIENCE, until, until_so},
    support::wire::Wire,
};

/// Whether it was read, or is known not to be there.
fn is_known(state: &KindState) -> bool {
    is_live(state) || *state == KindState::NotServed
}

fn is_live(state: &KindState) -> bool {
    matches!(state, KindState::Live { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_it_recovers_and_reads_again_what_it_missed() {
    let server = ApiServer::start(GATEWAY_API, &[]);
    server.apply(&(gateway("default", Some("client")) + &routes("default", 0..2)));
    server.apply(&secret("default", "client", &[("a", "b")]));
    let cluster = server.connect("reader", None).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    until(&mut snapshots, "two routes", |s| {
        s.routes.len() == 2 && s.secrets.len() == 1
    })
    .await;
    server.tell("stop");
    let lost = until(&mut snapshots, "the API server is lost", |s| {
        s.lost.is_some()
    })
    .await;
    assert_eq!(lost.routes.len(), 2, "what was read stays");
    server.tell("start");
    // It forgot what it remembered for watches: what changes now comes by whatever way there is.
    server.apply(&routes("default", 2..3));
    server.kubectl("delete httproute route-0 -n default").fine();
    let after = until(&mut snapshots, "the routes of today", |s| {
        s.lost.is_none()
            && s.routes.len() == 2
            && is_live(&s.kinds[&Kind::HTTPRoute])
            && is_live(&s.kinds[&Kind::Gateway])
    })
    .await;
    let route = ObjectRef::new(Kind::HTTPRoute, "default", "route-2");
    assert!(after.routes.contains_key(&route));
    // An idle tool asks for nothing again and again.
    until(&mut snapshots, "all kinds are live", |s| {
        s.kinds.values().all(is_known)
    })
    .await;
    let count = || server.asked(|asked| asked.user == "reader").len();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = count();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let idle = count() - before;
    assert!(idle < 60, "{idle} requests in 20 s");
    cancel.cancel();
}

/// Without its watch cache the API server watches in etcd, which forgets when it is compacted: 410.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_too_old_is_answered_by_a_new_list() {
    let server = ApiServer::start(GATEWAY_API, &["--watch-cache=false"]);
    server.apply(&routes("default", 0..2));
    let mut wire = Wire::to(server.address()).await;
    let cluster = server.connect_by("reader", wire.address).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    until(&mut snapshots, "two routes", |s| {
        s.routes.len() == 2 && s.kinds.values().all(is_known)
    })
    .await;
    let lists = || {
        let is_list = |asked: &Asked| {
            asked.user == "reader" && asked.verb == "list" && asked.uri.contains("/httproutes")
        };
        server.asked(is_list).len()
    };
    wire.cut().await;
    let before = lists();
    server.apply(&routes("default", 2..9));
    server.kubectl("delete httproute route-1 -n default").fine();
    server.tell("compact");
    wire.mend().await;
    until(&mut snapshots, "the routes of today", |s| {
        s.routes.len() == 8 && s.lost.is_none() && is_live(&s.kinds[&Kind::HTTPRoute])
    })
    .await;
    // By watch events alone it could not know: the versions in between are gone.
    assert!(lists() > before);
    cancel.cancel();
}

/// A list whose pages expire is begun again, and never taken for whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_expires_between_its_pages_is_begun_again() {
    let flags = ["--watch-cache=false"];
    let server = ApiServer::start(GATEWAY_API, &flags);
    server.create(&routes("default", 0..2_600));
    let expired = |asked: &Asked| {
        asked.user == "reader" && asked.uri.contains("continue=") && asked.code == 410
    };
    let cancel = CancellationToken::new();
    let mut number = 0;
    let began = std::time::Instant::now();
    // Each connection lists at once; what etcd forgets meanwhile is a matter of luck, so it is tried again.
    let mut snapshots = loop {
        assert!(
            began.elapsed() < PATIENCE,
            "no list expired in {PATIENCE:?}"
        );
        let cluster = server.connect("reader", Some("default")).await;
        let attempt = cancel.child_token();
        let mut snapshots = cluster.watch(&attempt);
        for _ in 0..20 {
            number += 1;
            server.apply(&secret("default", "churn", &[("n", &number.to_string())]));
            server.tell("compact");
        }
        if !server.asked(expired).is_empty() {
            break snapshots;
        }
        until(&mut snapshots, "all routes", |s| s.routes.len() == 2_600).await;
        attempt.cancel();
    };
    let mut fewer = Vec::new();
    let whole = until(&mut snapshots, "all routes", |s| {
        let is_live = is_live(&s.kinds[&Kind::HTTPRoute]);
        if is_live && s.routes.len() != 2_600 {
            fewer.push(s.routes.len());
        }
        is_live && s.routes.len() == 2_600
    })
    .await;
    assert_eq!(whole.routes.len(), 2_600);
    assert_eq!(fewer, [] as [usize; 0], "live before the last page");
    cancel.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_stands_still_is_said_to_be_lost_and_comes_back() {
    let server = ApiServer::start(GATEWAY_API, &[]);
    server.apply(CLASS);
    let cluster = server.connect("reader", None).await;
    let cancel = CancellationToken::new();
    let mut snapshots = cluster.watch(&cancel);
    until(&mut snapshots, "the class", |s| {
        s.gateway_classes.len() == 1
    })
    .await;
    server.tell("pause");
    let lost = until(&mut snapshots, "nothing answers", |s| s.lost.is_some()).await;
    assert_eq!(lost.gateway_classes.len(), 1);
    server.tell("continue");
    server.apply(&routes("default", 0..1));
    until(&mut snapshots, "it answers again", |s| {
        s.lost.is_none() && s.routes.len() == 1
    })
    .await;
    cancel.cancel();
}

/// The API server answers, and each of its answers is an error.
#[tokio::test(flavor = "multi_thread")]
async fn without_etcd_check_names_the_api_server_and_no_rights() {
    let server = ApiServer::start(GATEWAY_API, &["--watch-cache=false"]);
    server.apply(&(CLASS.to_owned() + &gateway("default", None)));
    server.tell("stop-etcd");
    let said = server.ngf_tui("reader", "check --no-probe --timeout 20s");
    let text = said.out + &said.err;
    assert!(!said.ok, "{text}");
    assert!(!text.contains("Grant list and watch"), "{text}");
    server.tell("start-etcd");
    until_so("it reads again", || {
        let said = server.ngf_tui("reader", "check --no-probe");
        said.out.contains("gateway")
    })
    .await;
}
