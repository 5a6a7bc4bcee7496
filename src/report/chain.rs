//! What `ngf-tui chain` prints: what expires first, and what breaks then, as text or as JSON
//! (`ngf-tui/chain/v1`).

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    clean,
    text::{Style, wrap},
};
use ngf_core::{
    diagnosis::{
        chain::Trust,
        timeline::{Entry, Part, Path, Timeline, Use},
        words,
    },
    model::object::ObjectRef,
};

/// The `schema` of every report that this version writes.
pub const SCHEMA: &str = "ngf-tui/chain/v1";

/// The timeline as text.
pub fn text(timeline: &Timeline, now: Timestamp, style: Style) -> String {
    let mut printer = Printer {
        out: String::new(),
        style,
        at: timeline.at.as_second(),
    };
    let when = words::moment(timeline.at.as_second());
    let tense = if timeline.at == now {
        ""
    } else {
        ", and not as of now"
    };
    printer.line(0, &format!("What expires first, as of {when}{tense}"));
    if timeline.entries.is_empty() {
        printer.line(2, "No certificate that traffic depends on is known.");
    }
    for entry in &timeline.entries {
        printer.out.push('\n');
        printer.entry(entry);
    }
    if !timeline.paths.is_empty() {
        printer.out.push('\n');
        printer.line(0, "Paths at that moment");
        for path in &timeline.paths {
            printer.path(path);
        }
    }
    if !timeline.unknown.is_empty() {
        printer.out.push('\n');
        printer.line(0, "Not known");
        for why in &timeline.unknown {
            printer.line(2, &format!("? {why}"));
        }
    }
    printer.out
}

struct Printer {
    out: String,
    style: Style,
    at: i64,
}

impl Printer {
    fn entry(&mut self, entry: &Entry) {
        let facts = &entry.facts;
        let expiry = words::moment(facts.not_after);
        let (sign, when) = if facts.not_after < self.at {
            let ago = words::span(self.at - facts.not_after);
            ('✗', format!("expired {ago} before, on {expiry}"))
        } else if facts.not_before > self.at {
            let begin = words::moment(facts.not_before);
            (
                '✗',
                format!("not valid before {begin}; expires on {expiry}"),
            )
        } else {
            let left = words::span(facts.not_after - self.at);
            ('·', format!("expires in {left}, on {expiry}"))
        };
        self.line(0, &format!("{sign} {}  {when}", words::holder(facts)));
        for used in &entry.uses {
            self.line(4, &place(used));
            self.line(6, &used.renewal.sentence);
        }
        if entry.breaks.is_empty() {
            self.line(4, "then: nothing that is known breaks");
        }
        for sentence in &entry.breaks {
            self.line(4, &format!("then: {sentence}"));
        }
    }

    fn path(&mut self, path: &Path) {
        self.line(2, &path.title);
        for (heading, trust, conclusion) in &path.directions {
            self.line(4, &format!("{} {heading}: {conclusion}", trust.glyph()));
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        let hanging = indent + 2;
        let width = self.style.width.max(40);
        let lines = wrap(&clean(text), width, indent, hanging);
        for (index, line) in lines.iter().enumerate() {
            let pad = if index == 0 { indent } else { hanging };
            let _ = writeln!(self.out, "{:pad$}{line}", "");
        }
    }
}

/// `Secret default/app-tls[tls.crt]: presented by Service default/secure-app:8443`.
fn place(used: &Use) -> String {
    let place = match &used.object {
        Some(object) => format!("{object}[{}]", used.key),
        None => "seen by a probe".to_owned(),
    };
    format!("{place}: {} {}", used.part.phrase(), used.of)
}

/// The report of `chain`.
#[derive(Serialize, schemars::JsonSchema)]
pub struct JsonReport<'a> {
    schema: &'static str,
    at: Timestamp,
    certificates: Vec<JsonEntry<'a>>,
    paths: Vec<JsonPath<'a>>,
    unknown: Vec<String>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct JsonEntry<'a> {
    subject: String,
    issuer: String,
    fingerprint_sha256: &'a str,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    /// Whether it is valid at the moment that is judged.
    valid: bool,
    /// Seconds from that moment to its expiry; negative where that is past.
    expires_in_s: i64,
    uses: Vec<JsonUse<'a>>,
    breaks: Vec<String>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct JsonUse<'a> {
    part: Part,
    of: String,
    object: Option<&'a ObjectRef>,
    key: Option<&'a str>,
    renewal: JsonRenewal<'a>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct JsonRenewal<'a> {
    by: Option<&'a ObjectRef>,
    at: Option<Timestamp>,
    late: bool,
    sentence: String,
}

#[derive(Serialize, schemars::JsonSchema)]
struct JsonPath<'a> {
    title: String,
    policy: &'a ObjectRef,
    directions: Vec<JsonDirection>,
}

#[derive(Serialize, schemars::JsonSchema)]
struct JsonDirection {
    heading: String,
    /// `verified`, `broken`, `unknown`.
    trust: &'static str,
    conclusion: String,
}

impl<'a> JsonReport<'a> {
    /// The report.
    pub fn of(timeline: &'a Timeline) -> Self {
        Self {
            schema: SCHEMA,
            at: timeline.at,
            certificates: timeline
                .entries
                .iter()
                .map(|entry| json_entry(entry, timeline.at.as_second()))
                .collect(),
            paths: timeline.paths.iter().map(json_path).collect(),
            unknown: timeline.unknown.iter().map(|why| clean(why)).collect(),
        }
    }
}

fn json_entry(entry: &Entry, at: i64) -> JsonEntry<'_> {
    let facts = &entry.facts;
    JsonEntry {
        subject: clean(&facts.subject),
        issuer: clean(&facts.issuer),
        fingerprint_sha256: &facts.fingerprint_sha256,
        not_before: Timestamp::from_second(facts.not_before).ok(),
        not_after: Timestamp::from_second(facts.not_after).ok(),
        valid: entry.is_valid_at(at),
        expires_in_s: facts.not_after.saturating_sub(at),
        uses: entry.uses.iter().map(json_use).collect(),
        breaks: entry.breaks.iter().map(|line| clean(line)).collect(),
    }
}

fn json_use(used: &Use) -> JsonUse<'_> {
    JsonUse {
        part: used.part,
        of: clean(&used.of),
        object: used.object.as_ref(),
        key: used.object.as_ref().map(|_| used.key),
        renewal: JsonRenewal {
            by: used.renewal.by.as_ref(),
            at: used.renewal.at,
            late: used.renewal.is_late,
            sentence: clean(&used.renewal.sentence),
        },
    }
}

fn json_path(path: &Path) -> JsonPath<'_> {
    JsonPath {
        title: clean(&path.title),
        policy: &path.policy,
        directions: path
            .directions
            .iter()
            .map(|(heading, trust, conclusion)| JsonDirection {
                heading: clean(heading),
                trust: match trust {
                    Trust::Verified => "verified",
                    Trust::Broken(_) => "broken",
                    Trust::Unknown(_) => "unknown",
                },
                conclusion: clean(conclusion),
            })
            .collect(),
    }
}
