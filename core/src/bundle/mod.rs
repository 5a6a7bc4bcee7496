//! A bundle: what was seen of a cluster at one moment, for a support case. Objects, facts of Secrets, probes, logs and
//! nginx's configuration are in it; keys, tokens, values of environment variables and bodies of answers are not.
//! Redaction is part of the format: [`write()`] has no way around it.
//!
//! A bundle that is opened comes from a stranger: it is bounded, cleaned, and decoded as a cluster's answers are.

mod format;
mod open;
pub mod recording;
mod redact;
mod write;

pub use format::{BundleError, Document, MAX_BYTES, Opened, SCHEMA};
pub use open::open;
pub use redact::shown;
pub use write::{without_body, write};
