//! How much memory the objects of a snapshot may take.

use super::{decode::Decoded, kind::Kind, object::ObjectRef, snapshot::Snapshot};

/// Bytes of all objects together: some twenty thousand Pods, or two hundred thousand Services.
const MOST: u64 = 384 << 20;
/// Bytes that an object takes beside its text.
const OBJECT: u64 = 1536;
/// What is wrong where there is no more room.
pub(crate) const FULL: &str = "all objects together take more than 384 MiB of memory";

/// What the objects of a snapshot take.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: u64,
}

impl Held {
    /// Puts an object into a snapshot; whether there was room for it. Where there was none, an older
    /// state of the object is gone as well.
    pub(crate) fn put(&mut self, snapshot: &mut Snapshot, object: Decoded) -> bool {
        let reference = object.reference().clone();
        if reference.kind == Kind::Event {
            // Only files hold them here, and nothing takes them out again.
            self.bytes += OBJECT;
            if self.bytes <= MOST {
                snapshot.put(object);
            }
            return self.bytes <= MOST;
        }
        self.forget(snapshot, &reference);
        snapshot.put(object);
        self.bytes += weight(snapshot, &reference);
        if self.bytes <= MOST {
            return true;
        }
        self.forget(snapshot, &reference);
        snapshot.remove(&reference);
        false
    }

    /// An object is about to leave the snapshot.
    pub(crate) fn forget(&mut self, snapshot: &Snapshot, reference: &ObjectRef) {
        self.bytes = self.bytes.saturating_sub(weight(snapshot, reference));
    }
}

fn weight(snapshot: &Snapshot, reference: &ObjectRef) -> u64 {
    let raw = snapshot.raw(reference);
    raw.map_or(0, |raw| OBJECT + raw.bytes() as u64)
}
