//! The command line: one definition from which parsing, help and completions derive.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use self::via::via;
use crate::report::Format;
use ngf_cluster::{
    probe_context::Address,
    transport::{IMAGE, Via},
};
use ngf_core::{diagnosis::suppress::Suppression, selector::Selector};
use ngf_probes::spec::ClientIdentity;
use values::{
    CodeParser, codes, duration, gateway_address, lines, manifest_path, moment, no_kustomize,
    parallel, past, seconds, within,
};

pub use connection::ConnectionArgs;
pub use deploy::{Shard, Store};
pub use recording::{RecordArgs, ReplayArgs};
pub use values::{Codes, Within, with_verbosity_joined};

mod connection;
mod deploy;
pub mod examples;
mod format;
mod recording;
mod values;
mod via;

/// Finds out why mutual TLS between NGINX Gateway Fabric and a backend breaks.
///
/// Without a command it opens the terminal interface on the current cluster.
#[derive(Debug, Parser)]
#[command(name = "ngf-tui", version, max_term_width = 100)]
pub struct Cli {
    /// Where to read from.
    #[command(flatten)]
    pub input: InputArgs,
    /// For the terminal interface.
    #[command(flatten)]
    pub debug: DebugArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where objects come from: a cluster, or files.
#[derive(Debug, Clone, Default, Args)]
pub struct InputArgs {
    /// Context of the kubeconfig to use; check and the terminal interface take several: --context a --context b
    #[arg(
        long = "context",
        global = true,
        value_name = "NAME",
        help_heading = "Cluster"
    )]
    pub contexts: Vec<String>,
    /// The first of them.
    #[arg(skip)]
    pub context: Option<String>,
    /// Path of the kubeconfig (default: $KUBECONFIG, then ~/.kube/config, then in-cluster)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// Namespace to read
    #[arg(
        short,
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Cluster"
    )]
    pub namespace: Option<String>,
    /// Read all namespaces that may be read (the default: objects refer across them)
    #[arg(
        short = 'A',
        long,
        global = true,
        conflicts_with = "namespace",
        help_heading = "Cluster"
    )]
    pub all_namespaces: bool,
    /// What kubectl calls its global options.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Log what this program does to standard error, of the terminal interface to a file; N is from 1 to 10, as with
    /// kubectl: 6 (-v alone) shows each request, 8 shows each before its answer
    #[arg(
        short = 'v',
        long = "v",
        global = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "6",
        value_parser = values::verbosity,
        value_name = "N",
        hide = true,
        help_heading = "Logging"
    )]
    pub verbosity: Option<u8>,
    /// The files of `-f`, of whichever command.
    #[arg(skip)]
    pub files: Vec<PathBuf>,
    /// The bundle of `--from`.
    #[arg(skip)]
    pub bundle: Option<PathBuf>,
    /// A kubeconfig that is in no file: the embedded cluster's.
    #[arg(skip)]
    pub kubeconfig_text: Option<String>,
    /// Write nothing to the cluster: no debug pod, no ephemeral container, no fix, no cleanup; and
    /// no dry run of check --over
    #[arg(
        long,
        global = true,
        env = "NGF_TUI_READ_ONLY",
        value_parser = clap::builder::FalseyValueParser::new(),
        help_heading = "Cluster"
    )]
    pub read_only: bool,
    /// Configuration file of the terminal interface (default: ngf-tui/config.toml in $XDG_CONFIG_HOME or ~/.config)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Interface",
        env = "NGF_TUI_CONFIG"
    )]
    pub config: Option<PathBuf>,
    /// Colours: auto (asks the terminal), dark, light, high-contrast, none, or a file in the folder themes
    #[arg(long, global = true, value_name = "NAME", help_heading = "Interface")]
    pub theme: Option<String>,
    /// Leave the mouse to the terminal: no clicks, no wheel, text is selected as usual
    #[arg(long, global = true, help_heading = "Interface")]
    pub no_mouse: bool,
    /// How often the terminal interface redraws ages; for tests
    #[arg(long, global = true, hide = true, value_parser = duration, value_name = "DURATION")]
    pub tick: Option<Duration>,
}

/// `-f`, of the commands that read manifests.
#[derive(Debug, Clone, Default, Args)]
pub struct FileArgs {
    /// Read objects from files or folders of YAML or JSON instead of a cluster; - is standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH", value_parser = manifest_path)]
    pub files: Vec<PathBuf>,
    /// Open a file of `bundle` instead of a cluster; it is judged at the moment at which it was written
    #[arg(long = "from", value_name = "BUNDLE", conflicts_with = "files")]
    pub bundle: Option<PathBuf>,
    /// Accepted as in kubectl: folders are always read with all folders below them
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Answered with the command that does it.
    #[arg(short = 'k', long, hide = true, value_name = "DIR", value_parser = no_kustomize)]
    pub kustomize: Option<PathBuf>,
}

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

impl Command {
    /// The files of `-f`, where the command takes any.
    pub fn take_files(&mut self) -> Option<Vec<PathBuf>> {
        let files = match self {
            Self::Debug(args) => &mut args.from.files,
            Self::Check(args) => &mut args.from.files,
            Self::Chain(args) => &mut args.from.files,
            Self::Fix(args) => &mut args.from.files,
            Self::Init(args) => &mut args.from.files,
            Self::Logs(args) => &mut args.files,
            Self::Probe(args) => &mut args.files,
            _ => return None,
        };
        Some(std::mem::take(files))
    }

    /// The bundle of `--from`, where the command opens one.
    pub fn take_bundle(&mut self) -> Option<PathBuf> {
        match self {
            Self::Debug(args) => args.from.bundle.take(),
            Self::Check(args) => args.from.bundle.take(),
            Self::Chain(args) => args.from.bundle.take(),
            _ => None,
        }
    }
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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the terminal interface (what happens without a command)
    Debug(DebugArgs),
    /// Print the tree with its health and findings; exit 0 (no error, every path tested), 1 (an error, or a
    /// path could not be tested) or 2 (could not read)
    Check(CheckArgs),
    /// Run a live handshake as NGINX would; exit 0 (served), 1 (not served) or 2 (could not run)
    Probe(Box<ProbeArgs>),
    /// Print every certificate that traffic depends on: what expires first, and what breaks then;
    /// exit 0, 1 (something has expired) or 2 (could not read)
    Chain(ChainArgs),
    /// Print what the logs of the data plane, the backends and the control plane report, decoded and counted
    Logs(LogsArgs),
    /// Explain a code: what it means, its background and how to fix it; without a code, list all
    Explain(ExplainArgs),
    /// Write everything that was read and measured to one redacted file, for a support case; check, chain and the
    /// terminal interface open it with --from. Exit 0, or 2 (could not read)
    Bundle(BundleArgs),
    /// Record a cluster over time in one redacted file: objects, probes, logs. Exit 0 (also after
    /// ctrl-c), or 2 (could not read or write)
    Record(RecordArgs),
    /// Play a file of `record` in the terminal interface, with pause, steps and speed, by the clock of the recording
    Replay(ReplayArgs),
    /// Show the fix of a finding, try it with a server-side dry run, and apply it after a confirmation;
    /// exit 0 (fixed), 1 (not applied, or not fixed by it) or 2 (could not run)
    Fix(FixArgs),
    /// Write the manifests that mutual TLS to a Service needs; apply them after review
    Init(InitArgs),
    /// Remove debug pods that a killed run left in the cluster; asks before it removes one that may be in
    /// use. Exit 0 (none is left), 1 (one was kept because it may be in use) or 2 (could not run)
    Cleanup(CleanupArgs),
    /// Relay standard input and output to a TCP connection; the tool's image runs this in a pod
    Relay(RelayArgs),
    /// Sleep; the tool's image runs this in a debug pod until a probe relays
    #[command(hide = true)]
    Sleep {
        /// For how long
        #[arg(value_parser = seconds)]
        seconds: u64,
    },
    #[cfg(feature = "demo")]
    /// Run an embedded cluster that needs nothing but this program
    Demo(DemoArgs),
    /// Print the versions of this program, the cluster, Gateway API and NGINX Gateway Fabric; exit 0, or 2 (the
    /// cluster could not be read)
    Version(VersionArgs),
    /// List the options that every command takes
    Options,
    /// Print where configuration, log and other files of this program are
    Info(InfoArgs),
    /// Print the JSON schema of a document that -o json prints; without a name, list the documents
    Schema {
        /// The document
        #[arg(value_name = "DOCUMENT")]
        name: Option<String>,
    },
    /// Print the configuration of the terminal interface: a commented default, its place, its errors
    Config(ConfigArgs),
    /// Print a completion script for a shell
    #[command(visible_alias = "completions")]
    Completion {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages to a folder
    #[command(hide = true)]
    Man {
        /// Folder to write to
        folder: PathBuf,
    },
    /// Complete the words of a command line, as kubectl asks
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The words; the last is being written
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
    #[cfg(feature = "demo")]
    /// Draw the pictures and the asciicast of the documentation from the embedded cluster
    #[command(hide = true)]
    Screenshots {
        /// Folder to write to
        folder: PathBuf,
    },
}

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
    /// The code, with or without NGF-, whatever the case: NGF-T1, t1; a word, to list the codes that
    /// mention it; or a log line of nginx, of NGF's agent or of its control plane, in quotes
    #[arg(value_name = "CODE|WORD|LINE", value_parser = CodeParser, hide_possible_values = true)]
    pub code: Option<String>,
}

/// Arguments of `fix`.
#[derive(Debug, Clone, Args)]
pub struct FixArgs {
    /// The finding's code, such as NGF-G7; without it, what can be fixed is listed
    #[arg(value_name = "CODE", value_parser = CodeParser, hide_possible_values = true)]
    pub code: Option<String>,
    /// The object that the finding is about, where there are several: KIND/NAME or KIND/NAMESPACE/NAME
    #[arg(value_name = "OBJECT", requires = "code", num_args = 0..=2)]
    pub object: Vec<String>,
    /// The manifests.
    #[command(flatten)]
    pub from: FileArgs,
    /// Apply it without asking
    #[arg(long, requires = "code", conflicts_with = "dry_run")]
    pub yes: bool,
    /// Show it and try it on the API server; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait for the cluster's answers in all, connecting and credential plugins included
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// Arguments of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The Service that gets mutual TLS: service/NAME or service/NAMESPACE/NAME
    #[arg(value_name = "service/NAME", required = true, num_args = 1..=2)]
    pub service: Vec<String>,
    /// The manifests.
    #[command(flatten)]
    pub from: FileArgs,
    /// The name in the backend's certificate, which nginx sends and checks
    #[arg(long, value_name = "NAME")]
    pub hostname: String,
    /// The Gateway (default: the one whose routes lead to the Service)
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pub gateway: Option<String>,
    /// Only this port of the Service, by number or name (default: all)
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// What holds the CA of the backend's certificate: configmap/NAME or secret/NAME with ca.crt
    #[arg(long, value_name = "KIND/NAME")]
    pub ca: Option<String>,
    /// The TLS Secret that the Gateway presents: NAME, or NAMESPACE/NAME of another namespace
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    pub client_secret: Option<String>,
    /// The cert-manager issuer that signs what is missing: clusterissuer/NAME, issuer/NAME or NAME
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
    /// Folder to write the manifests to, one file each; - is standard output
    #[arg(short, long, default_value = "-", value_name = "DIR")]
    pub output: PathBuf,
    /// How long to wait for the cluster's answers in all, connecting and credential plugins included
    #[arg(long, default_value = "15s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// Arguments of `cleanup`.
#[derive(Debug, Clone, Args)]
pub struct CleanupArgs {
    /// Only list what is there, with its age, its owner and whether it is in use
    #[arg(long)]
    pub dry_run: bool,
    /// Remove debug pods that are in use or may be, too, without asking
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
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

/// Arguments of `bundle`.
#[derive(Debug, Clone, Args)]
pub struct BundleArgs {
    /// The file to write; never over another
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Make no handshake with the backends
    #[arg(long)]
    pub no_probe: bool,
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

/// Arguments of `demo`.
#[cfg(feature = "demo")]
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
