//! Faults that begin after everything was read, or in the middle of a watch: what was read stays, it is told what is
//! stale and since when, and everything is live again once the fault has passed.

use ngf_core::model::kind::Reading;

use super::*;

/// Waits until everything is live.
async fn live_again(snapshots: &mut Receiver<Arc<Snapshot>>) {
    let live = snapshots.wait_for(|snapshot| is_live(snapshot) && snapshot.lost.is_none());
    let live = tokio::time::timeout(MINUTE * 5, live).await;
    live.expect("live again").expect("somebody reads");
}

#[tokio::test(start_paused = true)]
async fn watches_that_are_cut_every_two_seconds_are_continued_and_live() {
    let api = Api::with(Fault::WatchCut);
    let (mut snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    let begun = jiff::Timestamp::now();
    let mut seen = snapshots.clone();
    let troubled = tokio::spawn(async move {
        let is_troubled = |snapshot: &Arc<Snapshot>| !is_live(snapshot) || snapshot.lost.is_some();
        seen.wait_for(is_troubled)
            .await
            .map(|found| (found.kinds.clone(), found.lost.clone()))
    });
    sleep(MINUTE * 2).await;
    assert!(!troubled.is_finished(), "{:?}", troubled.await);
    // What changes is on the screen within the longest pause between two watches.
    let news = ObjectRef::new(Kind::Gateway, "apps", "news");
    let version = |snapshot: &Snapshot| -> u64 {
        let version = &snapshot.gateways[&news].meta.resource_version;
        version.parse().expect("a number")
    };
    let before = version(&snapshots.borrow());
    sleep(Duration::from_secs(10)).await;
    assert!(version(&snapshots.borrow()) > before);
    let asked = api.asked(MINUTE..MINUTE * 3);
    let lists = asked.keys().filter(|what| what.starts_with("list "));
    assert_eq!(lists.count(), 0, "nothing is listed again: {asked:?}");
    api.assert_at_most(30, MINUTE..MINUTE * 2);

    // A watch that cannot be begun again makes its kind stale, since the last one was cut.
    api.set(Fault::WatchTooMany);
    let is_stale = |snapshot: &Arc<Snapshot>| {
        matches!(snapshot.kinds[&Kind::Gateway], KindState::Stale { .. })
    };
    let told = tokio::time::timeout(MINUTE, snapshots.wait_for(is_stale)).await;
    let state = told.expect("it is told").expect("somebody reads").kinds[&Kind::Gateway].clone();
    let KindState::Stale { since, why, .. } = state else {
        panic!("{state:?}")
    };
    assert!(since >= begun && since <= jiff::Timestamp::now(), "{since}");
    assert!(why.contains("429"), "{why}");
    api.set(Fault::None);
    live_again(&mut snapshots).await;
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_are_told_and_recover_where_they_hold_for_two_seconds() {
    let api = Api::with(Fault::WatchEnds);
    let (mut snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 2).await;
    let snapshot = Arc::clone(&snapshots.borrow());
    assert_eq!(snapshot.gateways.len(), 1, "what was read stays");
    let state = &snapshot.kinds[&Kind::Gateway];
    let KindState::Stale { since, why, .. } = state else {
        panic!("{state:?}")
    };
    assert!(*since <= jiff::Timestamp::now());
    assert_eq!(why, "the API server ends each watch at once");
    let lost = snapshot.lost.as_ref().expect("one line for all kinds");
    assert_eq!((&lost.loss, &lost.why), (&Loss::Failing, why));
    api.assert_at_most(20, MINUTE..MINUTE * 2);
    api.set(Fault::WatchCut);
    live_again(&mut snapshots).await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_too_old_in_the_middle_of_a_watch_costs_one_list() {
    let api = Api::with(Fault::GoneInTheMiddle);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    let mut seen = snapshots.clone();
    let troubled = tokio::spawn(async move {
        let stale = |snapshot: &Arc<Snapshot>| !is_live(snapshot) || snapshot.gateways.is_empty();
        seen.wait_for(stale)
            .await
            .map(|found| found.kinds[&Kind::Gateway].clone())
    });
    sleep(MINUTE * 4).await;
    assert!(!troubled.is_finished(), "{:?}", troubled.await);
    let asked = api.asked(MINUTE..MINUTE * 5);
    let lists = asked["list /apis/gateway.networking.k8s.io/v1/gateways"];
    assert!((6..=13).contains(&lists), "{lists} lists in four minutes");
    let others = asked.keys().filter(|what| what.starts_with("list "));
    assert_eq!(
        others.count(),
        1,
        "no other kind is listed again: {asked:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn watches_that_the_api_server_puts_off_get_their_rest_and_are_told() {
    let api = Api::with(Fault::WatchTooMany);
    let (mut snapshots, _cancel) = watch(&api);
    sleep(Duration::from_secs(30)).await;
    let asked = api.asked(Duration::from_secs(1)..Duration::from_secs(19));
    let watches = asked.keys().filter(|what| what.starts_with("watch "));
    assert_eq!(watches.count(), 0, "{asked:?}");
    sleep(MINUTE).await;
    let snapshot = Arc::clone(&snapshots.borrow());
    assert_eq!(snapshot.gateways.len(), 1);
    let state = &snapshot.kinds[&Kind::Gateway];
    assert!(
        matches!(state, KindState::Stale { why, .. } if why.contains("429")),
        "{state:?}"
    );
    api.set(Fault::None);
    live_again(&mut snapshots).await;
}

#[tokio::test(start_paused = true)]
async fn kinds_that_are_denied_after_they_were_read_are_stale_and_no_others() {
    let api = Api::with(Fault::None);
    let (mut snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    assert!(is_live(&snapshots.borrow()));
    api.set(Fault::HalfDenied);
    // The watches that are open end after 290 s.
    sleep(MINUTE * 7).await;
    let snapshot = Arc::clone(&snapshots.borrow());
    let mut denied = 0;
    for info in KINDS.iter().filter(|info| info.reading == Reading::Watched) {
        let state = &snapshot.kinds[&info.kind];
        if is_denied(info.plural) {
            denied += 1;
            assert!(
                matches!(state, KindState::Stale { why, .. } if why.contains("Forbidden")),
                "{}: {state:?}",
                info.plural
            );
        } else {
            assert!(
                matches!(state, KindState::Live { .. }),
                "{}: {state:?}",
                info.plural
            );
        }
    }
    assert!(denied > 5, "{denied} kinds are denied");
    assert_eq!(snapshot.lost, None);
    assert_eq!(snapshot.gateways.len(), 1);
    api.set(Fault::None);
    live_again(&mut snapshots).await;
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_holds_events_back_delays_them_until_the_watch_ends() {
    let api = Api::with(Fault::Buffering);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 4).await;
    let news = ObjectRef::new(Kind::Gateway, "apps", "news");
    assert!(is_live(&snapshots.borrow()));
    assert!(!snapshots.borrow().gateways.contains_key(&news));
    sleep(MINUTE).await;
    assert!(snapshots.borrow().gateways.contains_key(&news));
    assert!(is_live(&snapshots.borrow()));
}
