//! `docs/codes/by-hand.txt`: how each code shows, and how to confirm it without this program.

use std::collections::{BTreeMap, BTreeSet};

/// A symptom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Symptom {
    /// A message of the data plane's nginx about an upstream.
    Log(String),
    /// A message of the data plane's nginx that alone means another code.
    LogLike { code: String, message: String },
    /// A message of an nginx backend about its client.
    BackendLog(String),
    /// A message of nginx about itself.
    NginxLog(String),
    /// A line of NGF's agent.
    AgentLog(String),
    /// What the gateway's client gets.
    Client(String),
    /// What conditions show.
    Status(String),
    /// Anything else.
    Shows(String),
}

/// A step by hand: a command, or what to look for in the output of those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Command(String),
    Note(String),
}

/// What there is about one code.
#[derive(Debug, Default)]
pub(super) struct ByHand {
    pub(super) symptoms: Vec<Symptom>,
    pub(super) steps: Vec<Step>,
}

/// The file, by code.
pub(super) fn read() -> BTreeMap<String, ByHand> {
    let text = super::read("docs/codes/by-hand.txt");
    let mut all: BTreeMap<String, ByHand> = BTreeMap::new();
    let mut codes: Vec<String> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(head) = line.strip_prefix("== ") {
            codes = head.split_whitespace().map(str::to_owned).collect();
            let distinct: BTreeSet<&String> = codes.iter().collect();
            assert_eq!(distinct.len(), codes.len(), "line {}: {line}", number + 1);
            continue;
        }
        let (word, rest) = line.split_once(' ').expect("a word and a text");
        let rest = rest.trim().to_owned();
        for code in &codes {
            let entry = all.entry(code.clone()).or_default();
            match word {
                "log:" => entry.symptoms.push(Symptom::Log(rest.clone())),
                "log-like:" => {
                    let (code, message) = rest.split_once(' ').expect("a code and a message");
                    entry.symptoms.push(Symptom::LogLike {
                        code: code.to_owned(),
                        message: message.to_owned(),
                    });
                }
                "backend-log:" => entry.symptoms.push(Symptom::BackendLog(rest.clone())),
                "nginx-log:" => entry.symptoms.push(Symptom::NginxLog(rest.clone())),
                "agent-log:" => entry.symptoms.push(Symptom::AgentLog(rest.clone())),
                "client:" => entry.symptoms.push(Symptom::Client(rest.clone())),
                "status:" => entry.symptoms.push(Symptom::Status(rest.clone())),
                "shows:" => entry.symptoms.push(Symptom::Shows(rest.clone())),
                "$" => entry.steps.push(Step::Command(rest.clone())),
                ">" => entry.steps.push(Step::Note(rest.clone())),
                other => panic!("by-hand.txt line {}: unknown word {other:?}", number + 1),
            }
        }
    }
    all
}

impl Symptom {
    /// As a list item of a page.
    pub(super) fn markdown(&self) -> String {
        match self {
            Self::Log(line) => format!("Log of the data plane: `{line}`"),
            Self::LogLike { code, message } => {
                format!("Log of the data plane, as for [{code}]({code}.md): `{message}`")
            }
            Self::BackendLog(line) => format!("Log of an nginx backend, at level `info`: `{line}`"),
            Self::NginxLog(line) => format!("Log of the data plane: `{line}`"),
            Self::AgentLog(line) => format!("Log of the data plane's agent: `{line}`"),
            Self::Client(text) => format!("The gateway's client: {text}"),
            Self::Status(text) => format!("Conditions: {text}"),
            Self::Shows(text) => text.clone(),
        }
    }

    /// The whole line, as a log holds it; `None` where it is no log line.
    pub(super) fn line(&self) -> Option<String> {
        let by_worker = |level: &str, message: &str, about: &str| {
            format!("2026/06/01 12:00:00 [{level}] 29#29: *2 {message}, {about}")
        };
        match self {
            Self::Log(message) | Self::LogLike { message, .. } => Some(by_worker(
                if message.contains("temporarily disabled") {
                    "warn"
                } else {
                    "error"
                },
                message,
                "client: 10.0.1.9, server: secure-app.example.com, request: \"GET / HTTP/1.1\", \
                 upstream: \"https://10.0.3.7:8443/\", host: \"secure-app.example.com\"",
            )),
            Self::BackendLog(message) => Some(by_worker(
                "info",
                message,
                "client: 10.0.2.4, server: secure-app.example.com, request: \"GET / HTTP/1.1\", \
                 host: \"secure-app.example.com\"",
            )),
            Self::NginxLog(message) if message.starts_with("worker process") => {
                Some(format!("2026/06/01 12:00:00 [alert] 7#7: {message}"))
            }
            Self::NginxLog(message) => Some(format!("2026/06/01 12:00:00 [emerg] 7#7: {message}")),
            Self::AgentLog(line) => Some(line.clone()),
            Self::Client(_) | Self::Status(_) | Self::Shows(_) => None,
        }
    }
}
