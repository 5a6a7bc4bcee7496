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

use super::{delta::Delta, events::Events};
use crate::model::{
    decode::Decoded,
    held::{self, Held},
    kind::{KINDS, Kind, Reading},
    object::ObjectRef,
    references::references,
    snapshot::{KindState, Lookup, Problem, Snapshot},
};

/// Least time between two snapshots.
const GAP: Duration = Duration::from_millis(100);
/// Least time between two snapshots that differ in Events only: a busy cluster has many.
const EVENTS_GAP: Duration = Duration::from_secs(1);
/// The gap is at least this many times what the last snapshot took to make, so that a large cluster
/// costs a bounded share of one core.
const REST: u32 = 20;
/// Deltas that are taken at once.
const BATCH: usize = 256;
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
    wanted: watch::Sender<Arc<BTreeSet<ObjectRef>>>,
    published: watch::Sender<Arc<Snapshot>>,
}

impl Store {
    /// A store in which every kind is still loading.
    pub(super) fn new(
        mut snapshot: Snapshot,
        wanted: watch::Sender<Arc<BTreeSet<ObjectRef>>>,
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
            wanted,
            published,
        };
        (store, receiver)
    }

    /// Takes deltas in until nobody sends any more, or nobody looks any more.
    pub(super) async fn run(mut self, mut deltas: mpsc::Receiver<Delta>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut ready = Instant::now();
        let mut events_ready = ready;
        loop {
            let due = if self.changed { ready } else { events_ready };
            let is_due = self.changed || self.events.changed();
            tokio::select! {
                biased;
                () = self.published.closed() => return,
                () = sleep_until(due), if is_due => {
                    let started = Instant::now();
                    self.publish();
                    let took = started.elapsed();
                    ready = started + GAP.max(took * REST);
                    events_ready = started + EVENTS_GAP.max(took * REST);
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
        self.snapshot.events = self.events.about(&self.snapshot);
        self.changed = false;
        self.published.send_replace(Arc::new(self.snapshot.clone()));
    }

    fn apply(&mut self, delta: Delta) {
        match delta {
            Delta::Changed(objects) => objects.into_iter().for_each(|object| self.put(object)),
            Delta::Gone(reference) => self.gone(&reference),
            Delta::Listed(kind, present) => self.listed(kind, &present),
            Delta::State(kind, state) => self.state(kind, state),
            Delta::Narrowed(kind, namespace) => self.narrowed(kind, namespace),
            Delta::Dropped(kind) => {
                self.listed(kind, &HashSet::new());
                self.state(kind, KindState::NotServed);
                self.narrowed(kind, None);
            }
            Delta::Unknown(reference, why) => self.look_up(&reference, &why),
            Delta::Forgotten(reference) => {
                self.held.forget(&self.snapshot, &reference);
                self.changed |= self.snapshot.remove(&reference);
            }
            Delta::Problem(problem) => self.problem(*problem),
            Delta::Undiscovered(why) => self.undiscovered(&why),
            Delta::Silent(why) => self.silent(&why),
            Delta::Answering => self.answering(),
        }
    }

    fn put(&mut self, object: Decoded) {
        match object {
            Decoded::Event(event) => self.events.put(event),
            object => {
                let kind = object.reference().kind;
                self.references_changed |= kind.info().reading == Reading::Watched;
                self.changed = true;
                if !self.held.put(&mut self.snapshot, object) && self.full.insert(kind) {
                    self.snapshot.kinds.insert(kind, full());
                }
            }
        }
    }

    fn gone(&mut self, reference: &ObjectRef) {
        self.changed = true;
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
                self.references_changed = true;
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
        for state in self.snapshot.kinds.values_mut() {
            if *state == KindState::Loading {
                *state = KindState::Failed(why.to_owned());
                self.changed = true;
            }
        }
    }

    /// What was live is stale from now on; what already was stale keeps its own reason.
    fn silent(&mut self, why: &str) {
        let since = Timestamp::now();
        for state in self.snapshot.kinds.values_mut() {
            if let KindState::Live { version } = state {
                *state = KindState::Stale {
                    version: std::mem::take(version),
                    since,
                    why: why.to_owned(),
                };
                self.changed = true;
            }
        }
    }

    /// Watches report for themselves once they are established again; for what is read by name,
    /// nobody else does.
    fn answering(&mut self) {
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
pub(super) fn is_settled(snapshot: &Snapshot) -> bool {
    let kinds: &BTreeMap<Kind, KindState> = &snapshot.kinds;
    !kinds.values().any(|state| *state == KindState::Loading)
        && references(snapshot).iter().all(|reference| {
            snapshot.secrets.contains_key(reference) || snapshot.config_maps.contains_key(reference)
        })
}
