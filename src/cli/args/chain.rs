//! Arguments of `chain`.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use ngf_core::selector::Selector;

use super::{
    format,
    input::FileArgs,
    values::{duration, moment},
};
use crate::report::Format;

/// Arguments of `chain`.
#[derive(Debug, Clone, Args)]
pub struct ChainArgs {
    /// The objects whose traffic counts.
    #[arg(
        value_name = "TYPE[/NAME]",
        help = "Only what the traffic of these objects depends on, as kubectl names them: gateway/NAME, httproute NAME, service/NAME:PORT; with --inspect, the name of the object where only its type stands before"
    )]
    pub targets: Vec<String>,
    /// Only what the traffic of the objects with these labels depends on: app=shop, 'team in (a,b)'
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "inspect")]
    pub selector: Option<Selector>,
    /// The manifests.
    #[command(flatten)]
    pub from: FileArgs,
    /// Print the certificates of one Secret, ConfigMap or file as the tool sees them, without keys; exit 1 where one
    /// is not valid or cannot be loaded
    #[arg(long, value_name = "secret/NAME|FILE")]
    pub inspect: Option<String>,
    /// Judge at this moment instead of now: 2027-01-01, or RFC 3339
    #[arg(long, value_parser = moment, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Output format
    #[arg(short, long, value_parser = format::format(format::CHAIN), default_value = "text", value_name = "FORMAT")]
    pub output: Format,
    /// How long to wait for the cluster's answers in all, connecting and credential plugins included
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
