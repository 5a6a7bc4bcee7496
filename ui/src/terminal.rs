//! The terminal: what it can show, taking it over, and giving it back whatever happens.

mod look;

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

pub use self::look::{
    Ground, background_of, color_support, color_support_of, glyph_set, glyph_set_of, ground, theme,
};
pub use crate::output::Tell;
use crate::output::{Frame, Output};

/// How long a terminal may take to accept the sequences that give it back.
const RESTORE_WITHIN: Duration = Duration::from_millis(500);

/// Why the terminal could not be used.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Input or output goes elsewhere.
    #[error("{0} is not a terminal, and the full-screen display needs one; --plain prints text")]
    NotATerminal(&'static str),
    /// It can only print lines, such as Emacs' shell.
    #[error(
        "TERM=dumb: this terminal moves no cursor, and the full-screen display needs that; --plain prints text"
    )]
    Dumb,
    /// It was given back, after a panic or a signal, while somebody still wanted to draw.
    #[error("the terminal was already given back")]
    GivenBack,
    /// An operation on it failed.
    #[error("could not {operation} the terminal")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn failed(operation: &'static str) -> impl FnOnce(io::Error) -> TerminalError {
    move |source| TerminalError::Io { operation, source }
}

/// Whether the terminal moves no cursor, by its name.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the terminal is ours: raw mode, alternate screen.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// The thread that writes to it, for whoever gives it back.
static OUTPUT: Mutex<Option<Output>> = Mutex::new(None);
/// Whether the terminal is asked to report clicks and the wheel.
static MOUSE: AtomicBool = AtomicBool::new(true);
static HOOK: Once = Once::new();

/// Clicks and the wheel, with their places in decimal (xterm's modes 1000 and 1006). Motion is not asked for.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Whether the terminal shall report clicks and the wheel once it is taken over. While it does, text is selected
/// with shift held.
pub fn use_mouse(wanted: bool) {
    MOUSE.store(wanted, Ordering::SeqCst);
}

/// The terminal, taken over: raw mode, alternate screen, bracketed paste, and the mouse unless [`use_mouse`] turned it off. Given back
/// when dropped, and by the panic hook that [`Screen::enter`] installs.
pub struct Screen {
    /// Draws into memory: nothing that it does can block or fail, its drop included.
    terminal: Terminal<CrosstermBackend<Frame>>,
    frame: Frame,
    output: Output,
}

impl Screen {
    /// Takes the terminal over. `tell` is called, from a thread of its own, after each write: with an
    /// error where the terminal is gone.
    pub fn enter(tell: Tell) -> Result<Self, TerminalError> {
        if !io::stdin().is_terminal() {
            return Err(TerminalError::NotATerminal("standard input"));
        }
        if !io::stdout().is_terminal() {
            return Err(TerminalError::NotATerminal("standard output"));
        }
        if is_dumb() {
            return Err(TerminalError::Dumb);
        }
        install_panic_hook();
        // Under NO_COLOR, crossterm writes an empty SGR sequence for each colour, which resets
        // bold and reverse as well. A theme without colours sends none of its own.
        crossterm::style::force_color_output(true);
        let output = Output::start(tell).map_err(failed("write to"))?;
        *lock_output() = Some(output.clone());
        let frame = Frame::default();
        let terminal = blank(&frame)?;
        take(&output)?;
        Ok(Self {
            terminal,
            frame,
            output,
        })
    }

    /// Draws one frame; the terminal shows it at once as a whole, where it knows how to. Returns before
    /// it is shown.
    pub fn draw(
        &mut self,
        render: impl FnOnce(&mut ratatui::Frame<'_>),
    ) -> Result<(), TerminalError> {
        if !is_entered() {
            return Err(TerminalError::GivenBack);
        }
        queue!(self.frame, BeginSynchronizedUpdate).map_err(failed("draw on"))?;
        let drawn = self
            .terminal
            .draw(render)
            .map(|_| ())
            .map_err(failed("draw on"));
        queue!(self.frame, EndSynchronizedUpdate).map_err(failed("draw on"))?;
        self.output.send(self.frame.take());
        drawn
    }

    /// Hands text to the clipboard of the terminal (OSC 52), which may be on another machine than this program. A
    /// terminal that does not know the sequence, or does not allow it, does nothing.
    pub fn copy(&mut self, text: &str) {
        let mut bytes = Vec::new();
        if is_entered() && queue!(bytes, CopyToClipboard::to_clipboard_from(text)).is_ok() {
            self.output.send(bytes);
        }
    }

    /// Whether the terminal has not taken all that was drawn: whoever draws should wait, so that no
    /// more than one frame waits.
    pub fn is_busy(&self) -> bool {
        self.output.is_busy()
    }

    /// Gives the terminal back while `work` runs (a pager, an editor), then takes it over again and
    /// draws everything again with the next frame.
    pub fn suspend<T>(&mut self, work: impl FnOnce() -> T) -> Result<T, TerminalError> {
        restore();
        let result = work();
        self.take_again()?;
        Ok(result)
    }

    /// Takes the terminal over again, whatever state it is in: after the process was stopped, the shell
    /// has changed it. The next frame draws everything.
    pub fn take_again(&mut self) -> Result<(), TerminalError> {
        // Raw mode is only set where crossterm believes that it is not.
        let _ = disable_raw_mode();
        self.terminal = blank(&self.frame)?;
        take(&self.output)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
        *lock_output() = None;
    }
}

fn lock_output() -> std::sync::MutexGuard<'static, Option<Output>> {
    OUTPUT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A terminal of which nothing is known to be drawn.
fn blank(frame: &Frame) -> Result<Terminal<CrosstermBackend<Frame>>, TerminalError> {
    let terminal = Terminal::new(CrosstermBackend::new(frame.clone())).map_err(failed("set up"));
    // What the one before wrote when it was dropped is void.
    frame.take();
    terminal
}

fn take(output: &Output) -> Result<(), TerminalError> {
    ENTERED.store(true, Ordering::SeqCst);
    let mut bytes = Vec::new();
    enable_raw_mode()
        .and_then(|()| {
            queue!(
                bytes,
                EnterAlternateScreen,
                EnableBracketedPaste,
                Clear(ClearType::All)
            )
        })
        .map_err(failed("take over"))
        .inspect_err(|_| restore())?;
    if MOUSE.load(Ordering::SeqCst) {
        bytes.extend_from_slice(MOUSE_ON);
    }
    output.send(bytes);
    Ok(())
}

/// Gives the terminal back as it was: cursor, main screen, cooked mode. Does nothing the second
/// time, and nothing when it was never taken, or while another job of the shell has it. Waits no
/// longer than a moment for a terminal that takes nothing. To be called from any thread, one that waits
/// for signals included (not from within a signal handler, which may not allocate or lock).
pub fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) || !is_in_foreground() {
        return;
    }
    // Best effort on purpose: the terminal may be gone (SIGHUP), and every step is worth a try.
    let mut bytes = Vec::new();
    if MOUSE.load(Ordering::SeqCst) {
        bytes.extend_from_slice(MOUSE_OFF);
    }
    let _ = queue!(
        bytes,
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let output = lock_output().clone();
    if let Some(output) = output {
        output.send_and_wait(bytes, RESTORE_WITHIN);
    }
    let _ = disable_raw_mode();
}

/// Whether the terminal is taken over now. False after a panic on any thread: whoever draws
/// should then end.
pub fn is_entered() -> bool {
    ENTERED.load(Ordering::SeqCst)
}

/// Whether the shell has given the terminal to this process. Whoever writes to it or changes its modes
/// otherwise is stopped by the system, or disturbs whoever has it.
pub fn is_in_foreground() -> bool {
    // Where the terminal cannot say it, it is gone, and nothing does harm.
    rustix::termios::tcgetpgrp(rustix::stdio::stdin())
        .map_or(true, |group| group == rustix::process::getpgrp())
}

/// Whether there is a shell that could continue this process once it is stopped: its group is none of
/// the session's leader.
pub fn has_job_control() -> bool {
    rustix::process::getsid(None).is_ok_and(|session| session != rustix::process::getpgrp())
}

/// Before a panic is reported, the terminal is given back, so that the report can be read.
pub fn install_panic_hook() {
    HOOK.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            report(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn giving_back_what_was_never_taken_does_nothing() {
        restore();
        restore();
        assert!(!is_entered());
    }
}
