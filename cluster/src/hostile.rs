//! Tests with an API server in memory that behaves badly, and a clock that stands still: minutes of faults
//! pass at once, and what is counted does not depend on how fast the machine is.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, watch::Receiver},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use self::api::{Api, Fault, is_denied};
use super::{LogCursor, LogFollower, LogNews};
use ngf_core::model::{
    kind::{KINDS, Kind},
    object::ObjectRef,
    snapshot::{KindState, Lookup, Loss, Snapshot},
};

mod api;
mod later;
mod many_secrets;

const MINUTE: Duration = Duration::from_mins(1);

fn watch(api: &Arc<Api>) -> (Receiver<Arc<Snapshot>>, CancellationToken) {
    let cancel = CancellationToken::new();
    (api.cluster().watch(&cancel), cancel)
}

fn is_live(snapshot: &Snapshot) -> bool {
    let mut states = snapshot.kinds.values();
    states.all(|state| matches!(state, KindState::Live { .. }))
}

#[tokio::test(start_paused = true)]
async fn an_idle_tool_sends_its_watches_and_a_pulse() {
    let api = Api::with(Fault::None);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 11).await;
    assert!(is_live(&snapshots.borrow()));
    let asked = api.asked(MINUTE..MINUTE * 11);
    for (what, times) in &asked {
        let most = match what.as_str() {
            "get /readyz" => 60,
            "get /api" | "get /apis" => 2,
            what if what.starts_with("watch ") => 3,
            what => panic!("{what}: an idle tool has no reason for it"),
        };
        assert!(*times <= most, "{what}: {times} times in ten minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_forgot_old_versions_costs_nothing() {
    let api = Api::with(Fault::Restarted);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 2).await;
    assert!(is_live(&snapshots.borrow()));
    let asked = api.asked(Duration::ZERO..MINUTE * 2);
    assert_eq!(asked["get /api/v1/namespaces/apps/secrets/cert"], 1);
    for (what, times) in asked {
        assert!(times <= 2 || what == "get /readyz", "{what}: {times} times");
    }
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_cannot_begin_with_the_object_tells_of_its_changes() {
    let api = Api::with(Fault::NoInitialEvents);
    let (_snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 3).await;
    let asked = api.asked(Duration::ZERO..MINUTE * 3);
    assert_eq!(asked["get /api/v1/namespaces/apps/secrets/cert"], 2);
    let watches = asked
        .iter()
        .filter(|(what, _)| what.starts_with("watch by name"));
    let mut watches: Vec<_> = watches
        .map(|(what, times)| (what.contains("=false"), times))
        .collect();
    watches.sort_unstable();
    assert_eq!(watches, [(false, &1), (true, &1)]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_the_api_server_puts_off_is_loading_and_then_unknown() {
    let api = Api::with(Fault::TooMany);
    let (snapshots, _cancel) = watch(&api);
    let state = || snapshots.borrow().kinds.get(&Kind::Gateway).cloned();
    sleep(Duration::from_secs(30)).await;
    assert!(
        !matches!(state(), Some(KindState::Failed(_))),
        "{:?}",
        state()
    );
    sleep(MINUTE * 5).await;
    let Some(KindState::Failed(why)) = state() else {
        panic!("{:?}", state());
    };
    assert!(why.contains("429"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn no_fault_makes_a_loop_faster_than_its_back_off() {
    for fault in [
        Fault::WatchEnds,
        Fault::WatchError(410),
        Fault::WatchError(429),
        Fault::WatchError(500),
        Fault::WatchByNameError(410),
        Fault::WatchByNameError(500),
        Fault::ListExpires,
        Fault::OldCopies,
        Fault::TooMany,
        Fault::Failing,
    ] {
        let api = Api::with(fault);
        let (_snapshots, _cancel) = watch(&api);
        sleep(MINUTE * 5).await;
        // The pulse is asked for by failures, and may come each second.
        let asked = api.asked(Duration::ZERO..MINUTE);
        assert!(asked.get("get /readyz").is_none_or(|times| *times <= 60));
        for second in 0..60 {
            let within = Duration::from_secs(second)..Duration::from_secs(second + 1);
            for (what, times) in api.asked(within) {
                assert!(times <= 4, "{fault:?}: {what}: {times} times in a second");
            }
        }
        for (what, times) in asked {
            let is_loop = what != "get /readyz";
            assert!(
                !is_loop || times <= 20,
                "{fault:?}: {what}: {times} in the first minute"
            );
        }
        for (what, times) in api.asked(MINUTE * 2..MINUTE * 3) {
            let most = if what == "get /readyz" { 60 } else { 6 };
            assert!(
                times <= most,
                "{fault:?}: {what}: {times} in the third minute"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn news_at_once_and_for_ever_is_taken_once_a_second() {
    let api = Api::with(Fault::WatchEndsWithNews);
    let (_snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 2).await;
    api.assert_at_most(80, MINUTE..MINUTE * 2);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_every_watch_is_told_and_passes() {
    let api = Api::with(Fault::WatchError(500));
    let (mut snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    let state = snapshots.borrow().kinds[&Kind::Gateway].clone();
    assert!(matches!(state, KindState::Stale { .. }), "{state:?}");
    api.set(Fault::None);
    let live = snapshots.wait_for(|snapshot| is_live(snapshot));
    let live = tokio::time::timeout(MINUTE * 2, live).await;
    assert!(live.is_ok(), "live again");
}

#[tokio::test(start_paused = true)]
async fn a_list_without_end_is_given_up_and_told_once() {
    let api = Api::with(Fault::EndlessPages);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 5).await;
    let asked = api.asked(Duration::ZERO..MINUTE * 5);
    let pages = asked["list /apis/gateway.networking.k8s.io/v1/referencegrants"];
    assert!(pages <= 10, "{pages} pages");
    let snapshot = snapshots.borrow();
    let KindState::Failed(why) = &snapshot.kinds[&Kind::ReferenceGrant] else {
        panic!("{:?}", snapshot.kinds[&Kind::ReferenceGrant])
    };
    assert_eq!(
        why,
        "the API server continues its list of referencegrants without end: 6 pages were read"
    );
    assert_eq!(snapshot.lost, None);
}

#[tokio::test(start_paused = true)]
async fn names_without_end_are_bounded_and_told() {
    let api = Api::with(Fault::EndlessNames);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 2).await;
    let snapshot = snapshots.borrow();
    assert_eq!(snapshot.grants.len(), 2_000);
    let KindState::Failed(why) = &snapshot.kinds[&Kind::ReferenceGrant] else {
        panic!("{:?}", snapshot.kinds[&Kind::ReferenceGrant])
    };
    assert!(
        why.starts_with("2000 were read and the rest is left out"),
        "{why}"
    );
    let asked = api.asked(Duration::ZERO..MINUTE * 2);
    let pages = asked["list /apis/gateway.networking.k8s.io/v1/referencegrants"];
    assert!(pages <= 6, "{pages} pages");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_asks_to_wait_gets_its_rest() {
    let api = Api::with(Fault::TooMany);
    let (_snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 2).await;
    let lists = |within| {
        let asked = api.asked(within);
        let lists = asked.iter().filter(|(what, _)| what.starts_with("list "));
        lists.map(|(_, times)| times).sum::<usize>()
    };
    let first = lists(Duration::ZERO..Duration::from_secs(1));
    assert!(first >= 30, "every kind asks once: {first}");
    assert_eq!(lists(Duration::from_secs(1)..Duration::from_secs(19)), 0);
    let all = lists(Duration::ZERO..MINUTE * 2);
    assert!(all <= 40 * 6, "{all} lists in two minutes");
}

#[tokio::test(start_paused = true)]
async fn twenty_thousand_versions_are_not_asked_for() {
    let api = Api::with(Fault::Versions);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    assert!(is_live(&snapshots.borrow()));
    let asked = api.asked(Duration::ZERO..MINUTE);
    let versions = asked.keys().filter(|what| what.starts_with("get /apis/"));
    let groups: std::collections::BTreeSet<_> = KINDS.iter().map(|info| info.group).collect();
    assert!(versions.count() <= 50 * groups.len());
    let problems = &snapshots.borrow().problems;
    assert!(!problems.is_empty());
    assert!(
        problems
            .iter()
            .all(|problem| problem.message.contains("50 were read"))
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_loss_and_everything_comes_back_soon_after_it() {
    let api = Api::with(Fault::None);
    let (mut snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    let before = jiff::Timestamp::now();
    api.set(Fault::Down);
    let lost = snapshots.wait_for(|snapshot| snapshot.lost.is_some());
    let lost = tokio::time::timeout(MINUTE, lost)
        .await
        .expect("it is noticed");
    let lost = lost.expect("somebody reads").lost.clone().expect("a loss");
    assert_eq!(lost.loss, Loss::Silent);
    assert!(lost.why.contains("connection refused"), "{}", lost.why);
    assert!(lost.since <= before, "counted from the last answer");
    assert!(
        snapshots.borrow().kinds.values().all(|state| matches!(
            state,
            KindState::Stale { since, .. } if *since == lost.since
        )),
        "everything is marked as old"
    );
    sleep(MINUTE).await;
    let lost_at = api.began.elapsed();
    sleep(MINUTE).await;
    let asked = api.asked(lost_at..lost_at + MINUTE);
    assert_eq!(asked.len(), 1, "only the pulse asks: {asked:?}");
    assert!(asked["get /readyz"] <= 60);

    // It answers again, and is not ready yet.
    api.set(Fault::Failing);
    sleep(Duration::from_secs(15)).await;
    let back_at = api.began.elapsed();
    let back = Instant::now();
    api.set(Fault::None);
    let live = snapshots.wait_for(|snapshot| is_live(snapshot) && snapshot.lost.is_none());
    let live = tokio::time::timeout(MINUTE, live).await;
    assert!(live.is_ok(), "live again");
    drop(live);
    let took = back.elapsed();
    assert!(took <= Duration::from_secs(12), "after {took:?}");
    for second in 0..10 {
        let within =
            back_at + Duration::from_secs(second)..back_at + Duration::from_secs(second + 1);
        let all: usize = api.asked(within).values().sum();
        assert!(all <= 150, "{all} requests in a second");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_not_accepted_any_more_are_one_loss() {
    let api = Api::with(Fault::None);
    let (mut snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    api.set(Fault::Unauthorized);
    let lost = snapshots.wait_for(|snapshot| snapshot.lost.is_some());
    let lost = tokio::time::timeout(MINUTE, lost)
        .await
        .expect("it is noticed");
    let lost = lost.expect("somebody reads").lost.clone().expect("a loss");
    assert!(matches!(lost.loss, Loss::Refused { .. }), "{lost:?}");
    let from = api.began.elapsed() + MINUTE;
    sleep(MINUTE * 2).await;
    let asked = api.asked(from..from + MINUTE);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked["get /readyz"] <= 3, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_without_its_etcd_is_one_loss() {
    let api = Api::with(Fault::Failing);
    let snapshot = api.cluster().snapshot(MINUTE).await;
    let lost = snapshot.lost.expect("a loss");
    assert_eq!(lost.loss, Loss::Failing);
    assert!(lost.why.contains("etcdserver"), "{}", lost.why);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_ends_at_once_is_followed_calmly() {
    let api = Api::with(Fault::LogEnds);
    let pod = ObjectRef::new(Kind::Pod, "apps", "pod");
    let mut follower = LogFollower::new(
        &api.cluster(),
        &pod,
        "nginx",
        LogCursor::default(),
        MINUTE,
        Arc::new(Semaphore::new(1)),
    );
    let mut told = Vec::new();
    let all = async {
        loop {
            told.push(follower.next().await);
        }
    };
    assert!(tokio::time::timeout(MINUTE * 3, all).await.is_err());
    assert_eq!(
        told,
        [LogNews::Line(
            "2026-01-01T00:00:00.000000000Z the same line".to_owned()
        )]
    );
    api.assert_at_most(20, Duration::ZERO..MINUTE);
    api.assert_at_most(8, MINUTE * 2..MINUTE * 3);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_read_from_old_copies_is_known_all_the_same() {
    let api = Api::with(Fault::OldCopies);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    let secret = ObjectRef::new(Kind::Secret, "apps", "cert");
    let snapshot = snapshots.borrow();
    assert!(matches!(snapshot.secrets[&secret], Lookup::Found(_)));
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_starts_drops_no_kind_that_it_does_not_know_yet() {
    let api = Api::with(Fault::None);
    let (mut snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    let mut seen = snapshots.clone();
    let never_dropped = tokio::spawn(async move {
        let dropped = seen.wait_for(|snapshot| {
            snapshot.gateways.is_empty() || snapshot.kinds[&Kind::Gateway] == KindState::NotServed
        });
        dropped.await.map(|_| ()).is_err()
    });
    for (fault, seconds) in [
        (Fault::Down, 20),
        (Fault::Starting, 20),
        (Fault::Started, 20),
    ] {
        api.set(fault);
        sleep(Duration::from_secs(seconds)).await;
    }
    api.set(Fault::None);
    let live = snapshots.wait_for(|snapshot| is_live(snapshot) && snapshot.lost.is_none());
    let live = tokio::time::timeout(MINUTE, live).await;
    assert!(live.is_ok(), "live again");
    drop(live);
    assert!(!never_dropped.is_finished(), "no kind was dropped");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_gone_for_good_is_dropped() {
    let api = Api::with(Fault::None);
    let (mut snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    api.set(Fault::Started);
    let gone =
        snapshots.wait_for(|snapshot| snapshot.kinds[&Kind::Gateway] == KindState::NotServed);
    let gone = tokio::time::timeout(MINUTE * 10, gone).await;
    assert!(gone.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_not_ready_is_not_believed_to_have_no_gateways() {
    let api = Api::with(Fault::Starting);
    let snapshot = api.cluster().snapshot(MINUTE).await;
    assert!(matches!(
        snapshot.kinds[&Kind::Gateway],
        KindState::Failed(_)
    ));
    assert!(snapshot.lost.is_some());
}
