//! An API server in memory that behaves badly.

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
use tokio::time::{Instant, sleep};
use tower::BoxError;

use crate::{
    Cluster, ClusterOptions, link::Link, renew::Renewable, room::Room, short_lived::ShortLived,
};
use ngf_core::model::{kind::KINDS, snapshot::Scope};

/// What is wrong with the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
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
    /// 400 Gateways refer to a Secret each, one of them changes, and the user may watch Secrets by name alone.
    ManySecrets,
    /// As many, and the user may watch them all.
    ManyTold(Names),
    /// The user may read no Secret.
    SecretsDenied,
}

/// What comes of a watch of the names of all Secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// It lives, and tells of one change, [`SECRET_CHANGES`] after it has begun.
    Told,
    /// It is cut after a minute, and can go on.
    Cut,
    /// The same, and it cannot go on.
    Expired,
    /// It begins with all of them: Kubernetes before 1.32.
    All,
    /// The API server knows no tables, and sends the Secrets.
    NoRows,
}

/// Of many Secrets the number of the one that changes, and when.
pub(super) const SECRET: usize = 321;
pub(super) const SECRET_CHANGES: Duration = Duration::from_secs(90);

/// Of many Gateways the number of the one that changes, and how long after its watch has begun.
pub(super) const CHANGED: usize = 99;
pub(super) const GATEWAY_CHANGES: Duration = Duration::from_secs(90);

pub(super) struct Api {
    fault: Mutex<Fault>,
    pub(super) began: Instant,
    asked: Mutex<Vec<(Duration, String)>>,
    versions: Mutex<u64>,
}

impl Api {
    pub(super) fn with(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault: Mutex::new(fault),
            began: Instant::now(),
            asked: Mutex::default(),
            versions: Mutex::new(1_000),
        })
    }

    pub(super) fn set(&self, fault: Fault) {
        *self.fault.lock().expect("no panic") = fault;
    }

    pub(super) fn fault(&self) -> Fault {
        *self.fault.lock().expect("no panic")
    }

    pub(super) fn cluster(self: &Arc<Self>) -> Cluster {
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
        let same = client.clone();
        let clients = (client, ShortLived::new(move || Ok(same.clone())));
        let renewable = Renewable::new(clients, &options, "hostile", server, &Arc::default());
        Cluster {
            client: renewable.client("apps", &link),
            link,
            renewable,
            room: Arc::new(Room::new(2_000, 3_000)),
            asked: Arc::default(),
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
    pub(super) fn asked(&self, within: Range<Duration>) -> BTreeMap<String, usize> {
        let mut count = BTreeMap::new();
        for (at, what) in self.asked.lock().expect("no panic").iter() {
            if within.contains(at) {
                *count.entry(what.clone()).or_default() += 1;
            }
        }
        count
    }

    /// No loop asks more often than this.
    pub(super) fn assert_at_most(&self, most: usize, within: Range<Duration>) {
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

    pub(super) fn answer(&self, request: &Request<Body>) -> Result<Response<AxumBody>, BoxError> {
        let fault = self.fault();
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        let is_watch = query.contains("watch=true");
        let is_kind = path.rsplit('/').next().is_some_and(is_plural);
        let what = match (is_watch, is_kind) {
            (true, _) if query.contains("fieldSelector") => format!("watch by name {path} {query}"),
            (true, _) if query.contains("includeObject") => format!("watch names {path} {query}"),
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
            _ if fault == Fault::SecretsDenied && path.contains("/secrets/") => {
                status(403, "Forbidden")
            }
            _ if is_watch && query.contains("includeObject") => names(query, fault),
            _ if is_watch => self.watch(path, query, fault),
            _ if is_kind => self.list(path, query, fault),
            _ if is_version(path) => resources(path),
            _ => {
                let name = path.rsplit('/').next().unwrap_or_default();
                json(&secret(name, "5"))
            }
        })
    }

    pub(super) fn next_version(&self) -> u64 {
        let mut version = self.versions.lock().expect("no panic");
        *version += 1;
        *version
    }

    pub(super) fn list(&self, path: &str, query: &str, fault: Fault) -> Response<AxumBody> {
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
            Fault::ManySecrets | Fault::ManyTold(_) if path.ends_with("/gateways") => {
                let all = (0..400)
                    .map(|number| gateway(&format!("g-{number}"), &format!("cert-{number}")));
                all.collect()
            }
            _ => items(path),
        };
        json(&json!({
            "metadata": {"resourceVersion": "1000", "continue": next}, "items": items,
        }))
    }

    pub(super) fn watch(&self, path: &str, query: &str, fault: Fault) -> Response<AxumBody> {
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
            Fault::ManySecrets if path.ends_with("/gateways") => {
                let mut changed = gateway(&format!("g-{CHANGED}"), &format!("cert-{CHANGED}"));
                changed["metadata"]["resourceVersion"] = json!("6");
                changed["spec"]["gatewayClassName"] = json!("other");
                let news = json!({"type": "MODIFIED", "object": changed});
                timed(vec![(GATEWAY_CHANGES.as_secs(), Some(news)), (200, None)])
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

/// A watch of the names of all Secrets.
fn names(query: &str, fault: Fault) -> Response<AxumBody> {
    let Fault::ManyTold(names) = fault else {
        return status(403, "Forbidden");
    };
    let row = |name: &str, version: &str| {
        let table = json!({
            "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": version},
            "rows": [{"cells": [name, "kubernetes.io/tls", 2, "1s"], "object": null}],
        });
        json!({"type": "MODIFIED", "object": table})
    };
    let bookmark = || {
        let mut bookmark = row("", "1001");
        bookmark["type"] = json!("BOOKMARK");
        Some(bookmark)
    };
    let is_new = query.contains("resourceVersion=0");
    match names {
        Names::Told if is_new => {
            let news = row(&format!("cert-{SECRET}"), "1002");
            timed(vec![(SECRET_CHANGES.as_secs(), Some(news)), (200, None)])
        }
        Names::Expired if !is_new => lines(&[expired(410)], false),
        Names::Cut | Names::Expired => timed(vec![(1, bookmark()), (59, None)]),
        Names::All if query.contains("sendInitialEvents") => status(422, "Invalid"),
        Names::All if is_new => {
            let all: Vec<Value> = (0..400).map(|n| row(&format!("cert-{n}"), "5")).collect();
            lines(&all, true)
        }
        Names::NoRows => {
            let event = json!({"type": "ADDED", "object": secret("cert-1", "5")});
            lines(&[event], true)
        }
        Names::Told | Names::All => lines(&[], true),
    }
}

pub(super) fn expired(code: u16) -> Value {
    json!({"type": "ERROR", "object": {
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "message": "too old resource version", "reason": "Expired",
    }})
}

pub(super) fn too_many() -> Response<AxumBody> {
    let mut answer = status(429, "too many requests");
    let wait = http::HeaderValue::from_static("20");
    answer.headers_mut().insert("retry-after", wait);
    answer
}

/// Whether the user may not read the kind of this path: every second one.
pub(super) fn is_denied(path: &str) -> bool {
    let plural = path.rsplit('/').next().unwrap_or_default();
    let place = KINDS.iter().position(|info| info.plural == plural);
    place.is_some_and(|place| place % 2 == 0)
}

pub(super) fn is_starting(fault: Fault) -> bool {
    matches!(fault, Fault::Starting | Fault::Started)
}

pub(super) fn is_plural(word: &str) -> bool {
    KINDS.iter().any(|info| info.plural == word)
}

pub(super) fn is_version(path: &str) -> bool {
    path.matches('/').count() <= 3
}

pub(super) fn object(name: &str, version: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "apps", "resourceVersion": version}})
}

pub(super) fn secret(name: &str, version: &str) -> Value {
    let mut secret = object(name, version);
    secret["type"] = json!("kubernetes.io/tls");
    secret["data"] = json!({});
    secret
}

/// A Gateway that refers to a Secret, and nothing else.
pub(super) fn items(path: &str) -> Vec<Value> {
    if !path.ends_with("/gateways") {
        return Vec::new();
    }
    vec![gateway("gateway", "cert")]
}

/// A Gateway that refers to a Secret.
fn gateway(name: &str, secret: &str) -> Value {
    let mut gateway = object(name, "5");
    gateway["spec"] = json!({"gatewayClassName": "nginx", "listeners": [{
        "name": "https", "port": 443, "protocol": "HTTPS",
        "tls": {"certificateRefs": [{"name": secret}]},
    }]});
    gateway
}

pub(super) fn discovery(path: &str, fault: Fault) -> Response<AxumBody> {
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
pub(super) fn resources(path: &str) -> Response<AxumBody> {
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

pub(super) fn log(query: &str) -> Response<AxumBody> {
    if query.contains("previous=true") {
        return status(400, "previous terminated container not found");
    }
    text("2026-01-01T00:00:00.000000000Z the same line\n")
}

pub(super) fn text(body: &'static str) -> Response<AxumBody> {
    Response::new(AxumBody::from(body))
}

pub(super) fn json(value: &Value) -> Response<AxumBody> {
    Response::new(AxumBody::from(value.to_string()))
}

pub(super) fn status(code: u16, message: &str) -> Response<AxumBody> {
    let mut answer = json(&json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message,
        "reason": message, "metadata": {},
    }));
    *answer.status_mut() = StatusCode::from_u16(code).expect("a status");
    answer
}

/// The lines of a watch, which then ends, or stays as long as an API server lets it.
pub(super) fn lines(events: &[Value], stays: bool) -> Response<AxumBody> {
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
pub(super) fn timed(lines: Vec<(u64, Option<Value>)>) -> Response<AxumBody> {
    let body = stream::iter(lines).then(|(after, line)| async move {
        sleep(Duration::from_secs(after)).await;
        Ok::<_, std::io::Error>(line.map_or_else(String::new, |line| format!("{line}\n")))
    });
    Response::new(AxumBody::from_stream(body))
}
