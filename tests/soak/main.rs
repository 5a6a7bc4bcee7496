//! Two minutes of random keys, resizes, clicks and pastes in a pseudo-terminal: nothing panics, the program still
//! answers, and the terminal is given back. Then a cluster that changes all the time ([`churn`]). `make test-slow` runs
//! both.
//!
//! `NGF_TUI_SOAK=SECONDS` and `NGF_TUI_SOAK_SEED=NUMBER` choose how long and what; the seed is printed.

mod churn;
mod churning_api;
#[path = "../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use support::{
    ngf_tui,
    pty::{PATIENCE, Pty},
};

/// How long, unless somebody says otherwise.
const SECONDS: u64 = 120;
/// Actions between two questions whether the program still answers.
const BETWEEN: usize = 60;

/// The title of the list of keys, which `?` opens.
const TITLE: &str = " Keys ";

const LEAVE_ALTERNATE_SCREEN: &str = "\x1b[?1049l";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// Keys that do not end the program: those are pressed at the end.
const KEYS: &[&str] = &[
    "j",
    "k",
    "h",
    "l",
    "g",
    "G",
    "n",
    "N",
    "d",
    "y",
    "c",
    "x",
    "f",
    "r",
    "p",
    "P",
    "v",
    "w",
    "z",
    ".",
    "t",
    "=",
    "s",
    "S",
    "E",
    "C",
    "T",
    "M",
    "[",
    "]",
    "<",
    ">",
    "-",
    "{",
    "}",
    "/",
    "?",
    " ",
    "\r",
    "\r",
    "\r",
    "\t",
    "\x1b[Z",
    "\x1b",
    "\x1b",
    "\x1b[A",
    "\x1b[B",
    "\x1b[B",
    "\x1b[C",
    "\x1b[D",
    "\x1b[5~",
    "\x1b[6~",
    "\x1b[H",
    "\x1b[F",
    "\x04",
    "\x15",
    "\x18",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "e",
    "é",
    "漢",
    "%",
    "\x1b]11;rgb:0000/0000/0000\x07",
    "\x1b[?1;2c",
    ":routes\r",
    ":gw\r",
    ":cert\r",
    ":ep\r",
    ":events\r",
    ":changes\r",
    ":nginx\r",
    ":ns\r",
    ":ctx\r",
    ":probes\r",
    ":logs\r",
    ":conditions\r",
    ":xyz\r",
    "/back\r",
    "/!a b\r",
    ":ns default\r",
    ":ns all\r",
];

/// Sizes, most of them usual.
const SIZES: &[(u16, u16)] = &[
    (80, 24),
    (120, 40),
    (160, 45),
    (200, 60),
    (60, 15),
    (40, 8),
    (10, 3),
    (1, 1),
    (300, 90),
];

/// Knuth's MMIX generator: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end.max(1)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// One thing that a person, or a cat, does.
fn act(pty: &mut Pty, random: &mut Random) -> String {
    match random.below(20) {
        0 => {
            let (columns, lines) = random.of(SIZES);
            pty.resize(columns, lines);
            format!("resize {columns}x{lines}")
        }
        1 | 2 => {
            let button = random.of(&[0, 64, 65, 2, 32]);
            let (column, row) = (1 + random.below(120), 1 + random.below(45));
            let end = random.of(&["M", "M", "M", "m"]);
            let bytes = format!("\x1b[<{button};{column};{row}{end}");
            pty.press(&bytes);
            format!("{bytes:?}")
        }
        3 => {
            let length = random.below(200);
            let pasted: String = (0..length)
                .map(|_| random.of(&['a', 'q', ':', '\n', '\x1b', '[', 'é', '\t', '\u{202e}', '%']))
                .filter(|c| *c != '\x1b')
                .collect();
            pty.press(&format!("\x1b[200~{pasted}\x1b[201~"));
            format!("paste {length}")
        }
        _ => {
            let key = random.of(KEYS);
            pty.press(key);
            format!("{key:?}")
        }
    }
}

/// A number of the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn nothing_that_is_pressed_breaks_the_program_or_the_terminal() {
    let seconds = number("NGF_TUI_SOAK", SECONDS);
    let seed = number("NGF_TUI_SOAK_SEED", 1);
    println!("seed {seed}, {seconds} s");
    let mut random = Random(seed);
    // What is exported goes here, and with it.
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = ngf_tui();
    command
        .args(["demo", "--scenario", "wrong-ca", "--tick", "1s"])
        .current_dir(folder.path());
    let begun = Instant::now();
    let (mut actions, mut runs, mut slowest) = (0, 0, Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(seconds) {
        runs += 1;
        let mut pty = Pty::run(&command, 100, 30);
        pty.wait_for("live");
        let mut last: Vec<String> = Vec::new();
        let mut is_ended = false;
        while begun.elapsed() < Duration::from_secs(seconds) && !is_ended {
            for _ in 0..BETWEEN {
                if let Some(status) = pty.ended() {
                    // Somebody may have chosen quit from the palette; nothing else ends it.
                    assert_eq!(status.code(), Some(0), "after {last:?}:\n{}", pty.errors());
                    is_ended = true;
                    break;
                }
                last.push(act(&mut pty, &mut random));
                if last.len() > BETWEEN {
                    last.remove(0);
                }
                actions += 1;
                // A fast typist; the program may draw meanwhile or not.
                std::thread::sleep(Duration::from_millis(5 + random.below(20) as u64));
            }
            if !is_ended {
                slowest = slowest.max(answers(&mut pty, &last));
            }
        }
        if !is_ended {
            end(&mut pty, &last);
        }
        let status = pty.end();
        assert_eq!(status.code(), Some(0), "after {last:?}:\n{}", pty.errors());
        assert_eq!(pty.errors(), "", "after {last:?}");
        pty.wait_for(LEAVE_ALTERNATE_SCREEN);
        pty.wait_for(MOUSE_OFF);
        assert!(
            pty.is_cooked(),
            "the terminal edits lines again, after {last:?}"
        );
    }
    println!("{actions} actions in {runs} runs; the slowest answer took {slowest:?}");
    assert!(actions > 0);
}

/// Out of whatever lies on the screen, on a screen of a usual size.
fn escape(pty: &mut Pty) {
    pty.resize(100, 30);
    for _ in 0..6 {
        pty.press("\x1b");
        std::thread::sleep(Duration::from_millis(60));
    }
}

/// Waits until the help screen is there and gone again: the program reads keys, and draws.
fn answers(pty: &mut Pty, last: &[String]) -> Duration {
    escape(pty);
    let shown = |screen: &str| screen.contains(TITLE);
    pty.wait_until_screen(&format!("no keys, after {last:?}"), |screen| !shown(screen));
    pty.press("?");
    let took = pty.wait_until_screen(&format!("the keys, after {last:?}"), shown);
    pty.press("\x1b");
    took
}

/// Quits, with whatever runs.
fn end(pty: &mut Pty, last: &[String]) {
    escape(pty);
    pty.press("q");
    let begun = Instant::now();
    while pty.ended().is_none() {
        assert!(
            begun.elapsed() < PATIENCE,
            "q does not end it after {last:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
