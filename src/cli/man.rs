//! `man`: manual pages, from the definition of the command line.

use std::{fs, path::Path};

use clap::Command;

use super::{CliError, EXIT_OK, definition};
use ngf_core::command::Program;

/// Writes a page for the program and one for each command to a folder, which is made.
pub(super) fn run(folder: &Path) -> Result<u8, CliError> {
    fs::create_dir_all(folder)
        .map_err(|why| format!("{}: cannot be made: {why}", folder.display()))?;
    let mut all = definition(Program::Alone).disable_help_subcommand(true);
    all.build();
    write(folder, &all)?;
    for command in all
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        write(folder, command)?;
    }
    Ok(EXIT_OK)
}

fn write(folder: &Path, command: &Command) -> Result<(), CliError> {
    let name = command
        .get_display_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let page = clap_mangen::Man::new(command.clone())
        .manual("ngf-tui")
        .source(concat!("ngf-tui ", env!("CARGO_PKG_VERSION")));
    let path = folder.join(format!("{name}.1"));
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(&path, text)
        .map_err(|why| format!("{}: cannot be written: {why}", path.display()))?;
    Ok(())
}
