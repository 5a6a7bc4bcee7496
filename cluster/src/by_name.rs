//! Reads Secrets and ConfigMaps that something refers to: each with a `get` of its own, then watched
//! by its name. Nothing here ever lists them.

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
use kube::{
    api::{GetParams, WatchParams},
    core::WatchEvent,
};
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    delta::Delta,
    error::Failure,
    pace::{LIVED, Lane, Pace},
    request::{Resource, events, fetch, is_name},
    short_lived::Sensitive,
    watcher::Shared,
};
use ngf_core::model::{
    decode::{self, Parsed},
    kind::Kind,
    object::ObjectRef,
    value::Value,
};

/// Objects that are watched. Each watch is a connection of its own (kube speaks HTTP/1.1); what is
/// beyond is read again every [`AGAIN`].
const MAX_WATCHES: usize = 100;
/// Objects that are read at all.
const MAX_OBJECTS: usize = 5_000;
/// How often an object is read that cannot be watched.
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
    mut wanted: watch::Receiver<Arc<BTreeSet<ObjectRef>>>,
    cancel: CancellationToken,
) {
    let mut running: HashMap<ObjectRef, CancellationToken> = HashMap::new();
    let watches = Arc::new(Semaphore::new(MAX_WATCHES));
    let changes_alone = Arc::new(AtomicBool::new(false));
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
            shared.tell(Delta::Forgotten(reference)).await;
        }
        for reference in now.iter() {
            if running.contains_key(reference) {
                continue;
            }
            if running.len() >= MAX_OBJECTS {
                let why = format!("not read: more than {MAX_OBJECTS} objects are referred to");
                shared.tell(Delta::Unknown(reference.clone(), why)).await;
                continue;
            }
            let token = cancel.child_token();
            running.insert(reference.clone(), token.clone());
            let pace = || Pace::new(Arc::clone(&shared.link), Lane::Names, FLOOR);
            let reader = Reader {
                shared: shared.clone(),
                reference: reference.clone(),
                watches: Arc::clone(&watches),
                changes_alone: Arc::clone(&changes_alone),
                begins_with_it: true,
                known: None,
                reads: pace(),
                watching: pace(),
            };
            tokio::spawn(async move { token.run_until_cancelled(reader.run()).await });
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

struct Reader {
    shared: Shared,
    reference: ObjectRef,
    watches: Arc<Semaphore>,
    /// Whether the API server cannot begin a watch with the object.
    changes_alone: Arc<AtomicBool>,
    /// Whether a watch begins with the object, as far as that was seen.
    begins_with_it: bool,
    /// The resource version that was told to the store; empty where the object does not exist.
    known: Option<String>,
    reads: Pace,
    watching: Pace,
}

impl Reader {
    async fn run(mut self) {
        if !can_exist(&self.reference) {
            let delta = Delta::Gone(self.reference.clone());
            return self.shared.tell(delta).await;
        }
        loop {
            self.reads.turn().await;
            match self.read().await {
                Ok(true) => self.reads.progressed(),
                // Whatever the watch said, the object is the known one: from a proxy's old copy, for instance.
                Ok(false) => self.reads.stalled(),
                Err(failure) => {
                    self.reads.failed(&failure);
                    continue;
                }
            }
            match Arc::clone(&self.watches).try_acquire_owned() {
                Ok(_permit) => self.until_changed().await,
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    /// Reads the object, and tells the store where it is another than the known one, and returns that.
    async fn read(&mut self) -> Result<bool, Failure> {
        let permit = Arc::clone(&self.shared.lists).acquire_owned().await.ok();
        let answer = get(&self.shared.client, &self.reference).await;
        drop(permit);
        match answer {
            Ok(incoming) => {
                let version = incoming.value.pointer("/metadata/resourceVersion");
                let version = version
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let is_news = self.known.as_deref() != Some(&version);
                if is_news || version.is_empty() {
                    self.known = Some(version);
                    let delta = match decode::object(self.reference.kind, incoming, "") {
                        Ok(decoded) => Delta::Changed(vec![decoded]),
                        Err(problem) => Delta::Unknown(self.reference.clone(), problem.message),
                    };
                    self.shared.tell(delta).await;
                }
                Ok(is_news)
            }
            Err(Failure::NotFound(_)) => {
                let is_news = self.known.as_deref() != Some("");
                if is_news {
                    self.known = Some(String::new());
                    let delta = Delta::Gone(self.reference.clone());
                    self.shared.tell(delta).await;
                }
                Ok(is_news)
            }
            Err(failure) => {
                // an answer that does not come leaves what was known; the store marks it as stale
                let was_known = self.known.as_deref().is_some_and(|known| !known.is_empty());
                let is_denied = matches!(failure, Failure::Denied(_));
                if !was_known || is_denied {
                    self.known = None;
                    let (object, why) = (self.reference.clone(), failure.words().to_owned());
                    let delta = if is_denied {
                        Delta::Denied(object, why)
                    } else {
                        Delta::Unknown(object, why)
                    };
                    self.shared.tell(delta).await;
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
        let link = Arc::clone(&self.shared.link);
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
                // may be read and not watched
                Err(Failure::Denied(_)) => {
                    sleep_until(again).await;
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
        let changes_alone = self.changes_alone.load(Ordering::Relaxed);
        let request = self.watch_request(changes_alone)?;
        let started = events(&self.shared.client, request).await;
        if changes_alone && matches!(started, Err(Failure::Other(_))) {
            self.changes_alone.store(false, Ordering::Relaxed);
        }
        let mut events = started?;
        if changes_alone {
            // It may have changed before the watch began.
            self.read().await?;
        }
        let known = self.known.clone().unwrap_or_default();
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
            self.shared.link.heard();
            match event {
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(status) => {
                    let failure = Failure::from_status(&status);
                    if is_awaited && matches!(failure, Failure::Other(_)) {
                        self.changes_alone.store(true, Ordering::Relaxed);
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
        let selector = format!("metadata.name={}", self.reference.name);
        let params = WatchParams::default()
            .fields(&selector)
            .timeout(WATCH_SECONDS);
        let mut request = resource(&self.reference)
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
