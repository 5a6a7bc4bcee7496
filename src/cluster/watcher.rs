//! Lists and watches one kind, for ever.
//!
//! kube-runtime's `watcher` is not used: it swallows bookmarks and says nothing when a broken watch
//! is established again, and whether what is on the screen is live is what people ask first.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Client,
    api::{ListParams, WatchParams},
    core::WatchEvent,
};
use serde::Deserialize;
use serde_json::Value;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{sleep, timeout},
};

use super::{
    delta::Delta,
    error::Failure,
    request::{Resource, events, fetch_held},
};
use crate::model::{
    decode::{self, Incoming},
    kind::Kind,
    object::ObjectRef,
    snapshot::KindState,
};

/// Objects of one page.
const PAGE: u32 = 500;
/// Seconds after which the API server ends a watch.
const WATCH_SECONDS: u32 = 290;
/// How long a watch may say nothing before it counts as broken: the server's own end, and a margin.
const WATCH_SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 10);
/// When a kind that may not be read is asked for again.
pub(super) const DENIED: Duration = Duration::from_mins(1);
/// A watch that ends sooner without having said anything is not started again at once.
const SHORT: Duration = Duration::from_secs(1);

/// What all readers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) deltas: mpsc::Sender<Delta>,
    /// Bounds the lists that run at once.
    pub(super) lists: Arc<Semaphore>,
    /// Changes when connections that still look alive must be made anew.
    pub(super) reconnect: watch::Receiver<u64>,
}

impl Shared {
    /// Tells the store. An error means that nobody listens any more, and then the reader is being
    /// cancelled too.
    pub(super) async fn tell(&self, delta: Delta) {
        let _ = self.deltas.send(delta).await;
    }
}

/// Waits longer after each failure, from half a second to fifteen.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
}

impl Pause {
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Waits, or until the API server answers again.
    pub(super) async fn after(&mut self, failure: &Failure, shared: &Shared) {
        self.failures = self.failures.saturating_add(1);
        let wait = match failure {
            // What is too large now is too large in a moment, too.
            Failure::Denied(_) | Failure::TooLarge(_) => DENIED.mul_f64(jitter()),
            _ => back_off(self.failures),
        };
        let mut reconnect = shared.reconnect.clone();
        reconnect.mark_unchanged();
        tokio::select! {
            () = sleep(wait) => {}
            _ = reconnect.changed() => {}
        }
    }
}

/// How long to wait after so many failures in a row, from half a second to fifteen.
pub(super) fn back_off(failures: u32) -> Duration {
    let wait = Duration::from_millis(250 << failures.min(6)).min(Duration::from_secs(15));
    wait.mul_f64(jitter())
}

/// Between 0.8 and 1.2, so that thirty watches do not come back in step.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(0) % 1024;
    0.8 + 0.4 * (random as f64 / 1024.0)
}

/// Reads one kind.
pub(super) struct Watcher {
    shared: Shared,
    resource: Resource,
    /// Namespace to fall back to where the kind may not be read everywhere.
    fallback: Option<String>,
    /// Resource versions of what was told to the store.
    known: HashMap<ObjectRef, String>,
    /// Whether a list was complete once.
    listed: bool,
    /// Since when nothing can be read.
    failing_since: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMeta,
    items: Option<Vec<Incoming>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMeta {
    resource_version: Option<String>,
    #[serde(rename = "continue")]
    next: Option<String>,
}

impl Watcher {
    pub(super) fn new(shared: Shared, resource: Resource, fallback: Option<String>) -> Self {
        Self {
            shared,
            resource,
            fallback,
            known: HashMap::new(),
            listed: false,
            failing_since: None,
        }
    }

    fn kind(&self) -> Kind {
        self.resource.info.kind
    }

    /// Lists and watches, until it is cancelled.
    pub(super) async fn run(mut self) {
        let mut pause = Pause::default();
        loop {
            match self.list().await {
                Ok((resource, version)) => {
                    pause.reset();
                    self.follow(&resource, version).await;
                }
                Err(failure) => {
                    self.failed(&failure).await;
                    pause.after(&failure, &self.shared).await;
                }
            }
        }
    }

    /// Lists everything, page by page; returns what was listed and the version to watch from.
    async fn list(&mut self) -> Result<(Resource, String), Failure> {
        match self.list_in(self.resource.clone()).await {
            Err(Failure::Denied(words)) => {
                let mut narrow = self.resource.clone();
                if !narrow.info.namespaced || narrow.namespace.is_some() {
                    return Err(Failure::Denied(words));
                }
                let Some(namespace) = self.fallback.clone() else {
                    return Err(Failure::Denied(words));
                };
                narrow.namespace = Some(namespace.clone());
                match self.list_in(narrow).await {
                    Err(Failure::Denied(_)) => Err(Failure::Denied(words)),
                    listed => {
                        let delta = Delta::Narrowed(self.kind(), Some(namespace));
                        self.shared.tell(delta).await;
                        listed
                    }
                }
            }
            listed => {
                if listed.is_ok() {
                    self.shared.tell(Delta::Narrowed(self.kind(), None)).await;
                }
                listed
            }
        }
    }

    async fn list_in(&mut self, resource: Resource) -> Result<(Resource, String), Failure> {
        // The semaphore is never closed; without a permit the list is only less polite.
        let _permit = Arc::clone(&self.shared.lists).acquire_owned().await.ok();
        let mut params = ListParams::default().limit(PAGE);
        let mut present = HashSet::new();
        let version = loop {
            let request = resource
                .request()
                .list(&params)
                .map_err(|error| Failure::Other(error.to_string()))?;
            let answer = fetch_held::<Page>(&self.shared.client, request).await;
            let (page, _place) = match answer {
                // the list took longer than the server remembers: it begins again
                Err(Failure::Gone) if params.continue_token.is_some() => {
                    params.continue_token = None;
                    present.clear();
                    continue;
                }
                answer => answer?,
            };
            self.page(page.items.unwrap_or_default(), &resource, &mut present)
                .await;
            params.continue_token = page.metadata.next.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                break page.metadata.resource_version.unwrap_or_default();
            }
        };
        self.known
            .retain(|reference, _| present.contains(reference));
        self.shared.tell(Delta::Listed(self.kind(), present)).await;
        self.listed = true;
        self.live().await;
        Ok((resource, version))
    }

    /// Tells what a page holds that was not known yet.
    async fn page(
        &mut self,
        items: Vec<Incoming>,
        resource: &Resource,
        present: &mut HashSet<ObjectRef>,
    ) {
        let mut changed = Vec::new();
        for mut item in items {
            resource.complete(&mut item.value);
            if let Some((reference, version)) = self.identity(&item.value) {
                let unchanged = !version.is_empty() && self.known.get(&reference) == Some(&version);
                present.insert(reference.clone());
                if unchanged {
                    continue;
                }
                self.known.insert(reference, version);
            }
            if changed.len() >= PAGE as usize {
                // a server that does not keep to the limit
                let changed = std::mem::take(&mut changed);
                self.shared.tell(Delta::Changed(changed)).await;
            }
            match decode::object(self.kind(), item, "") {
                Ok(decoded) => changed.push(decoded),
                Err(problem) => self.shared.tell(Delta::Problem(problem)).await,
            }
        }
        if !changed.is_empty() {
            self.shared.tell(Delta::Changed(changed)).await;
        }
    }

    /// Name and resource version of an object, as decoding will see them.
    fn identity(&self, value: &Value) -> Option<(ObjectRef, String)> {
        let metadata = value.get("metadata")?;
        let text = |key: &str| {
            let text = metadata.get(key).and_then(Value::as_str);
            crate::model::clean::clean_line(text.unwrap_or_default())
        };
        let name = text("name");
        let namespace = text("namespace");
        // Decoding refuses a name that is too long, and says so.
        if name.is_empty() || name.len().max(namespace.len()) > decode::MAX_NAME {
            return None;
        }
        let reference = ObjectRef::new(self.kind(), namespace, name);
        let version = text("resourceVersion");
        let version = (version.len() <= decode::MAX_NAME).then_some(version);
        Some((reference, version.unwrap_or_default()))
    }

    /// Watches from `version` on, until a new list is needed.
    async fn follow(&mut self, resource: &Resource, mut version: String) {
        let mut pause = Pause::default();
        loop {
            let started = Instant::now();
            let before = version.clone();
            match self.watch(resource, &mut version).await {
                Ok(()) if started.elapsed() > SHORT || version != before => pause.reset(),
                Ok(()) => pause.after(&Failure::Gone, &self.shared).await,
                Err(Failure::Gone) => return,
                Err(failure) => {
                    self.failed(&failure).await;
                    pause.after(&failure, &self.shared).await;
                    if matches!(failure, Failure::Denied(_) | Failure::NotFound(_)) {
                        return;
                    }
                }
            }
        }
    }

    /// One watch request. Ok where the watch began, and ended or broke: then it is begun again, and
    /// only if that fails is anything stale.
    async fn watch(&mut self, resource: &Resource, version: &mut String) -> Result<(), Failure> {
        let mut reconnect = self.shared.reconnect.clone();
        reconnect.mark_unchanged();
        let params = WatchParams::default().timeout(WATCH_SECONDS);
        let request = resource
            .request()
            .watch(&params, version)
            .map_err(|error| Failure::Other(error.to_string()))?;
        let mut events = events(&self.shared.client, request).await?;
        self.live().await;
        loop {
            let event = tokio::select! {
                event = timeout(WATCH_SILENCE, events.next()) => event,
                _ = reconnect.changed() => return Ok(()),
            };
            match event {
                Ok(Some(Ok(WatchEvent::Added(item) | WatchEvent::Modified(item)))) => {
                    self.changed(item, resource, version).await;
                }
                Ok(Some(Ok(WatchEvent::Deleted(item)))) => {
                    if let Some((reference, at)) = self.identity(&item.value) {
                        self.known.remove(&reference);
                        *version = at;
                        self.shared.tell(Delta::Gone(reference)).await;
                    }
                }
                Ok(Some(Ok(WatchEvent::Bookmark(bookmark)))) => {
                    *version = bookmark.metadata.resource_version;
                }
                Ok(Some(Ok(WatchEvent::Error(status)))) => {
                    return match Failure::from_status(&status) {
                        // 500 "too old" and the like: a list puts everything right
                        Failure::Other(_) => Err(Failure::Gone),
                        failure => Err(failure),
                    };
                }
                Ok(Some(Err(error))) => {
                    return match Failure::from(error) {
                        exceeded @ Failure::TooLarge(_) => Err(exceeded),
                        // it broke, and is begun again
                        _ => Ok(()),
                    };
                }
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    }

    async fn changed(&mut self, mut item: Incoming, resource: &Resource, version: &mut String) {
        resource.complete(&mut item.value);
        if let Some((reference, at)) = self.identity(&item.value) {
            version.clone_from(&at);
            self.known.insert(reference, at);
        }
        let delta = match decode::object(self.kind(), item, "") {
            Ok(decoded) => Delta::Changed(vec![decoded]),
            Err(problem) => Delta::Problem(problem),
        };
        self.shared.tell(delta).await;
    }

    async fn live(&mut self) {
        self.failing_since = None;
        let version = self.resource.version.clone();
        let state = KindState::Live { version };
        self.shared.tell(Delta::State(self.kind(), state)).await;
    }

    async fn failed(&mut self, failure: &Failure) {
        let since = *self.failing_since.get_or_insert_with(Timestamp::now);
        let why = failure.words().to_owned();
        let state = match failure {
            _ if self.listed => KindState::Stale {
                version: self.resource.version.clone(),
                since,
                why,
            },
            Failure::Denied(_) => KindState::Denied(why),
            _ => KindState::Failed(why),
        };
        self.shared.tell(Delta::State(self.kind(), state)).await;
    }
}
