//! The handshake as NGINX's upstream module performs it, with the library that NGINX uses.
//!
//! Sources: nginx 1.31 `ngx_event_openssl.c`, `ngx_event_openssl_cache.c`, `ngx_http_upstream.c`.

mod context;
pub mod failure;
pub(crate) mod ffi;
pub mod messages;
mod name;
mod session;

pub use context::{ConfigError, Prepared, prepare, prepare_with};
pub use ffi::clear_freed_memory;
pub use name::UpstreamName;
pub use session::{HandshakeEnd, Session};

use crate::transcript::Engine;

/// The security level that nginx's OpenSSL has by default since 3.2 (and Debian's 3.0): RSA from
/// 2048 bits, no SHA-1 signatures.
pub const SECURITY_LEVEL: u32 = 2;

/// Which library judges.
pub fn engine() -> Engine {
    Engine {
        name: "openssl".to_owned(),
        version: openssl::version::version().to_owned(),
    }
}
