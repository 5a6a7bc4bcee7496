//! What a change changes, as `diff -u` shows it.

use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};

use super::Change;
use crate::model::{
    clean::{clean, clean_line, clean_value},
    kind::Kind,
    value,
};

/// What a line of a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiffKind {
    /// As it was and will be.
    Same,
    /// It comes.
    Add,
    /// It goes.
    Remove,
    /// It says what follows: an object, or a place in it.
    Head,
}

/// A line of a difference, without a line feed or any other control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffLine {
    /// What it is.
    pub kind: DiffKind,
    /// Its text, without the mark that [`DiffLine::marked`] puts before it.
    pub text: String,
}

/// What the API server keeps for itself.
const KEPT_BY_SERVER: &[&str] = &[
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "selfLink",
];
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Lines around a change.
const CONTEXT: usize = 3;

impl DiffLine {
    fn new(kind: DiffKind, text: &str) -> Self {
        Self {
            kind,
            text: clean_line(text),
        }
    }

    /// The line with its mark: `+`, `-`, a space, or nothing before a heading.
    pub fn marked(&self) -> String {
        let mark = match self.kind {
            DiffKind::Same => " ",
            DiffKind::Add => "+",
            DiffKind::Remove => "-",
            DiffKind::Head => "",
        };
        format!("{mark}{}", self.text)
    }
}

pub(super) fn of(change: &Change) -> Vec<DiffLine> {
    let object = change.object();
    let before = change.before().map(|before| (**before).clone());
    let mut after = change.after();
    if object.kind == Kind::Secret {
        hide_values(before.as_ref(), after.as_mut());
    }
    let label = |value: &Option<Value>, what: &str| match value {
        Some(_) => format!("{object} ({what})"),
        None => "/dev/null".to_owned(),
    };
    let labels = (label(&before, "now"), label(&after, "after"));
    let text = |value: Option<Value>| value.map_or_else(String::new, yaml);
    of_texts(&labels.0, &text(before), &labels.1, &text(after))
}

/// The difference between two texts.
pub fn of_texts(before_label: &str, before: &str, after_label: &str, after: &str) -> Vec<DiffLine> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = vec![
        DiffLine::new(DiffKind::Head, &format!("--- {before_label}")),
        DiffLine::new(DiffKind::Head, &format!("+++ {after_label}")),
    ];
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        lines.push(DiffLine::new(DiffKind::Head, &hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let kind = match change.tag() {
                ChangeTag::Equal => DiffKind::Same,
                ChangeTag::Insert => DiffKind::Add,
                ChangeTag::Delete => DiffKind::Remove,
            };
            lines.push(DiffLine::new(kind, change.value().trim_end_matches('\n')));
        }
    }
    lines
}

/// An object as human-readable YAML: without status and what the API server keeps for itself.
fn yaml(mut object: Value) -> String {
    let mut cleaned = value::Value::from(object);
    let _ = clean_value(&mut cleaned);
    object = cleaned.into();
    without_servers_fields(&mut object);
    let text = serde_saphyr::to_string(&object)
        .unwrap_or_else(|error| format!("cannot be written as YAML: {error}\n"));
    clean(&text).unwrap_or(text)
}

/// Takes out what the API server keeps for itself: what is left is a manifest.
pub fn without_servers_fields(object: &mut Value) {
    if let Value::Object(map) = object {
        map.shift_remove("status");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            for field in KEPT_BY_SERVER {
                metadata.shift_remove(*field);
            }
            if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
                annotations.shift_remove(LAST_APPLIED);
                if annotations.is_empty() {
                    metadata.shift_remove("annotations");
                }
            }
        }
    }
}

/// In the model a Secret's values are gone already; those that a change brings go here.
fn hide_values(before: Option<&Value>, after: Option<&mut Value>) {
    let Some(after) = after else {
        return;
    };
    for field in ["data", "stringData"] {
        let known = before
            .and_then(|before| before.get(field))
            .and_then(Value::as_object);
        let Some(Value::Object(values)) = after.get_mut(field) else {
            continue;
        };
        hide(known, values);
    }
}

fn hide(known: Option<&Map<String, Value>>, values: &mut Map<String, Value>) {
    for (key, value) in values {
        let is_as_before = known.and_then(|known| known.get(key)) == Some(value);
        if !is_as_before {
            *value = Value::from("(a new value, not shown)");
        }
    }
}
