//! Help has an example for every command, and each example runs; manual pages and completion come from the same definition.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use crate::{
    sandbox_support::Demo,
    support::{has_peer, ngf_tui},
};

fn help(args: &[&str]) -> String {
    let output = ngf_tui()
        .args(args)
        .arg("--help")
        .output()
        .expect("ngf-tui runs");
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The commands that help lists, but for clap's own `help`.
fn commands() -> Vec<String> {
    let text = help(&[]);
    let (_, list) = text.split_once("Commands:\n").expect("commands");
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect()
}

/// The lines of the examples at the end of a help text.
fn examples(text: &str) -> Vec<String> {
    let Some((_, list)) = text.split_once("Examples:\n") else {
        return Vec::new();
    };
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    let lines = lines.map(str::trim).filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Runs a line as a person types it.
fn run(line: &str, demo: &Demo, folder: &Path) -> Output {
    let programs = Path::new(env!("CARGO_BIN_EXE_ngf-tui"))
        .parent()
        .expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new("timeout")
        .args(["300", "sh", "-c", line])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("KUBECONFIG", demo.kubeconfig())
        .env("HOME", folder)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("sh runs")
}

#[test]
fn every_help_has_an_example_and_every_example_runs() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--scenario wrong-ca");
    let before = Demo::start("--stage before");
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener
        .local_addr()
        .expect("an address")
        .port()
        .to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"hello\n");
        }
    });
    let objects = "get gateways,httproutes,backendtlspolicies -o yaml";
    let manifests = demo.kubectl(objects).output().expect("kubectl runs");
    fs::write(folder.path().join("manifests.yaml"), manifests.stdout).expect("written");
    let commands = commands();
    assert!(commands.len() > 12, "{commands:?}");
    let mut ran = 0;
    for command in std::iter::once("").chain(commands.iter().map(String::as_str)) {
        let text = match command {
            "" => help(&[]),
            name => help(&[name]),
        };
        let lines = examples(&text);
        assert!(!lines.is_empty(), "{command}: no example in {text}");
        for line in lines {
            let line = line.replace("8443", if command == "relay" { &port } else { "8443" });
            // A recording takes as long as it is told, and writes over no other.
            let line = match command {
                "record" => {
                    let until_then = line.replace(" --for 10m", "") + " --for 3s";
                    if folder.path().join("incident.jsonl").exists() {
                        until_then.replace("incident", "another")
                    } else {
                        until_then
                    }
                }
                // However slow the machine is.
                "logs" | "chain" | "version" if !line.contains(['|', '>']) => {
                    format!("{line} --timeout 2m")
                }
                _ => line,
            };
            // The interface needs a terminal, and without one the demo walks through the guide.
            let is_interface = ["", "debug", "replay"].contains(&command)
                && !["check", "probe"].iter().any(|name| line.contains(name));
            let on = if command == "init" { &before } else { &demo };
            let output = run(&line, on, folder.path());
            let error = String::from_utf8_lossy(&output.stderr);
            ran += 1;
            if is_interface {
                assert!(error.contains("terminal"), "{line}: {error}");
                continue;
            }
            let status = output.status.code();
            assert!(
                status.is_some_and(|status| status <= 1),
                "{line}: {status:?}: {error}"
            );
            assert!(!error.contains("panicked"), "{line}: {error}");
        }
    }
    assert!(ran > 30, "{ran} examples");
}

#[test]
fn manual_pages_come_from_the_definition() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man");
    let output = ngf_tui().arg("man").arg(&pages).output().expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for command in commands() {
        let path = pages.join(format!("ngf-tui-{command}.1"));
        let text =
            fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert!(
            text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"),
            "{command}: {text}"
        );
    }
    let text = fs::read_to_string(pages.join("ngf-tui.1")).expect("a page");
    assert!(text.contains("ngf\\-tui\\-check(1)"), "{text}");
    if has_peer("man") {
        let output = Command::new("man")
            .args(["--warnings", "-l"])
            .arg(pages.join("ngf-tui-check.1"))
            .env("MANPAGER", "cat")
            // man forbids itself what faketime needs, where the suite runs at another date.
            .env_remove("LD_PRELOAD")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("man runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("--fail-on"), "{text}");
    }
}

#[test]
fn five_shells_get_a_completion_script() {
    for (shell, begins) in [
        ("bash", "_ngf__tui()"),
        ("zsh", "#compdef ngf-tui"),
        ("fish", "complete -c ngf-tui"),
        ("elvish", "edit:completion:arg-completer[ngf-tui]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let output = ngf_tui()
            .args(["completion", shell])
            .output()
            .expect("it runs");
        let script = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(script.contains(begins), "{shell}: {script}");
        assert!(script.contains("fail-on"), "{shell}");
        if ["bash", "zsh", "fish"].contains(&shell) && has_peer(shell) {
            let file = tempfile::NamedTempFile::new().expect("a file");
            fs::write(file.path(), &script).expect("written");
            let status = Command::new(shell).arg("-n").arg(file.path()).status();
            assert!(
                status.expect("the shell runs").success(),
                "{shell} reads the script"
            );
        }
    }
}

/// `kubectl __complete ngf …`, as the completion of kubectl asks.
fn completed(demo: &Demo, words: &[&str]) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_ngf-tui"))
        .parent()
        .expect("a folder");
    let shim = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/completion");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("kubectl")
        .args(["__complete", "ngf"])
        .args(words)
        .env(
            "PATH",
            format!("{}:{}:{path}", programs.display(), shim.display()),
        )
        .env("KUBECONFIG", demo.kubeconfig())
        .output()
        .expect("kubectl runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn kubectl_completes_commands_live_names_contexts_and_codes() {
    if !has_peer("kubectl") {
        return;
    }
    let demo = Demo::start("--scenario wrong-ca");
    for (words, candidate, directive) in [
        (&["che"][..], "check", ":4"),
        (&["check", "httproute/"], "httproute/secure-app", ":4"),
        (&["check", "httproute", "sec"], "secure-app", ":4"),
        (&["probe", "svc/"], "svc/secure-app", ":4"),
        (&["check", "gatew"], "gateway/", ":6"),
        (&["logs", "gateway/"], "gateway/gateway", ":4"),
        (
            &["check", "-n", "default", "btlspolicy/"],
            "btlspolicy/backend-tls",
            ":4",
        ),
        (&["--context", ""], "ngf-demo", ":4"),
        (&["check", "--context=ngf"], "--context=ngf-demo", ":4"),
        (&["check", "-n", "def"], "default", ":4"),
        (&["explain", "NGF-T1"], "NGF-T1", ":4"),
        (&["fix", "t1"], "NGF-T1", ":4"),
        (&["check", "--only", "M4"], "NGF-M4", ":4"),
        (&["check", "-o", "js"], "json", ":4"),
    ] {
        let text = completed(&demo, words);
        let found = text
            .lines()
            .any(|line| line.split('\t').next() == Some(candidate));
        assert!(found, "{words:?}: {text}");
        assert!(
            text.lines().any(|line| line == directive),
            "{words:?}: {text}"
        );
    }
    // Secrets are never listed, and a file is completed by the shell.
    assert!(!completed(&demo, &["chain", "--inspect", "secret/"]).contains("backend-cert"));
    assert!(
        completed(&demo, &["check", "-f", ""])
            .lines()
            .any(|line| line == ":0")
    );
    // A cluster that is not there has no names, and says nothing on the screen.
    let text = completed(
        &demo,
        &["check", "--server", "http://127.0.0.1:1", "httproute/"],
    );
    assert!(!text.contains("secure-app"), "{text}");
}
