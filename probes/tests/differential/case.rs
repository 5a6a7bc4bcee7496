//! One backend, and how the gateway is told to speak to it.

use crate::support::HOST;
use crate::support::pki::{Issued, bundle};

/// `ssl_protocols` of a backend that has no preference.
const BOTH: &str = "TLSv1.2 TLSv1.3";

/// What serves.
#[derive(Clone)]
pub(crate) enum Backend {
    /// nginx with this certificate and these directives.
    Nginx {
        /// Leaf and what is sent behind it.
        certificate: Vec<u8>,
        key: Vec<u8>,
        /// Directives in the server.
        directives: String,
        /// A second server on the same socket, without its `listen`.
        second: String,
    },
    /// nginx without TLS.
    PlainNginx,
    /// Whatever listens on this port here, or nothing.
    Port(u16),
    /// A peer that reads once, sends these bytes, and then does that.
    Raw(Vec<u8>, Then),
}

/// What a raw peer does in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    End,
    Silence,
}

/// One case.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) backend: Backend,
    /// `proxy_ssl_trusted_certificate`; `None` proxies in plain text.
    pub(crate) trusted: Option<Vec<u8>>,
    /// `proxy_ssl_name`.
    pub(crate) server_name: String,
    /// The Host that is passed on.
    pub(crate) host: String,
    /// `proxy_ssl_certificate` and its key.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
    /// `ssl_protocols` of the backend.
    pub(crate) protocols: &'static str,
    /// nginx's verify code where it is known and not 0, else the client's status.
    pub(crate) expected: Option<i32>,
}

impl Case {
    /// nginx with this leaf and chain, trusted by these.
    pub(crate) fn new(name: &str, leaf: &Issued, chain: &[&Issued], trusted: &[&Issued]) -> Self {
        let mut certificate = leaf.pem();
        certificate.extend(bundle(chain));
        Self {
            name: name.to_owned(),
            backend: Backend::Nginx {
                certificate,
                key: leaf.key_pem(),
                directives: String::new(),
                second: String::new(),
            },
            trusted: Some(bundle(trusted)),
            server_name: HOST.to_owned(),
            host: HOST.to_owned(),
            identity: None,
            protocols: BOTH,
            expected: None,
        }
    }

    pub(crate) fn expecting(mut self, expected: i32) -> Self {
        self.expected = Some(expected);
        self
    }

    pub(crate) fn asking_for(mut self, server_name: &str) -> Self {
        server_name.clone_into(&mut self.server_name);
        self
    }

    pub(crate) fn speaking(mut self, protocols: &'static str) -> Self {
        self.protocols = protocols;
        self
    }

    pub(crate) fn presenting(mut self, client: &Issued, chain: &[&Issued]) -> Self {
        let mut certificate = client.pem();
        certificate.extend(bundle(chain));
        self.identity = Some((certificate, client.key_pem()));
        self
    }

    pub(crate) fn served_by(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// With further directives in the backend's server.
    pub(crate) fn directives(mut self, more: &str) -> Self {
        if let Backend::Nginx { directives, .. } = &mut self.backend {
            directives.push_str(more);
        }
        self
    }

    /// The same in both versions of TLS, unless it is made for one.
    pub(crate) fn in_both_versions(self) -> Vec<Self> {
        let versions = match self.protocols {
            BOTH => vec!["TLSv1.2", "TLSv1.3"],
            one => vec![one],
        };
        let in_version = |version| {
            let mut case = self.clone().speaking(version);
            case.name = format!("{} ({version})", case.name);
            case
        };
        versions.into_iter().map(in_version).collect()
    }
}
