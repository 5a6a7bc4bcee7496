//! OpenSSL as nginx uses it: how it reads certificates, judges a chain and checks a name.
//!
//! Sources: nginx 1.31 `ngx_event_openssl.c`, `ngx_event_openssl_cache.c`, `ngx_http_upstream.c`.

pub mod ffi;
mod file;
mod library;
pub mod messages;
mod name;
pub mod verify;

pub use ffi::clear_freed_memory;
pub use library::{SECURITY_LEVEL, engine};
pub use name::UpstreamName;
