//! What changed while the program ran: the objects whose specification, and the Secrets and ConfigMaps whose
//! data, became another.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;

use ngf_core::model::{
    kinds::{ConfigMapFacts, PemFacts, SecretFacts},
    object::ObjectRef,
    snapshot::{Lookup, Lookups, Snapshot, Table},
    status::Spec,
};

/// So many changes are remembered; the oldest go first.
const MOST: usize = 1_000;

/// What changed, and when it was seen.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    last: BTreeMap<ObjectRef, Timestamp>,
    log: VecDeque<Change>,
}

/// A change that was seen while the program ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When it was seen.
    pub at: Timestamp,
    /// The object.
    pub object: ObjectRef,
    /// What changed, in a few words.
    pub what: String,
}

/// Objects that changed between two snapshots, each with what did.
type Changed = Vec<(ObjectRef, String)>;

impl Changes {
    /// Notes what is different in a newer snapshot. What is read for the first time has not changed.
    pub fn note(&mut self, old: &Snapshot, new: &Snapshot, now: Timestamp) {
        let mut changed = Changed::new();
        of_table(&old.gateways, &new.gateways, &mut changed);
        of_table(&old.listener_sets, &new.listener_sets, &mut changed);
        of_table(&old.routes, &new.routes, &mut changed);
        of_table(&old.policies, &new.policies, &mut changed);
        of_table(&old.certificates, &new.certificates, &mut changed);
        of_table(&old.issuers, &new.issuers, &mut changed);
        of_table(&old.ngf, &new.ngf, &mut changed);
        of_lookups(&old.secrets, &new.secrets, of_secret, &mut changed);
        of_lookups(&old.config_maps, &new.config_maps, of_map, &mut changed);
        for (object, _) in &changed {
            self.last.insert(object.clone(), now);
        }
        // These change by themselves all the time: a list tells of them, and nothing else.
        of_table(&old.grants, &new.grants, &mut changed);
        of_table(&old.services, &new.services, &mut changed);
        of_table(&old.workloads, &new.workloads, &mut changed);
        of_table(&old.pods, &new.pods, &mut changed);
        let seen = changed.into_iter();
        self.log.extend(seen.map(|(object, what)| Change {
            at: now,
            object,
            what,
        }));
        while self.log.len() > MOST {
            self.log.pop_front();
        }
        while self.last.len() > MOST {
            let oldest = self.last.iter().min_by_key(|(_, at)| **at);
            let Some(oldest) = oldest.map(|(object, _)| object.clone()) else {
                return;
            };
            self.last.remove(&oldest);
        }
    }

    /// Forgets what was seen later than this: a recording was turned back.
    pub fn forget_after(&mut self, at: Timestamp) {
        self.log.retain(|change| change.at <= at);
        let log = &self.log;
        self.last.retain(|object, seen| {
            if *seen > at {
                let before = log.iter().rev().find(|change| change.object == *object);
                *seen = before.map_or(*seen, |change| change.at);
            }
            *seen <= at
        });
    }

    /// When this object was last seen to change.
    pub fn of(&self, object: &ObjectRef) -> Option<Timestamp> {
        self.last.get(object).copied()
    }

    /// The last change of all.
    pub fn newest(&self) -> Option<(&ObjectRef, Timestamp)> {
        let newest = self.last.iter().max_by_key(|(_, at)| **at);
        newest.map(|(object, at)| (object, *at))
    }

    /// Every change that is remembered, the newest last.
    pub fn log(&self) -> impl DoubleEndedIterator<Item = &Change> {
        self.log.iter()
    }
}

/// What changed in a Secret; empty where nothing did.
fn of_secret(one: &SecretFacts, other: &SecretFacts) -> String {
    let mut all = Vec::new();
    if one.secret_type != other.secret_type {
        all.push(format!(
            "its type was {} and is {}",
            one.secret_type, other.secret_type
        ));
    }
    all.extend(of_keys(&one.keys, &other.keys));
    for (key, one, other) in [
        ("tls.crt", &one.certificate, &other.certificate),
        ("ca.crt", &one.ca, &other.ca),
    ] {
        if one != other {
            all.push(format!("{key} is now {}", certificates(other)));
        }
    }
    if one.key != other.key {
        all.push("tls.key changed".to_owned());
    }
    all.join("; ")
}

fn of_map(one: &ConfigMapFacts, other: &ConfigMapFacts) -> String {
    let mut all = of_keys(&one.keys, &other.keys);
    if one.ca != other.ca {
        all.push(format!("ca.crt is now {}", certificates(&other.ca)));
    }
    all.join("; ")
}

/// Keys that came or went, or whose value has another length.
fn of_keys(one: &BTreeMap<String, usize>, other: &BTreeMap<String, usize>) -> Vec<String> {
    let came = other.keys().filter(|key| !one.contains_key(*key));
    let went = one.keys().filter(|key| !other.contains_key(*key));
    let differs = other.iter().filter(|(key, length)| {
        let known = ["tls.crt", "ca.crt", "tls.key"].contains(&key.as_str());
        !known && one.get(*key).is_some_and(|before| before != *length)
    });
    came.map(|key| format!("key {key} was added"))
        .chain(went.map(|key| format!("key {key} was removed")))
        .chain(differs.map(|(key, _)| format!("key {key} has another value")))
        .collect()
}

/// The certificates that a key holds, in short.
fn certificates(held: &PemFacts) -> String {
    let all = held.certificates().iter();
    let all: Vec<String> = all
        .map(|facts| {
            let print: String = facts.fingerprint_sha256.chars().take(11).collect();
            format!("{} {print}…", facts.subject)
        })
        .collect();
    if all.is_empty() {
        "no certificate".to_owned()
    } else {
        all.join(", ")
    }
}

/// Objects whose generation is another, or that are there no more or again. A table that was empty had not
/// been read.
fn of_table<T: Spec>(old: &Table<T>, new: &Table<T>, changed: &mut Changed) {
    if old.is_empty() || old.is_shared_with(new) {
        return;
    }
    for (object, now) in new {
        match old.get(object) {
            Some(before) if Arc::ptr_eq(before, now) => {}
            Some(before) if before.meta.generation == now.meta.generation => {}
            Some(before) => {
                let (before, now) = (before.meta.generation, now.meta.generation);
                changed.push((
                    object.clone(),
                    format!("specification changed, generation {before} to {now}"),
                ));
            }
            None => changed.push((object.clone(), "created".to_owned())),
        }
    }
    let gone = old.keys().filter(|object| !new.contains_key(*object));
    changed.extend(gone.map(|object| (object.clone(), "deleted".to_owned())));
}

fn of_lookups<T: Spec>(
    old: &Lookups<T>,
    new: &Lookups<T>,
    what: impl Fn(&T, &T) -> String,
    changed: &mut Changed,
) {
    if old.is_shared_with(new) {
        return;
    }
    for (object, now) in new {
        let what = match (old.get(object), now) {
            (Some(Lookup::Found(before)), Lookup::Found(now)) if Arc::ptr_eq(before, now) => {
                continue;
            }
            (Some(Lookup::Found(before)), Lookup::Found(now)) => what(&before.spec, &now.spec),
            (Some(Lookup::Found(_)), Lookup::Absent) => "deleted".to_owned(),
            (Some(Lookup::Absent), Lookup::Found(_)) => "created".to_owned(),
            // What nobody could read before, or can read now, tells of no change.
            _ => String::new(),
        };
        if !what.is_empty() {
            changed.push((object.clone(), what));
        }
    }
}
