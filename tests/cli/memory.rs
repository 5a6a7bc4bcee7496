//! Private keys leave no trace in the memory of the program, and no core dump is written.
#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{
    sandbox_support::{Demo, run, until},
    support::{has_peer, memory::Needles, terminal::Terminal},
};

/// How long the last traces may take: a task that ends a moment after the screen shows its result.
const PATIENCE: Duration = Duration::from_mins(2);

/// Reading the memory of a process that is not dumpable takes root, as `make test` has it.
fn may_read_memory() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "reading the memory of another process takes root"
    );
    println!("skipped: reading the memory of another process takes root");
    false
}

/// The keys of a cluster, and something of it that is public and stays in memory.
struct Known {
    keys: Needles,
    public: Needles,
}

impl Known {
    fn of(demo: &Demo) -> Self {
        let (mut keys, mut public) = (Needles::default(), Needles::default());
        let text = run(&mut demo.kubectl("get secrets -A -o json")).fine();
        let list: Value = serde_json::from_str(&text).expect("JSON");
        let mut count = 0;
        for secret in list["items"].as_array().expect("items") {
            if let Some(key) = secret["data"]["tls.key"].as_str() {
                let name = secret["metadata"]["name"].as_str().expect("a name");
                keys.add_key(name, key);
                count += 1;
            }
        }
        assert!(count >= 2, "a key for each side: {count}");
        let uid = "get gateway gateway -o jsonpath={.metadata.uid}";
        let uid = run(&mut demo.kubectl(uid)).fine();
        public.add("uid", uid.as_bytes());
        Self { keys, public }
    }

    /// Asserts that no key is in the memory of a process whose other data the same search finds.
    fn assert_not_in(&self, pid: u32, what: &str) {
        assert!(
            !self.public.found_in(pid).is_empty(),
            "{what}: the search finds nothing, not even what is there"
        );
        let begun = Instant::now();
        loop {
            let found = self.keys.found_in(pid);
            if found.is_empty() {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{what}: left in memory: {found:#?}"
            );
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

fn pid(terminal: &Terminal, arguments: &str) -> u32 {
    terminal.pid_of(arguments).parse().expect("a process")
}

/// What this test holds itself is found in each form; without that the other tests would show nothing.
#[test]
fn the_search_finds_a_key_in_each_form() {
    let demo = Demo::start("--stage policy");
    let secret = "get secret backend-cert -o jsonpath={.data['tls\\.key']}";
    let encoded = run(&mut demo.kubectl(secret)).fine();
    let mut needles = Needles::default();
    needles.add_key("backend-cert", &encoded);
    let pem = STANDARD.decode(&encoded).expect("base64");
    let key = openssl::pkey::PKey::private_key_from_pem(&pem).expect("a key");
    let der = key.private_key_to_der().expect("DER");
    let found = needles.found_in(std::process::id());
    std::hint::black_box((&encoded, &pem, &key, &der));
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["DER", "PEM", "base64", "number"].map(|form| format!("backend-cert: {form}")),
        "{found:?}"
    );
}

#[test]
fn the_interface_holds_no_key_after_a_probe() {
    if !has_peer("tmux") || !has_peer("kubectl") || !may_read_memory() {
        return;
    }
    let demo = Demo::start("--stage policy");
    let known = Known::of(&demo);
    for via in ["direct", "exec"] {
        let terminal = Terminal::open(&format!("memory-{via}"), 100, 30);
        let arguments = format!("debug --via {via}");
        terminal.run(&format!(
            "{} --kubeconfig {} {arguments}",
            env!("CARGO_BIN_EXE_ngf-tui"),
            demo.kubeconfig().display()
        ));
        terminal.wait_for(&["live", "no problems found: 1 of 1 path"]);
        terminal.press(&["Enter"]);
        known.assert_not_in(pid(&terminal, &arguments), "Secrets read as facts");
        for _ in 0..2 {
            terminal.press(&["r"]);
            terminal.wait_for(&["probe says 200:"]);
        }
        terminal.press(&["P"]);
        terminal.wait_for(&["Problems › Matrix", "1 served"]);
        known.assert_not_in(pid(&terminal, &arguments), &format!("probes by {via}"));
        terminal.press(&["q"]);
    }
}

/// Between its rounds a probe that is repeated holds no key either.
#[test]
fn a_repeated_probe_holds_no_key_between_its_rounds() {
    if !has_peer("kubectl") || !may_read_memory() {
        return;
    }
    let demo = Demo::start("--stage policy");
    let known = Known::of(&demo);
    let mut child = demo
        .ngf_tui("probe httproute/secure-app --via exec --watch 2s")
        .stdout(Stdio::piped())
        .spawn()
        .expect("ngf-tui starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    while !line.contains("secure-app") {
        line.clear();
        assert!(lines.read_line(&mut line).expect("a line") > 0, "it ended");
    }
    known.assert_not_in(child.id(), "between rounds");
    child.kill().expect("it is there");
    child.wait().expect("it ends");
}

#[test]
fn the_interface_holds_no_key_of_a_file() {
    if !has_peer("tmux") || !has_peer("kubectl") || !may_read_memory() {
        return;
    }
    let demo = Demo::start("--stage policy");
    let known = Known::of(&demo);
    let folder = tempfile::tempdir().expect("a folder");
    let get = |what: &str| run(&mut demo.kubectl(what)).fine();
    let objects = "gateways,httproutes,services,pods,endpointslices,backendtlspolicies,secrets";
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file is written");
    };
    write("objects.yaml", &get(&format!("get {objects} -o yaml")));
    write("secrets.json", &get("get secrets -o json"));
    // As text, in an object of another kind, and where the file is broken further down.
    let key = get("get secret backend-cert -o jsonpath={.data['tls\\.key']}");
    let key = String::from_utf8(STANDARD.decode(key).expect("base64")).expect("PEM is text");
    let text = serde_json::to_string(&key).expect("JSON");
    for (name, kind, end) in [
        ("text.yaml", "Secret", ""),
        ("other.yaml", "SealedSecret", ""),
        ("broken.yaml", "Secret", "\n  }"),
    ] {
        write(
            name,
            &format!(
                "apiVersion: v1\nkind: {kind}\nmetadata: {{name: {kind}, namespace: default}}\n\
                 stringData:\n  tls.key: {text}{end}\n"
            ),
        );
    }
    let terminal = Terminal::open("memory-files", 100, 30);
    let folder = folder.path().display().to_string();
    terminal.run(&format!("{} -f {folder}", env!("CARGO_BIN_EXE_ngf-tui")));
    terminal.wait_for(&["secure-app"]);
    known.assert_not_in(pid(&terminal, &folder), "files");
    terminal.press(&["q"]);
}

/// Ends a program by SIGABRT whose limit on core files was lifted before it started; returns whether it
/// left one, and the limit that it had.
fn aborted(program: &str) -> (bool, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -c unlimited; exec {program} 60")])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .spawn()
        .expect("sh starts");
    let proc = format!("/proc/{}", child.id());
    until("the program sleeps", || {
        let status = std::fs::read_to_string(format!("{proc}/status")).unwrap_or_default();
        let name = Path::new(program.split(' ').next().expect("a program"));
        let name = name.file_name().and_then(|name| name.to_str());
        status.lines().next() == name.map(|name| format!("Name:\t{name}")).as_deref()
            && status.contains("State:\tS")
    });
    let limits = std::fs::read_to_string(format!("{proc}/limits")).expect("its limits");
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))
        .and_then(|line| line.split_whitespace().next())
        .expect("a limit");
    let signalled = Command::new("kill")
        .args(["-ABRT", &child.id().to_string()])
        .status();
    assert!(signalled.is_ok_and(|status| status.success()));
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(6), "{program}");
    (status.core_dumped(), limit.to_owned())
}

/// A crash or SIGQUIT writes no core file, also where the shell's limit allows one.
#[test]
fn core_dumps_are_disabled() {
    let (dumped, limit) = aborted("sleep");
    assert_eq!(limit, "unlimited", "the shell lifted it");
    if !dumped {
        println!("this machine writes no core files at all");
    }
    let (dumped, limit) = aborted(&format!("{} sleep", env!("CARGO_BIN_EXE_ngf-tui")));
    assert_eq!(limit, "0");
    assert!(!dumped);
}
