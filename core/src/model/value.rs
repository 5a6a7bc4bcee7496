//! JSON values that borrow from the text that they were read from: objects are read once and kept as text, so that most
//! of their texts need no memory of their own, and no field's name is hashed.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::Number;
use zeroize::Zeroize;

/// A JSON value.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs)] // the names are JSON's own
pub enum Value<'t> {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'t, str>),
    Array(Vec<Value<'t>>),
    Object(Map<'t>),
}

/// The fields of an object, each name once, in the order in which they were written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map<'t>(Vec<(Cow<'t, str>, Value<'t>)>);

impl<'t> Value<'t> {
    /// The field of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// The field of an object, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        match self {
            Self::Object(map) => map.get_mut(key),
            _ => None,
        }
    }

    /// The field of a field: `/metadata/name`. No index of a list, and no escaped name.
    pub fn pointer(&self, pointer: &str) -> Option<&Self> {
        let names = pointer.split('/').skip(1);
        names
            .into_iter()
            .try_fold(self, |value, name| value.get(name))
    }

    /// The same, to be changed.
    pub fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        let names = pointer.split('/').skip(1);
        names
            .into_iter()
            .try_fold(self, |value, name| value.get_mut(name))
    }

    /// The text that it is.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value that it is.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number that it is.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The items of the list that it is.
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The fields of the object that it is.
    pub fn as_object(&self) -> Option<&Map<'t>> {
        match self {
            Self::Object(map) => Some(map),
            _ => None,
        }
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.as_object().is_some()
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Takes it out and leaves `null`.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Overwrites every text in it. What is borrowed is its owner's to overwrite, and leaves the value.
    pub fn wipe(&mut self) {
        match self {
            Self::String(text) => {
                if let Cow::Owned(text) = text {
                    text.zeroize();
                }
                *text = Cow::Borrowed("");
            }
            Self::Array(items) => items.iter_mut().for_each(Self::wipe),
            Self::Object(map) => map.values_mut().for_each(Self::wipe),
            _ => {}
        }
    }
}

/// Fields up to which names are compared, and beyond which they are hashed: a hostile object has a million.
const FEW: usize = 16;

impl<'t> Map<'t> {
    /// The fields; whether a name stands there twice. Then the last value counts, in the first one's place.
    pub(crate) fn of(mut fields: Vec<(Cow<'t, str>, Value<'t>)>) -> (Self, bool) {
        let repeats = if fields.len() <= FEW {
            let before = |(index, (key, _)): (usize, &(Cow<'t, str>, Value<'t>))| {
                fields[..index].iter().any(|(other, _)| other == key)
            };
            fields.iter().enumerate().any(before)
        } else {
            let mut names = std::collections::HashSet::with_capacity(fields.len());
            !fields.iter().all(|(key, _)| names.insert(key.as_ref()))
        };
        if repeats {
            let mut places: HashMap<Cow<'t, str>, usize> = HashMap::new();
            let mut once: Vec<(Cow<'t, str>, Value<'t>)> = Vec::new();
            for (key, value) in fields {
                match places.get(&key) {
                    Some(place) => once[*place].1 = value,
                    None => {
                        places.insert(key.clone(), once.len());
                        once.push((key, value));
                    }
                }
            }
            fields = once;
        }
        (Self(fields), repeats)
    }

    /// The field of this name.
    pub fn get(&self, key: &str) -> Option<&Value<'t>> {
        let found = self.0.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value<'t>> {
        let found = self.0.iter_mut().find(|(name, _)| name == key);
        found.map(|(_, value)| value)
    }

    /// Whether there is such a field.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets a field, which comes last where it is new.
    pub fn insert(&mut self, key: &'static str, value: Value<'t>) {
        match self.get_mut(key) {
            Some(known) => *known = value,
            None => self.0.push((Cow::Borrowed(key), value)),
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, key: &str) -> Option<Value<'t>> {
        let place = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(place).1)
    }

    /// The fields.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'t>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// The fields, whose values may be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value<'t>)> {
        self.0.iter_mut().map(|(key, value)| (&**key, value))
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &Value<'t>> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value<'t>> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Gives each field the name that `rename` makes of it, if it makes one.
    pub(crate) fn rename(&mut self, rename: impl Fn(&str) -> Option<String>) {
        let mut fields = std::mem::take(&mut self.0);
        for (key, _) in &mut fields {
            if let Some(new) = rename(key) {
                *key = Cow::Owned(new);
            }
        }
        *self = Self::of(fields).0;
    }
}

impl From<serde_json::Value> for Value<'_> {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => Self::String(Cow::Owned(text)),
            serde_json::Value::Array(items) => {
                Self::Array(items.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(map) => {
                let fields = map.into_iter();
                let fields = fields.map(|(key, value)| (Cow::Owned(key), Self::from(value)));
                Self::Object(Map(fields.collect()))
            }
        }
    }
}

impl From<Value<'_>> for serde_json::Value {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::String(text.into_owned()),
            Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => {
                let fields = map.0.into_iter();
                let fields = fields.map(|(key, value)| (key.into_owned(), Self::from(value)));
                Self::Object(fields.collect())
            }
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Object(Map(fields)) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key.as_ref(), value)?;
                }
                map.end()
            }
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // There are no keys but texts, and a text takes everything.
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_goes_there_and_back_and_is_the_same_text() {
        let value = json!({"b": [1, -2.5, null, true], "a": {"": "\u{1b}é\n"}, "c": []});
        let own = Value::from(value.clone());
        assert_eq!(own.to_string(), value.to_string());
        assert_eq!(serde_json::Value::from(own), value);
    }

    #[test]
    fn of_a_name_that_stands_there_twice_the_last_value_counts_in_the_first_place() {
        for more in [0, 2 * FEW] {
            let others = (0..more).map(|n| (Cow::Owned(format!("k{n}")), Value::Null));
            let fields = |again: &'static str| {
                let one = [("a", 1), ("b", 2), (again, 3)];
                one.map(|(key, n)| (Cow::Borrowed(key), Value::from(json!(n))))
            };
            let (map, repeats) = Map::of(fields("a").into_iter().chain(others.clone()).collect());
            assert!(repeats);
            let first: Vec<_> = map
                .iter()
                .take(2)
                .map(|(key, n)| (key, n.as_i64()))
                .collect();
            assert_eq!(first, [("a", Some(3)), ("b", Some(2))]);
            assert_eq!(map.keys().count(), 2 + more);
            assert!(!Map::of(fields("c").into_iter().chain(others).collect()).1);
        }
    }

    #[test]
    fn a_value_that_is_wiped_holds_no_text() {
        let text = "borrowed".to_owned();
        let mut value = Value::from(json!({"a": ["owned"]}));
        if let Value::Object(map) = &mut value {
            map.insert("b", Value::String(Cow::Borrowed(&text)));
        }
        value.wipe();
        assert_eq!(value.to_string(), r#"{"a":[""],"b":""}"#);
    }
}
