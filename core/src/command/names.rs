//! Which names can exist in Kubernetes. Gateway API's references have no pattern, and files may say
//! anything, so that an object may refer to a name that no object can have.

use serde_json::Value;

use crate::model::{clean::clean_line, kind::Kind, object::ObjectRef};

/// The longest name that a sentence shows, in characters.
const SHOWN: usize = 60;

/// Checks the name of an object of this kind.
///
/// # Errors
/// Half a sentence that says what is wrong.
pub fn of(kind: Kind, name: &str) -> Result<(), String> {
    match kind {
        Kind::Service => label(name),
        _ => subdomain(name),
    }
}

/// Checks an object's name and namespace.
///
/// # Errors
/// Half a sentence that says what is wrong.
pub fn of_object(object: &ObjectRef) -> Result<(), String> {
    if !object.namespace.is_empty() {
        label(&object.namespace)?;
    }
    of(object.kind, &object.name)
}

/// Checks every name in a manifest or patch: its own, and those of the references in it that name a
/// group and a kind.
///
/// # Errors
/// Half a sentence that says what is wrong.
pub fn in_manifest(value: &Value) -> Result<(), String> {
    if let Some(meta) = value.get("metadata") {
        let text = |field: &str| meta.get(field).and_then(Value::as_str);
        text("namespace").map_or(Ok(()), label)?;
        let kind = value.get("kind").and_then(Value::as_str);
        text("name").map_or(Ok(()), |name| of_kind_named(kind, name))?;
    }
    in_references(value)
}

fn in_references(value: &Value) -> Result<(), String> {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("group") && fields.contains_key("kind") {
                let text = |field: &str| fields.get(field).and_then(Value::as_str);
                text("namespace").map_or(Ok(()), label)?;
                text("name").map_or(Ok(()), |name| of_kind_named(text("kind"), name))?;
            }
            fields.values().try_for_each(in_references)
        }
        Value::Array(items) => items.iter().try_for_each(in_references),
        _ => Ok(()),
    }
}

fn of_kind_named(kind: Option<&str>, name: &str) -> Result<(), String> {
    match kind.and_then(Kind::named) {
        Some(kind) => of(kind, name),
        None => subdomain(name),
    }
}

/// Checks an RFC 1123 label of at most 63 characters: namespaces, Services, containers.
///
/// # Errors
/// Half a sentence that says what is wrong.
pub fn label(name: &str) -> Result<(), String> {
    fail_unless(name.len() <= 63 && is_label(name), name, "Kubernetes name")
}

/// Checks an RFC 1123 subdomain of at most 253 characters: most objects.
///
/// # Errors
/// Half a sentence that says what is wrong.
pub fn subdomain(name: &str) -> Result<(), String> {
    let is_valid = name.len() <= 253 && name.split('.').all(is_label);
    fail_unless(is_valid, name, "Kubernetes name")
}

/// Checks a key of a Secret's or ConfigMap's data.
///
/// # Errors
/// Half a sentence that says what is wrong.
pub fn key(key: &str) -> Result<(), String> {
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    // IsConfigMapKey: no path leads out of a volume.
    let is_path = key == "." || key.starts_with("..");
    let is_valid = !key.is_empty() && key.len() <= 253 && !is_path && key.bytes().all(is_key);
    fail_unless(is_valid, key, "key of a Secret or ConfigMap")
}

/// Checks a label's name, which may have a prefix: `app.kubernetes.io/name`.
///
/// # Errors
/// Half a sentence that says what is wrong.
pub fn label_name(name: &str) -> Result<(), String> {
    let is_valid = match name.split_once('/') {
        Some((prefix, rest)) => subdomain(prefix).is_ok() && !rest.is_empty() && is_value(rest),
        None => !name.is_empty() && is_value(name),
    };
    fail_unless(is_valid, name, "label name")
}

/// Checks a label's value.
///
/// # Errors
/// Half a sentence that says what is wrong.
pub fn label_value(value: &str) -> Result<(), String> {
    fail_unless(is_value(value), value, "label value")
}

/// A name in a sentence, on one line and bounded.
pub(super) fn shown(name: &str) -> String {
    let name = clean_line(name);
    if name.chars().count() <= SHOWN {
        return format!("`{name}`");
    }
    let start: String = name.chars().take(SHOWN).collect();
    format!("`{start}…`")
}

fn fail_unless(is_valid: bool, name: &str, what: &str) -> Result<(), String> {
    if is_valid {
        return Ok(());
    }
    Err(format!("{} is not a valid {what}", shown(name)))
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(inner)
}

fn is_value(value: &str) -> bool {
    let end = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let bytes = value.as_bytes();
    value.len() <= 63 && end(bytes.first()) && end(bytes.last()) && bytes.iter().all(inner)
}
