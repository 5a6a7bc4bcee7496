//! Holds the one snapshot that changes, and publishes copies of it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{by_name::Asked, delta::Delta, events::Events};
use ngf_core::model::{
    decode::Decoded,
    held::{self, Held},
    kind::{KINDS, Kind, Reading},
    object::ObjectRef,
    references::references,
    referring::refers_alike,
    snapshot::{KindState, Lookup, Loss, Lost, Problem, Snapshot},
};

/// Least time between two snapshots.
const GAP: Duration = Duration::from_millis(100);
/// Least time between two snapshots that differ in Events only: a busy cluster has many.
const EVENTS_GAP: Duration = Duration::from_secs(1);
/// Least time between two snapshots that differ only in when something was read that is not watched.
const AGES_GAP: Duration = Duration::from_mins(1);
/// The gap is at least this many times what the last snapshot took to make, so that a large cluster
/// costs a bounded share of one core.
const REST: u32 = 20;
/// Deltas that are taken at once.
const BATCH: usize = 256;
/// Fewer kinds that cannot be read are told one by one.
const FEW: usize = 4;
/// Problems that are kept.
const MAX_PROBLEMS: usize = 200;

/// The store.
pub(super) struct Store {
    snapshot: Snapshot,
    events: Events,
    held: Held,
    /// Kinds of which objects are left out, since there is no room for more.
    full: BTreeSet<Kind>,
    /// Something has changed, other than Events.
    changed: bool,
    /// Something has changed that may refer to Secrets or ConfigMaps.
    references_changed: bool,
    /// Objects came or went, which Events may be about.
    names_changed: bool,
    /// Objects whose references have changed, once each: what they refer to is read again.
    changed_references: BTreeSet<ObjectRef>,
    /// Kinds that cannot be read because of the API server, and since when.
    troubled: BTreeMap<Kind, Timestamp>,
    wanted: watch::Sender<Arc<BTreeSet<ObjectRef>>>,
    asked: Arc<Asked>,
    published: watch::Sender<Arc<Snapshot>>,
}

impl Store {
    /// A store in which every kind is still loading.
    pub(super) fn new(
        mut snapshot: Snapshot,
        wanted: watch::Sender<Arc<BTreeSet<ObjectRef>>>,
        asked: Arc<Asked>,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        snapshot.kinds = KINDS
            .iter()
            .map(|info| (info.kind, KindState::Loading))
            .collect();
        let (published, receiver) = watch::channel(Arc::new(snapshot.clone()));
        let store = Self {
            snapshot,
            events: Events::default(),
            held: Held::default(),
            full: BTreeSet::new(),
            changed: false,
            references_changed: false,
            names_changed: false,
            changed_references: BTreeSet::new(),
            troubled: BTreeMap::new(),
            wanted,
            asked,
            published,
        };
        (store, receiver)
    }

    /// Takes deltas in until nobody sends any more, or nobody looks any more.
    pub(super) async fn run(mut self, mut deltas: mpsc::Receiver<Delta>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut ready = Instant::now();
        let mut events_ready = ready;
        let mut ages_ready = ready;
        loop {
            let due = if self.has_loaded() {
                // This is what everybody waits for.
                Instant::now()
            } else if self.changed {
                ready
            } else if self.events.changed() {
                events_ready
            } else {
                ages_ready
            };
            let is_due = self.changed || self.events.changed() || self.ages_changed();
            tokio::select! {
                biased;
                () = self.published.closed() => return,
                () = sleep_until(due), if is_due => {
                    let started = Instant::now();
                    self.publish();
                    let took = started.elapsed();
                    ready = started + GAP.max(took * REST);
                    events_ready = started + EVENTS_GAP.max(took * REST);
                    ages_ready = started + AGES_GAP;
                }
                received = deltas.recv_many(&mut batch, BATCH) => {
                    if received == 0 {
                        return;
                    }
                    for delta in batch.drain(..) {
                        self.apply(delta);
                    }
                }
            }
        }
    }

    /// Whether something that is not watched was read again since a snapshot was published last.
    fn ages_changed(&self) -> bool {
        let published = self.published.borrow();
        !self.snapshot.unwatched.is_shared_with(&published.unwatched)
    }

    /// Whether every kind that rules read has been listed, which was not so when a snapshot was published last.
    fn has_loaded(&self) -> bool {
        self.changed && self.snapshot.loading() == 0 && self.published.borrow().loading() > 0
    }

    fn publish(&mut self) {
        if self.references_changed {
            self.references_changed = false;
            let wanted = references(&self.snapshot);
            self.wanted.send_if_modified(|before| {
                let differs = **before != wanted;
                if differs {
                    *before = Arc::new(wanted);
                }
                differs
            });
        }
        if self.events.changed() || self.names_changed {
            self.names_changed = false;
            self.snapshot.events = self.events.about(&self.snapshot);
        }
        self.read_again();
        self.judge();
        self.changed = false;
        self.published.send_replace(Arc::new(self.snapshot.clone()));
    }

    fn apply(&mut self, delta: Delta) {
        match delta {
            Delta::Changed(objects) => objects.into_iter().for_each(|object| self.put(object)),
            Delta::Gone(reference) => self.gone(&reference),
            Delta::Listed(kind, present) => self.listed(kind, &present),
            Delta::State(kind, state) => self.state(kind, state),
            Delta::Troubled(kind) => self.troubled(kind),
            Delta::Narrowed(kind, namespace) => self.narrowed(kind, namespace),
            Delta::Dropped(kind) => {
                self.listed(kind, &HashSet::new());
                self.state(kind, KindState::NotServed);
                self.narrowed(kind, None);
            }
            Delta::Unknown(reference, why) => {
                self.snapshot.denied.remove(&reference);
                self.look_up(&reference, &why);
            }
            Delta::Denied(reference, why) => {
                self.look_up(&reference, &why);
                self.snapshot.unwatched.remove(&reference);
                self.snapshot.denied.insert(reference);
            }
            Delta::Read {
                object,
                at,
                is_urgent,
            } => self.read(object, at, is_urgent),
            Delta::Watched(reference) => {
                self.changed |= self.snapshot.unwatched.remove(&reference).is_some();
            }
            Delta::Forgotten(reference) => {
                self.snapshot.unwatched.remove(&reference);
                self.held.forget(&self.snapshot, &reference);
                self.snapshot.denied.remove(&reference);
                self.names_changed = true;
                self.changed |= self.snapshot.remove(&reference);
            }
            Delta::Problem(problem) => self.problem(*problem),
            Delta::Undiscovered(why) => self.undiscovered(&why),
            Delta::Lost(lost) => self.lost(*lost),
            Delta::Answering => self.answering(),
        }
    }

    fn put(&mut self, object: Decoded) {
        match object {
            Decoded::Event(event) => self.events.put(event),
            object => {
                let reference = object.reference().clone();
                let kind = reference.kind;
                self.changed = true;
                let was_there = self.snapshot.contains(&reference);
                if !self.held.put(&mut self.snapshot, object) && self.full.insert(kind) {
                    self.snapshot.kinds.insert(kind, full());
                }
                self.names_changed |= was_there != self.snapshot.contains(&reference);
                self.note_references(&reference);
            }
        }
    }

    /// What is wanted was worked out of the snapshot that was published last.
    fn note_references(&mut self, object: &ObjectRef) {
        let published = self.published.borrow();
        let asks_again = !self.snapshot.unwatched.is_empty() && published.loading() == 0;
        if object.kind.info().reading != Reading::Watched
            || self.references_changed && !asks_again
            || refers_alike(&published, &self.snapshot, object)
        {
            return;
        }
        self.references_changed = true;
        if asks_again {
            self.changed_references.insert(object.clone());
        }
    }

    /// Asks for what changed objects refer to, where it is not watched: who changes the one often changes the other.
    fn read_again(&mut self) {
        let changed = std::mem::take(&mut self.changed_references);
        if changed.is_empty() {
            return;
        }
        let found = references(&self.snapshot.part(&changed));
        let unwatched = &self.snapshot.unwatched;
        for object in found.into_iter().filter(|one| unwatched.contains_key(one)) {
            self.asked.ask(object);
        }
    }

    /// A Secret or ConfigMap that is not watched was read.
    fn read(&mut self, object: ObjectRef, at: Timestamp, is_urgent: bool) {
        if self.snapshot.has_entry(&object) {
            let is_news = self.snapshot.unwatched.insert(object, at).is_none();
            self.changed |= is_news || is_urgent;
        }
    }

    fn gone(&mut self, reference: &ObjectRef) {
        self.changed = true;
        self.names_changed = true;
        self.held.forget(&self.snapshot, reference);
        match reference.kind {
            Kind::Event => self.events.remove(reference),
            Kind::Secret => {
                let secrets = &mut self.snapshot.secrets;
                secrets.insert(reference.clone(), Lookup::Absent);
            }
            Kind::ConfigMap => {
                let config_maps = &mut self.snapshot.config_maps;
                config_maps.insert(reference.clone(), Lookup::Absent);
            }
            _ => {
                self.snapshot.remove(reference);
                self.note_references(reference);
            }
        }
    }

    fn listed(&mut self, kind: Kind, present: &HashSet<ObjectRef>) {
        if kind == Kind::Event {
            self.events.retain(present);
            return;
        }
        let gone: Vec<ObjectRef> = self
            .snapshot
            .references_of(kind)
            .filter(|reference| !present.contains(*reference))
            .cloned()
            .collect();
        for reference in gone {
            self.gone(&reference);
        }
    }

    fn state(&mut self, kind: Kind, state: KindState) {
        let is_read = matches!(state, KindState::Live { .. } | KindState::Stale { .. });
        let state = if is_read && self.full.contains(&kind) {
            full()
        } else {
            state
        };
        let before = self.snapshot.kinds.insert(kind, state);
        self.changed |= before.as_ref() != self.snapshot.kinds.get(&kind);
    }

    fn narrowed(&mut self, kind: Kind, namespace: Option<String>) {
        let narrowed = &mut self.snapshot.narrowed;
        self.changed |= match namespace {
            Some(namespace) => narrowed.insert(kind, namespace.clone()) != Some(namespace),
            None => narrowed.remove(&kind).is_some(),
        };
    }

    fn look_up(&mut self, reference: &ObjectRef, why: &str) {
        self.held.forget(&self.snapshot, reference);
        let Snapshot {
            secrets,
            config_maps,
            ..
        } = &mut self.snapshot;
        self.changed = true;
        self.names_changed = true;
        if reference.kind == Kind::Secret {
            secrets.insert(reference.clone(), Lookup::Unknown(why.to_owned()));
        } else {
            config_maps.insert(reference.clone(), Lookup::Unknown(why.to_owned()));
        }
    }

    fn problem(&mut self, problem: Problem) {
        let problems = &mut self.snapshot.problems;
        if problems.len() < MAX_PROBLEMS && !problems.contains(&problem) {
            problems.push(problem);
            self.changed = true;
        }
    }

    fn undiscovered(&mut self, why: &str) {
        for (kind, state) in &mut self.snapshot.kinds {
            if *state == KindState::Loading {
                *state = KindState::Failed(why.to_owned());
                self.troubled.entry(*kind).or_insert_with(Timestamp::now);
                self.changed = true;
            }
        }
    }

    /// What was live is stale, and what was awaited has failed; what already was stale keeps its reason.
    fn lost(&mut self, lost: Lost) {
        for state in self.snapshot.kinds.values_mut() {
            match state {
                KindState::Live { version } => {
                    *state = KindState::Stale {
                        version: std::mem::take(version),
                        since: lost.since,
                        why: lost.why.clone(),
                    };
                }
                KindState::Loading => *state = KindState::Failed(lost.why.clone()),
                _ => {}
            }
        }
        self.changed = true;
        self.snapshot.lost = Some(lost);
    }

    /// The next state of this kind is the API server's doing, and not the kind's.
    fn troubled(&mut self, kind: Kind) {
        self.troubled.entry(kind).or_insert_with(Timestamp::now);
    }

    /// Whether hardly any kind can be read, though the API server answers: its etcd may be down. That is
    /// one fault, and not one for each kind.
    fn judge(&mut self) {
        let is_failing =
            |state: &KindState| matches!(state, KindState::Failed(_) | KindState::Stale { .. });
        let kinds = &self.snapshot.kinds;
        self.troubled
            .retain(|kind, _| kinds.get(kind).is_some_and(is_failing));
        let readable = KINDS.iter().filter(|info| {
            let state = kinds.get(&info.kind);
            info.reading != Reading::ByName
                && matches!(state, Some(KindState::Live { .. } | KindState::Loading))
        });
        let is_failing = self.troubled.len() >= FEW && self.troubled.len() > readable.count();
        let before = self.snapshot.lost.as_ref().map(|lost| &lost.loss);
        match before {
            Some(Loss::Silent | Loss::Refused { .. }) => {}
            Some(Loss::Failing) if !is_failing => self.snapshot.lost = None,
            None if is_failing => {
                let since = self.troubled.values().min().copied();
                self.snapshot.lost = Some(Lost {
                    since: since.unwrap_or_else(Timestamp::now),
                    why: self.most_frequent_reason(),
                    loss: Loss::Failing,
                });
            }
            _ => {}
        }
    }

    fn most_frequent_reason(&self) -> String {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for kind in self.troubled.keys() {
            if let Some(KindState::Failed(why) | KindState::Stale { why, .. }) =
                self.snapshot.kinds.get(kind)
            {
                *reasons.entry(why).or_default() += 1;
            }
        }
        let most = reasons.into_iter().max_by_key(|(_, times)| *times);
        most.map_or_else(String::new, |(why, _)| why.to_owned())
    }

    /// Watches report for themselves once they are established again; for what is read by name,
    /// nobody else does.
    fn answering(&mut self) {
        self.changed |= self.snapshot.lost.take().is_some();
        for info in KINDS.iter().filter(|info| info.reading == Reading::ByName) {
            if let Some(state @ KindState::Stale { .. }) = self.snapshot.kinds.get_mut(&info.kind) {
                *state = KindState::Live {
                    version: "v1".to_owned(),
                };
                self.changed = true;
            }
        }
    }
}

/// The state of a kind of which not all objects are held: what is not there may exist.
fn full() -> KindState {
    KindState::Failed(format!(
        "{}, and the rest is left out: choose one namespace with -n",
        held::FULL
    ))
}

/// Whether everything that was asked for has an answer: each kind, and each Secret and ConfigMap
/// that something refers to.
pub fn is_settled(snapshot: &Snapshot) -> bool {
    let mut states = snapshot.kinds.values();
    let is_known = |reference: &ObjectRef| {
        snapshot.secrets.contains_key(reference) || snapshot.config_maps.contains_key(reference)
    };
    !states.any(|state| *state == KindState::Loading)
        // Nothing more comes from an API server that is lost, until it is back.
        && (snapshot.lost.is_some() || references(snapshot).iter().all(is_known))
}
