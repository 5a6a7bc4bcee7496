//! How controllers write: only what differs, so that settled controllers write nothing.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kinds::{self, Kind};
use crate::metadata::{meta, metadata_mut, timestamp};
use crate::store::{Key, Object, Part, Preconditions, Store, StoreError};

/// Events that are kept.
const MAX_EVENTS: usize = 1000;
use crate::{admission, patch};

/// Makes sure that an object exists and holds at least what `desired` says.
pub(super) fn ensure(store: &Store, kind: &'static Kind, desired: Value) -> Option<Object> {
    let key = Key::of(&desired);
    let Some(stored) = store.get(kind, &key.namespace, &key.name) else {
        let mut object = desired;
        // A controller's object that breaks a rule is not stored, as on a real cluster.
        admission::admit(kind, &mut object, None, store).ok()?;
        return store.create(kind, object, true).ok();
    };
    if covers(&stored, &desired) {
        return Some(stored);
    }
    let written: Result<_, StoreError> = store.modify(kind, &key, Part::Main, true, |stored| {
        let mut object = stored.clone();
        patch::apply(&mut object, &desired);
        admission::admit(kind, &mut object, Some(stored), store)?;
        Ok(object)
    });
    written.ok()
}

/// Whether `actual` says everything that `desired` says.
fn covers(actual: &Value, desired: &Value) -> bool {
    match (actual, desired) {
        (Value::Object(actual), Value::Object(desired)) => desired
            .iter()
            .all(|(field, value)| actual.get(field).is_some_and(|a| covers(a, value))),
        (Value::Array(actual), Value::Array(desired)) => {
            actual.len() == desired.len() && actual.iter().zip(desired).all(|(a, d)| covers(a, d))
        }
        _ => actual == desired,
    }
}

/// When conditions get a new `lastTransitionTime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transition {
    /// When their own status changes, as the API conventions say.
    EachItsOwn,
    /// All of them when anything changes, as NGF writes its statuses.
    All,
}

/// Replaces an object's status. Conditions in it come without times and generations.
pub(super) fn set_status(
    store: &Store,
    kind: &'static Kind,
    object: &Object,
    mut status: Value,
    transition: Transition,
) {
    if without_times(object.get("status")) == without_times(Some(&status))
        && conditions_are_current(object)
    {
        return;
    }
    let now = json!(timestamp(Timestamp::now()));
    let generation = object["metadata"]["generation"].clone();
    let empty = Value::Null;
    stamp(
        &mut status,
        object.get("status").unwrap_or(&empty),
        &generation,
        &now,
        transition,
    );
    let _: Result<_, StoreError> =
        store.modify(kind, &Key::of(object), Part::Status, true, |stored| {
            let mut object = stored.clone();
            object["status"] = status;
            Ok(object)
        });
    // The object is gone: there is nothing to say about it.
}

/// Whether every condition was written about this generation.
fn conditions_are_current(object: &Value) -> bool {
    fn current(value: &Value, generation: &Value) -> bool {
        match value {
            Value::Object(map) => map.iter().all(|(field, value)| {
                field != "observedGeneration" && current(value, generation)
                    || field == "observedGeneration" && value == generation
            }),
            Value::Array(list) => list.iter().all(|v| current(v, generation)),
            _ => true,
        }
    }
    let generation = &object["metadata"]["generation"];
    generation.is_null() || current(&object["status"], generation)
}

/// A status for comparison: no times, no generations.
fn without_times(status: Option<&Value>) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|field, _| {
                    field != "lastTransitionTime" && field != "observedGeneration"
                });
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut status = status.cloned().unwrap_or_default();
    strip(&mut status);
    status
}

fn stamp(new: &mut Value, old: &Value, generation: &Value, now: &Value, transition: Transition) {
    match new {
        Value::Object(map) => {
            for (field, value) in map {
                if field == "conditions" {
                    stamp_conditions(value, &old["conditions"], generation, now, transition);
                } else {
                    stamp(value, &old[field.as_str()], generation, now, transition);
                }
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter_mut().enumerate() {
                stamp(value, &old[index], generation, now, transition);
            }
        }
        _ => {}
    }
}

fn stamp_conditions(
    new: &mut Value,
    old: &Value,
    generation: &Value,
    now: &Value,
    transition: Transition,
) {
    for condition in new.as_array_mut().into_iter().flatten() {
        let before = old
            .as_array()
            .into_iter()
            .flatten()
            .find(|c| c["type"] == condition["type"] && c["status"] == condition["status"]);
        let kept = before.filter(|_| transition == Transition::EachItsOwn);
        condition["lastTransitionTime"] =
            kept.map_or_else(|| now.clone(), |c| c["lastTransitionTime"].clone());
        if !generation.is_null() {
            condition["observedGeneration"] = generation.clone();
        }
    }
}

/// A condition, without time and generation.
pub(super) fn condition(kind: &str, status: bool, reason: &str, message: &str) -> Value {
    json!({
        "type": kind,
        "status": if status { "True" } else { "False" },
        "reason": reason,
        "message": message,
    })
}

/// Makes `owner` the controller of `object`.
pub(super) fn own(object: &mut Value, owner: &Value) {
    let reference = json!([{
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta(owner, "name"),
        "uid": meta(owner, "uid"),
        "controller": true,
        "blockOwnerDeletion": true,
    }]);
    metadata_mut(object).insert("ownerReferences".into(), reference);
}

/// Whether `owner` controls `object`.
pub(super) fn owned_by(object: &Value, owner: &Value) -> bool {
    let references = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    references
        .into_iter()
        .flatten()
        .any(|r| r["uid"] == owner["metadata"]["uid"])
}

/// An Event about `object`.
pub(super) fn event(
    store: &Store,
    object: &Value,
    kind: &str,
    reason: &str,
    message: &str,
    from: &str,
) {
    event_about(store, object, "", (kind, reason, message), from);
}

/// An Event about a part of `object`: `spec.containers{nginx}`; type, reason and message.
pub(super) fn event_about(
    store: &Store,
    object: &Value,
    path: &str,
    (kind, reason, message): (&str, &str, &str),
    from: &str,
) {
    let now = timestamp(Timestamp::now());
    let name = meta(object, "name");
    let namespace = match meta(object, "namespace") {
        "" => "default",
        namespace => namespace,
    };
    let mut event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": format!("{name}.{:016x}", u64::from_be_bytes(crate::metadata::random())),
            "namespace": namespace,
        },
        "involvedObject": {
            "apiVersion": object["apiVersion"],
            "kind": object["kind"],
            "namespace": object["metadata"]["namespace"],
            "name": name,
            "uid": meta(object, "uid"),
            "resourceVersion": meta(object, "resourceVersion"),
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "source": {"component": from},
        "reportingComponent": from,
        "reportingInstance": "",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    });
    if !path.is_empty() {
        event["involvedObject"]["fieldPath"] = json!(path);
    }
    forget_old_events(store);
    // An Event that cannot be stored is not worth failing for.
    let _ = store.create(kinds::EVENT, event, true);
}

/// Real clusters forget Events after an hour; here the oldest go when there are too many.
fn forget_old_events(store: &Store) {
    let (mut events, _) = store.list(kinds::EVENT, None);
    if events.len() < MAX_EVENTS {
        return;
    }
    let version = |event: &Object| meta(event, "resourceVersion").parse::<u64>().unwrap_or(0);
    events.sort_by_key(version);
    for event in &events[..MAX_EVENTS / 10] {
        let _ = store.delete(
            kinds::EVENT,
            &Key::of(event),
            &Preconditions::default(),
            true,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_covers_what_it_says_and_more() {
        let actual = json!({"a": 1, "list": [{"x": 1, "y": 2}]});
        assert!(covers(&actual, &json!({"list": [{"x": 1}]})));
        assert!(!covers(&actual, &json!({"list": []})));
        assert!(!covers(&actual, &json!({"b": null})));
    }
}
