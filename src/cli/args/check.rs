//! Arguments of `check`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use ngf_core::{diagnosis::suppress::Suppression, selector::Selector};

use super::{
    deploy::{Shard, Store},
    format,
    input::FileArgs,
    values::{Codes, Within, codes, duration, within},
};
use crate::report::Format;

/// What makes `check` fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Findings of severity error
    #[default]
    Error,
    /// Findings of severity error or warning
    Warning,
    /// Findings of severity error or warning, what is unknown, and paths that were not tested
    Unknown,
    /// Nothing
    Never,
}

/// Arguments of `check`.
#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line are bools
pub struct CheckArgs {
    /// The objects to check.
    #[arg(
        value_name = "TYPE[/NAME]",
        help = "Check these objects only, as kubectl names them: gateway/NAME, httproute NAME, service/NAME:PORT, backendtlspolicy; also grpcroute and tlsroute"
    )]
    pub targets: Vec<String>,
    /// Check the objects with these labels only: app=shop, 'team in (a,b)'; with a TYPE, those of that type
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<Selector>,
    /// The manifests.
    #[command(flatten)]
    pub from: FileArgs,
    /// Output format
    #[arg(short, long, value_parser = format::format(format::CHECK), default_value = "text", value_name = "FORMAT")]
    pub output: Format,
    /// Check the cluster as if the manifests of -f were applied, and report what changes. Uses server-side
    /// dry runs, which store nothing
    #[arg(long)]
    pub over: bool,
    /// Fail where a certificate that a path depends on expires within this time (30d, 2w, 12h), or has less than
    /// this share of its lifetime left (30%)
    #[arg(long, value_name = "TIME|SHARE", value_parser = within)]
    pub within: Option<Within>,
    /// Report the findings with these codes only: NGF-T1,NGF-M4, or T for a family; may be repeated
    #[arg(long, value_name = "CODES", value_parser = codes, help_heading = "Findings")]
    pub only: Vec<Codes>,
    /// Accept a finding: it is counted, and does not fail; may be repeated
    #[arg(long, value_name = "CODE[=KIND/NAME]", value_parser = Suppression::argument, help_heading = "Findings")]
    pub suppress: Vec<Suppression>,
    /// YAML file of findings to accept, each with a reason and, where wanted, a date on which it ends
    #[arg(long, value_name = "FILE", help_heading = "Findings")]
    pub ignore_file: Option<PathBuf>,
    /// Make no handshake with the backends. Without this option every path is tested by a transport
    /// that writes nothing; of a backend with many endpoints, a sample is tested
    #[arg(long)]
    pub no_probe: bool,
    /// Do not read the logs of the past hour: of the data plane, its backends and the control plane
    #[arg(long)]
    pub no_logs: bool,
    /// Do not read the configuration and the certificates that the data plane's nginx is using
    #[arg(long)]
    pub no_data_plane: bool,
    /// With -f: a log file to read beside the manifests, or - for standard input; may be repeated. On
    /// a cluster the logs are read anyway, and --logs alone is accepted for scripts of earlier versions
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub logs: Option<Vec<PathBuf>>,
    /// Accepted for scripts of earlier versions: the configuration is read anyway
    #[arg(long, hide = true)]
    pub data_plane: bool,
    /// Which findings make the exit status 1
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    pub fail_on: FailOn,
    /// How long to wait for the cluster's answers, connecting and credential plugins included, and
    /// how long the handshakes may take in all
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// Test every endpoint instead of a sample, at the same pace
    #[arg(long, conflicts_with = "no_probe", help_heading = "In a cluster")]
    pub all_endpoints: bool,
    /// Check one part of the routes only: 0/8 is the first of eight; an Indexed Job passes its index
    #[arg(long, value_parser = Shard::parse, value_name = "INDEX/COUNT", help_heading = "In a cluster")]
    pub shard: Option<Shard>,
    /// Write the report into this ConfigMap, under the key report.json or report.txt
    #[arg(long, value_parser = Store::parse, value_name = "configmap/NAME", conflicts_with = "listen", help_heading = "In a cluster")]
    pub store: Option<Store>,
    /// Check again and again, and serve the result as OpenMetrics at /metrics: :9090, 127.0.0.1:9090
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["over", "output"], help_heading = "In a cluster")]
    pub listen: Option<String>,
    /// With --listen: the pause between two checks
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "DURATION", requires = "listen", help_heading = "In a cluster")]
    pub every: Duration,
}
