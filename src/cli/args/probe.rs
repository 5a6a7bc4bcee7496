//! Arguments of `probe`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use jiff::Timestamp;
use ngf_cluster::{
    probe_context::Address,
    transport::{IMAGE, Via},
};
use ngf_probes::spec::ClientIdentity;

use super::{
    format,
    values::{duration, gateway_address, moment, parallel},
    via::via,
};
use crate::report::Format;

/// Arguments of `probe`.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["targets", "connect"]).multiple(false))]
pub struct ProbeArgs {
    /// What to probe, by the cluster's objects.
    #[arg(
        value_name = "TYPE/NAME",
        num_args = 1..=2,
        help = "What to probe: httproute/NAME, service/NAME:PORT (number or name), gateway NAME, backendtlspolicy/NAME"
    )]
    pub targets: Vec<String>,
    /// Answered with a sentence: a probe needs a cluster.
    #[arg(short = 'f', long = "filename", hide = true, value_name = "PATH")]
    pub files: Vec<PathBuf>,
    /// Connect to this address instead
    #[arg(long, value_name = "HOST:PORT", requires = "server_name")]
    pub connect: Option<String>,
    /// Name for SNI and to check, as proxy_ssl_name takes it
    #[arg(long, value_name = "NAME", requires = "connect")]
    pub server_name: Option<String>,
    /// PEM file of the CAs to trust, as proxy_ssl_trusted_certificate (default: the system's)
    #[arg(long, value_name = "FILE", requires = "connect")]
    pub ca: Option<PathBuf>,
    /// PEM file of the client certificate and its intermediates
    #[arg(long, value_name = "FILE", requires = "connect", requires = "key")]
    pub cert: Option<PathBuf>,
    /// PEM file of the client certificate's key
    #[arg(long, value_name = "FILE", requires = "connect", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Host header (default: the server name, or the route's host name)
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Path of the request (default: / or the path that the route matches)
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Bound on each phase: connect, handshake, answer; starting a relay in a pod may take twice as long
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// PEM file of the CAs that the backend trusts: judges the client certificate as nginx would there
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// Judge validity at this moment instead of now: 2027-01-01, or RFC 3339
    #[arg(long, value_parser = moment, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Try each TLS version, cipher family and group, with and without client certificate and SNI:
    /// what the backend accepts, and whether nginx's defaults lie inside
    #[arg(long, conflicts_with_all = ["pcap", "records", "at"])]
    pub tls_scan: bool,
    /// Write what passed, with the session's secrets, as pcapng for Wireshark; never over a file
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Print the TLS records as well, with their times
    #[arg(long)]
    pub records: bool,
    /// Output format
    #[arg(short, long, value_parser = format::format(format::PROBE), default_value = "text", value_name = "FORMAT")]
    pub output: Format,
    /// Where a probe connects from
    #[command(flatten)]
    pub way: WayArgs,
}

/// Where a probe connects from.
#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line are bools
pub struct WayArgs {
    /// Where the connection originates
    #[arg(
        long,
        value_parser = via(),
        default_value_t,
        value_name = "TRANSPORT",
        conflicts_with = "connect",
        help_heading = "Transport"
    )]
    pub via: Via,
    /// The data-plane pod to probe from (default: one that is ready)
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "connect",
        help_heading = "Transport"
    )]
    pub pod: Option<String>,
    /// Image of a debug pod or ephemeral container: one that holds sleep and nc, or the tool's own
    #[arg(long, value_name = "IMAGE", default_value = IMAGE, help_heading = "Transport")]
    pub image: String,
    /// Give a debug pod the data plane's labels, so that NetworkPolicies see the same pod
    #[arg(long, help_heading = "Transport")]
    pub like_data_plane: bool,
    /// Create the debug pod or ephemeral container without asking
    #[arg(long, help_heading = "Transport")]
    pub yes: bool,
    /// Probe every endpoint, ready or not, from every data-plane pod
    #[arg(long, conflicts_with_all = ["connect", "tls_scan", "pcap", "records", "at", "client_ca"], help_heading = "Transport")]
    pub all: bool,
    /// Probe again and again, with this time between; shows what changes until ctrl-c
    #[arg(
        long,
        value_parser = duration,
        value_name = "DURATION",
        conflicts_with_all = ["connect", "tls_scan", "pcap", "records", "at", "client_ca"],
        help_heading = "Transport"
    )]
    pub watch: Option<Duration>,
    /// Where to ask as the gateway's client (default: the Gateway's status, then port-forward)
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        value_parser = gateway_address,
        conflicts_with_all = ["connect", "tls_scan", "backend_only"],
        help_heading = "Transport"
    )]
    pub gateway_address: Option<Address>,
    /// PEM file of the certificate that the gateway's client presents to a listener that asks for one
    #[arg(
        long,
        value_name = "FILE",
        requires = "gateway_client_key",
        conflicts_with_all = ["connect", "tls_scan", "backend_only", "all", "watch"],
        help_heading = "Transport"
    )]
    pub gateway_client_cert: Option<PathBuf>,
    /// PEM file of that certificate's key
    #[arg(
        long,
        value_name = "FILE",
        requires = "gateway_client_cert",
        help_heading = "Transport"
    )]
    pub gateway_client_key: Option<PathBuf>,
    /// A client certificate that is in no file: the embedded cluster's.
    #[arg(skip)]
    pub client_identity: Option<ClientIdentity>,
    /// Resolve the Service's name as the pod does, and as this machine does; an ExternalName's always is
    #[arg(long, conflicts_with_all = ["connect", "tls_scan", "backend_only"], help_heading = "Transport")]
    pub dns: bool,
    /// Leave out the context: send no request as the gateway's client, and read no logs
    #[arg(long, help_heading = "Transport")]
    pub backend_only: bool,
    /// How many probes run at a time
    #[arg(long, default_value_t = 16, value_name = "NUMBER", value_parser = parallel, help_heading = "Transport")]
    pub parallel: usize,
}
