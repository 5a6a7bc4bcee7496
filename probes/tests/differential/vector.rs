//! A vector: a backend, and how a gateway is told to speak to it. NGINX and the probe get the same.

use std::time::Duration;

use jiff::Timestamp;
use ngf_tls::transcript::Outcome;

use crate::mint::{Issued, bundle};
use crate::peer::Peer;
use crate::s_server::OpensslServer;

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Vector {
    /// What is wrong with it, in words.
    pub(crate) name: String,
    pub(crate) backend: Backend,
    pub(crate) gateway: Gateway,
    /// NGINX's answer as `facts/tls.md` has it, where it speaks of this case: a check of the rig.
    pub(crate) expected: Option<Expected>,
    /// The first NGINX, as major and minor, that answers as NGF's does; `None` for any.
    pub(crate) since: Option<(u32, u32)>,
}

impl Vector {
    pub(crate) fn new(
        name: &str,
        backend: Backend,
        gateway: Gateway,
        expected: Option<Expected>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            backend,
            gateway,
            expected,
            since: None,
        }
    }
}

/// Who answers.
#[derive(Debug, Clone)]
pub(crate) enum Backend {
    /// `server` blocks of NGINX that share one address.
    Nginx(Vec<ServerBlock>),
    /// `openssl s_server`.
    Openssl(OpensslServer),
    /// A peer of the suite's own, for what no server does by itself.
    Peer(Peer),
}

/// A `server` block of an NGINX backend.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerBlock {
    /// `server_name`; empty for none.
    pub(crate) server_name: String,
    /// `ssl_certificate` and its key; `None` listens without TLS.
    pub(crate) identity: Option<Identity>,
    /// `ssl_client_certificate`.
    pub(crate) client_ca: Option<Vec<u8>>,
    /// Further directives, as they stand in the file.
    pub(crate) directives: Vec<String>,
}

/// Certificates in the order in which they are sent, and the first one's key, in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl Identity {
    pub(crate) fn new(sent: &[&Issued]) -> Self {
        Self {
            chain: bundle(sent),
            key: sent[0].key_pem(),
        }
    }
}

/// What NGF would render for this backend.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    /// `None` for `proxy_pass http://`.
    pub(crate) tls: Option<GatewayTls>,
    /// The Host header.
    pub(crate) host: String,
    /// `proxy_connect_timeout` and `proxy_read_timeout`.
    pub(crate) timeout: Duration,
    /// The moment at which the probe judges; NGINX's clock is set from outside.
    pub(crate) at: Option<Timestamp>,
}

/// The `proxy_ssl_*` directives.
#[derive(Debug, Clone)]
pub(crate) struct GatewayTls {
    /// `proxy_ssl_name`.
    pub(crate) server_name: String,
    /// `proxy_ssl_trusted_certificate`, as PEM.
    pub(crate) trusted: Vec<u8>,
    /// `proxy_ssl_certificate` and its key.
    pub(crate) identity: Option<Identity>,
}

/// Long enough for a busy machine: no vector but those of time-outs may come near it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Gateway {
    pub(crate) fn new(server_name: &str, trusted: Vec<u8>) -> Self {
        Self {
            tls: Some(GatewayTls {
                server_name: server_name.to_owned(),
                trusted,
                identity: None,
            }),
            host: "app.example.com".to_owned(),
            timeout: PATIENCE,
            at: None,
        }
    }
}

/// An expectation: fields that are `None` are not looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) outcome: Outcome,
    pub(crate) verify_code: Option<i32>,
    pub(crate) alert: Option<u8>,
    pub(crate) client_status: Option<u16>,
}

impl Expected {
    const fn new(outcome: Outcome, client_status: u16) -> Self {
        Self {
            outcome,
            verify_code: None,
            alert: None,
            client_status: Some(client_status),
        }
    }

    pub(crate) const OK: Self = Self {
        verify_code: Some(0),
        ..Self::new(Outcome::Ok, 200)
    };
    pub(crate) const MISMATCH: Self = Self {
        verify_code: Some(0),
        ..Self::new(Outcome::NameMismatch, 502)
    };
    pub(crate) const CLOSED: Self = Self::new(Outcome::Closed, 502);
    pub(crate) const TLS_ERROR: Self = Self::new(Outcome::TlsError, 502);
    pub(crate) const TIMEOUT: Self = Self::new(Outcome::Timeout, 504);
    pub(crate) const REFUSED: Self = Self::new(Outcome::ConnectError, 502);

    /// `upstream SSL certificate verify error: (CODE:…)`.
    pub(crate) const fn verify(code: i32) -> Self {
        Self {
            verify_code: Some(code),
            ..Self::new(Outcome::VerifyError, 502)
        }
    }

    /// The backend ends it with this alert.
    pub(crate) const fn alert(number: u8) -> Self {
        Self {
            alert: Some(number),
            ..Self::new(Outcome::TlsError, 502)
        }
    }

    /// The backend answers with this status.
    pub(crate) const fn http(status: u16) -> Self {
        Self::new(Outcome::HttpError, status)
    }
}
