//! How many objects the tool holds.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Objects of one kind. Kubernetes supports 150,000 pods in a cluster; what a Gateway needs is far less.
const OF_KIND: usize = 100_000;
/// Objects of all kinds.
const OF_ALL: usize = 150_000;

/// Room for objects, shared by the readers of all kinds.
#[derive(Debug)]
pub(super) struct Room {
    of_kind: usize,
    of_all: usize,
    held: AtomicUsize,
}

impl Default for Room {
    fn default() -> Self {
        Self::new(OF_KIND, OF_ALL)
    }
}

impl Room {
    /// Room for so many objects.
    pub(super) fn new(of_kind: usize, of_all: usize) -> Self {
        Self {
            of_kind,
            of_all,
            held: AtomicUsize::new(0),
        }
    }

    /// Takes a place for an object of a kind of which so many are held; `false` where there is none.
    pub(super) fn take(&self, of_kind: usize) -> bool {
        of_kind < self.of_kind
            && self
                .held
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                    (held < self.of_all).then_some(held + 1)
                })
                .is_ok()
    }

    /// Gives so many places back.
    pub(super) fn give(&self, objects: usize) {
        self.held.fetch_sub(objects, Ordering::Relaxed);
    }

    /// What is said of a kind that has more objects than fit.
    pub(super) fn words(&self, held: usize) -> String {
        format!(
            "{held} were read and the rest is left out: the tool reads {} objects of a kind, and {} in all",
            self.of_kind, self.of_all
        )
    }
}
