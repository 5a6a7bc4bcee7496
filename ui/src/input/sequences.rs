//! The sequences that terminals send: keys, the mouse, answers, the beginning of a paste.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{MAX_SEQUENCE, Mouse, MouseKind};

/// What the first bytes that wait are.
pub(super) enum Step {
    /// So many bytes are this, or nothing that is known.
    Took(usize, Option<KeyEvent>),
    /// So many bytes are this.
    Pointed(usize, Option<Mouse>),
    /// So many bytes begin a paste.
    PasteBegins(usize),
    /// More bytes are needed to tell.
    More,
}

pub(super) fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [0x1b] | [0x1b, b'O'] => Step::More,
        [0x1b, b'O', third, ..] => match cursor_key(*third) {
            Some(code) => Step::Took(3, Some(code.into())),
            None => Step::Took(1, Some(KeyCode::Esc.into())),
        },
        [0x1b, b'[', rest @ ..] => control_sequence(rest),
        // What the terminal answers to a question, too late for who asked it.
        [0x1b, b']' | b'P' | b'_' | b'^', rest @ ..] => answer(rest),
        // Alt and a key arrive as escape and the key. So do escape and a key, pressed one after the
        // other, over a slow line: no key of this program is an alt-key.
        [0x1b, ..] => Step::Took(1, Some(KeyCode::Esc.into())),
        [byte @ ..=0x7f, ..] => Step::Took(1, Some(ascii(*byte))),
        [first, ..] => character(*first, bytes),
    }
}

fn ascii(byte: u8) -> KeyEvent {
    let control = |c: u8| KeyEvent::new(KeyCode::Char(char::from(c)), KeyModifiers::CONTROL);
    match byte {
        b'\r' => KeyCode::Enter.into(),
        b'\t' => KeyCode::Tab.into(),
        0x7f => KeyCode::Backspace.into(),
        0 => control(b' '),
        0x01..=0x1a => control(byte - 1 + b'a'),
        0x1b..=0x1f => control(byte - 0x1b + b'3'),
        _ => {
            let c = char::from(byte);
            let shift = if c.is_ascii_uppercase() {
                KeyModifiers::SHIFT
            } else {
                KeyModifiers::NONE
            };
            KeyEvent::new(KeyCode::Char(c), shift)
        }
    }
}

/// A character beyond ASCII.
fn character(first: u8, bytes: &[u8]) -> Step {
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Took(1, None),
    };
    let Some(whole) = bytes.get(..length) else {
        return Step::More;
    };
    match std::str::from_utf8(whole)
        .ok()
        .and_then(|c| c.chars().next())
    {
        Some(c) => Step::Took(length, Some(KeyCode::Char(c).into())),
        None => Step::Took(1, None),
    }
}

/// Most bytes of an answer: longer ones are none.
const MAX_ANSWER: usize = 512;

/// What follows the introducer of a string (OSC, DCS, APC, PM), up to BEL or ST. Where what follows is no such
/// string, escape was a key.
fn answer(rest: &[u8]) -> Step {
    const BEFORE: usize = 2;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            0x07 => return Step::Took(BEFORE + at + 1, None),
            0x1b => {
                return match rest.get(at + 1) {
                    Some(b'\\') => Step::Took(BEFORE + at + 2, None),
                    Some(_) => Step::Took(1, Some(KeyCode::Esc.into())),
                    None => Step::More,
                };
            }
            0x20..=0x7e if at < MAX_ANSWER => {}
            _ => return Step::Took(1, Some(KeyCode::Esc.into())),
        }
    }
    Step::More
}

/// What follows `ESC [` (ECMA-48: parameters, intermediates, one final byte).
fn control_sequence(rest: &[u8]) -> Step {
    const BEFORE: usize = 2;
    // The Linux console's F1 to F5.
    if let [b'[', key, ..] = rest {
        let function = key.wrapping_sub(b'A').saturating_add(1);
        let key = (1..=5)
            .contains(&function)
            .then(|| KeyCode::F(function).into());
        return Step::Took(BEFORE + 2, key);
    }
    let is_parameter = |byte: &u8| (0x20..=0x3f).contains(byte);
    let length = rest.iter().take_while(|byte| is_parameter(byte)).count();
    let Some(last) = rest.get(length) else {
        return if rest.len() < MAX_SEQUENCE {
            Step::More
        } else {
            Step::Took(BEFORE + rest.len(), None)
        };
    };
    if *last == b'[' && length == 0 {
        return Step::More;
    }
    if !(0x40..=0x7e).contains(last) {
        return Step::Took(1, Some(KeyCode::Esc.into()));
    }
    let parameters = std::str::from_utf8(&rest[..length]).unwrap_or_default();
    if let Some(pointed) = parameters.strip_prefix('<') {
        return Step::Pointed(BEFORE + length + 1, pointed_at(pointed, *last));
    }
    let mut numbers = parameters.split(';').map(str::parse::<u8>);
    let number = numbers.next().and_then(Result::ok);
    let modifiers = numbers
        .next()
        .and_then(Result::ok)
        .map_or(KeyModifiers::NONE, modifiers);
    let code = match (last, number) {
        (b'~', Some(200)) => return Step::PasteBegins(BEFORE + length + 1),
        (b'~', Some(number)) => numbered_key(number),
        (b'Z', _) => Some(KeyCode::BackTab),
        (other, _) => cursor_key(*other),
    };
    let key = code.map(|code| KeyEvent::new(code, modifiers));
    Step::Took(BEFORE + length + 1, key)
}

/// xterm's SGR form of the mouse (`ESC [ < button ; column ; row`, and `M` for a press or `m` for a release). Other
/// buttons, drags and releases mean nothing here.
fn pointed_at(parameters: &str, last: u8) -> Option<Mouse> {
    const SHIFT_ALT_CONTROL: u16 = 4 | 8 | 16;
    let mut numbers = parameters
        .split(';')
        .map(|number| number.parse::<u16>().ok());
    let button = numbers.next()??;
    let (column, row) = (numbers.next()??, numbers.next()??);
    let kind = match (button & !SHIFT_ALT_CONTROL, last) {
        (0, b'M') => MouseKind::Click,
        (64, b'M') => MouseKind::WheelUp,
        (65, b'M') => MouseKind::WheelDown,
        _ => return None,
    };
    Some(Mouse {
        kind,
        column: column.checked_sub(1)?,
        row: row.checked_sub(1)?,
    })
}

/// The final byte of a cursor key, an editing key or F1 to F4.
fn cursor_key(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        _ => return None,
    })
}

/// The key of `ESC [ number ~`.
fn numbered_key(number: u8) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(number - 10),
        17..=21 => KeyCode::F(number - 11),
        23 | 24 => KeyCode::F(number - 12),
        _ => return None,
    })
}

/// xterm's second parameter: 1, and 1 for shift, 2 for alt, 4 for control.
fn modifiers(parameter: u8) -> KeyModifiers {
    let bits = parameter.saturating_sub(1);
    [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
    ]
    .into_iter()
    .filter(|(bit, _)| bits & bit != 0)
    .fold(KeyModifiers::NONE, |all, (_, one)| all | one)
}
