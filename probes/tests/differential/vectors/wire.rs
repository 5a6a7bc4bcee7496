//! Connections that break: refused, hanging, reset, cut after each record, no TLS at all, alerts.

use std::time::Duration;

use openssl::ssl::SslVersion;

use super::http::{answer, tls_peer};
use crate::mint::Certificate;
use crate::peer::{End, Peer, TlsPeer};
use crate::scenario::NAME;
use crate::vector::{Backend, Expected, Gateway, Vector};

/// The gateway's patience with peers that hang.
pub(super) const IMPATIENCE: Duration = Duration::from_secs(2);

pub(super) fn vectors() -> Vec<Vector> {
    [
        connections(),
        nonsense(),
        broken_records(),
        alerts(),
        cuts(),
    ]
    .concat()
}

pub(super) fn vector(name: &str, peer: Peer, expected: Option<Expected>) -> Vector {
    let mut gateway = Gateway::new(NAME, Certificate::ca("Root").self_signed().pem());
    if hangs(&peer) {
        gateway.timeout = IMPATIENCE;
    }
    Vector::new(name, Backend::Peer(peer), gateway, expected)
}

fn hangs(peer: &Peer) -> bool {
    match peer {
        Peer::Refused => false,
        Peer::NeverAccepts => true,
        Peer::Bytes { end, .. } | Peer::Tls(TlsPeer { end, .. }) => matches!(end, End::Silence),
    }
}

fn bytes(listens_first: bool, writes: &[u8], end: End) -> Peer {
    Peer::Bytes {
        listens_first,
        writes: writes.to_vec(),
        end,
    }
}

fn connections() -> Vec<Vector> {
    let plain = |mut vector: Vector| {
        vector.gateway.tls = None;
        vector
    };
    let closed = Some(Expected::CLOSED);
    let timeout = Some(Expected::TIMEOUT);
    vec![
        vector("refused", Peer::Refused, Some(Expected::REFUSED)),
        vector("connect time-out", Peer::NeverAccepts, timeout),
        vector(
            "TLS hang before the ClientHello is read",
            bytes(false, b"", End::Silence),
            timeout,
        ),
        vector(
            "TLS hang after the ClientHello",
            bytes(true, b"", End::Silence),
            timeout,
        ),
        vector(
            "FIN after the ClientHello",
            bytes(true, b"", End::Fin),
            closed,
        ),
        vector(
            "RST after the ClientHello",
            bytes(true, b"", End::Reset),
            closed,
        ),
        plain(vector(
            "plain, refused",
            Peer::Refused,
            Some(Expected::REFUSED),
        )),
        plain(vector(
            "plain, connect time-out",
            Peer::NeverAccepts,
            timeout,
        )),
        plain(vector(
            "plain, hang",
            bytes(true, b"", End::Silence),
            timeout,
        )),
        plain(vector("plain, FIN", bytes(true, b"", End::Fin), closed)),
        plain(vector("plain, RST", bytes(true, b"", End::Reset), closed)),
        plain(vector(
            "plain HTTP to an OpenSSL server",
            tls_peer(SslVersion::TLS1_2),
            closed,
        )),
    ]
}

/// A TLS record, whatever its header announces.
fn record(content_type: u8, version: u16, length: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![content_type];
    bytes.extend(version.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

fn answered(cases: Vec<(&str, Vec<u8>, End)>) -> Vec<Vector> {
    cases
        .into_iter()
        .map(|(name, writes, end)| vector(name, bytes(true, &writes, end), None))
        .collect()
}

fn nonsense() -> Vec<Vector> {
    let http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    answered(vec![
        ("plain HTTP answer", http.to_vec(), End::Fin),
        (
            "SSH banner",
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".to_vec(),
            End::Fin,
        ),
        (
            "SSH banner, then silence",
            b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(),
            End::Silence,
        ),
        (
            "SMTP banner",
            b"220 mail.example.com ESMTP\r\n".to_vec(),
            End::Fin,
        ),
        ("zeros", vec![0; 64], End::Fin),
        ("one byte", vec![0x16], End::Fin),
        ("one byte, then silence", vec![0x16], End::Silence),
        ("one byte, then RST", vec![0x16], End::Reset),
        ("noise", (0..255_u8).rev().collect(), End::Fin),
    ])
}

fn broken_records() -> Vec<Vector> {
    answered(vec![
        (
            "empty handshake record",
            record(0x16, 0x0303, 0, b""),
            End::Fin,
        ),
        (
            "40 empty handshake records",
            record(0x16, 0x0303, 0, b"").repeat(40),
            End::Fin,
        ),
        (
            "record of 65,535 bytes announced",
            record(0x16, 0x0303, 0xffff, b"abc"),
            End::Fin,
        ),
        (
            "record of 16,384 announced, then FIN",
            record(0x16, 0x0303, 0x4000, b"abc"),
            End::Fin,
        ),
        ("half a header, then FIN", vec![0x16, 0x03, 0x03], End::Fin),
        (
            "record of SSL 2's version",
            record(0x16, 0x0200, 4, &[2, 0, 0, 0]),
            End::Fin,
        ),
        (
            "record of version 5.0",
            record(0x16, 0x0500, 4, &[2, 0, 0, 0]),
            End::Fin,
        ),
        (
            "application data first",
            record(0x17, 0x0303, 4, b"abcd"),
            End::Fin,
        ),
        (
            "ChangeCipherSpec first",
            record(0x14, 0x0303, 1, &[1]),
            End::Fin,
        ),
        ("content type 99", record(99, 0x0303, 4, b"abcd"), End::Fin),
        (
            "empty ServerHello",
            record(0x16, 0x0303, 4, &[2, 0, 0, 0]),
            End::Fin,
        ),
        (
            "unknown handshake message",
            record(0x16, 0x0303, 4, &[99, 0, 0, 0]),
            End::Fin,
        ),
        (
            "Finished first",
            record(0x16, 0x0303, 4, &[20, 0, 0, 0]),
            End::Fin,
        ),
        (
            "HelloRequest, then FIN",
            record(0x16, 0x0303, 4, &[0, 0, 0, 0]),
            End::Fin,
        ),
        (
            "ServerHello of 16 MB announced",
            record(0x16, 0x0303, 4, &[2, 255, 255, 255]),
            End::Fin,
        ),
        ("alert of one byte", record(0x15, 0x0303, 1, &[2]), End::Fin),
        (
            "alert of three bytes",
            record(0x15, 0x0303, 3, &[2, 40, 0]),
            End::Fin,
        ),
        (
            "alert of level 3",
            record(0x15, 0x0303, 2, &[3, 40]),
            End::Fin,
        ),
        ("alert, header only", record(0x15, 0x0303, 2, b""), End::Fin),
    ])
}

fn alerts() -> Vec<Vector> {
    const WARNING: u8 = 1;
    const FATAL: u8 = 2;
    let alert = |level: u8, number: u8| [0x15, 3, 3, 0, 2, level, number];
    let known = [
        10, 20, 21, 22, 30, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 60, 70, 71, 80, 86, 90,
        109, 110, 111, 112, 113, 114, 115, 116, 120,
    ];
    let mut vectors: Vec<Vector> = known
        .into_iter()
        .map(|number| {
            let peer = bytes(true, &alert(FATAL, number), End::Fin);
            let expected = Some(Expected::alert(number));
            vector(
                &format!("fatal alert {number} after the ClientHello"),
                peer,
                expected,
            )
        })
        .collect();
    for (level, words, number) in [
        (WARNING, "warning", 0),
        (FATAL, "fatal", 0),
        (WARNING, "warning", 40),
        (WARNING, "warning", 90),
        (WARNING, "warning", 100),
        (WARNING, "warning", 112),
        (FATAL, "fatal", 41),
        (FATAL, "fatal", 200),
        (FATAL, "fatal", 255),
    ] {
        let peer = bytes(true, &alert(level, number), End::Fin);
        vectors.push(vector(
            &format!("{words} alert {number}, then FIN"),
            peer,
            None,
        ));
    }
    let reset = bytes(true, &alert(FATAL, 40), End::Reset);
    vectors.push(vector("fatal alert 40, then RST", reset, None));
    let six = alert(WARNING, 90).repeat(6);
    vectors.push(vector(
        "six warnings, then FIN",
        bytes(true, &six, End::Fin),
        None,
    ));
    vectors
}

/// The wire cut after each record of the server.
fn cuts() -> Vec<Vector> {
    let mut vectors = Vec::new();
    // ServerHello, Certificate, ServerKeyExchange, ServerHelloDone; then NewSessionTicket,
    // ChangeCipherSpec, Finished. In TLS 1.3: ServerHello, ChangeCipherSpec, EncryptedExtensions,
    // Certificate, CertificateVerify, Finished.
    for (version, words, records) in [
        (SslVersion::TLS1_2, "1.2", 7),
        (SslVersion::TLS1_3, "1.3", 5),
    ] {
        for count in 1..records {
            for (end, how) in [
                (End::Fin, "FIN"),
                (End::Reset, "RST"),
                (End::Silence, "silence"),
            ] {
                let Peer::Tls(whole) = tls_peer(version) else {
                    continue;
                };
                let peer = TlsPeer {
                    records: Some(count),
                    answer: answer(200),
                    end,
                    ..whole
                };
                let name = format!("TLS {words}, {how} after record {count}");
                vectors.push(vector(&name, Peer::Tls(peer.clone()), None));
                // NGINX has heard the complaint, but never came to judge.
                let mut unknown = vector(&format!("{name}, unknown root"), Peer::Tls(peer), None);
                if let Some(tls) = &mut unknown.gateway.tls {
                    tls.trusted = Certificate::ca("Unrelated Root").self_signed().pem();
                }
                vectors.push(unknown);
            }
        }
    }
    vectors
}
