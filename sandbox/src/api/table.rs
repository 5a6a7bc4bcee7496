//! The forms in which objects are answered: as they are, as a `Table` for `kubectl get`, or as
//! `PartialObjectMetadata`.

use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::error::ApiError;
use crate::kinds::{Kind, Origin};
use crate::printer;

/// What the client asked for in `Accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The object itself.
    Plain,
    /// `as=Table`, with what its rows carry.
    Table(Include),
    /// `as=PartialObjectMetadata` or `PartialObjectMetadataList`.
    Partial,
}

/// `includeObject`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    /// Metadata only; the default.
    Metadata,
    /// The whole object.
    Object,
    /// Nothing.
    None,
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
        let mut wanted = None;
        let mut fits = true;
        for (name, value) in parts.filter_map(|p| p.split_once('=')) {
            match name {
                "as" => wanted = Some(value),
                "g" => fits &= value == "meta.k8s.io",
                "v" => fits &= value == "v1",
                _ => {}
            }
        }
        match wanted {
            _ if !fits => {}
            None => return Ok(Form::Plain),
            Some("Table") => return Ok(Form::Table(include_object(include)?)),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => {
                return Ok(Form::Partial);
            }
            Some(_) => {}
        }
    }
    Err(ApiError::not_acceptable())
}

fn include_object(text: &str) -> Result<Include, ApiError> {
    match text {
        "" | "Metadata" => Ok(Include::Metadata),
        "Object" => Ok(Include::Object),
        "None" => Ok(Include::None),
        other => Err(ApiError::bad_request(format!(
            "includeObject: Unsupported value: \"{other}\": supported values: \"Metadata\", \
             \"None\", \"Object\""
        ))),
    }
}

/// One object in the form that was asked for.
pub(crate) fn one(kind: &Kind, version: &str, object: &Value, form: Form) -> Value {
    match form {
        Form::Plain => versioned(kind, version, object),
        Form::Partial => partial(object),
        Form::Table(include) => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table(kind, version, [object], include, &metadata)
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
        Form::Table(include) => {
            serde_json::to_vec(&table(kind, version, objects, include, &metadata))
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
    include: Include,
    metadata: &Value,
) -> Value {
    let now = Timestamp::now();
    let rows: Vec<_> = objects
        .into_iter()
        .map(|object| {
            let mut cells = vec![object["metadata"]["name"].clone()];
            cells.extend(
                kind.columns
                    .iter()
                    .filter(|c| c.name != "Name")
                    .map(|column| printer::cell(column, object, now)),
            );
            let mut row = json!({"cells": cells});
            match include {
                Include::Metadata => row["object"] = partial(object),
                Include::Object => row["object"] = versioned(kind, version, object),
                Include::None => {}
            }
            row
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": columns(kind),
        "rows": rows,
    })
}

fn columns(kind: &Kind) -> Vec<Value> {
    let name = json!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Name must be unique within a namespace.",
    });
    let others = kind
        .columns
        .iter()
        .filter(|c| c.name != "Name")
        .map(|column| {
            // Ages are printed here, as built-in kinds print them; a client would print a date itself.
            let kind = if column.name == "Age" {
                "string"
            } else {
                column.format
            };
            json!({
                "name": column.name, "type": kind, "format": "", "description": "",
                "priority": i32::from(column.wide),
            })
        });
    std::iter::once(name).chain(others).collect()
}
