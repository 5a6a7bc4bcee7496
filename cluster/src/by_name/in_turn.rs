//! Objects beyond those that are watched: each is read again in its turn, evenly spread, and at once where somebody asks
//! for it or the API server was away.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Names, Reader};
use crate::{
    error::Failure,
    pace::{Lane, Pace},
};
use ngf_core::model::object::ObjectRef;

/// The longest time after which each of them has been read again.
const ROUND: Duration = Duration::from_mins(15);
/// The shortest, where they are few.
const LEAST_ROUND: Duration = Duration::from_mins(1);
/// The pause between two reads, where the round allows it.
const CALM: Duration = Duration::from_secs(1);
/// The least time between two reads.
const FLOOR: Duration = Duration::from_millis(100);
/// Objects that may be asked for and not have been read yet.
const MAX_ASKED: usize = 1_000;

/// Objects that are to be read at once: somebody looks at them, or what refers to them has changed.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    objects: Mutex<BTreeSet<ObjectRef>>,
    news: Notify,
}

impl Asked {
    /// Asks for an object. One that is watched is known anyhow.
    pub(crate) fn ask(&self, object: ObjectRef) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        if objects.len() < MAX_ASKED {
            objects.insert(object);
        }
        drop(objects);
        self.news.notify_one();
    }

    fn take(&self) -> BTreeSet<ObjectRef> {
        std::mem::take(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An object between two reads.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) object: ObjectRef,
    /// The resource version that was told to the store; empty where the object does not exist.
    pub(super) known: Option<String>,
    /// Whether the user may watch it, as far as that was seen.
    pub(super) may_watch: bool,
    /// Cancelled where nothing refers to it any more.
    pub(super) token: CancellationToken,
}

/// Reads them.
pub(super) struct InTurn {
    names: Names,
    handed: mpsc::Receiver<Waiting>,
    waiting: VecDeque<Waiting>,
    /// So many at the front are read without a pause.
    urgent: usize,
    /// When the last one was read.
    last: Instant,
    pace: Pace,
}

impl InTurn {
    pub(super) fn new(names: Names, handed: mpsc::Receiver<Waiting>) -> Self {
        let pace = Pace::of_many(Arc::clone(&names.shared.link), Lane::Names, FLOOR);
        Self {
            names,
            handed,
            waiting: VecDeque::new(),
            urgent: 0,
            last: Instant::now(),
            pace,
        }
    }

    /// Reads one after the other, until nobody hands over any more.
    pub(super) async fn run(mut self) {
        let link = Arc::clone(&self.names.shared.link);
        let mut outages = link.outages();
        let asked = Arc::clone(&self.names.shared.asked);
        loop {
            let due = self.last + self.pause();
            tokio::select! {
                handed = self.handed.recv() => match handed {
                    Some(waiting) => self.waiting.push_back(waiting),
                    None => return,
                },
                () = asked.news.notified() => self.move_up(&asked.take()),
                // Each may have changed while nobody answered.
                () = link.outage_after(outages) => {
                    outages = link.outages();
                    self.urgent = self.waiting.len();
                }
                () = sleep_until(due), if !self.waiting.is_empty() => self.next().await,
            }
        }
    }

    /// The pause before the next read.
    fn pause(&self) -> Duration {
        if self.urgent > 0 {
            return Duration::ZERO;
        }
        let all = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX).max(1);
        let round = CALM.saturating_mul(all).clamp(LEAST_ROUND, ROUND);
        round / all
    }

    fn move_up(&mut self, asked: &BTreeSet<ObjectRef>) {
        let (front, rest): (VecDeque<Waiting>, VecDeque<Waiting>) =
            std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|waiting| asked.contains(&waiting.object));
        self.urgent = self.urgent.max(front.len());
        self.waiting = front;
        self.waiting.extend(rest);
    }

    /// Reads the first one, or lets it be watched where there is a place for it by now.
    async fn next(&mut self) {
        self.last = Instant::now();
        let is_urgent = self.urgent > 0;
        self.urgent = self.urgent.saturating_sub(1);
        let Some(waiting) = self.waiting.pop_front() else {
            return;
        };
        if waiting.token.is_cancelled() {
            return;
        }
        self.pace.turn().await;
        if waiting.may_watch
            && let Some(place) = self.names.place()
        {
            self.pace.progressed();
            return self.names.follow(waiting, Some(place));
        }
        let token = waiting.token.clone();
        let mut reader = Reader::new(&self.names, waiting);
        // What nothing refers to any more is not told of.
        let read = token.run_until_cancelled(reader.read_and_tell(is_urgent));
        match read.await {
            // An API server that has just started may not know the user's rights yet.
            Some(Err(failure @ Failure::Denied(_))) if self.names.shared.link.is_young() => {
                self.pace.failed(&failure);
                self.urgent += 1;
                return self.waiting.push_front(reader.waiting);
            }
            // A failure of this object is none of the others'.
            Some(Ok(_) | Err(Failure::Denied(_) | Failure::TooLarge(_))) => self.pace.progressed(),
            Some(Err(failure)) => self.pace.failed(&failure),
            None => return self.pace.progressed(),
        }
        self.waiting.push_back(reader.waiting);
    }
}
