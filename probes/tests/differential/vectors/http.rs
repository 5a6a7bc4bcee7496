//! Answers: HTTP as it should be, HTTP as it should not be, and none.

use openssl::ssl::SslVersion;

use super::wire::vector;
use crate::mint::Certificate;
use crate::peer::{End, Peer, TlsPeer};
use crate::scenario::NAME;
use crate::vector::{Expected, Identity, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    [statuses(), odd_answers(), of_newer_versions(), no_answers()].concat()
}

/// A sound TLS server that answers 200.
pub(super) fn tls_peer(version: SslVersion) -> Peer {
    let root = Certificate::ca("Root").self_signed();
    Peer::Tls(TlsPeer {
        identity: Identity::new(&[&Certificate::leaf(NAME).issued_by(&root)]),
        version,
        records: None,
        answer: answer(200),
        end: End::CloseNotify,
    })
}

/// A well-formed answer.
pub(super) fn answer(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        .into_bytes()
}

fn peer(version: SslVersion, answer: &[u8], end: End) -> Peer {
    match tls_peer(version) {
        Peer::Tls(peer) => Peer::Tls(TlsPeer {
            answer: answer.to_vec(),
            end,
            ..peer
        }),
        other => other,
    }
}

fn statuses() -> Vec<Vector> {
    let fine = [200, 201, 206, 301, 302, 307];
    let errors = [
        400, 401, 403, 404, 405, 421, 429, 495, 500, 502, 503, 504, 505,
    ];
    let fine = fine.into_iter().map(|status| {
        (
            status,
            Expected {
                client_status: Some(status),
                ..Expected::OK
            },
        )
    });
    let errors = errors
        .into_iter()
        .map(|status| (status, Expected::http(status)));
    fine.chain(errors)
        .map(|(status, expected)| {
            let peer = peer(SslVersion::TLS1_3, &answer(status), End::CloseNotify);
            vector(
                &format!("the backend answers {status}"),
                peer,
                Some(expected),
            )
        })
        .collect()
}

fn odd_answers() -> Vec<Vector> {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let cases: Vec<(&str, &[u8])> = vec![
        ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nhello"),
        (
            "a body up to the end of the connection",
            b"HTTP/1.1 200 OK\r\n\r\nhello",
        ),
        (
            "chunks",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        (
            "bare line feeds",
            b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        ),
        (
            "no reason phrase",
            b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "no status line, only text",
            b"hello, I am no HTTP server\r\n",
        ),
        (
            "a status line of HTTP/2",
            b"HTTP/2 200\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "lower-case http",
            b"http/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "a status of two digits",
            b"HTTP/1.1 99 OK\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "a status of four digits",
            b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "a status that is no number",
            b"HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "a header without a colon",
            b"HTTP/1.1 200 OK\r\nwhat is this\r\n\r\nhello",
        ),
        (
            "a header with a NUL",
            b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\nhello",
        ),
        ("a header of 100 kB", long.as_bytes()),
        (
            "a header with a space in its name",
            b"HTTP/1.1 200 OK\r\nbad header: x\r\n\r\nhello",
        ),
        (
            "a header without a name",
            b"HTTP/1.1 200 OK\r\n: x\r\n\r\nhello",
        ),
        (
            "a folded header",
            b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\nhello",
        ),
        (
            "half a body",
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        ),
        (
            "half a chunk",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
        ),
        (
            "a chunk of no size",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello",
        ),
        (
            "an empty line first",
            b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "100 Continue first",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello",
        ),
        (
            "an error and half a body",
            b"HTTP/1.1 500 Oops\r\nContent-Length: 50\r\n\r\nhello",
        ),
        ("204 without a body", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("304 without a body", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        (
            "HTTP/2's SETTINGS",
            &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100],
        ),
    ];
    cases
        .into_iter()
        .map(|(words, answer)| odd(words, answer))
        .collect()
}

/// Answers that newer versions of NGINX, NGF's among them, take otherwise than Debian's 1.22: four
/// are refused since 1.23, and an interim answer is no final one since 1.29.
fn of_newer_versions() -> Vec<Vector> {
    let cases: Vec<(&str, &[u8])> = vec![
        (
            "103 Early Hints first",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello",
        ),
        (
            "two Content-Lengths",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        ),
        (
            "a Content-Length that is no number",
            b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        ),
        (
            "Content-Length and chunks",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "an unknown Transfer-Encoding",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        ),
    ];
    cases
        .into_iter()
        .map(|(words, answer)| {
            let since = if words.contains("Early Hints") {
                (1, 29)
            } else {
                (1, 23)
            };
            Vector {
                since: Some(since),
                ..odd(words, answer)
            }
        })
        .collect()
}

fn odd(words: &str, answer: &[u8]) -> Vector {
    let peer = peer(SslVersion::TLS1_3, answer, End::CloseNotify);
    vector(&format!("the backend answers with {words}"), peer, None)
}

fn no_answers() -> Vec<Vector> {
    let half: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Le";
    let ends = [
        (End::CloseNotify, "close_notify"),
        (End::Fin, "FIN"),
        (End::Reset, "RST"),
        (End::Silence, "silence"),
    ];
    let mut vectors = Vec::new();
    for (version, words) in [(SslVersion::TLS1_2, "1.2"), (SslVersion::TLS1_3, "1.3")] {
        for (end, how) in ends {
            for (answer, what) in [(&b""[..], "no answer"), (half, "half a header")] {
                let name = format!("TLS {words}, {what}, then {how}");
                let expected = match end {
                    End::Silence => Expected::TIMEOUT,
                    _ => Expected::CLOSED,
                };
                vectors.push(vector(&name, peer(version, answer, end), Some(expected)));
            }
        }
    }
    vectors
}
