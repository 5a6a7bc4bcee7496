//! Which codes of the catalogue a single line of a log can mean, without the objects that it is about.

use crate::logs::{Decoded, Phase, Upstream, What};

/// The codes that a line can mean, the likeliest first; empty where it tells of nothing that is wrong, or
/// of something that has no code.
pub fn codes(line: &Decoded) -> Vec<&'static str> {
    let is_stub =
        matches!(&line.request.upstream, Some(Upstream::Socket(path)) if path.contains("nginx-50"));
    match &line.what {
        What::VerifyError { code, .. } => match code {
            20 => vec!["NGF-T1", "NGF-T2"],
            7 | 19 | 21 => vec!["NGF-T1", "NGF-P11"],
            2 => vec!["NGF-T3"],
            18 => vec!["NGF-T4"],
            10 => vec!["NGF-T5"],
            9 => vec!["NGF-T6"],
            26 => vec!["NGF-T7"],
            _ => vec!["NGF-T20"],
        },
        What::NameMismatch { name } if name.parse::<std::net::IpAddr>().is_ok() => vec!["NGF-T9"],
        What::NameMismatch { .. } => vec!["NGF-T8"],
        What::Alert { number, phase, .. } => alert(*number, *phase),
        What::NotTls if is_stub => vec!["NGF-R8", "NGF-D4"],
        What::NotTls => vec!["NGF-T12"],
        What::NotHttp if line.text.contains("http2 frame") => vec!["NGF-B16", "NGF-B9"],
        What::NotHttp => vec!["NGF-B9"],
        What::TlsFailed { .. } => vec!["NGF-T21"],
        What::Closed {
            phase: Phase::Handshaking,
            ..
        } => vec!["NGF-T13"],
        What::ProxyProtocol => vec!["NGF-T13"],
        What::Closed { .. } => vec!["NGF-B11", "NGF-B9"],
        What::TimedOut {
            phase: Phase::Connecting,
        } => vec!["NGF-T14", "NGF-N1", "NGF-D4"],
        What::TimedOut {
            phase: Phase::Handshaking,
        } => vec!["NGF-T14"],
        What::TimedOut { .. } => vec!["NGF-T22"],
        What::ConnectRefused | What::ConnectFailed { .. } => vec!["NGF-T14", "NGF-D4"],
        What::NoLiveUpstreams => vec!["NGF-T15"],
        What::Disabled => vec!["NGF-T16"],
        What::HostNotFound { .. } => vec!["NGF-R7"],
        What::AuthRequest { .. } => vec!["NGF-R14"],
        What::ConfigurationRefused { .. }
        | What::ApplyFailed { .. }
        | What::UpdateFailed { .. } => {
            vec!["NGF-D1"]
        }
        What::NotConnected { .. } => vec!["NGF-D6"],
        What::WorkerDied { .. } => vec!["NGF-D7"],
        What::ClientRefused { code, .. } => match code {
            Some(9 | 10) => vec!["NGF-B3"],
            Some(26) => vec!["NGF-B4"],
            // No CRL of the CA, an expired one, or one that lists the certificate.
            Some(3 | 12 | 23) => vec!["NGF-B15"],
            _ => vec!["NGF-B2", "NGF-B5", "NGF-B6"],
        },
        What::NoClientCertificate => vec!["NGF-B1", "NGF-G8"],
        What::PlainToTls => vec!["NGF-B9"],
        What::Misdirected => vec!["NGF-B8"],
        What::HandshakeRefused { reason } if reason.contains("did not return a certificate") => {
            vec!["NGF-B10"]
        }
        What::HandshakeRefused { .. } => vec!["NGF-T11"],
        What::ClientAlert { number, .. } => match number {
            48 | 46 | 42 | 45 => vec!["NGF-T1"],
            _ => vec!["NGF-T21"],
        },
        What::ClientVerify { .. } | What::Reloaded => Vec::new(),
    }
}

/// RFC 8446 §6.
fn alert(number: u8, phase: Phase) -> Vec<&'static str> {
    let in_handshake = matches!(phase, Phase::Connecting | Phase::Handshaking);
    match number {
        112 => vec!["NGF-T10"],
        120 => vec!["NGF-B16"],
        70 => vec!["NGF-T11"],
        40 if in_handshake => vec!["NGF-T11", "NGF-B10"],
        40 | 42..=46 | 48 | 49 | 116 if !in_handshake => vec!["NGF-B11"],
        42..=46 | 48 | 49 | 116 => vec!["NGF-B10"],
        _ => vec!["NGF-T21"],
    }
}
