//! The terminal interface on a cluster that changes all the time: its memory stays flat, keys are answered, and
//! once nothing changes any more it rests.
//!
//! `NGF_TUI_SOAK_MINUTES`, `NGF_TUI_SOAK_ROUTES` and `NGF_TUI_SOAK_CHANGES` (a second) choose how long and how much.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::{
    TITLE,
    churning_api::ChurningApi,
    number,
    support::{ngf_tui, pty::Pty},
};

/// How much memory may grow after the first quarter of the time.
const GROWTH: f64 = 1.3;
/// Between two keys.
const PAUSE: Duration = Duration::from_millis(500);

/// A number of kB from the status of a process.
fn memory(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let words = line.and_then(|line| line.split_whitespace().nth(1));
    words.and_then(|word| word.parse().ok()).expect("a number")
}

/// Hundredths of a second that a process has had a processor for.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after_name = stat.rsplit(')').next().expect("fields");
    let fields: Vec<i64> = after_name
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // State is no number: utime and stime are the 10th and 11th of the numbers that follow it.
    u64::try_from(fields[10] + fields[11]).expect("time used")
}

#[test]
fn memory_stays_flat_and_keys_are_answered_while_endpoints_come_and_go() {
    let minutes = number("NGF_TUI_SOAK_MINUTES", 2);
    let routes = number("NGF_TUI_SOAK_ROUTES", 500) as usize;
    let changes = number("NGF_TUI_SOAK_CHANGES", 50).max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let api = runtime.block_on(ChurningApi::start(routes));
    let folder = tempfile::tempdir().expect("a folder");
    let kubeconfig = folder.path().join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: soak\n\
         contexts:\n- {{name: soak, context: {{cluster: c, user: u}}}}\n\
         clusters:\n- {{name: c, cluster: {{server: 'http://{}'}}}}\nusers:\n- {{name: u, user: {{}}}}\n",
        api.address
    );
    fs::write(&kubeconfig, text).expect("a kubeconfig");
    let mut command = ngf_tui();
    command.arg("--kubeconfig").arg(&kubeconfig);
    command.current_dir(folder.path());
    let mut pty = Pty::run(&command, 120, 40);
    pty.wait_for("live");
    let pid = pty.pid();
    let all = Duration::from_secs(minutes * 60);
    let begun = Instant::now();
    let (mut warm, mut latencies) = (None, Vec::new());
    let churning = {
        let pause = Duration::from_secs(1) / u32::try_from(changes).expect("a few");
        runtime.spawn(async move {
            tokio::select! {
                () = api.churn(pause) => {}
                () = tokio::time::sleep(all) => {}
            }
            // It still answers.
            std::future::pending::<()>().await;
            drop(api);
        })
    };
    while begun.elapsed() < all {
        // Both answers are awaited on the screen. Two keys that are taken in together make one frame, and one that opens
        // what the one before has closed changes nothing on it.
        pty.press("?");
        latencies.push(pty.wait_until_screen("the keys", |screen| screen.contains(TITLE)));
        pty.press("\x1b");
        latencies.push(pty.wait_until_screen("the list below", |screen| !screen.contains(TITLE)));
        std::thread::sleep(PAUSE);
        assert!(pty.ended().is_none(), "it ended: {}", pty.errors());
        if warm.is_none() && begun.elapsed() > all / 4 {
            warm = Some((memory(pid), ticks(pid), Instant::now()));
        }
    }
    let (warm, used, since) = warm.expect("a quarter of the time is over");
    let end = memory(pid);
    let churning_share = (ticks(pid) - used) as f64 / since.elapsed().as_secs_f64();
    latencies.sort();
    let at = |share: usize| latencies[(latencies.len() * share / 100).min(latencies.len() - 1)];
    println!(
        "{minutes} min, {routes} routes, {changes} changes/s: {:.0} MB after a quarter, {:.0} MB at the end, ratio {:.2}; \
         {} keys, median {:?}, p99 {:?}",
        warm / 1e3,
        end / 1e3,
        end / warm,
        latencies.len(),
        at(50),
        at(99)
    );
    assert!(end / warm < GROWTH, "memory grows: {warm} kB to {end} kB");
    // What was still to be drawn is drawn.
    std::thread::sleep(Duration::from_secs(15));
    let before = ticks(pid);
    let rest = Duration::from_mins(1);
    std::thread::sleep(rest);
    let share = (ticks(pid) - before) as f64 / rest.as_secs_f64();
    println!("{churning_share:.1} % of a core under churn, {share:.2} % at rest");
    // Under churn a busy machine leaves it little to use.
    assert!(
        share < 5.0 || share < churning_share,
        "it does not rest: {share} % of a core, under churn {churning_share} %"
    );
    pty.press("q");
    assert_eq!(pty.end().code(), Some(0), "{}", pty.errors());
    churning.abort();
}
