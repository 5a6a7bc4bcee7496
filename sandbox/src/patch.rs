//! The three ways to patch an object: JSON merge patch (RFC 7386), strategic merge patch, which `kubectl
//! apply` sends for built-in kinds and ngf-tui for ephemeral containers, and server-side apply.
//!
//! Two simplifications. Strategic merge takes its merge keys from one list instead of each type's
//! schema. Server-side apply merges as strategic merge does and tracks no field ownership, so a field
//! that a later apply leaves out stays, and there are no ownership conflicts.

use serde_json::{Map, Value};

/// Field name of a list of objects, and the field by which its entries are told apart (from the
/// `patchMergeKey` tags of `k8s.io/api` and the `x-kubernetes-list-map-keys` of the Gateway API).
/// The keys are tried in order; one that an entry has is used.
const MERGE_KEYS: &[(&str, &[&str])] = &[
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("volumes", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("env", &["name"]),
    ("ports", &["containerPort", "port"]),
    ("conditions", &["type"]),
    ("imagePullSecrets", &["name"]),
    ("ownerReferences", &["uid"]),
    ("hostAliases", &["ip"]),
    ("addresses", &["type"]),
    ("secrets", &["name"]),
    ("topologySpreadConstraints", &["topologyKey"]),
];

/// Lists of the Gateway API that server-side apply merges by name.
const APPLY_KEYS: &[(&str, &[&str])] =
    &[("listeners", &["name"]), ("parents", &["controllerName"])];

/// How lists of objects are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    Strategic,
    Apply,
}

/// RFC 7386.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    json_patch::merge(target, patch);
}

/// Strategic merge patch, directives (`$patch`, `$setElementOrder`, `$deleteFromPrimitiveList`,
/// `$retainKeys`) included.
pub(crate) fn strategic(target: &mut Value, patch: &Value) {
    merge_value(target, patch, Lists::Strategic);
}

/// Server-side apply, simplified as the module says.
pub(crate) fn apply(target: &mut Value, applied: &Value) {
    merge_value(target, applied, Lists::Apply);
}

fn merge_value(target: &mut Value, patch: &Value, lists: Lists) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(target) = target {
        merge_map(target, patch, lists);
    }
}

fn merge_map(target: &mut Map<String, Value>, patch: &Map<String, Value>, lists: Lists) {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => target.clear(),
        Some("delete") => {
            target.clear();
            return;
        }
        _ => {}
    }
    if let Some(keep) = patch.get("$retainKeys").and_then(Value::as_array) {
        target.retain(|field, _| keep.iter().any(|k| k.as_str() == Some(field)));
    }
    for (field, value) in patch {
        if let Some(list) = field.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(from)), Value::Array(gone)) = (target.get_mut(list), value) {
                from.retain(|entry| !gone.contains(entry));
            }
        } else if field.starts_with('$') {
        } else if value.is_null() && lists == Lists::Strategic {
            target.remove(field);
        } else {
            merge_field(target, field, value, lists);
        }
    }
    for (field, order) in patch {
        if let (Some(list), Value::Array(order)) = (field.strip_prefix("$setElementOrder/"), order)
            && let Some(Value::Array(entries)) = target.get_mut(list)
        {
            reorder(entries, list, order);
        }
    }
}

fn merge_field(target: &mut Map<String, Value>, field: &str, value: &Value, lists: Lists) {
    match value {
        Value::Object(_) => {
            merge_value(target.entry(field).or_insert(Value::Null), value, lists);
        }
        Value::Array(entries) => {
            let known = target
                .get(field)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let merged = merge_list(field, known, entries, lists);
            target.insert(field.to_owned(), Value::Array(merged));
        }
        _ => {
            target.insert(field.to_owned(), value.clone());
        }
    }
}

fn merge_list(field: &str, known: Vec<Value>, entries: &[Value], lists: Lists) -> Vec<Value> {
    let replaces = entries.iter().any(|e| directive(e) == Some("replace"));
    if replaces {
        return entries
            .iter()
            .filter(|e| directive(e).is_none())
            .cloned()
            .collect();
    }
    // Finalizers are the one well-known list of plain values that is merged.
    if field == "finalizers" {
        let mut merged = known;
        merged.extend(
            entries
                .iter()
                .filter(|e| !merged.contains(e))
                .cloned()
                .collect::<Vec<_>>(),
        );
        return merged;
    }
    let Some(keys) = merge_keys(field, lists) else {
        return entries.to_vec();
    };
    if !entries.iter().all(|e| identity(e, keys).is_some()) {
        return entries.to_vec();
    }
    let mut merged = known;
    for entry in entries {
        let found = merged
            .iter()
            .position(|m| identity(m, keys) == identity(entry, keys));
        match (directive(entry), found) {
            (Some("delete"), Some(index)) => {
                merged.remove(index);
            }
            (Some("delete"), None) => {}
            (_, Some(index)) => merge_value(&mut merged[index], entry, lists),
            (_, None) => {
                let mut fresh = Value::Null;
                merge_value(&mut fresh, entry, lists);
                merged.push(fresh);
            }
        }
    }
    merged
}

fn merge_keys(field: &str, lists: Lists) -> Option<&'static [&'static str]> {
    let tables: &[&[(&str, &[&str])]] = match lists {
        Lists::Strategic => &[MERGE_KEYS],
        Lists::Apply => &[MERGE_KEYS, APPLY_KEYS],
    };
    tables
        .iter()
        .copied()
        .flatten()
        .find(|(name, _)| *name == field)
        .map(|(_, keys)| *keys)
}

fn identity<'a>(entry: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().find_map(|key| entry.get(key))
}

fn directive(entry: &Value) -> Option<&str> {
    entry.get("$patch").and_then(Value::as_str)
}

/// Puts the entries that `order` names into that order; the others keep their places at the end.
fn reorder(entries: &mut [Value], field: &str, order: &[Value]) {
    let keys = merge_keys(field, Lists::Strategic).unwrap_or(&[]);
    entries.sort_by_key(|entry| {
        order
            .iter()
            .position(|o| match identity(entry, keys) {
                Some(id) => identity(o, keys) == Some(id),
                None => o == entry,
            })
            .unwrap_or(order.len())
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strategic_patches_merge_lists_by_key_and_follow_directives() {
        let mut pod = json!({"spec": {
            "containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 1}]}, {"name": "b"}],
            "tolerations": [{"key": "t"}],
        }});
        strategic(
            &mut pod,
            &json!({"spec": {
                "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
                "containers": [
                    {"name": "a", "image": null, "ports": [{"containerPort": 2}]},
                    {"name": "b", "$patch": "delete"},
                    {"name": "c", "image": "y"},
                ],
                "tolerations": [{"key": "u"}],
            }}),
        );
        assert_eq!(
            pod,
            json!({"spec": {
                "containers": [
                    {"name": "c", "image": "y"},
                    {"name": "a", "ports": [{"containerPort": 1}, {"containerPort": 2}]},
                ],
                "tolerations": [{"key": "u"}],
            }})
        );
    }

    #[test]
    fn replace_and_retain_keys_drop_what_they_do_not_name() {
        let mut object =
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}, "m": {"a": 1}});
        strategic(
            &mut object,
            &json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}, "m": {"$patch": "replace", "b": 2}}),
        );
        assert_eq!(
            object,
            json!({"strategy": {"type": "Recreate"}, "m": {"b": 2}})
        );
    }

    #[test]
    fn apply_merges_listeners_by_name_and_a_merge_patch_replaces_them() {
        let before = json!({"spec": {"listeners": [{"name": "http", "port": 80}]}});
        let patch = json!({"spec": {"listeners": [{"name": "https", "port": 443}]}});
        let (mut applied, mut merged) = (before.clone(), before);
        apply(&mut applied, &patch);
        merge(&mut merged, &patch);
        assert_eq!(applied["spec"]["listeners"].as_array().unwrap().len(), 2);
        assert_eq!(merged, patch);
    }
}
