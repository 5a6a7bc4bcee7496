//! Logs into words: what the data plane's nginx and agent, NGF's control plane and the backends write, as
//! facts that rules can join to routes, Services and endpoints, counted over time.
//!
//! [`decode`] knows the lines of nginx 1.22 to 1.31 with OpenSSL 3.0 to 3.6. Every line is hostile: a
//! client chooses paths and Host headers, a backend its headers. Decoding is pure and bounded.

mod access;
mod agent;
mod file;
mod fragment;
mod json;
mod line;
mod nginx;
mod saved;
mod shape;
mod tally;
mod words;

use jiff::Timestamp;

pub use access::{Answered, answered_with};
pub use file::parse as parse_file;
pub use fragment::{by_name, fragment};
pub use line::{About, ClientVerify, Decoded, Level, Meaning, Phase, Upstream, Writer};
pub use saved::unwrapped;
pub use shape::is_known;
pub use tally::{Counted, PodLog, Role, Tally};

/// Bytes of a line that are looked at; what a container writes can be any length.
const LONGEST: usize = 16 << 10;
/// Bytes that nginx writes at once to its error log.
const ONCE: usize = 2_048;

/// What a line says; `None` where it says nothing that matters to connections, certificates or
/// configuration, or is no line of a log that is known.
pub fn decode(line: &str) -> Option<Decoded> {
    let line = bounded(line.trim_end_matches(['\r', '\n']), LONGEST);
    nginx::decode(line)
        .or_else(|| agent::decode(line))
        .or_else(|| access::decode(line))
}

/// What nginx says by the message of an error: what stands in the line behind the time, the process and the connection.
pub fn message(text: &str) -> Option<Meaning> {
    nginx::what(Level::Error, bounded(text, LONGEST))
}

/// The same for a line as the API server gives it with `timestamps=true`: the kubelet's time, a space,
/// and the line. That time counts: it has a zone, and no client can choose it.
pub fn decode_stamped(line: &str) -> (Option<Timestamp>, Option<Decoded>) {
    match stamp(line) {
        Some((at, rest)) => {
            let decoded = decode(rest).map(|decoded| Decoded {
                at: Some(at),
                ..decoded
            });
            (Some(at), decoded)
        }
        None => (None, decode(line)),
    }
}

/// The kubelet's time before a line.
fn stamp(line: &str) -> Option<(Timestamp, &str)> {
    let (time, rest) = bounded(line, LONGEST).split_once(' ')?;
    let at = time.parse().ok()?;
    Some((at, rest))
}

/// Whether a line names an address: not as part of another (10.0.0.1 in 10.0.0.12).
pub fn names_address(line: &str, address: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == ':';
    line.match_indices(address).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + address.len()..];
        let next = after.chars().next();
        // `10.0.0.1:4711` is the address with a port.
        let ends =
            next.is_none_or(|c| !is_part(c)) || (next == Some(':') && !address.contains(':'));
        before.is_none_or(|c| !is_part(c)) && ends
    })
}

/// Tells lines from what only looks like one. nginx writes a decoded path (`%0a` and all) into its error
/// log where it rewrites one, so that a client can begin a line of its own; the line before it then ends
/// within a quoted text. What nginx writes at once is 2048 bytes at most (`NGX_MAX_ERROR_STR`), so that
/// a stray quote hides no more than that.
#[derive(Debug, Default)]
pub struct Unbroken {
    /// Bytes since the quote that nothing has closed yet.
    since_quote: Option<usize>,
}

impl Unbroken {
    /// Whether this line stands by itself; what a client began does not.
    pub fn is_whole(&mut self, line: &str) -> bool {
        let line = bounded(line, LONGEST);
        // JSON has no line feed within a text.
        if self.since_quote.is_none() && line.starts_with('{') {
            return true;
        }
        let quotes = line.bytes().filter(|byte| *byte == b'"').count();
        let odd = quotes % 2 == 1 && !shows_raw_bytes(line);
        match self.since_quote {
            Some(bytes) if bytes + line.len() < ONCE => {
                self.since_quote = (!odd).then_some(bytes + line.len());
                false
            }
            _ => {
                self.since_quote = odd.then_some(line.len());
                true
            }
        }
    }
}

/// Whether nginx shows the bytes of a request that it could not read, such as a ClientHello that was sent to a
/// plain server. Any of them may be a quote, and none a line feed (`ngx_http_log_error_handler`), so that the
/// line after it is nginx's own.
fn shows_raw_bytes(line: &str) -> bool {
    let message = line
        .split_once('#')
        .and_then(|(_, rest)| rest.split_once(": *"))
        .and_then(|(_, rest)| rest.split_once(' '));
    message.is_some_and(|(_, message)| {
        message.starts_with("client sent invalid method while reading client request line")
    })
}

/// The first bytes of a text, up to a character's end.
fn bounded(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::Unbroken;

    const FIRST: &str = "2026/11/29 22:23:40 [info] 1#1: *4 ";

    #[test]
    fn a_client_hello_with_a_quote_hides_no_line() {
        let mut unbroken = Unbroken::default();
        let shown = "client sent invalid method while reading client request line, client: unix:, request: \"\u{16}\u{3}\"\"";
        assert!(unbroken.is_whole(&format!("{FIRST}{shown}")));
        assert!(unbroken.is_whole("2026/11/29 22:23:40 [error] 1#1: *2 SSL_do_handshake() failed"));
    }

    #[test]
    fn a_line_that_a_client_began_is_none_of_nginx() {
        let mut unbroken = Unbroken::default();
        let path =
            "rewritten data: \"/client sent invalid method while reading client request line";
        assert!(unbroken.is_whole(&format!("{FIRST}{path}")));
        assert!(!unbroken.is_whole("2026/11/29 22:23:40 [error] 1#1: *2 forged\""));
    }
}
