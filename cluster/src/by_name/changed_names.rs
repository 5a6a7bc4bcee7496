//! The names of the Secrets or ConfigMaps that change: one watch for all that have no watch of their own.
//!
//! It asks for rows of a table without their objects (`Accept: …;as=Table`, `includeObject=None`). A row holds a name, a
//! type, a number of keys and an age, so neither the values nor the metadata of any object are sent.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use http::{HeaderValue, header::ACCEPT};
use jiff::Timestamp;
use kube::{api::WatchParams, core::WatchEvent};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{ANY, CHANGES_ALONE, FLOOR, WATCH_SECONDS, WATCH_SILENCE};
use crate::{
    error::Failure,
    pace::{LIVED, Lane, Pace},
    request::{Resource, events, is_name},
    watcher::Shared,
};
use ngf_core::model::{kind::Kind, object::ObjectRef, value::Value};

/// What the API server is asked for: rows, and nothing else.
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
/// How long the watch may be away before what it tells of counts as not watched.
const AWAY: Duration = Duration::from_secs(30);

/// What such a watch tells.
#[derive(Debug)]
pub(super) enum Changes {
    /// It has begun: what is read from this moment on is told of when it changes.
    Began(Place, Instant),
    /// Objects of this name may be others than those that were read before this version.
    Changed {
        place: Place,
        name: String,
        version: String,
    },
    /// Nothing is told of any more. All that is known was true at this time.
    Ended(Place, Timestamp),
}

/// What is watched: a kind, everywhere or in one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) namespace: Option<String>,
}

impl Place {
    /// Whether the object is one of those that are watched.
    pub(super) fn holds(&self, object: &ObjectRef) -> bool {
        let namespace = self.namespace.as_deref();
        self.kind == object.kind && namespace.is_none_or(|name| *object.namespace == *name)
    }
}

/// Watches the names.
pub(super) struct ChangedNames {
    shared: Shared,
    changes: mpsc::Sender<Changes>,
    place: Place,
    /// The namespace in which the user may watch them, where not everywhere.
    fallback: Option<String>,
    /// Where the next watch continues: the last version that was told of, while nothing is missed.
    version: Option<String>,
    /// Whether the API server cannot begin with the changes alone (Kubernetes before 1.32): it begins with all names.
    begins_with_all: bool,
    /// Whether the end was not told yet.
    is_told: bool,
    /// The last moment at which the watch was seen to live.
    alive: (Instant, Timestamp),
    pace: Pace,
}

impl ChangedNames {
    pub(super) fn new(
        shared: Shared,
        changes: mpsc::Sender<Changes>,
        place: Place,
        fallback: Option<String>,
    ) -> Self {
        Self {
            pace: Pace::new(Arc::clone(&shared.link), Lane::Kinds, FLOOR),
            shared,
            changes,
            place,
            fallback,
            version: None,
            begins_with_all: false,
            is_told: false,
            alive: (Instant::now(), Timestamp::now()),
        }
    }

    /// Watches until nobody listens, or the API server sends something else than rows.
    pub(super) async fn run(mut self) {
        let link = Arc::clone(&self.shared.link);
        loop {
            self.pace.turn().await;
            let began = Instant::now();
            let watched = tokio::select! {
                watched = self.watch() => watched,
                // A connection that was cut in silence says nothing for as long as a calm cluster.
                () = link.outage_over() => Ok(()),
            };
            match watched {
                Ok(()) if began.elapsed() >= LIVED => self.pace.progressed(),
                Ok(()) => self.pace.stalled(),
                Err(NoWatch::NoRows) => return self.end().await,
                Err(NoWatch::Failed(failure)) => self.failed(&failure).await,
            }
            if self.changes.is_closed() {
                return;
            }
        }
    }

    async fn failed(&mut self, failure: &Failure) {
        let link = Arc::clone(&self.shared.link);
        match failure {
            // The version is too old, or newer than all that the API server has: it was restored.
            Failure::Gone | Failure::Other(_) if self.version.is_some() => {
                self.end().await;
                self.pace.stalled();
            }
            Failure::Other(_) if !self.begins_with_all => self.begins_with_all = true,
            Failure::Denied(_) if !link.is_young() && self.fallback.is_some() => {
                self.end().await;
                self.place.namespace = self.fallback.take();
            }
            _ => {
                self.pace.failed(failure);
                let is_denied = matches!(failure, Failure::Denied(_)) && !link.is_young();
                if is_denied || self.alive.0.elapsed() > AWAY {
                    self.end().await;
                }
            }
        }
    }

    /// Tells that nothing is told of any more, once, and lets the next watch begin from nothing.
    async fn end(&mut self) {
        self.version = None;
        if std::mem::take(&mut self.is_told) {
            let ended = Changes::Ended(self.place.clone(), self.alive.1);
            self.tell(ended).await;
        }
    }

    /// An error means that all of this is ending.
    async fn tell(&self, changes: Changes) {
        let _ = self.changes.send(changes).await;
    }

    fn lives(&mut self) {
        self.alive = (Instant::now(), Timestamp::now());
        self.shared.link.heard();
    }

    /// One watch. It ends well where the next one can continue where it ended.
    async fn watch(&mut self) -> Result<(), NoWatch> {
        let request = self.request()?;
        let mut events = events(&self.shared.client, request).await?;
        self.lives();
        if self.version.is_none() {
            self.end().await;
            self.is_told = true;
            let began = Changes::Began(self.place.clone(), Instant::now());
            self.tell(began).await;
        }
        while let Ok(Some(Ok(event))) = timeout(WATCH_SILENCE, events.next()).await {
            self.lives();
            match event {
                WatchEvent::Bookmark(bookmark) => {
                    self.version = Some(bookmark.metadata.resource_version);
                }
                WatchEvent::Error(status) => return Err(Failure::from_status(&status).into()),
                WatchEvent::Added(mut table)
                | WatchEvent::Modified(mut table)
                | WatchEvent::Deleted(mut table) => {
                    let row = Row::of(&table.value);
                    // A server that knows no tables sends the values too.
                    table.value.wipe();
                    let Row { name, version } = row.ok_or(NoWatch::NoRows)?;
                    if is_name(&name) {
                        let changed = Changes::Changed {
                            place: self.place.clone(),
                            name,
                            version: version.clone(),
                        };
                        self.tell(changed).await;
                        // After it was told: this may be cut off at each wait.
                        self.version = Some(version);
                    }
                }
            }
        }
        Ok(())
    }

    fn request(&self) -> Result<http::Request<Vec<u8>>, Failure> {
        let resource = Resource {
            info: self.place.kind.info(),
            version: "v1".to_owned(),
            namespace: self.place.namespace.clone(),
        };
        let params = WatchParams::default().timeout(WATCH_SECONDS);
        let version = self.version.as_deref().unwrap_or(ANY);
        let mut request = resource
            .request()
            .watch(&params, version)
            .map_err(|error| Failure::Other(error.to_string()))?;
        let is_alone = self.version.is_none() && !self.begins_with_all;
        let alone = if is_alone { CHANGES_ALONE } else { "" };
        let uri = format!("{}&includeObject=None{alone}", request.uri());
        *request.uri_mut() = uri
            .parse()
            .map_err(|_| Failure::Other("the request has no valid path".to_owned()))?;
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static(TABLE));
        Ok(request)
    }
}

/// Why a watch did not continue.
enum NoWatch {
    /// The API server sends something else than rows.
    NoRows,
    Failed(Failure),
}

impl From<Failure> for NoWatch {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What a row says: the name is its first cell, the version that of its table.
struct Row {
    name: String,
    version: String,
}

impl Row {
    fn of(table: &Value<'_>) -> Option<Self> {
        if table.get("kind")?.as_str()? != "Table" {
            return None;
        }
        let row = table.get("rows")?.as_array()?.first()?;
        let name = row.get("cells")?.as_array()?.first()?.as_str()?;
        let version = table.pointer("/metadata/resourceVersion")?.as_str()?;
        Some(Self {
            name: name.to_owned(),
            version: version.to_owned(),
        })
    }
}
