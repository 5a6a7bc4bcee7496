//! The handshake as NGINX's upstream module performs it, with the library that NGINX uses.
//!
//! Sources: nginx 1.31 `ngx_event_openssl.c`, `ngx_event_openssl_cache.c`, `ngx_http_upstream.c`.

mod context;
pub mod failure;
mod session;

pub(crate) use context::roots;
pub use context::{ConfigError, Prepared, prepare, prepare_with};
pub use session::{HandshakeEnd, Session};
