//! The moment of a diagnosis, and until when what is said at it holds.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use ngf_tls::certificate::CertificateFacts;

use super::words;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Answers what a rule asks about the moment, and keeps the next moment at which one of the answers changes.
pub struct Clock {
    now: Timestamp,
    /// In seconds since 1970: from this moment on one of the answers may be another.
    until: AtomicI64,
}

impl Clock {
    /// A clock that stands still.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            until: AtomicI64::new(i64::MAX),
        }
    }

    /// From when on, in seconds since 1970, an answer may be another.
    pub fn until(&self) -> i64 {
        self.until.load(Ordering::Relaxed)
    }

    fn changes_at(&self, moment: i64) {
        // Most answers hold longer than another one: that is known without a write.
        if moment > self.now.as_second() && moment < self.until() {
            self.until.fetch_min(moment, Ordering::Relaxed);
        }
    }

    /// The moment itself. What follows from it holds for this second only.
    pub fn exactly(&self) -> Timestamp {
        self.changes_at(self.now.as_second() + 1);
        self.now
    }

    /// Whether a moment is over.
    pub fn is_after(&self, moment: i64) -> bool {
        self.changes_at(moment.saturating_add(1));
        self.now.as_second() > moment
    }

    /// Whether a moment is still to come.
    pub fn is_before(&self, moment: i64) -> bool {
        self.changes_at(moment);
        self.now.as_second() < moment
    }

    /// The moment, for who asks of it no more than which of these certificates are valid.
    pub fn for_validity<'f>(
        &self,
        certificates: impl IntoIterator<Item = &'f CertificateFacts>,
    ) -> Timestamp {
        for facts in certificates {
            self.is_valid(facts);
            // To OpenSSL a certificate is over with its last second.
            self.changes_at(facts.not_after);
        }
        self.now
    }

    /// Whether a certificate is valid.
    pub fn is_valid(&self, facts: &CertificateFacts) -> bool {
        // Both are asked, so that both are known to matter.
        let (early, late) = (
            self.is_before(facts.not_before),
            self.is_after(facts.not_after),
        );
        !early && !late
    }

    /// The time between a moment and now, in words.
    pub fn span(&self, moment: i64) -> String {
        let now = self.now.as_second();
        let seconds = now.saturating_sub(moment).saturating_abs();
        let step = match seconds {
            s if s >= DAY => HOUR,
            s if s >= HOUR => MINUTE,
            _ => 1,
        };
        let whole = seconds / step * step;
        self.changes_at(if moment > now {
            // It shrinks: the words are others from the second before.
            moment.saturating_sub(whole).saturating_add(1)
        } else {
            moment.saturating_add(whole).saturating_add(step)
        });
        words::span(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(second: i64) -> Clock {
        Clock::at(Timestamp::from_second(second).expect("a moment"))
    }

    #[test]
    fn an_answer_holds_until_its_moment_and_not_longer() {
        for moment in [
            -90_061, -5, 0, 59, 60, 3_599, 3_600, 86_400, 90_061, 700_000,
        ] {
            let mut at = -100_000;
            while at < 800_000 {
                let clock_at = clock(at);
                let answers = |clock: &Clock| {
                    (
                        clock.span(moment),
                        clock.is_after(moment),
                        clock.is_before(moment),
                    )
                };
                let first = answers(&clock_at);
                let until = clock_at.until();
                assert!(until > at);
                let last = (until - 1).min(at + 4_000);
                assert_eq!(answers(&clock(last)), first, "{moment} at {at} and {last}");
                if until < i64::MAX {
                    assert_ne!(
                        answers(&clock(until)),
                        first,
                        "{moment} at {at} and {until}"
                    );
                }
                at = (at + 997).min(until.max(at + 1));
            }
        }
    }

    #[test]
    fn what_was_asked_last_does_not_hide_what_was_asked_before() {
        let clock = clock(100);
        assert!(clock.is_before(200));
        assert!(clock.is_before(300));
        assert!(!clock.is_before(50));
        assert_eq!(clock.until(), 200);
        clock.exactly();
        assert_eq!(clock.until(), 101);
    }
}
