//! What all objects have in common.

use std::{
    borrow::Cow,
    cmp::Ordering,
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;

use super::{kind::Kind, raw::Raw, status::Spec};

/// Names one object: kind, namespace and name. Orders by kind, then namespace, then name. A copy shares the name.
#[derive(Clone)]
pub struct ObjectRef(Arc<Inner>);

struct Inner {
    /// Of all that it says, so that no look-up hashes the text again.
    hash: u64,
    /// How namespace and name begin: it tells most names apart without another look into memory.
    beginning: Beginning,
    named: Named,
}

/// The first bytes of a namespace and, after a zero, of a name, in numbers whose order is that of the bytes.
type Beginning = [u64; 4];

fn beginning(namespace: &str, name: &str) -> Beginning {
    let mut bytes = namespace.bytes().chain([0]).chain(name.bytes());
    [(); 4].map(|()| {
        let eight = [(); 8].map(|()| bytes.next().unwrap_or(0));
        u64::from_be_bytes(eight)
    })
}

/// What an [`ObjectRef`] says.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// The object's kind.
    pub kind: Kind,
    /// Its namespace; empty for a kind that has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// Names an object; `namespace` is ignored for a kind that has none.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        let namespace = if kind.info().namespaced {
            namespace.into()
        } else {
            String::new()
        };
        let named = Named {
            kind,
            namespace,
            name: name.into(),
        };
        let mut hasher = DefaultHasher::new();
        named.hash(&mut hasher);
        let hash = hasher.finish();
        Self(Arc::new(Inner {
            hash,
            beginning: beginning(&named.namespace, &named.name),
            named,
        }))
    }

    /// The hash of the name, the same for every copy.
    pub(crate) fn hashed(&self) -> u64 {
        self.0.hash
    }

    /// `default/secure-app`, or the bare name where there is no namespace.
    pub fn path(&self) -> String {
        if self.namespace.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }
}

impl Deref for ObjectRef {
    type Target = Named;

    fn deref(&self) -> &Named {
        &self.0.named
    }
}

impl PartialEq for ObjectRef {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self.0.hash == other.0.hash && self.0.named == other.0.named
    }
}

impl Eq for ObjectRef {}

impl PartialOrd for ObjectRef {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ObjectRef {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        let (this, that) = (&self.0, &other.0);
        let kinds = this.named.kind.cmp(&that.named.kind);
        let beginnings = || this.beginning.cmp(&that.beginning);
        // Equal beginnings are those of longer names, or of the same.
        kinds
            .then_with(beginnings)
            .then_with(|| this.named.cmp(&that.named))
    }
}

impl Hash for ObjectRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Debug for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectRef")
            .field("kind", &self.kind)
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .finish()
    }
}

/// `Secret default/backend-cert`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path())
    }
}

impl Serialize for ObjectRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut object = serializer.serialize_struct("ObjectRef", 3)?;
        object.serialize_field("kind", self.kind.name())?;
        object.serialize_field("namespace", &self.namespace)?;
        object.serialize_field("name", &self.name)?;
        object.end()
    }
}

impl<'de> serde::Deserialize<'de> for ObjectRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Named {
            kind: String,
            namespace: String,
            name: String,
        }
        let named = Named::deserialize(deserializer)?;
        let kind = Kind::named(&named.kind)
            .ok_or_else(|| serde::de::Error::custom("a kind that this tool does not read"))?;
        Ok(Self::new(kind, &named.namespace, &named.name))
    }
}

impl schemars::JsonSchema for ObjectRef {
    fn schema_name() -> Cow<'static, str> {
        "ObjectRef".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The name of an object; the namespace of one that has none is empty.",
            "type": "object",
            "properties": {
                "kind": {"type": "string"},
                "namespace": {"type": "string"},
                "name": {"type": "string"},
            },
            "required": ["kind", "namespace", "name"],
        })
    }
}

/// One object: what is common to all kinds, the object as the API server gave it, and what this
/// tool understood of its spec and its status.
#[derive(Debug, Clone)]
pub struct Object<T: Spec> {
    /// Its name.
    pub reference: ObjectRef,
    /// `metadata`, as far as the tool needs it.
    pub meta: Meta,
    /// The object itself, without `managedFields`. For a Secret, and only for a Secret, the values
    /// under `data` are gone and only the names of its keys remain.
    pub raw: Arc<Raw>,
    /// What the tool did not understand; it hides nothing else.
    pub notes: Vec<Note>,
    /// What the tool understood of its `spec`, or of its own fields where the kind has no `spec`.
    pub spec: T,
    /// What the tool understood of its `status`.
    pub status: T::Status,
}

/// `metadata` of an object.
#[derive(Debug, Clone, Default)]
pub struct Meta {
    /// `uid`; empty in files.
    pub uid: String,
    /// `generation`; 0 where the kind has none.
    pub generation: i64,
    /// `resourceVersion`.
    pub resource_version: String,
    /// `creationTimestamp`.
    pub created: Option<Timestamp>,
    /// `deletionTimestamp` is set.
    pub deleting: bool,
    /// `labels`.
    pub labels: BTreeMap<String, String>,
    /// `annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `ownerReferences`.
    pub owners: Vec<Owner>,
    /// `apiVersion` that it was read as.
    pub api_version: String,
}

/// Whether a pod is in Istio's ambient mesh: by its own label, or by what Istio's CNI plugin writes into it where
/// its namespace has the label.
pub fn is_ambient(pod: &Meta) -> bool {
    let label = pod
        .labels
        .get("istio.io/dataplane-mode")
        .map(String::as_str);
    let redirection = pod.annotations.get("ambient.istio.io/redirection");
    label == Some("ambient")
        || label != Some("none") && redirection.map(String::as_str) == Some("enabled")
}

/// One of `metadata.ownerReferences`.
#[derive(Debug, Clone)]
pub struct Owner {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `name`.
    pub name: String,
    /// `uid`.
    pub uid: String,
    /// `controller: true`.
    pub controller: bool,
}

/// Something in an object that the tool did not understand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Note {
    /// Where: `spec.listeners[0].port`.
    pub path: String,
    /// What is wrong: `expected a number, found "eighty"`.
    pub message: String,
    /// How bad it is.
    pub kind: NoteKind,
}

/// What sort of thing was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// A field has the wrong type, or a value that it cannot have.
    Malformed,
    /// A field that the API requires is missing, or has a value that the API refuses.
    Missing,
    /// A value that this version of the tool does not know.
    UnknownValue,
    /// A field that this version of the tool does not know.
    UnknownField,
}

/// A condition of an object's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Condition {
    /// `type`.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// `reason`.
    pub reason: String,
    /// `message`.
    pub message: String,
    /// `lastTransitionTime`.
    pub last_transition: Option<Timestamp>,
    /// `observedGeneration`.
    pub observed_generation: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_in_the_order_of_kind_namespace_and_name() {
        let long = "a-name-of-more-than-thirty-two-characters";
        let mut names = vec![
            (Kind::Gateway, "b", "a".to_owned()),
            (Kind::Gateway, "a", "z".to_owned()),
            (Kind::Gateway, "a-b", "a".to_owned()),
            (Kind::HTTPRoute, "a", "a".to_owned()),
            (Kind::HTTPRoute, "a", format!("{long}-2")),
            (Kind::HTTPRoute, "a", format!("{long}-1")),
            (Kind::HTTPRoute, "a", long.to_owned()),
            (Kind::GatewayClass, "", "nginx".to_owned()),
        ];
        let objects = names
            .iter()
            .map(|(kind, namespace, name)| ObjectRef::new(*kind, *namespace, name));
        let mut objects: Vec<ObjectRef> = objects.collect();
        objects.sort();
        names.sort();
        let sorted = objects
            .iter()
            .map(|object| (object.kind, &*object.namespace, object.name.clone()));
        assert!(sorted.eq(names));
    }
}
