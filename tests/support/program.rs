//! The programs that tests run: the one under test, and those that it is compared with.

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
        super::skipped::skipped(&format!("{program} is not installed"));
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
