//! The names of scenarios, and what their `scenario.yaml` says.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex},
};

use jiff::Timestamp;
use ngf_core::diagnosis::{Finding, Severity, Verdict};

use super::description::Description;

/// Sets that are broken in thirty ways.
pub(crate) const BROKEN: &[&str] = &[
    "g1-client-certificate-kind",
    "g2-client-certificate-group",
    "g3-client-certificate-missing",
    "g3-still-issuing",
    "g4-client-certificate-opaque",
    "g5-client-certificate-key-of-another",
    "g6-broken-ca-beside-good-pair",
    "g7-client-certificate-not-granted",
    "g9-client-certificate-expired",
    "g10-client-certificate-without-policy",
    "g12-client-key-too-weak",
    "p1-section-name-is-a-number",
    "p1-target-misspelt",
    "p2-hostname-with-port",
    "p3-no-ca-at-all",
    "p4-two-cas",
    "p5-ca-kind",
    "p6-ca-missing",
    "p6-config-map-with-another-key",
    "p7-opaque-ca",
    "p8-ca-secret-without-ca",
    "p9-garbage-in-ca",
    "p12-subject-alt-names",
    "p13-two-policies",
    "m6-only-an-intermediate",
    "r1-different-policies",
    "r3-service-missing",
    "r5-app-protocol",
    "r8-not-ready",
    "r16-host-names-do-not-meet",
    "d2-no-data-plane",
    "s7-controller-is-behind",
];

/// The names of all scenarios.
pub(crate) fn all() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root())
        .expect("tests/scenarios")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.join("scenario.yaml").exists())
        .map(|path| {
            path.file_name()
                .expect("name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// The rules that narrowly do not fire in a scenario.
pub(crate) fn near(name: &str) -> Vec<String> {
    description(name).near
}

/// A scenario and those that it starts from.
pub(crate) fn bases(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    while let Some(base) = description(&all[all.len() - 1]).base {
        all.push(base);
    }
    all
}

/// The findings that a scenario names.
pub(crate) fn expected(name: &str) -> Vec<String> {
    description(name).expect
}

/// The moment of scenarios that name none.
pub(crate) fn moment() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("a moment")
}

/// Where scenarios are.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// A finding as scenarios write it.
pub(crate) fn line(finding: &Finding, all: &[Finding]) -> String {
    let mut words = vec![finding.code.to_string()];
    if finding.severity != Severity::Error {
        words.push(finding.severity.to_string());
    }
    if finding.verdict == Verdict::Unknown {
        words.push("unknown".to_owned());
    }
    if let Some(cause) = finding.caused_by {
        words.push(format!("by {}", all[cause].code));
    }
    words.join(" ")
}

pub(super) fn description(name: &str) -> Description {
    static READ: LazyLock<Mutex<HashMap<String, Description>>> = LazyLock::new(Mutex::default);
    let mut read = READ.lock().expect("no panic");
    if let Some(known) = read.get(name) {
        return known.clone();
    }
    let path = root().join(name).join("scenario.yaml");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let description: Description =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    read.insert(name.to_owned(), description.clone());
    description
}
