//! More Secrets than are watched: an idle tool reads them again seldom and evenly, and soon where there is a reason.

use std::collections::BTreeSet;

use super::{
    api::{CHANGED, GATEWAY_CHANGES, Names, SECRET, SECRET_CHANGES},
    *,
};

/// Secrets of which each Gateway refers to one, and those that are watched.
const SECRETS: usize = 400;
const WATCHED: usize = 100;
/// A second for each Secret that is not watched.
const ROUND: Duration = Duration::from_mins(5);

fn secret(number: usize) -> ObjectRef {
    ObjectRef::new(Kind::Secret, "apps", format!("cert-{number}"))
}

/// Reads of Secrets in a span of time.
fn reads(api: &Api, from: Duration, length: Duration) -> Vec<(String, usize)> {
    let asked = api.asked(from..from + length).into_iter();
    asked
        .filter(|(what, _)| what.starts_with("get /api/v1/namespaces/apps/secrets/"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_not_watched_is_read_again_evenly_and_its_age_is_told() {
    let api = Api::with(Fault::ManySecrets);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    assert_eq!(snapshots.borrow().secrets.len(), SECRETS);
    assert_eq!(snapshots.borrow().unwatched.len(), SECRETS - WATCHED);
    let from = api.began.elapsed();
    sleep(ROUND * 2).await;
    let all = reads(&api, from, ROUND * 2);
    assert_eq!(all.len(), SECRETS - WATCHED);
    for (what, times) in &all {
        assert!(
            (1..=3).contains(times),
            "{what}: {times} times in two rounds"
        );
    }
    for second in 0..600 {
        let at = from + Duration::from_secs(second);
        let times: usize = reads(&api, at, Duration::from_secs(1))
            .iter()
            .map(|(_, n)| n)
            .sum();
        assert!(times <= 2, "{times} reads in second {second}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_looks_at_is_read_at_once() {
    let api = Api::with(Fault::ManySecrets);
    let cluster = api.cluster();
    let cancel = CancellationToken::new();
    let snapshots = cluster.watch(&cancel);
    sleep(MINUTE).await;
    let unwatched: BTreeSet<ObjectRef> = snapshots.borrow().unwatched.keys().cloned().collect();
    let last = unwatched.last().expect("one that is not watched").clone();
    let watched = (0..SECRETS)
        .map(secret)
        .find(|one| !unwatched.contains(one));
    let from = api.began.elapsed();
    cluster.read_again(&watched.expect("one that is watched"));
    cluster.read_again(&last);
    sleep(Duration::from_millis(500)).await;
    let path = format!("get /api/v1/namespaces/apps/secrets/{}", last.name);
    assert!(reads(&api, from, MINUTE).contains(&(path, 1)));
    assert!(reads(&api, from, MINUTE).len() <= 2);
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_everything_is_read_again_soon() {
    let api = Api::with(Fault::ManySecrets);
    let (mut snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    api.set(Fault::Down);
    let lost = snapshots.wait_for(|snapshot| snapshot.lost.is_some()).await;
    drop(lost.expect("somebody reads"));
    let from = api.began.elapsed();
    api.set(Fault::ManySecrets);
    sleep(MINUTE + MINUTE / 2).await;
    assert_eq!(reads(&api, from, MINUTE * 2).len(), SECRETS);
    for second in 0..90 {
        let at = from + Duration::from_secs(second);
        let times: usize = reads(&api, at, Duration::from_secs(1))
            .iter()
            .map(|(_, n)| n)
            .sum();
        assert!(times <= 150, "{times} reads in second {second}");
    }
}

/// Who changes what refers to a Secret has often changed the Secret, too.
#[tokio::test(start_paused = true)]
async fn what_a_changed_object_refers_to_is_read_at_once() {
    let api = Api::with(Fault::ManySecrets);
    let (snapshots, _cancel) = watch(&api);
    sleep(GATEWAY_CHANGES.saturating_sub(Duration::from_secs(1))).await;
    assert!(snapshots.borrow().unwatched.contains_key(&secret(CHANGED)));
    let from = api.began.elapsed();
    sleep(Duration::from_secs(3)).await;
    let path = format!("get /api/v1/namespaces/apps/secrets/cert-{CHANGED}");
    let all = reads(&api, from, MINUTE);
    assert!(all.iter().any(|(what, _)| *what == path), "{all:?}");
}

/// Watches of all names in a span of time.
fn watches_of_names(api: &Api, from: Duration, length: Duration) -> usize {
    let asked = api.asked(from..from + length).into_iter();
    asked
        .filter(|(what, _)| what.starts_with("watch names /api/v1/secrets "))
        .map(|(_, times)| times)
        .sum()
}

#[tokio::test(start_paused = true)]
async fn where_names_are_told_an_idle_tool_reads_no_secret_again() {
    let api = Api::with(Fault::ManyTold(Names::Told));
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    assert_eq!(snapshots.borrow().secrets.len(), SECRETS);
    assert!(snapshots.borrow().unwatched.is_empty());
    let from = api.began.elapsed();
    sleep(SECRET_CHANGES.saturating_sub(MINUTE) + Duration::from_secs(5)).await;
    let path = format!("get /api/v1/namespaces/apps/secrets/cert-{SECRET}");
    assert_eq!(reads(&api, from, MINUTE), [(path, 1)]);
    let from = api.began.elapsed();
    sleep(MINUTE * 30).await;
    assert_eq!(reads(&api, from, MINUTE * 30), []);
    assert!(snapshots.borrow().unwatched.is_empty());
    assert!((6..=8).contains(&watches_of_names(&api, from, MINUTE * 30)));
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_names_that_is_cut_continues_where_it_was() {
    let api = Api::with(Fault::ManyTold(Names::Cut));
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE / 2).await;
    let from = api.began.elapsed();
    sleep(MINUTE * 10).await;
    assert_eq!(reads(&api, from, MINUTE * 10), []);
    assert!((8..=12).contains(&watches_of_names(&api, from, MINUTE * 10)));
    assert!(snapshots.borrow().unwatched.is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_changes_may_have_been_missed_all_are_read_again_calmly() {
    let api = Api::with(Fault::ManyTold(Names::Expired));
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE / 2).await;
    assert!(snapshots.borrow().unwatched.is_empty());
    let from = api.began.elapsed();
    sleep(MINUTE * 2).await;
    let all = reads(&api, from, MINUTE * 2);
    assert_eq!(all.len(), SECRETS - WATCHED);
    for second in 0..120 {
        let at = from + Duration::from_secs(second);
        let all = reads(&api, at, Duration::from_secs(1));
        let times: usize = all.iter().map(|(_, times)| times).sum();
        assert!(times <= 11, "{times} reads in second {second}");
    }
}

/// Kubernetes before 1.32 begins with all names. Their versions are known, and none is read twice for it.
#[tokio::test(start_paused = true)]
async fn names_that_are_known_in_their_version_are_not_read_again() {
    let api = Api::with(Fault::ManyTold(Names::All));
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 2).await;
    assert!(snapshots.borrow().unwatched.is_empty());
    let from = api.began.elapsed();
    sleep(MINUTE * 20).await;
    assert_eq!(reads(&api, from, MINUTE * 20), []);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_without_tables_is_read_in_turn() {
    let api = Api::with(Fault::ManyTold(Names::NoRows));
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE).await;
    assert_eq!(snapshots.borrow().unwatched.len(), SECRETS - WATCHED);
    let from = api.began.elapsed();
    sleep(ROUND * 2).await;
    assert_eq!(reads(&api, from, ROUND * 2).len(), SECRETS - WATCHED);
    assert_eq!(watches_of_names(&api, from, ROUND * 2), 0);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_may_not_be_read_is_no_reason_to_watch_all_names() {
    let api = Api::with(Fault::SecretsDenied);
    let (snapshots, _cancel) = watch(&api);
    sleep(MINUTE * 5).await;
    let denied = ObjectRef::new(Kind::Secret, "apps", "cert");
    assert!(snapshots.borrow().denied.contains(&denied));
    assert_eq!(watches_of_names(&api, Duration::ZERO, MINUTE * 5), 0);
}
