//! `completion`: scripts for five shells, from the definition of the command line.

use clap::CommandFactory;
use clap_complete::Shell;
use ngf_core::diagnosis::Code;

use super::args::Cli;

/// The script for a shell.
pub(super) fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ngf-tui", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Fish {
        script += &fish_codes();
    }
    script
}

/// What clap's script for fish lacks: it completes no arguments without a name.
fn fish_codes() -> String {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    format!(
        "complete -c ngf-tui -n \"__fish_ngf_tui_using_subcommand explain\" -f -a \"{}\"\n",
        codes.join(" ")
    )
}
