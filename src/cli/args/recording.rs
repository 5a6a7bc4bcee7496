//! Arguments of `bundle`, `record` and `replay`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::values::duration;

/// What `bundle` and `record` read and measure of a cluster.
#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line are bools
pub struct SeenArgs {
    /// Make no handshake with the backends
    #[arg(long)]
    pub no_probe: bool,
    /// Probe every endpoint from every data-plane pod, too: the endpoint matrix
    #[arg(long, conflicts_with = "no_probe")]
    pub all: bool,
    /// Do not read logs
    #[arg(long)]
    pub no_logs: bool,
    /// Do not read the configuration that the data plane's nginx is using
    #[arg(long)]
    pub no_data_plane: bool,
    /// How long to wait for the cluster's answers, and how long one test of all paths may take
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// Arguments of `bundle`.
#[derive(Debug, Clone, Args)]
pub struct BundleArgs {
    /// The file to write; never over another
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// What is read and measured.
    #[command(flatten)]
    pub seen: SeenArgs,
}

/// Arguments of `record`.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// The file to write; never over another
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// End after this time (default: until ctrl-c)
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    pub lasts: Option<Duration>,
    /// The pause between two tests of all paths
    #[arg(long, default_value = "1m", value_parser = duration, value_name = "DURATION")]
    pub every: Duration,
    /// What is read and measured.
    #[command(flatten)]
    pub seen: SeenArgs,
}

/// Arguments of `replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// What `record` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
