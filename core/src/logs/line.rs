//! What a line of a log says.

use std::{fmt, net::IpAddr};

use jiff::Timestamp;
use serde::Serialize;

/// A line that means something, decoded. All text in it is cleaned of control characters and bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Decoded {
    /// When, by the line itself. nginx writes local time without a zone; it is taken for UTC, which
    /// containers have. What the API server says of a line is better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who wrote it.
    pub writer: Writer,
    /// `error`, as its writer calls it.
    pub level: Level,
    /// nginx's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// nginx's number of the client's connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<u64>,
    /// What it says.
    pub what: Meaning,
    /// The message without what its writer puts around it, at most 300 characters.
    pub text: String,
    /// What nginx adds about the request.
    pub request: About,
}

/// The fields that nginx appends to a line about a request (`ngx_http_log_error_handler`,
/// `ngx_http_upstream.c`).
#[derive(
    Debug,
    Clone,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct About {
    /// `client`, without a port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// `server`: the server block's first name, or its address in a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `request`: `GET / HTTP/1.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// `subrequest`: the path of a mirror or an auth_request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subrequest: Option<String>,
    /// `upstream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<Upstream>,
    /// The upstream's address says that nginx speaks plain text to it (`http://`, `grpc://`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
    /// `host`: the Host header, as the client sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// Whom nginx spoke to.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Upstream {
    /// One server.
    Address {
        /// Its address.
        address: IpAddr,
        /// Its port.
        port: u16,
    },
    /// A Unix socket: NGF's own servers for 500 and 503.
    Socket(String),
    /// An `upstream` block as a whole, or a host name.
    Name(String),
}

/// Who wrote a line.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Writer {
    /// nginx's error log.
    Nginx,
    /// nginx's access log with `$ssl_client_verify`, as the guide's application writes it.
    Access,
    /// nginx-agent in the data plane.
    Agent,
    /// NGF's control plane.
    Controller,
}

/// How serious its writer takes it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// nginx's `debug`.
    Debug,
    /// nginx's `info`, and what an access log writes.
    Info,
    /// nginx's `notice`.
    Notice,
    /// nginx's `warn`.
    Warn,
    /// nginx's `error`.
    Error,
    /// nginx's `crit`.
    Crit,
    /// nginx's `alert`.
    Alert,
    /// nginx's `emerg`.
    Emerg,
}

/// What nginx was doing (`c->log->action`).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `while connecting to upstream`.
    Connecting,
    /// `while SSL handshaking to upstream`.
    Handshaking,
    /// `while sending request to upstream`.
    Sending,
    /// `while reading response header from upstream`.
    ReadingHeader,
    /// `while reading upstream`, or proxying a stream.
    Reading,
}

/// What a line says. Numbers decide, not texts: OpenSSL and the C library rename theirs.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Meaning {
    /// `upstream SSL certificate verify error: (CODE:WORDS)`.
    VerifyError {
        /// OpenSSL's `X509_V_ERR_…`.
        code: i32,
        /// OpenSSL's words for it.
        words: String,
    },
    /// `upstream SSL certificate does not match "NAME"`.
    NameMismatch {
        /// `proxy_ssl_name`.
        name: String,
    },
    /// The backend sent a TLS alert.
    Alert {
        /// RFC 8446 §6.
        number: u8,
        /// Its name there.
        name: String,
        /// When it came.
        phase: Phase,
    },
    /// `wrong version number` and its like: the port does not speak TLS.
    NotTls,
    /// The answer is not HTTP: nginx speaks plain text to a port that speaks TLS, or another protocol.
    NotHttp,
    /// OpenSSL fails otherwise.
    TlsFailed {
        /// OpenSSL's reason.
        reason: String,
        /// When.
        phase: Phase,
    },
    /// `connect() failed (111: …)`.
    ConnectRefused,
    /// `connect()` fails otherwise.
    ConnectFailed {
        /// `errno` of Linux.
        errno: Option<u32>,
        /// Its words.
        words: String,
    },
    /// `upstream timed out (110: …)`.
    TimedOut {
        /// Doing what.
        phase: Phase,
    },
    /// The backend closed the connection.
    Closed {
        /// When.
        phase: Phase,
        /// By a reset (`104: …`).
        reset: bool,
    },
    /// `no live upstreams`: all servers failed a moment ago, and none is asked.
    NoLiveUpstreams,
    /// `upstream server temporarily disabled`.
    Disabled,
    /// `NAME could not be resolved (3: …)`.
    HostNotFound {
        /// The name.
        name: String,
        /// Why.
        words: String,
    },
    /// `auth request unexpected status: 502`: the external authentication failed.
    AuthRequest {
        /// The status.
        status: u16,
    },
    /// `[emerg]`: nginx does not load its configuration.
    ConfigurationRefused {
        /// The file that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// Why.
        reason: String,
    },
    /// `reconfiguring`: a configuration was loaded.
    Reloaded,
    /// A worker ended by itself or by a signal.
    WorkerDied {
        /// `exited on signal 11`, `exited with fatal code 2`.
        how: String,
    },
    /// The backend's log: `client SSL certificate verify error: (CODE:WORDS)`.
    ClientRefused {
        /// OpenSSL's `X509_V_ERR_…`; `None` in an access log, which has words only.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        /// OpenSSL's words for it.
        words: String,
    },
    /// The backend's log: `client sent no required SSL certificate`.
    NoClientCertificate,
    /// The backend's log: `client sent plain HTTP request to HTTPS port`.
    PlainToTls,
    /// The backend's log: the Host header selects another server than the SNI did: 421.
    Misdirected,
    /// The backend's log: it ends the handshake.
    HandshakeRefused {
        /// In its words.
        reason: String,
    },
    /// The backend's log: its client ended the handshake with a TLS alert.
    ClientAlert {
        /// RFC 8446 §6.
        number: u8,
        /// Its name there.
        name: String,
    },
    /// The backend's log: it waits for the PROXY protocol.
    ProxyProtocol,
    /// The backend's access log: what came of the client certificate.
    ClientVerify {
        /// How `$ssl_client_verify` came out.
        verify: ClientVerify,
        /// `$ssl_client_s_dn`.
        subject: String,
    },
    /// The agent could not apply a configuration.
    ApplyFailed {
        /// Why.
        reason: String,
    },
    /// The agent has no connection to the control plane.
    NotConnected {
        /// Why.
        reason: String,
    },
    /// The control plane could not bring a configuration to its data plane.
    UpdateFailed {
        /// Why.
        reason: String,
    },
}

/// `$ssl_client_verify`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ClientVerify {
    /// The certificate was taken.
    Success,
    /// None was sent.
    None,
    /// There was no TLS.
    NoTls,
}

impl Level {
    /// The level that nginx calls so.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "debug" => Self::Debug,
            "info" => Self::Info,
            "notice" => Self::Notice,
            "warn" => Self::Warn,
            "error" => Self::Error,
            "crit" => Self::Crit,
            "alert" => Self::Alert,
            "emerg" => Self::Emerg,
            _ => return None,
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Crit => "crit",
            Self::Alert => "alert",
            Self::Emerg => "emerg",
        })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, port } => {
                write!(f, "{}", std::net::SocketAddr::new(*address, *port))
            }
            Self::Socket(path) => write!(f, "unix:{path}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Handshaking => "the handshake",
            Self::Sending => "sending the request",
            Self::ReadingHeader => "waiting for the answer",
            Self::Reading => "reading the answer",
        })
    }
}
