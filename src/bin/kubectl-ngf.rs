//! `kubectl-ngf`: kubectl runs it as `kubectl ngf`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ngf_tui::cli::main()
}
