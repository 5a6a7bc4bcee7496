//! Takes text in as a JSON value without trusting it: whatever is nested too deeply is left out, so
//! that one hostile object cannot make a whole list unreadable, and `managedFields` are skipped
//! before they cost memory.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use super::Weight;

/// Levels that are read. serde_json itself gives up at 128, and a list or a watch event puts three
/// more around an object.
const MAX_DEPTH: usize = 100;

/// A value as it came in.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    /// The value, at most [100 levels](MAX_DEPTH) deep.
    pub value: Value,
    /// Whether something below that depth was left out.
    pub cut: bool,
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bounds = Bounds::new(u64::MAX);
        bounds.read(deserializer)
    }
}

/// Reads a value within a bound on the memory that it takes, and tells what was met on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    most: u64,
    weight: u64,
    cut: bool,
    /// Whether an object has a field twice: JSON takes the last one, YAML allows no such thing.
    pub(crate) repeats: bool,
}

impl Bounds {
    /// Values that take at most so many bytes, as [`Weight`] estimates them.
    pub(crate) fn new(most: u64) -> Self {
        Self {
            most,
            weight: 0,
            cut: false,
            repeats: false,
        }
    }

    /// Whether the value was given up since it takes more than is allowed.
    pub(crate) fn exceeded(&self) -> bool {
        self.weight > self.most
    }

    /// Reads one value.
    pub(crate) fn read<'de, D: Deserializer<'de>>(
        &mut self,
        deserializer: D,
    ) -> Result<Incoming, D::Error> {
        self.weight = 0;
        self.cut = false;
        let level = Level {
            depth: 0,
            metadata: false,
            bounds: self,
        };
        let value = level.deserialize(deserializer)?;
        Ok(Incoming {
            value,
            cut: self.cut,
        })
    }

    fn add<E: Error>(&mut self, weight: u64) -> Result<(), E> {
        self.weight += weight;
        if self.exceeded() {
            return Err(E::custom("holds more values than are read"));
        }
        Ok(())
    }
}

struct Level<'b> {
    depth: usize,
    /// Whether this is the value of a field `metadata`.
    metadata: bool,
    bounds: &'b mut Bounds,
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > MAX_DEPTH {
            self.bounds.cut = true;
            IgnoredAny::deserialize(deserializer)?;
            return Ok(Value::Null);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.bounds.add(Weight::LIST)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Level {
            depth: self.depth + 1,
            metadata: false,
            bounds: self.bounds,
        })? {
            if !list.is_empty() {
                self.bounds.add(Weight::ITEM)?;
            }
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        self.bounds.add(Weight::MAP)?;
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<Key>()? {
            if !map.is_empty() {
                self.bounds.add(Weight::ITEM)?;
            }
            if self.metadata && key.0 == "managedFields" {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = fields.next_value_seed(Level {
                depth: self.depth + 1,
                metadata: key.0 == "metadata",
                bounds: self.bounds,
            })?;
            self.bounds.repeats |= map.insert(key.0, value).is_some();
        }
        Ok(Value::Object(map))
    }
}

/// A field's name; YAML allows numbers and truth values where JSON has only text.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a field's name")
            }
            fn visit_str<E>(self, value: &str) -> Result<Key, E> {
                Ok(Key(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Key, E> {
                Ok(Key(value))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Key, E> {
                Ok(Key(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Key, E> {
                Ok(Key(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Key, E> {
                Ok(Key(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Key, E> {
                Ok(Key(value.to_string()))
            }
            fn visit_unit<E>(self) -> Result<Key, E> {
                Ok(Key("null".to_owned()))
            }
        }
        deserializer.deserialize_any(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deeply_is_left_out_and_the_rest_is_read() {
        let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
        let text = format!(r#"{{"items": [{{"a": 1}}, {{"deep": {deep}}}, {{"b": 2}}]}}"#);
        let incoming: Incoming = serde_json::from_str(&text).expect("the rest is readable");
        assert!(incoming.cut);
        assert_eq!(incoming.value["items"][2]["b"], 2);
    }

    #[test]
    fn managed_fields_are_skipped() {
        let text =
            r#"{"metadata": {"managedFields": [{"x": 1}], "name": "a"}, "managedFields": 1}"#;
        let incoming: Incoming = serde_json::from_str(text).expect("JSON");
        assert_eq!(
            incoming.value.to_string(),
            r#"{"metadata":{"name":"a"},"managedFields":1}"#
        );
    }
}
