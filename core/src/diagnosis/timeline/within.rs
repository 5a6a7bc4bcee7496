//! `check --within`: what expires within a time, as findings.

use jiff::Timestamp;
use ngf_tls::certificate::CertificateFacts;

use super::{Entry, Timeline};
use crate::diagnosis::code::Code;
use crate::{
    command::Command,
    diagnosis::{
        finding::{Finding, Mark, Remedy, Severity},
        words,
    },
    model::{kind::Kind, object::ObjectRef},
};

/// The codes whose findings say the same of an object.
const EXPIRY: &[Code] = &[Code::E1, Code::E3];
const CODE: Code = Code::E3;

/// How soon is soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Horizon {
    /// Before this moment.
    Until(Timestamp),
    /// Less than this share of its lifetime is left, in percent.
    Share(u8),
}

impl Horizon {
    /// Whether a certificate is valid and expires within it.
    pub fn holds(self, facts: &CertificateFacts, now: Timestamp) -> bool {
        let now = now.as_second();
        let left = facts.not_after.saturating_sub(now);
        if left < 0 {
            return false;
        }
        match self {
            Self::Until(until) => facts.not_after < until.as_second(),
            Self::Share(percent) => {
                let lifetime = facts.not_after.saturating_sub(facts.not_before);
                i128::from(left) * 100 < i128::from(lifetime) * i128::from(percent)
            }
        }
    }
}

impl Timeline {
    /// Adds a finding for each certificate that is valid and expires within the horizon, with who renews it:
    /// of severity info where it is certain to be renewed in time wherever it stands, else error. One
    /// that is there already about the same object becomes an error instead.
    pub fn add_findings(&self, findings: &mut Vec<Finding>, now: Timestamp, horizon: Horizon) {
        for entry in &self.entries {
            if !horizon.holds(&entry.facts, now) {
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
            let mut renewed = entry.uses.iter().filter(|used| used.object.is_some());
            let is_in_time = renewed.all(|used| used.renewal.is_in_time);
            let holder = words::holder(&entry.facts);
            let is_about_it = |finding: &Finding| {
                let mut evidence = finding.evidence.iter();
                evidence.any(|line| line.what == "subject" && line.value == holder)
            };
            let known = findings.iter_mut().find(|finding| {
                EXPIRY.contains(&finding.code)
                    && objects.contains(&&finding.subject)
                    && is_about_it(finding)
            });
            match known {
                Some(_) if is_in_time => {}
                Some(known) => known.severity = Severity::Error,
                None if is_in_time => findings.push(renewed_in_time(entry, subject, now)),
                None => findings.push(finding(entry, subject, &objects, now)),
            }
        }
    }
}

/// Who renews it, and when, wherever it stands.
fn renewed_in_time(entry: &Entry, subject: &ObjectRef, now: Timestamp) -> Finding {
    let facts = &entry.facts;
    let last = entry.uses.iter().filter(|used| used.object.is_some());
    let last = last.max_by_key(|used| used.renewal.at);
    let by = last.and_then(|used| Some((used.renewal.by.as_ref()?, used.renewal.at?)));
    let by = by.map_or_else(String::new, |(certificate, at)| {
        format!(
            "; {certificate} replaces it on {}",
            words::moment(at.as_second())
        )
    });
    let title = format!(
        "{} in {subject} expires in {}, on {}{by}",
        words::holder(facts),
        words::span(facts.not_after - now.as_second()),
        words::moment(facts.not_after)
    );
    let mut found = Finding::new(CODE, Severity::Info, subject, title);
    found.marks.clear();
    with_uses(found, entry).remedy(Remedy::say("Nothing: cert-manager renews it in time."))
}

fn with_uses(mut finding: Finding, entry: &Entry) -> Finding {
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
    finding
}

fn finding(entry: &Entry, subject: &ObjectRef, objects: &[&ObjectRef], now: Timestamp) -> Finding {
    let facts = &entry.facts;
    let left = words::span(facts.not_after - now.as_second());
    let title = format!(
        "{} in {subject} expires in {left}, on {}",
        words::holder(facts),
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
    finding = with_uses(finding, entry);
    for sentence in &entry.breaks {
        finding = finding.breaks(sentence);
    }
    let by = entry.uses.iter().find_map(|used| used.renewal.by.as_ref());
    let remedy = match by {
        Some(certificate) if certificate.kind == Kind::Certificate => Remedy::command(
            format!("{certificate} renews it; see whether it will in time, or renew it now."),
            Command::kubectl(&certificate.namespace)
                .words(["get"])
                .object(certificate),
        ),
        _ => Remedy::say("Renew it by hand, or let cert-manager do so."),
    };
    finding.remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_lifetime_and_a_time_is_of_the_clock() {
        const DAY: i64 = 86_400;
        let now = Timestamp::from_second(100 * DAY).expect("a moment");
        let of = |from: i64, to: i64| CertificateFacts {
            not_before: from * DAY,
            not_after: to * DAY,
            ..CertificateFacts::default()
        };
        let ninety = of(40, 130);
        let year = of(0, 365);
        let short = of(99, 101);
        let in_days = |days: i64| {
            let until = Timestamp::from_second((100 + days) * DAY);
            Horizon::Until(until.expect("a moment"))
        };
        for (name, facts, horizon, expected) in [
            ("30 of 90 days left", &ninety, Horizon::Share(34), true),
            ("30 of 90 days left", &ninety, Horizon::Share(33), false),
            ("265 of 365 days left", &year, Horizon::Share(30), false),
            ("265 of 365 days left", &year, Horizon::Share(73), true),
            ("half of two days left", &short, Horizon::Share(51), true),
            ("half of two days left", &short, Horizon::Share(50), false),
            ("expired", &of(0, 99), Horizon::Share(100), false),
            ("not valid yet", &of(120, 130), Horizon::Share(99), false),
            ("30 days left", &ninety, in_days(31), true),
            ("30 days left", &ninety, in_days(30), false),
            ("expired", &of(0, 99), in_days(31), false),
        ] {
            assert_eq!(horizon.holds(facts, now), expected, "{name}: {horizon:?}");
        }
    }
}
