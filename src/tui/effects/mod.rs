//! What the terminal interface and `probe` act on: files, a cluster, or the embedded cluster.

#[cfg(feature = "demo")]
mod demo;
mod elsewhere;
mod live;
mod options;
mod places;
mod recorded;

#[cfg(feature = "demo")]
pub use demo::{Walk, stage_event};
pub use elsewhere::{Others, watch_others};
pub use live::{Files, Live};
pub use options::{LiveOptions, Stages};
pub use places::Places;
pub use recorded::Recorded;
