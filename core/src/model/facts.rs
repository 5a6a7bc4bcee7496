//! Secrets and ConfigMaps as facts. A Secret's values are read here, compared, and dropped: nothing
//! that leaves this module holds one.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::{Zeroize, Zeroizing};

use super::{
    clean::clean_line,
    kinds::{ConfigMapFacts, PemFacts, SecretFacts},
    placeholder,
    value::{Map, Value},
};
use pem::{ca_by_ngf, ca_facts, key_state, pair_by_ngf, pem_facts};

mod once;
mod pem;

/// The annotation in which `kubectl apply` keeps the whole object, a Secret's values included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Keys looked into; a Secret holds at most 1 MiB.
const MAX_KEYS: usize = 1_000;

/// Something in a Secret or ConfigMap that is not as it should be. Never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// `data`, `stringData` or `binaryData`.
    pub field: &'static str,
    /// The key, unless the whole field is meant.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
}

type Values = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Takes the facts out of a Secret, and the values out of `value`: what remains names each key and
/// the length of its value.
pub fn secret(value: &mut Value<'_>) -> (SecretFacts, Vec<Wrong>) {
    let mut wrong = Vec::new();
    let mut values = Values::new();
    if let Some(Value::Object(annotations)) = value.pointer_mut("/metadata/annotations")
        && let Some(mut applied) = annotations.remove(LAST_APPLIED)
    {
        applied.wipe();
    }
    for (field, encoded) in [("data", true), ("stringData", false)] {
        match value.get_mut(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => take(field, encoded, map, &mut values, &mut wrong),
            Some(other) => {
                other.wipe();
                *other = Value::Null;
                wrong.push(whole(field));
            }
        }
    }
    let facts = SecretFacts {
        secret_type: value
            .get("type")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
            .map_or_else(|| "Opaque".to_owned(), clean_line),
        keys: lengths(&values),
        certificate: pem_facts(values.get("tls.crt").map(|value| value.as_slice())),
        ca: ca_facts(values.get("ca.crt").map(|value| value.as_slice())),
        key: key_state(values.get("tls.key"), values.get("tls.crt")),
        pair_by_ngf: pair_by_ngf(values.get("tls.crt"), values.get("tls.key")),
        ca_by_ngf: ca_by_ngf(values.get("ca.crt").map(|value| value.as_slice())),
        unreadable: unreadable(&values, &wrong),
    };
    (facts, wrong)
}

/// The first key that matters whose value cannot be read, and that no `stringData` replaces.
fn unreadable(values: &Values, wrong: &[Wrong]) -> Option<String> {
    let mut keys = wrong.iter().filter_map(|wrong| wrong.key.as_deref());
    let found = keys
        .find(|key| matches!(*key, "tls.crt" | "tls.key" | "ca.crt") && !values.contains_key(*key));
    found.map(str::to_owned)
}

/// Moves the values of `map` to `values` and leaves their lengths.
fn take(
    field: &'static str,
    encoded: bool,
    map: &mut Map<'_>,
    values: &mut Values,
    wrong: &mut Vec<Wrong>,
) {
    for (index, (key, value)) in map.iter_mut().enumerate() {
        let bytes = match value {
            Value::String(text) if encoded => decode(text.as_bytes()),
            Value::String(text) => Some(Zeroizing::new(text.as_bytes().to_vec())),
            Value::Null => Some(Zeroizing::default()),
            _ => None,
        };
        let is_placeholder = value.as_str().and_then(placeholder::of).is_some();
        value.wipe();
        let Some(bytes) = bytes else {
            if is_placeholder {
                *value = Value::String("not rendered".into());
                continue;
            }
            *value = Value::String("unreadable".into());
            let what = if encoded { "base64" } else { "text" };
            wrong.push(Wrong {
                field,
                key: Some(key.to_owned()),
                message: format!("is not {what}"),
            });
            continue;
        };
        *value = Value::String(format!("{} bytes", bytes.len()).into());
        if index < MAX_KEYS {
            values.insert(key.to_owned(), bytes);
        }
    }
}

/// Facts of a ConfigMap.
pub fn config_map(value: &Value<'_>) -> (ConfigMapFacts, Vec<Wrong>) {
    let mut wrong = Vec::new();
    let mut values = BTreeMap::new();
    for (field, encoded) in [("binaryData", true), ("data", false)] {
        let map = match value.get(field) {
            None | Some(Value::Null) => continue,
            Some(Value::Object(map)) => map,
            Some(_) => {
                wrong.push(whole(field));
                continue;
            }
        };
        for (key, value) in map.iter().take(MAX_KEYS) {
            let bytes = match value {
                Value::String(text) if encoded => decode(text.as_bytes()),
                Value::String(text) => Some(Zeroizing::new(text.as_bytes().to_vec())),
                Value::Null => Some(Zeroizing::default()),
                _ => None,
            };
            match bytes {
                Some(bytes) => {
                    values.insert(key.to_owned(), bytes);
                }
                None if value.as_str().and_then(placeholder::of).is_some() => {}
                None => wrong.push(Wrong {
                    field,
                    key: Some(key.to_owned()),
                    message: format!("is not {}", if encoded { "base64" } else { "text" }),
                }),
            }
        }
    }
    let facts = ConfigMapFacts {
        keys: lengths(&values),
        ca: ca_facts(values.get("ca.crt").map(|value| value.as_slice())),
        ca_by_ngf: ca_by_ngf(values.get("ca.crt").map(|value| value.as_slice())),
    };
    (facts, wrong)
}

/// The certificates of a text, as nginx reads a CA bundle.
pub fn certificates(text: Option<&str>) -> PemFacts {
    pem_facts(text.map(str::as_bytes))
}

/// The bytes under `key` of a Secret (`data`) or ConfigMap (`data`, `binaryData`), as the API server
/// gives them; `None` where the key is not there or is unreadable.
pub fn value_of(value: &serde_json::Value, key: &str) -> Option<Zeroizing<Vec<u8>>> {
    let is_secret = value.get("kind").and_then(serde_json::Value::as_str) == Some("Secret");
    let text = |field: &str| value.get(field)?.get(key)?.as_str();
    if is_secret {
        return decode(text("data")?.as_bytes());
    }
    match text("data") {
        Some(text) => Some(Zeroizing::new(text.as_bytes().to_vec())),
        None => decode(text("binaryData")?.as_bytes()),
    }
}

fn whole(field: &'static str) -> Wrong {
    Wrong {
        field,
        key: None,
        message: "expected an object, found something else".to_owned(),
    }
}

/// Copied into a buffer that never grows: growing would leave a copy behind.
fn without_line_breaks(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    for part in text.split(|byte| matches!(byte, b'\r' | b'\n')) {
        compact.extend_from_slice(part);
    }
    compact
}

/// Base64 as Go reads it: line breaks within are skipped.
fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let compact = without_line_breaks(text);
    let mut bytes = Zeroizing::new(vec![0; compact.len() / 4 * 3 + 3]);
    let length = STANDARD.decode_slice(&*compact, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

fn lengths(values: &Values) -> BTreeMap<String, usize> {
    values
        .iter()
        .map(|(key, value)| (clean_line(key), value.len()))
        .collect()
}

/// Overwrites every text in `value`.
pub fn wipe(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => text.zeroize(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(wipe),
        serde_json::Value::Object(map) => map.values_mut().for_each(wipe),
        _ => {}
    }
}
