//! `kubectl-ngf`: kubectl runs it as `kubectl ngf`. It becomes `ngf-tui`, which looks at the name under
//! which it was started: a second copy of the program would double what is built and installed.

use std::{
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    let program = beside().unwrap_or_else(|| PathBuf::from("ngf-tui"));
    let error = Command::new(&program)
        .arg0("kubectl-ngf")
        .args(std::env::args_os().skip(1))
        .exec();
    eprintln!(
        "error: cannot start {}: {error}\nInstall ngf-tui in the folder of kubectl-ngf, or in PATH.",
        program.display()
    );
    ExitCode::from(2)
}

/// `ngf-tui` in the folder of this program, links followed.
fn beside() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?.canonicalize().ok()?;
    let program = own.with_file_name("ngf-tui");
    program.is_file().then_some(program)
}
