//! A pseudo-terminal that can be closed, and that can stop to take what is written to it. (tmux, in
//! [`super::terminal`], can do neither.)

use std::{
    fs::File,
    io::Write,
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex},
    thread::{JoinHandle, sleep},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};

/// How long something may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// What the reading thread knows and is told.
#[derive(Default)]
struct PtyState {
    bytes: Vec<u8>,
    /// Nothing is read: the terminal takes nothing more once its buffer is full.
    stopped: bool,
    closed: bool,
}

/// A terminal with a program in it, which leads its session.
pub(crate) struct Pty {
    keys: Option<File>,
    /// The program's side: it tells the modes of the terminal.
    side: OwnedFd,
    seen: Arc<Mutex<PtyState>>,
    reader: Option<JoinHandle<()>>,
    child: Child,
    errors: tempfile::NamedTempFile,
    /// What the terminal shows after this many of the bytes.
    screen: Mutex<(vt100::Parser, usize)>,
}

impl Pty {
    /// Runs a program in a terminal of this size; what it writes to standard error is kept apart.
    pub(crate) fn run(command: &Command, columns: u16, lines: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .expect("a pseudo-terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let name = ptsname(&master, Vec::new()).expect("a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let side = open(name, flags, Mode::empty()).expect("the program's side");
        let window = Winsize {
            ws_col: columns,
            ws_row: lines,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, window).expect("a size");
        let errors = tempfile::NamedTempFile::new().expect("a file");
        let dup = || side.try_clone().expect("another descriptor");
        // setsid runs the program in its own place: the process id stays.
        let mut in_session = Command::new("setsid");
        in_session
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .stdin(dup())
            .stdout(dup())
            .stderr(errors.reopen().expect("the file again"));
        if let Some(folder) = command.get_current_dir() {
            in_session.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => in_session.env(name, value),
                None => in_session.env_remove(name),
            };
        }
        let child = in_session.spawn().expect("setsid runs");
        drop(in_session);
        let seen = Arc::new(Mutex::new(PtyState::default()));
        let reader = std::thread::spawn({
            let seen = Arc::clone(&seen);
            let master = master.try_clone().expect("another descriptor");
            move || read(&master, &seen)
        });
        Self {
            keys: Some(master.into()),
            side,
            seen,
            reader: Some(reader),
            child,
            errors,
            screen: Mutex::new((vt100::Parser::new(lines, columns, 0), 0)),
        }
    }

    fn seen<T>(&self, look: impl FnOnce(&mut PtyState) -> T) -> T {
        look(&mut self.seen.lock().expect("the reader does not panic"))
    }

    /// Presses keys: bytes as a terminal sends them.
    pub(crate) fn press(&mut self, keys: &str) {
        let terminal = self.keys.as_mut().expect("the terminal is open");
        terminal.write_all(keys.as_bytes()).expect("keys");
    }

    /// The window has another size; the program is told by the system.
    pub(crate) fn resize(&self, columns: u16, lines: u16) {
        let mut screen = self.screen.lock().expect("no panic");
        screen.0.screen_mut().set_size(lines, columns);
        drop(screen);
        let window = Winsize {
            ws_col: columns,
            ws_row: lines,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let terminal = self.keys.as_ref().expect("the terminal is open");
        tcsetwinsize(terminal, window).expect("a size");
    }

    /// How many bytes were written to the terminal so far.
    pub(crate) fn count(&self) -> usize {
        self.seen(|seen| seen.bytes.len())
    }

    /// Waits until more than this was written to the terminal; how long it took.
    pub(crate) fn wait_for_more_than(&self, count: usize) -> Duration {
        let begun = Instant::now();
        while self.count() <= count {
            assert!(begun.elapsed() < PATIENCE * 3, "nothing was drawn");
            sleep(Duration::from_micros(200));
        }
        begun.elapsed()
    }

    /// Waits until nothing has been written for a moment.
    pub(crate) fn wait_until_quiet(&self, moment: Duration) {
        let begun = Instant::now();
        let (mut count, mut since) = (self.count(), Instant::now());
        while since.elapsed() < moment && begun.elapsed() < PATIENCE {
            sleep(Duration::from_millis(10));
            if self.count() != count {
                (count, since) = (self.count(), Instant::now());
            }
        }
    }

    /// Waits until this was written after the first `from` bytes, in one piece.
    pub(crate) fn wait_for_after(&self, from: usize, text: &str) {
        let begun = Instant::now();
        let is_there = |seen: &mut PtyState| {
            let bytes = seen.bytes.get(from..).unwrap_or_default();
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        };
        while !self.seen(is_there) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{text:?} was never written, but\n{}\nand as errors\n{}",
                self.seen(|seen| String::from_utf8_lossy(&seen.bytes).into_owned()),
                self.errors()
            );
            sleep(Duration::from_millis(5));
        }
    }

    /// Waits until this was written in one piece, or is on the screen: a frame writes only the cells that differ.
    pub(crate) fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.shows_after(0, text) && !self.screen().contains(text) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{text:?} was never shown, but\n{}\nand as errors\n{}",
                self.screen(),
                self.errors()
            );
            sleep(Duration::from_millis(5));
        }
    }

    /// Whether this was written, in one piece.
    pub(crate) fn shows_after(&self, from: usize, text: &str) -> bool {
        self.seen(|seen| {
            String::from_utf8_lossy(seen.bytes.get(from..).unwrap_or_default()).contains(text)
        })
    }

    /// What the terminal shows now. A frame writes only the cells that differ: what was written says less.
    pub(crate) fn screen(&self) -> String {
        let mut screen = self.screen.lock().expect("no panic");
        let (terminal, from) = &mut *screen;
        let more = self.seen(|seen| seen.bytes.get(*from..).unwrap_or_default().to_vec());
        *from += more.len();
        terminal.process(&more);
        terminal.screen().contents()
    }

    /// Waits until something holds of what the terminal shows; how long it took.
    pub(crate) fn wait_until_screen(&self, what: &str, holds: impl Fn(&str) -> bool) -> Duration {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return begun.elapsed();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "waited {PATIENCE:?} for: {what}; it shows\n{screen}\nand as errors\n{}",
                self.errors()
            );
            sleep(Duration::from_millis(1));
        }
    }

    /// Nothing is taken from the program any more.
    pub(crate) fn block(&self) {
        self.seen(|seen| seen.stopped = true);
    }

    /// The terminal goes: its window is closed, or the connection is lost.
    pub(crate) fn close(&mut self) {
        self.keys = None;
        self.seen(|seen| seen.closed = true);
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader ends");
        }
    }

    /// Whether the terminal edits lines, as it does under a shell.
    pub(crate) fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.side).expect("the terminal's modes");
        modes
            .local_modes
            .contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// The program's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the program: `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        signal_to(self.pid(), signal);
    }

    /// How the program ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child")
    }

    /// Waits until the program ends.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            if begun.elapsed() > PATIENCE {
                let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()));
                let _ = self.child.kill();
                panic!("it does not end: {stat:?}");
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// What was written to standard error.
    pub(crate) fn errors(&self) -> String {
        std::fs::read_to_string(self.errors.path()).expect("the file")
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.keys = None;
        if let Ok(mut seen) = self.seen.lock() {
            seen.closed = true;
        }
    }
}

fn read(master: &OwnedFd, seen: &Mutex<PtyState>) {
    let soon = Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    let mut bytes = [0; 16384];
    loop {
        let (stopped, closed) = {
            let seen = seen.lock().expect("nobody panics");
            (seen.stopped, seen.closed)
        };
        if closed {
            return;
        }
        let mut ready = [PollFd::new(master, PollFlags::IN)];
        if stopped {
            sleep(Duration::from_millis(5));
            continue;
        }
        if poll(&mut ready, Some(&soon)).is_ok_and(|count| count == 0) {
            continue;
        }
        match rustix::io::read(master, &mut bytes) {
            Ok(count) => {
                let mut seen = seen.lock().expect("nobody panics");
                seen.bytes.extend_from_slice(&bytes[..count]);
            }
            // The program has ended: nobody holds the other side but the test.
            Err(_) => sleep(Duration::from_millis(5)),
        }
    }
}

/// Sends a signal to a process.
pub(crate) fn signal_to(pid: u32, signal: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status()
        .expect("kill runs");
    assert!(sent.success(), "kill -{signal} {pid}");
}
