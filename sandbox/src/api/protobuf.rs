//! Bodies in Kubernetes' protobuf encoding: `kubectl create` and `kubectl auth can-i` send nothing
//! else. Decoded into JSON by a table of the few messages that they send; answers are JSON.
//!
//! Field numbers are those of the `generated.proto` files in `k8s.io/api` and `k8s.io/apimachinery`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::metadata::timestamp;

/// Before every body.
const MAGIC: &[u8] = b"k8s\0";
/// Messages inside messages that are followed.
const MAX_DEPTH: usize = 8;

/// What a field holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Bytes,
    Bool,
    Number,
    Time,
    One(&'static str),
    Many(&'static str),
    Texts,
    TextMap,
    BytesMap,
}

type Message = (&'static str, &'static [(u64, &'static str, Kind)]);

const MESSAGES: &[Message] = &[
    (
        "v1 ConfigMap",
        &[
            (1, "metadata", Kind::One("ObjectMeta")),
            (2, "data", Kind::TextMap),
            (3, "binaryData", Kind::BytesMap),
            (4, "immutable", Kind::Bool),
        ],
    ),
    (
        "v1 Secret",
        &[
            (1, "metadata", Kind::One("ObjectMeta")),
            (2, "data", Kind::BytesMap),
            (3, "type", Kind::Text),
            (4, "stringData", Kind::TextMap),
            (5, "immutable", Kind::Bool),
        ],
    ),
    ("v1 Namespace", &[(1, "metadata", Kind::One("ObjectMeta"))]),
    (
        "v1 ServiceAccount",
        &[
            (1, "metadata", Kind::One("ObjectMeta")),
            (4, "automountServiceAccountToken", Kind::Bool),
        ],
    ),
    (
        "authorization.k8s.io/v1 SelfSubjectAccessReview",
        &[
            (1, "metadata", Kind::One("ObjectMeta")),
            (2, "spec", Kind::One("SelfSubjectAccessReviewSpec")),
        ],
    ),
    (
        "SelfSubjectAccessReviewSpec",
        &[
            (1, "resourceAttributes", Kind::One("ResourceAttributes")),
            (
                2,
                "nonResourceAttributes",
                Kind::One("NonResourceAttributes"),
            ),
        ],
    ),
    (
        "ResourceAttributes",
        &[
            (1, "namespace", Kind::Text),
            (2, "verb", Kind::Text),
            (3, "group", Kind::Text),
            (4, "version", Kind::Text),
            (5, "resource", Kind::Text),
            (6, "subresource", Kind::Text),
            (7, "name", Kind::Text),
        ],
    ),
    (
        "NonResourceAttributes",
        &[(1, "path", Kind::Text), (2, "verb", Kind::Text)],
    ),
    (
        "authorization.k8s.io/v1 SelfSubjectRulesReview",
        &[
            (1, "metadata", Kind::One("ObjectMeta")),
            (2, "spec", Kind::One("SelfSubjectRulesReviewSpec")),
        ],
    ),
    (
        "SelfSubjectRulesReviewSpec",
        &[(1, "namespace", Kind::Text)],
    ),
    (
        "authentication.k8s.io/v1 SelfSubjectReview",
        &[(1, "metadata", Kind::One("ObjectMeta"))],
    ),
    (
        "ObjectMeta",
        &[
            (1, "name", Kind::Text),
            (2, "generateName", Kind::Text),
            (3, "namespace", Kind::Text),
            (5, "uid", Kind::Text),
            (6, "resourceVersion", Kind::Text),
            (7, "generation", Kind::Number),
            (8, "creationTimestamp", Kind::Time),
            (11, "labels", Kind::TextMap),
            (12, "annotations", Kind::TextMap),
            (13, "ownerReferences", Kind::Many("OwnerReference")),
            (14, "finalizers", Kind::Texts),
        ],
    ),
    (
        "OwnerReference",
        &[
            (1, "kind", Kind::Text),
            (3, "name", Kind::Text),
            (4, "uid", Kind::Text),
            (5, "apiVersion", Kind::Text),
            (6, "controller", Kind::Bool),
            (7, "blockOwnerDeletion", Kind::Bool),
        ],
    ),
];

/// One field of a message.
enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// The object in a body, or `None` where it is broken or of a kind that is not known here.
pub(super) fn decode(body: &[u8]) -> Option<Value> {
    let mut envelope = Reader(body.strip_prefix(MAGIC)?);
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    while let Some((number, field)) = envelope.next()? {
        match (number, field) {
            (1, Field::Bytes(kinds)) => {
                let mut kinds = Reader(kinds);
                while let Some((number, field)) = kinds.next()? {
                    match (number, field) {
                        (1, Field::Bytes(text)) => api_version = string(text)?,
                        (2, Field::Bytes(text)) => kind = string(text)?,
                        _ => {}
                    }
                }
            }
            (2, Field::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut object = message(&format!("{api_version} {kind}"), raw, 0)?;
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    Some(object)
}

fn string(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn message(name: &str, bytes: &[u8], depth: usize) -> Option<Value> {
    let (_, fields) = MESSAGES.iter().find(|(message, _)| *message == name)?;
    if depth > MAX_DEPTH {
        return None;
    }
    let mut object = Map::new();
    let mut reader = Reader(bytes);
    while let Some((number, field)) = reader.next()? {
        let Some((_, name, kind)) = fields.iter().find(|(n, ..)| *n == number) else {
            continue;
        };
        put(&mut object, name, *kind, &field, depth)?;
    }
    Some(Value::Object(object))
}

/// Go writes fields that are empty too; JSON leaves them out.
fn put(
    object: &mut Map<String, Value>,
    name: &str,
    kind: Kind,
    field: &Field<'_>,
    depth: usize,
) -> Option<()> {
    let value = match (kind, field) {
        (Kind::Text, Field::Bytes([])) | (Kind::Number, Field::Varint(0)) => return Some(()),
        (Kind::Text, Field::Bytes(text)) => json!(string(text)?),
        (Kind::Bytes, Field::Bytes(bytes)) => json!(STANDARD.encode(bytes)),
        (Kind::Bool, Field::Varint(number)) => json!(*number != 0),
        (Kind::Number, Field::Varint(number)) => json!(number.cast_signed()),
        (Kind::Time, Field::Bytes(bytes)) => time(bytes)?,
        (Kind::One(inner), Field::Bytes(bytes)) => message(inner, bytes, depth + 1)?,
        (Kind::Many(inner), Field::Bytes(bytes)) => {
            push(object, name, message(inner, bytes, depth + 1)?);
            return Some(());
        }
        (Kind::Texts, Field::Bytes(text)) => {
            push(object, name, json!(string(text)?));
            return Some(());
        }
        (Kind::TextMap | Kind::BytesMap, Field::Bytes(bytes)) => {
            let inner = if matches!(kind, Kind::TextMap) {
                Kind::Text
            } else {
                Kind::Bytes
            };
            let (key, value) = entry(bytes, inner)?;
            object.entry(name).or_insert_with(|| json!({}))[key] = value;
            return Some(());
        }
        _ => return None,
    };
    if !value.is_null() {
        object.insert(name.to_owned(), value);
    }
    Some(())
}

fn push(object: &mut Map<String, Value>, name: &str, value: Value) {
    if let Value::Array(list) = object.entry(name).or_insert_with(|| json!([])) {
        list.push(value);
    }
}

fn entry(bytes: &[u8], kind: Kind) -> Option<(String, Value)> {
    let (mut key, mut value) = (String::new(), json!(""));
    let mut reader = Reader(bytes);
    while let Some((number, field)) = reader.next()? {
        match (number, field, kind) {
            (1, Field::Bytes(text), _) => key = string(text)?,
            (2, Field::Bytes(bytes), Kind::Bytes) => value = json!(STANDARD.encode(bytes)),
            (2, Field::Bytes(text), _) => value = json!(string(text)?),
            _ => {}
        }
    }
    Some((key, value))
}

/// Null for Go's zero time.
fn time(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader(bytes);
    let mut seconds = None;
    while let Some((number, field)) = reader.next()? {
        if let (1, Field::Varint(number)) = (number, field) {
            seconds = Some(number.cast_signed());
        }
    }
    Some(json!(
        seconds
            .and_then(|s| Timestamp::from_second(s).ok())
            .map(timestamp)
    ))
}

/// Reads fields off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next field; inner `None` at the end, outer `None` where the bytes are no message.
    #[allow(
        clippy::option_option,
        reason = "the end is not an error, and an error is not the end"
    )]
    fn next(&mut self) -> Option<Option<(u64, Field<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Bytes(self.take(8)?),
            2 => {
                let count = self.varint()?;
                Field::Bytes(self.take(count)?)
            }
            5 => Field::Bytes(self.take(4)?),
            _ => return None,
        };
        Some(Some((tag >> 3, field)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `kubectl auth can-i get pods` sends (kubectl 1.32, `-v=8`).
    const REVIEW: &[u8] = b"k8s\0\n7\n\x17authorization.k8s.io/v1\x12\x1cSelfSubjectAccessReview";

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let field = |number: u8, bytes: &[u8]| {
            let mut field = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
            field.extend(bytes);
            field
        };
        let types = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &types), field(2, raw)].concat()
    }

    #[test]
    fn bodies_of_kubectl_are_read() {
        let raw = b"\n\x10\n\0\x12\0\x1a\0\"\0*\x002\08\0B\0\x12\x1e\n\x1c\n\x07default\x12\x03get\x1a\0\"\0*\x04pods2\0:\0";
        let review = decode(&body(
            "authorization.k8s.io/v1",
            "SelfSubjectAccessReview",
            raw,
        ))
        .unwrap();
        assert_eq!(
            review["spec"],
            json!({"resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}})
        );
        let raw = b"\n\x03\n\x01x\x12\x06\n\x01a\x12\x01b";
        let map = decode(&body("v1", "ConfigMap", raw)).unwrap();
        assert_eq!(
            map,
            json!({
                "metadata": {"name": "x"}, "data": {"a": "b"}, "apiVersion": "v1", "kind": "ConfigMap",
            })
        );
    }

    #[test]
    fn whatever_is_cut_or_bent_is_refused_and_nothing_panics() {
        assert!(decode(b"").is_none());
        assert!(decode(REVIEW).is_none());
        let whole = body("v1", "ConfigMap", b"\n\x03\n\x01x\x12\x06\n\x01a\x12\x01b");
        for end in 0..whole.len() {
            decode(&whole[..end]);
            let mut bent = whole.clone();
            bent[end] ^= 0xff;
            decode(&bent);
        }
        assert!(decode(&body("v1", "Pod", b"")).is_none());
    }
}
