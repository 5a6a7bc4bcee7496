//! What integration tests share.

// Each test executable uses a part of it.
#![allow(dead_code, unused_imports)]

pub(crate) mod hostile;
pub(crate) mod hostile_api;
#[cfg(feature = "lab-tests")]
pub(crate) mod lab;
pub(crate) mod memory;
pub(crate) mod pki;
mod program;
#[cfg(feature = "lab-tests")]
pub(crate) mod proxy;
pub(crate) mod pty;
pub(crate) mod scenario;
pub(crate) mod skipped;
pub(crate) mod terminal;
pub(crate) mod wire;

pub(crate) use program::{has_peer, ngf_tui};
