//! Whether the list of known fields (`core/src/model/decode/fields.txt`) is as new as the released CRDs: those that the
//! Go module proxy has, and those in the folder that `NGF_TUI_CRDS` names (NGF's own are no Go module).
//!
//! `make fields` runs it; `UPDATE_FIELDS=1 make fields` adds what is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

const LIST: &str = "core/src/model/decode/fields.txt";

/// Modules with CRDs, the versions that are asked for, and the folders that hold them.
const MODULES: &[(&str, &[&str], &[&str])] = &[
    (
        "sigs.k8s.io/gateway-api",
        // A release may need a newer Go than is installed: then the newest of the minor before it is read.
        &["latest", "v1.6"],
        &["config/crd/standard", "config/crd/experimental"],
    ),
    (
        "github.com/cert-manager/cert-manager",
        &["latest"],
        &["deploy/crds"],
    ),
    (
        "github.com/cert-manager/trust-manager",
        &["latest"],
        &["deploy/crds"],
    ),
];

/// The fields below each path of a kind.
type Fields = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

#[test]
fn every_field_of_the_released_crds_is_in_the_list() {
    let mut released = Fields::new();
    let mut read = Vec::new();
    for (module, versions, folders) in MODULES {
        let (version, root) = newest(module, versions);
        for folder in *folders {
            collect(&root.join(folder), &mut released);
        }
        read.push(format!("{module} {version}"));
    }
    if let Some(folder) = std::env::var_os("NGF_TUI_CRDS") {
        collect(Path::new(&folder), &mut released);
        read.push(folder.to_string_lossy().into_owned());
    }
    println!("read {}", read.join(", "));
    assert!(
        released.contains_key("BackendTLSPolicy") && released.contains_key("Certificate"),
        "{:?}",
        released.keys()
    );
    let text = fs::read_to_string(LIST).expect("the list");
    let (comment, mut known) = parse(&text);
    let mut missing = String::new();
    for (kind, paths) in &released {
        let Some(known) = known.get_mut(kind) else {
            continue;
        };
        for (path, fields) in known.iter_mut() {
            let Some(released) = paths.get(path) else {
                continue;
            };
            let new: Vec<&String> = released.difference(fields).collect();
            if !new.is_empty() {
                let _ = writeln!(missing, "{kind} {path}: {new:?}");
            }
            fields.extend(released.iter().cloned());
        }
    }
    if std::env::var_os("UPDATE_FIELDS").is_some() {
        fs::write(LIST, format!("{comment}{}", written(&known))).expect("written");
        return;
    }
    assert!(
        missing.is_empty(),
        "{LIST} is older than {}: UPDATE_FIELDS=1 make fields\n{missing}",
        read.join(", ")
    );
}

/// The first of these versions that Go can download, and its folder.
fn newest(module: &str, versions: &[&str]) -> (String, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut why = String::new();
    for version in versions {
        let output = Command::new("go")
            .current_dir(folder.path())
            .args(["mod", "download", "-json", &format!("{module}@{version}")])
            .output()
            .expect("go is installed");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if let (Some(root), Some(version)) = (said["Dir"].as_str(), said["Version"].as_str()) {
            return (version.to_owned(), PathBuf::from(root));
        }
        let error = said["Error"].as_str().unwrap_or_default();
        println!("{module}@{version} cannot be read: {error}");
        let _ = writeln!(why, "{module}@{version}: {error}");
    }
    panic!("{why}");
}

/// Adds what the CRDs in a folder have under `spec`.
fn collect(folder: &Path, released: &mut Fields) {
    let files = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    for file in files {
        let path = file.expect("a file").path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a file");
        for document in text.split("\n---") {
            let crd: Value = serde_saphyr::from_str(document).unwrap_or_default();
            if crd["kind"] != "CustomResourceDefinition" {
                continue;
            }
            let kind = crd["spec"]["names"]["kind"].as_str().unwrap_or_default();
            let paths = released.entry(kind.to_owned()).or_default();
            let versions = crd["spec"]["versions"].as_array();
            for version in versions.into_iter().flatten() {
                let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
                walk("spec", spec, paths);
            }
        }
    }
}

/// The fields of a schema, and of what is below it; lists are not written in paths.
fn walk(path: &str, schema: &Value, paths: &mut BTreeMap<String, BTreeSet<String>>) {
    if let Some(items) = schema.get("items") {
        return walk(path, items, paths);
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let fields = paths.entry(path.to_owned()).or_default();
    fields.extend(properties.keys().cloned());
    for (name, below) in properties {
        walk(&format!("{path}.{name}"), below, paths);
    }
}

/// The comment of the list, and its fields.
fn parse(text: &str) -> (String, Fields) {
    let (mut comment, mut fields, mut kind) = (String::new(), Fields::new(), String::new());
    for line in text.lines() {
        if line.starts_with('#') {
            let _ = writeln!(comment, "{line}");
        } else if let Some((path, names)) = line.trim_start().split_once(": ") {
            let names = names.split(' ').map(str::to_owned).collect();
            let of_kind = fields.entry(kind.clone()).or_default();
            of_kind.insert(path.to_owned(), names);
        } else {
            line.clone_into(&mut kind);
        }
    }
    (comment, fields)
}

fn written(fields: &Fields) -> String {
    let mut text = String::new();
    for (kind, paths) in fields {
        let _ = writeln!(text, "{kind}");
        for (path, names) in paths {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let _ = writeln!(text, "  {path}: {}", names.join(" "));
        }
    }
    text
}
