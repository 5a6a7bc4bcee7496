//! What nginx speaks over a connection to a backend.

use serde::{Deserialize, Serialize};

/// What nginx speaks to the backend, over TLS or in plain text.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// `proxy_pass`: an HTTP/1.1 request, and no ALPN.
    #[default]
    Http1,
    /// `grpc_pass`, or `proxy_http_version 2`: HTTP/2, for which nginx offers `h2` by ALPN.
    Http2,
    /// `proxy_pass` of a stream server: nginx passes the client's bytes on, and the probe sends
    /// nothing.
    Stream,
}

impl Protocol {
    /// The protocols that nginx offers by ALPN, as the extension has them (RFC 7301 §3.1).
    pub fn alpn(self) -> Option<&'static [u8]> {
        (self == Self::Http2).then_some(b"\x02h2".as_slice())
    }

    /// Whether it is HTTP/1.1, of which a transcript says nothing.
    pub fn is_http1(&self) -> bool {
        *self == Self::Http1
    }
}
