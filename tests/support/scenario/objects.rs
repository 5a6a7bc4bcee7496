//! A scenario's objects, with certificates in the place of their names.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    sync::{LazyLock, Mutex},
};

use ngf_core::model::snapshot::Snapshot;
use ngf_tui::files;
use serde_json::{Value, json};

use super::names::{description, root};
use crate::support::pki::{self, Minted, Wanted};

/// A scenario's objects, with certificates as their names: the same at every run.
pub(crate) fn objects_by_name(name: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    collect(name, &mut BTreeMap::new(), &mut objects);
    objects
}

/// A scenario's objects as a cluster would give them.
pub(crate) fn objects(name: &str) -> Vec<Value> {
    let now = description(name)
        .now
        .unwrap_or_else(|| "2026-06-01T12:00:00Z".parse().expect("a moment"));
    let (mut wanted, mut objects) = (BTreeMap::new(), Vec::new());
    collect(name, &mut wanted, &mut objects);
    let minted = pki::mint(&wanted, now);
    let by_name: BTreeMap<String, &Minted> = minted
        .iter()
        .map(|(name, pair)| (name.clone(), pair))
        .collect();
    let list: Value = serde_json::from_str(&filled(name, &objects, &by_name)).expect("JSON");
    list["items"].as_array().expect("a list").clone()
}

/// The objects of `objects.yaml`.
fn written(name: &str) -> Vec<Value> {
    static READ: LazyLock<Mutex<HashMap<String, Vec<Value>>>> = LazyLock::new(Mutex::default);
    let mut read = READ.lock().expect("no panic");
    if let Some(known) = read.get(name) {
        return known.clone();
    }
    let file = root().join(name).join("objects.yaml");
    let mut objects = Vec::new();
    if let Ok(text) = fs::read_to_string(&file) {
        for part in text.split("\n---") {
            let value: Option<Value> = serde_saphyr::from_str(part)
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            objects.extend(value.filter(|value| !value.is_null()));
        }
    }
    read.insert(name.to_owned(), objects.clone());
    objects
}

/// Objects and certificates of the base first, then what the scenario changes.
pub(super) fn collect(name: &str, wanted: &mut BTreeMap<String, Wanted>, objects: &mut Vec<Value>) {
    let description = description(name);
    if let Some(base) = &description.base {
        collect(base, wanted, objects);
    }
    wanted.extend(description.certificates.clone());
    objects.extend(written(name));
    description.change(name, objects);
    description.put_words(name, objects);
}

pub(super) fn read(name: &str, objects: &[Value], minted: &BTreeMap<String, &Minted>) -> Snapshot {
    let text = filled(name, objects, minted);
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("objects.json");
    fs::write(&path, text).expect("file");
    files::read(&[path], "default")
}

/// The objects as a list, with the certificates in place.
pub(super) fn filled(name: &str, objects: &[Value], minted: &BTreeMap<String, &Minted>) -> String {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let text = serde_json::to_string_pretty(&list).expect("JSON");
    let text = fill(text, minted);
    assert!(
        !text.contains("{{"),
        "{name}: a certificate is missing: {}",
        unfilled(&text)
    );
    text
}

/// Certificates and keys in the place of their names.
pub(super) fn fill(mut text: String, minted: &BTreeMap<String, &Minted>) -> String {
    for (certificate, pair) in minted {
        let escaped = |pem: String| {
            let quoted = serde_json::to_string(&pem).expect("JSON");
            quoted.trim_matches('"').to_owned()
        };
        let (of_certificate, of_key) = (
            format!("{{{{{certificate}.crt}}}}"),
            format!("{{{{{certificate}.key}}}}"),
        );
        let of_line = format!("{{{{{certificate}.line}}}}");
        if text.contains(&of_line) {
            let pem = pair.certificate_pem();
            text = text.replace(&of_line, &escaped(pem.trim_end().to_owned()));
        }
        let headed = format!("{{{{{certificate}.headed}}}}");
        if text.contains(&headed) {
            let begin = "-----BEGIN CERTIFICATE-----\n";
            let pem = pair.certificate_pem();
            let with_header = pem.replace(begin, &format!("{begin}Comment: a CA\n\n"));
            text = text.replace(&headed, &escaped(with_header));
        }
        if text.contains(&of_certificate) {
            text = text.replace(&of_certificate, &escaped(pair.certificate_pem()));
        }
        if text.contains(&of_key) {
            text = text.replace(&of_key, &escaped(pair.key_pem()));
        }
    }
    text
}

fn unfilled(text: &str) -> &str {
    text.split_once("{{")
        .map_or("", |(_, rest)| &rest[..rest.len().min(30)])
}
