//! What several tests of the diagnosis share.

#![allow(dead_code)] // each test file uses a part of it

pub(crate) mod pki;
pub(crate) mod scenario;
