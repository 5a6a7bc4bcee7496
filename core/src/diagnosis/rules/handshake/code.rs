//! Which code of the catalogue a transcript means.

use std::collections::BTreeSet;

use ngf_tls::{
    certificate::CertificateFacts,
    protocol::Protocol,
    transcript::{Demand, Outcome, Transcript},
};

use crate::diagnosis::code::Code;
use crate::{
    diagnosis::{context::Context, evidence::Probed, ngf::known, plan::ProbePlan},
    logs::What,
    model::{object::ObjectRef, snapshot::Lookup},
};

/// What a probe showed; `None` where all was well.
pub(super) fn code_of(probed: &Probed, transcript: &Transcript) -> Option<Code> {
    let nginx = &transcript.nginx;
    let asked = transcript.client_certificate.requested;
    // nginx presents another certificate than the probe did: only what it refuses first is proven.
    let is_of_client = !matches!(
        nginx.outcome,
        Outcome::VerifyError | Outcome::NameMismatch | Outcome::ConnectError | Outcome::Timeout
    );
    if transcript.client_certificate.not_proven.is_some() && is_of_client {
        return None;
    }
    match nginx.outcome {
        Outcome::Ok => {
            let client = &transcript.client_certificate;
            // Without a request a backend that asks has not shown what it does without a certificate.
            let open = client.sent
                || !transcript.protocol.is_http1() && client.demand != Demand::NotRequested;
            let mutual = asked && open && client.demand != Demand::Optional;
            (probed.plan.tls.is_some() && !mutual).then_some(Code::B7)
        }
        Outcome::VerifyError => Some(verify_code(&probed.plan, transcript)),
        Outcome::NameMismatch => {
            let hostname = probed.plan.tls.as_ref().map(|tls| tls.hostname.as_str());
            let is_address = hostname.is_some_and(|name| name.parse::<std::net::IpAddr>().is_ok());
            Some(if is_address { Code::T9 } else { Code::T8 })
        }
        Outcome::TlsError => Some(tls_error(transcript, asked)),
        Outcome::ConnectError | Outcome::Timeout => Some(Code::T14),
        Outcome::Closed if transcript.tls.is_some() && asked => Some(Code::B11),
        Outcome::Closed if probed.plan.tls.is_some() => Some(Code::T13),
        Outcome::Closed => Some(Code::B9),
        Outcome::HttpError => http_error(probed, transcript),
    }
}

pub(super) fn verify_code(plan: &ProbePlan, transcript: &Transcript) -> Code {
    let depth = plan.tls.as_ref().map_or(4, |tls| tls.verify_depth as usize);
    match transcript.nginx.verify_code {
        // More intermediates beside the leaf than nginx follows; with fewer it is the root that is unknown.
        Some(20) if transcript.server_chain.len() > depth + 1 => Code::T2,
        Some(7 | 19 | 20 | 21) => Code::T1,
        Some(2) => Code::T3,
        Some(18) => Code::T4,
        Some(10) => Code::T5,
        Some(9) => Code::T6,
        Some(26) => Code::T7,
        _ => Code::T20,
    }
}

/// Alert numbers of RFC 8446 §6, as the facts of OpenSSL backends have them.
pub(super) fn tls_error(transcript: &Transcript, asked: bool) -> Code {
    let after_handshake = transcript
        .tls
        .as_ref()
        .is_some_and(|tls| tls.version == "TLSv1.3");
    let refused = if after_handshake {
        Code::B11
    } else {
        Code::B10
    };
    let line = transcript.nginx.log_line.as_deref().unwrap_or_default();
    match transcript.nginx.alert {
        Some(112) => Code::T10,
        Some(120) => Code::B16,
        Some(40 | 42..=46 | 48 | 49 | 116) if asked => refused,
        Some(40 | 70) => Code::T11,
        None if line.contains("wrong version number") => Code::T12,
        _ => Code::T21,
    }
}

/// The 400 pages of nginx (`ngx_http_special_response.c`); what else a backend answers is its own
/// affair.
pub(super) fn http_error(probed: &Probed, transcript: &Transcript) -> Option<Code> {
    if transcript.protocol == Protocol::Http2 && transcript.http.is_none() {
        let line = transcript.nginx.log_line.as_deref()?;
        return Some(no_http2(line, probed.plan.tls.is_some()));
    }
    let answer = transcript.http.as_ref()?;
    let body = answer.body.as_str();
    match answer.status {
        400 if body.contains("No required SSL certificate was sent") => Some(Code::B1),
        400 if body.contains("The SSL certificate error") => Some(Code::B2),
        400 if body.contains("plain HTTP request was sent to HTTPS port") => Some(Code::B9),
        421 if probed.plan.tls.is_some() => Some(Code::B8),
        _ => None,
    }
}

/// What an answer means from which nginx reads an HTTP/2 frame that is too large: a record of TLS is of a
/// port that wants TLS (B9), anything else of one that does not speak HTTP/2 (B16).
pub(in crate::diagnosis::rules) fn no_http2(line: &str, is_tls: bool) -> Code {
    let length = line
        .split_once("too large http2 frame: ")
        .and_then(|(_, rest)| {
            let number = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            number.parse::<u32>().ok()
        });
    // ContentType alert (21) and the major version of every TLS, 3: the first two of three bytes.
    match length {
        Some(length) if !is_tls && length >> 8 == 0x1503 => Code::B9,
        _ => Code::B16,
    }
}

/// Services that a probe or a log showed to want TLS, and to which nginx speaks plain HTTP (B9).
pub(in crate::diagnosis::rules) fn wanting_tls<'a>(
    context: &'a Context<'_>,
) -> BTreeSet<&'a ObjectRef> {
    let by_probes = context.probes.iter().filter_map(|probed| {
        let transcript = probed.result.as_ref().ok()?;
        (code_of(probed, transcript) == Some(Code::B9)).then_some(&probed.plan.service)
    });
    let by_logs = context
        .logs
        .iter()
        .filter(|joined| joined.counted.last_line.what == What::PlainToTls)
        .flat_map(|joined| &joined.plans)
        .filter(|plan| plan.tls.is_none())
        .map(|plan| &plan.service);
    by_probes.chain(by_logs).collect()
}

pub(super) fn client_leaf<'a>(
    context: &'a Context<'_>,
    plan: &ProbePlan,
) -> Option<&'a CertificateFacts> {
    let secret = plan.tls.as_ref()?.client_certificate.as_ref()?;
    match known::secret(context.snapshot, secret) {
        Lookup::Found(secret) => secret.spec.certificate.certificates().first(),
        _ => None,
    }
}
