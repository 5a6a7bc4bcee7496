//! A line of a backend's access log with `ssl_client_verify=… ssl_client_subject=…`, as the guide has it.

use ngf_probes::sanitize;

use super::line::{About, ClientVerify, Decoded, Level, What, Writer};

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
    let verified = |verify| What::ClientVerify {
        verify,
        subject: subject.clone(),
    };
    let what = match verify.trim() {
        "SUCCESS" => verified(ClientVerify::Success),
        "NONE" => verified(ClientVerify::None),
        "-" => verified(ClientVerify::NoTls),
        // The reason may hold spaces.
        other => What::ClientRefused {
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
