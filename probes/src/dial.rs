//! How the probe gets a byte stream to the backend: directly from here, or by a transport that
//! someone else brings (exec in a pod, port-forward).

mod direct;
pub mod dns;
pub mod names_there;
pub mod tcp;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

pub use direct::Direct;

use crate::recorder::Recorder;

/// A byte stream in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// Whom to reach.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name or IP address (an IPv6 address with or without brackets).
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Bound on all of it: the name, and each address that is tried. A transport that must be set up
    /// first (an exec, a pod) has its own bound on that, since NGINX does not wait for it.
    pub timeout: Duration,
}

/// A stream that reaches the target.
pub struct Dialled {
    /// The bytes.
    pub stream: Box<dyn ByteStream>,
    /// The address at the other end, as `10.0.3.7:8443`, where it is known.
    pub address: Option<String>,
    /// Where the transport says that it broke under the stream.
    pub fault: Fault,
}

/// What broke under a stream, set once by its transport: an end of the stream is then not the
/// backend's doing, and nothing can be said of the backend.
#[derive(Debug, Clone, Default)]
pub struct Fault(Arc<OnceLock<String>>);

impl Fault {
    /// Says what broke; what was said first counts.
    pub fn set(&self, what: impl Into<String>) {
        // Set before: that is the cause, and this is its effect.
        let _ = self.0.set(what.into());
    }

    /// What broke, if anything did.
    pub fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

impl std::fmt::Debug for Dialled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialled")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A way to reach a backend. Each writes its own steps to the recorder, the failing one included.
pub trait Dial: Send + Sync {
    /// The way's name in a transcript: `direct`, `exec`, `port-forward`.
    fn via(&self) -> &str;

    /// Reaches the target, or says why not, within its timeout.
    fn dial<'a>(
        &'a self,
        target: &'a Target,
        recorder: &'a Recorder,
    ) -> BoxFuture<'a, Result<Dialled, DialError>>;
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name leads nowhere: the backend's name is wrong, or DNS does not answer.
    #[error("{host} could not be resolved: {reason}")]
    Name {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
        /// The resolver answered, and said that there is no such name.
        is_authoritative: bool,
    },
    /// The connection was not made: refused, unreachable, reset.
    #[error("connecting to {address} failed")]
    Connect {
        /// The address, with its port.
        address: String,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// As [`DialError::Connect`], where another machine tried: its error number is Linux's, and may
    /// mean something else here.
    #[error("connecting to {address} failed: {reason}")]
    Remote {
        /// The address, with its port.
        address: String,
        /// Linux's number.
        errno: Option<i32>,
        /// The other machine's words.
        reason: String,
    },
    /// The time was over before anything answered.
    #[error("connecting to {address} timed out")]
    TimedOut {
        /// The address, with its port.
        address: String,
    },
    /// The transport itself failed, so that nothing is known of the backend.
    #[error("{0}")]
    Transport(String),
}
