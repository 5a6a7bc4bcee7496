//! Reads a JSON value leniently: what is wrong becomes a [`Note`] with its exact path, and everything
//! else is read all the same.

use std::{cell::RefCell, collections::BTreeMap, fmt::Write, ops::RangeInclusive};

use crate::model::{
    object::{Note, NoteKind},
    placeholder,
    value::{Map, Value},
};
use jiff::Timestamp;

/// Notes kept for one object; a hostile object could cause as many as it has fields.
const MAX_NOTES: usize = 50;
/// Items read from one list. The Gateway API allows 16 rules and 64 listeners; an `EndpointSlice`
/// holds at most 1,000 endpoints.
const MAX_ITEMS: usize = 10_000;
/// Bytes kept of one text. The longest that any API allows here is a condition's message: 32,768.
const MAX_TEXT: usize = 32_768;
/// Characters of a wrong value that a note repeats.
const MAX_FOUND: usize = 40;

/// The object that is being read, and what was noted so far.
pub(super) struct Reader<'a> {
    root: &'a Value<'a>,
    notes: RefCell<Vec<Note>>,
}

impl<'a> Reader<'a> {
    /// Starts to read `root`.
    pub(super) fn new(root: &'a Value<'a>) -> Self {
        Self {
            root,
            notes: RefCell::new(Vec::new()),
        }
    }

    /// The object itself.
    pub(super) fn root(&self) -> Field<'_> {
        Field {
            reader: self,
            value: Some(self.root),
        }
    }

    /// Notes something about `value`, or about its field `key`.
    pub(super) fn note(
        &self,
        value: &Value<'_>,
        key: Option<&str>,
        kind: NoteKind,
        message: String,
    ) {
        let mut notes = self.notes.borrow_mut();
        if notes.len() > MAX_NOTES {
            return;
        }
        let mut path = String::new();
        find(self.root, value, &mut path);
        if let Some(key) = key {
            push_key(&mut path, key);
        }
        let note = Note {
            path,
            message,
            kind,
        };
        if notes.contains(&note) {
            return;
        }
        if notes.len() == MAX_NOTES {
            notes.push(Note {
                path: String::new(),
                message: format!("more than {MAX_NOTES} things are wrong; the rest is not listed"),
                kind: NoteKind::Malformed,
            });
        } else {
            notes.push(note);
        }
    }

    /// Ends the reading.
    pub(super) fn into_notes(self) -> Vec<Note> {
        self.notes.into_inner()
    }
}

/// Writes the path from `root` to `wanted`, which is found by its address: paths cost nothing until
/// something is wrong.
fn find(root: &Value<'_>, wanted: &Value<'_>, path: &mut String) -> bool {
    if std::ptr::addr_eq(root, wanted) {
        return true;
    }
    let length = path.len();
    match root {
        Value::Object(map) => {
            for (key, value) in map.iter() {
                push_key(path, key);
                if find(value, wanted, path) {
                    return true;
                }
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let _ = write!(path, "[{index}]");
                if find(value, wanted, path) {
                    return true;
                }
                path.truncate(length);
            }
        }
        _ => {}
    }
    false
}

/// Appends `.key`, or `["a key"]` where it holds more than a field's name may.
fn push_key(path: &mut String, key: &str) {
    let plain = key
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain && !key.is_empty() {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        let _ = write!(path, "[{:?}]", shorten(key));
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_FOUND) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What stands there, in words.
fn found(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => shorten(&value.to_string()),
        Value::String(value) => format!("{:?}", shorten(value)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// A value somewhere in the object, or the absence of one. `null` counts as absent, as it does for
/// the API server.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    reader: &'a Reader<'a>,
    value: Option<&'a Value<'a>>,
}

impl<'a> Field<'a> {
    fn wrong(self, expected: &str) {
        // What stands there once it is rendered is not known.
        if self.is_placeholder() {
            return;
        }
        if let Some(value) = self.value {
            self.reader.note(
                value,
                None,
                NoteKind::Malformed,
                format!("expected {expected}, found {}", found(value)),
            );
        }
    }

    fn is_placeholder(self) -> bool {
        let text = self.value.and_then(Value::as_str);
        text.and_then(placeholder::of).is_some()
    }

    /// Whether something stands there.
    pub(super) fn is_present(self) -> bool {
        self.value.is_some()
    }

    /// The value as it stands.
    pub(super) fn value(self) -> Option<&'a Value<'a>> {
        self.value
    }

    /// The field `key` of this object.
    pub(super) fn get(self, key: &str) -> Field<'a> {
        let value = match self.value {
            Some(Value::Object(map)) => map.get(key).filter(|value| !value.is_null()),
            Some(_) => {
                self.wrong("an object");
                None
            }
            None => None,
        };
        Field {
            reader: self.reader,
            value,
        }
    }

    /// The field `key`, whose absence is noted.
    pub(super) fn required(self, key: &str) -> Field<'a> {
        let field = self.get(key);
        if let (None, Some(value @ Value::Object(_))) = (field.value, self.value) {
            self.reader
                .note(value, Some(key), NoteKind::Missing, "is missing".into());
        }
        field
    }

    /// Notes that the value is none of those that this tool knows.
    pub(super) fn unknown_value(self, message: String) {
        if let Some(value) = self.value.filter(|_| !self.is_placeholder()) {
            self.reader
                .note(value, None, NoteKind::UnknownValue, message);
        }
    }

    /// Notes that the API server refuses the value, though it is of the right type.
    pub(super) fn refused(self, message: &str) {
        if let Some(value) = self.value.filter(|_| !self.is_placeholder()) {
            self.reader
                .note(value, None, NoteKind::Missing, message.to_owned());
        }
    }

    /// Notes that the value cannot be what it should be.
    pub(super) fn malformed(self, message: String) {
        if let Some(value) = self.value {
            self.reader.note(value, None, NoteKind::Malformed, message);
        }
    }

    /// This as text, on one line and bounded.
    pub(super) fn as_text(self) -> Option<String> {
        let text = self.value?.as_str();
        if text.is_none() {
            self.wrong("text");
        }
        text.map(|text| self.bounded(text))
    }

    /// This as text, as it is: for what is parsed and never shown.
    pub(super) fn raw_text(self) -> Option<&'a str> {
        self.value?.as_str()
    }

    fn bounded(self, text: &str) -> String {
        let mut end = text.len();
        if end > MAX_TEXT {
            end = MAX_TEXT;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            self.malformed(format!(
                "is {} bytes long; only the first {end} are read",
                text.len()
            ));
        }
        let text = &text[..end];
        if text.bytes().any(|byte| matches!(byte, b'\n' | b'\t')) {
            text.replace(['\n', '\t'], " ")
        } else {
            text.to_owned()
        }
    }

    /// The text under `key`.
    pub(super) fn text(self, key: &str) -> Option<String> {
        self.get(key).as_text()
    }

    /// The text under `key`; its absence is noted and gives an empty one.
    pub(super) fn required_text(self, key: &str) -> String {
        self.required(key).as_text().unwrap_or_default()
    }

    /// The text under `key`, noted where it is none of `known`. A value with a slash is an
    /// implementation's own by the Gateway API's rules, and is not.
    pub(super) fn choice(self, key: &str, known: &[&str]) -> Option<String> {
        let field = self.get(key);
        let text = field.as_text()?;
        if !known.contains(&text.as_str()) && !text.contains('/') {
            field.unknown_value(format!(
                "{:?} is not among the values that this tool knows ({})",
                shorten(&text),
                known.join(", ")
            ));
        }
        Some(text)
    }

    /// The truth value under `key`.
    pub(super) fn flag(self, key: &str) -> Option<bool> {
        let field = self.get(key);
        let flag = field.value?.as_bool();
        if flag.is_none() {
            field.wrong("true or false");
        }
        flag
    }

    /// The whole number under `key`.
    pub(super) fn number(self, key: &str) -> Option<i64> {
        self.get(key).as_number(i64::MIN..=i64::MAX)
    }

    fn as_number(self, range: RangeInclusive<i64>) -> Option<i64> {
        let value = self.value?;
        match value.as_i64() {
            Some(number) if range.contains(&number) => Some(number),
            Some(number) => {
                self.malformed(format!(
                    "expected a number from {} to {}, found {number}",
                    range.start(),
                    range.end()
                ));
                None
            }
            None => {
                self.wrong("a number");
                None
            }
        }
    }

    /// The port under `key`.
    pub(super) fn port(self, key: &str) -> Option<u16> {
        let number = self.get(key).as_number(1..=65_535)?;
        u16::try_from(number).ok()
    }

    /// The port under `key`; its absence is noted and gives 0.
    pub(super) fn required_port(self, key: &str) -> u16 {
        self.required(key);
        self.port(key).unwrap_or_default()
    }

    /// The RFC 3339 time under `key`.
    pub(super) fn time(self, key: &str) -> Option<Timestamp> {
        let field = self.get(key);
        let text = field.as_text()?;
        let time = text.parse().ok();
        if time.is_none() {
            field.wrong("a time such as 2026-01-31T12:00:00Z");
        }
        time
    }

    /// The items of the list under `key`, whatever each of them is.
    pub(super) fn items(self, key: &str) -> impl Iterator<Item = Field<'a>> {
        let field = self.get(key);
        let items = match field.value {
            Some(Value::Array(items)) => items.as_slice(),
            Some(_) => {
                field.wrong("a list");
                &[]
            }
            None => &[],
        };
        if items.len() > MAX_ITEMS {
            field.malformed(format!(
                "has {} items; only the first {MAX_ITEMS} are read",
                items.len()
            ));
        }
        items.iter().take(MAX_ITEMS).map(move |value| Field {
            reader: field.reader,
            value: Some(value),
        })
    }

    /// The objects in the list under `key`; what is no object is noted and left out.
    pub(super) fn objects(self, key: &str) -> impl Iterator<Item = Field<'a>> {
        self.items(key).filter(|item| item.is_object())
    }

    /// Whether it is an object; noted where it is something else.
    pub(super) fn is_object(self) -> bool {
        let is_object = self.value.is_some_and(Value::is_object);
        if !is_object {
            self.wrong("an object");
        }
        is_object
    }

    /// The texts in the list under `key`.
    pub(super) fn texts(self, key: &str) -> Vec<String> {
        self.items(key).filter_map(Field::as_text).collect()
    }

    /// The object under `key` as names and texts, such as labels.
    pub(super) fn text_map(self, key: &str) -> BTreeMap<String, String> {
        self.entries(key)
            .filter_map(|(key, value)| Some((key.to_owned(), value.as_text()?)))
            .collect()
    }

    /// The fields of the object under `key`.
    pub(super) fn entries(self, key: &str) -> impl Iterator<Item = (&'a str, Field<'a>)> {
        let field = self.get(key);
        let map = match field.value {
            Some(Value::Object(map)) => Some(map),
            Some(_) => {
                field.wrong("an object");
                None
            }
            None => None,
        };
        map.into_iter()
            .flat_map(Map::iter)
            .take(MAX_ITEMS)
            .map(move |(key, value)| {
                (
                    key,
                    Field {
                        reader: field.reader,
                        value: Some(value),
                    },
                )
            })
    }
}

#[cfg(test)]
mod tests;
