//! The table of handshakes that break.

use crate::support::pki::Template;
use ngf_tls::transcript::Outcome::{self, Closed, Timeout, TlsError};

use super::Then;

fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![
        content_type,
        3,
        3,
        (body.len() >> 8) as u8,
        body.len() as u8,
    ];
    record.extend(body);
    record
}

/// A ServerHello of TLS 1.2 that OpenSSL takes.
fn server_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0xc0, 0x2f, 0]);
    body.extend([0, 5, 0xff, 1, 0, 1, 0]);
    handshake(2, &body)
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

/// A Certificate message of so many bytes, in as many records as that takes.
fn certificates(bytes: usize) -> Vec<u8> {
    let der = Template::server("big").self_signed().der();
    let mut list: Vec<u8> = Vec::new();
    while list.len() < bytes {
        list.extend(&(der.len() as u32).to_be_bytes()[1..]);
        list.extend(&der);
    }
    let mut body = (list.len() as u32).to_be_bytes()[1..].to_vec();
    body.extend(list);
    handshake(11, &body)
        .chunks(16_384)
        .flat_map(|part| record(22, part))
        .collect()
}

pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) then: Then,
    pub(super) outcome: Outcome,
    pub(super) alert: Option<u8>,
    pub(super) status: u16,
    /// Part of the line that nginx would write.
    pub(super) line: &'static str,
    /// Part of the sentence: the last thing that happened.
    pub(super) sentence: &'static str,
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn in_the_handshake() -> Vec<Row> {
    let hello = record(22, &server_hello());
    let row = |what, bytes, then, outcome, alert, status, line, sentence| Row {
        what,
        bytes,
        then,
        outcome,
        alert,
        status,
        line,
        sentence,
    };
    vec![
        row(
            "silence",
            vec![],
            Then::Silence,
            Timeout,
            None,
            504,
            "upstream timed out (110: Connection timed out) while SSL handshaking to upstream",
            "nothing came from the backend",
        ),
        row(
            "end at once",
            vec![],
            Then::End,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake while SSL handshaking to upstream",
            "nothing came from the backend",
        ),
        row(
            "reset at once",
            vec![],
            Then::Reset,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking to upstream",
            "Connection reset by peer",
        ),
        row(
            "garbage",
            vec![0xde; 500],
            Then::End,
            TlsError,
            None,
            502,
            "wrong version number",
            "does not speak TLS on this port",
        ),
        row(
            "plain HTTP",
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Then::End,
            TlsError,
            None,
            502,
            "wrong version number",
            "plain HTTP: HTTP/1.1 400 Bad Request",
        ),
        row(
            "half a header",
            vec![22, 3],
            Then::Silence,
            Timeout,
            None,
            504,
            "upstream timed out",
            "after 2 of the 5 bytes of a record's header",
        ),
        row(
            "half a record",
            hello[..20].to_vec(),
            Then::Silence,
            Timeout,
            None,
            504,
            "upstream timed out",
            "after 15 of the 49 bytes of a record of type handshake",
        ),
        row(
            "half a record, then the end",
            hello[..20].to_vec(),
            Then::End,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake",
            "after 15 of the 49 bytes",
        ),
        row(
            "a hello, then silence",
            hello.clone(),
            Then::Silence,
            Timeout,
            None,
            504,
            "upstream timed out",
            "the backend's ServerHello was the last to come",
        ),
        row(
            "a hello, then the end",
            hello.clone(),
            Then::End,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake",
            "the backend's ServerHello was the last to come",
        ),
        row(
            "a hello, then a reset",
            hello.clone(),
            Then::Reset,
            Closed,
            None,
            502,
            "(104: Connection reset by peer)",
            "the backend's ServerHello was the last to come",
        ),
        row(
            "a fatal alert",
            record(21, &[2, 80]),
            Then::End,
            TlsError,
            Some(80),
            502,
            "SSL alert number 80",
            "alert 80 (internal_error)",
        ),
        row(
            "an alert after the hello",
            [hello.clone(), record(21, &[2, 40])].concat(),
            Then::End,
            TlsError,
            Some(40),
            502,
            "SSL alert number 40",
            "alert 40 (handshake_failure)",
        ),
        row(
            "unrecognized_name",
            record(21, &[2, 112]),
            Then::End,
            TlsError,
            Some(112),
            502,
            "SSL alert number 112",
            "it has no server of the name secure-app.example.com",
        ),
        row(
            "protocol_version",
            record(21, &[2, 70]),
            Then::End,
            TlsError,
            Some(70),
            502,
            "SSL alert number 70",
            "neither TLS 1.2 nor TLS 1.3",
        ),
        row(
            "close_notify",
            record(21, &[1, 0]),
            Then::End,
            Closed,
            None,
            502,
            "peer closed connection in SSL handshake while",
            "Alert was the last to come",
        ),
        row(
            "half an alert",
            record(21, &[2]),
            Then::End,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "empty records",
            record(22, &[]),
            Then::Repeat,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "warnings for ever",
            record(21, &[1, 90]),
            Then::Repeat,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "1 MB of certificates",
            [hello.clone(), certificates(1 << 20)].concat(),
            Then::Silence,
            TlsError,
            None,
            502,
            "excessive message size",
            "failed here",
        ),
        row(
            "a message that never ends",
            [
                record(22, &[11, 0xff, 0xff, 0xff]),
                record(22, &[0; 16_000]),
            ]
            .concat(),
            Then::Repeat,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "a record that is too long",
            vec![22, 3, 3, 0xff, 0xff],
            Then::Repeat,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
        row(
            "application data at once",
            record(23, b"hello"),
            Then::End,
            TlsError,
            None,
            502,
            "SSL_do_handshake() failed",
            "failed here",
        ),
    ]
}
