//! Arguments of the commands about the program itself.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{
    format,
    values::{CodeParser, duration, seconds},
};
use crate::report::Format;

/// Arguments of `config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// What to print
    #[arg(value_enum, value_name = "WHAT")]
    pub part: ConfigPart,
}

/// What `config` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigPart {
    /// Every setting with its default, as comments
    Default,
    /// Where the file is
    Path,
    /// Whether the file has errors
    Check,
    /// A theme to begin with
    Theme,
    /// The JSON schema, for editors
    Schema,
}

/// Arguments of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The code, with or without NGF-, whatever the case: NGF-T1, t1; the reason or message of a condition; a verify
    /// code, TLS alert or HTTP status; a log line of nginx, of NGF's agent or of its control plane, or a part of it, in
    /// quotes; or a word, to list the codes that mention it
    #[arg(value_name = "CODE|WORD|LINE", value_parser = CodeParser, hide_possible_values = true)]
    pub code: Option<String>,
}

/// Arguments of `relay`.
#[derive(Debug, Clone, Args)]
pub struct RelayArgs {
    /// Where to connect to
    #[arg(value_name = "HOST:PORT")]
    pub address: String,
    /// Seconds that the connection may take
    #[arg(long, default_value = "10", value_parser = seconds, value_name = "SECONDS")]
    pub timeout: u64,
    /// Seconds after which the relay ends by itself
    #[arg(long, default_value = "300", value_parser = seconds, value_name = "SECONDS")]
    pub life: u64,
}

/// Arguments of `info`.
#[derive(Debug, Clone, Args)]
pub struct InfoArgs {
    /// Output format
    #[arg(short, long, value_parser = format::format(format::PLAIN), default_value = "text", value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `version`.
#[derive(Debug, Clone, Args)]
pub struct VersionArgs {
    /// Print the version of this program only, without asking a cluster
    #[arg(long)]
    pub client: bool,
    /// Output format
    #[arg(short, long, value_parser = format::format(format::PLAIN), default_value = "text", value_name = "FORMAT")]
    pub output: Format,
    /// How long to wait for the cluster's answers in all, connecting and credential plugins included
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
