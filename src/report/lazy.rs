//! Lists whose items are made while they are written: the tree of ten thousand routes is a hundred megabytes of JSON,
//! and no more than one branch of it is in memory.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer, ser::SerializeSeq};

type Items<'a, T> = Box<dyn Iterator<Item = T> + 'a>;

/// A list whose items are made one by one, each time that it is written.
pub(super) struct Lazy<'a, T> {
    length: usize,
    items: Box<dyn Fn() -> Items<'a, T> + 'a>,
}

impl<'a, T> Lazy<'a, T> {
    /// What `make` makes of each item of `from`.
    pub(super) fn of<S>(from: &'a [S], make: impl Fn(&'a S) -> T + Copy + 'a) -> Self {
        Self::new(from.len(), move || from.iter().map(make))
    }

    /// The items of an iterator, of which there are so many.
    pub(super) fn new<I: Iterator<Item = T> + 'a>(
        length: usize,
        items: impl Fn() -> I + 'a,
    ) -> Self {
        let items = move || -> Items<'a, T> { Box::new(items()) };
        Self {
            length,
            items: Box::new(items),
        }
    }
}

impl<T: Serialize> Serialize for Lazy<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What is empty is written otherwise in some formats, and is known to be empty before the first item.
        let mut list = serializer.serialize_seq(Some(self.length))?;
        for item in (self.items)() {
            list.serialize_element(&item)?;
        }
        list.end()
    }
}

impl<T> fmt::Debug for Lazy<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[…]")
    }
}

/// The schema of a list.
impl<T: JsonSchema> JsonSchema for Lazy<'_, T> {
    fn inline_schema() -> bool {
        Vec::<T>::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        Vec::<T>::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        Vec::<T>::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<T>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde::ser::Error;

    use super::*;

    /// Counts the items that exist at the same time.
    struct Item<'c>(&'c Cell<usize>);

    impl Drop for Item<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    impl Serialize for Item<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.0.get() != 1 {
                return Err(S::Error::custom("more than one item at a time"));
            }
            serializer.serialize_u8(7)
        }
    }

    #[test]
    fn one_item_exists_at_a_time_and_the_text_is_that_of_a_list() {
        let alive = Cell::new(0);
        let list = Lazy::of(&[(), (), ()], |()| {
            alive.set(alive.get() + 1);
            Item(&alive)
        });
        for _ in 0..2 {
            let text = serde_json::to_string_pretty(&list).expect("JSON");
            assert_eq!(text, "[\n  7,\n  7,\n  7\n]");
        }
        assert_eq!(alive.get(), 0);
        let empty: Lazy<'_, u8> = Lazy::of(&[], |item: &u8| *item);
        assert_eq!(serde_json::to_string_pretty(&empty).expect("JSON"), "[]");
    }
}
