//! What changed while the program ran: the objects whose specification, and the Secrets and ConfigMaps whose
//! data, became another.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use ngf_core::model::{
    kinds::{ConfigMapFacts, SecretFacts},
    object::{Object, ObjectRef},
    snapshot::{Lookup, Snapshot, Table},
};

/// So many changes are remembered; the oldest go first.
const MOST: usize = 1_000;

/// What changed, and when it was seen.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    last: BTreeMap<ObjectRef, Timestamp>,
}

impl Changes {
    /// Notes what is different in a newer snapshot. What is read for the first time has not changed.
    pub fn note(&mut self, old: &Snapshot, new: &Snapshot, now: Timestamp) {
        let mut changed: Vec<ObjectRef> = Vec::new();
        of_table(&old.gateways, &new.gateways, &mut changed);
        of_table(&old.listener_sets, &new.listener_sets, &mut changed);
        of_table(&old.routes, &new.routes, &mut changed);
        of_table(&old.policies, &new.policies, &mut changed);
        of_table(&old.certificates, &new.certificates, &mut changed);
        of_table(&old.issuers, &new.issuers, &mut changed);
        of_table(&old.ngf, &new.ngf, &mut changed);
        let secret = |one: &SecretFacts, other: &SecretFacts| {
            one.secret_type == other.secret_type
                && one.keys == other.keys
                && one.certificate == other.certificate
                && one.ca == other.ca
                && one.key == other.key
        };
        of_lookups(&old.secrets, &new.secrets, secret, &mut changed);
        let map = |one: &ConfigMapFacts, other: &ConfigMapFacts| {
            one.keys == other.keys && one.ca == other.ca
        };
        of_lookups(&old.config_maps, &new.config_maps, map, &mut changed);
        for object in changed {
            self.last.insert(object, now);
        }
        while self.last.len() > MOST {
            let oldest = self.last.iter().min_by_key(|(_, at)| **at);
            let Some(oldest) = oldest.map(|(object, _)| object.clone()) else {
                return;
            };
            self.last.remove(&oldest);
        }
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
}

/// Objects whose generation is another, or that are there no more or again. A table that was empty had not
/// been read.
fn of_table<T>(old: &Table<T>, new: &Table<T>, changed: &mut Vec<ObjectRef>) {
    if old.is_empty() {
        return;
    }
    for (object, now) in new {
        match old.get(object) {
            Some(before) if Arc::ptr_eq(before, now) => {}
            Some(before) if before.meta.generation == now.meta.generation => {}
            _ => changed.push(object.clone()),
        }
    }
    changed.extend(
        old.keys()
            .filter(|object| !new.contains_key(*object))
            .cloned(),
    );
}

fn of_lookups<T>(
    old: &BTreeMap<ObjectRef, Lookup<Arc<Object<T>>>>,
    new: &BTreeMap<ObjectRef, Lookup<Arc<Object<T>>>>,
    is_same: impl Fn(&T, &T) -> bool,
    changed: &mut Vec<ObjectRef>,
) {
    for (object, now) in new {
        let is_changed = match (old.get(object), now) {
            (Some(Lookup::Found(before)), Lookup::Found(now)) => !is_same(&before.spec, &now.spec),
            (Some(Lookup::Found(_)), Lookup::Absent) | (Some(Lookup::Absent), Lookup::Found(_)) => {
                true
            }
            // What nobody could read before, or can read now, tells of no change.
            _ => false,
        };
        if is_changed {
            changed.push(object.clone());
        }
    }
}
