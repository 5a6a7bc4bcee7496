//! What a probe saw: versioned, serialisable, and complete enough that a view needs nothing else.

pub mod client;

use serde::{Deserialize, Serialize};

use crate::certificate::CertificateFacts;
use crate::protocol::Protocol;
use ngf_text::sanitize;

/// The `schema` of every transcript that this version writes.
pub const SCHEMA: &str = "ngf-tui/probe/v1";

/// The whole of one probe.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Transcript {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// RFC 3339, when the probe began.
    pub started_at: String,
    /// Microseconds from begin to end.
    pub duration_us: u64,
    /// What was probed, in the words of the one who asked: `host:port`.
    pub target: String,
    /// The address that was connected to, once known: `10.0.3.7:8443`.
    pub address: Option<String>,
    /// What nginx speaks to the backend. For HTTP/2 the ClientHello offers `h2` by ALPN; what the
    /// backend selected is in `tls.alpn`.
    #[serde(default, skip_serializing_if = "Protocol::is_default")]
    pub protocol: Protocol,
    /// How the bytes went: `direct`, later `exec` and others.
    pub via: String,
    /// The TLS library that judged.
    pub engine: Engine,
    /// What NGINX would say of it.
    pub nginx: NginxVerdict,
    /// What this probe does not prove about the gateway's clients, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_proven: Vec<String>,
    /// RFC 3339: the moment at which validity was judged, where it is not when the probe ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_at: Option<String>,
    /// What expires first of all that this connection rests on.
    #[serde(default)]
    pub expires_first: Option<Expiry>,
    /// Whether a stricter client would accept the same certificates: a note, never the verdict.
    /// `None` where no certificate came.
    #[serde(default)]
    pub second_opinion: Option<SecondOpinion>,
    /// The TLS version agreed upon (`TLSv1.3`), cipher suite and group.
    pub tls: Option<TlsAgreed>,
    /// Each call of the verify callback, in order; the last failing one is what NGINX logs.
    pub verify_trace: Vec<VerifyEvent>,
    /// What the server asked of the client, and what was sent.
    pub client_certificate: ClientCertificate,
    /// The certificates that the server sent, leaf first.
    pub server_chain: Vec<CertificateFacts>,
    /// Every step, in order of time.
    pub steps: Vec<Step>,
    /// The TLS records of both directions as they passed on the stream, with their times: where an
    /// answer stalled. Empty in plain text.
    #[serde(default)]
    pub records: Vec<Record>,
    /// The HTTP answer, if one came.
    pub http: Option<HttpAnswer>,
}

/// One TLS record (RFC 8446 §5.1), as it stood on the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Record {
    /// Who sent it.
    pub direction: Direction,
    /// ContentType as it stands in the header: `handshake`, `alert`, `application_data`, ….
    pub content_type: String,
    /// Version as it stands in the header, as hexadecimal number: `0x0303`.
    pub version: String,
    /// Length that the header announces, in bytes, without the header's five.
    pub length: u32,
    /// Bytes of it that passed, without the header's five; less than `length` where it broke off.
    pub seen: u32,
    /// Microseconds from the probe's begin to the first byte of the header.
    pub first_byte_us: u64,
    /// Microseconds from the probe's begin to the last byte that passed.
    pub last_byte_us: u64,
}

/// The TLS library.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Engine {
    /// `openssl`.
    pub name: String,
    /// As the library says it: `OpenSSL 3.6.1 27 Jan 2026`.
    pub version: String,
}

/// NGINX's outcome.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NginxVerdict {
    /// The class of the outcome.
    pub outcome: Outcome,
    /// OpenSSL's verify result (0 is X509_V_OK); `None` where no certificate was judged.
    pub verify_code: Option<i32>,
    /// The words that OpenSSL has for the code.
    pub verify_text: Option<String>,
    /// The number of the alert that the peer sent, if it sent one other than close_notify.
    pub alert: Option<u8>,
    /// What the gateway's client would get; `None` where nothing can be said.
    pub client_status: Option<u16>,
    /// The line that NGINX would write to its error log, without time, pid and connection number.
    pub log_line: Option<String>,
    /// One sentence to read.
    pub sentence: String,
}

/// How a probe ended, as NGINX would class it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// NGINX would pass on the backend's answer, and it is not an error.
    Ok,
    /// `upstream SSL certificate verify error: (N:text)`.
    VerifyError,
    /// `upstream SSL certificate does not match`.
    NameMismatch,
    /// The handshake itself failed, by alert or by bytes that are no TLS.
    TlsError,
    /// No connection: refused, unreachable, no such name.
    ConnectError,
    /// Nothing came in time.
    Timeout,
    /// The peer closed or reset the connection.
    Closed,
    /// The backend answered, with a status of 400 or above, or with what is no HTTP.
    HttpError,
}

/// What of this connection expires first, of what is still valid at the moment that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Expiry {
    /// Subject of the certificate.
    pub subject: String,
    /// What it is in this connection.
    pub part: Part,
    /// Seconds since the epoch.
    pub not_after: i64,
    /// What happens then, one sentence.
    pub then: String,
}

/// The part that a certificate plays in a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The backend's own.
    Server,
    /// Of a CA between it and the trusted one.
    Intermediate,
    /// Of the CA that is trusted.
    Root,
    /// The gateway's own.
    Client,
}

/// What rustls, with webpki, makes of the certificates that the server sent, by the same roots,
/// name and moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SecondOpinion {
    /// `rustls 0.23 / webpki, ring`.
    pub engine: String,
    /// It would accept chain, name and key.
    pub would_accept: bool,
    /// Why, or why not; several reasons are joined by semicolons.
    pub reason: String,
    /// What it does not speak of what was agreed upon, a sentence each. The backend may offer other
    /// things, which it would speak.
    #[serde(default)]
    pub not_spoken: Vec<String>,
}

/// What both sides agreed upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TlsAgreed {
    /// `TLSv1.2`, `TLSv1.3`.
    pub version: String,
    /// IANA's name of the suite, as OpenSSL prints it.
    pub cipher: String,
    /// Key exchange group, where known.
    pub group: Option<String>,
    /// ALPN, where agreed.
    pub alpn: Option<String>,
}

/// One call of the verify callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VerifyEvent {
    /// 0 is the leaf.
    pub depth: u32,
    /// OpenSSL's X509_V_* number; 0 is fine.
    pub code: i32,
    /// OpenSSL's words for it.
    pub text: String,
    /// Subject of the certificate at hand.
    pub subject: Option<String>,
}

/// The client certificate's part of the handshake, and what the backend thinks of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClientCertificate {
    /// The server sent a CertificateRequest.
    pub requested: bool,
    /// The CA names in it, as RFC 4514 text.
    pub acceptable_cas: Vec<String>,
    /// A certificate was sent (not an empty Certificate message).
    pub sent: bool,
    /// Subject of what was sent.
    pub subject: Option<String>,
    /// Issuers of the certificates that were sent, the leaf's first.
    #[serde(default)]
    pub issuers: Vec<String>,
    /// Whether `acceptable_cas` names one of `issuers`; `None` where the server names no CA, or
    /// nothing was sent.
    #[serde(default)]
    pub issuer_named: Option<bool>,
    /// How much the backend wants a certificate, as far as this probe proves it.
    #[serde(default)]
    pub demand: Demand,
    /// Whether the backend took what was sent; `None` where nothing was sent, or its answer does
    /// not tell.
    #[serde(default)]
    pub accepted: Option<bool>,
    /// What verifying the certificate as the backend would gives, where its CA is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_as_backend: Option<JudgedAsBackend>,
    /// Why what the backend made of the certificate proves nothing about nginx, which presents another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_proven: Option<String>,
    /// All that in one sentence.
    #[serde(default)]
    pub sentence: String,
}

/// How much a backend wants a client certificate.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// The handshake did not get far enough to tell.
    #[default]
    Unknown,
    /// It did not ask for one: no mutual TLS.
    NotRequested,
    /// It asked for one. Whether it would go on without, this probe does not prove.
    Requested,
    /// It asked for one, got none, and served the request: no mutual TLS.
    Optional,
    /// It asked for one, got none, and refused for that.
    Required,
}

/// The client certificate, judged here as the backend would judge it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JudgedAsBackend {
    /// Where the backend's CA comes from.
    pub trusted: String,
    /// `ssl_verify_depth`: the most intermediates.
    pub depth: u32,
    /// OpenSSL's verify result; 0 is X509_V_OK.
    pub code: i32,
    /// OpenSSL's words for it.
    pub text: String,
}

/// One step: a DNS answer, a connection, a TLS message, an HTTP message, a judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// The field's own name: `DNS`, `TCP connect`, `ClientHello`, `CertificateRequest`,
    /// `verify certificate`, `HTTP request`, `Alert`.
    pub name: String,
    /// What kind of step it is.
    pub layer: Layer,
    /// Who sent it.
    pub direction: Direction,
    /// Microseconds since the probe began: for a message, when its last byte arrived or left.
    pub at_us: u64,
    /// Bytes on that layer; for a TLS message its handshake length with the 4 bytes of header.
    pub bytes: Option<u64>,
    /// One line.
    pub summary: String,
    /// Whether the step is where it failed.
    pub status: StepStatus,
    /// NGINX would have ended the connection before this step; the probe went on to learn what the
    /// backend thinks of the gateway.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beyond_nginx: bool,
    /// Decoded fields, in order, as name and value; nested names are dotted.
    pub fields: Vec<Field>,
}

impl Step {
    /// A step at `at_us` that went well, with no bytes and no fields yet.
    pub fn new(
        name: &str,
        layer: Layer,
        direction: Direction,
        at_us: u64,
        summary: impl AsRef<str>,
    ) -> Self {
        Self {
            name: sanitize::line(name, 80),
            layer,
            direction,
            at_us,
            bytes: None,
            summary: sanitize::line(summary.as_ref(), LONGEST_SUMMARY),
            status: StepStatus::Ok,
            beyond_nginx: false,
            fields: Vec::new(),
        }
    }

    /// With so many bytes.
    #[must_use]
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// With this status.
    #[must_use]
    pub fn status(mut self, status: StepStatus) -> Self {
        self.status = status;
        self
    }

    /// With one more field; the value is stripped of control characters and bounded.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.fields.push(Field::new(name, value));
        self
    }
}

/// A decoded field of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Field {
    /// Name as the RFC has it.
    pub name: String,
    /// Value, one line, stripped of control characters.
    pub value: String,
}

/// Longest summary, in characters.
const LONGEST_SUMMARY: usize = 300;
/// Longest value of a field, in characters.
const LONGEST_VALUE: usize = 4_000;

impl Field {
    /// A field whose value is stripped of control characters and bounded.
    pub fn new(name: &str, value: impl AsRef<str>) -> Self {
        Self {
            name: sanitize::line(name, 120),
            value: sanitize::line(value.as_ref(), LONGEST_VALUE),
        }
    }
}

/// The layer of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Name resolution.
    Dns,
    /// Connection.
    Tcp,
    /// A TLS message or alert.
    Tls,
    /// A judgement on certificates or names, made here.
    Verify,
    /// An HTTP message.
    Http,
}

/// Which way a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the gateway to the backend.
    Sent,
    /// From the backend to the gateway.
    Received,
    /// Within the gateway: a judgement, a look-up.
    Local,
}

/// Whether a step went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Nothing wrong with it.
    Ok,
    /// Worth a look, not what broke it.
    Warning,
    /// This is where it failed.
    Failed,
}

/// The HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// The first bytes of the body, stripped of control characters other than line ends.
    pub body: String,
    /// `Server` header.
    pub server: Option<String>,
}
