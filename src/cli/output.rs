//! Standard output and standard error, so that a closed pipe ends the program quietly and nothing
//! that comes from outside controls the terminal.

use std::{
    fmt,
    io::{self, BufWriter, ErrorKind, IsTerminal, Write},
};

use crate::report::text::Style;

/// Bytes that are gathered before they are written.
const GATHERED: usize = 64 << 10;

/// Prints text as it is; a reader that has gone (`| head`) is no error.
pub(super) fn print(text: &str) -> io::Result<()> {
    stream(|out| out.write_all(text.as_bytes()))
}

/// Prints what `write` writes, as it is made. A reader that has gone is no error.
pub(super) fn stream<E: From<io::Error>>(
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    into(io::stdout().lock(), write)
}

fn into<E: From<io::Error>>(
    out: impl Write,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let mut out = BufWriter::with_capacity(GATHERED, Watched { out, failed: None });
    let written = write(&mut out);
    let flushed = out.flush();
    let (Watched { failed, .. }, _) = out.into_parts();
    match failed {
        Some(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        // What the writer made of it says less.
        Some(error) => Err(error.into()),
        None => {
            written?;
            Ok(flushed?)
        }
    }
}

/// A writer that keeps the first error: what formats text tells only that there was one.
struct Watched<W> {
    out: W,
    failed: Option<io::Error>,
}

impl<W: Write> Watched<W> {
    fn watch<T>(&mut self, does: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if let Some(failed) = &self.failed {
            return Err(failed.kind().into());
        }
        does(&mut self.out).map_err(|error| {
            let kind = error.kind();
            if kind != ErrorKind::Interrupted {
                self.failed = Some(error);
            }
            kind.into()
        })
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watch(|out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.watch(Write::flush)
    }
}

/// A writer of bytes that takes text. Its errors are those of [`stream`].
pub(super) struct Text<'w>(pub(super) &'w mut dyn Write);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| fmt::Error)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes and then fails.
    struct Full(usize, ErrorKind);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::new(self.1, "no more"));
            }
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Writes a text of a megabyte as JSON, and counts the items that are made.
    fn written(kind: ErrorKind) -> (io::Result<()>, usize) {
        let mut made = 0;
        let result = into(Full(GATHERED, kind), |out| {
            for _ in 0..1_000 {
                made += 1;
                serde_json::to_writer(&mut *out, &"x".repeat(1_000))?;
            }
            Ok(())
        });
        (result, made)
    }

    #[test]
    fn a_reader_that_has_gone_ends_the_writing_and_is_no_error() {
        let (result, made) = written(ErrorKind::BrokenPipe);
        assert!(result.is_ok(), "{result:?}");
        assert!(made < 200, "{made} of 1000 items were made for nobody");
    }

    #[test]
    fn a_full_disk_is_told_in_its_own_words() {
        let (result, made) = written(ErrorKind::StorageFull);
        assert_eq!(
            result.map_err(|error| error.to_string()),
            Err("no more".to_owned())
        );
        assert!(made < 200, "{made} of 1000 items were made for nobody");
    }
}
