//! What went wrong on a connection of nginx to a backend, whoever tells of it: a probe, nginx's log or the backend's.

use ngf_tls::{
    protocol::Protocol,
    transcript::{Demand, Outcome, Transcript},
};

use super::plan::ProbePlan;
use crate::logs::{self, Decoded, Meaning, Phase, Writer};

/// What went wrong on a connection of nginx to a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// nginx refuses the backend's certificates.
    Verify {
        /// OpenSSL's `X509_V_ERR_…`, where it is known.
        code: Option<i32>,
    },
    /// The backend's certificate is for another name.
    Name {
        /// The name that nginx looked for.
        name: String,
    },
    /// The backend sent an alert (RFC 8446 §6).
    Alert {
        /// Its number.
        number: u8,
        /// Whether nginx took the handshake for done.
        after: bool,
        /// Whether the backend asked for a client certificate, where it is known.
        asked: Option<bool>,
    },
    /// The backend's log says that it ended the handshake, because no client certificate came.
    Demanded,
    /// The backend's log, or OpenSSL in nginx, says that nginx and the backend have no TLS version or cipher in common.
    NothingInCommon,
    /// The port does not speak TLS.
    NotTls,
    /// The handshake failed otherwise.
    Handshake,
    /// No connection: refused, unreachable, no such name.
    Unreachable,
    /// No answer in time.
    TimedOut {
        /// What nginx waited for.
        phase: Phase,
    },
    /// The backend closed the connection.
    Closed {
        /// Whether nginx took the handshake for done, or there was none to do.
        after: bool,
        /// Whether the backend asked for a client certificate, where it is known.
        asked: Option<bool>,
    },
    /// The backend closed a connection on which nginx spoke plain text.
    ClosedPlain,
    /// The answer is not HTTP/1.
    NotHttp,
    /// The answer is not HTTP/2.
    NotHttp2 {
        /// It is a record of TLS with an alert: the port speaks TLS.
        is_tls: bool,
    },
    /// The backend answers that it wants a client certificate, and that none came.
    NoClientCertificate,
    /// The backend refuses the client certificate.
    ClientRefused {
        /// OpenSSL's `X509_V_ERR_…`, where it is known.
        code: Option<i32>,
    },
    /// The backend answers that the Host is another server's than the TLS server name.
    Misdirected,
    /// The backend answers that it wants TLS, and got plain HTTP.
    PlainToTls,
    /// All is well, and the backend does not insist on a client certificate.
    NotMutual,
}

impl Fault {
    /// What a probe shows; `None` where all is well, or it proves nothing.
    pub fn of_probe(plan: &ProbePlan, transcript: &Transcript) -> Option<Self> {
        let nginx = &transcript.nginx;
        let client = &transcript.client_certificate;
        // nginx presents another certificate than the probe did: only what it refuses first is proven.
        let is_of_client = !matches!(
            nginx.outcome,
            Outcome::VerifyError | Outcome::NameMismatch | Outcome::ConnectError | Outcome::Timeout
        );
        if client.not_proven.is_some() && is_of_client {
            return None;
        }
        let line = nginx.log_line.as_deref().unwrap_or_default();
        let asked = Some(client.requested);
        Some(match nginx.outcome {
            Outcome::Ok if plan.tls.is_none() || is_mutual(transcript) => return None,
            Outcome::Ok => Self::NotMutual,
            Outcome::VerifyError => Self::Verify {
                code: nginx.verify_code,
            },
            Outcome::NameMismatch => Self::Name {
                name: plan.tls.as_ref()?.hostname.clone(),
            },
            Outcome::TlsError => match nginx.alert {
                Some(number) => Self::Alert {
                    number,
                    // A server of TLS 1.3 judges the client when the client takes the handshake for done.
                    after: transcript
                        .tls
                        .as_ref()
                        .is_some_and(|tls| tls.version == "TLSv1.3"),
                    asked,
                },
                None => match logs::message(line) {
                    Some(Meaning::NotTls) => Self::NotTls,
                    Some(Meaning::TlsFailed { reason, .. }) => Self::failed(&reason),
                    _ => Self::Handshake,
                },
            },
            Outcome::ConnectError => Self::Unreachable,
            Outcome::Timeout => Self::TimedOut {
                phase: waiting(transcript),
            },
            Outcome::Closed => Self::Closed {
                after: plan.tls.is_none() || transcript.tls.is_some(),
                asked,
            },
            Outcome::HttpError => return Self::of_answer(transcript),
        })
    }

    /// The 400 pages of nginx (`ngx_http_special_response.c`); what else a backend answers is its own affair.
    fn of_answer(transcript: &Transcript) -> Option<Self> {
        let Some(answer) = &transcript.http else {
            let line = transcript.nginx.log_line.as_deref()?;
            let is_http2 = transcript.protocol == Protocol::Http2;
            return is_http2.then(|| Self::NotHttp2 {
                is_tls: is_record_of_tls(line),
            });
        };
        let says = |words: &str| answer.body.contains(words);
        match answer.status {
            400 if says("No required SSL certificate was sent") => Some(Self::NoClientCertificate),
            400 if says("The SSL certificate error") => Some(Self::ClientRefused { code: None }),
            400 if says("plain HTTP request was sent to HTTPS port") => Some(Self::PlainToTls),
            421 => Some(Self::Misdirected),
            _ => None,
        }
    }

    /// What a line of a log tells of a connection; `None` where it tells of none, or of nothing wrong.
    pub fn of_line(line: &Decoded) -> Option<Self> {
        let before = |phase: &Phase| matches!(phase, Phase::Connecting | Phase::Handshaking);
        Some(match &line.what {
            Meaning::VerifyError { code, .. } => Self::Verify { code: Some(*code) },
            Meaning::NameMismatch { name } => Self::Name { name: name.clone() },
            Meaning::Alert { number, phase, .. } => Self::Alert {
                number: *number,
                after: !before(phase),
                asked: None,
            },
            Meaning::HandshakeRefused { reason } => {
                let says = |words: &str| reason.contains(words);
                if says("peer did not return a certificate") {
                    Self::Demanded
                } else if says("no shared cipher")
                    || says("unsupported protocol")
                    || says("no suitable")
                {
                    Self::NothingInCommon
                } else {
                    return None;
                }
            }
            Meaning::NotTls => Self::NotTls,
            Meaning::TlsFailed { reason, .. } => Self::failed(reason),
            Meaning::ConnectRefused | Meaning::ConnectFailed { .. } => Self::Unreachable,
            Meaning::TimedOut { phase } => Self::TimedOut { phase: *phase },
            Meaning::ProxyProtocol => Self::Closed {
                after: false,
                asked: None,
            },
            Meaning::Closed { .. } if line.request.plain => Self::ClosedPlain,
            Meaning::Closed { phase, .. } => Self::Closed {
                after: *phase != Phase::Handshaking,
                asked: None,
            },
            Meaning::NotHttp if line.text.contains(TOO_LARGE_FRAME) => Self::NotHttp2 {
                is_tls: is_record_of_tls(&line.text),
            },
            Meaning::NotHttp => Self::NotHttp,
            Meaning::NoClientCertificate => Self::NoClientCertificate,
            // Under `ssl_verify_client optional_no_ca` a certificate that does not verify is no refusal.
            Meaning::ClientRefused { .. }
                if line.writer == Writer::Access && !is_refusal(&line.text) =>
            {
                return None;
            }
            Meaning::ClientRefused { code, .. } => Self::ClientRefused { code: *code },
            Meaning::Misdirected => Self::Misdirected,
            Meaning::PlainToTls => Self::PlainToTls,
            _ => return None,
        })
    }

    /// What OpenSSL's reason for a handshake that fails in nginx means. A backend that knows no `supported_versions`
    /// answers with an old version, and no alert comes (`ssl_choose_client_version`).
    fn failed(reason: &str) -> Self {
        match reason {
            "unsupported protocol"
            | "wrong ssl version"
            | "no protocols available"
            | "wrong cipher returned"
            | "unknown cipher returned" => Self::NothingInCommon,
            _ => Self::Handshake,
        }
    }

    /// Whether a line of a log can tell it of a connection on which nginx speaks plain HTTP.
    pub fn is_of_plain_http(&self) -> bool {
        matches!(
            self,
            Self::NotHttp
                | Self::NotHttp2 { .. }
                | Self::PlainToTls
                | Self::Unreachable
                | Self::TimedOut {
                    phase: Phase::Connecting
                }
        )
    }
}

/// What nginx waited for in a probe that timed out.
pub fn waiting(transcript: &Transcript) -> Phase {
    let line = transcript.nginx.log_line.as_deref().unwrap_or_default();
    match logs::message(line) {
        Some(Meaning::TimedOut { phase }) => phase,
        _ => Phase::Connecting,
    }
}

/// Whether a probe shows that both sides authenticate. Without a request a backend that asks has not shown what it
/// does without a certificate.
fn is_mutual(transcript: &Transcript) -> bool {
    let client = &transcript.client_certificate;
    let has_answered =
        client.sent || !transcript.protocol.is_http1() && client.demand != Demand::NotRequested;
    client.requested && has_answered && client.demand != Demand::Optional
}

/// What nginx logs where an HTTP/2 upstream answers in another protocol (`ngx_http_grpc_module.c`).
const TOO_LARGE_FRAME: &str = "upstream sent too large http2 frame";

/// Whether the length of a frame that nginx found too large is the beginning of a TLS record.
fn is_record_of_tls(line: &str) -> bool {
    let length = line.split_once(TOO_LARGE_FRAME).and_then(|(_, rest)| {
        let rest = rest.strip_prefix(": ")?;
        let number = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        number.parse::<u32>().ok()
    });
    // ContentType alert (21) and the major version of every TLS, 3: the first two of three bytes.
    length.is_some_and(|length| length >> 8 == 0x1503)
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
