//! A line of a backend's access log with `ssl_client_verify=… ssl_client_subject=…`, as the guide has it.

use ngf_text::sanitize;

use super::line::{About, ClientVerify, Decoded, Level, Meaning, Writer};

pub(super) fn decode(line: &str) -> Option<Decoded> {
    let (before, rest) = line.split_once("ssl_client_verify=")?;
    let client = before.split(' ').next().and_then(|ip| ip.parse().ok());
    let (verify, subject) = match rest.split_once(" ssl_client_subject=") {
        Some((verify, subject)) => (verify, subject),
        None => (rest.split([' ', '"']).next().unwrap_or(rest), "-"),
    };
    let subject = match sanitize::line(subject.trim(), 200) {
        none if none == "-" => String::new(),
        subject => subject,
    };
    let verified = |verify| Meaning::ClientVerify {
        verify,
        subject: subject.clone(),
    };
    let what = match verify.trim() {
        "SUCCESS" => verified(ClientVerify::Success),
        "NONE" => verified(ClientVerify::None),
        "-" => verified(ClientVerify::NoTls),
        // The reason may hold spaces.
        other => Meaning::ClientRefused {
            code: None,
            words: sanitize::line(other.strip_prefix("FAILED:")?, 120),
        },
    };
    Some(Decoded {
        at: None,
        writer: Writer::Access,
        level: Level::Info,
        pid: None,
        connection: None,
        what,
        text: sanitize::line(line, super::nginx::TEXT),
        request: About {
            client,
            ..About::default()
        },
    })
}

/// A line of an access log in the usual format (`combined`), as far as it says what a client got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// `GET / HTTP/1.1`, or the first bytes of what was no request, escaped.
    pub request: String,
    /// The status.
    pub status: u16,
}

/// What a client got by a line of an access log: `IP - - [time] "GET / HTTP/1.1" 502 …`.
pub fn answered_with(line: &str) -> Option<Answered> {
    let line = super::bounded(line, super::LONGEST);
    let (before, rest) = line.split_once("] \"")?;
    // The kubelet's time stands before it, and the client's address, an identity and a user.
    if !before.contains(" [") || before.contains('"') {
        return None;
    }
    let (request, rest) = rest.split_once("\" ")?;
    let status = rest.split(' ').next()?;
    let status = status.parse().ok().filter(|_| status.len() == 3)?;
    let request = sanitize::line(request, super::nginx::TEXT);
    Some(Answered { request, status })
}
