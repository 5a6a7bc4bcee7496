//! What a list or a watch that failed leads to.

use jiff::Timestamp;

use crate::{delta::Delta, error::Failure};
use ngf_core::model::{kind::Kind, snapshot::KindState};

use super::{PATIENCE, Watcher};

/// Why a watch ended before its time.
pub(super) enum Broken {
    /// It did not begin.
    Start(Failure),
    /// An event said so.
    Event(Failure),
}

impl Watcher {
    /// The kind is live, or as live as one can be that has too many objects.
    pub(super) async fn live(&self) {
        let state = if self.is_full && self.kind() != Kind::Event {
            KindState::Failed(self.shared.room.words(self.known.len()))
        } else {
            KindState::Live {
                version: self.resource.version.clone(),
            }
        };
        self.shared.tell(Delta::State(self.kind(), state)).await;
    }

    /// A list failed. One that expired before its last page, or that the API server had no time for, is begun
    /// again, and that is told only where it happens again and again: until then the kind is still loading.
    pub(super) async fn list_failed(&mut self, failure: &Failure) {
        let is_patient = self.lists.failures() < PATIENCE;
        match failure {
            Failure::Gone | Failure::Busy(_) if is_patient => {}
            Failure::Gone => {
                let why = "each list expires before its last page".to_owned();
                self.failed(&Failure::Other(why)).await;
            }
            _ => self.failed(failure).await,
        }
    }

    pub(super) async fn failed(&mut self, failure: &Failure) {
        let followed = self.followed.unwrap_or_else(Timestamp::now);
        let since = match failure {
            // That a watch is dead shows late.
            Failure::NoAnswer(_) => followed.min(self.shared.link.last_answer()),
            _ => followed,
        };
        let why = failure.words().to_owned();
        let kind = self.kind();
        match failure {
            // another group's server does not answer, or its kind is gone
            Failure::NotFound(_) => self.shared.missing.notify_one(),
            Failure::Denied(_) | Failure::Endless(_) => {}
            _ => self.shared.tell(Delta::Troubled(kind)).await,
        }
        let state = match failure {
            _ if self.listed => KindState::Stale {
                version: self.resource.version.clone(),
                since,
                why,
            },
            Failure::Denied(_) => KindState::Denied(why),
            _ => KindState::Failed(why),
        };
        self.shared.tell(Delta::State(kind, state)).await;
    }
}
