//! What holds of every object, whatever its kind: parts that a write may change, generations, sizes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Part, StoreError};
use crate::kinds::Kind;
use crate::metadata::metadata_mut;

/// Bytes of JSON that one object may have, as etcd's default request limit bounds it.
const MAX_OBJECT_BYTES: usize = 1_572_864;

/// What is stored after a write of `part`: the other part and the metadata that no writer sets stay.
pub(super) fn merge_parts(kind: &Kind, stored: &Value, mut changed: Value, part: Part) -> Value {
    if part == Part::Status {
        let status = changed.get("status").cloned();
        changed = stored.clone();
        set_or_remove(&mut changed, "status", status);
    } else if part == Part::Main && kind.status {
        set_or_remove(&mut changed, "status", stored.get("status").cloned());
    }
    let old = stored
        .get("metadata")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let metadata = metadata_mut(&mut changed);
    metadata.remove("managedFields");
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        match old.get(field) {
            Some(value) => metadata.insert(field.into(), value.clone()),
            None => metadata.remove(field),
        };
    }
    if kind.generation && content(stored) != content(&changed) {
        let generation = old.get("generation").and_then(Value::as_i64).unwrap_or(0) + 1;
        metadata_mut(&mut changed).insert("generation".into(), json!(generation));
    }
    changed
}

/// What `metadata.generation` counts changes of.
fn content(object: &Value) -> BTreeMap<&str, &Value> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(field, value)| (field.as_str(), value))
        .filter(|(field, _)| !["metadata", "status", "apiVersion", "kind"].contains(field))
        .collect()
}

fn set_or_remove(object: &mut Value, field: &str, value: Option<Value>) {
    if let Some(map) = object.as_object_mut() {
        match value {
            Some(value) => map.insert(field.to_owned(), value),
            None => map.remove(field),
        };
    }
}

/// Whether somebody has to agree before the object goes.
pub(super) fn has_finalizers(object: &Value) -> bool {
    object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .is_some_and(|f| !f.is_empty())
}

/// Whether the object is small enough.
pub(super) fn check_size(object: &Value) -> Result<(), StoreError> {
    // Counts without building the text: objects are written far more often than they are too large.
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    let written = serde_json::to_writer(&mut counter, object);
    if written.is_err() || counter.0 > MAX_OBJECT_BYTES {
        return Err(StoreError::Full(format!(
            "the object has {} bytes, more than the {MAX_OBJECT_BYTES} that are stored",
            counter.0
        )));
    }
    Ok(())
}
