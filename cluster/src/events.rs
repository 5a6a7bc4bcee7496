//! Events that matter: about objects of the snapshot, the newest first, bounded.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use ngf_core::model::{
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use ngf_core::model::{
        decode::{self, Decoded, Incoming},
        snapshot::{Scope, Source},
    };

    fn decoded(kind: Kind, value: serde_json::Value) -> Decoded {
        let incoming = Incoming { value, cut: false };
        decode::object(kind, incoming, "apps").expect("an object")
    }

    fn event(name: &str, about: (&str, &str), second: usize) -> Object<Event> {
        let time = format!(
            "2026-01-01T{:02}:{:02}:{:02}Z",
            second / 3600,
            second / 60 % 60,
            second % 60
        );
        let value = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name},
            "involvedObject": {"kind": about.0, "namespace": "apps", "name": about.1},
            "lastTimestamp": time,
        });
        match decoded(Kind::Event, value) {
            Decoded::Event(event) => event,
            other => panic!("{other:?}"),
        }
    }

    fn snapshot() -> Snapshot {
        let source = Source::Files { paths: Vec::new() };
        let mut snapshot = Snapshot::new(source, Scope::AllNamespaces);
        for (kind, name) in [(Kind::Pod, "app"), (Kind::Gateway, "gateway")] {
            snapshot.put(decoded(
                kind,
                json!({"metadata": {"name": name}, "spec": {}}),
            ));
        }
        snapshot
    }

    #[test]
    fn events_about_what_is_here_come_newest_first() {
        let mut events = Events::default();
        events.put(event("old", ("Gateway", "gateway"), 1));
        events.put(event("new", ("Pod", "app"), 2));
        events.put(event("elsewhere", ("Pod", "other"), 3));
        events.put(event("unread", ("ReplicaSet", "app"), 4));
        assert!(events.changed());
        let shown = events.about(&snapshot());
        let names: Vec<&str> = shown
            .iter()
            .map(|event| event.reference.name.as_str())
            .collect();
        assert_eq!(names, ["new", "old"]);
        assert!(!events.changed());
    }

    #[test]
    fn many_events_are_bounded_and_pods_leave_room_for_others() {
        let mut events = Events::default();
        events.put(event("gateway", ("Gateway", "gateway"), 5_000));
        for second in 0..10_000 {
            events.put(event(&format!("pod-{second}"), ("Pod", "app"), second));
        }
        assert!(events.held.len() <= HELD + HELD / 4);
        let shown = events.about(&snapshot());
        assert_eq!(shown.len(), SHOWN_OF_PODS);
        assert_eq!(shown[0].reference.name, "pod-9999");
        events.put(event("late", ("Gateway", "gateway"), 3));
        let shown = events.about(&snapshot());
        assert_eq!(
            shown.last().map(|event| event.reference.name.as_str()),
            Some("late")
        );
    }
}
