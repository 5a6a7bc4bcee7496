//! Which codes of the catalogue a single line of a log can mean, without the objects that it is about.

use crate::diagnosis::code::Code;
use crate::logs::{Decoded, Phase, Upstream, What};

/// The codes that a line can mean, the likeliest first; empty where it tells of nothing that is wrong, or
/// of something that has no code.
pub fn codes(line: &Decoded) -> Vec<Code> {
    let is_stub =
        matches!(&line.request.upstream, Some(Upstream::Socket(path)) if path.contains("nginx-50"));
    match &line.what {
        What::VerifyError { code, .. } => match code {
            20 => vec![Code::T1, Code::T2],
            7 | 19 | 21 => vec![Code::T1, Code::P11],
            2 => vec![Code::T3],
            18 => vec![Code::T4],
            10 => vec![Code::T5],
            9 => vec![Code::T6],
            26 => vec![Code::T7],
            _ => vec![Code::T20],
        },
        What::NameMismatch { name } if name.parse::<std::net::IpAddr>().is_ok() => vec![Code::T9],
        What::NameMismatch { .. } => vec![Code::T8],
        What::Alert { number, phase, .. } => alert(*number, *phase),
        What::NotTls if is_stub => vec![Code::R8, Code::D4],
        What::NotTls => vec![Code::T12],
        What::NotHttp if line.text.contains("http2 frame") => vec![Code::B16, Code::B9],
        What::NotHttp => vec![Code::B9],
        What::TlsFailed { .. } => vec![Code::T21],
        What::Closed {
            phase: Phase::Handshaking,
            ..
        } => vec![Code::T13],
        What::ProxyProtocol => vec![Code::T13],
        What::Closed { .. } => vec![Code::B11, Code::B9],
        What::TimedOut {
            phase: Phase::Connecting,
        } => vec![Code::T14, Code::N1, Code::D4],
        What::TimedOut {
            phase: Phase::Handshaking,
        } => vec![Code::T14],
        What::TimedOut { .. } => vec![Code::T22],
        What::ConnectRefused | What::ConnectFailed { .. } => vec![Code::T14, Code::D4],
        What::NoLiveUpstreams => vec![Code::T15],
        What::Disabled => vec![Code::T16],
        What::HostNotFound { .. } => vec![Code::R7],
        What::AuthRequest { .. } => vec![Code::R14],
        What::ConfigurationRefused { .. }
        | What::ApplyFailed { .. }
        | What::UpdateFailed { .. } => {
            vec![Code::D1]
        }
        What::NotConnected { .. } => vec![Code::D6],
        What::WorkerDied { .. } => vec![Code::D7],
        What::ClientRefused { code, .. } => match code {
            Some(9 | 10) => vec![Code::B3],
            Some(26) => vec![Code::B4],
            // No CRL of the CA, an expired one, or one that lists the certificate.
            Some(3 | 12 | 23) => vec![Code::B15],
            _ => vec![Code::B2, Code::B5, Code::B6],
        },
        What::NoClientCertificate => vec![Code::B1, Code::G8],
        What::PlainToTls => vec![Code::B9],
        What::Misdirected => vec![Code::B8],
        What::HandshakeRefused { reason } if reason.contains("did not return a certificate") => {
            vec![Code::B10]
        }
        What::HandshakeRefused { .. } => vec![Code::T11],
        What::ClientAlert { number, .. } => match number {
            48 | 46 | 42 | 45 => vec![Code::T1],
            _ => vec![Code::T21],
        },
        What::ClientVerify { .. } | What::Reloaded => Vec::new(),
    }
}

/// RFC 8446 §6.
fn alert(number: u8, phase: Phase) -> Vec<Code> {
    let in_handshake = matches!(phase, Phase::Connecting | Phase::Handshaking);
    match number {
        112 => vec![Code::T10],
        120 => vec![Code::B16],
        70 => vec![Code::T11],
        40 if in_handshake => vec![Code::T11, Code::B10],
        40 | 42..=46 | 48 | 49 | 116 if !in_handshake => vec![Code::B11],
        42..=46 | 48 | 49 | 116 => vec![Code::B10],
        _ => vec![Code::T21],
    }
}
