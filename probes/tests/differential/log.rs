//! Reads NGINX's verdict off the gateway's error log, which is kept at `debug` for the sake of the
//! verify callback's own lines (`verify:0, error:20, depth:0, …`).

use std::collections::HashMap;

use ngf_tls::transcript::Outcome;

use crate::nginx::Number;
use crate::verdict::{Verdict, comparable_line, unix_lines};

/// What the log says of each vector.
#[derive(Debug, Default)]
pub(crate) struct GatewayLog {
    vectors: HashMap<Number, Entry>,
}

#[derive(Debug, Default, Clone)]
struct Entry {
    /// Lines of level `info` and above, without what is before and behind the message.
    lines: Vec<String>,
    /// `upstream SSL server name: "…"`.
    sni: Option<String>,
    /// Depth, code, and whether it was a complaint, of each call of the verify callback.
    calls: Vec<(u32, i32, bool)>,
}

impl GatewayLog {
    /// Sorts a log's lines by connection, and the connections by what was asked on them.
    pub(crate) fn read(text: &str) -> Self {
        let mut connections: HashMap<&str, Entry> = HashMap::new();
        let mut asked: HashMap<&str, Number> = HashMap::new();
        for (level, connection, message) in text.lines().filter_map(parts) {
            let entry = connections.entry(connection).or_default();
            if level != "debug" {
                entry.lines.push(message_alone(message).to_owned());
            } else if let Some(path) = message.strip_prefix("http request line: \"GET /v/") {
                let number = path
                    .split(' ')
                    .next()
                    .and_then(|number| number.parse().ok());
                asked.extend(number.map(|number| (connection, number)));
            } else if let Some(name) = message.strip_prefix("upstream SSL server name: \"") {
                entry.sni = name.strip_suffix('"').map(str::to_owned);
            } else if let Some(call) = verify_call(message) {
                entry.calls.push(call);
            }
        }
        let vectors = asked
            .into_iter()
            .filter_map(|(connection, number)| Some((number, connections.remove(connection)?)))
            .collect();
        Self { vectors }
    }

    /// The verdict on a vector, given what the gateway's client got.
    pub(crate) fn verdict(&self, number: Number, status: u16, body: &str) -> Verdict {
        let entry = self.vectors.get(&number).cloned().unwrap_or_default();
        let line = entry.lines.first();
        // What breaks while the body is passed on comes after the status.
        let spoilt = line.filter(|line| status < 400 || !line.ends_with("while reading upstream"));
        let outcome = spoilt.map_or_else(|| by_status(status), |line| outcome(line));
        let reached = matches!(outcome, Outcome::Ok | Outcome::HttpError);
        Verdict {
            outcome,
            // NGINX asks for SSL_get_verify_result() once the handshake is done; the store's context
            // ends with the code of its last call.
            verify_code: entry
                .calls
                .last()
                .filter(|_| line.is_none_or(|line| handshake_was_done(line)))
                .map(|&(_, code, _)| code),
            alert: line.and_then(|line| number_after(line, "SSL alert number ")),
            // NGINX's own number for an answer that it passes on as HTTP/0.9: no status at all.
            client_status: Some(status).filter(|&status| status != 9),
            log_line: line.map(|line| comparable_line(line)),
            // The name is logged before OpenSSL has taken it.
            sni: entry
                .sni
                .clone()
                .filter(|_| line.is_none_or(|line| !line.starts_with("SSL_set_tlsext_host_name("))),
            complaints: entry
                .calls
                .iter()
                .filter(|(_, _, complaint)| *complaint)
                .map(|&(depth, code, _)| (depth, code))
                .collect(),
            body: reached.then(|| unix_lines(body)),
        }
    }
}

/// The code of `client SSL certificate verify error: (21:…)` in the backends' log, by the request's
/// path. A probe's request has the same path, and must have had the same answer.
pub(crate) fn client_verify_codes(text: &str) -> HashMap<Number, i32> {
    let code = |line: &str| {
        let code = number_after(line, "client SSL certificate verify error: (")?;
        Some((number_after(line, "request: \"GET /v/")?, code))
    };
    text.lines().filter_map(code).collect()
}

/// Level, connection and message of a line: `DATE TIME [LEVEL] PID#TID: *CONNECTION MESSAGE`.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = line.split_once(" [")?;
    let (level, rest) = rest.split_once("] ")?;
    let (_, rest) = rest.split_once(": *")?;
    let (connection, message) = rest.split_once(' ')?;
    Some((level, connection, message))
}

fn message_alone(message: &str) -> &str {
    message.split(", client: ").next().unwrap_or(message)
}

/// `verify:0, error:20, depth:0, subject:"…", issuer:"…"` of `ngx_ssl_verify_callback`.
fn verify_call(message: &str) -> Option<(u32, i32, bool)> {
    let ok: u32 = number_after(message, "verify:").filter(|_| message.starts_with("verify:"))?;
    let code = number_after(message, ", error:")?;
    let depth = number_after(message, ", depth:")?;
    Some((depth, code, ok == 0))
}

fn number_after<N: std::str::FromStr>(text: &str, words: &str) -> Option<N> {
    let (_, rest) = text.split_once(words)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// The class of a logged failure.
fn outcome(line: &str) -> Outcome {
    let classes = [
        (
            "upstream SSL certificate verify error",
            Outcome::VerifyError,
        ),
        (
            "upstream SSL certificate does not match",
            Outcome::NameMismatch,
        ),
        ("SSL_set_tlsext_host_name(", Outcome::TlsError),
        ("SSL_do_handshake() failed", Outcome::TlsError),
        ("SSL_read() failed (SSL:", Outcome::TlsError),
        ("SSL_write() failed (SSL:", Outcome::TlsError),
        ("connect() failed", Outcome::ConnectError),
        ("upstream timed out", Outcome::Timeout),
        ("peer closed connection in SSL handshake", Outcome::Closed),
        ("upstream prematurely closed connection", Outcome::Closed),
        ("recv() failed", Outcome::Closed),
        ("SSL_read() failed (1", Outcome::Closed),
        ("writev() failed", Outcome::Closed),
        ("send() failed", Outcome::Closed),
        ("upstream sent ", Outcome::HttpError),
    ];
    classes
        .iter()
        .find(|(words, _)| line.starts_with(words))
        .map_or_else(
            || panic!("NGINX logged what this suite has no class for: {line}"),
            |&(_, outcome)| outcome,
        )
}

fn handshake_was_done(line: &str) -> bool {
    line.starts_with("upstream SSL certificate ") || !line.contains("SSL handshaking to upstream")
}

fn by_status(status: u16) -> Outcome {
    if status < 400 {
        Outcome::Ok
    } else {
        Outcome::HttpError
    }
}
