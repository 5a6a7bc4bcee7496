//! `ngf-tui`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ngf_tui::cli::main()
}
