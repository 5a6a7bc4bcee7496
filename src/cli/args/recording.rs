//! Arguments of `bundle`, `record` and `replay`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::values::duration;

/// Arguments of `bundle`.
#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line are bools
pub struct BundleArgs {
    /// The file to write; never over another
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Make no handshake with the backends
    #[arg(long)]
    pub no_probe: bool,
    /// Probe every endpoint from every data-plane pod, too: the endpoint matrix
    #[arg(long, conflicts_with = "no_probe")]
    pub all: bool,
    /// Do not read the logs of the past hour
    #[arg(long)]
    pub no_logs: bool,
    /// Do not read the configuration that the data plane's nginx is using
    #[arg(long)]
    pub no_data_plane: bool,
    /// How long to wait for the cluster's answers, and how long the handshakes may take in all
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// Arguments of `record`.
#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_excessive_bools)] // each is a flag of the command line
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
    /// Make no handshake with the backends
    #[arg(long)]
    pub no_probe: bool,
    /// Probe every endpoint from every data-plane pod, too: the endpoint matrix
    #[arg(long, conflicts_with = "no_probe")]
    pub all: bool,
    /// Do not follow the logs
    #[arg(long)]
    pub no_logs: bool,
    /// Do not read the configuration that the data plane's nginx is using
    #[arg(long)]
    pub no_data_plane: bool,
    /// How long to wait for the cluster's answers, and how long the handshakes of one test may take in all
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// Arguments of `replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// What `record` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
