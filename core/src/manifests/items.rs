//! Lists of objects in JSON, read item by item: a list of ten thousand routes is never in memory as a whole.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::documents::{MAX_DECODED, too_many_values};
use crate::model::decode::{Bounds, Incoming};

/// Items that are read of one list: no object of Kubernetes is so small that a file holds more.
const MAX_ITEMS: usize = 200_000;

/// A list of objects in JSON.
pub(super) struct List<'t> {
    /// `apiVersion`; empty for a bare list.
    pub(super) api_version: String,
    /// `kind`; empty for a bare list.
    pub(super) kind: String,
    /// The list itself, which is JSON.
    pub(super) text: &'t str,
}

impl List<'_> {
    /// Gives each item to `take`. An error says why an item and what follows it are left out.
    pub(super) fn each(&self, mut take: impl FnMut(Incoming)) -> Result<(), String> {
        let mut bounds = Bounds::new(MAX_DECODED);
        let mut items = 0;
        let reading = Reading {
            bounds: &mut bounds,
            items: &mut items,
            take: &mut take,
        };
        let read = reading.deserialize(&mut serde_json::Deserializer::from_str(self.text));
        match read {
            Ok(()) => Ok(()),
            Err(_) if items >= MAX_ITEMS => Err(format!(
                "is beyond the {MAX_ITEMS} items that are read of a list: give smaller parts"
            )),
            // It was read once to find its end: nothing else can go wrong.
            Err(_) => Err(too_many_values()),
        }
    }
}

/// Gives the items of a list to `take` as they are read.
struct Reading<'b> {
    bounds: &'b mut Bounds,
    items: &'b mut usize,
    take: &'b mut dyn FnMut(Incoming),
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element_seed(Item(self.bounds))? {
            if *self.items >= MAX_ITEMS {
                return Err(Error::custom("more items than are read"));
            }
            *self.items += 1;
            (self.take)(item);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(key) = fields.next_key::<String>()? {
            if key == "items" {
                fields.next_value_seed(Reading {
                    bounds: self.bounds,
                    items: self.items,
                    take: self.take,
                })?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Item<'b>(&'b mut Bounds);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = Incoming;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Incoming, D::Error> {
        self.0.read(deserializer)
    }
}

/// What a JSON value is, as far as one must know before it is decoded.
#[derive(Default)]
pub(super) struct Outline {
    text: Option<String>,
    is_list: bool,
    api_version: Option<String>,
    kind: Option<String>,
    /// Whether its last field `items` is a list, and how many fields of that name there are.
    has_items: bool,
    items: usize,
}

impl Outline {
    /// `apiVersion` and `kind`, where it is a list of objects.
    pub(super) fn list(self) -> Option<(String, String)> {
        if self.is_list {
            return Some((String::new(), String::new()));
        }
        let kind = self.kind.filter(|kind| kind.ends_with("List"))?;
        let api_version = self.api_version.filter(|version| !version.is_empty())?;
        (self.has_items && self.items == 1).then_some((api_version, kind))
    }
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Look { is_root: true }.deserialize(deserializer)
    }
}

/// Reads an outline. Below the root fields do not matter, so that no depth of a value is too deep.
struct Look {
    is_root: bool,
}

impl<'de> DeserializeSeed<'de> for Look {
    type Value = Outline;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outline, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look {
    type Value = Outline;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_unit<E>(self) -> Result<Outline, E> {
        Ok(Outline::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Outline, E> {
        Ok(Outline {
            text: Some(text.to_owned()),
            ..Outline::default()
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Outline, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Outline {
            is_list: true,
            ..Outline::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Outline, A::Error> {
        let mut outline = Outline::default();
        if !self.is_root {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(outline);
        }
        let below = || Self { is_root: false };
        while let Some(key) = fields.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => outline.api_version = fields.next_value_seed(below())?.text,
                "kind" => outline.kind = fields.next_value_seed(below())?.text,
                "items" => {
                    outline.items += 1;
                    outline.has_items = fields.next_value_seed(below())?.is_list;
                }
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(outline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::parse;

    fn outline(text: &str) -> Option<(String, String)> {
        let outline: Outline = serde_json::from_str(text).expect("JSON");
        outline.list()
    }

    #[test]
    fn a_list_is_known_wherever_its_fields_stand() {
        let list = Some(("v1".to_owned(), "List".to_owned()));
        assert_eq!(
            outline(r#"{"items": [], "kind": "List", "apiVersion": "v1"}"#),
            list
        );
        for other in [
            r#"{"items": {}, "kind": "List", "apiVersion": "v1"}"#,
            r#"{"items": [], "items": [], "kind": "List", "apiVersion": "v1"}"#,
            r#"{"items": [], "kind": "Gateway", "apiVersion": "v1"}"#,
            r#"{"items": [], "kind": ["List"], "apiVersion": "v1"}"#,
            r#"{"items": [], "kind": "List"}"#,
            "1",
        ] {
            assert_eq!(outline(other), None, "{other}");
        }
    }

    #[test]
    fn the_items_of_a_list_are_what_they_are_alone() {
        let object = |name: &str| {
            format!(
                r#"{{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "{name}"}}}}"#
            )
        };
        let items = [object("a"), "7".to_owned(), object("b")].join(",");
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        for list in [
            format!("[{items}]"),
            format!(r#"{{"apiVersion": "v1", "items": [{items}], "kind": "List", "x": {deep}}}"#),
            format!(r#"{{"kind": "List", "apiVersion": "v1", "items": [{items}]}}"#),
        ] {
            let snapshot = parse(&list, "default");
            let names: Vec<&str> = snapshot
                .services
                .keys()
                .map(|one| one.name.as_str())
                .collect();
            assert_eq!(names, ["a", "b"]);
            let problems: Vec<&str> = snapshot
                .problems
                .iter()
                .map(|one| one.place.as_str())
                .collect();
            assert_eq!(problems, ["text, document 1, line 1, item 2"]);
        }
        let typed = r#"{"apiVersion": "v1", "kind": "ServiceList", "items": [{"metadata": {"name": "a"}}]}"#;
        assert_eq!(parse(typed, "default").services.len(), 1);
    }
}
