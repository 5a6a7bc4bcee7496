//! The program and its commands.

use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, Subcommand};

use super::{
    chain::ChainArgs,
    change::{CleanupArgs, FixArgs, InitArgs},
    check::CheckArgs,
    debug::DebugArgs,
    demo::DemoArgs,
    input::InputArgs,
    logs::LogsArgs,
    probe::ProbeArgs,
    recording::{BundleArgs, RecordArgs, ReplayArgs},
    tool::{ConfigArgs, ExplainArgs, InfoArgs, RelayArgs, VersionArgs},
    values::seconds,
};

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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
