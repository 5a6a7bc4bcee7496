//! The steps of a probe, one module each.

pub mod dns;
pub(crate) mod failure;
pub mod http;
pub mod http2;
pub mod names_there;
pub mod tcp;
pub mod tls;

/// The names of steps that are no TLS messages, in the order in which they happen. TLS messages
/// are named by [`ngf_tls::messages`].
pub const STEPS: &[&str] = &[
    dns::NAME,
    tcp::CONNECT,
    tls::VERIFY_CERTIFICATE,
    tls::VERIFY_NAME,
    http::REQUEST,
    http::RESPONSE,
    http2::PREFACE,
    http2::SETTINGS,
    tcp::CLOSED,
    tls::NOT_TLS,
    TIMEOUT,
];

/// The time was over while waiting for something.
pub const TIMEOUT: &str = "timeout";
