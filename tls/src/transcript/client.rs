//! What a client of the gateway saw: its handshake with the listener, and the answer to its request.

use serde::{Deserialize, Serialize};

use super::{HttpAnswer, Step, TlsAgreed};
use crate::certificate::CertificateFacts;

/// How a client's connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientEnding {
    /// There was no connection.
    NotConnected,
    /// The handshake failed.
    HandshakeFailed,
    /// The handshake did not end in time.
    HandshakeTimedOut,
    /// The handshake is complete, and nothing was asked.
    Shaken,
    /// An alert, or the end of the connection, came after the handshake instead of an answer.
    Closed,
    /// No answer came in time.
    NoAnswerInTime,
    /// What came is no HTTP answer.
    NotHttp,
    /// An HTTP answer came.
    Answered,
}

/// What a listener asked of its client, and what was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClientAuthentication {
    /// The listener sent a CertificateRequest.
    pub requested: bool,
    /// The CA names in it, as RFC 4514 text.
    pub acceptable_cas: Vec<String>,
    /// A certificate was sent.
    pub sent: bool,
    /// Subject of what was sent.
    pub subject: Option<String>,
}

/// What a client of the gateway saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClientTranscript {
    /// The address that was connected to, once known.
    pub address: Option<String>,
    /// How the bytes went.
    pub via: String,
    /// Microseconds from begin to end.
    pub duration_us: u64,
    /// How it ended.
    pub ending: ClientEnding,
    /// The alert that the listener sent, if it sent one other than close_notify.
    pub alert: Option<u8>,
    /// How it ended, in words.
    pub ended: String,
    /// What was seen, in a sentence.
    pub sentence: String,
    /// What was agreed upon.
    pub tls: Option<TlsAgreed>,
    /// What a strict client makes of the listener's certificate; `None` where none came.
    pub judged: Option<Judged>,
    /// What the listener asked of the client, and what was sent.
    pub client_certificate: ClientAuthentication,
    /// The certificates that the listener presented, leaf first.
    pub chain: Vec<CertificateFacts>,
    /// Every step, in order of time.
    pub steps: Vec<Step>,
    /// The HTTP answer.
    pub http: Option<HttpAnswer>,
}

/// What a strict client makes of the listener's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Judged {
    /// Whether it accepts the certificate; `None` where all depends on a CA that is not known here.
    pub accepted: Option<bool>,
    /// Whom it trusts, where it accepts the certificate.
    pub trusted: Option<String>,
    /// Why, in a sentence.
    pub sentence: String,
}
