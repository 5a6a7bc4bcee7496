//! Which code of the catalogue a line means for a connection.

use ngf_probes::transcript::Transcript;

use crate::{
    diagnosis::{
        context::Context,
        plan::ProbePlan,
        rules::handshake::{refusal, untrusted},
    },
    logs::{Joined, Phase, What},
};

/// What a line proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) code: &'static str,
    /// What else it could mean, in a sentence; a probe tells them apart.
    pub(super) doubt: Option<String>,
}

#[allow(clippy::unnecessary_wraps)] // arms of matches that have None, too
fn sure(code: &'static str) -> Option<Meaning> {
    Some(Meaning { code, doubt: None })
}

#[allow(clippy::unnecessary_wraps)] // as above
fn doubtful(code: &'static str, doubt: impl Into<String>) -> Option<Meaning> {
    let doubt = Some(doubt.into());
    Some(Meaning { code, doubt })
}

pub(super) fn of(context: &Context<'_>, joined: &Joined<'_>, plan: &ProbePlan) -> Option<Meaning> {
    let line = &joined.counted.last_line;
    let Some(tls) = &plan.tls else {
        return plain(&line.what);
    };
    match &line.what {
        What::VerifyError { code, .. } => verify_error(*code),
        What::NameMismatch { name } if *name != tls.hostname => doubtful(
            "NGF-T8",
            format!(
                "The line is about the name {name}, and the policy's hostname is {} now.",
                tls.hostname
            ),
        ),
        What::NameMismatch { name } => match name.parse::<std::net::IpAddr>() {
            Ok(_) => sure("NGF-T9"),
            Err(_) => sure("NGF-T8"),
        },
        What::Alert { number, phase, .. } => {
            alert(*number, *phase, tls.client_certificate.is_some())
        }
        What::NotTls => sure("NGF-T12"),
        What::TlsFailed { .. } => sure("NGF-T21"),
        What::Closed {
            phase: Phase::Handshaking,
            ..
        }
        | What::ProxyProtocol => sure("NGF-T13"),
        What::Closed { .. } => doubtful(
            "NGF-B11",
            "A backend that ends the connection after the handshake refuses the client certificate, or fails for a reason of its own: its log tells, and so does a probe.",
        ),
        What::ConnectRefused | What::ConnectFailed { .. } | What::TimedOut { .. } => {
            sure("NGF-T14")
        }
        What::NoClientCertificate => sure("NGF-B1"),
        What::ClientRefused { code, .. } => sure(match code {
            Some(9 | 10) => "NGF-B3",
            Some(26) => "NGF-B4",
            // X509_V_ERR_UNABLE_TO_GET_CRL, _CRL_HAS_EXPIRED and _CERT_REVOKED.
            Some(3 | 12 | 23) => "NGF-B15",
            Some(_) => untrusted(context, plan, seen(context, plan)).code(),
            None => refusal(context, plan, seen(context, plan)).code(),
        }),
        What::Misdirected => sure("NGF-B8"),
        What::PlainToTls => doubtful(
            "NGF-B9",
            "A policy takes effect on the port now: the line is about the time before.",
        ),
        What::HandshakeRefused { reason } => handshake_refused(reason),
        _ => None,
    }
}

/// What a probe of the same connection saw: the CAs that the backend asks for.
fn seen<'a>(context: &'a Context<'_>, plan: &ProbePlan) -> Option<&'a Transcript> {
    let probed = context.evidence.current(plan)?;
    Some(probed.result.as_ref().ok()?)
}

/// Where nginx speaks plain HTTP now.
fn plain(what: &What) -> Option<Meaning> {
    match what {
        What::PlainToTls => sure("NGF-B9"),
        What::NotHttp => doubtful(
            "NGF-B9",
            "What answers there is no HTTP: a port that speaks TLS answers so, and so does one of another protocol. A probe tells them apart.",
        ),
        What::ConnectRefused | What::ConnectFailed { .. } => sure("NGF-T14"),
        What::TimedOut {
            phase: Phase::Connecting,
        } => sure("NGF-T14"),
        _ => None,
    }
}

/// OpenSSL's `X509_V_ERR_…`.
fn verify_error(code: i32) -> Option<Meaning> {
    match code {
        20 => doubtful(
            "NGF-T1",
            "Verify code 20 also comes of a chain with more than four intermediates (NGF-T2): a probe tells them apart.",
        ),
        7 | 19 | 21 => sure("NGF-T1"),
        2 => sure("NGF-T3"),
        18 => sure("NGF-T4"),
        10 => sure("NGF-T5"),
        9 => sure("NGF-T6"),
        26 => sure("NGF-T7"),
        _ => sure("NGF-T20"),
    }
}

/// RFC 8446 §6.
fn alert(number: u8, phase: Phase, presents: bool) -> Option<Meaning> {
    let in_handshake = matches!(phase, Phase::Connecting | Phase::Handshaking);
    match number {
        112 => sure("NGF-T10"),
        70 => sure("NGF-T11"),
        40 if in_handshake && presents => sure("NGF-T11"),
        40 if in_handshake => doubtful(
            "NGF-T11",
            "Alert 40 also comes of a backend that demands a client certificate, and nginx presents none (NGF-B10): a probe tells them apart.",
        ),
        40 | 42..=46 | 48 | 49 | 116 if !in_handshake => sure("NGF-B11"),
        42..=46 | 48 | 49 | 116 => sure("NGF-B10"),
        _ => sure("NGF-T21"),
    }
}

/// The backend's own words, of OpenSSL.
fn handshake_refused(reason: &str) -> Option<Meaning> {
    let says = |words: &str| reason.contains(words);
    if says("peer did not return a certificate") {
        sure("NGF-B10")
    } else if says("no shared cipher") || says("unsupported protocol") || says("no suitable") {
        sure("NGF-T11")
    } else {
        None
    }
}
