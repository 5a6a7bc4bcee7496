//! Lines counted: what was said, about whom, how often, when first and last, and in which minutes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ngf_text::sanitize;
use ngf_tls::mark::is_marked;
use serde::Serialize;

use super::{
    Unbroken,
    access::{Answered, answered_with},
    decode_stamped,
    line::{Decoded, Meaning, Upstream},
    shape,
};
use crate::model::object::ObjectRef;

/// Different things that are kept of one log; what comes after is only counted.
const KINDS: usize = 400;
/// Minutes that are kept of each: a day.
const MINUTES: usize = 1_440;

/// Whose log it is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// nginx's container of a data-plane pod.
    DataPlane,
    /// A container of a pod behind a Service.
    Application,
    /// NGF's control plane.
    Controller,
}

/// The log of a container, decoded and counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct PodLog {
    /// Whose it is.
    pub role: Role,
    /// The Gateway whose data plane it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<ObjectRef>,
    /// The pod.
    pub pod: ObjectRef,
    /// Its container.
    pub container: String,
    /// From when on it was read.
    pub since: Timestamp,
    /// Why it could not be read, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// More was written than is read: the oldest lines are missing.
    pub cut: bool,
    /// The file that it was read from, where that is no cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The moment at which it ends, where that is not now: a saved log's last line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What it says.
    #[serde(flatten)]
    pub tally: Tally,
}

/// Lines, counted.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Tally {
    /// Lines that were read.
    pub lines: u64,
    /// Lines that mean something and were not kept, because there were too many kinds of them.
    pub left_out: u64,
    /// Those of them that nginx or NGF has written, by their shape.
    #[serde(skip)]
    pub known: u64,
    /// How often clients got each status of 400 or more, by the access log in the usual format.
    #[serde(skip)]
    pub refused: BTreeMap<u16, u64>,
    /// When nginx last loaded a configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reloaded: Option<Timestamp>,
    /// When nginx last answered a request line with 200 to 399, by its access log in the usual format.
    #[serde(skip)]
    pub answered: BTreeMap<String, Timestamp>,
    /// What was said, each once, in the order of its last line.
    #[serde(serialize_with = "values", deserialize_with = "keyed")]
    #[schemars(with = "Vec<Counted>")]
    pub said: BTreeMap<Key, Counted>,
}

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    what: Meaning,
    upstream: Option<Upstream>,
    server: Option<String>,
    client: Option<std::net::IpAddr>,
    is_subrequest: bool,
}

/// One thing that was said, as often as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Counted {
    /// The last line that says it.
    pub last_line: Decoded,
    /// What it means.
    pub means: String,
    /// How often.
    pub count: u64,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// How often in each minute; the number is minutes since 1970.
    #[serde(deserialize_with = "minutes")]
    pub per_minute: BTreeMap<i64, u32>,
}

impl Tally {
    /// Counts lines as the API server gives them with times.
    pub fn read(&mut self, text: &str, now: Timestamp) {
        let mut unbroken = Unbroken::default();
        for line in text.lines() {
            self.line(line, &mut unbroken, now);
        }
    }

    /// Counts one line; gives back what it says. A line without any time is taken for `now`.
    pub fn line(&mut self, line: &str, unbroken: &mut Unbroken, now: Timestamp) -> Option<Decoded> {
        self.lines += 1;
        if !unbroken.is_whole(line) {
            // A part of the line before it.
            self.known += u64::from(self.known > 0);
            return None;
        }
        // What this tool asked is no evidence of what the gateway's clients get. Somebody else who marks
        // a request so hides no more than the lines about that request.
        if is_marked(line) {
            self.known += 1;
            return None;
        }
        let (stamp, decoded) = decode_stamped(line);
        let Some(decoded) = decoded else {
            self.known += u64::from(shape::is_known(line));
            if let Some(answered) = answered_with(line) {
                self.got(answered, line, stamp.map(|at| at.min(now)));
            }
            return None;
        };
        self.known += 1;
        let at = stamp.or(decoded.at).unwrap_or(now).min(now);
        self.count(&decoded, at);
        Some(decoded)
    }

    /// Counts what a client got. The tool's own requests prove nothing of a client's.
    fn got(&mut self, answered: Answered, line: &str, at: Option<Timestamp>) {
        let Answered { request, status } = answered;
        if line.contains("\"ngf-tui/") {
            return;
        }
        match (status, at) {
            (200..400, Some(at)) => self.answer(request, at),
            (400.., _) => *self.refused.entry(status).or_default() += 1,
            _ => {}
        }
    }

    fn answer(&mut self, request: String, at: Timestamp) {
        if self.answered.len() >= KINDS && !self.answered.contains_key(&request) {
            return;
        }
        let last = self.answered.entry(request).or_insert(at);
        *last = at.max(*last);
    }

    /// Counts what a line said.
    pub fn count(&mut self, decoded: &Decoded, at: Timestamp) {
        if decoded.what == Meaning::Reloaded {
            self.reloaded = self.reloaded.max(Some(at));
        }
        let key = Key::of(decoded);
        if !self.said.contains_key(&key) && self.said.len() >= KINDS {
            self.left_out += 1;
            return;
        }
        let counted = self.said.entry(key).or_insert_with(|| Counted {
            last_line: decoded.clone(),
            means: sanitize::line(&decoded.means(), 400),
            count: 0,
            first: at,
            last: at,
            per_minute: BTreeMap::new(),
        });
        counted.count += 1;
        counted.first = counted.first.min(at);
        if at >= counted.last {
            counted.last = at;
            counted.last_line = decoded.clone();
        }
        *counted
            .per_minute
            .entry(at.as_second().div_euclid(60))
            .or_default() += 1;
        while counted.per_minute.len() > MINUTES {
            counted.per_minute.pop_first();
        }
    }

    /// What was said, the newest first.
    pub fn newest_first(&self) -> Vec<&Counted> {
        let mut all: Vec<&Counted> = self.said.values().collect();
        all.sort_by(|a, b| b.last.cmp(&a.last).then(b.count.cmp(&a.count)));
        all
    }
}

impl PodLog {
    /// The moment up to which it tells.
    pub fn end(&self, now: Timestamp) -> Timestamp {
        self.until.unwrap_or(now)
    }

    /// Whether there is too little in it that nginx or NGF has written to say that nothing is wrong: less than one line
    /// in a hundred.
    pub fn says_little(&self) -> bool {
        self.tally.known.saturating_mul(100) < self.tally.lines
    }

    /// `Pod shop/gateway-nginx-1`, or the file, where its pod is unknown.
    pub fn who(&self) -> String {
        match &self.file {
            Some(file) if self.pod.name == *file => format!("log {file}"),
            _ => self.pod.to_string(),
        }
    }

    /// `Pod shop/gateway-nginx-1 (nginx)`, or the file.
    pub fn place(&self) -> String {
        if let Some(file) = &self.file {
            return format!("log {file}");
        }
        format!("{} ({})", self.pod, self.container)
    }
}

impl Counted {
    /// The counts of the last `minutes` minutes, the oldest first.
    pub fn last_minutes(&self, minutes: i64, now: Timestamp) -> Vec<u32> {
        let end = now.as_second().div_euclid(60);
        (end - minutes + 1..=end)
            .map(|minute| self.per_minute.get(&minute).copied().unwrap_or(0))
            .collect()
    }
}

impl Key {
    fn of(decoded: &Decoded) -> Self {
        Self {
            what: decoded.what.clone(),
            upstream: decoded.request.upstream.clone(),
            server: decoded.request.server.clone(),
            // Who asked matters only where that is the gateway.
            client: decoded.request.client.filter(|_| decoded.is_of_backend()),
            is_subrequest: decoded.request.subrequest.is_some(),
        }
    }
}

/// The keys of an object are text; within a flattened field serde does not read them as numbers.
fn minutes<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<i64, u32>, D::Error> {
    let all: BTreeMap<String, u32> = serde::Deserialize::deserialize(deserializer)?;
    let all = all.into_iter().take(MINUTES);
    all.map(|(minute, count)| Ok((minute.parse().map_err(serde::de::Error::custom)?, count)))
        .collect()
}

fn keyed<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Key, Counted>, D::Error> {
    let all: Vec<Counted> = serde::Deserialize::deserialize(deserializer)?;
    let all = all.into_iter().take(KINDS);
    Ok(all
        .map(|counted| (Key::of(&counted.last_line), counted))
        .collect())
}

fn values<S: serde::Serializer>(
    said: &BTreeMap<Key, Counted>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut all: Vec<&Counted> = said.values().collect();
    all.sort_by(|a, b| b.last.cmp(&a.last).then(b.count.cmp(&a.count)));
    serializer.collect_seq(all)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn answers_to_clients_count_and_the_tools_own_do_not() {
        let line = |status: u16, agent: &str| {
            format!(
                "2026-06-01T12:00:00Z 10.0.0.1 - - [01/Jun/2026:12:00:00 +0000] \"GET /{status} HTTP/2.0\" {status} 552 \"-\" \"{agent}\"\n"
            )
        };
        let text: String = [200, 304, 404, 502]
            .into_iter()
            .flat_map(|status| [line(status, "curl/8.9.1"), line(status, "ngf-tui/0.1.0")])
            .collect();
        let now = "2026-06-02T00:00:00Z".parse().expect("a time");
        let mut tally = Tally::default();
        tally.read(&text, now);
        let answered: Vec<&str> = tally.answered.keys().map(String::as_str).collect();
        assert_eq!(answered, ["GET /200 HTTP/2.0", "GET /304 HTTP/2.0"]);
        let refused: Vec<(u16, u64)> = tally.refused.into_iter().collect();
        assert_eq!(refused, [(404, 1), (502, 1)]);
        assert_eq!((tally.lines, tally.known), (8, 8));
    }
}
