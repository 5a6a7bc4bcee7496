//! The steps of a probe, one module each.

pub mod http;
pub mod http2;
pub mod tls;

/// The time was over while waiting for something.
pub const TIMEOUT: &str = "timeout";
