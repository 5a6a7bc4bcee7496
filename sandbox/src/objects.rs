//! The objects that the embedded cluster starts with, and how the guide's are applied.

mod crds;

use serde_json::{Value, json};

use super::guide::{self, Stage};
use super::kinds::{self, Kind};
use super::metadata::{meta, metadata_mut};
use super::scenarios::{Change, Scenario};
use super::store::{Key, Part, Preconditions, Store, StoreError};
use super::{admission, patch};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What a cluster with NGF and cert-manager has before the guide starts.
pub(crate) fn install(store: &Store) {
    for crd in crds::all() {
        write(store, crd, false);
    }
    for object in guide::objects(include_str!("objects/manifests/install.yaml")) {
        write(store, object, false);
    }
}

/// Brings the guide's objects to a stage: applies what its steps apply, takes back what later ones
/// have applied.
pub(crate) fn apply_stage(store: &Store, scenario: &Scenario, stage: Stage) {
    let mut kept: Vec<(&'static str, Key)> = Vec::new();
    for step in guide::STEPS.iter().filter(|step| step.stage <= stage) {
        for object in guide::objects(step.manifest) {
            let object = completed(scenario, object);
            kept.extend(named(&object).map(|(kind, key)| (kind.plural, key)));
            write(store, object, true);
        }
    }
    for change in scenario.changes {
        if let Change::Extra(manifest) = change {
            for object in guide::objects(manifest) {
                write(store, completed(scenario, object), true);
            }
        }
    }
    for step in guide::STEPS.iter().filter(|step| step.stage > stage) {
        for object in guide::objects(step.manifest) {
            let object = completed(scenario, object);
            if let Some((kind, key)) = named(&object)
                && !kept.contains(&(kind.plural, key.clone()))
            {
                remove(store, kind, &key);
                // cert-manager leaves the Secret of a deleted Certificate; going back does not.
                if let Some(secret) = object.pointer("/spec/secretName").and_then(Value::as_str) {
                    remove(store, kinds::SECRET, &Key::new(&key.namespace, secret));
                }
            }
        }
    }
}

fn remove(store: &Store, kind: &'static Kind, key: &Key) {
    // What is not there need not be removed.
    let _ = store.delete(kind, key, &Preconditions::default(), true);
}

fn named(object: &Value) -> Option<(&'static Kind, Key)> {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let kind = kinds::of_type(text("apiVersion"), text("kind"))?;
    Some((kind, Key::of(object)))
}

/// A manifest's object with the namespace that `kubectl` gives it, and the scenario's changes.
fn completed(scenario: &Scenario, mut object: Value) -> Value {
    if named(&object).is_some_and(|(kind, key)| kind.namespaced && key.namespace.is_empty()) {
        metadata_mut(&mut object).insert("namespace".into(), json!("default"));
    }
    for change in scenario.changes {
        if let Change::Patch { kind, name, patch } = change
            && object["kind"] == *kind
            && meta(&object, "name") == *name
            && let Ok(change) = serde_json::from_str(patch)
        {
            patch::merge(&mut object, &change);
        }
    }
    object
}

/// With the fields in alphabetical order, as `kubectl` writes what it has applied.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            fields
                .into_iter()
                .map(|(name, value)| (name.clone(), sorted(value)))
                .collect()
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        plain => plain.clone(),
    }
}

/// Stores an object as `kubectl apply` would leave it.
fn write(store: &Store, mut object: Value, applied: bool) {
    let Some((kind, key)) = named(&object) else {
        return;
    };
    if applied {
        let metadata = metadata_mut(&mut object);
        metadata.entry("annotations").or_insert_with(|| json!({}));
        let text = format!("{}\n", sorted(&object));
        object["metadata"]["annotations"][LAST_APPLIED] = json!(text);
    }
    let status = object.get("status").cloned();
    let stored = store.get(kind, &key.namespace, &key.name);
    if admission::admit(kind, &mut object, stored.as_deref(), store).is_err() {
        return;
    }
    if stored.is_none() {
        if let Some(status) = status {
            object["status"] = status;
        }
        let _ = store.create(kind, object, true);
        return;
    }
    let _: Result<_, StoreError> = store.modify(kind, &key, Part::Main, true, |_| Ok(object));
}
