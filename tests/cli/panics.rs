//! A panic gives the terminal back, says where its report is, and neither the report nor the screen holds a credential.

use std::{fs, path::Path};

use crate::support::{ngf_tui, pty::Pty};

/// The only report in a state folder.
fn report(state: &Path) -> (String, String) {
    let entries = fs::read_dir(state).expect("a state folder").flatten();
    let mut reports =
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("panic-"));
    let found = reports.next().expect("a report");
    assert!(reports.next().is_none(), "one report");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = found.metadata().expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }
    let text = fs::read_to_string(found.path()).expect("a report");
    (found.path().display().to_string(), text)
}

/// What a report, and what is printed, must hold and must not hold.
fn is_clean(text: &str) {
    assert!(text.contains("a defect at"), "{text}");
    assert!(text.contains("Bearer (redacted)"), "{text}");
    assert!(text.contains("after the key"), "{text}");
    for secret in ["abc.def", "SECRETLINE", "PRIVATE KEY", "\u{1b}"] {
        assert!(!text.contains(secret), "{secret:?}: {text}");
    }
}

#[test]
fn a_panic_of_the_interface_gives_the_terminal_back_and_leaves_a_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = ngf_tui();
    command
        .args(["demo", "--no-probe"])
        .env("XDG_STATE_HOME", folder.path())
        .env("NGF_TUI_DEFECT", "key");
    let mut pty = Pty::run(&command, 100, 30);
    pty.wait_for("\x1b[?1049h");
    pty.wait_for("live");
    assert!(!pty.is_cooked(), "the interface has the terminal");
    pty.press("j");
    let status = pty.end();
    assert!(!status.success(), "{status}");
    assert!(pty.is_cooked(), "the terminal edits lines again");
    pty.wait_for("\x1b[?1049l");
    pty.wait_for("\x1b[?25h");
    let errors = pty.errors();
    is_clean(&errors);
    let (path, text) = report(&folder.path().join("ngf-tui"));
    is_clean(&text);
    assert!(
        text.contains("panicked at src/defect.rs:"),
        "the place: {text}"
    );
    let end = format!(
        "This is a defect of ngf-tui. A report without credentials is in {path}: please send it with what you did."
    );
    assert!(errors.contains(&end), "{errors}");

    let info = ngf_tui()
        .arg("info")
        .env("XDG_STATE_HOME", folder.path())
        .output()
        .expect("it runs");
    let info = String::from_utf8_lossy(&info.stdout).into_owned();
    assert!(info.contains(&path), "{info}");
}

#[test]
fn a_panic_of_a_command_leaves_a_report_even_where_it_cannot_be_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |state: &Path| {
        let output = ngf_tui()
            .args(["explain", "NGF-T1"])
            .env("XDG_STATE_HOME", state)
            .env("NGF_TUI_DEFECT", "command")
            .output()
            .expect("it runs");
        assert!(!output.status.success());
        assert!(output.stdout.is_empty());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let errors = run(folder.path());
    is_clean(&errors);
    let (path, text) = report(&folder.path().join("ngf-tui"));
    is_clean(&text);
    assert!(errors.contains(&path), "{errors}");
    // A file where the folder should be.
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let errors = run(&file);
    is_clean(&errors);
    assert!(
        errors.contains(
            "This is a defect of ngf-tui. Please send the lines above with what you did."
        ),
        "{errors}"
    );
}
