//! The command line: reads arguments, runs a command, ends with its exit status.

pub mod args;
mod chain;
mod check;
mod cleanup;
pub mod connect;
#[cfg(feature = "demo")]
mod demo;
mod drawn;
mod endpoint_matrix;
mod explain;
mod fix;
mod init;
#[cfg(feature = "demo")]
mod kubeconfig_file;
mod live;
mod logs;
mod measure;
mod memory;
mod output;
mod overlay;
mod pcap;
mod probe;
mod relay;
#[cfg(feature = "demo")]
mod screenshots;
mod tls_scan;
mod tui;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{CommandFactory, FromArgMatches};

use self::args::{Cli, Command, InputArgs};
use ngf_cluster::{self, Cluster, ClusterError, ClusterOptions};

/// Everything is as it should be.
pub const EXIT_OK: u8 = 0;
/// Something is wrong with what was looked at.
pub const EXIT_FOUND: u8 = 1;
/// The command itself could not do its work.
pub const EXIT_COULD_NOT: u8 = 2;

/// An error of a command: a sentence, with its causes.
type CliError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the program; both binaries are this.
pub fn main() -> ExitCode {
    memory::protect();
    ngf_ui::terminal::install_panic_hook();
    let cli = parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&error);
            return ExitCode::from(EXIT_COULD_NOT);
        }
    };
    let status = runtime.block_on(dispatch(cli)).unwrap_or_else(|error| {
        output::complain(error.as_ref());
        EXIT_COULD_NOT
    });
    // A thread that blocks on a dead disk or resolver must not keep the program from ending.
    runtime.shutdown_background();
    ExitCode::from(status)
}

fn parse() -> Cli {
    let called_by_kubectl = std::env::args_os()
        .next()
        .and_then(|program| {
            PathBuf::from(program)
                .file_stem()
                .map(std::ffi::OsStr::to_os_string)
        })
        .is_some_and(|name| name == "kubectl-ngf" || name == "kubectl_ngf");
    let mut command = Cli::command();
    if called_by_kubectl {
        command = command.bin_name("kubectl ngf");
    }
    let matches = command.get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

async fn dispatch(cli: Cli) -> Result<u8, CliError> {
    if cli.command.is_some() && !cli.debug.is_empty() {
        return Err(
            "write --via, --image, --gateway-address and --no-probe after the command".into(),
        );
    }
    match cli.command {
        None => tui::run(&cli.input, &cli.debug).await,
        Some(Command::Debug(args)) => tui::run(&cli.input, &args).await,
        Some(Command::Check(args)) => check::run(&cli.input, &args).await,
        Some(Command::Probe(args)) => probe::run(&cli.input, &args).await,
        Some(Command::Chain(args)) => chain::run(&cli.input, &args).await,
        Some(Command::Logs(args)) => logs::run(&cli.input, &args).await,
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Fix(args)) => fix::run(&cli.input, &args).await,
        Some(Command::Init(args)) => init::run(&cli.input, &args).await,
        Some(Command::Cleanup(args)) => cleanup::run(&cli.input, &args).await,
        Some(Command::Relay(args)) => relay::run(&args).await,
        Some(Command::Sleep { seconds }) => relay::sleep(seconds).await,
        #[cfg(feature = "demo")]
        Some(Command::Demo(args)) => demo::run(&cli.input, &args).await,
        #[cfg(feature = "demo")]
        Some(Command::Screenshots { folder }) => screenshots::run(&folder).await,
        Some(Command::Completions { shell }) => {
            let mut command = Cli::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "ngf-tui", &mut script);
            let mut script = String::from_utf8_lossy(&script).into_owned();
            if shell == clap_complete::Shell::Fish {
                script += &explain::fish_codes();
            }
            output::print(&script)?;
            Ok(EXIT_OK)
        }
    }
}

/// The cluster that the arguments name.
///
/// # Errors
/// Where it cannot be reached, or the namespace of `-n` does not exist.
async fn connect_to(input: &InputArgs) -> Result<Cluster, ClusterError> {
    let cluster = ngf_cluster::connect(&options(input, None)).await?;
    cluster.check_namespace().await?;
    Ok(cluster)
}

/// The same, connected within `--timeout`.
async fn connect_within(input: &InputArgs, limit: Duration) -> Result<Cluster, ClusterError> {
    let cluster = ngf_cluster::connect(&options(input, Some(limit))).await?;
    cluster.check_namespace().await?;
    Ok(cluster)
}

fn options(input: &InputArgs, limit: Option<Duration>) -> ClusterOptions {
    ClusterOptions {
        limit,
        kubeconfig: input.kubeconfig.clone(),
        kubeconfig_text: input.kubeconfig_text.clone(),
        context: input.context.clone(),
        namespace: input.namespace.clone(),
        all_namespaces: input.all_namespaces,
    }
}
