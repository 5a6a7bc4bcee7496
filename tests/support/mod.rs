//! What integration tests share: peers that must be there, and a real terminal.

#![allow(dead_code)] // each test file uses a part

pub mod terminal;

/// Whether a program that tests compare with is installed. With CI set a missing one is a failure.
pub fn has_peer(program: &str) -> bool {
    let found = std::process::Command::new("sh")
        .args([
            "-c",
            &format!("PATH=$PATH:/usr/sbin:/sbin command -v {program} >/dev/null"),
        ])
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        assert!(
            std::env::var_os("CI").is_none(),
            "{program} is not installed: run make peers"
        );
        println!("skipped: {program} is not installed; make peers installs it");
    }
    found
}

/// The program under test.
pub fn ngf_tui() -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ngf-tui"));
    command.env_remove("KUBECONFIG").env("NO_COLOR", "1");
    command
}
