//! Arguments of `logs`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use ngf_core::selector::Selector;

use super::{
    format,
    values::{duration, lines, manifest_path, past},
};
use crate::report::Format;

/// A number of lines, or all.
pub type Tail = Option<u32>;

/// Arguments of `logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// The Gateway whose logs to read (default: all), or a log file to decode without a cluster, or - for
    /// standard input
    #[arg(value_name = "gateway/NAME|FILE|-", num_args = 0..=2)]
    pub target: Vec<String>,
    /// Read the logs of the Gateways with these labels: app=shop, 'team in (a,b)'
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "target")]
    pub selector: Option<Selector>,
    /// Manifests of the objects that a log file is about; - is standard input
    #[arg(long = "filename", value_name = "PATH", value_parser = manifest_path)]
    pub files: Vec<PathBuf>,
    /// How far back: 1h, 15m, 90s; a day at most
    #[arg(long, default_value = "1h", value_parser = past, value_name = "DURATION")]
    pub since: Duration,
    /// Read the last lines of each log only; -1 reads all
    #[arg(long, value_name = "LINES", value_parser = lines, allow_negative_numbers = true, default_value = "-1")]
    pub tail: Tail,
    /// Continue with new lines until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Read the logs of the containers' previous run, before their last restart
    #[arg(short, long, conflicts_with = "follow")]
    pub previous: bool,
    /// Output format
    #[arg(short, long, value_parser = format::format(format::PLAIN), default_value = "text", value_name = "FORMAT")]
    pub output: Format,
    /// How long to wait for the cluster's answers in all, connecting and credential plugins included
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
