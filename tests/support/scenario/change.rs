//! What a scenario changes of its base.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ngf_core::model::snapshot::Snapshot;
use serde_json::{Value, json};

use super::{
    cluster::as_cluster,
    description::Description,
    objects::{collect, read},
};
use crate::support::pki::{self, Minted, Wanted};

impl Description {
    /// What it changes of its base, but for what it puts into NGF's mouth.
    pub(super) fn change(&self, name: &str, objects: &mut Vec<Value>) {
        for path in &self.without {
            let before = objects.len();
            objects.retain(|object| path_of(object) != *path);
            assert!(
                objects.len() < before,
                "{name}: there is no {path} to take away"
            );
        }
        for (path, patch) in &self.patch {
            let object = objects
                .iter_mut()
                .find(|object| path_of(object) == *path)
                .unwrap_or_else(|| panic!("{name}: there is no {path} to patch"));
            merge(object, patch);
        }
        objects.extend(self.add.iter().cloned());
    }

    pub(super) fn put_words(&self, name: &str, objects: &mut [Value]) {
        for (path, conditions) in &self.says {
            let object = objects
                .iter_mut()
                .find(|object| path_of(object) == *path)
                .unwrap_or_else(|| panic!("{name}: there is no {path} to say something of"));
            for condition in conditions {
                say(object, condition);
            }
        }
    }

    /// Paths of the fields that it changes; of a status, of which NGF writes all, the whole.
    pub(super) fn touched(&self) -> BTreeSet<String> {
        fn leaves(value: &Value, path: &str, into: &mut BTreeSet<String>) {
            match value {
                Value::Object(fields) if !path.ends_with("/status") => {
                    for (name, value) in fields {
                        leaves(value, &format!("{path}/{name}"), into);
                    }
                }
                _ => {
                    into.insert(path.to_owned());
                }
            }
        }
        let mut touched = BTreeSet::new();
        for (path, patch) in &self.patch {
            leaves(patch, path, &mut touched);
        }
        touched.extend(self.says.keys().map(|path| format!("{path}/status")));
        touched.extend(self.add.iter().map(path_of));
        touched.extend(
            self.certificates
                .keys()
                .map(|name| format!("certificate {name}")),
        );
        touched.extend(self.without.iter().cloned());
        touched
    }
}

/// What a test changes in a scenario's objects and certificates.
#[derive(Default)]
pub(crate) struct Change {
    /// Certificates, in place of those of the same name.
    pub(crate) certificates: BTreeMap<String, Wanted>,
    /// As in `scenario.yaml`.
    pub(crate) without: Vec<String>,
    /// As in `scenario.yaml`.
    pub(crate) patch: BTreeMap<String, Value>,
    /// As in `scenario.yaml`.
    pub(crate) add: Vec<Value>,
}

/// A scenario's objects as a cluster has them, changed, and the certificates that were minted for them.
pub(crate) fn changed(
    name: &str,
    change: Change,
    now: Timestamp,
) -> (Snapshot, BTreeMap<String, Minted>) {
    let mut wanted = BTreeMap::new();
    let mut objects = Vec::new();
    collect(name, &mut wanted, &mut objects);
    wanted.extend(change.certificates);
    objects.retain(|object| !change.without.contains(&path_of(object)));
    for (path, patch) in &change.patch {
        let object = objects.iter_mut().find(|object| path_of(object) == *path);
        merge(object.unwrap_or_else(|| panic!("no {path}")), patch);
    }
    objects.extend(change.add);
    let minted = pki::mint(&wanted, now);
    let by_name: BTreeMap<String, &Minted> = minted
        .iter()
        .map(|(name, pair)| (name.clone(), pair))
        .collect();
    let mut snapshot = read(name, &objects, &by_name);
    as_cluster(&mut snapshot, &[]);
    (snapshot, minted)
}

/// Puts a condition where the object has those of its kind.
fn say(object: &mut Value, text: &str) {
    let mut words = text.splitn(3, ' ');
    let mut next = || words.next().unwrap_or_default().to_owned();
    let (kind, status, message) = (next(), next(), next());
    let (status, reason) = status.split_once('/').expect("Status/Reason");
    let generation = object.pointer("/metadata/generation").cloned();
    let condition = json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "observedGeneration": generation.unwrap_or(json!(0)),
    });
    let own = object.pointer("/status/conditions").is_some();
    let places: Vec<&mut Value> = if own {
        object
            .pointer_mut("/status/conditions")
            .into_iter()
            .collect()
    } else {
        let lists = object["status"]
            .as_object_mut()
            .expect("a status")
            .values_mut();
        lists
            .filter_map(Value::as_array_mut)
            .flatten()
            .filter_map(|parent| parent.pointer_mut("/conditions"))
            .collect()
    };
    assert!(!places.is_empty(), "there is no place for {text}");
    for place in places {
        let list = place.as_array_mut().expect("conditions");
        list.retain(|known| known["type"] != condition["type"]);
        list.push(condition.clone());
    }
}

pub(super) fn path_of(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or_default();
    let name = text("/metadata/name").unwrap_or_default();
    match text("/metadata/namespace") {
        Some(namespace) => format!("{kind}/{namespace}/{name}"),
        None => format!("{kind}/{name}"),
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => {
            if !target.is_object() {
                *target = json!({});
            }
            let map = target.as_object_mut().expect("made an object above");
            for (name, value) in fields {
                if value.is_null() {
                    map.shift_remove(name);
                } else {
                    merge(map.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
        }
        other => *target = other.clone(),
    }
}
