//! What the API server made of a manifest: which fields it left out or changed.

use std::collections::BTreeSet;

use serde_json::Value;

use ngf_core::{
    json_merge::lacking,
    manifests::Manifest,
    model::{
        clean::clean_line,
        decode::{self, Incoming},
        kind::Kind,
        object::ObjectRef,
    },
    overlay::{
        Answered, LAST_APPLIED, Laid, parts,
        said::{DryRunAnswer, DryRunOutcome},
    },
};

use crate::fix::exchange::Answer;

use super::{MOST_FIELDS, said, unknown};

/// The API server would store it so.
pub(super) fn taken(
    object: &ObjectRef,
    manifest: &Manifest,
    live: Option<&Value>,
    mut answer: Answer,
) -> Answered {
    let manifest = &manifest.value;
    let laid = match live {
        None => Laid::New,
        Some(live) if told(live) == told(&answer.body) => Laid::Same,
        Some(_) => Laid::Changed,
    };
    let mut dropped: BTreeSet<String> = BTreeSet::new();
    let mut altered = Vec::new();
    let mut warnings = Vec::new();
    for warning in answer.warnings {
        match unknown_field(&warning) {
            Some(field) => {
                dropped.insert(field);
            }
            None => warnings.push(warning),
        }
    }
    if object.kind != Kind::Secret {
        for (key, wanted) in parts(manifest) {
            let given = answer.body.get(key).unwrap_or(&Value::Null);
            for below in lacking(wanted, given) {
                let path = clean_line(&joined(key, &below));
                let is_absent = at(given, &below).is_none_or(Value::is_null);
                let wanted = at(wanted, &below).unwrap_or(&Value::Null);
                if is_absent && !is_empty(wanted) {
                    dropped.insert(path);
                } else if !is_absent && is_custom(object.kind) {
                    altered.push(path);
                }
            }
        }
    }
    altered.truncate(MOST_FIELDS);
    let incoming = Incoming {
        value: std::mem::take(&mut answer.body),
        cut: false,
    };
    let outcome = DryRunOutcome::Taken {
        dropped: dropped.into_iter().collect(),
        altered,
    };
    match decode::object(object.kind, incoming, &object.namespace) {
        Ok(decoded) if decoded.reference() == object => Answered {
            said: DryRunAnswer {
                warnings,
                ..said(object, outcome)
            },
            stored: Some((decoded, laid)),
        },
        _ => unknown(object, "the API server's answer is another object"),
    }
}

/// What an object says, without what the API server keeps for itself.
pub(super) fn told(object: &Value) -> Value {
    let mut told: serde_json::Map<String, Value> = parts(object)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        let mut value = object
            .get("metadata")
            .and_then(|metadata| metadata.get(field))
            .cloned()
            .unwrap_or_default();
        if let Value::Object(map) = &mut value {
            map.shift_remove(LAST_APPLIED);
        }
        if !is_empty(&value) {
            told.insert(format!("metadata.{field}"), value);
        }
    }
    Value::Object(told)
}

/// `unknown field "spec.tls.backend"`, as API servers since 1.25 warn.
fn unknown_field(warning: &str) -> Option<String> {
    let field = warning.strip_prefix("unknown field \"")?;
    Some(field.strip_suffix('"')?.to_owned())
}

/// The value at a path as [`lacking`] writes it: `a.b[0].c`.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let mut at = value;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']')?;
            at = at.get(index.parse::<usize>().ok()?)?;
            rest = after.strip_prefix('.').unwrap_or(after);
            continue;
        }
        // A key may have dots itself, as those of labels do: the longest that is there counts.
        let map = at.as_object()?;
        let key = map
            .keys()
            .filter(|key| {
                rest.strip_prefix(key.as_str())
                    .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
            })
            .max_by_key(|key| key.len())?;
        at = map.get(key)?;
        let after = &rest[key.len()..];
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    Some(at)
}

fn joined(key: &str, below: &str) -> String {
    match below {
        "" => key.to_owned(),
        below if below.starts_with('[') => format!("{key}{below}"),
        below => format!("{key}.{below}"),
    }
}

/// What Go leaves out of an object.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// Custom resources are stored as they are written; built-in kinds are normalized (`1000m` as `1`).
fn is_custom(kind: Kind) -> bool {
    !matches!(kind.info().group, "" | "apps" | "discovery.k8s.io")
}

#[cfg(test)]
mod tests;
