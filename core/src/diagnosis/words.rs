//! Words that several findings share: times, lists, conditions.

use jiff::Timestamp;

use ngf_tls::certificate::CertificateFacts;

use super::finding::Finding;
use crate::model::object::{Condition, ObjectRef};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// `6d 4h`, `3h 12m`, `41s`: the two largest units of a span, without a sign.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.abs();
    let two = |large: i64, small: i64, letters: (&str, &str)| {
        let rest = seconds % large / small;
        if rest == 0 {
            format!("{}{}", seconds / large, letters.0)
        } else {
            format!("{}{} {rest}{}", seconds / large, letters.0, letters.1)
        }
    };
    match seconds {
        s if s >= DAY => two(DAY, HOUR, ("d", "h")),
        s if s >= HOUR => two(HOUR, MINUTE, ("h", "m")),
        s if s >= MINUTE => two(MINUTE, 1, ("m", "s")),
        _ => format!("{seconds}s"),
    }
}

/// `2026-11-23 12:03:00 UTC`; the number itself where it is no moment that a calendar has.
pub fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| format!("{seconds} s after 1970"),
        |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// `a`, `a and b`, `a, b and c`; after `most` names only how many more.
pub fn list<T: ToString>(items: impl IntoIterator<Item = T>, most: usize) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let more = items.len().saturating_sub(most);
    let shown = &items[..items.len() - more];
    match (shown, more) {
        ([], 0) => String::new(),
        ([one], 0) => one.clone(),
        ([rest @ .., last], 0) => format!("{} and {last}", rest.join(", ")),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 route`, `3 routes`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Whom a certificate is for: its subject or, where it has none (as cert-manager makes them without a
/// common name), the names in it.
pub fn holder(certificate: &CertificateFacts) -> String {
    if !certificate.subject.is_empty() {
        return certificate.subject.clone();
    }
    let names = [
        &certificate.dns_names,
        &certificate.ip_addresses,
        &certificate.other_names,
    ];
    let names: Vec<&String> = names.into_iter().flatten().collect();
    if names.is_empty() {
        "no subject and no names".to_owned()
    } else {
        format!("no subject, for {}", list(names, 3))
    }
}

/// The condition of that type.
pub fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// Whether a condition says that.
pub fn says(condition: Option<&Condition>, status: &str, reasons: &[&str]) -> bool {
    condition.is_some_and(|condition| {
        condition.status == status && reasons.contains(&condition.reason.as_str())
    })
}

/// `False/Invalid "The GatewayClass is invalid"`.
pub fn condition_text(condition: &Condition) -> String {
    format!(
        "{}/{} \"{}\"",
        condition.status, condition.reason, condition.message
    )
}

impl Finding {
    /// Adds a condition as evidence.
    #[must_use]
    pub fn condition(self, object: &ObjectRef, condition: &Condition) -> Self {
        self.evidence(
            format!("condition {}", condition.kind),
            condition_text(condition),
            format!("{object} status"),
        )
    }

    /// Adds a condition as evidence, where there is one.
    #[must_use]
    pub fn condition_if(self, object: &ObjectRef, condition: Option<&Condition>) -> Self {
        match condition {
            Some(condition) => self.condition(object, condition),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 1s"),
            (3600, "1h"),
            (-90_061, "1d 1h"),
            (86_400 * 400, "400d"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn lists_are_read_aloud() {
        assert_eq!(list::<&str>([], 3), "");
        assert_eq!(list(["a"], 3), "a");
        assert_eq!(list(["a", "b"], 3), "a and b");
        assert_eq!(list(["a", "b", "c"], 3), "a, b and c");
        assert_eq!(list(["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
