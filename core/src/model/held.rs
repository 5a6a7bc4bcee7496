//! How much memory the objects of a snapshot may take.

use super::{decode::Decoded, kind::Kind, object::ObjectRef, snapshot::Snapshot};

/// Bytes of all objects together: some twenty thousand Pods, or two hundred thousand Services.
const MOST: u64 = 384 << 20;
/// Bytes that an object takes beside its text.
const OBJECT: u64 = 1536;
/// What is wrong where there is no more room.
pub const FULL: &str = "all objects together take more than 384 MiB of memory";

/// What the objects of a snapshot take.
#[derive(Debug)]
pub struct Held {
    bytes: u64,
    most: u64,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            bytes: 0,
            most: MOST,
        }
    }
}

impl Held {
    /// Puts an object into a snapshot; whether there was room for it. Where there was none, an older
    /// state of the object is gone as well.
    pub fn put(&mut self, snapshot: &mut Snapshot, object: Decoded) -> bool {
        let reference = object.reference().clone();
        if reference.kind == Kind::Event {
            // Only files hold them here, and nothing takes them out again.
            self.bytes += OBJECT;
            if self.bytes <= self.most {
                snapshot.put(object);
            }
            return self.bytes <= self.most;
        }
        self.forget(snapshot, &reference);
        snapshot.put(object);
        self.bytes += weight(snapshot, &reference);
        if self.bytes <= self.most {
            return true;
        }
        self.forget(snapshot, &reference);
        snapshot.remove(&reference);
        false
    }

    /// An object is about to leave the snapshot.
    pub fn forget(&mut self, snapshot: &Snapshot, reference: &ObjectRef) {
        self.bytes = self.bytes.saturating_sub(weight(snapshot, reference));
    }
}

fn weight(snapshot: &Snapshot, reference: &ObjectRef) -> u64 {
    let raw = snapshot.raw(reference);
    raw.map_or(0, |raw| OBJECT + raw.bytes() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{
        decode::{self, Incoming},
        snapshot::{Scope, Source},
    };

    fn object(kind: Kind, value: Value) -> Decoded {
        let incoming = Incoming { value, cut: false };
        decode::object(kind, incoming, "a").expect("an object")
    }

    fn service(name: &str, text: usize) -> Decoded {
        let value = json!({"metadata": {"name": name}, "spec": {"x": "x".repeat(text)}});
        object(Kind::Service, value)
    }

    #[test]
    fn what_is_beyond_the_bound_is_left_out_and_what_goes_makes_room() {
        let source = Source::Files { paths: Vec::new() };
        let mut snapshot = Snapshot::new(source, Scope::AllNamespaces);
        let mut held = Held {
            bytes: 0,
            most: 10_000,
        };
        assert!(held.put(&mut snapshot, service("a", 4_000)));
        assert!(
            held.put(&mut snapshot, service("a", 5_000)),
            "it is replaced"
        );
        assert!(!held.put(&mut snapshot, service("b", 4_000)));
        assert_eq!(snapshot.services.len(), 1);
        let a = ObjectRef::new(Kind::Service, "a", "a");
        held.forget(&snapshot, &a);
        snapshot.remove(&a);
        assert_eq!(held.bytes, 0);
        assert!(held.put(&mut snapshot, service("b", 4_000)));
        let event = json!({"metadata": {"name": "e"}});
        let events =
            (0..10).filter(|_| held.put(&mut snapshot, object(Kind::Event, event.clone())));
        assert_eq!(events.count(), 2);
    }
}
