//! The JSON schemas in `assets/schema` are the program's, and every `-o json` keeps to its own.
//! `UPDATE_SCHEMAS=1` writes them again.

use std::{collections::BTreeSet, fs, path::PathBuf};

use super::demo::Served;
use crate::support::ngf_tui;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/schema")
}

fn printed(args: &[&str]) -> String {
    let output = ngf_tui().args(args).output().expect("ngf-tui runs");
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&printed(&["schema", name])).expect("JSON")
}

/// The file of a document, named after the version in its `schema` field.
fn file(name: &str, schema: &Value) -> PathBuf {
    let constant = schema
        .pointer("/properties/schema/const")
        .and_then(Value::as_str);
    let constant = constant.unwrap_or_else(|| panic!("{name} has no constant field `schema`"));
    let version = constant.rsplit('/').next().expect("a version");
    folder().join(format!("{name}.{version}.json"))
}

#[test]
fn the_schemas_in_assets_are_the_programs() {
    let names = printed(&["schema"]);
    let mut expected = BTreeSet::new();
    for name in names.lines() {
        let text = printed(&["schema", name]);
        let path = file(name, &serde_json::from_str(&text).expect("JSON"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::create_dir_all(folder()).expect("a folder");
            fs::write(&path, &text).expect("a file");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(kept, text, "{}: UPDATE_SCHEMAS=1 writes it", path.display());
        expected.insert(path);
    }
    assert!(expected.len() >= 10, "{expected:?}");
    let config = folder().join("config.json");
    let kept = fs::read_to_string(&config).expect("a schema");
    assert_eq!(printed(&["config", "schema"]), kept);
    expected.insert(config);
    let found = fs::read_dir(folder()).expect("a folder");
    let found: BTreeSet<PathBuf> = found.map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(found, expected);
    let output = ngf_tui()
        .args(["schema", "nothing"])
        .output()
        .expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("unknown document \"nothing\": expected check, "),
        "{error}"
    );
}

/// What is wrong with a document by its schema.
fn faults(name: &str, document: &Value) -> Vec<String> {
    let schema = schema(name);
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors = validator.iter_errors(document);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
#[allow(clippy::too_many_lines)] // one table of all documents
fn every_json_keeps_to_its_schema() {
    let mut left: BTreeSet<String> = printed(&["schema"]).lines().map(str::to_owned).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let manifests = folder.path().join("all.yaml");
    let cases: &[(&str, &str, &[&str])] = &[
        ("wrong-ca", "check", &["check", "--suppress", "T1"]),
        ("fleet", "check", &["check", "--no-probe"]),
        ("wrong-ca", "check-over", &["check", "-f", "@", "--over"]),
        (
            "wrong-ca",
            "checks",
            &["check", "--context", "ngf-demo", "--context", "missing"],
        ),
        ("wrong-ca", "chain", &["chain"]),
        ("wrong-ca", "logs", &["logs"]),
        ("wrong-ca", "probe", &["probe", "httproute/secure-app"]),
        (
            "two-endpoints-one-expired",
            "probes",
            &["probe", "httproute/secure-app"],
        ),
        (
            "wrong-ca",
            "tls-scan",
            &["probe", "httproute/secure-app", "--tls-scan"],
        ),
        (
            "two-endpoints-one-expired",
            "tls-scans",
            &["probe", "httproute/secure-app", "--tls-scan"],
        ),
        (
            "wrong-ca",
            "endpoint-matrix",
            &["probe", "gateway/gateway", "--all"],
        ),
        ("wrong-ca", "version", &["version"]),
        (
            "wrong-ca",
            "certificates",
            &["chain", "--inspect", "secret/app-tls-secret"],
        ),
        ("wrong-ca", "info", &["info"]),
    ];
    for scenario in ["wrong-ca", "two-endpoints-one-expired", "fleet"] {
        let served = Served::start(scenario);
        for (_, name, args) in cases.iter().filter(|(of, ..)| *of == scenario) {
            if args.contains(&"@") {
                let policy = json!({
                    "apiVersion": "v1", "kind": "Service",
                    "metadata": {"name": "another", "namespace": "default"},
                    "spec": {"ports": [{"name": "https", "port": 8443}]}});
                fs::write(&manifests, policy.to_string()).expect("a file");
            }
            let file = manifests.to_str().expect("UTF-8");
            let args = args.iter().map(|arg| if *arg == "@" { file } else { arg });
            let timeout: &[&str] = if *name == "info" {
                &[]
            } else {
                &["--timeout", "60s"]
            };
            let output = ngf_tui()
                .args(args)
                .args(["-o", "json", "--kubeconfig", served.kubeconfig()])
                .args(timeout)
                .output()
                .expect("ngf-tui runs");
            let document: Value = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
            let faults = faults(name, &document);
            assert!(faults.is_empty(), "{scenario} {name}: {faults:#?}");
            left.remove(*name);
        }
    }
    let served = Served::start("wrong-ca");
    let bundle = manifests.with_file_name("case.json");
    let output = ngf_tui()
        .arg("bundle")
        .arg(&bundle)
        .args(["--timeout", "60s", "--kubeconfig", served.kubeconfig()])
        .output()
        .expect("ngf-tui runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let document = fs::read_to_string(&bundle).expect("a bundle");
    let found = faults("bundle", &serde_json::from_str(&document).expect("JSON"));
    assert!(found.is_empty(), "bundle: {found:#?}");
    left.remove("bundle");
    let recording = manifests.with_file_name("case.jsonl");
    let output = ngf_tui()
        .arg("record")
        .arg(&recording)
        .args(["--for", "3s", "--timeout", "60s"])
        .args(["--kubeconfig", served.kubeconfig()])
        .output()
        .expect("ngf-tui runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let document = fs::read_to_string(&recording).expect("a recording");
    assert!(document.lines().count() > 0);
    for line in document.lines() {
        let found = faults("recording", &serde_json::from_str(line).expect("JSON"));
        assert!(found.is_empty(), "recording: {found:#?}");
    }
    left.remove("recording");
    // A schema that anything meets would show nothing.
    let mut broken = json!({"schema": "ngf-tui/check/v1"});
    assert!(!faults("check", &broken).is_empty());
    broken["schema"] = json!("ngf-tui/chain/v1");
    assert!(!faults("chain", &broken).is_empty());
    assert!(left.is_empty(), "no test has {left:?}");
}
