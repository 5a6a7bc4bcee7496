//! Which code of the catalogue a line means for a connection.

use ngf_tls::transcript::Transcript;

use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{
        context::Context,
        joined::Joined,
        mounted,
        plan::{PlannedTls, ProbePlan},
        rules::handshake::{no_http2, refusal, untrusted},
        trust,
    },
    logs::{Phase, What, Writer},
};

/// What a line proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) code: Code,
    /// What else it could mean, in a sentence; a probe tells them apart.
    pub(super) doubt: Option<String>,
}

#[allow(clippy::unnecessary_wraps)] // arms of matches that have None, too
fn sure(code: Code) -> Option<Meaning> {
    Some(Meaning { code, doubt: None })
}

#[allow(clippy::unnecessary_wraps)] // as above
fn doubtful(code: Code, doubt: impl Into<String>) -> Option<Meaning> {
    let doubt = Some(doubt.into());
    Some(Meaning { code, doubt })
}

pub(super) fn of(context: &Context<'_>, joined: &Joined<'_>, plan: &ProbePlan) -> Option<Meaning> {
    let line = &joined.counted.last_line;
    let Some(tls) = &plan.tls else {
        return plain(&line.what, &line.text);
    };
    match &line.what {
        What::VerifyError { code, .. } => verify_error(context, plan, *code),
        What::NameMismatch { name } if *name != tls.hostname => doubtful(
            Code::T8,
            format!(
                "The line is about the name {name}, and the policy's hostname is {} now.",
                tls.hostname
            ),
        ),
        What::NameMismatch { name } => match name.parse::<std::net::IpAddr>() {
            Ok(_) => sure(Code::T9),
            Err(_) => sure(Code::T8),
        },
        What::Alert { number, phase, .. } => {
            alert(*number, *phase, tls.client_certificate.is_some())
        }
        What::NotHttp if line.text.contains(TOO_LARGE_FRAME) => sure(no_http2(&line.text, true)),
        What::NotTls => sure(Code::T12),
        What::TlsFailed { .. } => sure(Code::T21),
        What::Closed {
            phase: Phase::Handshaking,
            ..
        }
        | What::ProxyProtocol => sure(Code::T13),
        What::Closed { .. } => doubtful(
            Code::B11,
            "A backend that ends the connection after the handshake refuses the client certificate, or fails for a reason of its own: its log tells, and so does a probe.",
        ),
        // The request went through the handshake: it is the application that is slow.
        What::TimedOut {
            phase: Phase::Sending | Phase::ReadingHeader | Phase::Reading,
        } => sure(Code::T22),
        What::ConnectRefused | What::ConnectFailed { .. } | What::TimedOut { .. } => {
            sure(Code::T14)
        }
        What::NoClientCertificate => sure(Code::B1),
        // Under `ssl_verify_client optional_no_ca` a certificate that does not verify is no refusal.
        What::ClientRefused { .. } if line.writer == Writer::Access && !is_refusal(&line.text) => {
            None
        }
        What::ClientRefused { code, .. } => sure(match code {
            Some(9 | 10) => Code::B3,
            Some(26) => Code::B4,
            // X509_V_ERR_UNABLE_TO_GET_CRL, _CRL_HAS_EXPIRED and _CERT_REVOKED.
            Some(3 | 12 | 23) => Code::B15,
            Some(_) => untrusted(context, plan, seen(context, plan)).code(),
            None => refusal(context, plan, seen(context, plan)).code(),
        }),
        What::Misdirected => sure(Code::B8),
        What::PlainToTls => plain_despite_policy(context, joined, tls),
        What::HandshakeRefused { reason } => handshake_refused(reason),
        _ => None,
    }
}

/// Whether a line of an access log shows that the request was refused for its certificate: 400 beside the
/// result of the verification, or nginx's own 495 or 496.
fn is_refusal(line: &str) -> bool {
    line.split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        .any(|word| {
            let status = word.rsplit('=').next().unwrap_or(word);
            matches!(status, "400" | "495" | "496")
        })
}

/// What a probe of the same connection saw: the CAs that the backend asks for.
fn seen<'a>(context: &'a Context<'_>, plan: &ProbePlan) -> Option<&'a Transcript> {
    let probed = context.evidence.current(plan)?;
    Some(probed.result.as_ref().ok()?)
}

/// What nginx logs where an HTTP/2 upstream answers in another protocol (`ngx_http_grpc_module.c`).
const TOO_LARGE_FRAME: &str = "upstream sent too large http2 frame";

/// Where nginx speaks plain HTTP now.
fn plain(what: &What, text: &str) -> Option<Meaning> {
    match what {
        What::NotHttp if text.contains(TOO_LARGE_FRAME) => sure(no_http2(text, false)),
        What::PlainToTls => sure(Code::B9),
        What::NotHttp => doubtful(
            Code::B9,
            "What answers there is no HTTP: a port that speaks TLS answers so, and so does one of another protocol. A probe tells them apart.",
        ),
        What::ConnectRefused | What::ConnectFailed { .. } => sure(Code::T14),
        What::TimedOut {
            phase: Phase::Connecting,
        } => sure(Code::T14),
        _ => None,
    }
}

/// OpenSSL's `X509_V_ERR_…`.
fn verify_error(context: &Context<'_>, plan: &ProbePlan, code: i32) -> Option<Meaning> {
    match code {
        20 => match too_long(context, plan) {
            Some(true) => sure(Code::T2),
            Some(false) => sure(Code::T1),
            None => doubtful(
                Code::T1,
                match context.running.release.verify_depth() {
                    1 => format!(
                        "Verify code 20 also comes of a chain that is too long (NGF-T2): NGF {} renders no proxy_ssl_verify_depth, so nginx follows 1 intermediate; NGF 2.6 and later follow 4. A probe tells them apart.",
                        context.running.release
                    ),
                    depth => format!(
                        "Verify code 20 also comes of a chain with more than {depth} intermediates (NGF-T2): a probe tells them apart."
                    ),
                },
            ),
        },
        7 | 19 | 21 => sure(Code::T1),
        2 => sure(Code::T3),
        18 => sure(Code::T4),
        10 => sure(Code::T5),
        9 => sure(Code::T6),
        26 => sure(Code::T7),
        _ => sure(Code::T20),
    }
}

/// Whether the chain that the backend's pods mount is too long for nginx, and good otherwise; `None`
/// where no one chain is known.
fn too_long(context: &Context<'_>, plan: &ProbePlan) -> Option<bool> {
    let tls = plan.tls.as_ref()?;
    let service = context.index.service(&plan.service)?;
    let trusted = trust::trusted(context.snapshot, &tls.trust).ok()?;
    let mounted = mounted::with_certificates(context.snapshot, service, "tls.crt");
    let [(_, chain)] = mounted.as_slice() else {
        return None;
    };
    let code = |depth| {
        let judged =
            trust::judge_backend(chain, trusted, &tls.hostname, depth, context.now).ok()?;
        Some(judged.code)
    };
    match (code(tls.verify_depth)?, code(100)?) {
        (20, 0) => Some(true),
        (20, 20) => Some(false),
        // What is mounted is not what is presented.
        _ => None,
    }
}

/// The backend got plain HTTP although a policy takes effect now: the line is about the time before, or
/// NGF has not applied the policy.
fn plain_despite_policy(
    context: &Context<'_>,
    joined: &Joined<'_>,
    tls: &PlannedTls,
) -> Option<Meaning> {
    let policy = context.snapshot.policies.get(&tls.policy);
    let created = policy.and_then(|policy| policy.meta.created);
    match created {
        Some(created) if joined.counted.last.as_second() - created.as_second() > APPLIED_WITHIN => {
            sure(Code::B9)
        }
        Some(_) => doubtful(
            Code::B9,
            format!(
                "{} takes effect on the port now: the line is about the time before it.",
                tls.policy
            ),
        ),
        None => doubtful(
            Code::B9,
            format!(
                "{} takes effect on the port now: the line may be about the time before it.",
                tls.policy
            ),
        ),
    }
}

/// How long NGF may take to bring a policy to nginx, in seconds.
const APPLIED_WITHIN: i64 = 10;

/// RFC 8446 §6.
fn alert(number: u8, phase: Phase, presents: bool) -> Option<Meaning> {
    let in_handshake = matches!(phase, Phase::Connecting | Phase::Handshaking);
    match number {
        112 => sure(Code::T10),
        120 => sure(Code::B16),
        70 => sure(Code::T11),
        40 if in_handshake && presents => sure(Code::T11),
        40 if in_handshake => doubtful(
            Code::T11,
            "Alert 40 also comes of a backend that demands a client certificate, and nginx presents none (NGF-B10): a probe tells them apart.",
        ),
        40 | 42..=46 | 48 | 49 | 116 if !in_handshake => sure(Code::B11),
        42..=46 | 48 | 49 | 116 => sure(Code::B10),
        _ => sure(Code::T21),
    }
}

/// The backend's own words, of OpenSSL.
fn handshake_refused(reason: &str) -> Option<Meaning> {
    let says = |words: &str| reason.contains(words);
    if says("peer did not return a certificate") {
        sure(Code::B10)
    } else if says("no shared cipher") || says("unsupported protocol") || says("no suitable") {
        sure(Code::T11)
    } else {
        None
    }
}
