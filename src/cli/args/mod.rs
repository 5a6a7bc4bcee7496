//! The command line: one definition from which parsing, help and completions derive.

mod chain;
mod change;
mod check;
mod cli;
mod connection;
mod debug;
#[cfg(feature = "demo")]
mod demo;
mod deploy;
pub mod examples;
mod format;
mod input;
mod logs;
mod probe;
mod recording;
mod tool;
mod values;
mod via;

pub use chain::ChainArgs;
pub use change::{CleanupArgs, FixArgs, InitArgs};
pub use check::{CheckArgs, FailOn};
pub use cli::{Cli, Command};
pub use connection::ConnectionArgs;
pub use debug::DebugArgs;
#[cfg(feature = "demo")]
pub use demo::DemoArgs;
pub use deploy::{Shard, Store};
pub use input::{FileArgs, InputArgs};
pub use logs::{LogsArgs, Tail};
pub use probe::{ProbeArgs, WayArgs};
pub use recording::{BundleArgs, RecordArgs, ReplayArgs, SeenArgs};
pub use tool::{ConfigArgs, ConfigPart, ExplainArgs, InfoArgs, RelayArgs, VersionArgs};
pub use values::{Codes, Within, with_verbosity_joined};
