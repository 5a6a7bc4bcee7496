//! What the terminal interface made in a cluster is gone again, however it ends.

use std::time::{Duration, Instant};

use crate::support::{has_peer, terminal::Terminal};
use ngf_cluster::{self, Cluster, ClusterOptions, transport::find_leftovers};
use ngf_sandbox::{SCENARIOS, Sandbox, SandboxOptions, Stage};

/// How long it may take until something is there, or gone.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until so many debug pods are there.
async fn wait_for(cluster: &Cluster, count: usize, when: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let found = find_leftovers(cluster, None).await.expect("pods");
        if found.len() == count {
            return;
        }
        assert!(
            Instant::now() < until,
            "{when}: {count} debug pods were to be there, not {found:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A matrix that is watched by a debug pod keeps that pod for as long as it runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_debug_pod_is_removed_however_the_interface_ends() {
    if !has_peer("tmux") {
        return;
    }
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
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, sandbox.kubeconfig()).expect("a file");
    for end in ["key q", "key ctrl-c", "key ctrl-x", "TERM", "HUP"] {
        let terminal = Terminal::open(&format!("made-{}", end.replace(' ', "-")), 100, 30);
        terminal.run(&format!(
            "{} --kubeconfig {} debug --via pod; echo ended with $?",
            env!("CARGO_BIN_EXE_ngf-tui"),
            kubeconfig.display()
        ));
        terminal.wait_for(&["live", "1 path untested"]);
        terminal.press(&["P"]);
        terminal.wait_for(&["This writes to the cluster"]);
        wait_for(&cluster, 0, "before the answer").await;
        terminal.press(&["y"]);
        // Its round ends; watched, it continues.
        terminal.wait_for(&["Matrix", "1 served"]);
        wait_for(&cluster, 0, "after one round").await;
        terminal.press(&["w"]);
        terminal.wait_for(&["This writes to the cluster", "deleted after 3600 s"]);
        terminal.press(&["y"]);
        terminal.wait_for(&["watching"]);
        wait_for(&cluster, 1, "while it is watched").await;
        match end {
            "key q" => {
                terminal.press(&["q"]);
                terminal.wait_for(&["Quit?"]);
                terminal.press(&["y"]);
            }
            "key ctrl-c" => {
                terminal.press(&["C-c"]);
                terminal.wait_for(&["Quit?"]);
                terminal.press(&["C-c"]);
            }
            "key ctrl-x" => terminal.press(&["C-x"]),
            signal => {
                let pid = terminal.pid_of("debug");
                std::process::Command::new("kill")
                    .args([&format!("-{signal}"), &pid])
                    .status()
                    .expect("kill runs");
            }
        }
        wait_for(&cluster, 0, end).await;
        if end == "key ctrl-x" {
            // The pod is gone a moment before the interface knows it.
            terminal.wait_until_gone("watching");
            terminal.press(&["q"]);
        }
        let status = match end {
            "TERM" => 143,
            "HUP" => 129,
            _ => 0,
        };
        terminal.wait_for(&[&format!("ended with {status}")]);
    }
    sandbox.shutdown().await;
}

/// From the problem to its repair: a real fault of a real handshake is gone.
#[test]
fn a_fault_is_found_explained_and_repaired() {
    if !has_peer("tmux") {
        return;
    }
    let terminal = Terminal::open("repair", 100, 30);
    terminal.run(&format!(
        "NO_COLOR=1 {} demo --scenario no-client-certificate; echo ended with $?",
        env!("CARGO_BIN_EXE_ngf-tui")
    ));
    terminal.wait_for(&["live", "NGF-G8"]);
    terminal.wait_until_gone("testing ");
    terminal.press(&["x"]);
    terminal.wait_for(&["How to fix it"]);
    terminal.press(&["Escape"]);
    // Escape and the next key, read together, are that key with Alt.
    terminal.wait_until_gone("How to fix it");
    // Which CAs the backend accepts is known after a second handshake.
    terminal.wait_for(&["f  Name Secret"]);
    terminal.press(&["f"]);
    terminal.wait_for(&["+++ Gateway default/gateway", "Apply it?"]);
    terminal.press(&["y"]);
    terminal.wait_for(&["changed Gateway default/gateway"]);
    terminal.press(&["Escape"]);
    terminal.wait_until_gone("changed Gateway default/gateway");
    // What the data plane was using before the change is known still; the fault itself is gone.
    terminal.wait_until_gone("NGF-G8");
    terminal.press(&["Enter", "r"]);
    terminal.wait_for(&["probe says 200:"]);
    terminal.press(&["q"]);
    terminal.wait_for(&["ended with 0"]);
}
