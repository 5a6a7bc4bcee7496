//! The command line.

pub mod args;
pub mod connect;
use std::process::ExitCode;

/// x
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
