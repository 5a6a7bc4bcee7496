//! Log events and locations: how much is logged, where, and what never is.

use std::{fs, time::Instant};

use super::demo::Served;
use crate::support::{
    ngf_tui,
    pty::{PATIENCE, Pty},
};

/// The token of the embedded cluster.
fn token(served: &Served) -> String {
    let text = fs::read_to_string(served.kubeconfig()).expect("a kubeconfig");
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("token: "));
    line.expect("a token").trim_matches(['"', '\'']).to_owned()
}

#[test]
fn requests_are_logged_on_demand_without_credentials() {
    let served = Served::start("guide");
    let token = token(&served);
    assert!(token.len() > 10);
    let run = |args: &[&str], level: Option<&str>| {
        let mut command = ngf_tui();
        command
            .args(["check", "--no-logs", "--kubeconfig", served.kubeconfig()])
            .args(args);
        if let Some(level) = level {
            command.env("RUST_LOG", level);
        }
        let output = command.output().expect("ngf-tui runs");
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(!text.contains(&token), "{args:?} {level:?}");
        assert!(!text.contains("PRIVATE KEY"), "{args:?} {level:?}");
        text
    };
    assert_eq!(run(&[], None), "");
    let text = run(&["-v=6"], None);
    let version = text.lines().find(|line| line.contains("/version"));
    let version = version.unwrap_or_else(|| panic!("{text}"));
    assert!(
        version.contains("INFO ngf_cluster::request: answer method=GET"),
        "{version}"
    );
    assert!(version.contains("status=200 milliseconds="), "{version}");
    assert!(
        run(&["-v"], None).contains("ngf_cluster::request"),
        "-v alone is 6"
    );
    assert!(!run(&["-v=4"], None).contains("ngf_cluster::request: answer"));
    assert!(
        run(&["--v=10"], None).contains("kube"),
        "other crates log at 10"
    );
    assert!(run(&[], Some("trace")).contains("ngf_cluster::request"));
    assert!(run(&[], Some("ngf_cluster=info")).contains("ngf_cluster::request"));
    assert!(run(&[], Some("a=b=c")).contains("RUST_LOG=a=b=c is ignored"));
}

#[test]
fn the_interface_logs_to_its_file() {
    let served = Served::start("guide");
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = ngf_tui();
    command.env("XDG_STATE_HOME", folder.path()).args([
        "-v=6",
        "--kubeconfig",
        served.kubeconfig(),
    ]);
    let mut pty = Pty::run(&command, 100, 30);
    pty.wait_for("live");
    let path = folder.path().join("ngf-tui/ngf-tui.log");
    let began = Instant::now();
    let text = loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.contains("ngf_cluster::request") {
            break text;
        }
        assert!(began.elapsed() < PATIENCE, "{text}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert!(!text.contains(&token(&served)));
    pty.press("q");
    assert!(pty.end().success());
}

#[test]
fn info_prints_the_locations() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state/ngf-tui");
    fs::create_dir_all(&state).expect("a folder");
    fs::write(state.join("panic-1.txt"), "report").expect("a file");
    let run = |args: &[&str]| {
        let output = ngf_tui()
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .arg("info")
            .args(args)
            .output()
            .expect("ngf-tui runs");
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let text = run(&[]);
    for line in [
        format!(
            "Configuration  {}/config/ngf-tui/config.toml (does not exist)",
            folder.path().display()
        ),
        format!("State          {}", state.display()),
        format!("Panic report   {}/panic-1.txt", state.display()),
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
    let json: serde_json::Value = serde_json::from_str(&run(&["-o", "json"])).expect("JSON");
    assert_eq!(json["state"]["exists"], true);
    let output = ngf_tui()
        .env_remove("HOME")
        .arg("info")
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "a user without a home has no locations"
    );
}
