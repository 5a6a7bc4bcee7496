//! Lines of nginx-agent v3 (Go's `slog` text: `time=… level=ERROR msg="…" error="…"`) and of NGF's control
//! plane (zap's JSON), as far as they say that a configuration did not reach nginx.
//!
//! The messages come from nginx-agent's `internal/nginx/nginx_plugin.go` and
//! `internal/command/command_service.go`, and from NGF's `internal/controller/handler.go`.

use jiff::Timestamp;
use ngf_text::sanitize;
use serde_json::Value;

use super::{
    line::{About, Decoded, Level, Meaning, Writer},
    nginx::{self, TEXT},
};

/// Messages of the agent after which the old configuration stays.
const NOT_APPLIED: &[&str] = &[
    "Failed to apply config changes",
    "Failed to apply config changes, rolling back",
    "Errors found during config apply, sending error status and rolling back configuration updates",
    "Errors found during rollback, sending failure status",
];
/// Messages of the agent that say that it has no connection.
const NOT_CONNECTED: &[&str] = &["Failed to create connection", "Unable to create connection"];

pub(super) fn decode(line: &str) -> Option<Decoded> {
    if line.starts_with('{') {
        return controller(line);
    }
    line.starts_with("time=").then(|| agent(line)).flatten()
}

fn agent(line: &str) -> Option<Decoded> {
    let fields = logfmt(line);
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    let level = level(field("level")?)?;
    let message = field("msg")?;
    let error = field("error").unwrap_or_default();
    let reason = sanitize::line(error, TEXT);
    let what = if NOT_APPLIED.contains(&message) {
        // `nginx -t` says what it refuses; that is the cause.
        match error.split_once("[emerg] ") {
            Some((_, emerg)) => nginx::refused(emerg.lines().next().unwrap_or(emerg).trim()),
            None => Meaning::ApplyFailed { reason },
        }
    } else if NOT_CONNECTED.contains(&message) {
        Meaning::NotConnected { reason }
    } else {
        return None;
    };
    Some(Decoded {
        at: field("time").and_then(|time| time.parse().ok()),
        writer: Writer::Agent,
        level,
        pid: None,
        connection: None,
        what,
        text: sanitize::line(message, TEXT),
        request: About::default(),
    })
}

fn controller(line: &str) -> Option<Decoded> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let message = text("msg")?;
    if message != "Failed to update NGINX configuration" {
        return None;
    }
    let at = match value.get("ts") {
        Some(Value::String(time)) => time.parse().ok(),
        Some(number) => number
            .as_f64()
            .filter(|seconds| seconds.is_finite() && seconds.abs() < 1e11)
            .and_then(|seconds| Timestamp::from_second(seconds as i64).ok()),
        None => None,
    };
    let error = text("error").unwrap_or_default();
    Some(Decoded {
        at,
        writer: Writer::Controller,
        level: level(text("level")?)?,
        pid: None,
        connection: None,
        what: match error.split_once("[emerg] ") {
            Some((_, emerg)) => nginx::refused(emerg.lines().next().unwrap_or(emerg).trim()),
            None => Meaning::UpdateFailed {
                reason: sanitize::line(error, TEXT),
            },
        },
        text: sanitize::line(message, TEXT),
        request: About::default(),
    })
}

fn level(word: &str) -> Option<Level> {
    Some(match word.to_ascii_lowercase().as_str() {
        "debug" => Level::Debug,
        "info" => Level::Info,
        "warn" => Level::Warn,
        "error" => Level::Error,
        _ => return None,
    })
}

/// `key=value key="quoted \" value"`, at most 32 of them; Go quotes as its own language does.
fn logfmt(line: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = line.trim_start();
    while fields.len() < 32
        && let Some((key, after)) = rest.split_once('=')
    {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(' ').unwrap_or(after.len());
                let (value, after) = after.split_at(end);
                (value.to_owned(), after)
            }
        };
        fields.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    fields
}

/// Up to the quote that ends it, and what follows.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, character)) = chars.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 't')) => value.push('\t'),
                Some((_, other)) => value.push(other),
                None => break,
            },
            other => value.push(other),
        }
    }
    (value, "")
}
