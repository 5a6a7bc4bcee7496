//! How to measure: connects to a backend as NGINX Gateway Fabric's nginx would, and writes down
//! every step. Knows nothing of Kubernetes and nothing of terminals.
//!
//! [`probe()`] runs one probe over a [`dial::Dial`]; [`chain::judge`] asks the same engine about
//! certificates alone.

pub mod certificate;
pub mod chain;
pub mod dial;
pub mod engine;
pub mod messages;
pub mod pem;
mod probe;
mod recorder;
mod records;
pub mod sanitize;
pub mod spec;
pub mod steps;
pub mod transcript;
pub mod verdict;

pub use probe::{ProbeError, probe};
pub use recorder::Recorder;
