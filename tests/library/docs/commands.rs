//! Every command in README and docs runs, against the demo's embedded cluster or files, and prints what the page shows.
//!
//! A page's blocks are ```` ```console ```` (commands after `$ `, then what they print) or ```` ```sh ```` (commands). All
//! of a page run in one shell, in an empty folder. Comments before a block direct them:
//! - `<!-- demo: --stage policy -->`: from here on the cluster is this demo's;
//! - `<!-- exit: 1 -->`: the exit status of the block's commands, where it is not 0;
//! - `<!-- not run: REASON -->`: the block cannot run here.
//!
//! What a command prints is compared line by line: `...` stands for any lines, `[..]` for any text within one.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::Mutex,
};

use super::{
    by_hand::{self, Step},
    links,
    markdown::{Block, parse},
};
use crate::{
    sandbox_support::{Demo, run},
    support::has_peer,
};

/// The local port of the pages' port-forward; the tests put a free one in its place.
const PORT: &str = "18443";
/// The embedded cluster does not serve `kubectl port-forward`, which needs SPDY: these tests forward by themselves.
const PORT_FORWARD: &str = r#"kubectl() {
  if [ "$1" = port-forward ]; then echo "Forwarding from 127.0.0.1:${3%:*} -> ${3#*:}"; else command kubectl "$@"; fi
}"#;

/// Passes the bytes of each connection on to secure-app, as long as the test runs.
fn forward(listener: TcpListener, demo: &Demo) {
    let addresses = "get endpointslices -l kubernetes.io/service-name=secure-app \
                     -o jsonpath={.items[0].endpoints[0].addresses[0]}";
    let address = run(&mut demo.kubectl(addresses)).fine();
    let backend = format!("{}:8443", address.trim());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(backend) = TcpStream::connect(&backend) else {
                continue;
            };
            for (mut from, mut to) in [
                (client.try_clone(), backend.try_clone()),
                (Ok(backend), Ok(client)),
            ]
            .into_iter()
            .filter_map(|(from, to)| Some((from.ok()?, to.ok()?)))
            {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
}

/// One page at a time: each starts clusters of its own.
static TURN: Mutex<()> = Mutex::new(());

/// A command of a page.
struct Run {
    line: usize,
    command: String,
    expected: Option<Vec<String>>,
    exit: i32,
    /// The demo that is started before it.
    demo: Option<String>,
}

/// The commands of a block.
fn steps(block: &Block) -> Vec<Run> {
    let exit = block
        .directive("exit")
        .map_or(0, |exit| exit.parse().expect("an exit status"));
    let mut found: Vec<Run> = Vec::new();
    let mut lines = block.lines.iter().enumerate();
    while let Some((index, line)) = lines.next() {
        let line_number = block.line + 1 + index;
        let begun = match block.language.as_str() {
            "console" => line.strip_prefix("$ "),
            _ => (!line.trim().is_empty() && !line.starts_with('#')).then_some(line.as_str()),
        };
        match begun {
            Some(begun) => {
                let mut command = begun.to_owned();
                while command.ends_with('\\') {
                    let (_, next) = lines.next().expect("a line after the backslash");
                    let _ = write!(command, "\n{}", next.trim_start_matches("> "));
                }
                found.push(Run {
                    line: line_number,
                    command,
                    expected: None,
                    exit,
                    demo: None,
                });
            }
            None => {
                if let Some(step) = found.last_mut()
                    && block.language == "console"
                {
                    step.expected.get_or_insert_default().push(line.clone());
                }
            }
        }
    }
    if let (Some(demo), Some(first)) = (block.directive("demo"), found.first_mut()) {
        first.demo = Some(demo.to_owned());
    }
    found
}

/// What a page's commands printed, and how each ended.
fn run_steps(steps: &[Run], setup: &str) -> Vec<(i32, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener
        .local_addr()
        .expect("its address")
        .port()
        .to_string();
    let programs = Path::new(env!("CARGO_BIN_EXE_ngf-tui"))
        .parent()
        .expect("a folder");
    let mut demos = Vec::new();
    let mut script = format!("exec 2>&1\nset -o pipefail\n{PORT_FORWARD}\n{setup}\n");
    for step in steps {
        if let Some(arguments) = &step.demo {
            let demo = Demo::start(arguments);
            let _ = writeln!(script, "export KUBECONFIG={}", demo.kubeconfig().display());
            demos.push(demo);
        }
        // A subshell per command would lose variables; eval keeps syntax errors to one command.
        let quoted = step.command.replace('\'', "'\\''");
        let _ = writeln!(
            script,
            "eval '{quoted}' </dev/null\nprintf '\\n\\036%d\\n' $?"
        );
    }
    script.push_str("kill $(jobs -p) 2>/dev/null\nexit 0\n");
    if steps
        .iter()
        .any(|step| step.command.contains("kubectl port-forward"))
    {
        forward(listener, demos.last().expect("a demo"));
    }
    let script = script.replace(PORT, &port);
    fs::write(folder.path().join(".script"), &script).expect("written");
    let out = folder.path().join(".out");
    let mut shell = Command::new("timeout");
    shell
        .args(["-k", "5", "900", "bash", ".script"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out).expect("a file"))
        .env_remove("KUBECONFIG")
        .env("HOME", folder.path())
        .env("COLUMNS", "120")
        .env("NO_COLOR", "1")
        .env(
            "PATH",
            format!(
                "{}:{}",
                programs.display(),
                std::env::var("PATH").unwrap_or_default()
            ),
        );
    let status = shell.status().expect("bash runs");
    let text = String::from_utf8_lossy(&fs::read(&out).expect("its output")).into_owned();
    assert!(status.success(), "{status}: {text}");
    let mut results = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('\u{1e}') {
        let (exit, next) = after.split_once('\n').expect("an exit status");
        let printed = before.strip_suffix('\n').unwrap_or(before);
        results.push((
            exit.parse().expect("a number"),
            printed.replace(&port, PORT),
        ));
        rest = next;
    }
    results
}

/// Whether a line is as the page has it, where `[..]` stands for any text.
fn fits(pattern: &str, line: &str) -> bool {
    let pattern = pattern.trim_end();
    let line = line.trim_end();
    let parts: Vec<&str> = pattern.split("[..]").collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return pattern == line;
    };
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// Whether lines are as the page has them, where `...` stands for any lines.
fn all_fit(expected: &[String], lines: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.iter().all(|line| line.trim().is_empty()),
        Some((any, rest)) if any.trim() == "..." => {
            (0..=lines.len()).any(|skipped| all_fit(rest, &lines[skipped..]))
        }
        Some((pattern, rest)) => lines
            .split_first()
            .is_some_and(|(line, others)| fits(pattern, line) && all_fit(rest, others)),
    }
}

/// Runs a page; what differs.
fn differences(name: &str, text: &str) -> Vec<String> {
    let (blocks, _) = parse(text);
    let runnable = blocks.iter().filter(|block| {
        ["console", "sh"].contains(&block.language.as_str()) && block.directive("not run").is_none()
    });
    let steps: Vec<Run> = runnable.flat_map(steps).collect();
    if steps.is_empty() {
        return Vec::new();
    }
    let results = run_steps(&steps, "");
    let mut wrong = Vec::new();
    for (step, (exit, printed)) in steps.iter().zip(&results) {
        if *exit != step.exit {
            wrong.push(format!(
                "{name}:{}: exit {exit}, not {}: $ {}\n{printed}",
                step.line, step.exit, step.command
            ));
            continue;
        }
        if let Some(expected) = &step.expected {
            let lines: Vec<&str> = printed.lines().collect();
            if !all_fit(expected, &lines) {
                wrong.push(format!(
                    "{name}:{}: $ {}\n--- the page\n{}\n--- printed\n{printed}",
                    step.line,
                    step.command,
                    expected.join("\n")
                ));
            }
        }
    }
    if results.len() != steps.len() {
        wrong.push(format!(
            "{name}: {} of {} commands ran",
            results.len(),
            steps.len()
        ));
    }
    wrong
}

fn peers() -> bool {
    ["kubectl", "openssl", "curl"]
        .iter()
        .all(|peer| has_peer(peer))
}

/// Runs the pages whose name begins so.
fn run_pages(wanted: impl Fn(&str) -> bool) {
    if !peers() {
        return;
    }
    let _turn = TURN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut wrong = Vec::new();
    let mut ran = 0;
    for page in links::pages() {
        let name = page
            .strip_prefix(env!("CARGO_MANIFEST_DIR"))
            .expect("of this repository")
            .display()
            .to_string();
        if name.starts_with("docs/codes") || !wanted(&name) {
            continue;
        }
        ran += 1;
        wrong.extend(differences(
            &name,
            &fs::read_to_string(&page).expect("a page"),
        ));
    }
    assert!(ran > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_commands_of_the_readme_run() {
    run_pages(|name| !name.starts_with("docs/"));
}

#[test]
fn the_commands_of_the_first_half_of_the_book_run() {
    run_pages(|name| name.starts_with("docs/") && name < "docs/g");
}

#[test]
fn the_commands_of_the_second_half_of_the_book_run() {
    run_pages(|name| name.starts_with("docs/") && name >= "docs/g");
}

/// Beginnings of commands that only a real cluster answers: the embedded one serves what ngf-tui and kubectl's get,
/// describe, logs, exec and apply need, and starts no program but those that ngf-tui runs.
const NOT_SERVED: &[&str] = &[
    "kubectl auth can-i ",
    "kubectl exec deployment/gateway-nginx -c nginx -- nc -z ",
    "kubectl exec deployment/secure-app -- nginx -v",
];

/// Each distinct command of the pages about codes, after the steps of docs/by-hand.md that they build on.
#[test]
fn the_commands_of_the_pages_about_codes_run() {
    if !peers() {
        return;
    }
    let _turn = TURN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let text = super::read("docs/by-hand.md");
    let (blocks, _) = parse(&text);
    let setup = blocks
        .iter()
        .find(|block| block.directive("setup").is_some())
        .expect("docs/by-hand.md marks its first steps with <!-- setup -->");
    let mut all = steps(setup);
    all[0].demo = Some("--stage policy".to_owned());
    let commands: BTreeSet<String> = by_hand::read()
        .into_values()
        .flat_map(|by_hand| by_hand.steps)
        .filter_map(|step| match step {
            Step::Command(command) => Some(command),
            Step::Note(_) => None,
        })
        .collect();
    assert!(commands.len() > 80, "{} commands", commands.len());
    for beginning in NOT_SERVED {
        let is_there = commands
            .iter()
            .any(|command| command.starts_with(beginning));
        assert!(is_there, "no page has {beginning:?}");
    }
    let served = commands.into_iter().filter(|command| {
        let mut others = NOT_SERVED.iter();
        !others.any(|beginning| command.starts_with(beginning))
    });
    all.extend(served.map(|command| Run {
        line: 0,
        command,
        expected: None,
        exit: 0,
        demo: None,
    }));
    let results = run_steps(&all, "");
    assert_eq!(results.len(), all.len());
    let mut wrong = String::new();
    for (step, (exit, printed)) in all.iter().zip(&results) {
        if *exit != 0 {
            let _ = writeln!(wrong, "exit {exit}: $ {}\n{printed}", step.command);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A block in another form would not run; a block that does not run has to say why.
#[test]
fn every_block_of_code_is_run_or_tells_why_not() {
    const DATA: &[&str] = &[
        "yaml", "json", "text", "rust", "toml", "groovy", "xml", "markdown",
    ];
    for page in links::pages() {
        let name = page.display().to_string();
        // It draws, and has no commands.
        if page.ends_with("ARCHITECTURE.md") {
            continue;
        }
        let text = fs::read_to_string(&page).expect("a page");
        let (blocks, prose) = parse(&text);
        for block in &blocks {
            let place = format!("{name}:{}", block.line);
            match block.language.as_str() {
                "console" | "sh" => {
                    if let Some(why) = block.directive("not run") {
                        assert!(why.split(' ').count() >= 2, "{place}: why is it not run?");
                    }
                    if block.language == "console" {
                        assert!(block.lines[0].starts_with("$ "), "{place}: no command");
                    }
                }
                language => {
                    assert!(DATA.contains(&language), "{place}: {language:?} is not run");
                    let begins =
                        |program: &str| block.lines.iter().any(|line| line.starts_with(program));
                    assert!(
                        language != "text"
                            || !(begins("$ ") || begins("ngf-tui ") || begins("kubectl ")),
                        "{place}: write a command as console"
                    );
                }
            }
        }
        // An indented block after a blank line is code that nothing runs.
        let mut before_is_blank = true;
        for line in prose.lines() {
            let is_code = line.starts_with("    ")
                && before_is_blank
                && !line.trim().starts_with(['-', '*', '1']);
            assert!(!is_code, "{name}: an indented block: {line}");
            before_is_blank = line.trim().is_empty();
        }
    }
}

#[test]
fn output_is_compared_with_wildcards_for_lines_and_text() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let fit =
        |page: &str, printed: &str| all_fit(&lines(page), &printed.lines().collect::<Vec<_>>());
    for (page, printed, fits) in [
        ("a\nb", "a\nb", true),
        ("a\nb", "a", false),
        ("a", "a\nb", false),
        ("a\n...", "a\nb\nc", true),
        ("...\nc", "a\nb\nc", true),
        ("...\nb\n...", "a\nc", false),
        ("port [..] open", "port 8443 open", true),
        ("port [..] open", "port 8443 closed", false),
        ("[..] of [..]", "1 of 2", true),
        ("[..]ab[..]", "ab", true),
    ] {
        assert_eq!(fit(page, printed), fits, "{page:?} {printed:?}");
    }
}
