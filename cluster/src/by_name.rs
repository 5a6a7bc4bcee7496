//! Reads Secrets and ConfigMaps that something refers to: each with a `get` of its own, then watched
//! by its name. Where there are too many, the [names that change](changed_names) are watched, or each is read again
//! [in turn](in_turn). Nothing here ever lists them.

mod changed_names;
mod in_turn;

use std::{
    collections::{BTreeSet, HashMap},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use jiff::Timestamp;
use kube::{
    api::{GetParams, WatchParams},
    core::WatchEvent,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    delta::Delta,
    error::Failure,
    pace::{LIVED, Lane, Pace},
    request::{Resource, events, fetch, is_name},
    short_lived::Sensitive,
    spawn,
    watcher::Shared,
};
pub(super) use in_turn::{Asked, Reach};
use in_turn::{InTurn, Waiting};
use ngf_core::model::{
    decode::{self, Parsed},
    kind::Kind,
    object::ObjectRef,
    value::Value,
};

/// Objects that are watched. Each watch is a connection of its own (kube speaks HTTP/1.1); what is
/// beyond is read again in turn.
const MAX_WATCHES: usize = 100;
/// Objects that may wait for those that are read in turn.
const HANDED: usize = 256;
/// Objects that are read at all.
const MAX_OBJECTS: usize = 5_000;
/// How often an object is read of which each watch fails.
const AGAIN: Duration = Duration::from_mins(1);
/// The least time between two reads of an object, and between two watches.
const FLOOR: Duration = Duration::from_secs(1);
/// How soon a watch has told of an object that exists: it begins with the object as it is.
const FIRST: Duration = Duration::from_secs(5);
/// The resource version of a watch that begins with the object as the API server knows it.
const ANY: &str = "0";
/// Asks an API server for the changes alone that cannot begin with the object: Kubernetes 1.34 and later
/// on an etcd before 3.4.25, which lacks `RequestWatchProgress`.
const CHANGES_ALONE: &str = "&sendInitialEvents=false&resourceVersionMatch=NotOlderThan";
/// Seconds after which the API server ends a watch.
const WATCH_SECONDS: u32 = 290;
/// How long a watch may say nothing.
const WATCH_SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 10);

/// The `v1` resource of a Secret or ConfigMap.
pub(super) fn resource(reference: &ObjectRef) -> Resource {
    Resource {
        info: reference.kind.info(),
        version: "v1".to_owned(),
        namespace: Some(reference.namespace.clone()),
    }
}

/// One `get`.
pub(super) async fn get(
    client: &kube::Client,
    reference: &ObjectRef,
) -> Result<Parsed<'static>, Failure> {
    if !can_exist(reference) {
        return Err(Failure::NotFound(format!("{reference} has no valid name")));
    }
    let resource = resource(reference);
    let mut request = resource
        .request()
        .get(&reference.name, &GetParams::default())
        .map_err(|error| Failure::Other(error.to_string()))?;
    if reference.kind == Kind::Secret {
        request.extensions_mut().insert(Sensitive);
    }
    let mut incoming: Parsed<'static> = fetch(client, request).await?;
    resource.complete(&mut incoming.value);
    Ok(incoming)
}

/// Whether name and namespace are DNS subdomains (RFC 1123). What is not, the API server would not
/// have taken, and it must not become part of a path.
pub(super) fn can_exist(reference: &ObjectRef) -> bool {
    is_name(&reference.name) && is_name(&reference.namespace)
}

/// Keeps reading whatever `wanted` names.
pub(super) async fn run(
    shared: Shared,
    reach: Reach,
    mut wanted: watch::Receiver<Arc<BTreeSet<ObjectRef>>>,
    cancel: CancellationToken,
) {
    let mut running: HashMap<ObjectRef, CancellationToken> = HashMap::new();
    let (hand_over, handed) = mpsc::channel(HANDED);
    let names = Names {
        shared,
        watches: Arc::new(Semaphore::new(MAX_WATCHES)),
        changes_alone: Arc::new(AtomicBool::new(false)),
        hand_over,
    };
    let in_turn = InTurn::new(names.clone(), reach, handed, cancel.clone());
    spawn(&cancel, in_turn.run());
    loop {
        let now = Arc::clone(&wanted.borrow_and_update());
        let gone: Vec<ObjectRef> = running
            .keys()
            .filter(|reference| !now.contains(*reference))
            .cloned()
            .collect();
        for reference in gone {
            if let Some(reader) = running.remove(&reference) {
                reader.cancel();
            }
            names.shared.tell(Delta::Forgotten(reference)).await;
        }
        for reference in now.iter() {
            if running.contains_key(reference) {
                continue;
            }
            if running.len() >= MAX_OBJECTS {
                let why = format!("not read: more than {MAX_OBJECTS} objects are referred to");
                let delta = Delta::Unknown(reference.clone(), why);
                names.shared.tell(delta).await;
                continue;
            }
            let token = cancel.child_token();
            running.insert(reference.clone(), token.clone());
            let waiting = Waiting {
                object: reference.clone(),
                known: None,
                read: None,
                may_watch: true,
                token,
            };
            names.follow(waiting, None);
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

/// What the readers of all objects share.
#[derive(Clone)]
struct Names {
    shared: Shared,
    /// Places for objects that are watched.
    watches: Arc<Semaphore>,
    /// Whether the API server cannot begin a watch with the object.
    changes_alone: Arc<AtomicBool>,
    /// Takes what is beyond these places.
    hand_over: mpsc::Sender<Waiting>,
}

impl Names {
    /// A place for one more object that is watched, where there is one.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.watches).try_acquire_owned().ok()
    }

    /// Reads an object, and watches it where it has a place or there is one.
    fn follow(&self, waiting: Waiting, place: Option<OwnedSemaphorePermit>) {
        let token = waiting.token.clone();
        let mut reader = Reader::new(self, waiting);
        reader.place = place;
        tokio::spawn(async move { token.run_until_cancelled(reader.run()).await });
    }
}

struct Reader {
    names: Names,
    waiting: Waiting,
    /// Its place among those that are watched. It keeps it while it reads.
    place: Option<OwnedSemaphorePermit>,
    /// Whether a watch begins with the object, as far as that was seen.
    begins_with_it: bool,
    reads: Pace,
    watching: Pace,
}

impl Reader {
    fn new(names: &Names, waiting: Waiting) -> Self {
        let pace = || Pace::new(Arc::clone(&names.shared.link), Lane::Names, FLOOR);
        Self {
            names: names.clone(),
            waiting,
            place: None,
            begins_with_it: true,
            reads: pace(),
            watching: pace(),
        }
    }

    async fn run(mut self) {
        if !can_exist(&self.waiting.object) {
            let delta = Delta::Gone(self.waiting.object.clone());
            return self.names.shared.tell(delta).await;
        }
        loop {
            self.reads.turn().await;
            match self.read().await {
                Ok(true) => self.reads.progressed(),
                // Whatever the watch said, the object is the known one: from a proxy's old copy, for instance.
                Ok(false) => self.reads.stalled(),
                Err(Failure::Denied(_)) if !self.names.shared.link.is_young() => {
                    return self.in_turn().await;
                }
                Err(failure) => {
                    self.reads.failed(&failure);
                    continue;
                }
            }
            if !self.names.shared.follows {
                return;
            }
            self.place = self.place.take().or_else(|| self.names.place());
            if self.place.is_none() {
                self.tell_read(false).await;
                return self.in_turn().await;
            }
            let watched = Delta::Watched(self.waiting.object.clone());
            self.names.shared.tell(watched).await;
            self.until_changed().await;
            if !self.waiting.may_watch {
                self.tell_read(false).await;
                return self.in_turn().await;
            }
        }
    }

    /// Leaves the object to those that are read in turn.
    async fn in_turn(self) {
        // An error means that all of this is ending.
        let _ = self.names.hand_over.send(self.waiting).await;
    }

    /// Reads the object, and tells the store of it and that it was read at this moment.
    async fn read_and_tell(&mut self, is_urgent: bool) -> Result<bool, Failure> {
        let is_news = self.read().await?;
        self.tell_read(is_urgent).await;
        Ok(is_news)
    }

    /// Tells that the object, which is not watched, was read at this moment.
    async fn tell_read(&self, is_urgent: bool) {
        let delta = Delta::Read {
            object: self.waiting.object.clone(),
            at: Timestamp::now(),
            is_urgent,
        };
        self.names.shared.tell(delta).await;
    }

    /// Reads the object, and tells the store where it is another than the known one, and returns that.
    async fn read(&mut self) -> Result<bool, Failure> {
        let permit = Arc::clone(&self.names.shared.lists)
            .acquire_owned()
            .await
            .ok();
        let began = Instant::now();
        self.waiting.read = None;
        let answer = get(&self.names.shared.client, &self.waiting.object).await;
        drop(permit);
        if matches!(answer, Ok(_) | Err(Failure::NotFound(_))) {
            self.waiting.read = Some(began);
        }
        match answer {
            Ok(incoming) => {
                let version = incoming.value.pointer("/metadata/resourceVersion");
                let version = version
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let is_news = self.waiting.known.as_deref() != Some(&version);
                if is_news || version.is_empty() {
                    self.waiting.known = Some(version);
                    let delta = match decode::object(self.waiting.object.kind, incoming, "") {
                        Ok(decoded) => Delta::Changed(vec![decoded]),
                        Err(problem) => {
                            Delta::Unknown(self.waiting.object.clone(), problem.message)
                        }
                    };
                    self.names.shared.tell(delta).await;
                }
                Ok(is_news)
            }
            Err(Failure::NotFound(_)) => {
                let is_news = self.waiting.known.as_deref() != Some("");
                if is_news {
                    self.waiting.known = Some(String::new());
                    let delta = Delta::Gone(self.waiting.object.clone());
                    self.names.shared.tell(delta).await;
                }
                Ok(is_news)
            }
            Err(failure) => {
                // an answer that does not come leaves what was known; the store marks it as stale
                let was_known = self
                    .waiting
                    .known
                    .as_deref()
                    .is_some_and(|known| !known.is_empty());
                let is_denied = matches!(failure, Failure::Denied(_));
                if !was_known || is_denied {
                    self.waiting.known = None;
                    let (object, why) = (self.waiting.object.clone(), failure.words().to_owned());
                    let delta = if is_denied {
                        Delta::Denied(object, why)
                    } else {
                        Delta::Unknown(object, why)
                    };
                    self.names.shared.tell(delta).await;
                }
                Err(failure)
            }
        }
    }

    /// Watches until the object may be another than the known one.
    ///
    /// Each watch begins at [`ANY`] version, and not at the object's own. That may be older than the API
    /// server's memory, after its restart for instance, and a watch from there on is refused for ever.
    async fn until_changed(&mut self) {
        let link = Arc::clone(&self.names.shared.link);
        let mut outage_over = pin!(link.outage_over());
        let again = Instant::now() + AGAIN;
        loop {
            tokio::select! {
                () = self.watching.turn() => {}
                () = &mut outage_over => return,
            }
            let began = Instant::now();
            let watched = tokio::select! {
                watched = self.watch() => watched,
                // the object may have changed while nobody answered
                () = &mut outage_over => return,
            };
            match watched {
                Ok(true) => return,
                Ok(false) if began.elapsed() >= LIVED => self.watching.progressed(),
                Ok(false) => self.watching.stalled(),
                Err(Failure::Denied(_)) if !link.is_young() => {
                    self.waiting.may_watch = false;
                    return;
                }
                Err(failure) => self.watching.failed(&failure),
            }
            // What cannot be watched is read now and then.
            if self.watching.failures() > 0 && Instant::now() >= again {
                return;
            }
        }
    }

    /// One watch of the metadata of this one object; `true` where it may be another than the known one.
    /// Only metadata, so that a Secret's values travel once, on a path on which they are wiped.
    async fn watch(&mut self) -> Result<bool, Failure> {
        let changes_alone = self.names.changes_alone.load(Ordering::Relaxed);
        let request = self.watch_request(changes_alone)?;
        let started = events(&self.names.shared.client, request).await;
        if changes_alone && matches!(started, Err(Failure::Other(_))) {
            self.names.changes_alone.store(false, Ordering::Relaxed);
        }
        let mut events = started?;
        if changes_alone {
            // It may have changed before the watch began.
            self.read().await?;
        }
        let known = self.waiting.known.clone().unwrap_or_default();
        // An object that was deleted since it was read is never told of.
        let mut is_awaited = self.begins_with_it && !known.is_empty() && !changes_alone;
        let first = Instant::now() + FIRST;
        loop {
            let event = tokio::select! {
                event = timeout(WATCH_SILENCE, events.next()) => event,
                () = sleep_until(first), if is_awaited => {
                    self.begins_with_it = false;
                    return Ok(true);
                }
            };
            let event = match event {
                Ok(Some(Ok(event))) => event,
                Ok(Some(Err(error))) => {
                    return match Failure::from(error) {
                        exceeded @ Failure::TooLarge(_) => Err(exceeded),
                        _ => Ok(false),
                    };
                }
                Ok(None) | Err(_) => return Ok(false),
            };
            self.names.shared.link.heard();
            match event {
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(status) => {
                    let failure = Failure::from_status(&status);
                    if is_awaited && matches!(failure, Failure::Other(_)) {
                        self.names.changes_alone.store(true, Ordering::Relaxed);
                    }
                    return Err(failure);
                }
                WatchEvent::Added(mut item) | WatchEvent::Modified(mut item) => {
                    let version = item.value.pointer("/metadata/resourceVersion");
                    let is_known = version.and_then(Value::as_str) == Some(known.as_str());
                    // a server that knows no metadata-only watch sends the values too
                    item.value.wipe();
                    if !is_known {
                        return Ok(true);
                    }
                    is_awaited = false;
                    self.begins_with_it = true;
                }
                WatchEvent::Deleted(mut item) => {
                    item.value.wipe();
                    return Ok(true);
                }
            }
        }
    }

    fn watch_request(&self, changes_alone: bool) -> Result<http::Request<Vec<u8>>, Failure> {
        let selector = format!("metadata.name={}", self.waiting.object.name);
        let params = WatchParams::default()
            .fields(&selector)
            .timeout(WATCH_SECONDS);
        let mut request = resource(&self.waiting.object)
            .request()
            .watch_metadata(&params, ANY)
            .map_err(|error| Failure::Other(error.to_string()))?;
        if changes_alone {
            let uri = format!("{}{CHANGES_ALONE}", request.uri());
            *request.uri_mut() = uri
                .parse()
                .map_err(|_| Failure::Other("the request has no valid path".to_owned()))?;
        }
        Ok(request)
    }
}
