//! Tests that end early, because something that they need is not on this machine.

#![allow(dead_code, unreachable_pub)] // each suite uses a part of it

use std::{env, fs::OpenOptions, io::Write as _};

/// Says that this test is skipped because a program is missing. With CI set it is a failure.
pub fn skipped(why: &str) {
    assert!(
        env::var_os("CI").is_none(),
        "CI is set, and {why}: run make peers"
    );
    count(&format!("{why}; make peers installs what can be installed"));
}

/// Says that this test is skipped, and counts it for `tests/run`.
pub fn count(why: &str) {
    println!("skipped: {why}");
    let Some(list) = env::var_os("NGF_TUI_SKIPPED") else {
        return;
    };
    // A test runs in a thread of its name; one that misses two things is one test.
    let thread = std::thread::current();
    let executable = env::current_exe().unwrap_or_default();
    let line = format!(
        "{} {}\n",
        executable.display(),
        thread.name().unwrap_or_default()
    );
    let mut list = OpenOptions::new()
        .append(true)
        .open(list)
        .expect("the list of tests/run");
    list.write_all(line.as_bytes()).expect("a line in it");
}
