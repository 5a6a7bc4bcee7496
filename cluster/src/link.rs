//! What all loops know together of the API server: whether it answers, when it last did, and how long it
//! asked to be left alone.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::pace::{Bucket, Lane};

/// How long after an outage the API server may still be starting: loops try again sooner, and do not
/// believe that they are forbidden what they were allowed.
const YOUNG: Duration = Duration::from_secs(30);
/// The longest `Retry-After` that is honoured; nobody is to keep the tool silent for a day.
const LONGEST_HOLD: Duration = Duration::from_mins(1);

/// Whether the API server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    /// Whether it does.
    answers: bool,
    /// Outages that are over.
    outages: u64,
    /// When the last of them was over.
    over_at: Option<Instant>,
}

/// What all loops know of the API server.
#[derive(Debug)]
pub(crate) struct Link {
    standing: watch::Sender<Standing>,
    last: Mutex<Last>,
    suspicion: Notify,
    kinds: Bucket,
    names: Bucket,
    logs: Bucket,
}

/// Moments that count.
#[derive(Debug)]
struct Last {
    /// The last answer, by the clock on the wall.
    answer: Timestamp,
    /// The same, by the clock that never jumps.
    heard: Instant,
    /// Until when the API server asked for no more requests.
    held_until: Option<Instant>,
}

impl Default for Link {
    fn default() -> Self {
        let standing = Standing {
            answers: true,
            outages: 0,
            over_at: None,
        };
        Self {
            standing: watch::Sender::new(standing),
            last: Mutex::new(Last {
                answer: Timestamp::now(),
                heard: Instant::now(),
                held_until: None,
            }),
            suspicion: Notify::new(),
            // kubectl sends at most 50 a second; these are only the requests that repeat others.
            kinds: Bucket::new(20, 60),
            names: Bucket::new(10, 30),
            logs: Bucket::new(10, 30),
        }
    }
}

impl Link {
    /// Something came from the API server.
    pub(super) fn heard(&self) {
        let mut last = self.last();
        last.answer = Timestamp::now();
        last.heard = Instant::now();
    }

    /// When something last came from it.
    pub(super) fn last_answer(&self) -> Timestamp {
        self.last().answer
    }

    /// The same, by the clock that never jumps.
    pub(super) fn last_heard(&self) -> Instant {
        self.last().heard
    }

    /// The API server asked to be left alone for so long (`Retry-After`).
    pub(super) fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_HOLD);
        let mut last = self.last();
        last.held_until = last.held_until.max(Some(until));
    }

    /// Until when it asked to be left alone.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.last().held_until
    }

    /// A request failed in a manner that all may fail in: somebody should see whether it still answers.
    pub(super) fn suspect(&self) {
        self.suspicion.notify_one();
    }

    /// Waits for the next suspicion.
    pub(super) async fn suspected(&self) {
        self.suspicion.notified().await;
    }

    /// It does not answer any more.
    pub(super) fn lost(&self) {
        self.standing
            .send_if_modified(|now| std::mem::take(&mut now.answers));
    }

    /// It answers again.
    pub(super) fn back(&self) {
        self.standing.send_if_modified(|now| {
            let was_lost = !now.answers;
            if was_lost {
                now.answers = true;
                now.outages += 1;
                now.over_at = Some(Instant::now());
            }
            was_lost
        });
    }

    /// Outages that are over.
    pub(super) fn outages(&self) -> u64 {
        self.standing.borrow().outages
    }

    /// Waits until it answers.
    pub(super) async fn answering(&self) {
        self.until(|now| now.answers).await;
    }

    /// Waits until it does not answer.
    pub(super) async fn silent(&self) {
        self.until(|now| !now.answers).await;
    }

    /// Waits until an outage is over that is not over yet, or has not begun.
    pub(super) async fn outage_over(&self) {
        self.outage_after(self.outages()).await;
    }

    /// Waits until more than this many outages are over.
    pub(super) async fn outage_after(&self, outages: u64) {
        self.until(|now| now.outages > outages).await;
    }

    async fn until(&self, is_true: impl Fn(&Standing) -> bool) {
        let mut standing = self.standing.subscribe();
        // The sender lives as long as this does, so that there is no error.
        let _ = standing.wait_for(is_true).await;
    }

    /// Whether an outage was over a short time ago.
    pub(super) fn is_young(&self) -> bool {
        let over_at = self.standing.borrow().over_at;
        over_at.is_some_and(|at| at.elapsed() < YOUNG)
    }

    /// The bucket of a lane.
    pub(super) fn bucket(&self, lane: Lane) -> &Bucket {
        match lane {
            Lane::Kinds => &self.kinds,
            Lane::Names => &self.names,
            Lane::Logs => &self.logs,
        }
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the loops their turns back when nobody asks any more whether the API server answers.
pub(super) struct Watchman(pub(super) Arc<Link>);

impl Drop for Watchman {
    fn drop(&mut self) {
        self.0.back();
    }
}
