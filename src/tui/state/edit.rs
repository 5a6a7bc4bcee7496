//! Keys of a one-line input.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ngf_ui::widgets::prompt::PromptState;

/// Takes a key into the input, as readline would; whether it meant something.
pub fn edit(prompt: &mut PromptState, key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match (key.code, control) {
        (KeyCode::Char('u'), true) => prompt.delete_to_start(),
        (KeyCode::Char('w'), true) => prompt.delete_word(),
        (KeyCode::Char('a'), true) | (KeyCode::Home, _) => prompt.home(),
        (KeyCode::Char('e'), true) | (KeyCode::End, _) => prompt.end(),
        (KeyCode::Char('b'), true) | (KeyCode::Left, _) => prompt.left(),
        (KeyCode::Char('f'), true) | (KeyCode::Right, _) => prompt.right(),
        (KeyCode::Char('h'), true) | (KeyCode::Backspace, _) => prompt.backspace(),
        (KeyCode::Char('d'), true) | (KeyCode::Delete, _) => prompt.delete(),
        (KeyCode::Char(c), false) if !key.modifiers.contains(KeyModifiers::ALT) => {
            prompt.insert(c.encode_utf8(&mut [0; 4]));
        }
        _ => return false,
    }
    true
}
