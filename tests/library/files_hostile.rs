//! Any field of any object may hold anything: nothing panics, and nothing else is hidden.

use std::{collections::BTreeSet, fs, path::PathBuf};

use ngf_core::model::{kind::KINDS, snapshot::Snapshot};
use ngf_tui::files::read;
use serde_json::{Value, json};

fn every_kind() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/every-kind.yaml")
}

fn objects() -> Vec<Value> {
    let text = fs::read_to_string(every_kind()).expect("the fixture");
    serde_saphyr::from_multiple(&text).expect("YAML")
}

/// Every object of a snapshot, as `Kind namespace/name`, with how many notes it has.
fn read_objects(snapshot: &Snapshot) -> Vec<(String, usize)> {
    KINDS
        .iter()
        .flat_map(|info| snapshot.references_of(info.kind))
        .filter(|reference| snapshot.contains(reference))
        .map(|reference| (reference.to_string(), snapshot.notes_of(reference).len()))
        .collect()
}

/// JSON pointers to everything in a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_kind_is_read_without_a_note() {
    let snapshot = read(&[every_kind()], "default");
    assert_eq!(snapshot.problems, []);
    assert!(snapshot.ignored.is_empty());
    let kinds: BTreeSet<_> = snapshot.kinds.keys().copied().collect();
    assert_eq!(kinds, KINDS.iter().map(|info| info.kind).collect());
    let read = read_objects(&snapshot);
    assert_eq!(read.len(), KINDS.len());
    for (object, notes) in read {
        assert_eq!(notes, 0, "{object}");
    }
}

#[test]
fn whatever_a_field_holds_the_object_is_read_and_all_others_are() {
    let hostile = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!("\u{1b}[2J\u{202e}"),
        json!([]),
        json!([null, [], {}, "x", 7]),
        json!({}),
        json!({"name": [], "kind": 1, "\u{0}": {}}),
    ];
    let mut broken = Vec::new();
    for object in objects() {
        let mut fields = Vec::new();
        pointers(&object, "", &mut fields);
        // without these an object has no name to be read under
        let identity = [
            "",
            "/apiVersion",
            "/kind",
            "/metadata",
            "/metadata/name",
            "/metadata/namespace",
        ];
        for field in fields
            .iter()
            .filter(|field| !identity.contains(&field.as_str()))
        {
            for value in &hostile {
                let mut copy = object.clone();
                copy["metadata"]["name"] = json!(format!("broken-{}", broken.len()));
                *copy.pointer_mut(field).expect("a field") = value.clone();
                broken.push(copy);
            }
        }
    }
    assert!(broken.len() > 3_000, "{}", broken.len());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.json");
    fs::write(
        &path,
        json!({"apiVersion": "v1", "kind": "List", "items": broken}).to_string(),
    )
    .expect("a file");
    let snapshot = read(&[path, every_kind()], "default");
    assert_eq!(snapshot.problems, []);
    let read: BTreeSet<String> = read_objects(&snapshot)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(read.len(), broken.len() + KINDS.len());
    let shown = format!("{snapshot:?}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{0}']));
}
