//! What to probe: everything that the probe needs to know, and nothing about where it came from.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::capture::Capture;
use ngf_tls::chain::Certificates;
use ngf_tls::mark::{PROBE, WITHOUT_CERTIFICATE, marked};
use ngf_tls::protocol::Protocol;
use ngf_tls::transcript::Step;

/// One probe: an address, how to speak TLS to it, and the HTTP request to send.
#[derive(Debug, Clone)]
pub struct ProbeSpec {
    /// Name or IP address to connect to.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How to speak TLS; `None` sends the request in plain text, as NGINX does where no effective
    /// BackendTLSPolicy says otherwise.
    pub tls: Option<TlsSpec>,
    /// What nginx speaks over the connection.
    pub protocol: Protocol,
    /// The request that is sent after the handshake, unless nothing is sent (`Protocol::Stream`).
    pub http: HttpSpec,
    /// Bound on each phase (connect, handshake, answer), as `proxy_connect_timeout` and
    /// `proxy_read_timeout` bound them in NGINX.
    pub timeout: Duration,
}

/// The path of gRPC's health check (grpc.health.v1), which changes nothing in a backend, whatever it serves.
pub const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";

impl HttpSpec {
    /// A gRPC health check.
    pub fn health_check(host: String) -> Self {
        Self {
            method: "POST".to_owned(),
            host,
            path: marked(HEALTH_CHECK, PROBE),
        }
    }

    /// Whether it is a gRPC health check, of the probe's own.
    pub fn is_health_check(&self) -> bool {
        self.method == "POST" && self.path.starts_with(HEALTH_CHECK)
    }
}

impl ProbeSpec {
    /// The same without the client certificate, its request marked by [`WITHOUT_CERTIFICATE`].
    #[must_use]
    pub fn without_client_certificate(&self) -> Self {
        let mut without = self.clone();
        if let Some(tls) = &mut without.tls {
            tls.client_identity = None;
        }
        without.http.path = marked(&without.http.path, WITHOUT_CERTIFICATE);
        without
    }
}

/// TLS as NGINX's upstream module is told to speak it (`proxy_ssl_*`).
#[derive(Debug, Clone)]
pub struct TlsSpec {
    /// `proxy_ssl_name`, raw: may hold a port, a trailing dot, or be an IP address.
    pub server_name: String,
    /// `proxy_ssl_trusted_certificate`.
    pub trust: Trust,
    /// `proxy_ssl_certificate` and `proxy_ssl_certificate_key`.
    pub client_identity: Option<ClientIdentity>,
    /// `proxy_ssl_verify_depth`; NGF renders 4.
    pub verify_depth: u32,
    /// Judge validity at this moment instead of now.
    pub at: Option<Timestamp>,
}

/// What a probe does beside, or other than, what NGINX does. The default is to do nothing else.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the ClientHello offers.
    pub offer: Offer,
    /// Keeps what passes, with the session's secrets: only where somebody asked for a capture.
    pub capture: Option<Capture>,
    /// Whom the backend trusts, where that is known: judges the client certificate as the backend
    /// would.
    pub backend_trust: Option<BackendTrust>,
    /// Who is told of each step as it happens.
    pub steps: Option<mpsc::Sender<Step>>,
}

/// What the ClientHello offers, where it is to differ from NGINX's. The default is NGINX's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// This version only, instead of TLS 1.2 and 1.3. The versions before TLS 1.2 are offered at
    /// OpenSSL's security level 0, below which it would not speak them.
    pub version: Option<TlsVersion>,
    /// Cipher suites up to TLS 1.2 as OpenSSL's cipher list has them, instead of `DEFAULT`.
    pub ciphers: Option<String>,
    /// Cipher suites of TLS 1.3 as OpenSSL has them, instead of its default.
    pub suites: Option<String>,
    /// Key exchange groups as OpenSSL's list has them, instead of its default.
    pub groups: Option<String>,
    /// Sends no Server Name Indication. The name is still checked.
    pub without_sni: bool,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// RFC 2246.
    Tls10,
    /// RFC 4346.
    Tls11,
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsVersion {
    /// As a transcript has it: `TLSv1.3`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls10 => "TLSv1.0",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// Whom the backend trusts: `ssl_client_certificate` and `ssl_verify_depth` of an nginx backend.
#[derive(Debug, Clone)]
pub struct BackendTrust {
    /// The CAs.
    pub trusted: Certificates,
    /// Where they come from, for messages.
    pub origin: String,
    /// The most intermediates; nginx's default is 1.
    pub depth: u32,
}

/// Whom the client trusts.
#[derive(Debug, Clone)]
pub enum Trust {
    /// A PEM bundle, with the words that name its origin (`Secret default/backend-cert[ca.crt]`).
    Bundle {
        /// PEM text, as it stands in the Secret, ConfigMap or file.
        pem: Vec<u8>,
        /// Where it comes from, for messages.
        origin: String,
    },
    /// Certificates in DER, with the words that name their origin.
    Certificates {
        /// One each.
        der: Vec<Vec<u8>>,
        /// Where they come from, for messages.
        origin: String,
    },
    /// The CA file of the system that the probe runs on (`wellKnownCACertificates: System`).
    System,
}

/// A client certificate with its key. The key is zeroed when the last owner drops it, and neither
/// `Debug` nor any error prints it.
#[derive(Clone)]
pub struct ClientIdentity {
    /// `tls.crt`: the leaf first, then what the client sends with it.
    pub certificate_pem: Vec<u8>,
    /// `tls.key`.
    pub key_pem: Zeroizing<Vec<u8>>,
    /// Where it comes from, for messages.
    pub origin: String,
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// The HTTP request: HTTP/1.1, `Connection: close`.
#[derive(Debug, Clone)]
pub struct HttpSpec {
    /// `GET` unless said otherwise.
    pub method: String,
    /// The Host header: what NGINX passes on, that is the route's host name.
    pub host: String,
    /// Path and query.
    pub path: String,
}
