//! The relay that is started in a container: what to start, and what its words mean.

use ngf_text::sanitize;
use serde_json::Value;

use super::socket::{End, Side};

/// Relays between its standard input and output and a TCP connection, by whatever the container
/// holds. Says on standard error how, and when it is connected; ends with the connection, when nobody
/// waits any more, and at the end of its life.
const SCRIPT: &str = include_str!("relay.sh");

/// Exit status that a shell has for a program that is not there.
const NOT_FOUND: i64 = 127;
/// Above this, a status is a signal's number.
const SIGNALS: i64 = 128;

/// A connection that a relay is to make.
#[derive(Debug, Clone)]
pub(super) struct RelayRequest<'t> {
    /// Name or address, without brackets.
    pub(super) host: &'t str,
    /// TCP port.
    pub(super) port: u16,
    /// Seconds that the connection may take.
    pub(super) patience: u64,
    /// Seconds that the relay may live.
    pub(super) life: u64,
}

/// The commands to try in a container, the best first: the next one where the program of one is not
/// there.
pub(super) fn commands(wanted: &RelayRequest<'_>) -> [Vec<String>; 2] {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let port = wanted.port.to_string();
    let target = if wanted.host.contains(':') {
        format!("[{}]:{port}", wanted.host)
    } else {
        format!("{}:{port}", wanted.host)
    };
    let (patience, life) = (wanted.patience.to_string(), wanted.life.to_string());
    [
        words(&[
            "sh",
            "-c",
            SCRIPT,
            "ngf-tui-relay",
            wanted.host,
            &port,
            &patience,
            &life,
        ]),
        // This program's own image holds no shell.
        words(&[
            "ngf-tui",
            "relay",
            &target,
            "--timeout",
            &patience,
            "--life",
            &life,
        ]),
    ]
}

/// Whether a name or address can be given to a program in a container: nothing in it is an option, or
/// means anything to a shell.
pub(super) fn is_plain(host: &str) -> bool {
    !host.starts_with('-')
        && !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_' | '%'))
}

/// How far a relay has come, by what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing was heard of it.
    Starting,
    /// It connects, by this program.
    Connecting(String),
    /// It is connected, by this program.
    Connected(String),
    /// It runs, by this program, and cannot tell when it is connected.
    Blind(String),
    /// There is no connection.
    Refused(RelayRefusal),
}

/// Why a relay made no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RelayRefusal {
    /// The operating system of the pod said so.
    Os {
        /// Linux's number.
        errno: i32,
        /// Linux's words.
        reason: &'static str,
    },
    /// Nothing answered in time.
    TimedOut,
    /// The name leads nowhere.
    Name {
        /// The words.
        reason: String,
        /// The resolver answered that there is no such name.
        is_authoritative: bool,
    },
    /// The container has no such program: shell, nc, bash.
    NoProgram(String),
    /// The relay itself failed.
    Broken(String),
}

/// What the operating system says, in glibc's and musl's words.
const REASONS: &[(&str, i32, &str)] = &[
    ("Connection refused", 111, "Connection refused"),
    ("No route to host", 113, "No route to host"),
    ("Host is unreachable", 113, "No route to host"),
    ("Network is unreachable", 101, "Network is unreachable"),
    ("Network unreachable", 101, "Network is unreachable"),
    ("Connection reset by peer", 104, "Connection reset by peer"),
    ("Permission denied", 13, "Permission denied"),
    ("Operation not permitted", 1, "Operation not permitted"),
];

/// Names that do not resolve: the words, and whether the resolver said that there is no such name.
const NAMES: &[(&str, bool)] = &[
    ("bad address", false),
    ("Name or service not known", true),
    ("Name does not resolve", true),
    ("Name has no usable address", true),
    ("nodename nor servname provided", true),
    ("Could not resolve hostname", false),
    ("Temporary failure in name resolution", false),
    ("Try again", false),
];

/// How far the relay has come.
pub(super) fn progress(side: &Side) -> Progress {
    let words = side.words();
    let mut by = None;
    let (mut connected, mut blind, mut timed_out) = (false, false, false);
    // Only whole lines: the end of a line may still be under way.
    let whole = words.rfind('\n').map_or("", |end| &words[..end]);
    for line in whole.lines() {
        match line.strip_prefix("ngf-tui: ").map(str::trim) {
            Some("connected") => connected = true,
            Some("blind") => blind = true,
            Some("timed out") => timed_out = true,
            Some(said) => {
                if let Some(program) = said.strip_prefix("by ") {
                    by = Some(sanitize::line(program, 20));
                }
            }
            None => {}
        }
    }
    if connected {
        return Progress::Connected(by.unwrap_or_else(|| "ngf-tui".to_owned()));
    }
    if timed_out {
        return Progress::Refused(RelayRefusal::TimedOut);
    }
    if let Some(exit) = exit(side) {
        return match refusal(&words, &exit) {
            Some(refusal) => Progress::Refused(refusal),
            // It connected, and was over before anybody looked.
            None => Progress::Connected(by.unwrap_or_default()),
        };
    }
    if let Some(how) = &side.ended {
        return Progress::Refused(RelayRefusal::Broken(cut(how)));
    }
    match by {
        Some(by) if blind => Progress::Blind(by),
        Some(by) => Progress::Connecting(by),
        None => Progress::Starting,
    }
}

/// What the end of a relay that was connected means.
pub(super) fn end(side: &Side) -> End {
    let words = side.words();
    let Some(exit) = exit(side) else {
        return match &side.ended {
            Some(how) => End::Broken(cut(how)),
            None => End::Closed,
        };
    };
    if words.contains("reset by peer") || words.contains("Broken pipe") {
        return End::Reset;
    }
    match exit {
        Exit::Code(0) => End::Closed,
        Exit::Code(code) if code > SIGNALS => End::Broken(format!(
            "the relay in the pod was killed (exit status {code}): the container restarted or ran out of memory, or the pod was deleted; probe again, or from another pod with --pod"
        )),
        Exit::Code(code) => End::Broken(format!(
            "the relay in the pod failed (exit status {code}): {}",
            last_words(&words)
        )),
        Exit::NotStarted(why) => End::Broken(why),
    }
}

/// How a command in a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exit {
    /// By itself, with this status.
    Code(i64),
    /// It was never started, or it is unknown how it ended: in the kubelet's words.
    NotStarted(String),
}

/// Reads the `Status` object that ends an exec (`k8s.io/apimachinery`, `StatusReason`
/// `NonZeroExitCode`).
fn exit(side: &Side) -> Option<Exit> {
    let status: Value = match serde_json::from_slice(side.status.as_deref()?) {
        Ok(status) => status,
        Err(_) => return Some(Exit::NotStarted("its status is not JSON".to_owned())),
    };
    if status.get("status").and_then(Value::as_str) == Some("Success") {
        return Some(Exit::Code(0));
    }
    let causes = status
        .get("details")
        .and_then(|details| details.get("causes"))
        .and_then(Value::as_array);
    let code = causes.into_iter().flatten().find_map(|cause| {
        let is_code = cause.get("reason").and_then(Value::as_str) == Some("ExitCode");
        let code = cause.get("message").and_then(Value::as_str)?.parse().ok()?;
        is_code.then_some(code)
    });
    Some(match code {
        Some(code) => Exit::Code(code),
        None => {
            let message = status.get("message").and_then(Value::as_str);
            Exit::NotStarted(sanitize::line(message.unwrap_or("no more words"), 400))
        }
    })
}

/// Why a relay that ended made no connection; `None` where it did make one.
fn refusal(words: &str, exit: &Exit) -> Option<RelayRefusal> {
    let code = match exit {
        Exit::NotStarted(why) => {
            return Some(if says_no_program(why) {
                RelayRefusal::NoProgram(why.clone())
            } else {
                RelayRefusal::Broken(why.clone())
            });
        }
        Exit::Code(0) => return None,
        Exit::Code(code) => *code,
    };
    if code == NOT_FOUND || code == NOT_FOUND - 1 || words.contains("ngf-tui: no relay") {
        return Some(RelayRefusal::NoProgram(last_words(words)));
    }
    for (text, errno, reason) in REASONS {
        if words.contains(text) {
            return Some(RelayRefusal::Os {
                errno: *errno,
                reason,
            });
        }
    }
    if ["timed out", "Operation timed out", "i/o timeout"]
        .iter()
        .any(|text| words.contains(text))
    {
        return Some(RelayRefusal::TimedOut);
    }
    for (text, is_authoritative) in NAMES {
        if words.contains(text) {
            return Some(RelayRefusal::Name {
                reason: last_words(words),
                is_authoritative: *is_authoritative,
            });
        }
    }
    Some(RelayRefusal::Broken(format!(
        "the relay in the pod failed (exit status {code}): {}",
        last_words(words)
    )))
}

/// The container runtime's words (runc, crun, CRI-O, kata) for a program that is not in the image.
fn says_no_program(why: &str) -> bool {
    [
        "executable file not found",
        "no such file or directory",
        "No such file or directory",
        "not found in $PATH",
    ]
    .iter()
    .any(|text| why.contains(text))
}

/// The last line that the relay itself did not say.
fn last_words(words: &str) -> String {
    let said = words
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty() && !line.starts_with("ngf-tui: by "));
    sanitize::line(said.unwrap_or("it said nothing"), 200)
}

fn cut(how: &Result<(), String>) -> String {
    const AND: &str = "the pod was deleted, or a proxy before the API server does not let websockets pass; probe again, or use --via direct";
    match how {
        Ok(()) => {
            format!("the connection through the API server ended before the relay did: {AND}")
        }
        Err(why) => format!("the connection through the API server broke ({why}): {AND}"),
    }
}

#[cfg(test)]
mod tests;
