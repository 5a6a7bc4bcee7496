//! Why the embedded cluster cannot be started.

use std::net::SocketAddr;

use thiserror::Error;

/// Why the embedded cluster cannot be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The API has to be on loopback.
    #[error(
        "the embedded cluster listens on loopback only, not on {0}: choose an address of 127.0.0.0/8 or [::1]"
    )]
    NotLoopback(SocketAddr),
    /// The API's address cannot be listened on.
    #[error(
        "cannot listen on {address} for the embedded cluster's API: choose another port or none"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// No randomness, or no memory.
    #[error("cannot make the token and the certificate of the embedded cluster's API")]
    Identity(#[from] openssl::error::ErrorStack),
    /// No scenario of this name.
    #[error("unknown scenario {name:?}: expected one of {known}")]
    UnknownScenario {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// No stage of this name.
    #[error("unknown stage {0:?}: expected before, client-certificate or policy")]
    UnknownStage(String),
    /// The cluster did not come up.
    #[error("the embedded cluster stopped while it was starting; this is a bug, please report it")]
    Stopped,
}
