//! Whether two pieces of evidence are the same, and which objects differ between them.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use crate::diagnosis::plan::PlanKey;
use crate::{logs::Role, model::object::ObjectRef, shared::SharedMap};

use super::{Evidence, Met, Probed};

/// Where an object is, as a part of a cluster sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosis) enum Place {
    /// In the part.
    Here,
    /// In another part.
    Elsewhere,
    /// In no part, or in all of them.
    Nowhere,
}

/// The entries that are wanted.
fn those<K: Ord + Clone, V: Clone>(
    all: &SharedMap<K, V>,
    is_wanted: impl Fn(&K, &V) -> bool,
) -> SharedMap<K, V> {
    let all = all.iter().filter(|(key, value)| is_wanted(key, value));
    all.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// When a handshake with a listener began, and what came of it.
pub(super) type MetAt = (Timestamp, Result<Arc<Met>, String>);

fn is_same_meeting((at, one): &MetAt, (other_at, other): &MetAt) -> bool {
    at == other_at && same_result(one, other)
}

fn is_same_probe(one: &Probed, other: &Probed) -> bool {
    one.at == other.at
        && Arc::ptr_eq(&one.plan, &other.plan)
        && same_result(&one.result, &other.result)
}

fn same_result<T>(one: &Result<Arc<T>, String>, other: &Result<Arc<T>, String>) -> bool {
    match (one, other) {
        (Ok(one), Ok(other)) => Arc::ptr_eq(one, other),
        (Err(one), Err(other)) => one == other,
        _ => false,
    }
}

/// Whether two maps have the same keys and the same values.
fn same_entries<K: Ord, V>(
    one: &SharedMap<K, V>,
    other: &SharedMap<K, V>,
    is_same: impl Fn(&V, &V) -> bool,
) -> bool {
    one.is_shared_with(other)
        || one.keys().eq(other.keys())
            && one
                .values()
                .zip(other.values())
                .all(|(one, other)| is_same(one, other))
}

impl Evidence {
    /// Whether the other holds the very same of everything. A copy of a transcript or a log counts as another.
    pub fn is_same(&self, other: &Self) -> bool {
        // Named one by one, so that nobody adds a field and forgets it here.
        let Self {
            probes,
            untested,
            meetings,
            logs,
            rendered,
            said,
            // No rule reads these.
            around: _,
            matrices: _,
        } = self;
        same_entries(meetings, &other.meetings, is_same_meeting)
            && same_entries(probes, &other.probes, is_same_probe)
            && *untested == other.untested
            && same_entries(logs, &other.logs, Arc::ptr_eq)
            && same_entries(rendered, &other.rendered, Arc::ptr_eq)
            && same_entries(said, &other.said, Arc::ptr_eq)
    }

    /// Whether some of it is about the whole cluster: a saved log, whose pods are not known.
    pub(in crate::diagnosis) fn is_of_all(&self) -> bool {
        self.logs.values().any(|log| log.file.is_some())
    }

    /// What of it is about objects of a part of the cluster, and what is about objects of no part. `place` says where
    /// an object is.
    pub(in crate::diagnosis) fn part(&self, place: impl Fn(&ObjectRef) -> Place) -> Self {
        let is_here = |objects: &[&ObjectRef]| {
            let places = || objects.iter().map(|object| place(object));
            places().any(|place| place == Place::Here)
                || places().all(|place| place == Place::Nowhere)
        };
        let is_of_path = |key: &PlanKey| is_here(&[&key.gateway, &key.route]);
        let is_of_pod = |gateway: Option<&ObjectRef>, pod: &ObjectRef| match gateway {
            Some(gateway) => is_here(&[gateway, pod]),
            None => is_here(&[pod]),
        };
        Self {
            probes: those(&self.probes, |(key, _), _| is_of_path(key)),
            untested: those(&self.untested, |key, _| is_of_path(key)),
            // What the control plane says is about all of it.
            logs: those(&self.logs, |_, log| {
                log.role == Role::Controller || is_of_pod(log.gateway.as_ref(), &log.pod)
            }),
            rendered: those(&self.rendered, |_, in_pod| {
                is_of_pod(Some(&in_pod.gateway), &in_pod.pod)
            }),
            said: those(&self.said, |object, _| is_here(&[object])),
            meetings: those(&self.meetings, |meeting, _| {
                is_here(&[&meeting.gateway, &meeting.owner])
            }),
            // No rule reads these.
            around: SharedMap::new(),
            matrices: SharedMap::new(),
        }
    }

    /// The objects that the other knows something else of: Gateways, routes and pods. `None` where it may be any.
    pub(in crate::diagnosis) fn changed(&self, after: &Self) -> Option<BTreeSet<ObjectRef>> {
        fn differing<'m, K: Ord, V>(
            before: &'m SharedMap<K, V>,
            after: &'m SharedMap<K, V>,
            is_same: impl Fn(&V, &V) -> bool,
        ) -> Vec<(&'m K, &'m V)> {
            if before.is_shared_with(after) {
                return Vec::new();
            }
            let differs = |(key, value): &(&'m K, &'m V), others: &SharedMap<K, V>| {
                others.get(*key).is_none_or(|other| !is_same(value, other))
            };
            let gone = before.iter().filter(|one| differs(one, after));
            let new = after.iter().filter(|one| differs(one, before));
            gone.chain(new).collect()
        }
        // Named one by one, so that nobody adds a field and forgets it here.
        let Self {
            probes,
            untested,
            logs,
            rendered,
            said,
            meetings,
            // No rule reads these.
            around: _,
            matrices: _,
        } = self;
        let mut all = BTreeSet::new();
        let mut is_of_all = false;
        let of_path = |key: &PlanKey| [key.gateway.clone(), key.route.clone()];
        for ((key, _), _) in differing(probes, &after.probes, is_same_probe) {
            all.extend(of_path(key));
        }
        for (key, _) in differing(untested, &after.untested, |a, b| a == b) {
            all.extend(of_path(key));
        }
        for (_, log) in differing(logs, &after.logs, Arc::ptr_eq) {
            all.extend(log.gateway.clone());
            all.insert(log.pod.clone());
            is_of_all |= log.role == Role::Controller;
        }
        for (_, in_pod) in differing(rendered, &after.rendered, Arc::ptr_eq) {
            all.extend([in_pod.gateway.clone(), in_pod.pod.clone()]);
        }
        for (object, _) in differing(said, &after.said, Arc::ptr_eq) {
            all.insert(object.clone());
        }
        for (meeting, _) in differing(meetings, &after.meetings, is_same_meeting) {
            all.extend([meeting.gateway.clone(), meeting.owner.clone()]);
        }
        (!is_of_all).then_some(all)
    }
}
