//! Tests with an API server in memory that behaves badly, and a clock that stands still: minutes of faults
//! pass at once, and what is counted does not depend on how fast the machine is.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body as AxumBody;
use futures::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, watch::Receiver},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tower::BoxError;

use super::{Cluster, LogCursor, LogFollower, LogNews, link::Link, renew::Renewable, room::Room};
use crate::ClusterOptions;
use ngf_core::model::{
    kind::{KINDS, Kind},
    object::ObjectRef,
    snapshot::{KindState, Lookup, Loss, Scope, Snapshot},
};

mod later;

const MINUTE: Duration = Duration::from_mins(1);

/// What is wrong with the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// It was restarted: it has forgotten every version that objects have, and knows those of lists.
    Restarted,
    /// Every watch ends at once.
    WatchEnds,
    /// Every watch tells of a new version of one object and ends.
    WatchEndsWithNews,
    /// Every watch has an ERROR event of this code and ends.
    WatchError(u16),
    /// Every watch of one object has an ERROR event and ends.
    WatchByNameError(u16),
    /// A watch cannot begin with the object: Kubernetes 1.36 on etcd 3.4.23.
    NoInitialEvents,
    /// Every list expires on its second page.
    ListExpires,
    /// The lists of one kind continue for ever with the same objects.
    EndlessPages,
    /// The lists of one kind continue for ever with new objects.
    EndlessNames,
    /// Objects are read from old copies, and watched as they are.
    OldCopies,
    /// Lists are answered with 429 and `Retry-After: 20`.
    TooMany,
    /// Lists are answered with 500.
    Failing,
    /// An old API server, with twenty thousand versions of each group.
    Versions,
    /// It starts: it is not ready, and does not know its CRDs.
    Starting,
    /// It has started, says that it is ready, and does not know its CRDs yet.
    Started,
    /// No connection.
    Down,
    /// 401 to everything.
    Unauthorized,
    /// Logs end at once after one line that is not new.
    LogEnds,
    /// Every watch is cut after two seconds; those of Gateways tell of a new version before.
    WatchCut,
    /// Every watch of Gateways tells of a new one, and 20 s later that its version is too old.
    GoneInTheMiddle,
    /// Watches are answered with 429 and `Retry-After: 20`.
    WatchTooMany,
    /// Every second kind is denied.
    HalfDenied,
    /// A proxy holds the events of a watch back until the watch ends.
    Buffering,
}

struct Api {
    fault: Mutex<Fault>,
    began: Instant,
    asked: Mutex<Vec<(Duration, String)>>,
    versions: Mutex<u64>,
}

impl Api {
    fn with(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault: Mutex::new(fault),
            began: Instant::now(),
            asked: Mutex::default(),
            versions: Mutex::new(1_000),
        })
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().expect("no panic") = fault;
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().expect("no panic")
    }

    fn cluster(self: &Arc<Self>) -> Cluster {
        let api = Arc::clone(self);
        let service = tower::service_fn(move |request: Request<Body>| {
            let answer = api.answer(&request);
            async move { answer }
        });
        let options = ClusterOptions {
            kubeconfig_text: Some(String::new()),
            ..ClusterOptions::default()
        };
        let server = "https://hostile.example";
        let client = Client::new(service, "apps");
        let link = Arc::new(Link::default());
        let renewable = Renewable::new(client, &options, "hostile", server, &Arc::default());
        Cluster {
            client: renewable.client("apps", &link),
            link,
            renewable,
            room: Arc::new(Room::new(2_000, 3_000)),
            context: "hostile".to_owned(),
            server: server.to_owned(),
            version: None,
            namespace: "apps".to_owned(),
            scope: Scope::AllNamespaces,
            screen: Arc::default(),
            since: Instant::now(),
        }
    }

    /// Requests in a span of time, by loop: `list /api/v1/pods`.
    fn asked(&self, within: Range<Duration>) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for (at, what) in self.asked.lock().expect("no panic").iter() {
            if within.contains(at) {
                *count.entry(what.clone()).or_default() += 1;
            }
        }
        count
    }

    /// No loop asks more often than this.
    fn assert_at_most(&self, most: usize, within: Range<Duration>) {
        let asked = self.asked(within.clone());
        for (what, times) in &asked {
            assert!(
                *times <= most,
                "{:?}: {what}: {times} times in {within:?}",
                self.fault()
            );
        }
        assert!(!asked.is_empty(), "somebody asks in {within:?}");
    }

    fn answer(&self, request: &Request<Body>) -> Result<Response<AxumBody>, BoxError> {
        let fault = self.fault();
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        let is_watch = query.contains("watch=true");
        let is_kind = path.rsplit('/').next().is_some_and(is_plural);
        let what = match (is_watch, is_kind) {
            (true, _) if query.contains("fieldSelector") => format!("watch by name {path} {query}"),
            (true, _) => format!("watch {path}"),
            (false, true) => format!("list {path}"),
            (false, false) => format!("get {path}"),
        };
        let at = self.began.elapsed();
        self.asked.lock().expect("no panic").push((at, what));
        match fault {
            Fault::Down => return Err(Box::new(std::io::Error::other("connection refused"))),
            Fault::Unauthorized => return Ok(status(401, "Unauthorized")),
            _ => {}
        }
        Ok(match path {
            "/readyz" if fault == Fault::Starting => status(500, "not ready"),
            "/readyz" => text("ok"),
            _ if is_starting(fault) && path.contains("gateway.") => status(404, "not found"),
            "/api" | "/apis" => discovery(path, fault),
            _ if path.ends_with("/log") => log(query),
            _ if fault == Fault::HalfDenied && is_denied(path) => status(403, "Forbidden"),
            _ if is_watch => self.watch(path, query, fault),
            _ if is_kind => self.list(path, query, fault),
            _ if is_version(path) => resources(path),
            _ => {
                let name = path.rsplit('/').next().unwrap_or_default();
                json(&secret(name, "5"))
            }
        })
    }

    fn next_version(&self) -> u64 {
        let mut version = self.versions.lock().expect("no panic");
        *version += 1;
        *version
    }

    fn list(&self, path: &str, query: &str, fault: Fault) -> Response<AxumBody> {
        let is_first = !query.contains("continue=");
        let is_grant = path.ends_with("referencegrants");
        let mut next = Value::Null;
        let items = match fault {
            Fault::TooMany => return too_many(),
            Fault::Failing => return status(500, "etcdserver: request timed out"),
            Fault::ListExpires if !is_first => return status(410, "Expired"),
            Fault::ListExpires => {
                next = json!("more");
                items(path)
            }
            Fault::EndlessPages if is_grant => {
                next = json!("more");
                vec![object("grant", "7")]
            }
            Fault::EndlessNames if is_grant => {
                next = json!("more");
                let page = (0..500).map(|_| {
                    let number = self.next_version();
                    object(&format!("grant-{number}"), &number.to_string())
                });
                page.collect()
            }
            _ => items(path),
        };
        json(&json!({
            "metadata": {"resourceVersion": "1000", "continue": next}, "items": items,
        }))
    }

    fn watch(&self, path: &str, query: &str, fault: Fault) -> Response<AxumBody> {
        let is_by_name = query.contains("fieldSelector");
        let version = query
            .split('&')
            .find_map(|part| part.strip_prefix("resourceVersion="))
            .unwrap_or_default();
        let error = |code: u16| lines(&[expired(code)], false);
        let event = |name: &str, version: &str| {
            let object = object(name, version);
            json!({"type": "ADDED", "object": object})
        };
        match fault {
            Fault::WatchEnds => lines(&[], false),
            Fault::WatchCut if path.ends_with("/gateways") => {
                let version = self.next_version().to_string();
                timed(vec![(1, Some(event("news", &version))), (1, None)])
            }
            Fault::WatchCut => timed(vec![(2, None)]),
            Fault::WatchTooMany if !is_by_name => too_many(),
            Fault::GoneInTheMiddle if path.ends_with("/gateways") => timed(vec![
                (0, Some(event("news", "1001"))),
                (20, Some(expired(410))),
            ]),
            Fault::Buffering if path.ends_with("/gateways") => {
                timed(vec![(280, Some(event("news", "1001"))), (0, None)])
            }
            Fault::WatchEndsWithNews => {
                let version = self.next_version().to_string();
                lines(&[event("news", &version)], false)
            }
            Fault::WatchError(code) => error(code),
            Fault::WatchByNameError(code) if is_by_name => error(code),
            Fault::NoInitialEvents if is_by_name && !query.contains("sendInitialEvents=false") => {
                error(500)
            }
            Fault::NoInitialEvents if is_by_name => lines(&[], true),
            Fault::Restarted if version == "5" => error(410),
            Fault::OldCopies if is_by_name => lines(&[event("cert", "9")], true),
            _ if is_by_name && version == "0" => lines(&[event("cert", "5")], true),
            _ if is_by_name => error(410),
            _ => lines(&[], true),
        }
    }
}

fn expired(code: u16) -> Value {
    json!({"type": "ERROR", "object": {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "message": "too old resource version", "reason": "Expired",
    }})
}

fn too_many() -> Response<AxumBody> {
    let mut answer = status(429, "too many requests");
    let wait = http::HeaderValue::from_static("20");
    answer.headers_mut().insert("retry-after", wait);
    answer
}

/// Whether the user may not read the kind of this path: every second one.
fn is_denied(path: &str) -> bool {
    let plural = path.rsplit('/').next().unwrap_or_default();
    let place = KINDS.iter().position(|info| info.plural == plural);
    place.is_some_and(|place| place % 2 == 0)
}

fn is_starting(fault: Fault) -> bool {
    matches!(fault, Fault::Starting | Fault::Started)
}

fn is_plural(word: &str) -> bool {
    KINDS.iter().any(|info| info.plural == word)
}

fn is_version(path: &str) -> bool {
    path.matches('/').count() <= 3
}

fn object(name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "apps", "resourceVersion": version}})
}

fn secret(name: &str, version: &str) -> Value {
    let mut secret = object(name, version);
    secret["type"] = json!("kubernetes.io/tls");
    secret["data"] = json!({});
    secret
}

/// A Gateway that refers to a Secret, and nothing else.
fn items(path: &str) -> Vec<Value> {
    if !path.ends_with("/gateways") {
        return Vec::new();
    }
    let mut gateway = object("gateway", "5");
    gateway["spec"] = json!({"gatewayClassName": "nginx", "listeners": [{
        "name": "https", "port": 443, "protocol": "HTTPS",
        "tls": {"certificateRefs": [{"name": "cert"}]},
    }]});
    vec![gateway]
}

fn discovery(path: &str, fault: Fault) -> Response<AxumBody> {
    let mut groups: BTreeMap<&str, BTreeMap<&str, Vec<Value>>> = BTreeMap::new();
    let known = KINDS.iter().filter(|info| {
        info.group.is_empty() == (path == "/api")
            && !(is_starting(fault) && info.group.contains("gateway."))
    });
    for info in known {
        let versions = groups.entry(info.group).or_default();
        let resources = versions.entry(info.versions[0]).or_default();
        resources.push(json!({"resource": info.plural}));
    }
    if fault == Fault::Versions {
        if path == "/api" {
            return json(&json!({"kind": "APIVersions", "versions": ["v1"]}));
        }
        let groups = groups.iter().map(|(group, versions)| {
            let strange = (0..20_000).map(|number| json!({"version": format!("a{number}")}));
            let known = versions.keys().map(|version| json!({"version": version}));
            json!({"name": group, "versions": strange.chain(known).collect::<Vec<_>>()})
        });
        let groups: Vec<Value> = groups.collect();
        return json(&json!({"kind": "APIGroupList", "groups": groups}));
    }
    let items = groups.iter().map(|(group, versions)| {
        let versions = versions.iter().map(|(version, resources)| {
            json!({"version": version, "freshness": "Current", "resources": resources})
        });
        json!({"metadata": {"name": group}, "versions": versions.collect::<Vec<_>>()})
    });
    let items: Vec<Value> = items.collect();
    json(&json!({"kind": "APIGroupDiscoveryList", "items": items}))
}

/// An `APIResourceList`, as old API servers give one for each version.
fn resources(path: &str) -> Response<AxumBody> {
    let all = KINDS.iter().filter(|info| {
        let root = if info.group.is_empty() {
            "/api".to_owned()
        } else {
            format!("/apis/{}", info.group)
        };
        path == format!("{root}/{}", info.versions[0])
    });
    let all: Vec<Value> = all.map(|info| json!({"name": info.plural})).collect();
    json(&json!({"kind": "APIResourceList", "resources": all}))
}

fn log(query: &str) -> Response<AxumBody> {
    if query.contains("previous=true") {
        return status(400, "previous terminated container not found");
    }
    text("2026-01-01T00:00:00.000000000Z the same line\n")
}

fn text(body: &'static str) -> Response<AxumBody> {
    Response::new(AxumBody::from(body))
}

fn json(value: &Value) -> Response<AxumBody> {
    Response::new(AxumBody::from(value.to_string()))
}

fn status(code: u16, message: &str) -> Response<AxumBody> {
    let mut answer = json(&json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message,
        "reason": message, "metadata": {},
    }));
    *answer.status_mut() = StatusCode::from_u16(code).expect("a status");
    answer
}

/// The lines of a watch, which then ends, or stays as long as an API server lets it.
fn lines(events: &[Value], stays: bool) -> Response<AxumBody> {
    let lines: Vec<_> = events
        .iter()
        .map(|event| Ok::<_, std::io::Error>(format!("{event}\n")))
        .collect();
    let end = stream::once(async move {
        if stays {
            sleep(Duration::from_secs(290)).await;
        }
        Ok(String::new())
    });
    let body = stream::iter(lines).chain(end);
    Response::new(AxumBody::from_stream(body))
}

/// Lines of a watch, each so many seconds after the one before, and then its end.
fn timed(lines: Vec<(u64, Option<Value>)>) -> Response<AxumBody> {
    let body = stream::iter(lines).then(|(after, line)| async move {
        sleep(Duration::from_secs(after)).await;
        Ok::<_, std::io::Error>(line.map_or_else(String::new, |line| format!("{line}\n")))
    });
    Response::new(AxumBody::from_stream(body))
}

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
