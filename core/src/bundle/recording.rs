//! A recording: what was seen of a cluster over time, a line of JSON for each moment. The first line has everything,
//! each later one what is different. What a moment has is what a bundle of that moment has, redacted by the same
//! code; [`Recorder`] has no way around it.
//!
//! A recording that is opened comes from a stranger: it is bounded, cleaned, and decoded as a bundle is.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::Arc,
};

use jiff::Timestamp;
use ngf_text::sanitize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    BundleError, Document, Opened,
    open::{clean, is_bundle, opened},
    redact,
    write::document,
};
use crate::{
    diagnosis::{Evidence, plan::PlanKey},
    model::{decode::Incoming, object::ObjectRef, snapshot::Snapshot},
};

/// The `schema` of every line of a recording that this version writes.
pub const SCHEMA: &str = "ngf-tui/recording/v1";
/// Moments of a recording.
pub const MAX_MOMENTS: usize = 100_000;

/// A line of a recording.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    schema: String,
    /// When it was seen. Later than that of the line before.
    at: Timestamp,
    /// What is new or different, by name: a field of a bundle, such as `kinds`, or an item of one of its lists, such as
    /// `objects/HTTPRoute/shop/checkout`.
    set: BTreeMap<String, Value>,
    /// What is no longer there, by name.
    gone: Vec<String>,
}

/// The same without its contents, which are read when the moment is shown.
#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
    at: Option<Timestamp>,
}

/// Makes the lines of a recording.
#[derive(Debug, Default)]
pub struct Recorder {
    /// What is written, by name, as a hash of its JSON: a recording of a large cluster takes no second copy of it.
    written: BTreeMap<String, u64>,
    hash: RandomState,
    last: Option<Timestamp>,
}

impl Recorder {
    /// The line for what is seen now, with a line end; `None` where nothing is different from the line before.
    ///
    /// # Errors
    /// Never for the types at hand; serde wants it said.
    pub fn line(
        &mut self,
        snapshot: &Snapshot,
        evidence: &Evidence,
        at: Timestamp,
        tool: &str,
    ) -> Result<Option<String>, BundleError> {
        // A clock that was set back does not turn the recording around.
        let at = match self.last {
            Some(last) if at <= last => last
                .checked_add(jiff::SignedDuration::from_millis(1))
                .unwrap_or(last),
            _ => at,
        };
        let mut set = parts(document(snapshot, evidence, at, tool))?;
        let gone: Vec<String> = self
            .written
            .keys()
            .filter(|name| !set.contains_key(*name))
            .cloned()
            .collect();
        let mut hashes = BTreeMap::new();
        for (name, value) in &set {
            let json = serde_json::to_string(value)?;
            hashes.insert(name.clone(), self.hash.hash_one(json));
        }
        set.retain(|name, _| self.written.get(name) != hashes.get(name));
        if set.is_empty() && gone.is_empty() {
            return Ok(None);
        }
        let moment = Moment {
            schema: SCHEMA.to_owned(),
            at,
            set,
            gone,
        };
        let line = serde_json::to_string(&moment)? + "\n";
        self.written = hashes;
        self.last = Some(at);
        Ok(Some(line))
    }
}

/// The parts of a bundle, redacted: each by a name that stays the same from moment to moment.
fn parts(document: Document) -> Result<BTreeMap<String, Value>, BundleError> {
    let mut parts = BTreeMap::new();
    let Document {
        objects,
        held,
        probes,
        listeners,
        matrices,
        untested,
        logs,
        nginx,
        behind,
        ..
    } = &document;
    for object in objects {
        let text = |pointer: &str| {
            let value = object.pointer(pointer).and_then(Value::as_str);
            value.unwrap_or_default()
        };
        let (kind, namespace) = (text("/kind"), text("/metadata/namespace"));
        let name = format!("objects/{kind}/{namespace}/{}", text("/metadata/name"));
        parts.insert(name, object.clone());
    }
    for held in held {
        let (kind, namespace) = (&held.name.kind, &held.name.namespace);
        let name = format!("held/{kind}/{namespace}/{}", held.name.name);
        parts.insert(name, serde_json::to_value(held)?);
    }
    for probe in probes {
        let pod = probe.pod.as_deref().unwrap_or_default();
        let name = format!("probes/{pod}/{}", of_key(&probe.plan.key()));
        parts.insert(name, serde_json::to_value(probe)?);
    }
    for one in listeners {
        let (gateway, owner) = (of_object(&one.gateway), of_object(&one.owner));
        let name = format!(
            "listeners/{gateway}/{owner}/{}/{}",
            one.listener, one.server_name
        );
        parts.insert(name, serde_json::to_value(one)?);
    }
    for one in matrices {
        let name = format!("matrices/{}", of_object(&one.gateway));
        parts.insert(name, serde_json::to_value(one)?);
    }
    for one in untested {
        let name = format!("untested/{}", of_key(&one.key()));
        parts.insert(name, serde_json::to_value(one)?);
    }
    for log in logs {
        let name = format!("logs/{}/{}", of_object(&log.pod), log.container);
        parts.insert(name, serde_json::to_value(log)?);
    }
    for in_pod in nginx {
        let name = format!("nginx/{}", of_object(&in_pod.pod));
        parts.insert(name, serde_json::to_value(in_pod)?);
    }
    for one in behind {
        let name = format!("behind/{}", of_object(&one.pod));
        parts.insert(name, serde_json::to_value(one)?);
    }
    let rest = Document {
        objects: Vec::new(),
        held: Vec::new(),
        probes: Vec::new(),
        listeners: Vec::new(),
        matrices: Vec::new(),
        untested: Vec::new(),
        logs: Vec::new(),
        nginx: Vec::new(),
        behind: Vec::new(),
        ..document
    };
    if let Value::Object(fields) = serde_json::to_value(rest)? {
        for (name, value) in fields {
            // The lists are told item by item, and each line has its own schema and time.
            if LISTS.contains(&name.as_str()) || ["schema", "at"].contains(&name.as_str()) {
                continue;
            }
            parts.insert(name, value);
        }
    }
    parts.values_mut().for_each(redact::texts);
    Ok(parts)
}

/// The fields of a bundle that are told item by item.
const LISTS: [&str; 9] = [
    "objects",
    "held",
    "probes",
    "listeners",
    "matrices",
    "untested",
    "logs",
    "nginx",
    "behind",
];

fn of_object(object: &ObjectRef) -> String {
    let (kind, namespace) = (object.kind.name(), &object.namespace);
    format!("{kind}/{namespace}/{}", object.name)
}

fn of_key(key: &PlanKey) -> String {
    format!(
        "{}/{}/{}/{}/{}/{}/{}",
        of_object(&key.gateway),
        of_object(&key.route),
        key.rule,
        of_object(&key.service),
        key.port,
        key.address,
        key.endpoint_port
    )
}

/// Whether a text begins as a recording does.
pub(super) fn is_one(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    let head: Option<Head> = serde_json::from_str(first).ok();
    head.is_some_and(|head| head.schema.as_deref() == Some(SCHEMA))
}

/// A recording that was opened.
#[derive(Debug)]
pub struct Recording {
    text: String,
    lines: Vec<Range<usize>>,
    moments: Vec<Timestamp>,
    is_cut: bool,
}

impl Recording {
    /// Opens a recording. A last line that was not written whole, as by a program that was killed, is left out.
    ///
    /// # Errors
    /// [`BundleError`], where it is none, or of another version.
    pub fn open(text: String) -> Result<Self, BundleError> {
        let mut recording = Self {
            lines: Vec::new(),
            moments: Vec::new(),
            is_cut: false,
            text,
        };
        if is_bundle(&recording.text) {
            let found = super::SCHEMA.to_owned();
            return Err(BundleError::OtherRecording { found });
        }
        let mut begin = 0;
        for line in recording.text.split_inclusive('\n') {
            let range = begin..begin + line.len();
            begin = range.end;
            if line.trim().is_empty() {
                continue;
            }
            let number = recording.lines.len() + 1;
            let wrong = |why: &str| BundleError::Recording(format!("line {number}: {why}"));
            let head: Head = match serde_json::from_str(line) {
                Ok(head) => head,
                Err(_) if number > 1 && !line.ends_with('\n') => {
                    recording.is_cut = true;
                    break;
                }
                Err(why) => return Err(wrong(&sanitize::line(&why.to_string(), 200))),
            };
            match head.schema.as_deref() {
                Some(SCHEMA) => {}
                Some(other) => {
                    let found = sanitize::line(other, 60);
                    return Err(BundleError::OtherRecording { found });
                }
                None => return Err(wrong("it has no field schema")),
            }
            let Some(at) = head.at else {
                return Err(wrong("it has no field at"));
            };
            if recording.moments.last().is_some_and(|last| *last >= at) {
                return Err(wrong("it is not later than the line before"));
            }
            if number > MAX_MOMENTS {
                return Err(wrong("a recording has at most 100000 lines"));
            }
            recording.lines.push(range);
            recording.moments.push(at);
        }
        if recording.lines.is_empty() {
            return Err(BundleError::Recording("it is empty".to_owned()));
        }
        Ok(recording)
    }

    /// When each moment was; never empty, and each later than the one before.
    pub fn moments(&self) -> &[Timestamp] {
        &self.moments
    }

    /// Whether the last line was not written whole, and is left out.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn moment(&self, index: usize) -> Result<Moment, BundleError> {
        let wrong = |why: &str| BundleError::Recording(format!("line {}: {why}", index + 1));
        let line = self.lines.get(index).and_then(|range| {
            // The ranges are of this text.
            self.text.get(range.clone())
        });
        let line = line.ok_or_else(|| wrong("it is not there"))?;
        let not_one = |error: serde_json::Error| wrong(&sanitize::line(&error.to_string(), 200));
        // Not deeper than an object may be.
        let Incoming { mut value, .. } = serde_json::from_str(line).map_err(not_one)?;
        clean(&mut value);
        serde_json::from_value(value).map_err(not_one)
    }
}

/// Goes through a recording.
#[derive(Debug)]
pub struct Player {
    recording: Arc<Recording>,
    /// How many lines are taken in.
    taken: usize,
    parts: BTreeMap<String, Value>,
}

impl Player {
    /// At the beginning.
    pub fn new(recording: Arc<Recording>) -> Self {
        Self {
            recording,
            taken: 0,
            parts: BTreeMap::new(),
        }
    }

    /// What was seen at a moment, by its number from 0. Going back begins again.
    ///
    /// # Errors
    /// [`BundleError`], where a line is not of the format.
    pub fn go_to(&mut self, index: usize) -> Result<Opened, BundleError> {
        let at = self.recording.moments.get(index).copied();
        let at = at.ok_or_else(|| {
            BundleError::Recording(format!("line {}: it is not there", index + 1))
        })?;
        if self.taken > index + 1 {
            self.taken = 0;
            self.parts.clear();
        }
        while self.taken <= index {
            let moment = self.recording.moment(self.taken)?;
            for name in &moment.gone {
                self.parts.remove(name);
            }
            self.parts.extend(moment.set);
            self.taken += 1;
        }
        let mut fields = Map::new();
        for name in LISTS {
            fields.insert(name.to_owned(), Value::Array(Vec::new()));
        }
        for (name, value) in &self.parts {
            match name.split_once('/') {
                None if !LISTS.contains(&name.as_str()) => {
                    fields.insert(name.clone(), value.clone());
                }
                None => {}
                Some((list, _)) => {
                    if let Some(Value::Array(items)) = fields.get_mut(list) {
                        items.push(value.clone());
                    }
                }
            }
        }
        fields.insert("schema".to_owned(), super::SCHEMA.into());
        fields.insert("at".to_owned(), at.to_string().into());
        let not_one = |error: serde_json::Error| {
            let why = sanitize::line(&error.to_string(), 200);
            BundleError::Recording(format!("line {}: {why}", index + 1))
        };
        let document: Document = serde_json::from_value(Value::Object(fields)).map_err(not_one)?;
        Ok(opened(document))
    }
}

#[cfg(test)]
mod tests;
