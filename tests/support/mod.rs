//! What integration tests share.

#![allow(dead_code)] // each test file uses a part of it

pub(crate) mod hostile;
pub(crate) mod hostile_api;
#[cfg(feature = "lab-tests")]
pub(crate) mod lab;
pub(crate) mod memory;
pub(crate) mod pki;
#[cfg(feature = "lab-tests")]
pub(crate) mod proxy;
pub(crate) mod pty;
pub(crate) mod scenario;
pub(crate) mod skipped;
pub(crate) mod terminal;
pub(crate) mod wire;

/// Whether a program that tests compare with is installed. With CI set a missing one is a failure.
pub(crate) fn has_peer(program: &str) -> bool {
    let found = std::process::Command::new("sh")
        .args([
            "-c",
            &format!("PATH=$PATH:/usr/sbin:/sbin command -v {program} >/dev/null"),
        ])
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        skipped::skipped(&format!("{program} is not installed"));
    }
    found
}

/// The program under test, without the environment of whoever runs the tests.
pub(crate) fn ngf_tui() -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ngf-tui"));
    command
        .env_remove("KUBECONFIG")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("NGF_TUI_CONFIG")
        .env("HOME", "/nonexistent");
    command
}
