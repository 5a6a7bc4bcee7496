//! The terminal is taken over and given back, whatever happens: seen from tmux, which says what a
//! terminal's state is after each end.
//!
//! Each test runs itself again inside of tmux; the environment says which part to play.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ngf_ui::widgets::tree::{Tree, TreeRow};
use ngf_ui::{ListState, Mark, terminal};

const PART: &str = "NGF_UI_TEST_PART";

/// The alternate screen is on and the cursor hidden.
const ALTERNATE: &str = "1,0";
/// The main screen is back, and the cursor.
const MAIN: &str = "0,1";

/// What the test does inside of tmux: takes the terminal, draws, and ends in one of many ways.
fn play(part: &str) {
    let mut screen =
        terminal::Screen::enter(Box::new(|_| ())).expect("inside of tmux there is a terminal");
    let theme = terminal::theme();
    let draw = |screen: &mut terminal::Screen, last: &'static str| {
        let rows = vec![
            TreeRow::new(0, "selected row").mark(Mark::Failed),
            TreeRow::new(0, last).mark(Mark::Ok),
        ];
        screen.draw(|frame| {
            let tree = Tree::new(&rows, &theme);
            frame.render_stateful_widget(&tree, frame.area(), &mut ListState::default());
        })
    };
    draw(&mut screen, "another row").unwrap();
    wait_for_key();
    match part {
        "ends" => {}
        "panics" => panic!("a panic on the main thread"),
        "panics-elsewhere" => {
            let thread = std::thread::spawn(|| panic!("a panic on another thread"));
            assert!(thread.join().is_err());
            assert!(!terminal::is_entered());
            let error = draw(&mut screen, "another row").unwrap_err();
            println!("then: {error}");
        }
        "restores-twice" => {
            terminal::restore();
            terminal::restore();
            println!("restored by hand");
        }
        "suspends" => {
            screen.suspend(|| println!("suspended")).unwrap();
            draw(&mut screen, "drawn again").unwrap();
            wait_for_key();
        }
        other => panic!("no such part: {other}"),
    }
}

fn wait_for_key() {
    while !crossterm::event::read().is_ok_and(|event| event.is_key_press()) {}
}

/// A tmux server of its own, killed in the end.
struct Tmux {
    socket: String,
}

impl Tmux {
    fn start(name: &str) -> Self {
        let socket = format!("ngf-ui-{name}-{}", std::process::id());
        let tmux = Self { socket };
        // The shell inside must not depend on who runs the tests.
        tmux.run(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "80",
            "-y",
            "24",
            "env",
            "-i",
            "PATH=/usr/bin:/bin",
            "TERM=tmux-256color",
            "LANG=C.UTF-8",
            "PS1=$ ",
            "sh",
        ]);
        tmux
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-L", &self.socket])
            .args(arguments)
            .output();
        let output = output.expect("tmux must be installed: apt-get install tmux");
        assert!(
            output.status.success(),
            "tmux {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        let mut arguments = vec!["send-keys"];
        arguments.extend(keys);
        self.run(&arguments);
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }

    /// The screen, once it shows this text and is in this state: `alternate screen on, cursor visible`, each 0 or 1.
    fn wait_for(&self, text: &str, state: &str) -> String {
        let start = Instant::now();
        loop {
            let now = self.run(&["display-message", "-p", "#{alternate_on},#{cursor_flag}"]);
            let screen = self.screen();
            if screen.contains(text) && now.trim() == state {
                return screen;
            }
            assert!(
                start.elapsed() < Duration::from_mins(1),
                "no {text:?} in the state {state}, but {now} and the screen:\n{screen}"
            );
            sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .args(["-L", &self.socket, "kill-server"])
            .output();
    }
}

/// Runs the calling test as a part inside of tmux, and checks that the terminal comes back.
/// Returns what the screen shows then.
fn check(test: &str, variables: &str, meanwhile: impl FnOnce(&Tmux)) -> Option<String> {
    if let Ok(part) = std::env::var(PART) {
        play(&part);
        return None;
    }
    let tmux = Tmux::start(test);
    let part = test.replace('_', "-");
    let program = std::env::current_exe().unwrap();
    // The words that are waited for are not in the command, which the screen shows too.
    let command = format!(
        "{variables} {PART}={part} {} --exact terminal::{test} --nocapture; stty -a | tr ' ;' '\\n' | grep -cx -e icanon -e echo; echo af''ter",
        program.display()
    );
    tmux.keys(&[&command, "Enter"]);
    tmux.wait_for("another row", ALTERNATE);
    meanwhile(&tmux);
    tmux.keys(&["x"]);
    // Two modes: the terminal is cooked again.
    let screen = tmux.wait_for("\n2\nafter", MAIN);
    Some(screen)
}

#[test]
fn ends() {
    if let Some(screen) = check("ends", "", |_| ()) {
        assert!(!screen.contains("another row"), "{screen}");
    }
}

#[test]
fn panics() {
    if let Some(screen) = check("panics", "", |_| ()) {
        assert!(screen.contains("a panic on the main thread"), "{screen}");
    }
}

#[test]
fn panics_elsewhere() {
    if let Some(screen) = check("panics_elsewhere", "", |_| ()) {
        assert!(screen.contains("a panic on another thread"), "{screen}");
        assert!(
            screen.contains("then: the terminal was already given back"),
            "{screen}"
        );
    }
}

#[test]
fn restores_twice() {
    if let Some(screen) = check("restores_twice", "", |_| ()) {
        assert!(screen.contains("restored by hand"), "{screen}");
    }
}

#[test]
fn suspends() {
    let screen = check("suspends", "", |tmux| {
        tmux.keys(&["x"]);
        let screen = tmux.wait_for("drawn again", ALTERNATE);
        assert!(!screen.contains("suspended"), "{screen}");
    });
    if let Some(screen) = screen {
        assert!(screen.contains("suspended"), "{screen}");
    }
}

/// The test's own name is the part that it plays; here it is to end.
#[test]
fn no_color_keeps_bold_and_reverse() {
    if std::env::var_os(PART).is_some() {
        play("ends");
        return;
    }
    check("no_color_keeps_bold_and_reverse", "NO_COLOR=1", |tmux| {
        let screen = tmux.run(&["capture-pane", "-p", "-e"]);
        let row = screen
            .lines()
            .find(|line| line.contains("selected row"))
            .unwrap()
            .to_owned();
        assert!(
            row.contains("7m") || row.contains(";7"),
            "no reverse: {row:?}"
        );
        assert!(
            row.contains("\u{1b}[1") || row.contains(";1"),
            "no bold: {row:?}"
        );
        // 39 and 49 are the terminal's own colours.
        let own = screen.replace("[39m", "").replace("[49m", "");
        assert!(
            !own.contains("[3") && !own.contains("[4"),
            "a colour: {screen:?}"
        );
    });
}

#[test]
fn a_pipe_is_no_terminal() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "terminal::ends", "--nocapture"])
        .env(PART, "ends")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("NotATerminal(\"standard input\")"), "{said}");
    assert!(!output.stdout.contains(&0x1b), "nothing was drawn");
}
