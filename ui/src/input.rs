//! Keys, the mouse and pasted text, read from standard input in a thread of its own.
//!
//! crossterm's own reader is not used: crossterm 0.29 reads forever once the terminal is gone (a read of
//! 0 bytes, or EIO), blocks in the middle of an escape sequence, and turns escape followed by `:` within
//! one read into alt-`:`.

mod sequences;

use std::io;
use std::thread;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::sequences::{Step, step};

/// How long the rest of an escape sequence may take; after it, escape was a key.
const ESCAPE_WITHIN: Duration = Duration::from_millis(30);
/// Bytes of a paste that are kept.
const MAX_PASTE: usize = 64 << 10;
/// No sequence of a key is longer.
const MAX_SEQUENCE: usize = 32;

const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// What comes from the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// Something was done with the mouse.
    Mouse(Mouse),
    /// Text was pasted.
    Paste(String),
    /// The terminal is gone: the window was closed, or the connection was lost. Nothing follows.
    Gone,
}

/// What was done with the mouse, and at which cell of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    /// What was done.
    pub kind: MouseKind,
    /// The column, from 0.
    pub column: u16,
    /// The row, from 0.
    pub row: u16,
}

/// What was done with the mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseKind {
    /// The left button was pressed.
    Click,
    /// The wheel was turned away from the person.
    WheelUp,
    /// The wheel was turned towards the person.
    WheelDown,
}

/// Starts a thread that reads standard input until the terminal is gone, or `take` returns false.
///
/// # Errors
/// The thread cannot be started.
pub fn read(mut take: impl FnMut(Input) -> bool + Send + 'static) -> io::Result<()> {
    let reader = move || {
        let mut parser = Parser::default();
        loop {
            let inputs = match read_some(&mut parser) {
                Some(inputs) => inputs,
                None => vec![Input::Gone],
            };
            let gone = inputs.last() == Some(&Input::Gone);
            if !inputs.into_iter().all(&mut take) || gone {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("terminal input".to_owned());
    thread.spawn(reader).map(drop)
}

/// Waits for bytes, or until an escape sequence has taken too long; nothing where the terminal is gone.
fn read_some(parser: &mut Parser) -> Option<Vec<Input>> {
    let stdin = rustix::stdio::stdin();
    let timeout = parser.is_in_sequence().then(|| Timespec {
        tv_sec: 0,
        tv_nsec: ESCAPE_WITHIN.subsec_nanos().into(),
    });
    let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
    match poll(&mut ready, timeout.as_ref()) {
        Ok(0) => return Some(parser.escape_was_a_key()),
        Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
        Err(_) => return None,
    }
    let events = ready[0].revents();
    if events.is_empty() {
        return Some(Vec::new());
    }
    if !events.contains(PollFlags::IN) {
        return None;
    }
    let mut bytes = [0; 4096];
    match rustix::io::read(stdin, &mut bytes) {
        // Ctrl-d while the terminal is cooked reads as 0 bytes, too.
        Ok(0) => rustix::termios::tcgetattr(stdin).ok().map(|_| Vec::new()),
        Ok(count) => Some(parser.take(&bytes[..count])),
        Err(Errno::INTR | Errno::AGAIN) => Some(Vec::new()),
        Err(_) => None,
    }
}

/// Bytes into keys, as xterm, VT220 and the Linux console send them.
#[derive(Debug, Default)]
struct Parser {
    waiting: Vec<u8>,
    /// What was pasted so far.
    paste: Option<Vec<u8>>,
}

impl Parser {
    fn is_in_sequence(&self) -> bool {
        self.paste.is_none() && !self.waiting.is_empty()
    }

    fn take(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.waiting.extend_from_slice(bytes);
        let mut inputs = Vec::new();
        loop {
            if self.paste.is_some() {
                match self.pasted() {
                    Some(text) => inputs.push(Input::Paste(text)),
                    None => return inputs,
                }
            }
            match step(&self.waiting) {
                Step::Took(count, key) => {
                    self.waiting.drain(..count);
                    inputs.extend(key.map(Input::Key));
                }
                Step::Pointed(count, mouse) => {
                    self.waiting.drain(..count);
                    inputs.extend(mouse.map(Input::Mouse));
                }
                Step::PasteBegins(count) => {
                    self.waiting.drain(..count);
                    self.paste = Some(Vec::new());
                }
                Step::More => return inputs,
            }
        }
    }

    /// The first byte that waits stands for itself: what would follow it has not come.
    fn escape_was_a_key(&mut self) -> Vec<Input> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let first = self.waiting.remove(0);
        let mut inputs = Vec::new();
        if first == 0x1b {
            inputs.push(Input::Key(KeyCode::Esc.into()));
        }
        inputs.extend(self.take(&[]));
        inputs
    }

    /// The text of a paste, once its end is there. What exceeds the bound is dropped.
    fn pasted(&mut self) -> Option<String> {
        let paste = self.paste.as_mut()?;
        let end = self
            .waiting
            .windows(PASTE_ENDS.len())
            .position(|window| window == PASTE_ENDS);
        // The end may have come in part only.
        let count = end.unwrap_or(self.waiting.len().saturating_sub(PASTE_ENDS.len() - 1));
        let room = MAX_PASTE.saturating_sub(paste.len());
        paste.extend(self.waiting.drain(..count).take(room));
        end?;
        self.waiting.drain(..PASTE_ENDS.len());
        let paste = self.paste.take()?;
        Some(String::from_utf8_lossy(&paste).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keymap::KeyChord;

    /// The keys in words, pasted text in quotes.
    fn words(inputs: &[Input]) -> Vec<String> {
        inputs
            .iter()
            .map(|input| match input {
                Input::Key(key) => KeyChord::from(*key).to_string(),
                Input::Mouse(mouse) => {
                    format!("{:?}@{},{}", mouse.kind, mouse.column, mouse.row)
                }
                Input::Paste(text) => format!("{text:?}"),
                Input::Gone => "gone".to_owned(),
            })
            .collect()
    }

    fn keys(bytes: &[u8]) -> String {
        words(&Parser::default().take(bytes)).join(" ")
    }

    #[test]
    fn keys_of_common_terminals() {
        for (bytes, expected) in [
            (&b"jP?:"[..], "j P ? :"),
            (
                b"\r\t\x7f \x03\x1a",
                "enter tab backspace space ctrl-c ctrl-z",
            ),
            (b"\n\x08\x00", "ctrl-j ctrl-h ctrl-space"),
            (b"\x1b[A\x1b[B\x1b[C\x1b[D", "up down right left"),
            (b"\x1bOA\x1bOB\x1bOH\x1bOF\x1bOP", "up down home end f1"),
            (
                b"\x1b[1~\x1b[4~\x1b[5~\x1b[6~\x1b[3~",
                "home end pgup pgdn delete",
            ),
            (b"\x1b[15~\x1b[24~\x1b[[A\x1b[Z", "f5 f12 f1 shift-tab"),
            (b"\x1b[1;5C\x1b[3;2~", "ctrl-right shift-delete"),
            ("é€🦀".as_bytes(), "é € 🦀"),
            // Unknown sequences and bytes are nothing, and what follows them is read.
            (b"\x1b[?1;2cj\x1b[Ik\xff\xc3(l", "j k ( l"),
        ] {
            assert_eq!(keys(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_late_answer_of_the_terminal_is_no_key() {
        for (bytes, expected) in [
            (&b"\x1b]11;rgb:1111/2222/3333\x07j"[..], "j"),
            (b"\x1b]11;rgb:1111/2222/3333\x1b\\j", "j"),
            (b"\x1bP>|tmux 3.3a\x1b\\k", "k"),
            // Escape and a bracket that were pressed one after the other.
            (b"\x1b]\r", "esc ] enter"),
            (b"\x1bP\x1b[A", "esc P up"),
        ] {
            assert_eq!(keys(bytes), expected, "{bytes:?}");
        }
        let mut parser = Parser::default();
        assert!(parser.take(b"\x1b]").is_empty());
        assert_eq!(words(&parser.escape_was_a_key()), ["esc", "]"]);
    }

    #[test]
    fn clicks_and_the_wheel_have_a_place() {
        for (bytes, expected) in [
            (&b"\x1b[<0;1;1M\x1b[<0;1;1m"[..], "Click@0,0"),
            (b"\x1b[<64;10;300Mj", "WheelUp@9,299 j"),
            (b"\x1b[<65;80;24M", "WheelDown@79,23"),
            // With control; with another button; a drag; what is no place.
            (b"\x1b[<16;2;3M", "Click@1,2"),
            (
                b"\x1b[<2;2;3M\x1b[<32;2;3M\x1b[<0;0;3M\x1b[<0;2M\x1b[<;;Mk",
                "k",
            ),
            (b"\x1b[<99999999;1;1Mk", "k"),
        ] {
            assert_eq!(keys(bytes), expected, "{bytes:?}");
        }
        let mut parser = Parser::default();
        let one_by_one: Vec<Input> = b"\x1b[<0;12;34M"
            .iter()
            .flat_map(|byte| parser.take(&[*byte]))
            .collect();
        assert_eq!(words(&one_by_one), ["Click@11,33"]);
    }

    #[test]
    fn escape_and_a_key_within_one_read_are_two_keys() {
        assert_eq!(keys(b"\x1b:probe\r"), "esc : p r o b e enter");
        assert_eq!(keys(b"\x1b\x1b\x1b[A"), "esc esc up");
        assert_eq!(keys(b"\x1bOx"), "esc O x");
        assert_eq!(keys("\x1bé".as_bytes()), "esc é");
    }

    #[test]
    fn a_sequence_may_come_byte_by_byte_and_escape_alone_is_a_key() {
        for bytes in [&b"\x1b[1;5C"[..], b"\x1bOA", "🦀".as_bytes(), b"\x1b[[B"] {
            let mut parser = Parser::default();
            let one_by_one: Vec<Input> = bytes
                .iter()
                .flat_map(|byte| parser.take(&[*byte]))
                .collect();
            assert_eq!(one_by_one, Parser::default().take(bytes), "{bytes:?}");
            assert_eq!(one_by_one.len(), 1, "{bytes:?}");
        }
        let mut parser = Parser::default();
        assert!(parser.take(b"\x1b").is_empty());
        assert!(parser.is_in_sequence());
        assert_eq!(words(&parser.escape_was_a_key()), ["esc"]);
        assert!(!parser.is_in_sequence());
        assert!(parser.take(b"\x1b[").is_empty());
        assert_eq!(words(&parser.escape_was_a_key()), ["esc", "["]);
    }

    #[test]
    fn a_paste_is_text_and_is_bounded() {
        assert_eq!(
            keys(b"a\x1b[200~q\x1b[A\nq\x1b[201~b"),
            "a \"q\\u{1b}[A\\nq\" b"
        );
        let mut parser = Parser::default();
        let mut inputs = parser.take(b"\x1b[200~");
        for _ in 0..100 {
            inputs.extend(parser.take(&[b'x'; 4096]));
            assert!(
                parser.waiting.len() < 64,
                "what exceeds the bound is dropped"
            );
        }
        assert!(!parser.is_in_sequence(), "a paste waits for its end");
        for byte in PASTE_ENDS {
            inputs.extend(parser.take(&[*byte]));
        }
        assert_eq!(inputs, [Input::Paste("x".repeat(MAX_PASTE))]);
        assert_eq!(words(&parser.take(b"j")), ["j"]);
    }

    #[test]
    fn any_bytes_are_read_to_their_end() {
        let mut seed = 1_u32;
        for round in 0..2_000 {
            let mut parser = Parser::default();
            for _ in 0..40 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let choice = b"\x1b[O;~<M0129AZ\xc3\xa9\xf0\xff\x00j";
                parser.take(&[choice[(seed >> 16) as usize % choice.len()]]);
                assert!(parser.paste.is_some() || parser.waiting.len() <= 3 + MAX_SEQUENCE);
            }
            for _ in 0..=40 {
                parser.escape_was_a_key();
            }
            let done = parser.paste.is_some() || parser.waiting.is_empty();
            assert!(done, "round {round}: {:?}", parser.waiting);
        }
    }
}
