//! Fixes and the API server: who may make one, what it would make of one, and the change itself.

mod access;
pub(crate) mod exchange;
mod server;

pub(crate) use access::may;
pub use access::{Right, rights, who_may};
pub use server::{FixError, apply, dry_run};
