//! What ties objects together: names that they have or refer to, labels that a selector takes. Objects without a chain
//! of ties between them have no say in each other's findings; what a rule asks of all objects of a kind it asks of
//! [`Context::cluster`](crate::diagnosis::context::Context::cluster).

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::ties::{self, DataPlanePods, Frame};
use crate::model::{kind::Kind, object::ObjectRef, snapshot::Snapshot};

/// A name, label or other thing that ties all objects that have it, hashed.
pub(super) type Key = u64;

/// What an object shares with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tie {
    pub(super) key: Key,
    /// Whether it ties by itself. A passive one, such as the name of a Service in a certificate, does so where another
    /// object has the same tie actively.
    pub(super) is_active: bool,
}

impl Tie {
    pub(super) fn active(key: Key) -> Self {
        Self {
            key,
            is_active: true,
        }
    }

    pub(super) fn passive(key: Key) -> Self {
        Self {
            key,
            is_active: false,
        }
    }
}

/// Hashes what makes a key.
pub(super) fn key(of: impl Hash) -> Key {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// The key of an object's name.
pub(super) fn key_of(object: &ObjectRef) -> Key {
    object.hashed()
}

/// An object by its number.
type Number = u32;

#[derive(Debug, Default)]
struct Holders {
    active: u32,
    all: Vec<Number>,
}

#[derive(Debug)]
struct Tied {
    object: ObjectRef,
    ties: Box<[Tie]>,
}

/// The ties of all objects of a snapshot, but for those that belong to every part.
#[derive(Debug, Default)]
pub(super) struct Links {
    numbers: HashMap<ObjectRef, Number>,
    tied: Vec<Option<Tied>>,
    free: Vec<Number>,
    holders: HashMap<Key, Holders>,
    frame: Frame,
    /// Objects that belong to every part, and so tie nothing together.
    everywhere: BTreeSet<ObjectRef>,
    keys_everywhere: HashSet<Key>,
}

/// Objects that are tied to each other, and not to any other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Region {
    objects: BTreeSet<ObjectRef>,
    keys: HashSet<Key>,
}

impl Region {
    /// The objects.
    pub(super) fn objects(&self) -> &BTreeSet<ObjectRef> {
        &self.objects
    }

    /// Whether an object is in it, or something in it refers to one of that name.
    pub(super) fn holds(&self, object: &ObjectRef) -> bool {
        self.objects.contains(object) || self.keys.contains(&key_of(object))
    }

    /// Whether nothing ties an object of the one to an object of the other.
    pub(super) fn is_apart_from(&self, other: &Self) -> bool {
        self.keys.is_disjoint(&other.keys)
    }
}

impl Links {
    /// The ties of a snapshot.
    pub(super) fn of(snapshot: &Snapshot, pods: &DataPlanePods) -> Self {
        let frame = Frame::of(snapshot);
        let everywhere = ties::everywhere(snapshot, &frame);
        let mut links = Self {
            keys_everywhere: everywhere.iter().map(key_of).collect(),
            everywhere,
            frame,
            ..Self::default()
        };
        snapshot.for_each_entry(|object| {
            if !links.everywhere.contains(object) {
                let ties = ties::of(snapshot, &links.frame, pods, object);
                links.put(object, ties);
            }
        });
        links
    }

    /// How many objects are tied.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether an object belongs to every part, as it was or as it is now.
    pub(super) fn is_everywhere(&self, snapshot: &Snapshot, object: &ObjectRef) -> bool {
        self.everywhere.contains(object) || ties::is_everywhere(snapshot, &self.frame, object)
    }

    /// The objects that belong to every part.
    pub(super) fn everywhere(&self) -> &BTreeSet<ObjectRef> {
        &self.everywhere
    }

    /// Whether anything tied has this name or refers to it.
    pub(super) fn knows(&self, object: &ObjectRef) -> bool {
        self.holders
            .get(&key_of(object))
            .is_some_and(|holders| holders.active > 0)
    }

    /// Takes in what has changed, and returns everything that was or is tied to it. `also` are objects that are looked
    /// at again without a change of their own.
    pub(super) fn update(
        &mut self,
        snapshot: &Snapshot,
        pods: &DataPlanePods,
        changed: &BTreeSet<ObjectRef>,
        also: &BTreeSet<ObjectRef>,
    ) -> Region {
        let mut seeds: Vec<Tie> = Vec::new();
        // What refers to an object may be tied otherwise where that object comes or goes.
        let mut again: BTreeSet<ObjectRef> = changed.clone();
        // Evidence ties pods to Gateways.
        again.extend(also.iter().filter(|one| one.kind == Kind::Pod).cloned());
        for object in changed {
            let was_there = self.numbers.contains_key(object);
            if was_there != snapshot.has_entry(object) {
                let holders = self.holders.get(&key_of(object));
                let near = holders.into_iter().flat_map(|holders| &holders.all);
                again.extend(near.filter_map(|number| self.object(*number)).cloned());
            }
        }
        for object in &again {
            if let Some(before) = self.take(object) {
                seeds.extend(before.iter().copied());
            }
        }
        for object in &again {
            if snapshot.has_entry(object) && !self.everywhere.contains(object) {
                let ties = ties::of(snapshot, &self.frame, pods, object);
                seeds.extend(ties.iter().copied());
                self.put(object, ties);
            }
        }
        seeds.extend(also.iter().map(|object| Tie::active(key_of(object))));
        let mut region = self.reach(seeds);
        region.objects.extend(changed.iter().cloned());
        region
    }

    fn object(&self, number: Number) -> Option<&ObjectRef> {
        let tied = self.tied.get(number as usize)?.as_ref()?;
        Some(&tied.object)
    }

    fn put(&mut self, object: &ObjectRef, mut ties: Vec<Tie>) {
        // The active one of two ties with one key counts.
        ties.sort_unstable_by_key(|tie| (tie.key, !tie.is_active));
        ties.dedup_by_key(|tie| tie.key);
        ties.retain(|tie| !self.keys_everywhere.contains(&tie.key));
        let number = self.free.pop().unwrap_or(self.tied.len() as Number);
        for tie in &ties {
            let holders = self.holders.entry(tie.key).or_default();
            holders.active += u32::from(tie.is_active);
            holders.all.push(number);
        }
        let entry = Some(Tied {
            object: object.clone(),
            ties: ties.into(),
        });
        match self.tied.get_mut(number as usize) {
            Some(place) => *place = entry,
            None => self.tied.push(entry),
        }
        self.numbers.insert(object.clone(), number);
    }

    fn take(&mut self, object: &ObjectRef) -> Option<Box<[Tie]>> {
        let number = self.numbers.remove(object)?;
        let tied = self.tied.get_mut(number as usize)?.take()?;
        self.free.push(number);
        for tie in &tied.ties {
            let Some(holders) = self.holders.get_mut(&tie.key) else {
                continue;
            };
            holders.active -= u32::from(tie.is_active);
            if let Some(place) = holders.all.iter().position(|held| *held == number) {
                holders.all.swap_remove(place);
            }
            if holders.all.is_empty() {
                self.holders.remove(&tie.key);
            }
        }
        Some(tied.ties)
    }

    /// Everything that is tied to these keys.
    fn reach(&self, seeds: Vec<Tie>) -> Region {
        let mut region = Region::default();
        let mut seen: HashSet<Number> = HashSet::new();
        let mut open = seeds;
        while let Some(Tie { key, is_active }) = open.pop() {
            let holders = self.holders.get(&key);
            if !is_active && holders.is_none_or(|holders| holders.active == 0)
                || !region.keys.insert(key)
            {
                continue;
            }
            for number in holders.into_iter().flat_map(|holders| &holders.all) {
                if !seen.insert(*number) {
                    continue;
                }
                if let Some(Some(tied)) = self.tied.get(*number as usize) {
                    region.objects.insert(tied.object.clone());
                    open.extend(tied.ties.iter().copied());
                }
            }
        }
        region
    }
}
