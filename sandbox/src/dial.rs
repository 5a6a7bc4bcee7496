//! Connections within the embedded cluster.

use std::net::Ipv4Addr;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}
/// A connection of any kind.
pub(crate) type Stream = Box<dyn Bytes>;

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DialError {
    /// Nobody listens there.
    Refused,
    /// No pod, no Service has this address.
    Unreachable,
    /// The name leads nowhere.
    Name,
}

impl DialError {
    /// The operating system's words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Refused => "Connection refused",
            Self::Unreachable => "No route to host",
            Self::Name => "bad address",
        }
    }
}

/// A place in the cluster from which connections can be made.
pub(crate) trait Dial: Send + Sync {
    /// Connects to a port of a name or address; also tells the address.
    fn dial<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, Result<(Ipv4Addr, Stream), DialError>>;
}
