//! Keys: how they are written, and which action each stands for in which context.

use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// One key with its modifiers, such as `q`, `?`, `ctrl-c`, `shift-tab`, `f5`.
///
/// Letters carry their case themselves (`P`, not `shift-p`), as terminals send them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyChord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a key: {reason}; write keys such as q, P, ?, enter, ctrl-c, shift-tab, f5"
)]
pub struct KeyChordError {
    text: String,
    reason: &'static str,
}

/// Names of keys that are no characters. The first name of a key is the one that is printed.
const NAMES: [(&str, KeyCode); 23] = [
    ("enter", KeyCode::Enter),
    ("return", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("escape", KeyCode::Esc),
    ("space", KeyCode::Char(' ')),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("del", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pageup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("pagedown", KeyCode::PageDown),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("minus", KeyCode::Char('-')),
    ("plus", KeyCode::Char('+')),
    ("null", KeyCode::Null),
];

impl KeyChord {
    /// A chord as terminals report it: brought to the one form in which chords are compared.
    pub fn new(code: KeyCode, modifiers: KeyModifiers) -> Self {
        let mut modifiers =
            modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let code = match code {
            KeyCode::BackTab => {
                modifiers |= KeyModifiers::SHIFT;
                KeyCode::Tab
            }
            // Terminals report ctrl-c and ctrl-C alike, and a shifted sign as the sign itself.
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                KeyCode::Char(c.to_ascii_lowercase())
            }
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::SHIFT) => {
                modifiers -= KeyModifiers::SHIFT;
                KeyCode::Char(c.to_ascii_uppercase())
            }
            code => code,
        };
        Self { code, modifiers }
    }

    /// The character that this key types, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.modifiers.is_empty() => Some(c),
            _ => None,
        }
    }

    /// The chord of a key press or repeat; nothing for a release.
    pub fn pressed(event: KeyEvent) -> Option<Self> {
        (event.kind != KeyEventKind::Release).then(|| Self::new(event.code, event.modifiers))
    }
}

impl From<KeyEvent> for KeyChord {
    fn from(event: KeyEvent) -> Self {
        Self::new(event.code, event.modifiers)
    }
}

impl FromStr for KeyChord {
    type Err = KeyChordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason| KeyChordError {
            text: text.to_owned(),
            reason,
        };
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        while let Some((prefix, tail)) = rest.split_once('-') {
            if prefix.is_empty() || tail.is_empty() {
                break;
            }
            modifiers |= match prefix.to_ascii_lowercase().as_str() {
                "ctrl" | "control" | "c" => KeyModifiers::CONTROL,
                "alt" | "meta" | "m" => KeyModifiers::ALT,
                "shift" | "s" => KeyModifiers::SHIFT,
                _ => return Err(error("no such modifier")),
            };
            rest = tail;
        }
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (None, _) => return Err(error("it is empty")),
            (Some(c), None) if c.is_control() => return Err(error("no such key")),
            (Some(c), None) => KeyCode::Char(c),
            _ => named(rest).ok_or_else(|| error("no such key"))?,
        };
        Ok(Self::new(code, modifiers))
    }
}

fn named(name: &str) -> Option<KeyCode> {
    let name = name.to_ascii_lowercase();
    if let Some((_, code)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*code);
    }
    if name == "backtab" {
        return Some(KeyCode::BackTab);
    }
    let number = name
        .strip_prefix('f')
        .filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?;
    let number: u8 = number.parse().ok()?;
    (1..=24).contains(&number).then_some(KeyCode::F(number))
}

impl fmt::Display for KeyChord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, name) in [
            (KeyModifiers::CONTROL, "ctrl-"),
            (KeyModifiers::ALT, "alt-"),
            (KeyModifiers::SHIFT, "shift-"),
        ] {
            if self.modifiers.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(number) => write!(f, "f{number}"),
            code => match NAMES.iter().find(|(_, known)| *known == code) {
                Some((name, _)) => f.write_str(name),
                None => write!(f, "{code}"),
            },
        }
    }
}

/// One key, what it does, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding<A, C> {
    /// The key.
    pub chord: KeyChord,
    /// What it does.
    pub action: A,
    /// Where it does so; everywhere if `None`.
    pub context: Option<C>,
}

/// A binding that hides another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow<'a, A, C> {
    /// The binding of one context.
    pub inner: &'a Binding<A, C>,
    /// The binding of everywhere that has no effect there.
    pub hidden: &'a Binding<A, C>,
}

/// Two actions for one key in one context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key {chord} stands for two actions in the same context ({context}): {first} and {second}"
)]
pub struct KeyConflict {
    /// The key.
    pub chord: KeyChord,
    /// The context, as printed by `Debug`; `everywhere` for none.
    pub context: String,
    /// The action that had the key, as printed by `Debug`.
    pub first: String,
    /// The action that wanted it too.
    pub second: String,
}

/// Which action a key stands for, by context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap<A, C = &'static str> {
    bindings: Vec<Binding<A, C>>,
}

impl<A, C> Keymap<A, C>
where
    A: Copy + PartialEq + fmt::Debug,
    C: Copy + PartialEq + fmt::Debug,
{
    /// A map of these bindings; the order of bindings is the order of keys in help and footer.
    /// The same binding twice is one. A key that two actions want in one context is an error.
    pub fn new(
        bindings: impl IntoIterator<Item = (KeyChord, A, Option<C>)>,
    ) -> Result<Self, KeyConflict> {
        let mut map = Self {
            bindings: Vec::new(),
        };
        for (chord, action, context) in bindings {
            match map
                .bindings
                .iter()
                .find(|b| b.chord == chord && b.context == context)
            {
                Some(had) if had.action == action => {}
                Some(had) => {
                    return Err(KeyConflict {
                        chord,
                        context: context.map_or_else(
                            || "everywhere".to_owned(),
                            |context| format!("{context:?}"),
                        ),
                        first: format!("{:?}", had.action),
                        second: format!("{action:?}"),
                    });
                }
                None => map.bindings.push(Binding {
                    chord,
                    action,
                    context,
                }),
            }
        }
        Ok(map)
    }

    /// All bindings in their order.
    pub fn bindings(&self) -> &[Binding<A, C>] {
        &self.bindings
    }

    /// What a key does where these contexts hold, the innermost first; bindings for everywhere
    /// come last.
    pub fn action(&self, chord: KeyChord, contexts: &[C]) -> Option<A> {
        let find = |context: Option<C>| {
            self.bindings
                .iter()
                .find(|b| b.chord == chord && b.context == context)
        };
        contexts
            .iter()
            .find_map(|context| find(Some(*context)))
            .or_else(|| find(None))
            .map(|binding| binding.action)
    }

    /// The keys of an action in their order.
    pub fn chords(&self, action: A) -> impl Iterator<Item = KeyChord> {
        self.bindings
            .iter()
            .filter(move |b| b.action == action)
            .map(|b| b.chord)
    }

    /// Bindings of one context that hide another action of everywhere.
    pub fn shadows(&self) -> Vec<Shadow<'_, A, C>> {
        let inner = self.bindings.iter().filter(|b| b.context.is_some());
        inner
            .filter_map(|inner| {
                let hidden = self.bindings.iter().find(|b| {
                    b.context.is_none() && b.chord == inner.chord && b.action != inner.action
                })?;
                Some(Shadow { inner, hidden })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chord(text: &str) -> KeyChord {
        text.parse().unwrap()
    }

    #[test]
    fn keys_are_printed_as_they_are_written() {
        for text in [
            "q",
            "P",
            "?",
            ":",
            "/",
            "-",
            "+",
            "ctrl-c",
            "shift-tab",
            "enter",
            "esc",
            "space",
            "pgup",
            "pgdn",
            "f1",
            "f12",
            "ctrl-alt-delete",
            "alt-x",
            "ctrl--",
            "é",
            "ctrl-space",
        ] {
            assert_eq!(chord(text).to_string(), text);
        }
    }

    #[test]
    fn other_spellings_mean_the_same_key() {
        for (spelling, key) in [
            ("Ctrl-C", "ctrl-c"),
            ("C-c", "ctrl-c"),
            ("backtab", "shift-tab"),
            ("shift-p", "P"),
            ("Escape", "esc"),
            ("PageDown", "pgdn"),
            ("minus", "-"),
            (" ", "space"),
        ] {
            assert_eq!(chord(spelling), chord(key), "{spelling}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_what_to_write() {
        for text in [
            "", "hyper-x", "foo", "f0", "f25", "ctrl-foo", "\u{1b}", "f+1",
        ] {
            let error = text.parse::<KeyChord>().unwrap_err();
            assert!(error.to_string().contains("write keys such as"), "{error}");
        }
    }

    #[test]
    fn events_of_terminals_become_the_written_chord() {
        let event = |code, modifiers| KeyChord::from(KeyEvent::new(code, modifiers));
        assert_eq!(
            event(KeyCode::BackTab, KeyModifiers::SHIFT),
            chord("shift-tab")
        );
        assert_eq!(
            event(KeyCode::BackTab, KeyModifiers::NONE),
            chord("shift-tab")
        );
        assert_eq!(event(KeyCode::Char('P'), KeyModifiers::SHIFT), chord("P"));
        assert_eq!(event(KeyCode::Char('?'), KeyModifiers::SHIFT), chord("?"));
        assert_eq!(
            event(KeyCode::Char('C'), KeyModifiers::CONTROL),
            chord("ctrl-c")
        );
        assert_eq!(
            event(KeyCode::Char('x'), KeyModifiers::NONE).typed(),
            Some('x')
        );
        assert_eq!(event(KeyCode::Char('x'), KeyModifiers::ALT).typed(), None);
        let mut release = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        release.kind = KeyEventKind::Release;
        assert_eq!(KeyChord::pressed(release), None);
    }

    #[test]
    fn the_innermost_context_wins_and_everywhere_comes_last() {
        let map = Keymap::new([
            (chord("q"), 'Q', None),
            (chord("enter"), 'o', Some("tree")),
            (chord("enter"), 's', Some("steps")),
            (chord("q"), 'b', Some("steps")),
            (chord("ctrl-c"), 'Q', None),
        ])
        .unwrap();
        assert_eq!(map.action(chord("enter"), &["steps", "tree"]), Some('s'));
        assert_eq!(map.action(chord("enter"), &["tree"]), Some('o'));
        assert_eq!(map.action(chord("enter"), &[]), None);
        assert_eq!(map.action(chord("q"), &["tree"]), Some('Q'));
        assert_eq!(map.action(chord("q"), &["steps"]), Some('b'));
        assert_eq!(
            map.chords('Q').collect::<Vec<_>>(),
            [chord("q"), chord("ctrl-c")]
        );
        let shadows = map.shadows();
        assert_eq!(shadows.len(), 1);
        assert_eq!(
            (shadows[0].inner.action, shadows[0].hidden.action),
            ('b', 'Q')
        );
    }

    #[test]
    fn two_actions_for_one_key_in_one_context_are_a_conflict() {
        let conflict = Keymap::new([
            (chord("p"), "probe", Some("tree")),
            (chord("p"), "probe", Some("tree")),
            (chord("p"), "pause", Some("tree")),
        ])
        .unwrap_err();
        assert_eq!(
            conflict.to_string(),
            "the key p stands for two actions in the same context (\"tree\"): \
             \"probe\" and \"pause\""
        );
    }
}
