//! `options`: what kubectl calls its global options, in one list.

use clap::{Command, CommandFactory};
use ngf_core::command::program;

use super::args::Cli;

/// The options that every command takes, as their help shows them.
pub(super) fn text() -> String {
    let all = Cli::command();
    let globals = all.get_arguments().filter(|arg| arg.is_global_set());
    let mut command = Command::new("options")
        .disable_help_flag(true)
        .max_term_width(100)
        .help_template("{all-args}")
        .args(globals.map(|arg| arg.clone().hide(arg.get_id() == "tick")));
    let options = command.render_help();
    format!(
        "The options of every command of {}:\n\n{options}\n",
        program()
    )
}
