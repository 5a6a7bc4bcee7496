//! Events that matter: about objects of the snapshot, the newest first, bounded.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use crate::model::{
    kind::Kind,
    kinds::Event,
    object::{Object, ObjectRef},
    snapshot::Snapshot,
};

/// Events held, whatever they are about: the object may be read later than the Event.
const HELD: usize = 4_000;
/// Events shown.
const SHOWN: usize = 500;
/// Of these, at most so many about Pods, which have the most and matter the least.
const SHOWN_OF_PODS: usize = 300;

/// Events, the newest [`HELD`] of them.
#[derive(Default)]
pub(super) struct Events {
    held: BTreeMap<ObjectRef, Arc<Object<Event>>>,
    changed: bool,
}

impl Events {
    /// Whether something has changed since they were last asked for.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    pub(super) fn put(&mut self, event: Object<Event>) {
        self.held.insert(event.reference.clone(), Arc::new(event));
        self.changed = true;
        if self.held.len() > HELD + HELD / 4 {
            let mut events: Vec<_> = std::mem::take(&mut self.held).into_iter().collect();
            events.sort_by_key(|(_, event)| Reverse(event.spec.last_seen));
            events.truncate(HELD);
            self.held = events.into_iter().collect();
        }
    }

    pub(super) fn remove(&mut self, reference: &ObjectRef) {
        self.changed |= self.held.remove(reference).is_some();
    }

    pub(super) fn retain(&mut self, present: &HashSet<ObjectRef>) {
        let before = self.held.len();
        self.held.retain(|reference, _| present.contains(reference));
        self.changed |= self.held.len() < before;
    }

    /// Those about objects of the snapshot.
    pub(super) fn about(&mut self, snapshot: &Snapshot) -> Vec<Arc<Object<Event>>> {
        self.changed = false;
        let mut events: Vec<_> = self.held.values().collect();
        events.sort_by(|a, b| {
            let newest = b.spec.last_seen.cmp(&a.spec.last_seen);
            newest.then_with(|| a.reference.cmp(&b.reference))
        });
        let mut of_pods = 0;
        events
            .into_iter()
            .filter(|event| {
                let Some(about) = subject(&event.spec) else {
                    return false;
                };
                if about.kind == Kind::Pod {
                    of_pods += 1;
                    if of_pods > SHOWN_OF_PODS {
                        return false;
                    }
                }
                snapshot.contains(&about)
            })
            .take(SHOWN)
            .map(Arc::clone)
            .collect()
    }
}

/// What an Event is about, if it is of a kind that the tool reads.
fn subject(event: &Event) -> Option<ObjectRef> {
    let kind = Kind::named(&event.about_kind)?;
    let namespace = event.about_namespace.as_str();
    Some(ObjectRef::new(kind, namespace, event.about_name.as_str()))
}
