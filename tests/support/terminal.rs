//! A real terminal: tmux, with a size, keys and what is on its screen.

use std::{
    process::Command,
    time::{Duration, Instant},
};

/// How long the screen may take to show what is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// A tmux server of its own with one window; ends with the value.
pub(crate) struct Terminal {
    socket: String,
}

impl Terminal {
    /// Opens a shell of this size, in which `command` is on the screen's first line.
    pub(crate) fn open(name: &str, columns: u16, lines: u16) -> Self {
        let socket = format!("ngf-tui-test-{}-{name}", std::process::id());
        let terminal = Self { socket };
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns.to_string(),
            "-y",
            &lines.to_string(),
            "env PS1='$ ' LC_ALL=C.UTF-8 sh",
        ]);
        terminal.tmux(&["set", "-g", "status", "off"]);
        terminal.tmux(&[
            "resize-window",
            "-x",
            &columns.to_string(),
            "-y",
            &lines.to_string(),
        ]);
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(args)
            .output()
            .expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types text and enter.
    pub(crate) fn run(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    /// Presses keys, in tmux's names.
    pub(crate) fn press(&self, keys: &[&str]) {
        for key in keys {
            self.tmux(&["send-keys", key]);
            // One key at a time, as a person does: escape alone is told from a sequence by time.
            std::thread::sleep(Duration::from_millis(60));
        }
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen contains all of these texts, and returns it.
    pub(crate) fn wait_for(&self, texts: &[&str]) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if texts.iter().all(|text| screen.contains(text)) {
                return screen;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "the screen never showed {texts:?}; it shows:\n{screen}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Presses a key, and again every ten seconds, until the screen contains all of these texts. What it
    /// starts may be about objects that have changed by the time that it ends.
    pub(crate) fn press_until(&self, key: &str, texts: &[&str]) -> String {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            self.press(&[key]);
            let pressed = Instant::now();
            while pressed.elapsed() < Duration::from_secs(10) {
                let screen = self.screen();
                if texts.iter().all(|text| screen.contains(text)) {
                    return screen;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        self.wait_for(texts)
    }

    /// Waits until the screen shows something else.
    pub(crate) fn wait_until_changed(&self, before: &str) {
        let begun = Instant::now();
        while self.screen() == before {
            assert!(
                begun.elapsed() < PATIENCE,
                "the screen stays as it was:\n{before}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the screen no longer contains this text, and returns it.
    pub(crate) fn wait_until_gone(&self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if !screen.contains(text) {
                return screen;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "the screen still shows {text:?}:\n{screen}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the screen stays the same for a moment, and returns it.
    pub(crate) fn settled(&self) -> String {
        let begun = Instant::now();
        let mut before = self.screen();
        let mut since = Instant::now();
        while begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
            let now = self.screen();
            if now != before {
                (before, since) = (now, Instant::now());
            } else if since.elapsed() > Duration::from_millis(400) {
                break;
            }
        }
        before
    }

    /// The process id of the program that runs in the window.
    pub(crate) fn pid_of(&self, program: &str) -> String {
        let shell = self.tmux(&["display", "-p", "#{pane_pid}"]);
        let output = Command::new("pgrep")
            .args(["-P", shell.trim(), "-f", program])
            .output()
            .expect("pgrep runs");
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}
