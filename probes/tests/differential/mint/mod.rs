//! Mints certificates: a [`Certificate`] says what shall stand in one, fault included, and
//! [`Certificate::issue`] writes and signs it.

mod certificate;
pub(crate) mod der;
pub(crate) mod key;

pub(crate) use key::{Digest, Key, Kind};

pub(crate) use certificate::*;
