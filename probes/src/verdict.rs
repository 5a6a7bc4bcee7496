//! From what the probe saw to what NGINX would make of it. Pure: nothing here measures anything.
//!
//! Sources: nginx 1.31 `ngx_http_upstream.c` (`ngx_http_upstream_next`, `…_ssl_handshake`,
//! `…_process_header`), `ngx_event_openssl.c`.

pub mod client;
pub(crate) mod last_step;
mod log_line;
mod sentence;

use crate::engine::openssl::failure::{QueuedError, TlsFailure};
use crate::steps::http::Answer;
use crate::steps::http::body::BodyEnd;
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::engine::UpstreamName;
use ngf_tls::transcript::{ClientCertificate, Demand, NginxVerdict, Outcome, VerifyEvent};

/// All that the verdict rests on.
#[derive(Debug)]
pub struct Observed<'a> {
    /// `host:port`, in the words of the one who asked.
    pub target: &'a str,
    /// The probe's bound on each phase, in words: `5s`.
    pub timeout: std::time::Duration,
    /// What TLS saw; `None` in plain text.
    pub tls: Option<ObservedTls<'a>>,
    /// How it ended.
    pub ending: &'a Ending,
}

/// TLS's part of it.
#[derive(Debug)]
pub struct ObservedTls<'a> {
    /// The name that was checked and sent.
    pub name: &'a UpstreamName,
    /// Where the trusted certificates come from.
    pub trust_origin: &'a str,
    /// Where the client certificate comes from.
    pub identity_origin: Option<&'a str>,
    /// Each call of the verify callback.
    pub trace: &'a [VerifyEvent],
    /// What the server sent.
    pub server_chain: &'a [CertificateFacts],
    /// The path that OpenSSL built of it, leaf first.
    pub path: &'a [CertificateFacts],
    /// What was sent to the server, leaf first.
    pub client_chain: &'a [CertificateFacts],
    /// The moment of the judgement, in seconds since 1970.
    pub at: i64,
    /// The client certificate's part.
    pub client_certificate: &'a ClientCertificate,
    /// What came last before it failed.
    pub last_thing: &'a str,
    /// What the answer was, where it was no TLS.
    pub not_tls: Option<&'a str>,
}

/// Where and how NGINX's own connection would have ended.
#[derive(Debug)]
pub enum Ending {
    /// The name leads nowhere.
    NoSuchName {
        /// What the resolver said.
        reason: String,
        /// It said that there is no such name.
        is_authoritative: bool,
    },
    /// No connection.
    NotConnected {
        /// The address, with its port.
        address: String,
        /// The operating system's error number.
        errno: Option<i32>,
        /// Its words.
        reason: String,
    },
    /// Nothing answered the connection in time.
    ConnectTimedOut {
        /// The address, with its port.
        address: String,
    },
    /// The name could not be sent as Server Name Indication.
    NameRefused(Vec<QueuedError>),
    /// The handshake failed.
    HandshakeFailed(TlsFailure),
    /// The handshake took too long.
    HandshakeTimedOut,
    /// The chain was judged bad.
    Unverified {
        /// OpenSSL's code.
        code: i32,
        /// Its words.
        text: String,
    },
    /// The certificate is for another name.
    NameMismatch,
    /// The request could not be sent.
    SendFailed(TlsFailure),
    /// The request could not be sent in time.
    SendTimedOut,
    /// The head of the answer could not be read.
    ReadFailed(TlsFailure),
    /// The connection ended before the head was complete.
    ClosedBeforeHead {
        /// Bytes of it that came.
        received: usize,
    },
    /// The head did not come in time.
    HeadTimedOut {
        /// Bytes of it that came.
        received: usize,
    },
    /// The answer does not begin with a status line.
    NoStatusLine {
        /// Its first bytes, made safe to show.
        opening: String,
    },
    /// The answer does not begin with a SETTINGS frame of HTTP/2.
    NotHttp2 {
        /// Its first bytes, made safe to show.
        opening: String,
        /// The frame length that NGINX reads from them, where it refuses that.
        too_large: Option<u32>,
    },
    /// The backend opened the HTTP/2 connection.
    SpeaksHttp2,
    /// The handshake is done, and nothing is sent on a raw connection.
    HandshakeDone,
    /// NGINX refuses the head, in these words.
    InvalidHead(String),
    /// An answer came.
    Answered(Answer),
}

/// NGINX's verdict.
pub fn judge(observed: &Observed<'_>) -> NginxVerdict {
    let (outcome, client_status) = outcome(observed);
    let (verify_code, verify_text) = match observed.ending {
        Ending::Unverified { code, text } => (Some(*code), Some(text.clone())),
        _ if was_verified(observed) => (Some(0), Some("ok".to_owned())),
        _ => (None, None),
    };
    NginxVerdict {
        outcome,
        verify_code,
        verify_text,
        alert: failure(observed.ending).and_then(TlsFailure::alert),
        client_status,
        log_line: log_line::log_line(observed),
        sentence: sentence::sentence(observed),
    }
}

/// What a probe without an answer to a request leaves open where the backend asks for a client certificate.
pub(crate) const CLIENT_NOT_PROVEN: &str = "the probe got no answer to a request here, so it does not show whether the backend accepts the client: a backend such as nginx refuses a client certificate, or a client without one, only when a request comes (400)";

/// What the exchange leaves open.
pub(crate) fn not_proven(ending: &Ending, client: &ClientCertificate) -> Vec<String> {
    let is_open = matches!(ending, Ending::SpeaksHttp2 | Ending::HandshakeDone)
        && client.requested
        && client.accepted.is_none()
        && matches!(client.demand, Demand::Requested | Demand::Unknown);
    is_open
        .then(|| CLIENT_NOT_PROVEN.to_owned())
        .into_iter()
        .collect()
}

/// NGINX got past `SSL_get_verify_result()`.
fn was_verified(observed: &Observed<'_>) -> bool {
    observed.tls.is_some()
        && !matches!(
            observed.ending,
            Ending::NoSuchName { .. }
                | Ending::NotConnected { .. }
                | Ending::ConnectTimedOut { .. }
                | Ending::NameRefused(_)
                | Ending::HandshakeFailed(_)
                | Ending::HandshakeTimedOut
                | Ending::Unverified { .. }
        )
}

fn failure(ending: &Ending) -> Option<&TlsFailure> {
    match ending {
        Ending::HandshakeFailed(failure)
        | Ending::SendFailed(failure)
        | Ending::ReadFailed(failure) => Some(failure),
        _ => None,
    }
}

fn outcome(observed: &Observed<'_>) -> (Outcome, Option<u16>) {
    const BAD_GATEWAY: Option<u16> = Some(502);
    const GATEWAY_TIMEOUT: Option<u16> = Some(504);
    match observed.ending {
        Ending::NoSuchName { .. } | Ending::NotConnected { .. } => {
            (Outcome::ConnectError, BAD_GATEWAY)
        }
        Ending::ConnectTimedOut { .. }
        | Ending::HandshakeTimedOut
        | Ending::SendTimedOut
        | Ending::HeadTimedOut { .. } => (Outcome::Timeout, GATEWAY_TIMEOUT),
        Ending::NameRefused(_) => (Outcome::TlsError, Some(500)),
        Ending::HandshakeFailed(failure)
        | Ending::SendFailed(failure)
        | Ending::ReadFailed(failure) => match failure {
            TlsFailure::Closed { .. } => (Outcome::Closed, BAD_GATEWAY),
            TlsFailure::Ssl { .. } => (Outcome::TlsError, BAD_GATEWAY),
        },
        Ending::Unverified { .. } => (Outcome::VerifyError, BAD_GATEWAY),
        Ending::NameMismatch => (Outcome::NameMismatch, BAD_GATEWAY),
        Ending::ClosedBeforeHead { .. } => (Outcome::Closed, BAD_GATEWAY),
        // Passed on as HTTP/0.9: the client gets no status line.
        Ending::NoStatusLine { .. } => (Outcome::HttpError, None),
        Ending::InvalidHead(_)
        | Ending::NotHttp2 {
            too_large: Some(_), ..
        } => (Outcome::HttpError, BAD_GATEWAY),
        // NGINX passes over some frames; which answer it makes of the others was not measured.
        Ending::NotHttp2 {
            too_large: None, ..
        } => (Outcome::HttpError, None),
        // No request was sent.
        Ending::SpeaksHttp2 | Ending::HandshakeDone => (Outcome::Ok, None),
        Ending::Answered(answer) => (answered(answer), Some(answer.http.status)),
    }
}

/// The head was fine, so that the client has its status; a body that breaks off is still a fault.
fn answered(answer: &Answer) -> Outcome {
    match answer.end {
        _ if answer.http.status >= 400 => Outcome::HttpError,
        BodyEnd::Complete | BodyEnd::Enough => Outcome::Ok,
        BodyEnd::TimedOut => Outcome::Timeout,
        BodyEnd::Closed | BodyEnd::Failed { .. } => Outcome::Closed,
        BodyEnd::BadChunks => Outcome::HttpError,
    }
}
