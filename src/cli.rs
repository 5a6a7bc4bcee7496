//! The command line: reads arguments, runs a command, ends with its exit status.

pub mod args;
mod bundle;
mod chain;
mod check;
mod cleanup;
mod complete;
mod completion;
mod config;
pub mod connect;
#[cfg(feature = "demo")]
mod demo;
mod drawn;
mod endpoint_matrix;
mod ends;
mod explain;
mod fix;
mod info;
mod init;
mod inspect;
#[cfg(feature = "demo")]
mod kubeconfig_file;
mod listen;
mod live;
mod logging;
mod logs;
mod man;
mod measure;
mod memory;
mod options;
mod output;
mod overlay;
mod pcap;
mod plain;
mod printed;
mod probe;
mod record;
mod relay;
mod replay;
mod schema;
#[cfg(feature = "demo")]
mod screenshots;
mod several;
mod target;
mod tls_scan;
mod tui;
mod version;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{CommandFactory, FromArgMatches};

use self::args::{Cli, Command, DebugArgs, InputArgs};
use ngf_cluster::{self, Cluster, ClusterError, ClusterOptions};
use ngf_core::command::{self, Program};

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
    logging::install();
    // A panic gives the terminal back first, and is reported then.
    ngf_ui::terminal::install_panic_hook();
    let program = called_as();
    command::called(program);
    let cli = parse(program);
    logging::start(cli.input.verbosity, log_of(&cli));
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

/// The name by which the user called this program: kubectl starts a plugin by its file's name.
fn called_as() -> Program {
    let called = std::env::args_os().next().map(PathBuf::from);
    let name = called.as_deref().and_then(std::path::Path::file_stem);
    match name.and_then(std::ffi::OsStr::to_str) {
        Some("kubectl-ngf" | "kubectl_ngf") => Program::Plugin,
        _ => Program::Alone,
    }
}

/// The definition of the command line, under the name by which the program was called.
fn definition(program: Program) -> clap::Command {
    let options = format!(
        "`{} options` lists the options of every command: --cluster, --user, --server, --token, --as …",
        program.name()
    );
    let command = Cli::command().bin_name(program.name());
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let end = |command: &str| match args::examples::text(command, program.name()) {
        Some(examples) => format!("{examples}\n\n{options}"),
        None => options.clone(),
    };
    let whole = names.into_iter().fold(command, |command, name| {
        let end = end(&name);
        command.mut_subcommand(name, |command| command.after_help(end))
    });
    whole.after_help(end(""))
}

fn parse(program: Program) -> Cli {
    let words = args::with_verbosity_joined(std::env::args_os());
    let matches = definition(program).get_matches_from(words);
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Where log events go: the screen is the terminal interface's.
fn log_of(cli: &Cli) -> logging::To {
    match &cli.command {
        None if cli.debug.plain => logging::To::StandardError,
        Some(Command::Debug(args)) if args.plain => logging::To::StandardError,
        None | Some(Command::Debug(_) | Command::Replay(_)) => logging::To::File,
        #[cfg(feature = "demo")]
        Some(Command::Demo(args)) if !args.plain && !args.serve && !args.list => logging::To::File,
        _ => logging::To::StandardError,
    }
}

/// Puts the files of `-f` where every command finds them; they may stand before the command, too.
fn gather_files(cli: &mut Cli) -> Result<(), CliError> {
    let early = cli.debug.from.bundle.take();
    cli.input.bundle = match (&mut cli.command, early) {
        (None, bundle) => bundle,
        (Some(command), None) => command.take_bundle(),
        (Some(_), Some(_)) => return Err("write --from after the command".into()),
    };
    let mut files = std::mem::take(&mut cli.debug.from.files);
    let of_command = match &mut cli.command {
        None => Some(Vec::new()),
        Some(command) => command.take_files(),
    };
    match of_command {
        Some(more) => files.extend(more),
        None if !files.is_empty() => return Err("this command reads no files: leave -f out".into()),
        None => {}
    }
    cli.input.files = files;
    Ok(())
}

/// Names each context of `--context` once. Most commands take one.
fn gather_contexts(cli: &mut Cli) -> Result<(), CliError> {
    let mut once: Vec<String> = Vec::new();
    for context in std::mem::take(&mut cli.input.contexts) {
        if !once.contains(&context) {
            once.push(context);
        }
    }
    let takes_several = matches!(
        cli.command,
        None | Some(Command::Debug(_) | Command::Check(_))
    );
    if once.len() > 1 && !takes_several {
        return Err(
            "this command takes one --context; check and the terminal interface take several"
                .into(),
        );
    }
    let is_live = cli.input.files.is_empty() && cli.input.bundle.is_none();
    if once.len() > 1 && !is_live {
        return Err("several contexts are for clusters, not for files".into());
    }
    cli.input.context = once.first().cloned();
    cli.input.contexts = once;
    Ok(())
}

async fn dispatch(mut cli: Cli) -> Result<u8, CliError> {
    gather_files(&mut cli)?;
    gather_contexts(&mut cli)?;
    crate::defect::here("command");
    if cli.command.is_some() && !cli.debug.is_empty() {
        return Err(
            "write --via, --image, --gateway-address, --no-probe, --plain, --view, --suppress and --ignore-file after the command"
                .into(),
        );
    }
    match cli.command {
        None => interface(&cli.input, &cli.debug).await,
        Some(Command::Debug(args)) => interface(&cli.input, &args).await,
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
        Some(Command::Config(args)) => config::run(&cli.input, &args),
        Some(Command::Version(args)) => version::run(&cli.input, &args).await,
        Some(Command::Options) => {
            output::print(&options::text())?;
            Ok(EXIT_OK)
        }
        Some(Command::Bundle(args)) => bundle::run(&cli.input, &args).await,
        Some(Command::Record(args)) => record::run(&cli.input, &args).await,
        Some(Command::Replay(args)) => replay::run(&cli.input, &args).await,
        Some(Command::Info(args)) => info::run(&args),
        Some(Command::Man { folder }) => man::run(&folder),
        Some(Command::Complete { words }) => {
            output::print(&complete::answer(&words).await)?;
            Ok(EXIT_OK)
        }
        Some(Command::Schema { name }) => {
            output::print(&match name {
                Some(name) => schema::text(&name)?,
                None => schema::names().map(|name| format!("{name}\n")).collect(),
            })?;
            Ok(EXIT_OK)
        }
        Some(Command::Completion { shell }) => {
            output::print(&completion::script(shell))?;
            Ok(EXIT_OK)
        }
    }
}

/// The terminal interface, or what it shows as text.
async fn interface(input: &InputArgs, args: &DebugArgs) -> Result<u8, CliError> {
    if args.plain {
        plain::run(input, args).await
    } else {
        tui::run(input, args).await
    }
}

/// The cluster that the arguments name.
///
/// # Errors
/// Where it cannot be reached, or the namespace of `-n` does not exist.
async fn connect_to(input: &InputArgs) -> Result<Cluster, ClusterError> {
    let cluster = ngf_cluster::connect(&cluster_options(input, None)).await?;
    cluster.check_namespace().await?;
    Ok(cluster)
}

/// The same, connected within `--timeout`.
async fn connect_within(input: &InputArgs, limit: Duration) -> Result<Cluster, ClusterError> {
    let cluster = ngf_cluster::connect(&cluster_options(input, Some(limit))).await?;
    cluster.check_namespace().await?;
    Ok(cluster)
}

fn cluster_options(input: &InputArgs, limit: Option<Duration>) -> ClusterOptions {
    ClusterOptions {
        limit,
        kubeconfig: input.kubeconfig.clone(),
        kubeconfig_text: input.kubeconfig_text.clone(),
        context: input.context.clone(),
        namespace: input.namespace.clone(),
        all_namespaces: input.all_namespaces,
        overrides: input.connection.overrides(),
    }
}
