//! Standard output and standard error, so that a closed pipe ends the program quietly and nothing
//! that comes from outside controls the terminal.

use std::io::{self, ErrorKind, IsTerminal, Write};

use crate::report::text::Style;

/// Prints text as it is; a reader that has gone (`| head`) is no error.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints one sentence about what went wrong, with its causes, cleaned of control characters.
pub(super) fn complain(error: &dyn std::error::Error) {
    let text = ngf_text::in_words(error);
    say(&format!("{}: {text}", ngf_core::command::program()));
}

/// Prints a sentence to standard error, cleaned of control characters.
pub(super) fn say(sentence: &str) {
    let _ = writeln!(io::stderr(), "{}", crate::report::clean(sentence));
}

/// Whether text output may have colours.
pub(super) fn colour() -> bool {
    io::stdout().is_terminal() && ngf_ui::terminal::color_support() != ngf_ui::ColorSupport::None
}

/// How sentences are printed: within the columns of a terminal; in files and pipes each is one line.
pub(super) fn style() -> Style {
    if io::stdout().is_terminal() {
        Style {
            colour: colour(),
            width: usize::from(width()),
        }
    } else {
        Style::endless()
    }
}

/// How wide text output may be.
pub(super) fn width() -> u16 {
    if !io::stdout().is_terminal() {
        return 80;
    }
    crossterm::terminal::size().map_or(80, |(columns, _)| columns.clamp(40, 120))
}
