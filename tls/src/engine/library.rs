//! The OpenSSL that is linked in.

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
