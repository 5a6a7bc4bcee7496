//! Takes text in as a JSON value without trusting it: whatever is nested too deeply is left out, so
//! that one hostile object cannot make a whole list unreadable, and `managedFields` are skipped
//! before they cost memory.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

use super::Weight;
use crate::model::value::{Map, Value};

/// Levels that are read. serde_json itself gives up at 128, and a list or a watch event puts three
/// more around an object.
const MAX_DEPTH: usize = 100;

/// A value as it came in, which somebody works on before it is decoded.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    /// The value, at most [100 levels](MAX_DEPTH) deep.
    pub value: serde_json::Value,
    /// Whether something below that depth was left out.
    pub cut: bool,
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parsed { value, cut } = Parsed::deserialize(deserializer)?;
        Ok(Self {
            value: value.into(),
            cut,
        })
    }
}

/// A value as it came in, which is decoded at once. It may borrow from the text that it was read from.
#[derive(Debug, Clone, Default)]
pub struct Parsed<'t> {
    /// The value, at most [100 levels](MAX_DEPTH) deep.
    pub value: Value<'t>,
    /// Whether something below that depth was left out.
    pub cut: bool,
}

impl From<Incoming> for Parsed<'_> {
    fn from(Incoming { value, cut }: Incoming) -> Self {
        Self {
            value: value.into(),
            cut,
        }
    }
}

/// Borrows nothing: what is read of an answer outlives it.
impl<'de> Deserialize<'de> for Parsed<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bounds::new(u64::MAX).read_as::<Copied, D>(deserializer)
    }
}

/// What becomes of a text that is lent as long as the input lives.
trait Lent<'de, 't> {
    fn text(text: &'de str) -> Cow<'t, str>;
}

/// The value borrows it.
struct Borrowed;

impl<'de> Lent<'de, 'de> for Borrowed {
    fn text(text: &'de str) -> Cow<'de, str> {
        Cow::Borrowed(text)
    }
}

/// The value copies it.
struct Copied;

impl<'de> Lent<'de, 'static> for Copied {
    fn text(text: &'de str) -> Cow<'static, str> {
        Cow::Owned(text.to_owned())
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

    /// Reads one value, which borrows from the input.
    pub(crate) fn read<'de, D: Deserializer<'de>>(
        &mut self,
        deserializer: D,
    ) -> Result<Parsed<'de>, D::Error> {
        self.read_as::<Borrowed, D>(deserializer)
    }

    fn read_as<'de, 't, L: Lent<'de, 't>, D: Deserializer<'de>>(
        &mut self,
        deserializer: D,
    ) -> Result<Parsed<'t>, D::Error> {
        self.weight = 0;
        self.cut = false;
        let level = Level::<'_, 't, L> {
            depth: 0,
            metadata: false,
            bounds: self,
            lent: PhantomData,
        };
        let value = level.deserialize(deserializer)?;
        Ok(Parsed {
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

struct Level<'b, 't, L> {
    depth: usize,
    /// Whether this is the value of a field `metadata`.
    metadata: bool,
    bounds: &'b mut Bounds,
    lent: PhantomData<(&'t str, L)>,
}

impl<'t, L> Level<'_, 't, L> {
    /// The level below, of a field `metadata` or another.
    fn below(&mut self, metadata: bool) -> Level<'_, 't, L> {
        Level {
            depth: self.depth + 1,
            metadata,
            bounds: &mut *self.bounds,
            lent: PhantomData,
        }
    }
}

impl<'de, 't, L: Lent<'de, 't>> DeserializeSeed<'de> for Level<'_, 't, L> {
    type Value = Value<'t>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'t>, D::Error> {
        if self.depth > MAX_DEPTH {
            self.bounds.cut = true;
            IgnoredAny::deserialize(deserializer)?;
            return Ok(Value::Null);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de, 't, L: Lent<'de, 't>> Visitor<'de> for Level<'_, 't, L> {
    type Value = Value<'t>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'t>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'t>, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'t>, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'t>, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Value<'t>, E> {
        Ok(Value::String(L::text(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'t>, E> {
        Ok(Value::String(Cow::Owned(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Value<'t>, E> {
        Ok(Value::String(Cow::Owned(value)))
    }

    fn visit_none<E>(self) -> Result<Value<'t>, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E>(self) -> Result<Value<'t>, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'t>, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value<'t>, A::Error> {
        self.bounds.add(Weight::LIST)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.below(false))? {
            if !list.is_empty() {
                self.bounds.add(Weight::ITEM)?;
            }
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Value<'t>, A::Error> {
        self.bounds.add(Weight::MAP)?;
        let mut map = Vec::new();
        while let Some(key) = fields.next_key_seed(Name::<'t, L>(PhantomData))? {
            if !map.is_empty() {
                self.bounds.add(Weight::ITEM)?;
            }
            if self.metadata && key == "managedFields" {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = fields.next_value_seed(self.below(key == "metadata"))?;
            map.push((key, value));
        }
        let (map, repeats) = Map::of(map);
        self.bounds.repeats |= repeats;
        Ok(Value::Object(map))
    }
}

/// A field's name; YAML allows numbers and truth values where JSON has only text.
struct Name<'t, L>(PhantomData<(&'t str, L)>);

impl<'de, 't, L: Lent<'de, 't>> DeserializeSeed<'de> for Name<'t, L> {
    type Value = Cow<'t, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'t, str>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 't, L: Lent<'de, 't>> Visitor<'de> for Name<'t, L> {
    type Value = Cow<'t, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field's name")
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cow<'t, str>, E> {
        Ok(L::text(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Owned(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Owned(value))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Owned(value.to_string()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Owned(value.to_string()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Owned(value.to_string()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Owned(value.to_string()))
    }
    fn visit_unit<E>(self) -> Result<Cow<'t, str>, E> {
        Ok(Cow::Borrowed("null"))
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
