//! `-o wide` and `-o name`: a thing a line, for `grep` and `awk`.

use ngf_core::{
    diagnosis::{
        Finding, Verdict,
        timeline::{Entry, Timeline},
        words,
    },
    model::object::ObjectRef,
};
use ngf_ui::text::Label;

use super::{clean, explain::url};

/// Columns between two.
const GAP: &str = "   ";

/// Rows under a heading, each column as wide as its widest cell; the last is not padded.
fn table<const N: usize>(heading: [&str; N], rows: Vec<[String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(heading.map(str::to_owned))
        .chain(rows)
        .collect();
    let width = |text: &str| Label::from(text.to_owned()).width();
    let widths: Vec<usize> = (0..N)
        .map(|column| {
            rows.iter()
                .map(|row| width(&row[column]))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, most) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(most - width(cell)));
            line.push_str(GAP);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A cell; an empty one is kubectl's.
fn cell(text: &str) -> String {
    let text = clean(text);
    if text.is_empty() {
        "<none>".to_owned()
    } else {
        text
    }
}

/// `check -o wide`: a finding a line.
pub fn findings(findings: &[Finding]) -> String {
    let rows = findings.iter().map(|finding| {
        let severity = match finding.verdict {
            Verdict::Unknown => "unknown".to_owned(),
            Verdict::Fail => finding.severity.to_string(),
        };
        let (namespace, object) = match &finding.input {
            Some(input) => (String::new(), clean(input)),
            None => (finding.subject.namespace.clone(), name(&finding.subject)),
        };
        [
            finding.code.to_string(),
            severity,
            cell(&namespace),
            cell(&object),
            cause(finding, findings),
            cell(&finding.title),
            url(finding.code),
        ]
    });
    table(
        [
            "CODE",
            "SEVERITY",
            "NAMESPACE",
            "OBJECT",
            "CAUSED BY",
            "PROBLEM",
            "DOCUMENTATION",
        ],
        rows.collect(),
    )
}

fn cause(finding: &Finding, all: &[Finding]) -> String {
    let cause = finding.caused_by.and_then(|cause| all.get(cause));
    cause.map_or_else(|| "<none>".to_owned(), |cause| cause.code.to_string())
}

/// `check -o name`: the objects that findings are about, each once.
pub fn names_of_findings(findings: &[Finding]) -> String {
    let of_objects = findings.iter().filter(|finding| finding.input.is_none());
    lines(of_objects.map(|finding| name(&finding.subject)))
}

/// `chain -o wide`: a certificate a line.
pub fn certificates(timeline: &Timeline) -> String {
    let at = timeline.at.as_second();
    let rows = timeline.entries.iter().map(|entry: &Entry| {
        let facts = &entry.facts;
        let left = match facts.not_after - at {
            left if left < 0 => format!("-{}", words::span(-left)),
            left => words::span(left),
        };
        let places = entry.uses.iter().filter_map(|used| used.object.as_ref());
        let mut places: Vec<String> = places.map(ObjectRef::to_string).collect();
        places.dedup();
        let mut users: Vec<&str> = entry.uses.iter().map(|used| used.of.as_str()).collect();
        users.dedup();
        [
            cell(&left),
            cell(&words::moment(facts.not_after)),
            cell(&facts.subject),
            cell(&facts.issuer),
            cell(&facts.fingerprint_sha256),
            cell(&places.join(", ")),
            cell(&users.join(", ")),
        ]
    });
    table(
        [
            "EXPIRES IN",
            "NOT AFTER",
            "SUBJECT",
            "ISSUER",
            "SHA-256",
            "STORED IN",
            "USED BY",
        ],
        rows.collect(),
    )
}

/// `chain -o name`: the Secrets and ConfigMaps that hold certificates, each once.
pub fn names_of_certificates(timeline: &Timeline) -> String {
    let uses = timeline.entries.iter().flat_map(|entry| &entry.uses);
    lines(uses.filter_map(|used| used.object.as_ref()).map(name))
}

fn lines(names: impl Iterator<Item = String>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    names
        .filter(|name| seen.insert(name.clone()))
        .map(|name| name + "\n")
        .collect()
}

/// An object as `kubectl -o name` prints it: `httproute.gateway.networking.k8s.io/cart`, `service/cart`.
fn name(object: &ObjectRef) -> String {
    let info = object.kind.info();
    let kind = info.name.to_ascii_lowercase();
    let name = clean(&object.name);
    match info.group {
        "" => format!("{kind}/{name}"),
        group => format!("{kind}.{group}/{name}"),
    }
}
