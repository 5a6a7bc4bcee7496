//! Objects beyond those that are watched by name. Where the [names that change](super::changed_names) are told of, each is
//! read again when its name is. Where they are not, each is read again in its turn, evenly spread, and at once where
//! somebody asks for it or the API server was away.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Names, Reader,
    changed_names::{ChangedNames, Changes, Place},
};
use crate::{
    delta::Delta,
    error::Failure,
    pace::{Lane, Pace},
    spawn,
};
use ngf_core::model::{kind::Kind, object::ObjectRef};

/// The longest time after which each of them has been read again.
const ROUND: Duration = Duration::from_mins(15);
/// The shortest, where they are few.
const LEAST_ROUND: Duration = Duration::from_mins(1);
/// The pause between two reads, where the round allows it.
const CALM: Duration = Duration::from_secs(1);
/// The least time between two reads.
const FLOOR: Duration = Duration::from_millis(100);
/// Changes that may wait for those that read.
const CHANGES: usize = 256;
/// Objects that are put among those that are told of before what nothing refers to is looked for.
const MOST_PUT: usize = 10_000;
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
    /// When the last read that was answered began.
    pub(super) read: Option<Instant>,
    /// Whether the user may watch it, as far as that was seen.
    pub(super) may_watch: bool,
    /// Cancelled where nothing refers to it any more.
    pub(super) token: CancellationToken,
}

/// Where the user may read: everywhere or in one namespace, and the namespace to fall back to.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) namespace: Option<String>,
    pub(crate) fallback: Option<String>,
}

/// Reads them.
pub(super) struct InTurn {
    names: Names,
    reach: Reach,
    cancel: CancellationToken,
    handed: mpsc::Receiver<Waiting>,
    waiting: VecDeque<Waiting>,
    /// So many at the front are read without a pause.
    urgent: usize,
    /// And so many after them with the least pause: a watch of the names has begun since they were read.
    soon: usize,
    /// Those whose changes are told of.
    told: Told,
    /// The watches of names that live, and when each began.
    live: Vec<(Place, Instant)>,
    changes: (mpsc::Sender<Changes>, mpsc::Receiver<Changes>),
    /// The kinds of which a watch of names was begun.
    begun: Vec<Kind>,
    /// When the last one was read.
    last: Instant,
    pace: Pace,
}

impl InTurn {
    pub(super) fn new(
        names: Names,
        reach: Reach,
        handed: mpsc::Receiver<Waiting>,
        cancel: CancellationToken,
    ) -> Self {
        let pace = Pace::of_many(Arc::clone(&names.shared.link), Lane::Names, FLOOR);
        Self {
            names,
            reach,
            cancel,
            handed,
            waiting: VecDeque::new(),
            urgent: 0,
            soon: 0,
            told: Told::default(),
            live: Vec::new(),
            changes: mpsc::channel(CHANGES),
            begun: Vec::new(),
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
                    Some(waiting) => self.take(waiting).await,
                    None => return,
                },
                () = asked.news.notified() => {
                    let asked = asked.take();
                    self.move_up(|waiting| asked.contains(&waiting.object));
                }
                Some(changes) = self.changes.1.recv() => self.changed(changes).await,
                // Each may have changed while nobody answered.
                () = link.outage_after(outages) => {
                    outages = link.outages();
                    self.urgent = self.waiting.len();
                    self.soon = 0;
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
        if self.soon > 0 {
            return FLOOR;
        }
        let all = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX).max(1);
        let round = CALM.saturating_mul(all).clamp(LEAST_ROUND, ROUND);
        round / all
    }

    /// Takes an object that was read and has no watch of its own.
    async fn take(&mut self, waiting: Waiting) {
        let kind = waiting.object.kind;
        // What may not be read, or not watched by its name, may not be watched with all others.
        let may_watch = waiting.read.is_some() && waiting.may_watch;
        if may_watch && !self.begun.contains(&kind) {
            self.begun.push(kind);
            let place = Place {
                kind,
                namespace: self.reach.namespace.clone(),
            };
            let watch = ChangedNames::new(
                self.names.shared.clone(),
                self.changes.0.clone(),
                place,
                self.reach.fallback.clone(),
            );
            spawn(&self.cancel, watch.run());
        }
        self.put_back(waiting).await;
    }

    /// Keeps an object until it is read again: it is told of, or its turn comes.
    async fn put_back(&mut self, waiting: Waiting) {
        let live = self
            .live
            .iter()
            .find(|(place, _)| place.holds(&waiting.object));
        match (live, waiting.read) {
            (Some((_, began)), Some(read)) if read >= *began => {
                let watched = Delta::Watched(waiting.object.clone());
                self.names.shared.tell(watched).await;
                self.told.put(waiting);
            }
            // It was read before the watch began.
            (Some(_), Some(_)) => {
                let place = (self.urgent + self.soon).min(self.waiting.len());
                self.waiting.insert(place, waiting);
                self.soon += 1;
            }
            _ => self.waiting.push_back(waiting),
        }
    }

    /// Lets those be read next of which this holds.
    fn move_up(&mut self, is_next: impl Fn(&Waiting) -> bool) {
        let urgent = self.urgent.min(self.waiting.len());
        let rest = self.waiting.split_off(urgent);
        let (front, rest): (VecDeque<Waiting>, VecDeque<Waiting>) =
            rest.into_iter().partition(is_next);
        self.soon = self.soon.saturating_sub(front.len());
        self.urgent = urgent + front.len();
        self.waiting.extend(front);
        self.waiting.extend(rest);
    }

    async fn changed(&mut self, changes: Changes) {
        match changes {
            Changes::Began(place, began) => {
                self.live.retain(|(live, _)| *live != place);
                self.waiting.extend(self.told.take_all(&place));
                let may_be_old = |waiting: &Waiting| place.holds(&waiting.object);
                self.move_up(may_be_old);
                // They are not waited for: nothing says that any has changed.
                (self.soon, self.urgent) = (self.soon + self.urgent, 0);
                self.live.push((place, began));
            }
            Changes::Changed {
                place,
                name,
                version,
            } => {
                for waiting in self.told.take(&place, &name, &version) {
                    self.waiting.push_front(waiting);
                    self.urgent += 1;
                }
            }
            Changes::Ended(place, at) => {
                self.live.retain(|(live, _)| *live != place);
                for waiting in self.told.take_all(&place) {
                    let read = Delta::Read {
                        object: waiting.object.clone(),
                        at,
                        is_urgent: false,
                    };
                    self.names.shared.tell(read).await;
                    self.waiting.push_back(waiting);
                }
            }
        }
    }

    /// Reads the first one, or lets it be watched where there is a place for it by now.
    async fn next(&mut self) {
        self.last = Instant::now();
        let is_urgent = self.urgent > 0;
        if is_urgent {
            self.urgent -= 1;
        } else {
            self.soon = self.soon.saturating_sub(1);
        }
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
        self.put_back(reader.waiting).await;
    }
}

/// Objects whose changes are told of, by kind and name.
#[derive(Debug, Default)]
struct Told {
    objects: HashMap<(Kind, String), Vec<Waiting>>,
    /// Objects that were put since those were dropped that nothing refers to any more.
    put: usize,
}

impl Told {
    fn put(&mut self, waiting: Waiting) {
        self.put += 1;
        if self.put > MOST_PUT {
            self.put = 0;
            self.objects.retain(|_, all| {
                all.retain(|one| !one.token.is_cancelled());
                !all.is_empty()
            });
        }
        let object = &waiting.object;
        let key = (object.kind, object.name.clone());
        self.objects.entry(key).or_default().push(waiting);
    }

    /// Takes out those of this name that may have changed, which is none where one of them has this version.
    fn take(&mut self, place: &Place, name: &str, version: &str) -> Vec<Waiting> {
        let key = (place.kind, name.to_owned());
        let Some(all) = self.objects.get_mut(&key) else {
            return Vec::new();
        };
        if all.iter().any(|one| one.known.as_deref() == Some(version)) {
            return Vec::new();
        }
        let (changed, rest) = std::mem::take(all)
            .into_iter()
            .partition(|one| place.holds(&one.object));
        *all = rest;
        changed
    }

    fn take_all(&mut self, place: &Place) -> Vec<Waiting> {
        let all = self.objects.values_mut();
        let taken = all.flat_map(|all| all.extract_if(.., |one| place.holds(&one.object)));
        let taken = taken.collect();
        self.objects.retain(|_, all| !all.is_empty());
        taken
    }
}
