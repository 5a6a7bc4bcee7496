//! Ctrl-Z, and shells that do not know of it.

use std::time::{Duration, Instant};

use crate::support::{
    has_peer,
    pty::{PATIENCE, signal_to},
    terminal::Terminal,
};

use super::{LEAVE_ALTERNATE_SCREEN, demo};

/// In a shell with job control: what `stty` says while the program is stopped, and keys after `fg`.
#[test]
fn a_stopped_program_gives_the_terminal_to_the_shell_and_takes_it_again() {
    if !has_peer("tmux") {
        return;
    }
    for how in ["ctrl-z", "TSTP", "STOP"] {
        let terminal = Terminal::open(&format!("stop-{how}"), 100, 30);
        terminal.run(&format!("{} demo", env!("CARGO_BIN_EXE_ngf-tui")));
        terminal.wait_for(&["live", "Problems"]);
        let pid = terminal.pid_of("demo").parse().expect("a process id");
        for _ in 0..2 {
            match how {
                "ctrl-z" => terminal.press(&["C-z"]),
                signal => signal_to(pid, signal),
            }
            wait_for_state(pid, 'T');
            wait_for_the_shell(pid);
            if how != "STOP" {
                // Nobody hears of SIGSTOP; the others leave a screen that the shell can be used on.
                let screen = terminal.wait_for(&["Stopped"]);
                assert!(!screen.contains("Problems"), "{how}: {screen}");
                terminal.run("stty -a | tr ' ;' '\\n' | grep -cx -e icanon -e echo; echo mo''des");
                terminal.wait_for(&["2\nmodes"]);
            }
            if how == "STOP" {
                // The terminal is raw, and enter is no end of a line for a shell without an editor.
                terminal.press(&["f", "g", "C-j"]);
            } else {
                terminal.run("clear; fg");
            }
            terminal.wait_for(&["live", "Problems", "quit"]);
            // Keys work without enter.
            terminal.press(&["?"]);
            terminal.wait_for(&["Keys", "Move"]);
            terminal.press(&["Escape"]);
        }
        terminal.press(&["q"]);
        // What is typed before the end is the program's.
        wait_for_the_end(pid);
        // The shell went on with its line when the program was stopped; this is what fg returned.
        terminal.run("echo fg ended with $?");
        let screen = terminal.wait_for(&["fg ended with 0"]);
        assert!(!screen.contains("Problems"), "{how}: {screen}");
    }
}

/// Waits until the shell has the terminal: what is typed before may be lost.
fn wait_for_the_shell(pid: u32) {
    let begun = Instant::now();
    let has_it = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        // state, parent, process group, session, terminal, the terminal's foreground group
        let fields: Vec<&str> = fields.split(' ').take(6).collect();
        fields.len() == 6 && fields[2] != fields[5]
    };
    while !has_it() {
        assert!(begun.elapsed() < PATIENCE, "{pid} keeps the terminal");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until the shell has taken notice of the end of its child.
fn wait_for_the_end(pid: u32) {
    let begun = Instant::now();
    while std::path::Path::new(&format!("/proc/{pid}")).exists() {
        assert!(begun.elapsed() < PATIENCE, "{pid} does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until all threads are in this state: one that reads keys and has not come to its stop yet would
/// take the shell's first key.
fn wait_for_state(pid: u32, state: char) {
    let begun = Instant::now();
    let is = || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
        threads.filter_map(Result::ok).all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ")
                .next()
                .is_some_and(|rest| rest.starts_with(state))
        })
    };
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "{pid} is never {state}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Where no shell could continue it, ctrl-z and SIGTSTP do not stop the program for good.
#[test]
fn without_a_shell_nothing_stops_the_program() {
    let mut pty = demo(&["--tick", "60s"]);
    let from = pty.count();
    pty.press("\x1a");
    pty.wait_for_after(from, "ctrl-z");
    pty.signal("TSTP");
    let from = pty.count();
    pty.press("?");
    pty.wait_for_after(from, "Keys");
    assert!(!pty.shows_after(0, LEAVE_ALTERNATE_SCREEN));
}
