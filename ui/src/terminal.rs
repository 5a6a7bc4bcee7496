//! The terminal: what it can show, taking it over, and giving it back whatever happens.

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
use terminal_colorsaurus::{Color, QueryOptions, ThemeMode, color_palette};

use crate::glyphs::GlyphSet;
pub use crate::output::Tell;
use crate::output::{Frame, Output};
use crate::theme::{Background, ColorSupport, Contrast, Theme};

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

/// How many colours standard output shows, from NO_COLOR, COLORTERM, TERM, and whether it is a
/// terminal at all.
pub fn color_support() -> ColorSupport {
    color_support_of(io::stdout().is_terminal(), variable)
}

/// The rules of [`color_support`] for any environment.
pub fn color_support_of(
    is_terminal: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> ColorSupport {
    let get = |name: &str| variable(name).unwrap_or_default().to_ascii_lowercase();
    let term = get("TERM");
    // <https://no-color.org>: present and not empty.
    if !is_terminal || !get("NO_COLOR").is_empty() || term == "dumb" {
        return ColorSupport::None;
    }
    let claims_true_color = matches!(get("COLORTERM").as_str(), "truecolor" | "24bit")
        || term.ends_with("-direct")
        || ["kitty", "alacritty", "ghostty", "wezterm", "foot"]
            .iter()
            .any(|name| term.contains(name))
        || !get("WT_SESSION").is_empty();
    // GNU screen hands COLORTERM on and knows no 24-bit colours.
    let in_screen = !get("STY").is_empty();
    if claims_true_color && !in_screen {
        ColorSupport::TrueColor
    } else if term.contains("256color") || claims_true_color {
        ColorSupport::Ansi256
    } else if term.is_empty() && !cfg!(windows) {
        ColorSupport::None
    } else {
        ColorSupport::Ansi16
    }
}

/// Which signs the terminal shows: Unicode where the locale is UTF-8, but not on the Linux
/// console, whose font has no check marks.
pub fn glyph_set() -> GlyphSet {
    glyph_set_of(variable)
}

/// The rules of [`glyph_set`] for any environment.
pub fn glyph_set_of(variable: impl Fn(&str) -> Option<String>) -> GlyphSet {
    if cfg!(windows) {
        return GlyphSet::Unicode;
    }
    // POSIX: the first of these that is set and not empty decides.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let utf8 = locale.contains("utf-8") || locale.contains("utf8");
    if utf8 && variable("TERM").as_deref() != Some("linux") {
        GlyphSet::Unicode
    } else {
        GlyphSet::Ascii
    }
}

/// What is known of the terminal's own colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ground {
    /// Whether it is dark or light.
    pub background: Background,
    /// How much its own text differs from it.
    pub contrast: Contrast,
}

/// How long a terminal may take to say which colours it has. One that knows the question answers within a round trip.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// From this contrast on, people have chosen it: 21 is that of black and white.
const CHOSEN: f32 = 19.0;

/// Whether the ground is dark or light: from COLORFGBG where it is set, or else the terminal is asked (OSC 11).
/// `None` where it does not say. To be called before the terminal is taken over.
pub fn ground() -> Option<Ground> {
    let background = background_of(variable);
    if let Some(background) = background {
        return Some(Ground {
            background,
            contrast: Contrast::Usual,
        });
    }
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() || !is_in_foreground() {
        return None;
    }
    let mut options = QueryOptions::default();
    options.timeout = ANSWER_WITHIN;
    let colors = color_palette(options).ok()?;
    let background = match colors.theme_mode() {
        ThemeMode::Dark => Background::Dark,
        ThemeMode::Light => Background::Light,
    };
    let contrast =
        if contrast_of(channels(&colors.foreground), channels(&colors.background)) >= CHOSEN {
            Contrast::High
        } else {
            Contrast::Usual
        };
    Some(Ground {
        background,
        contrast,
    })
}

fn channels(color: &Color) -> [u16; 3] {
    [color.r, color.g, color.b]
}

/// The contrast of two colours (WCAG 2.2), from 1 to 21.
fn contrast_of(one: [u16; 3], other: [u16; 3]) -> f32 {
    let luminance = |[red, green, blue]: [u16; 3]| {
        let linear = |channel: u16| {
            let channel = f32::from(channel) / f32::from(u16::MAX);
            if channel <= 0.040_45 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Whether the ground is dark or light, from COLORFGBG (`foreground;background`, set by rxvt, Konsole, iTerm2 and
/// others) of any environment; `None` where it is not set.
pub fn background_of(variable: impl Fn(&str) -> Option<String>) -> Option<Background> {
    let value = variable("COLORFGBG")?;
    let ground: u8 = value.rsplit(';').next()?.parse().ok()?;
    Some(match ground {
        7 | 15 => Background::Light,
        _ => Background::Dark,
    })
}

/// The theme for the terminal that standard output is. Where its ground is unknown, its own sixteen colours are
/// used: they are readable there.
pub fn theme() -> Theme {
    let colors = color_support();
    let ground = if colors > ColorSupport::Ansi16 {
        ground()
    } else {
        None
    };
    match ground {
        Some(ground) => {
            Theme::new(colors, ground.background, glyph_set()).contrast(ground.contrast)
        }
        None => Theme::new(
            colors.min(ColorSupport::Ansi16),
            Background::Dark,
            glyph_set(),
        ),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment<'a>(
        pairs: &'a [(&'a str, &'a str)],
    ) -> impl Fn(&str) -> Option<String> + use<'a> {
        move |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn colours_follow_the_environment() {
        use ColorSupport::{Ansi16, Ansi256, None, TrueColor};
        for (is_terminal, pairs, expected) in [
            (
                false,
                &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")][..],
                None,
            ),
            (
                true,
                &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")],
                TrueColor,
            ),
            (
                true,
                &[("TERM", "xterm-256color"), ("COLORTERM", "24bit")],
                TrueColor,
            ),
            (true, &[("TERM", "xterm-256color")], Ansi256),
            (true, &[("TERM", "tmux-256color")], Ansi256),
            (true, &[("TERM", "xterm-kitty")], TrueColor),
            (true, &[("TERM", "xterm-direct")], TrueColor),
            (true, &[("TERM", "xterm")], Ansi16),
            (true, &[("TERM", "linux")], Ansi16),
            (true, &[("TERM", "dumb"), ("COLORTERM", "truecolor")], None),
            (true, &[], None),
            (true, &[("TERM", "xterm"), ("NO_COLOR", "1")], None),
            (true, &[("TERM", "xterm"), ("NO_COLOR", "")], Ansi16),
            (
                true,
                &[
                    ("TERM", "screen"),
                    ("STY", "1.pts"),
                    ("COLORTERM", "truecolor"),
                ],
                Ansi256,
            ),
        ] {
            assert_eq!(
                color_support_of(is_terminal, environment(pairs)),
                expected,
                "{pairs:?}"
            );
        }
    }

    #[cfg(not(windows))]
    #[test]
    fn signs_follow_the_locale() {
        use GlyphSet::{Ascii, Unicode};
        for (pairs, expected) in [
            (&[("LANG", "en_US.UTF-8")][..], Unicode),
            (&[("LANG", "C.utf8")], Unicode),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], Ascii),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "")], Unicode),
            (
                &[("LANG", "de_DE.ISO-8859-1"), ("LC_CTYPE", "de_DE.UTF-8")],
                Unicode,
            ),
            (&[("LANG", "C")], Ascii),
            (&[], Ascii),
            (&[("LANG", "en_US.UTF-8"), ("TERM", "linux")], Ascii),
        ] {
            assert_eq!(glyph_set_of(environment(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn ground_follows_colorfgbg() {
        for (value, expected) in [
            ("0;15", Some(Background::Light)),
            ("0;default;15", Some(Background::Light)),
            ("15;0", Some(Background::Dark)),
            ("15;default", None),
            ("", None),
        ] {
            assert_eq!(
                background_of(environment(&[("COLORFGBG", value)])),
                expected,
                "{value}"
            );
        }
        assert_eq!(background_of(environment(&[])), None);
    }

    #[test]
    fn contrast_is_that_of_the_guidelines() {
        let (black, white) = ([0; 3], [u16::MAX; 3]);
        assert!((contrast_of(black, white) - 21.0).abs() < 0.01);
        assert!((contrast_of(white, white) - 1.0).abs() < 0.01);
    }

    #[test]
    fn giving_back_what_was_never_taken_does_nothing() {
        restore();
        restore();
        assert!(!is_entered());
    }
}
