//! `check --within`: what expires within a time, as findings.

use jiff::Timestamp;

use super::{Entry, Timeline};
use crate::{
    diagnosis::{
        finding::{Finding, Mark, Remedy, Severity},
        words,
    },
    model::{kind::Kind, object::ObjectRef},
};

/// The codes whose findings say the same of an object.
const EXPIRY: &[&str] = &["NGF-E1", "NGF-E3"];
const CODE: &str = "NGF-E3";

impl Timeline {
    /// Adds a finding of severity error for each certificate that is valid and will not be at
    /// `until`, with who renews it. One that is there already about the same object becomes an error
    /// instead.
    pub fn add_findings(&self, findings: &mut Vec<Finding>, now: Timestamp, until: Timestamp) {
        let range = now.as_second()..until.as_second();
        for entry in &self.entries {
            if !range.contains(&entry.facts.not_after) {
                continue;
            }
            let objects: Vec<&ObjectRef> = entry
                .uses
                .iter()
                .filter_map(|used| used.object.as_ref())
                .collect();
            let Some(subject) = objects.first() else {
                continue;
            };
            let known = findings.iter_mut().find(|finding| {
                EXPIRY.contains(&finding.code)
                    && objects.contains(&&finding.subject)
                    && finding.title.contains(&entry.facts.subject)
            });
            match known {
                Some(known) => known.severity = Severity::Error,
                None => findings.push(finding(entry, subject, &objects, now)),
            }
        }
    }
}

fn finding(entry: &Entry, subject: &ObjectRef, objects: &[&ObjectRef], now: Timestamp) -> Finding {
    let facts = &entry.facts;
    let left = words::span(facts.not_after - now.as_second());
    let title = format!(
        "{} in {subject} expires in {left}, on {}",
        facts.subject,
        words::moment(facts.not_after)
    );
    let mut finding =
        Finding::new(CODE, Severity::Error, subject, title).scope(objects.iter().copied());
    finding.marks.extend(
        objects
            .iter()
            .map(|object| Mark::Object((*object).clone()))
            .filter(|mark| mark.object() != subject),
    );
    for used in &entry.uses {
        let place = match &used.object {
            Some(object) => format!("{object}[{}]", used.key),
            None => "only a probe saw it".to_owned(),
        };
        finding = finding.evidence(
            format!("{} {}", used.part.phrase(), used.of),
            &used.renewal.sentence,
            place,
        );
    }
    for sentence in &entry.breaks {
        finding = finding.breaks(sentence);
    }
    let by = entry.uses.iter().find_map(|used| used.renewal.by.as_ref());
    let remedy = match by {
        Some(certificate) if certificate.kind == Kind::Certificate => Remedy::command(
            format!("{certificate} renews it; see whether it will in time, or renew it now."),
            format!(
                "kubectl -n {} get certificate {}",
                certificate.namespace, certificate.name
            ),
        ),
        _ => Remedy::say("Renew it by hand, or let cert-manager do so."),
    };
    finding.remedy(remedy)
}
