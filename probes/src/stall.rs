//! Where an answer stalled: the longest time in which nothing passed, where it is most of what the
//! probe took.

use std::fmt;
use std::time::Duration;

use ngf_tls::transcript::{Direction, Layer, Record, Step, Transcript};

/// A wait that is shorter is no stall.
const SHORTEST: Duration = Duration::from_millis(100);

/// A time in which nothing passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// Microseconds from the probe's begin to the last thing before.
    pub from_us: u64,
    /// Microseconds from the probe's begin to the next thing, or to the end of the probe.
    pub until_us: u64,
    /// Where it was.
    pub place: Place,
}

/// Where nothing passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A record of the backend had begun.
    WithinRecord {
        /// ContentType of the record.
        content_type: String,
        /// Bytes of it that had passed when it stalled, or that ever passed.
        seen: u32,
        /// Bytes that its header announces.
        length: u32,
    },
    /// The backend's turn: this was the last thing that it had got.
    Answer {
        /// `ClientHello`, `HTTP request`.
        to: String,
    },
    /// The backend had begun to answer: this was the last thing that came.
    After {
        /// `ServerHello`.
        last: String,
    },
    /// Our own turn: the time was spent here.
    Here,
}

impl Stall {
    /// How long it was.
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.until_us.saturating_sub(self.from_us))
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.duration().as_secs_f64();
        match &self.place {
            Place::WithinRecord {
                content_type,
                seen,
                length,
            } if seen < length => write!(
                f,
                "the answer stalled for {seconds:.1} s within a record: {seen} of the {length} bytes of a record of type {content_type} came"
            ),
            Place::WithinRecord {
                content_type,
                length,
                ..
            } => write!(
                f,
                "the answer stalled for {seconds:.1} s within a record of type {content_type} of {length} bytes"
            ),
            Place::Answer { to } => {
                write!(
                    f,
                    "the backend was silent for {seconds:.1} s after the {to}"
                )
            }
            Place::After { last } => write!(
                f,
                "the answer stalled for {seconds:.1} s after the backend's {last}"
            ),
            Place::Here => write!(
                f,
                "{seconds:.1} s passed on this side, and not in the backend"
            ),
        }
    }
}

/// The stall that made the probe slow, or made it fail: at least half of the time from the first
/// record to the end, and at least a tenth of a second.
pub fn longest(transcript: &Transcript) -> Option<Stall> {
    let records = &transcript.records;
    let begin = records.first()?.first_byte_us;
    let end = transcript.duration_us;
    let stall = stalls(transcript)
        .into_iter()
        .max_by_key(Stall::duration)
        .filter(|stall| stall.duration() >= SHORTEST)?;
    let all = end.saturating_sub(begin);
    (u128::from(all) <= 2 * stall.duration().as_micros()).then_some(stall)
}

fn stalls(transcript: &Transcript) -> Vec<Stall> {
    let records = &transcript.records;
    let broken = records
        .iter()
        .filter(|record| record.direction == Direction::Received)
        .map(|record| Stall {
            from_us: record.first_byte_us,
            until_us: record.last_byte_us,
            place: within(record),
        });
    let between = records
        .iter()
        .zip(records.iter().skip(1))
        .map(|(last, next)| Stall {
            from_us: last.last_byte_us,
            until_us: next.first_byte_us,
            place: match next.direction {
                Direction::Received => before(transcript, next.first_byte_us),
                _ => Place::Here,
            },
        });
    // After the answer nobody waits; without one the probe waited to its end.
    let end = answered_at(&transcript.steps).unwrap_or(transcript.duration_us);
    let last = records.last().map(|record| Stall {
        from_us: record.last_byte_us,
        until_us: end.max(record.last_byte_us),
        place: if record.direction == Direction::Received && record.seen < record.length {
            within(record)
        } else {
            before(transcript, end)
        },
    });
    broken.chain(between).chain(last).collect()
}

fn answered_at(steps: &[Step]) -> Option<u64> {
    let is_answer =
        |step: &&Step| step.layer == Layer::Http && step.direction == Direction::Received;
    steps.iter().rev().find(is_answer).map(|step| step.at_us)
}

fn within(record: &Record) -> Place {
    Place::WithinRecord {
        content_type: record.content_type.clone(),
        seen: record.seen,
        length: record.length,
    }
}

/// What the backend was waited for at that moment, by the last message that had passed before.
fn before(transcript: &Transcript, moment_us: u64) -> Place {
    let last = transcript
        .steps
        .iter()
        .rev()
        .filter(|step| matches!(step.layer, Layer::Tls | Layer::Http))
        .filter(|step| step.at_us < moment_us)
        // No answer to anything: a server sends it when it likes.
        .find(|step| step.direction != Direction::Local && step.name != "NewSessionTicket");
    match last {
        Some(step) if step.direction == Direction::Received => Place::After {
            last: step.name.clone(),
        },
        Some(step) => Place::Answer {
            to: step.name.clone(),
        },
        None => Place::Answer {
            to: "connection".to_owned(),
        },
    }
}
