//! Where objects come from: a cluster, or files.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{
    connection::ConnectionArgs,
    values::{duration, manifest_path, no_kustomize, verbosity},
};

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
        value_parser = verbosity,
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
