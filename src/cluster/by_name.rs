//! Reads Secrets and ConfigMaps that something refers to: each with a `get` of its own, then watched
//! by its name. Nothing here ever lists them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use kube::{
    api::{GetParams, WatchParams},
    core::WatchEvent,
};
use serde_json::Value;
use tokio::{
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    delta::Delta,
    error::Failure,
    request::{Resource, events, fetch, is_name},
    watcher::{Pause, Shared},
};
use crate::model::{
    decode::{self, Incoming},
    kind::Kind,
    object::ObjectRef,
};

/// Objects that are watched. Each watch is a connection of its own (kube speaks HTTP/1.1); what is
/// beyond is read again every [`AGAIN`].
const MAX_WATCHES: usize = 100;
/// Objects that are read at all.
const MAX_OBJECTS: usize = 5_000;
/// How often an object is read that cannot be watched.
const AGAIN: Duration = Duration::from_mins(1);
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
pub(super) async fn get(client: &kube::Client, reference: &ObjectRef) -> Result<Incoming, Failure> {
    if !can_exist(reference) {
        return Err(Failure::NotFound(format!("{reference} has no valid name")));
    }
    let resource = resource(reference);
    let mut request = resource
        .request()
        .get(&reference.name, &GetParams::default())
        .map_err(|error| Failure::Other(error.to_string()))?;
    if reference.kind == Kind::Secret {
        // The read buffers of a connection that is kept would hold the key for a while.
        let close = http::HeaderValue::from_static("close");
        request
            .headers_mut()
            .insert(http::header::CONNECTION, close);
    }
    let mut incoming: Incoming = fetch(client, request).await?;
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
            let reader = Reader {
                shared: shared.clone(),
                reference: reference.clone(),
                watches: Arc::clone(&watches),
                known: None,
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
    /// The resource version that was told to the store; empty where the object does not exist.
    known: Option<String>,
}

impl Reader {
    async fn run(mut self) {
        if !can_exist(&self.reference) {
            let delta = Delta::Gone(self.reference.clone());
            return self.shared.tell(delta).await;
        }
        let mut pause = Pause::default();
        loop {
            match self.read().await {
                Ok(version) => {
                    let permit = Arc::clone(&self.watches).try_acquire_owned();
                    match permit {
                        Ok(_permit) => match self.until_changed(version).await {
                            Ok(()) => pause.reset(),
                            // may be read and not watched
                            Err(Failure::Denied(_)) => sleep(AGAIN).await,
                            Err(failure) => pause.after(&failure, &self.shared).await,
                        },
                        Err(_) => sleep(AGAIN).await,
                    }
                }
                Err(failure) => pause.after(&failure, &self.shared).await,
            }
        }
    }

    /// Reads the object and tells the store what changed; returns its resource version.
    async fn read(&mut self) -> Result<String, Failure> {
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
                if self.known.as_deref() != Some(&version) || version.is_empty() {
                    self.known = Some(version.clone());
                    let delta = match decode::object(self.reference.kind, incoming, "") {
                        Ok(decoded) => Delta::Changed(vec![decoded]),
                        Err(problem) => Delta::Unknown(self.reference.clone(), problem.message),
                    };
                    self.shared.tell(delta).await;
                }
                Ok(version)
            }
            Err(Failure::NotFound(_)) => {
                if self.known.as_deref() != Some("") {
                    self.known = Some(String::new());
                    let delta = Delta::Gone(self.reference.clone());
                    self.shared.tell(delta).await;
                }
                Ok(String::new())
            }
            Err(failure) => {
                // an answer that does not come leaves what was known; the store marks it as stale
                let was_known = self.known.as_deref().is_some_and(|known| !known.is_empty());
                if !was_known || matches!(failure, Failure::Denied(_)) {
                    self.known = None;
                    let why = failure.words().to_owned();
                    let delta = Delta::Unknown(self.reference.clone(), why);
                    self.shared.tell(delta).await;
                }
                Err(failure)
            }
        }
    }

    /// Watches the metadata of this one object, and returns where it is another than the known one.
    /// Only metadata, so that a Secret's values travel once, on a path on which they are wiped.
    async fn until_changed(&mut self, mut version: String) -> Result<(), Failure> {
        let selector = format!("metadata.name={}", self.reference.name);
        loop {
            let mut reconnect = self.shared.reconnect.clone();
            reconnect.mark_unchanged();
            let params = WatchParams::default()
                .fields(&selector)
                .timeout(WATCH_SECONDS);
            let request = resource(&self.reference)
                .request()
                .watch_metadata(&params, &version)
                .map_err(|error| Failure::Other(error.to_string()))?;
            let mut events = events(&self.shared.client, request).await?;
            loop {
                let event = tokio::select! {
                    event = timeout(WATCH_SILENCE, events.next()) => event,
                    // the object may have changed while nobody answered
                    _ = reconnect.changed() => return Ok(()),
                };
                match event {
                    Ok(Some(Ok(WatchEvent::Bookmark(bookmark)))) => {
                        version = bookmark.metadata.resource_version;
                    }
                    Ok(Some(Ok(WatchEvent::Error(status)))) => {
                        return match Failure::from_status(&status) {
                            Failure::Gone => Ok(()),
                            failure => Err(failure),
                        };
                    }
                    Ok(Some(Ok(
                        WatchEvent::Added(mut item)
                        | WatchEvent::Modified(mut item)
                        | WatchEvent::Deleted(mut item),
                    ))) => {
                        // a server that knows no metadata-only watch sends the values too
                        crate::model::facts::wipe(&mut item.value);
                        return Ok(());
                    }
                    Ok(Some(Err(error))) => {
                        if let exceeded @ Failure::TooLarge(_) = Failure::from(error) {
                            return Err(exceeded);
                        }
                        sleep(Duration::from_millis(500)).await;
                        break;
                    }
                    Ok(None) | Err(_) => {
                        sleep(Duration::from_millis(500)).await;
                        break;
                    }
                }
            }
        }
    }
}
