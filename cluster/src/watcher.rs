//! Lists and watches one kind, for ever.
//!
//! kube-runtime's `watcher` is not used: it swallows bookmarks and says nothing when a broken watch
//! is established again, and whether what is on the screen is live is what people ask first.

mod failed;

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    Client,
    api::{ListParams, WatchParams},
    core::WatchEvent,
};
use serde::Deserialize;
use tokio::{
    sync::{Notify, Semaphore, mpsc},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    by_name::Asked,
    delta::Delta,
    error::Failure,
    link::Link,
    pace::{HELD, LIVED, Lane, Pace},
    request::{Resource, events, fetch_held},
    room::Room,
};
use ngf_core::model::{
    decode::{self, Parsed},
    kind::Kind,
    object::ObjectRef,
    value::Value,
};

use failed::Broken;

/// Objects of one page.
const PAGE: u32 = 500;
/// Seconds after which the API server ends a watch.
const WATCH_SECONDS: u32 = 290;
/// How long a watch may say nothing before it counts as broken: the server's own end, and a margin.
const WATCH_SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 10);
/// The least time between two lists of a kind, and between two watches.
const LIST_FLOOR: Duration = Duration::from_secs(5);
const WATCH_FLOOR: Duration = Duration::from_secs(1);
/// Pages of one list.
const MAX_PAGES: u32 = 2_000;
/// Pages in a row that hold no object that the list did not hold before.
const MAX_REPEATED: u32 = 5;
/// The pause before the next page where a page was not full.
const PAGE_PAUSE: Duration = Duration::from_millis(100);
/// Lists in a row that expire before their last page or are put off (429), or watches that break at once,
/// before it is told.
const PATIENCE: u32 = 5;

/// What all readers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) deltas: mpsc::Sender<Delta>,
    /// Whether what was read is watched from then on. Who looks once starts no watch.
    pub(super) follows: bool,
    /// Bounds the lists that run at once.
    pub(super) lists: Arc<Semaphore>,
    /// What is known of the API server.
    pub(super) link: Arc<Link>,
    /// Room for objects of all kinds.
    pub(super) room: Arc<Room>,
    /// Room for Events, which are many and of which the store keeps few.
    pub(super) room_of_events: Arc<Room>,
    /// Told where the cluster does not have a kind any more.
    pub(super) missing: Arc<Notify>,
    /// Secrets and ConfigMaps that are to be read at once.
    pub(super) asked: Arc<Asked>,
}

impl Shared {
    /// Tells the store. An error means that nobody listens any more, and then the reader is being
    /// cancelled too.
    pub(super) async fn tell(&self, delta: Delta) {
        let _ = self.deltas.send(delta).await;
    }
}

/// Reads one kind.
pub(super) struct Watcher {
    shared: Shared,
    resource: Resource,
    /// Namespace to fall back to where the kind may not be read everywhere.
    fallback: Option<String>,
    /// Resource versions of what was told to the store.
    known: HashMap<ObjectRef, String>,
    /// Whether there are more objects than may be held.
    is_full: bool,
    /// Whether a list was complete once.
    listed: bool,
    /// Until when all that is known was true: the end of the last list, or of the last watch that held.
    followed: Option<Timestamp>,
    lists: Pace,
    watches: Pace,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.room().give(self.known.len());
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMeta,
    items: Option<Vec<Parsed<'static>>>,
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
        let pace = |floor| Pace::new(Arc::clone(&shared.link), Lane::Kinds, floor);
        Self {
            lists: pace(LIST_FLOOR),
            watches: pace(WATCH_FLOOR),
            shared,
            resource,
            fallback,
            known: HashMap::new(),
            is_full: false,
            listed: false,
            followed: None,
        }
    }

    fn kind(&self) -> Kind {
        self.resource.info.kind
    }

    /// Room for its objects.
    fn room(&self) -> &Room {
        if self.kind() == Kind::Event {
            &self.shared.room_of_events
        } else {
            &self.shared.room
        }
    }

    /// Lists and watches, until it is cancelled.
    pub(super) async fn run(mut self) {
        loop {
            self.lists.turn().await;
            match self.list().await {
                Ok((resource, version)) => {
                    self.lists.answered();
                    if !self.shared.follows {
                        self.live().await;
                        // Its objects keep their room.
                        return std::future::pending().await;
                    }
                    self.follow(&resource, version).await;
                }
                Err(failure) => {
                    self.lists.failed(&failure);
                    self.list_failed(&failure).await;
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
        self.is_full = false;
        let (mut pages, mut repeated) = (0, 0);
        let version = loop {
            let request = resource
                .request()
                .list(&params)
                .map_err(|error| Failure::Other(error.to_string()))?;
            // the place for a large answer is kept until it is taken in
            let (page, _place) = fetch_held::<Page>(&self.shared.client, request).await?;
            let items = page.items.unwrap_or_default();
            let (of_page, before) = (items.len(), present.len());
            self.page(items, &resource, &mut present).await;
            params.continue_token = page.metadata.next.filter(|token| !token.is_empty());
            if params.continue_token.is_none() || self.is_full {
                break page.metadata.resource_version.unwrap_or_default();
            }
            pages += 1;
            repeated = if present.len() > before {
                0
            } else {
                repeated + 1
            };
            if repeated >= MAX_REPEATED || pages >= MAX_PAGES {
                return Err(Failure::Endless(format!(
                    "the API server continues its list of {} without end: {pages} pages were read",
                    self.resource.info.plural
                )));
            }
            if of_page < PAGE as usize {
                sleep(PAGE_PAUSE).await;
            }
        };
        let before = self.known.len();
        self.known
            .retain(|reference, _| present.contains(reference));
        self.room().give(before - self.known.len());
        self.shared.tell(Delta::Listed(self.kind(), present)).await;
        self.listed = true;
        self.followed = Some(Timestamp::now());
        if self.is_calm() {
            self.live().await;
        }
        Ok((resource, version))
    }

    /// Tells what a page holds that was not known yet.
    async fn page(
        &mut self,
        items: Vec<Parsed<'static>>,
        resource: &Resource,
        present: &mut HashSet<ObjectRef>,
    ) {
        let mut changed = Vec::new();
        for mut item in items {
            resource.complete(&mut item.value);
            if let Some((reference, version)) = self.identity(&item.value) {
                let unchanged = !version.is_empty() && self.known.get(&reference) == Some(&version);
                if unchanged {
                    present.insert(reference);
                    continue;
                }
                if !self.hold(&reference, version) {
                    continue;
                }
                present.insert(reference);
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
    fn identity(&self, value: &Value<'_>) -> Option<(ObjectRef, String)> {
        let metadata = value.get("metadata")?;
        let text = |key: &str| {
            let text = metadata.get(key).and_then(Value::as_str);
            ngf_core::model::clean::clean_line(text.unwrap_or_default())
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

    /// Takes an object in among those that are known; `false` where there are too many.
    fn hold(&mut self, reference: &ObjectRef, version: String) -> bool {
        if let Some(known) = self.known.get_mut(reference) {
            *known = version;
            return true;
        }
        if !self.room().take(self.known.len()) {
            self.is_full = true;
            return false;
        }
        self.known.insert(reference.clone(), version);
        true
    }

    /// Whether neither lists nor watches keep failing.
    fn is_calm(&self) -> bool {
        self.lists.failures() < 2 && self.watches.failures() < 2
    }

    /// Watches from `version` on, until a new list is needed.
    async fn follow(&mut self, resource: &Resource, mut version: String) {
        loop {
            self.watches.turn().await;
            let began = Instant::now();
            let ended = self.watch(resource, &mut version).await;
            let lived = began.elapsed();
            if lived >= HELD {
                self.followed = Some(Timestamp::now());
            }
            if lived >= LIVED {
                self.progressed();
            }
            match ended {
                Ok(()) if lived >= LIVED => {}
                // The next one continues where it ended.
                Ok(()) if lived >= HELD => self.watches.cut(),
                Ok(()) => {
                    self.watches.stalled();
                    if self.watches.failures() >= PATIENCE {
                        let why = "the API server ends each watch at once".to_owned();
                        self.failed(&Failure::Other(why)).await;
                    }
                }
                // A list puts everything right, whatever the error was.
                Err(Broken::Event(failure)) => {
                    self.lists.failed(&failure);
                    if !self.is_calm() {
                        self.failed(&failure).await;
                    }
                    return;
                }
                Err(Broken::Start(Failure::Gone)) => return self.lists.failed(&Failure::Gone),
                Err(Broken::Start(failure)) => {
                    self.watches.failed(&failure);
                    self.failed(&failure).await;
                    if matches!(failure, Failure::Denied(_) | Failure::NotFound(_)) {
                        self.lists.failed(&failure);
                        return;
                    }
                }
            }
        }
    }

    fn progressed(&mut self) {
        self.lists.progressed();
        self.watches.progressed();
    }

    /// One watch request. Ok where the watch began, and ended or broke: then it is begun again, and
    /// only if that fails is anything stale.
    async fn watch(&mut self, resource: &Resource, version: &mut String) -> Result<(), Broken> {
        let link = Arc::clone(&self.shared.link);
        let mut outage_over = pin!(link.outage_over());
        let params = WatchParams::default().timeout(WATCH_SECONDS);
        let request = resource
            .request()
            .watch(&params, version)
            .map_err(|error| Broken::Start(Failure::Other(error.to_string())))?;
        let mut events = events(&self.shared.client, request)
            .await
            .map_err(Broken::Start)?;
        let began = Instant::now();
        let mut holds = false;
        let mut is_live = self.is_calm();
        if is_live {
            self.live().await;
        }
        loop {
            let event = tokio::select! {
                event = timeout(WATCH_SILENCE, events.next()) => event,
                () = &mut outage_over => return Ok(()),
                () = sleep_until(began + if holds { LIVED } else { HELD }), if !is_live => {
                    if holds {
                        self.progressed();
                    }
                    holds = true;
                    self.watches.held();
                    // Lists that failed again and again are forgiven to a watch that lives.
                    is_live = self.is_calm();
                    if is_live {
                        self.live().await;
                    }
                    continue;
                }
            };
            let event = match event {
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(error))) => {
                    return match Failure::from(error) {
                        exceeded @ Failure::TooLarge(_) => Err(Broken::Event(exceeded)),
                        // it broke, and is begun again
                        _ => Ok(()),
                    };
                }
                Ok(None) | Err(_) => return Ok(()),
            };
            self.shared.link.heard();
            match event {
                WatchEvent::Added(item) | WatchEvent::Modified(item) => {
                    self.changed(item, resource, version).await;
                }
                WatchEvent::Deleted(item) => {
                    if let Some((reference, at)) = self.identity(&item.value) {
                        *version = at;
                        if self.known.remove(&reference).is_some() {
                            self.room().give(1);
                            self.progressed();
                            self.shared.tell(Delta::Gone(reference)).await;
                        }
                    }
                }
                WatchEvent::Bookmark(bookmark) => {
                    *version = bookmark.metadata.resource_version;
                }
                WatchEvent::Error(status) => {
                    return Err(Broken::Event(Failure::from_status(&status)));
                }
            }
        }
    }

    async fn changed(
        &mut self,
        mut item: Parsed<'static>,
        resource: &Resource,
        version: &mut String,
    ) {
        resource.complete(&mut item.value);
        if let Some((reference, at)) = self.identity(&item.value) {
            version.clone_from(&at);
            let is_news = self.known.get(&reference) != Some(&at);
            let was_full = self.is_full;
            if !self.hold(&reference, at) {
                if !was_full {
                    self.live().await;
                }
                return;
            }
            if is_news {
                self.progressed();
            }
        }
        let delta = match decode::object(self.kind(), item, "") {
            Ok(decoded) => Delta::Changed(vec![decoded]),
            Err(problem) => Delta::Problem(problem),
        };
        self.shared.tell(delta).await;
    }
}
