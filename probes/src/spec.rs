//! What to probe: everything that the probe needs to know, and nothing about where it came from.

use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

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
    /// The request that is sent after the handshake.
    pub http: HttpSpec,
    /// Bound on each phase (connect, handshake, answer), as `proxy_connect_timeout` and
    /// `proxy_read_timeout` bound them in NGINX.
    pub timeout: Duration,
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
