//! Arguments of the terminal interface.

use std::path::PathBuf;

use clap::Args;
use ngf_cluster::{probe_context::Address, transport::Via};
use ngf_core::diagnosis::suppress::Suppression;

use super::{input::FileArgs, values::gateway_address, via::via};

/// Arguments of the terminal interface.
#[derive(Debug, Clone, Default, Args)]
pub struct DebugArgs {
    /// Where probes connect from at first; press v to change it
    #[arg(long, value_parser = via(), value_name = "TRANSPORT", help_heading = "Transport")]
    pub via: Option<Via>,
    /// Image of a debug pod or ephemeral container: one that holds sleep and nc, or the tool's own
    #[arg(long, value_name = "IMAGE", help_heading = "Transport")]
    pub image: Option<String>,
    /// Where to ask as the gateway's client (default: the Gateway's status, then port-forward)
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        value_parser = gateway_address,
        help_heading = "Transport"
    )]
    pub gateway_address: Option<Address>,
    /// Test no path without a key press
    #[arg(long)]
    pub no_probe: bool,
    /// Print every view as linear text instead, for screen readers and pipes; each path is tested first, as with check
    #[arg(long)]
    pub plain: bool,
    /// With --plain: print this view only, by the name that goes to it after : in the terminal interface; may be
    /// repeated
    #[arg(long, value_name = "NAME", requires = "plain")]
    pub view: Vec<String>,
    /// Accept a finding: it is counted and listed, and is no problem; may be repeated
    #[arg(long, value_name = "CODE[=KIND/NAME]", value_parser = Suppression::argument, help_heading = "Findings")]
    pub suppress: Vec<Suppression>,
    /// YAML file of findings to accept, each with a reason and, where wanted, a date on which it ends
    #[arg(long, value_name = "FILE", help_heading = "Findings")]
    pub ignore_file: Option<PathBuf>,
    /// The objects that are shown.
    #[command(flatten)]
    pub from: FileArgs,
}

impl DebugArgs {
    /// Whether nothing was said of the terminal interface itself.
    pub fn is_empty(&self) -> bool {
        self.via.is_none()
            && self.image.is_none()
            && self.gateway_address.is_none()
            && !self.no_probe
            && !self.plain
            && self.suppress.is_empty()
            && self.ignore_file.is_none()
    }
}
