//! The forms in which objects are answered: as they are, as a `Table` for `kubectl get`, or as
//! `PartialObjectMetadata`, in which ngf-tui watches Secrets.

use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::error::ApiError;
use crate::kinds::{AGE, Kind, Origin};

/// What the client asked for in `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The object itself.
    Plain,
    /// `as=Table`; whether its rows carry the whole object, or its metadata alone.
    Table { whole: bool },
    /// `as=PartialObjectMetadata` or `PartialObjectMetadataList`.
    Partial,
}

/// The first acceptable media type that can be served.
pub(crate) fn negotiate(headers: &HeaderMap, include: &str) -> Result<Form, ApiError> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("*/*");
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        if !matches!(media, "application/json" | "application/*" | "*/*" | "") {
            continue;
        }
        let parameters: Vec<&str> = parts.collect();
        let wanted = parameters.iter().find_map(|p| p.strip_prefix("as="));
        let fits = ["g=meta.k8s.io", "v=v1"]
            .iter()
            .all(|parameter| parameters.contains(parameter));
        match wanted {
            None => return Ok(Form::Plain),
            Some("Table") if fits => {
                let whole = include == "Object";
                return Ok(Form::Table { whole });
            }
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") if fits => {
                return Ok(Form::Partial);
            }
            Some(_) => {}
        }
    }
    Err(ApiError::not_acceptable())
}

/// One object in the form that was asked for.
pub(crate) fn one(kind: &Kind, version: &str, object: &Value, form: Form) -> Value {
    match form {
        Form::Plain => versioned(kind, version, object),
        Form::Partial => partial(object),
        Form::Table { whole } => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table(kind, version, [object], whole, &metadata)
        }
    }
}

/// The object in the version that was asked for. All served versions of a kind have the same
/// fields, so only the name differs.
fn versioned(kind: &Kind, version: &str, object: &Value) -> Value {
    let mut object = object.clone();
    if version != kind.preferred() {
        object["apiVersion"] = json!(kind.api_version(version));
    }
    object
}

fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

/// The bytes of a list in the form that was asked for.
pub(crate) fn list<'a>(
    kind: &Kind,
    version: &str,
    objects: impl IntoIterator<Item = &'a Value>,
    form: Form,
    metadata: Value,
) -> Vec<u8> {
    let bytes = match form {
        Form::Table { whole } => {
            serde_json::to_vec(&table(kind, version, objects, whole, &metadata))
        }
        Form::Partial => serde_json::to_vec(&json!({
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "items": objects.into_iter().map(partial).collect::<Vec<_>>(),
        })),
        Form::Plain => serde_json::to_vec(&List {
            kind: format!("{}List", kind.kind),
            api_version: kind.api_version(version),
            metadata,
            items: objects
                .into_iter()
                .map(|object| Item {
                    kind,
                    version,
                    object,
                })
                .collect(),
        }),
    };
    // Serialising JSON values into memory cannot fail: their keys are text.
    bytes.unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    kind: String,
    api_version: String,
    metadata: Value,
    items: Vec<Item<'a>>,
}

/// An object in a list. A real API server leaves `kind` and `apiVersion` out of the entries of its
/// built-in kinds' lists, and so does this one: clients must not rely on them.
struct Item<'a> {
    kind: &'a Kind,
    version: &'a str,
    object: &'a Value,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (field, value) in self.object.as_object().into_iter().flatten() {
            match field.as_str() {
                "kind" | "apiVersion" if self.kind.origin == Origin::BuiltIn => {}
                "apiVersion" => {
                    map.serialize_entry(field, &self.kind.api_version(self.version))?;
                }
                _ => map.serialize_entry(field, value)?,
            }
        }
        map.end()
    }
}

/// A `Table`: what `kubectl get` prints.
pub(crate) fn table<'a>(
    kind: &Kind,
    version: &str,
    objects: impl IntoIterator<Item = &'a Value>,
    whole: bool,
    metadata: &Value,
) -> Value {
    let now = Timestamp::now();
    let rows: Vec<_> = objects
        .into_iter()
        .map(|object| {
            let name = object["metadata"]["name"].clone();
            let columns = kind.columns.iter().chain([&AGE]);
            let cells = columns.map(|(_, path)| cell(object, path, now));
            let cells: Vec<_> = std::iter::once(name).chain(cells).collect();
            let object = if whole {
                versioned(kind, version, object)
            } else {
                partial(object)
            };
            json!({"cells": cells, "object": object})
        })
        .collect();
    let headings = kind.columns.iter().chain([&AGE]).map(|(name, _)| *name);
    let columns: Vec<_> = std::iter::once("Name")
        .chain(headings)
        .map(|name| {
            let format = if name == "Name" { "name" } else { "" };
            json!({"name": name, "type": "string", "format": format, "description": "", "priority": 0})
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// The value at a path. A list or map is printed as JSON, several values are joined by commas, a moment
/// is printed as its age.
fn cell(object: &Value, path: &str, now: Timestamp) -> Value {
    let found = select(object, path);
    let text = match found.as_slice() {
        [] => return Value::Null,
        many => many
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(","),
    };
    if path.ends_with("Timestamp") {
        return json!(age(&text, now).unwrap_or_else(|| "<unknown>".to_owned()));
    }
    json!(text)
}

/// What a path selects, in one of the three shapes of JSONPath that the columns use: `.a.b`, `.a[*].b`
/// and `.a[?(@.type=="X")].b`.
fn select<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![object];
    let mut rest = path;
    while let Some(after) = rest.strip_prefix('.') {
        let end = after.find(['.', '[']).unwrap_or(after.len());
        let fields = found.into_iter().filter_map(|v| v.get(&after[..end]));
        found = fields.collect();
        rest = &after[end..];
        let wanted = if let Some(after) = rest.strip_prefix("[*]") {
            rest = after;
            None
        } else if let Some((name, after)) = rest
            .strip_prefix("[?(@.type==\"")
            .and_then(|rest| rest.split_once("\")]"))
        {
            rest = after;
            Some(name)
        } else {
            continue;
        };
        found = found
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter(|v| wanted.is_none_or(|name| v["type"] == name))
            .collect();
    }
    found
}

/// How long ago an RFC 3339 time was, in one unit.
fn age(time: &str, now: Timestamp) -> Option<String> {
    let then: Timestamp = time.parse().ok()?;
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    Some(match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_printed_in_one_unit() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        for (then, text) in [
            ("2026-01-31T11:59:51Z", "9s"),
            ("2026-01-31T11:58:01Z", "119s"),
            ("2026-01-31T11:58:00Z", "2m"),
            ("2026-01-31T10:00:01Z", "119m"),
            ("2026-01-31T10:00:00Z", "2h"),
            ("2026-01-29T12:00:01Z", "47h"),
            ("2026-01-29T12:00:00Z", "2d"),
            ("2025-12-01T12:00:00Z", "61d"),
            ("2026-01-31T12:01:00Z", "0s"),
        ] {
            assert_eq!(age(then, now).as_deref(), Some(text), "{then}");
        }
    }

    #[test]
    fn paths_select_fields_lists_and_conditions() {
        let object = json!({
            "spec": {"hostnames": ["a.example.com", "b.example.com"], "class": "nginx"},
            "status": {
                "addresses": [{"value": "10.0.0.1"}, {"value": "10.0.0.2"}],
                "conditions": [{"type": "A", "status": "False"}, {"type": "B", "status": "True"}],
                "lastTimestamp": "2026-01-31T11:59:51Z",
            },
        });
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("a time");
        for (path, expected) in [
            (".spec.class", json!("nginx")),
            (
                ".spec.hostnames",
                json!(r#"["a.example.com","b.example.com"]"#),
            ),
            (".spec.hostnames[*]", json!("a.example.com,b.example.com")),
            (".status.addresses[*].value", json!("10.0.0.1,10.0.0.2")),
            (
                r#".status.conditions[?(@.type=="B")].status"#,
                json!("True"),
            ),
            (r#".status.conditions[?(@.type=="C")].status"#, Value::Null),
            (".status.lastTimestamp", json!("9s")),
            (".spec.nothing.here", Value::Null),
        ] {
            assert_eq!(cell(&object, path, now), expected, "{path}");
        }
    }
}
