//! The terminal answers at once, may be closed, stopped or blocked at any moment, and is given back.

mod stopped;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use ngf_cluster::{self, Cluster, ClusterOptions, transport::find_leftovers};
use ngf_sandbox::{SCENARIOS, Sandbox, SandboxOptions, Stage};

use crate::support::{
    ngf_tui,
    pty::{PATIENCE, Pty},
};

const ENTER_ALTERNATE_SCREEN: &str = "\x1b[?1049h";
const LEAVE_ALTERNATE_SCREEN: &str = "\x1b[?1049l";

/// The embedded cluster in a terminal, with everything on the screen.
fn demo(arguments: &[&str]) -> Pty {
    let mut command = ngf_tui();
    command.arg("demo").args(arguments);
    let pty = Pty::run(&command, 100, 30);
    pty.wait_for("live");
    pty
}

/// A key is drawn because it was pressed, and not because the clock moved on: the tick is a minute away.
/// The median that is printed is the figure of a quiet machine (`cargo test --test cli a_key_reaches -- --nocapture`).
#[test]
fn a_key_reaches_the_screen_without_the_clock() {
    const KEYS: usize = 31;
    let mut pty = demo(&["--tick", "60s"]);
    // The tree has rows to move on.
    pty.press("T");
    pty.wait_until_quiet(Duration::from_secs(2));
    let mut latencies: Vec<Duration> = (0..KEYS)
        .map(|index| {
            let before = pty.count();
            pty.press(if index % 2 == 0 { "j" } else { "k" });
            let latency = pty.wait_for_more_than(before);
            // The next key comes at a random moment, once this one is drawn.
            pty.wait_until_quiet(Duration::from_millis(20 + 13 * (index as u64 % 7)));
            latency
        })
        .collect();
    latencies.sort();
    let median = latencies[KEYS / 2];
    println!(
        "key to screen: median {median:?}, {:?} to {:?} of {KEYS} keys",
        latencies[0],
        latencies[KEYS - 1]
    );
    assert!(median < Duration::from_secs(2), "{latencies:?}");
}

/// Escape and `:` within one read are what they are when they are pressed one after the other.
#[test]
fn escape_and_a_colon_within_one_read_open_the_palette() {
    let mut pty = demo(&["--tick", "60s"]);
    let from = pty.count();
    // As alt-colon it would open nothing, and the word would run as keys: p goes a stage back.
    pty.press("\x1b:yaml\r");
    pty.wait_for_after(from, "[YAML]");
}

/// Ends the program and expects that it leaves nothing on the terminal and on standard error.
fn ends_with(pty: &mut Pty, status: i32, what: &str) {
    let ended = pty.end();
    assert_eq!(
        ended.code(),
        Some(status),
        "{what}: {ended}: {}",
        pty.errors()
    );
    assert_eq!(pty.errors(), "", "{what}");
}

#[test]
fn a_signal_gives_the_terminal_back_and_is_the_exit_status() {
    for (signal, status) in [("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131)] {
        let mut pty = demo(&[]);
        assert!(!pty.is_cooked(), "{signal}");
        pty.signal(signal);
        ends_with(&mut pty, status, signal);
        assert!(pty.is_cooked(), "{signal}");
        pty.wait_for(LEAVE_ALTERNATE_SCREEN);
    }
}

#[test]
fn a_signal_before_the_screen_is_there_ends_the_program() {
    let mut command = ngf_tui();
    command.arg("demo");
    let mut pty = Pty::run(&command, 80, 24);
    // Its handler is there, or it is not: it ends by this signal either way.
    std::thread::sleep(Duration::from_millis(20));
    pty.signal("TERM");
    let ended = pty.end();
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&ended) == Some(15);
    assert!(by_signal || ended.code() == Some(143), "{ended}");
    assert_eq!(pty.errors(), "");
}

/// Closes the terminal, and expects that the program ends by itself: with the status of SIGHUP, without a
/// word, and without using the processor until then.
fn close_and_expect_the_end(pty: &mut Pty, what: &str) {
    let begun = Instant::now();
    let before = processor_time(pty.pid());
    pty.close();
    let ended = loop {
        let now = processor_time(pty.pid());
        if let Some(status) = pty.ended() {
            break status;
        }
        let spent = now.saturating_sub(before);
        // 2 s of the processor would be the whole time that it may take, spent on nothing.
        assert!(
            spent < Duration::from_secs(5),
            "{what}: it spins: {spent:?}"
        );
        assert!(begun.elapsed() < PATIENCE, "{what}: it does not end");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(ended.code(), Some(129), "{what}: {ended}: {}", pty.errors());
    assert_eq!(pty.errors(), "", "{what}");
    println!("{what}: ended after {:?}", begun.elapsed());
}

/// What a process has used of the processors so far.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // utime and stime, in ticks of 10 ms, counted from after the name, which may hold blanks.
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

#[test]
fn a_closed_terminal_ends_the_idle_program() {
    for round in 0..6 {
        let mut pty = demo(&[]);
        close_and_expect_the_end(&mut pty, &format!("idle, round {round}"));
    }
}

#[test]
fn a_closed_terminal_ends_the_program_while_an_overlay_is_open() {
    for (key, title) in [
        ("?", "Keys"),
        ("v", "proves"),
        ("T/", "regular"),
        (":", "first"),
    ] {
        let mut pty = demo(&[]);
        let from = pty.count();
        pty.press(key);
        pty.wait_for_after(from, title);
        close_and_expect_the_end(&mut pty, key);
    }
}

/// Two hundred handshakes are under way, and every one that ends is drawn.
#[test]
fn a_closed_terminal_ends_the_program_while_a_matrix_is_probed() {
    for round in 0..6 {
        let mut pty = demo(&["--scenario", "fleet"]);
        let from = pty.count();
        pty.press("P");
        pty.wait_for_after(from, "Matrix");
        std::thread::sleep(Duration::from_millis(150 * round));
        close_and_expect_the_end(&mut pty, &format!("matrix, round {round}"));
    }
}

#[test]
fn a_closed_terminal_ends_the_program_in_the_middle_of_keys() {
    for keys in [
        "\x1b",
        "\x1b[",
        "\x1b[200~never ends",
        "jjjjjjjjjj",
        "\u{e9}",
    ] {
        let mut pty = demo(&[]);
        pty.press(keys);
        close_and_expect_the_end(&mut pty, &format!("{keys:?}"));
    }
}

/// A cluster apart from the program, so that one can see what is left in it.
async fn cluster() -> (Sandbox, Cluster, tempfile::TempDir) {
    let sandbox = Sandbox::start(SandboxOptions::new(&SCENARIOS[0], Stage::Policy))
        .await
        .expect("an embedded cluster");
    let cluster = ngf_cluster::connect(&ClusterOptions {
        kubeconfig_text: Some(sandbox.kubeconfig()),
        all_namespaces: true,
        ..ClusterOptions::default()
    })
    .await
    .expect("a client");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("kubeconfig"), sandbox.kubeconfig()).expect("a file");
    (sandbox, cluster, folder)
}

async fn wait_for_pods(cluster: &Cluster, count: usize, when: &str) {
    let begun = Instant::now();
    loop {
        let found = find_leftovers(cluster, None).await.expect("pods");
        if found.len() == count {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{when}: {count} debug pods, not {found:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A matrix that is watched through a debug pod keeps that pod for as long as it runs.
async fn watching_through_a_pod(cluster: &Cluster, folder: &tempfile::TempDir) -> Pty {
    let mut command = ngf_tui();
    command
        .arg("--kubeconfig")
        .arg(folder.path().join("kubeconfig"));
    command.args(["debug", "--via", "pod"]);
    let mut pty = Pty::run(&command, 100, 30);
    pty.wait_for("live");
    pty.wait_for("untested");
    pty.wait_until_quiet(Duration::from_millis(300));
    let from = pty.count();
    pty.press("P");
    pty.wait_for_after(from, "This writes");
    pty.press("y");
    pty.wait_for_after(from, "served");
    wait_for_pods(cluster, 0, "after one round").await;
    let from = pty.count();
    pty.press("w");
    pty.wait_for_after(from, "This writes");
    pty.press("y");
    pty.wait_for_after(from, "watching");
    wait_for_pods(cluster, 1, "while it is watched").await;
    pty
}

#[tokio::test(flavor = "multi_thread")]
async fn a_debug_pod_goes_with_the_terminal() {
    let (sandbox, cluster, folder) = cluster().await;
    let mut pty = watching_through_a_pod(&cluster, &folder).await;
    close_and_expect_the_end(&mut pty, "with a debug pod");
    wait_for_pods(&cluster, 0, "after the terminal was closed").await;

    // A shell that is closed with its window sends SIGHUP again: that is nobody's impatience.
    let mut pty = watching_through_a_pod(&cluster, &folder).await;
    pty.signal("HUP");
    pty.signal("HUP");
    ends_with(&mut pty, 129, "HUP twice");
    wait_for_pods(&cluster, 0, "after two SIGHUP").await;
    sandbox.shutdown().await;
}

/// Nothing reads what is drawn (a stopped tmux pane, a hung ssh): signals work all the same, and
/// temporary resources in the cluster are removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_terminal_does_not_hold_up_the_end() {
    let (sandbox, cluster, folder) = cluster().await;
    for (signals, status) in [
        (&["TERM"][..], 143),
        (&["INT"], 130),
        (&["TERM", "TERM"], 143),
    ] {
        let mut pty = watching_through_a_pod(&cluster, &folder).await;
        pty.block();
        draw_until_a_write_blocks(&mut pty);
        for signal in signals {
            pty.signal(signal);
            tokio::time::sleep(Duration::from_millis(200)).await;
            if pty.ended().is_some() {
                break;
            }
        }
        let ended = pty.end();
        assert_eq!(ended.code(), Some(status), "{signals:?}: {ended}");
        assert!(pty.is_cooked(), "{signals:?}");
        if signals.len() == 1 {
            wait_for_pods(&cluster, 0, "after one signal").await;
        }
    }
    sandbox.shutdown().await;
}

/// Whole screens, until the terminal's buffer is full and the thread that writes to it sleeps in the system
/// call `write`. How many screens that takes depends on how many key presses the program draws at once.
fn draw_until_a_write_blocks(pty: &mut Pty) {
    let pid = pty.pid();
    // Of x86-64 and of 64-bit ARM.
    let write = ["1", "64"];
    let begun = Instant::now();
    let is_blocked = || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
        threads.filter_map(Result::ok).any(|thread| {
            let read = |name| std::fs::read_to_string(thread.path().join(name)).unwrap_or_default();
            let call = read("syscall");
            read("comm").trim() == "terminal output"
                && call
                    .split(' ')
                    .next()
                    .is_some_and(|number| write.contains(&number))
        })
    };
    // The help opens and closes: two keys that are taken in together may leave nothing to draw.
    for key in ["?", "\x1b"].into_iter().cycle() {
        if is_blocked() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE * 3, "no write blocks");
        pty.press(key);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ctrl-c closes what lies over the panes, as escape does; without it, it ends the program.
#[test]
fn ctrl_c_closes_an_overlay_before_it_ends_the_program() {
    let mut pty = demo(&["--tick", "60s"]);
    for (key, title) in [
        ("?", "Keys"),
        ("v", "proves"),
        ("T/", "regular"),
        (":", "first"),
    ] {
        let from = pty.count();
        pty.press(key);
        pty.wait_for_after(from, title);
        let from = pty.count();
        pty.press("\x03");
        pty.wait_for_more_than(from);
    }
    pty.press("\x03");
    ends_with(&mut pty, 0, "ctrl-c");
    assert!(pty.is_cooked());
}

/// Reading ten thousand objects takes seconds: the screen is there before, and can be left.
#[test]
fn the_screen_is_there_while_files_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    // A FIFO that nobody writes to takes for ever to read.
    let fifo = folder.path().join("1.yaml");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo runs").success());
    let mut command = ngf_tui();
    command.arg("-f").arg(&fifo);
    let mut pty = Pty::run(&command, 100, 30);
    pty.wait_for("Reading");
    let from = pty.count();
    pty.press("?");
    pty.wait_for_after(from, "Keys");
    pty.press("\x1bq");
    ends_with(&mut pty, 0, "q while a file is read");
}

/// A terminal that moves no cursor, as in the shell of Emacs, gets a sentence and no escape sequence.
#[test]
fn a_terminal_that_moves_no_cursor_is_told_of_plain_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = ngf_tui();
    command.arg("-f").arg(folder.path()).env("TERM", "dumb");
    let mut pty = Pty::run(&command, 100, 30);
    assert_eq!(pty.end().code(), Some(2), "{}", pty.errors());
    assert!(
        pty.errors().ends_with("--plain prints text\n"),
        "{}",
        pty.errors()
    );
    assert!(!pty.shows_after(0, ENTER_ALTERNATE_SCREEN));
}

#[test]
fn the_header_counts_the_files_of_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..101 {
        let service = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}}}\nspec: {{ports: [{{port: 80}}]}}\n"
        );
        std::fs::write(folder.path().join(format!("{number}.yaml")), service).expect("a file");
    }
    let mut command = ngf_tui();
    command.arg("-f").arg(folder.path());
    let mut pty = Pty::run(&command, 100, 30);
    pty.wait_for("101 files");
    pty.press("q");
    ends_with(&mut pty, 0, "q");
    assert!(pty.shows_after(0, ENTER_ALTERNATE_SCREEN));
}
