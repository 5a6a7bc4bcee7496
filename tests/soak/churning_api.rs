//! An API server with a cluster of the generator, whose endpoints become ready and unready all the time.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use ngf_core::model::kind::{KINDS, KindInfo};
use ngf_generator::{Cluster, Size};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::broadcast, time::sleep};

/// Objects of one page at most.
const PAGE: usize = 500;
/// Events that a slow reader may be behind.
const BEHIND: usize = 4_096;

/// The server; it ends with its runtime.
pub(crate) struct ChurningApi {
    /// Its address on loopback.
    pub(crate) address: String,
    state: Arc<State>,
}

struct State {
    /// By plural name, in the order of the generator.
    objects: Mutex<BTreeMap<&'static str, Vec<Value>>>,
    version: AtomicU64,
    changes: broadcast::Sender<Value>,
}

impl ChurningApi {
    /// Starts one with so many routes.
    pub(crate) async fn start(routes: usize) -> Self {
        let mut objects: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
        for (number, mut object) in Cluster::of(Size::routes(routes))
            .objects
            .into_iter()
            .enumerate()
        {
            let info = KINDS.iter().find(|info| object["kind"] == info.name);
            let Some(info) = info else { continue };
            object["metadata"]["resourceVersion"] = json!((number + 1).to_string());
            objects.entry(info.plural).or_default().push(object);
        }
        let state = Arc::new(State {
            objects: Mutex::new(objects),
            version: AtomicU64::new(1_000_000),
            changes: broadcast::Sender::new(BEHIND),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let answering = Arc::clone(&state);
        let app = axum::Router::new().fallback(move |request: Request| {
            let state = Arc::clone(&answering);
            async move { state.answer(&request) }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, state }
    }

    /// Lets one EndpointSlice after the other change, with this pause between two, until it is dropped.
    pub(crate) async fn churn(&self, pause: Duration) {
        for number in 0.. {
            self.state.change(number);
            sleep(pause).await;
        }
    }
}

impl State {
    fn change(&self, number: usize) {
        let version = self.version.fetch_add(1, Ordering::Relaxed) + 1;
        let mut objects = self.objects.lock().expect("no panic");
        let slices = objects.get_mut("endpointslices").expect("EndpointSlices");
        let count = slices.len();
        // Neighbours stand for different Services.
        let slice = &mut slices[number * 7 % count];
        let ready = &mut slice["endpoints"][0]["conditions"]["ready"];
        *ready = json!(ready != true);
        slice["metadata"]["resourceVersion"] = json!(version.to_string());
        // Nobody may be listening yet.
        let _ = self.changes.send(slice.clone());
    }

    fn answer(&self, request: &Request) -> Response {
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        let of_query = |key: &str| query.split('&').find_map(|part| part.strip_prefix(key));
        let parts: Vec<&str> = path.split('/').collect();
        let kind = |word: &str| KINDS.iter().find(|info| info.plural == word);
        match path {
            "/readyz" | "/livez" => return "ok".into_response(),
            "/version" => return text(&json!({"major": "1", "minor": "34"})),
            "/api" | "/apis" => return text(&discovery(path)),
            _ => {}
        }
        match parts.as_slice() {
            [.., plural] if kind(plural).is_some() => {
                let name = of_query("fieldSelector=metadata.name%3D");
                match (of_query("watch="), name) {
                    (Some(_), name) => self.watch(plural, name),
                    (None, _) => self.list(plural, of_query("continue=")),
                }
            }
            [.., plural, name] if kind(plural).is_some() => self.get(plural, path, name),
            _ => missing(),
        }
    }

    fn list(&self, plural: &str, from: Option<&str>) -> Response {
        let from: usize = from.and_then(|from| from.parse().ok()).unwrap_or(0);
        let objects = self.objects.lock().expect("no panic");
        let all = objects.get(plural).map_or(&[][..], Vec::as_slice);
        let page: Vec<&Value> = all.iter().skip(from).take(PAGE).collect();
        let next = from + page.len();
        let next = if next < all.len() {
            next.to_string()
        } else {
            String::new()
        };
        let version = self.version.load(Ordering::Relaxed).to_string();
        text(&json!({"metadata": {"resourceVersion": version, "continue": next}, "items": page}))
    }

    fn get(&self, plural: &str, path: &str, name: &str) -> Response {
        let objects = self.objects.lock().expect("no panic");
        let mut all = objects.get(plural).into_iter().flatten();
        let found = all.find(|object| {
            let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
            object["metadata"]["name"] == name && path.contains(&format!("/{namespace}/"))
        });
        found.map_or_else(missing, text)
    }

    /// A watch that stays open; the only kind that changes is EndpointSlice.
    fn watch(&self, plural: &str, name: Option<&str>) -> Response {
        let line =
            |kind: &str, object: &Value| format!("{}\n", json!({"type": kind, "object": object}));
        let begin: Vec<_> = match name {
            Some(name) => {
                let objects = self.objects.lock().expect("no panic");
                let all = objects.get(plural).into_iter().flatten();
                let named = all.filter(|object| object["metadata"]["name"] == name);
                named
                    .map(|object| Ok::<_, Infallible>(line("ADDED", object)))
                    .collect()
            }
            None => Vec::new(),
        };
        let changes = (plural == "endpointslices").then(|| self.changes.subscribe());
        let later = futures::stream::unfold(changes, move |changes| async move {
            let Some(mut changes) = changes else {
                return std::future::pending().await;
            };
            // One that is too far behind ends, and is begun again.
            let slice = changes.recv().await.ok()?;
            Some((Ok(line("MODIFIED", &slice)), Some(changes)))
        });
        Body::from_stream(futures::stream::iter(begin).chain(later)).into_response()
    }
}

fn text(value: &Value) -> Response {
    value.to_string().into_response()
}

fn missing() -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404,
        "message": "not found", "reason": "NotFound", "metadata": {},
    });
    (axum::http::StatusCode::NOT_FOUND, status.to_string()).into_response()
}

fn discovery(path: &str) -> Value {
    let mut groups: BTreeMap<&str, BTreeMap<&str, Vec<Value>>> = BTreeMap::new();
    let of_path = |info: &&KindInfo| info.group.is_empty() == (path == "/api");
    for info in KINDS.iter().filter(of_path) {
        let resources = groups.entry(info.group).or_default();
        let resources = resources.entry(info.versions[0]).or_default();
        resources.push(json!({"resource": info.plural}));
    }
    let items: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let versions = versions.iter().map(|(version, resources)| {
                json!({"version": version, "freshness": "Current", "resources": resources})
            });
            json!({"metadata": {"name": group}, "versions": versions.collect::<Vec<_>>()})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "items": items})
}
