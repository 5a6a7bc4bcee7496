//! What a TLS handshake is, and what nginx makes of certificates: pure functions and types, without a
//! connection, a clock or a file.
//!
//! [`chain::judge`] asks nginx's own library about certificates alone; [`transcript`] is what a probe
//! writes down; [`messages`] decodes TLS messages.

pub mod certificate;
pub mod chain;
pub mod engine;
pub mod go;
pub mod mark;
pub mod messages;
pub mod pem;
pub mod protocol;
pub mod transcript;
