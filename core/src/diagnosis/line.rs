//! Which codes of the catalogue a single line of a log can mean, without the objects that it is about.

use super::{code::Code, fault::Fault, rules::handshake::connection::candidates};
use crate::logs::{Decoded, Meaning, Phase, Upstream};

/// The codes that a line can mean, the likeliest first; empty where it tells of nothing that is wrong, or
/// of something that has no code.
pub fn codes(line: &Decoded) -> Vec<Code> {
    let is_stub =
        matches!(&line.request.upstream, Some(Upstream::Socket(path)) if path.contains("nginx-50"));
    if is_stub && line.what == Meaning::NotTls {
        return vec![Code::R8, Code::D4];
    }
    let fault = Fault::of_line(line);
    let mut codes = fault.as_ref().map(candidates).unwrap_or_default();
    codes.extend(beyond_handshakes(&line.what));
    if codes.is_empty() && matches!(line.what, Meaning::HandshakeRefused { .. }) {
        codes.push(Code::T11);
    }
    codes
}

/// The codes of other rules that a line can mean.
fn beyond_handshakes(what: &Meaning) -> &'static [Code] {
    match what {
        Meaning::VerifyError {
            code: 7 | 19 | 21, ..
        } => &[Code::P11],
        Meaning::TimedOut {
            phase: Phase::Connecting,
        } => &[Code::N1, Code::D4],
        Meaning::ConnectRefused | Meaning::ConnectFailed { .. } => &[Code::D4],
        Meaning::NoLiveUpstreams => &[Code::T15],
        Meaning::Disabled => &[Code::T16],
        Meaning::HostNotFound { .. } => &[Code::R7],
        Meaning::AuthRequest { .. } => &[Code::R14],
        Meaning::ConfigurationRefused { .. }
        | Meaning::ApplyFailed { .. }
        | Meaning::UpdateFailed { .. } => &[Code::D1],
        Meaning::NotConnected { .. } => &[Code::D6],
        Meaning::WorkerDied { .. } => &[Code::D7],
        Meaning::NoClientCertificate => &[Code::G8],
        // A client that verifies refuses the certificate. nginx itself is none: it refuses a backend's certificate
        // after the handshake, without an alert.
        Meaning::ClientAlert {
            number: 42..=46 | 48,
            ..
        } => &[Code::L9],
        Meaning::ClientAlert {
            number: 40 | 70, ..
        } => &[Code::T11],
        Meaning::ClientAlert { .. } => &[Code::T21],
        _ => &[],
    }
}
