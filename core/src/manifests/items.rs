//! Lists of objects in JSON: found in a file before they are decoded, and read item by item, so that a list of ten
//! thousand routes is never in memory as a whole.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    item::{Item, Reading, Typed},
    threads::in_batches,
};

/// Items that are read of one list: no object of Kubernetes is so small that a file holds more.
const MAX_ITEMS: usize = 200_000;

/// A list of objects in JSON.
pub(super) struct List<'t> {
    /// `apiVersion`; empty for a bare list.
    pub(super) api_version: String,
    /// `kind`; empty for a bare list.
    pub(super) kind: String,
    items: Vec<&'t RawValue>,
    /// There are more items than are read.
    has_more: bool,
}

impl List<'_> {
    /// Gives each item to `take`, in the list's order: what it is, or why it cannot be read. Several threads read
    /// where there are many items, and the machine has several processors.
    pub(super) fn each(&self, reading: Reading<'_>, mut take: impl FnMut(Result<Item, String>)) {
        let typed = self.kind.strip_suffix("List").map(|kind| Typed {
            api_version: &self.api_version,
            kind,
        });
        let length = |item: &&RawValue| item.get().len();
        let read = |item: &&RawValue| reading.text(item.get(), typed);
        in_batches(&self.items, length, read, &mut take);
        if self.has_more {
            take(Err(format!(
                "is beyond the {MAX_ITEMS} items that are read of a list: give smaller parts"
            )));
        }
    }
}

/// What a JSON value is, as far as one must know before it is decoded.
#[derive(Default)]
pub(super) struct Outline<'t> {
    text: Option<String>,
    is_list: bool,
    api_version: Option<String>,
    kind: Option<String>,
    /// The items of the list that it is, or that its last field `items` is.
    items: Vec<&'t RawValue>,
    has_more: bool,
    /// Whether its last field `items` is a list, and how many fields of that name there are.
    has_items: bool,
    fields: usize,
}

impl<'t> Outline<'t> {
    /// The list of objects that it is, if it is one.
    pub(super) fn list(self) -> Option<List<'t>> {
        let Self {
            items, has_more, ..
        } = self;
        let list = |api_version, kind| List {
            api_version,
            kind,
            items,
            has_more,
        };
        if self.is_list {
            return Some(list(String::new(), String::new()));
        }
        let kind = self.kind.filter(|kind| kind.ends_with("List"))?;
        let api_version = self.api_version.filter(|version| !version.is_empty())?;
        (self.has_items && self.fields == 1).then(|| list(api_version, kind))
    }
}

impl<'de> Deserialize<'de> for Outline<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Look { is_root: true }.deserialize(deserializer)
    }
}

/// Reads an outline. Below the root fields do not matter, so that no depth of a value is too deep.
struct Look {
    is_root: bool,
}

impl<'de> DeserializeSeed<'de> for Look {
    type Value = Outline<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outline<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look {
    type Value = Outline<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Outline<'de>, E> {
        Ok(Outline::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Outline<'de>, E> {
        Ok(Outline::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Outline<'de>, E> {
        Ok(Outline::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Outline<'de>, E> {
        Ok(Outline::default())
    }

    fn visit_unit<E>(self) -> Result<Outline<'de>, E> {
        Ok(Outline::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Outline<'de>, E> {
        Ok(Outline {
            text: Some(text.to_owned()),
            ..Outline::default()
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Outline<'de>, A::Error> {
        let mut outline = Outline {
            is_list: true,
            ..Outline::default()
        };
        while outline.items.len() < MAX_ITEMS {
            match items.next_element()? {
                Some(item) => outline.items.push(item),
                None => return Ok(outline),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            outline.has_more = true;
        }
        Ok(outline)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Outline<'de>, A::Error> {
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
                    outline.fields += 1;
                    let below = fields.next_value_seed(below())?;
                    outline.has_items = below.is_list;
                    outline.items = below.items;
                    outline.has_more = below.has_more;
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
        let outline: Outline<'_> = serde_json::from_str(text).expect("JSON");
        outline.list().map(|list| (list.api_version, list.kind))
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

    #[test]
    fn an_item_that_is_beyond_the_bound_hides_no_other() {
        let many = format!("[{}]", vec!["[]"; 1_000_000].join(","));
        let object = r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}"#;
        let snapshot = parse(&format!("[{many}, {object}]"), "default");
        assert_eq!(snapshot.services.len(), 1);
        let problem = &snapshot.problems[0];
        assert_eq!(problem.place, "text, document 1, line 1, item 1");
        assert!(problem.message.contains("384 MiB"), "{}", problem.message);
    }
}
