//! Which codes of the catalogue a single line of a log can mean, without the objects that it is about.

use super::{code::Code, fault::Fault, rules::handshake::connection::candidates};
use crate::logs::{Decoded, Phase, Upstream, What};

/// The codes that a line can mean, the likeliest first; empty where it tells of nothing that is wrong, or
/// of something that has no code.
pub fn codes(line: &Decoded) -> Vec<Code> {
    let is_stub =
        matches!(&line.request.upstream, Some(Upstream::Socket(path)) if path.contains("nginx-50"));
    if is_stub && line.what == What::NotTls {
        return vec![Code::R8, Code::D4];
    }
    let fault = Fault::of_line(line);
    let mut codes = fault.as_ref().map(candidates).unwrap_or_default();
    codes.extend(beyond_handshakes(&line.what));
    if codes.is_empty() && matches!(line.what, What::HandshakeRefused { .. }) {
        codes.push(Code::T11);
    }
    codes
}

/// The codes of other rules that a line can mean.
fn beyond_handshakes(what: &What) -> &'static [Code] {
    match what {
        What::VerifyError {
            code: 7 | 19 | 21, ..
        } => &[Code::P11],
        What::TimedOut {
            phase: Phase::Connecting,
        } => &[Code::N1, Code::D4],
        What::ConnectRefused | What::ConnectFailed { .. } => &[Code::D4],
        What::NoLiveUpstreams => &[Code::T15],
        What::Disabled => &[Code::T16],
        What::HostNotFound { .. } => &[Code::R7],
        What::AuthRequest { .. } => &[Code::R14],
        What::ConfigurationRefused { .. }
        | What::ApplyFailed { .. }
        | What::UpdateFailed { .. } => &[Code::D1],
        What::NotConnected { .. } => &[Code::D6],
        What::WorkerDied { .. } => &[Code::D7],
        What::NoClientCertificate => &[Code::G8],
        // A client that verifies refuses the certificate. nginx itself is none: it refuses a backend's certificate
        // after the handshake, without an alert.
        What::ClientAlert {
            number: 42..=46 | 48,
            ..
        } => &[Code::L9],
        What::ClientAlert {
            number: 40 | 70, ..
        } => &[Code::T11],
        What::ClientAlert { .. } => &[Code::T21],
        _ => &[],
    }
}
