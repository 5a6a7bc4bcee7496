//! What one object of a file is, wherever it stands: pure, so that several threads read the items of a list.

use super::{
    Manifest,
    documents::{MAX_DECODED, read, too_many_values},
};
use crate::model::{
    clean::clean_line,
    decode::{self, Bounds, Decoded, Parsed},
    kind::Kind,
    placeholder,
    snapshot::Problem,
    value::Value,
};

/// What a value of a file is.
pub(super) enum Item {
    /// An object of a kind that the tool reads.
    Object(Box<Object>),
    /// An object of another kind.
    Other {
        /// `apiVersion` and `kind`, to be shown.
        name: String,
        /// `kind`.
        kind: String,
        /// As it is written, where somebody wants it.
        value: Option<serde_json::Value>,
    },
    /// A list of objects, which is itself an object.
    List(Vec<Item>),
    /// A template: what it is shows once it is rendered.
    Template,
    /// No Kubernetes object, and why.
    None {
        /// What is wrong with it, after "it".
        what: &'static str,
        /// It has an `apiVersion`: half a manifest is a mistake wherever it is.
        is_like_manifest: bool,
    },
    /// An object of a known kind that cannot be read.
    Broken(Box<Problem>),
}

/// An object of a kind that the tool reads.
pub(super) struct Object {
    /// `apiVersion`.
    pub(super) api_version: String,
    /// The object.
    pub(super) decoded: Decoded,
    /// The fields whose values are known once it is rendered.
    pub(super) unrendered: Vec<String>,
    /// As it is written, where somebody wants it and it is whole. Its place is still to be named.
    pub(super) written: Option<Manifest>,
}

/// How values of a file are read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'n> {
    /// The namespace of an object that names none.
    pub(super) default_namespace: &'n str,
    /// Objects are kept as they are written.
    pub(super) keeps: bool,
}

/// What a typed list, such as the API server's `SecretList`, says of all its items.
#[derive(Clone, Copy)]
pub(super) struct Typed<'t> {
    pub(super) api_version: &'t str,
    pub(super) kind: &'t str,
}

impl Typed<'_> {
    /// An item, which may leave out what the list says of all.
    fn complete(self, mut item: Value<'_>) -> Value<'_> {
        if let Value::Object(map) = &mut item
            && !self.kind.is_empty()
            && !map.contains_key("kind")
        {
            map.insert("apiVersion", text_of(self.api_version));
            map.insert("kind", text_of(self.kind));
        }
        item
    }
}

impl Reading<'_> {
    /// Reads an item of a list in JSON. An error says why it cannot be read.
    pub(super) fn text(self, text: &str, typed: Option<Typed<'_>>) -> Result<Item, String> {
        let mut bounds = Bounds::new(MAX_DECODED);
        // It was read once to find its end: nothing but the bound can be wrong.
        let parsed = read(&mut bounds, text).map_err(|_| too_many_values(MAX_DECODED))?;
        let Parsed { value, cut } = parsed;
        let value = match typed {
            Some(typed) => typed.complete(value),
            None => value,
        };
        Ok(self.value(value, cut))
    }

    /// Reads a value. `cut` says that something of it is left out.
    pub(super) fn value(self, mut value: Value<'_>, cut: bool) -> Item {
        let (Some(api_version), Some(kind)) = (text(&value, "apiVersion"), text(&value, "kind"))
        else {
            return Item::None {
                what: match &value {
                    Value::Object(_) => "has no apiVersion or no kind",
                    _ => "is not a mapping with apiVersion and kind",
                },
                is_like_manifest: value.get("apiVersion").is_some(),
            };
        };
        if placeholder::of(&kind).is_some() || placeholder::of(&api_version).is_some() {
            return Item::Template;
        }
        if let Some(item_kind) = kind.strip_suffix("List")
            && let Some(Value::Array(items)) = value.get_mut("items").map(Value::take)
        {
            let typed = Typed {
                api_version: &api_version,
                kind: item_kind,
            };
            let items = items.into_iter();
            return Item::List(
                items
                    .map(|item| self.value(typed.complete(item), cut))
                    .collect(),
            );
        }
        let Some(known) = Kind::of(&api_version, &kind) else {
            return Item::Other {
                name: clean_line(&format!("{api_version} {kind}")),
                kind,
                value: self.keeps.then(|| value.into()),
            };
        };
        let unrendered = placeholder::paths(&value);
        // One that is not whole must not be taken for what somebody wrote.
        let written = (self.keeps && !cut).then(|| Manifest {
            value: value.clone().into(),
            place: String::new(),
            is_secret: known == Kind::Secret,
        });
        match decode::object(known, Parsed { value, cut }, self.default_namespace) {
            Ok(decoded) => Item::Object(Box::new(Object {
                api_version,
                decoded,
                unrendered,
                written,
            })),
            Err(problem) => Item::Broken(problem),
        }
    }
}

fn text_of(text: &str) -> Value<'static> {
    Value::String(text.to_owned().into())
}

fn text(value: &Value<'_>, field: &str) -> Option<String> {
    let text = value.get(field)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}
