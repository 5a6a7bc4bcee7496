//! What the tests share: certificates, peers that others wrote, and the probe's settings.

#[macro_use]
mod probing;
pub(crate) mod nginx;
pub(crate) mod openssl_server;
pub(crate) mod pki;
pub(crate) mod raw_peer;
#[path = "../../../tests/support/skipped.rs"]
pub(crate) mod skipped;

pub(crate) use probing::*;
