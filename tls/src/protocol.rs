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
    /// `proxy_pass` of a backend with `appProtocol` `kubernetes.io/ws` or `wss`: an HTTP/1.1 request that asks for an
    /// upgrade, as a client of a WebSocket does, and no ALPN.
    WebSocket,
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

    /// Whether it is an HTTP/1.1 request.
    pub fn is_http1(self) -> bool {
        matches!(self, Self::Http1 | Self::WebSocket)
    }

    /// Whether it is what nginx speaks by default, of which a transcript says nothing.
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde asks by reference
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
