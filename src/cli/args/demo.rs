//! Arguments of `demo`.

use std::path::PathBuf;

use clap::Args;
use ngf_cluster::transport::Via;

use super::via::via;

/// Arguments of `demo`.
#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line are bools
pub struct DemoArgs {
    /// Stage of the guide to start at: before, client-certificate, policy, or all (with --plain)
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Start something broken; --list names the scenarios
    #[arg(long, value_name = "NAME", conflicts_with = "stage")]
    pub scenario: Option<String>,
    /// Name the scenarios and stop
    #[arg(long)]
    pub list: bool,
    /// Print text instead of opening the terminal interface
    #[arg(long)]
    pub plain: bool,
    /// Print a kubeconfig and keep serving the embedded cluster. Its token lets whoever reads it do
    /// anything there: prefer --kubeconfig-out
    #[arg(long, conflicts_with = "plain")]
    pub serve: bool,
    /// With --serve: write the kubeconfig to this new file, which only you can read; it is deleted when
    /// the demo ends
    #[arg(long, value_name = "FILE", requires = "serve")]
    pub kubeconfig_out: Option<PathBuf>,
    /// Where probes connect from at first; press v to change it
    #[arg(long, value_parser = via(), value_name = "TRANSPORT", conflicts_with_all = ["plain", "serve"])]
    pub via: Option<Via>,
    /// Test no path without a key press
    #[arg(long, conflicts_with_all = ["plain", "serve"])]
    pub no_probe: bool,
}
