//! Which field of which object a finding is about.

use super::super::{Diagnosis, Finding};
use crate::diagnosis::code::Code;
use crate::model::{kind::Kind, object::ObjectRef, snapshot::Snapshot};

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldAt {
    /// The object.
    pub object: ObjectRef,
    /// The names of the fields on the way to it.
    pub path: Vec<String>,
}

/// Rules whose fault is in one field, where no evidence names it: the code, the kind of the object and the
/// path. The deepest field of the path that the object has is shown: of one that is missing, what it
/// should stand in.
const FIELDS: &[(Code, Kind, &str)] = &[
    (Code::P1, Kind::BackendTLSPolicy, "spec.targetRefs"),
    (Code::P2, Kind::BackendTLSPolicy, "spec.validation.hostname"),
    (Code::P7, Kind::Secret, "type"),
    (Code::P8, Kind::Secret, "data.ca.crt"),
    (Code::P8, Kind::ConfigMap, "data.ca.crt"),
    (
        Code::G8,
        Kind::Gateway,
        "spec.tls.backend.clientCertificateRef",
    ),
    (
        Code::G3,
        Kind::Gateway,
        "spec.tls.backend.clientCertificateRef",
    ),
    (Code::T8, Kind::BackendTLSPolicy, "spec.validation.hostname"),
];

/// The first field that one of the findings is about and that was read.
pub fn field_at_fault(
    diagnosis: &Diagnosis,
    findings: &[usize],
    snapshot: &Snapshot,
) -> Option<FieldAt> {
    let findings = || findings.iter().map(|index| &diagnosis.findings[*index]);
    let named = findings().find_map(|finding| by_evidence(finding, snapshot));
    named
        .or_else(|| findings().find_map(|finding| by_code(finding, snapshot)))
        .or_else(|| findings().find_map(|finding| by_condition(finding, snapshot)))
}

/// The first field that a finding is about and that was read.
pub fn field_of(finding: &Finding, snapshot: &Snapshot) -> Option<FieldAt> {
    by_evidence(finding, snapshot)
        .or_else(|| by_code(finding, snapshot))
        .or_else(|| by_condition(finding, snapshot))
}

/// The field that the evidence names: `spec.tls.backend.clientCertificateRef … (Gateway default/gateway)`.
fn by_evidence(finding: &Finding, snapshot: &Snapshot) -> Option<FieldAt> {
    finding.evidence.iter().find_map(|line| {
        if !line.what.starts_with("spec.") {
            return None;
        }
        let place = |object: &&ObjectRef| object.to_string() == line.place;
        let object = finding.objects().find(place)?;
        there(snapshot, object, &line.what)
    })
}

fn by_code(finding: &Finding, snapshot: &Snapshot) -> Option<FieldAt> {
    FIELDS
        .iter()
        .filter(|(code, ..)| *code == finding.code)
        .find_map(|(_, kind, path)| {
            let object = finding.objects().find(|object| object.kind == *kind)?;
            there(snapshot, object, path)
        })
}

/// Where a condition says what is wrong: the status.
fn by_condition(finding: &Finding, snapshot: &Snapshot) -> Option<FieldAt> {
    finding.evidence.iter().find_map(|line| {
        let place = line.place.strip_suffix(" status")?;
        let object = finding
            .objects()
            .find(|object| object.to_string() == place)?;
        there(snapshot, object, "status")
    })
}

/// The field, or the deepest one above it that the object has.
fn there(snapshot: &Snapshot, object: &ObjectRef, path: &str) -> Option<FieldAt> {
    let raw = snapshot.raw(object)?;
    let mut value = &**raw;
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let field = value.as_object()?;
        // `ca.crt` is one name.
        let names = [Some(rest), rest.split_once('.').map(|(name, _)| name)];
        let name = names
            .into_iter()
            .flatten()
            .map(|name| name.split('[').next().unwrap_or(name))
            .find(|name| field.contains_key(*name));
        let Some(name) = name else { break };
        found.push(name.to_owned());
        value = &field[name];
        rest = rest[name.len()..]
            .trim_start_matches(|c: char| c != '.')
            .trim_start_matches('.');
        if !value.is_object() {
            break;
        }
    }
    (!found.is_empty()).then(|| FieldAt {
        object: object.clone(),
        path: found,
    })
}
