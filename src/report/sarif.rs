//! `check -o sarif`: SARIF 2.1.0, as code scanning reads it. A finding has file, line and an excerpt where the objects
//! come from files, and its object's name everywhere. What is suppressed is a result with its suppression.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{
    clean,
    compare::Comparison,
    explain::url,
    source::{Location, Sources},
};
use ngf_core::diagnosis::{
    Diagnosis, Finding, Severity, Verdict,
    registry::{RULES, Rule},
    suppress::{Filtered, Suppressed},
};

/// The version of the format.
const VERSION: &str = "2.1.0";
/// Its schema.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What stays as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// The report of a diagnosis; `unread` says why objects could not be read.
///
/// # Errors
/// Never for the types at hand; serde wants it said.
pub fn render(
    diagnosis: &Diagnosis,
    unread: &[String],
    sources: &Sources,
) -> Result<String, serde_json::Error> {
    log(&diagnosis.findings, &diagnosis.filtered, unread, sources)
}

/// The report of a comparison: what is new.
///
/// # Errors
/// As [`render`].
pub fn comparison(comparison: &Comparison, sources: &Sources) -> Result<String, serde_json::Error> {
    log(&comparison.new, &comparison.filtered, &[], sources)
}

fn log(
    findings: &[Finding],
    filtered: &Filtered,
    unread: &[String],
    sources: &Sources,
) -> Result<String, serde_json::Error> {
    let active = findings
        .iter()
        .enumerate()
        .map(|(index, finding)| result(finding, sources.get(index), cause(finding, findings)));
    let accepted = filtered.suppressed.iter().map(suppressed);
    let results: Vec<Value> = active.chain(accepted).collect();
    let notes = unread.iter().map(|why| ("error", why.clone()));
    let notes = notes.chain(
        super::filtered_lines(filtered)
            .into_iter()
            .map(|line| ("note", line)),
    );
    let notes: Vec<Value> = notes
        .map(|(level, text)| json!({"level": level, "message": {"text": clean(&text)}}))
        .collect();
    let document = json!({
        "$schema": SCHEMA,
        "version": VERSION,
        "runs": [{
            "tool": {"driver": {
                "name": "ngf-tui",
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": RULES.iter().map(rule).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": unread.is_empty(),
                "toolExecutionNotifications": notes,
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.code.as_str(),
        "name": rule.code.bare(),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.explanation},
        "help": {"text": rule.remedy},
        "helpUri": url(rule.code),
        "defaultConfiguration": {"level": level(rule.severity)},
    })
}

fn cause<'f>(finding: &Finding, all: &'f [Finding]) -> Option<&'f Finding> {
    finding.caused_by.and_then(|cause| all.get(cause))
}

fn object(finding: &Finding) -> String {
    match &finding.input {
        Some(input) => clean(input),
        None => clean(&finding.subject.to_string()),
    }
}

fn result(finding: &Finding, location: Option<&Location>, cause: Option<&Finding>) -> Value {
    let mut text = clean(&finding.title);
    if let Some(remedy) = &finding.remedy {
        text = format!(
            "{}. Fix: {}",
            text.trim_end_matches('.'),
            clean(&remedy.summary)
        );
    }
    // A result of another kind than fail has no level.
    let (kind, level) = match finding.verdict {
        Verdict::Fail => ("fail", level(finding.severity)),
        Verdict::Unknown => ("open", "none"),
    };
    let mut place = Map::new();
    if let Some(location) = location {
        let mut region = json!({"startLine": location.line});
        if let Some(excerpt) = &location.excerpt {
            region["snippet"] = json!({"text": excerpt});
        }
        place.insert(
            "physicalLocation".to_owned(),
            json!({"artifactLocation": {"uri": uri(&location.file)}, "region": region}),
        );
    }
    place.insert(
        "logicalLocations".to_owned(),
        json!([{"fullyQualifiedName": object(finding), "kind": "resource"}]),
    );
    let evidence: Vec<Value> = finding
        .evidence
        .iter()
        .map(|line| json!({"what": clean(&line.what), "value": clean(&line.value), "where": clean(&line.place)}))
        .collect();
    let index = RULES.iter().position(|rule| rule.code == finding.code);
    let mut result = json!({
        "ruleId": finding.code.as_str(),
        "kind": kind,
        "level": level,
        "message": {"text": text},
        "locations": [place],
        "partialFingerprints": {"ngfTui/v1": format!("{} {}", finding.code, object(finding))},
        "properties": {
            "evidence": evidence,
            "detail": finding.detail.iter().map(|line| clean(line)).collect::<Vec<_>>(),
            "effects": finding.effects.iter().map(|line| clean(line)).collect::<Vec<_>>(),
        },
    });
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    if let Some(cause) = cause {
        result["properties"]["causedBy"] = json!(cause.code.as_str());
    }
    result
}

fn suppressed(suppressed: &Suppressed) -> Value {
    let Suppressed { finding, by } = suppressed;
    let mut value = result(finding, None, None);
    let mut why = if by.reason.is_empty() {
        "accepted on the command line".to_owned()
    } else {
        clean(&by.reason)
    };
    if let Some(until) = by.until {
        why = format!("{why} (until {until})");
    }
    value["suppressions"] = json!([{
        "kind": "external",
        "status": "accepted",
        "justification": format!("{why}; {}", clean(&by.place)),
    }]);
    value
}

/// A path as a reference of RFC 3986; one that is not absolute stays relative.
fn uri(path: &str) -> String {
    let encoded = utf8_percent_encode(path, PATH).to_string();
    if path.starts_with('/') {
        format!("file://{encoded}")
    } else {
        encoded.trim_start_matches("./").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        for (path, expected) in [
            ("deploy/a.yaml", "deploy/a.yaml"),
            ("./a b.yaml", "a%20b.yaml"),
            ("/tmp/ä#.yaml", "file:///tmp/%C3%A4%23.yaml"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }
}
