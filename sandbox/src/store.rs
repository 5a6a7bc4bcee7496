//! Where the embedded cluster keeps its objects: one map for each kind, one counter of versions for
//! all of them, and a bounded log of changes that watches read.
//!
//! The store knows the rules that every kind shares (versions, generations, subresources,
//! finalizers) and nothing of what a kind means.

mod rules;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::watch;

use self::rules::{check_size, has_finalizers, merge_parts};
use super::kinds::Kind;
use super::metadata::{meta, metadata_mut, timestamp, uid};

/// An object as it is stored, in the kind's preferred version. Shared, never changed in place.
pub(crate) type Object = Arc<Value>;

/// Changes that the log keeps; a watch that starts before them is told that its version is gone.
const LOG_LENGTH: usize = 8192;
/// Objects that the store takes; far above what a demonstration or a load test needs.
const MAX_OBJECTS: usize = 100_000;

/// Namespace (empty for cluster-scoped kinds) and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// Namespace, or the empty string.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The key that the object's own metadata gives.
    pub(crate) fn of(object: &Value) -> Self {
        Self::new(meta(object, "namespace"), meta(object, "name"))
    }
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It came into being.
    Added,
    /// It was changed.
    Modified,
    /// It is gone.
    Deleted,
}

/// One entry of the log.
#[derive(Clone)]
pub(crate) struct Entry {
    /// The version that this change made.
    pub revision: u64,
    /// Which kind.
    pub kind: &'static Kind,
    /// What happened.
    pub change: Change,
    /// The object afterwards; for a deletion, as it last was, with the deletion's version.
    pub object: Object,
    /// The object before, where there was one: selectors may have matched it and no longer do.
    pub before: Option<Object>,
}

/// Which part of an object a write is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything but `status`, where the kind has the subresource.
    Main,
    /// `status` alone.
    Status,
}

/// What must hold of the stored object for a write to go through.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preconditions {
    /// `metadata.resourceVersion` must be this.
    pub resource_version: Option<String>,
    /// `metadata.uid` must be this.
    pub uid: Option<String>,
}

/// Why the store refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// There is no such object.
    #[error("not found")]
    NotFound,
    /// There is one already.
    #[error("already exists")]
    AlreadyExists,
    /// The object has changed since the writer read it, or is another one of the same name.
    #[error("{0}")]
    Conflict(String),
    /// The object breaks a rule; each with the field and the message.
    #[error("invalid: {0:?}")]
    Invalid(Vec<(String, String)>),
    /// A rule of the namespace forbids it.
    #[error("{0}")]
    Forbidden(String),
    /// The log no longer reaches back that far.
    #[error("too old resource version: {asked} ({oldest})")]
    Expired {
        /// The version asked for.
        asked: u64,
        /// The oldest one that the log can continue from.
        oldest: u64,
    },
    /// A bound of the embedded cluster is reached.
    #[error("{0}")]
    Full(String),
}

/// The store. Cheap to share; every method locks for as long as it takes to copy pointers.
pub(crate) struct Store {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    objects: HashMap<(&'static str, &'static str), BTreeMap<Key, Object>>,
    count: usize,
    revision: u64,
    log: VecDeque<Entry>,
    /// Version before the oldest entry of the log.
    compacted: u64,
}

/// Objects hold private keys: none is printed.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                revision: 1,
                compacted: 1,
                ..Inner::default()
            }),
            changed: watch::channel(1).0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest version.
    pub(crate) fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// Wakes whenever the version has grown.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Object> {
        self.lock()
            .of(kind)?
            .get(&Key::new(namespace, name))
            .cloned()
    }

    /// All objects of a kind, in one namespace or in all, ordered by namespace and name, with the
    /// version that the answer stands for.
    pub(crate) fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> (Vec<Object>, u64) {
        let inner = self.lock();
        let found = inner.of(kind).map_or_else(Vec::new, |all| {
            all.iter()
                .filter(|(key, _)| namespace.is_none_or(|n| n == key.namespace))
                .map(|(_, object)| object.clone())
                .collect()
        });
        (found, inner.revision)
    }

    /// Stores a new object; `keep` false answers as if it had (`dryRun`).
    pub(crate) fn create(
        &self,
        kind: &'static Kind,
        mut object: Value,
        keep: bool,
    ) -> Result<Object, StoreError> {
        let mut inner = self.lock();
        let key = Key::of(&object);
        if inner.of(kind).is_some_and(|all| all.contains_key(&key)) {
            return Err(StoreError::AlreadyExists);
        }
        if inner.count >= MAX_OBJECTS {
            return Err(StoreError::Full(format!(
                "the store holds {MAX_OBJECTS} objects, its most"
            )));
        }
        let metadata = metadata_mut(&mut object);
        metadata.insert("uid".into(), json!(uid()));
        metadata.insert(
            "creationTimestamp".into(),
            json!(timestamp(Timestamp::now())),
        );
        for field in [
            "deletionTimestamp",
            "selfLink",
            "managedFields",
            "generation",
        ] {
            metadata.remove(field);
        }
        if kind.generation {
            metadata.insert("generation".into(), json!(1));
        }
        check_size(&object)?;
        Ok(inner.put(kind, &key, object, keep, &self.changed))
    }

    /// Replaces `part` of a stored object by what `change` makes of it. The closure gets a copy of
    /// the stored object, so that read and write are one step. A change that changes nothing keeps
    /// the version.
    pub(crate) fn modify<E: From<StoreError>>(
        &self,
        kind: &'static Kind,
        key: &Key,
        part: Part,
        keep: bool,
        change: impl FnOnce(&Value) -> Result<Value, E>,
    ) -> Result<Object, E> {
        let mut inner = self.lock();
        let Some(stored) = inner.of(kind).and_then(|all| all.get(key)).cloned() else {
            return Err(StoreError::NotFound.into());
        };
        let changed = change(&stored)?;
        let object = merge_parts(kind, &stored, changed, part);
        if object == *stored {
            return Ok(stored);
        }
        check_size(&object)?;
        let finished =
            object.pointer("/metadata/deletionTimestamp").is_some() && !has_finalizers(&object);
        if finished {
            return Ok(inner
                .remove(kind, key, keep, &self.changed)
                .unwrap_or(stored));
        }
        Ok(inner.put(kind, key, object, keep, &self.changed))
    }

    /// Removes an object, or marks it as being deleted where finalizers hold it.
    pub(crate) fn delete(
        &self,
        kind: &'static Kind,
        key: &Key,
        preconditions: &Preconditions,
        keep: bool,
    ) -> Result<Object, StoreError> {
        let mut inner = self.lock();
        let Some(stored) = inner.of(kind).and_then(|all| all.get(key)).cloned() else {
            return Err(StoreError::NotFound);
        };
        preconditions.check(&stored)?;
        if has_finalizers(&stored) {
            let mut object = (*stored).clone();
            let metadata = metadata_mut(&mut object);
            if metadata.contains_key("deletionTimestamp") {
                return Ok(stored);
            }
            metadata.insert(
                "deletionTimestamp".into(),
                json!(timestamp(Timestamp::now())),
            );
            metadata.insert("deletionGracePeriodSeconds".into(), json!(0));
            return Ok(inner.put(kind, key, object, keep, &self.changed));
        }
        inner
            .remove(kind, key, keep, &self.changed)
            .ok_or(StoreError::NotFound)
    }

    /// The changes after version `since`, oldest first, and the version up to which they reach.
    pub(crate) fn changes(
        &self,
        kind: &'static Kind,
        since: u64,
    ) -> Result<(Vec<Entry>, u64), StoreError> {
        let inner = self.lock();
        if since < inner.compacted {
            return Err(StoreError::Expired {
                asked: since,
                oldest: inner.compacted,
            });
        }
        let start = inner.log.partition_point(|entry| entry.revision <= since);
        let entries = inner
            .log
            .range(start..)
            .filter(|e| std::ptr::eq(e.kind, kind))
            .cloned()
            .collect();
        Ok((entries, inner.revision))
    }

    /// Forgets the log, as etcd's compaction does every five minutes on a real cluster.
    pub(crate) fn compact(&self) {
        let mut inner = self.lock();
        inner.log.clear();
        inner.compacted = inner.revision;
    }
}

impl Inner {
    fn of(&self, kind: &'static Kind) -> Option<&BTreeMap<Key, Object>> {
        self.objects.get(&(kind.group, kind.plural))
    }

    fn put(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        mut object: Value,
        keep: bool,
        changed: &watch::Sender<u64>,
    ) -> Object {
        if !keep {
            return Arc::new(object);
        }
        let revision = self.revision + 1;
        metadata_mut(&mut object).insert("resourceVersion".into(), json!(revision.to_string()));
        let object = Arc::new(object);
        let before = self
            .objects
            .entry((kind.group, kind.plural))
            .or_default()
            .insert(key.clone(), object.clone());
        self.count += usize::from(before.is_none());
        let change = if before.is_some() {
            Change::Modified
        } else {
            Change::Added
        };
        self.record(
            Entry {
                revision,
                kind,
                change,
                object: object.clone(),
                before,
            },
            changed,
        );
        object
    }

    fn remove(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        keep: bool,
        changed: &watch::Sender<u64>,
    ) -> Option<Object> {
        let all = self.objects.get_mut(&(kind.group, kind.plural))?;
        if !keep {
            return all.get(key).cloned();
        }
        let before = all.remove(key)?;
        self.count -= 1;
        let revision = self.revision + 1;
        let mut last = (*before).clone();
        metadata_mut(&mut last).insert("resourceVersion".into(), json!(revision.to_string()));
        let object = Arc::new(last);
        let entry = Entry {
            revision,
            kind,
            change: Change::Deleted,
            object: object.clone(),
            before: Some(before),
        };
        self.record(entry, changed);
        Some(object)
    }

    fn record(&mut self, entry: Entry, changed: &watch::Sender<u64>) {
        self.revision = entry.revision;
        self.log.push_back(entry);
        if self.log.len() > LOG_LENGTH
            && let Some(oldest) = self.log.pop_front()
        {
            self.compacted = oldest.revision;
        }
        changed.send_replace(self.revision);
    }
}

impl Preconditions {
    /// What an object that a client sends says about the one it wants to replace.
    pub(crate) fn of(object: &Value) -> Self {
        let field = |name| Some(meta(object, name).to_owned()).filter(|v| !v.is_empty());
        Self {
            resource_version: field("resourceVersion"),
            uid: field("uid"),
        }
    }

    pub(crate) fn check(&self, stored: &Value) -> Result<(), StoreError> {
        if let Some(uid) = &self.uid
            && uid != meta(stored, "uid")
        {
            return Err(StoreError::Conflict(format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                meta(stored, "uid")
            )));
        }
        if let Some(version) = &self.resource_version
            && version != meta(stored, "resourceVersion")
        {
            return Err(StoreError::Conflict(
                "the object has been modified; please apply your changes to the latest version \
                 and try again"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}
