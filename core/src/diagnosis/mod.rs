//! What the snapshot means: what NGF decides from it, what to probe, who trusts whom, what is
//! wrong, why, and what to do. Pure: no I/O, no clock, no drawing.

pub mod admits;
pub mod chain;
pub mod changes;
pub mod clock;
pub mod code;
pub mod configured;
pub mod context;
pub mod coverage;
pub mod elsewhere;
pub mod endpoint_matrix;
pub mod engine;
pub mod evidence;
pub mod fault;
pub mod finding;
pub mod health;
pub mod hidden;
pub mod incremental;
pub mod joined;
pub mod lexicon;
pub mod limit;
pub mod line;
mod list;
pub mod log_sources;
pub mod mounted;
pub mod ngf;
mod order;
pub mod plan;
pub mod probe_context;
pub mod problems;
pub mod registry;
mod rule;
mod rules;
pub mod suppress;
pub mod timeline;
pub mod trust;
mod unapplied;
pub mod words;

pub use code::Code;
pub use coverage::{Coverage, Untested};
pub use engine::{Diagnosis, diagnose};
pub use evidence::Evidence;
pub use finding::{Finding, Severity, Verdict};
pub use health::Health;
pub use hidden::Hidden;
pub(crate) use rules::{change::policy_manifest, shared::grant};
