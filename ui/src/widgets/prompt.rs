//! One line of input, edited as people expect.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::widgets::Widget;
use unicode_segmentation::UnicodeSegmentation;

use crate::golden;
use crate::text::{Label, clean, draw_label, draw_text, width};
use crate::theme::{Role, Theme};

/// No input is longer, in bytes.
const MAX_BYTES: usize = 4096;

/// Text and cursor of a prompt. Keeps neither control characters nor more than 4096 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PromptState {
    text: String,
    /// Byte offset of the cursor; always at a grapheme's start, or the end.
    cursor: usize,
}

impl PromptState {
    /// A prompt that holds this text, with the cursor at its end.
    pub fn with(text: &str) -> Self {
        let mut state = Self::default();
        state.insert(text);
        state
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Inserts what was typed or pasted at the cursor; line ends become blanks.
    pub fn insert(&mut self, text: &str) {
        for c in clean(text).chars() {
            if self.text.len() + c.len_utf8() > MAX_BYTES {
                return;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
        // A combining mark joins the letter before it; the cursor goes behind both.
        if !self.boundaries().any(|boundary| boundary == self.cursor) {
            self.cursor = self.after();
        }
    }

    /// Deletes what is before the cursor.
    pub fn backspace(&mut self) {
        let start = self.before();
        self.text.drain(start..self.cursor);
        self.cursor = start;
    }

    /// Deletes what is after the cursor.
    pub fn delete(&mut self) {
        let end = self.after();
        self.text.drain(self.cursor..end);
    }

    /// Deletes the word before the cursor, and the blanks after it.
    pub fn delete_word(&mut self) {
        let head = &self.text[..self.cursor];
        let word_end = head.trim_end().len();
        let start = head[..word_end]
            .rfind(char::is_whitespace)
            .map_or(0, |space| {
                space + head[space..].chars().next().map_or(0, char::len_utf8)
            });
        self.text.drain(start..self.cursor);
        self.cursor = start;
    }

    /// Deletes everything before the cursor.
    pub fn delete_to_start(&mut self) {
        self.text.drain(..self.cursor);
        self.cursor = 0;
    }

    /// Deletes everything.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
    }

    /// Moves the cursor one character to the left.
    pub fn left(&mut self) {
        self.cursor = self.before();
    }

    /// Moves the cursor one character to the right.
    pub fn right(&mut self) {
        self.cursor = self.after();
    }

    /// Moves the cursor to the start.
    pub fn home(&mut self) {
        self.cursor = 0;
    }

    /// Moves the cursor to the end.
    pub fn end(&mut self) {
        self.cursor = self.text.len();
    }

    fn boundaries(&self) -> impl Iterator<Item = usize> {
        let starts = self.text.grapheme_indices(true).map(|(start, _)| start);
        starts.chain([self.text.len()])
    }

    fn before(&self) -> usize {
        self.boundaries()
            .take_while(|boundary| *boundary < self.cursor)
            .last()
            .unwrap_or(0)
    }

    fn after(&self) -> usize {
        self.boundaries()
            .find(|boundary| *boundary > self.cursor)
            .unwrap_or(self.text.len())
    }
}

/// Most lines that are kept.
const MOST: usize = 100;

/// Lines that were entered before, to enter them again: as a shell does with its arrow keys.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Entered {
    lines: Vec<String>,
    /// Which of them stands in the input, counted from the newest; `None` for what is being typed.
    at: Option<usize>,
    /// What was typed before the first of them was asked for.
    draft: String,
}

impl Entered {
    /// Keeps a line that was entered. One that was entered before moves to the end.
    pub fn push(&mut self, line: &str) {
        self.at = None;
        if line.trim().is_empty() {
            return;
        }
        self.lines.retain(|known| known != line);
        self.lines.push(line.to_owned());
        if self.lines.len() > MOST {
            self.lines.remove(0);
        }
    }

    /// Whether a line from before stands in the input.
    pub const fn is_recalled(&self) -> bool {
        self.at.is_some()
    }

    /// Begins with what is typed.
    pub fn begin(&mut self) {
        self.at = None;
    }

    /// Puts the line before into the input; whether there is one.
    pub fn older(&mut self, prompt: &mut PromptState) -> bool {
        let next = self.at.map_or(0, |at| at + 1);
        let Some(line) = self.lines.iter().rev().nth(next) else {
            return false;
        };
        if self.at.is_none() {
            prompt.text().clone_into(&mut self.draft);
        }
        self.at = Some(next);
        *prompt = PromptState::with(line);
        true
    }

    /// Puts the line after into the input, in the end what was typed; whether there is one.
    pub fn newer(&mut self, prompt: &mut PromptState) -> bool {
        let Some(at) = self.at else { return false };
        self.at = at.checked_sub(1);
        let line = self.at.and_then(|at| self.lines.iter().rev().nth(at));
        *prompt = PromptState::with(line.unwrap_or(&self.draft));
        true
    }
}

/// Draws a prompt.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    sign: &'a str,
    state: &'a PromptState,
    placeholder: &'a str,
    right: &'a str,
    theme: &'a Theme,
}

impl<'a> Prompt<'a> {
    /// A prompt after a sign such as `/` or `:`.
    pub const fn new(sign: &'a str, state: &'a PromptState, theme: &'a Theme) -> Self {
        Self {
            sign,
            state,
            placeholder: "",
            right: "",
            theme,
        }
    }

    /// What to say while there is no input.
    #[must_use]
    pub const fn placeholder(mut self, words: &'a str) -> Self {
        self.placeholder = words;
        self
    }

    /// What to say at the right edge, such as the number of matches.
    #[must_use]
    pub const fn right(mut self, words: &'a str) -> Self {
        self.right = words;
        self
    }

    /// The prompt in words.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        golden::rows(&golden::draw(width, 1, |area, buffer| {
            self.render(area, buffer);
        }))
    }

    /// Where the terminal's cursor belongs when the prompt is drawn in this area.
    pub fn cursor(&self, area: Rect) -> Position {
        let (input, skip) = self.input(area);
        let before = width(&self.state.text[..self.state.cursor]).saturating_sub(skip);
        let x = usize::from(input.x) + before;
        let last = usize::from(area.right().saturating_sub(1).max(area.x));
        Position {
            x: x.min(last) as u16,
            y: area.y,
        }
    }

    /// The area of the input, and how many of its cells are scrolled away to the left.
    fn input(&self, area: Rect) -> (Rect, usize) {
        let sign = (width(self.sign) as u16).min(area.width);
        let right = width(self.right);
        let free = usize::from(area.width - sign);
        let right = if right > 0 && right + 12 <= free {
            right as u16 + 2
        } else {
            0
        };
        let room = area.width - sign - right;
        let input = Rect {
            x: area.x + sign,
            width: room,
            ..area
        };
        let before = width(&self.state.text[..self.state.cursor]);
        // One cell for the cursor behind the last character.
        (input, (before + 1).saturating_sub(usize::from(room)))
    }
}

impl Widget for &Prompt<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = Rect {
            height: area.height.min(1),
            ..area
        }
        .intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        draw_text(self.sign, Role::Key, area, buffer, self.theme);
        let (input, skip) = self.input(area);
        if input.right() < area.right() {
            let right = Label::of(Role::Muted, self.right.to_owned());
            crate::text::draw_right(&right, area, buffer, self.theme);
        }
        if self.state.is_empty() {
            draw_text(self.placeholder, Role::Muted, input, buffer, self.theme);
            return;
        }
        let mut skipped = 0;
        let shown = self
            .state
            .text
            .grapheme_indices(true)
            .find(|(_, grapheme)| {
                if skipped >= skip {
                    return true;
                }
                skipped += width(grapheme);
                false
            });
        let start = shown.map_or(self.state.text.len(), |(start, _)| start);
        let text = Label::from(self.state.text[start..].to_owned());
        draw_label(&text, input, buffer, self.theme, Style::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_from_before_come_back_and_what_was_typed_is_kept() {
        let mut entered = Entered::default();
        let mut prompt = PromptState::with("typed");
        assert!(!entered.older(&mut prompt) && !entered.newer(&mut prompt));
        for line in ["routes", "gw", " ", "routes"] {
            entered.push(line);
        }
        let mut seen = Vec::new();
        while entered.older(&mut prompt) {
            seen.push(prompt.text().to_owned());
        }
        assert_eq!(seen, ["routes", "gw"]);
        assert!(entered.is_recalled());
        assert!(entered.newer(&mut prompt));
        assert_eq!(prompt.text(), "routes");
        assert!(entered.newer(&mut prompt));
        assert_eq!(prompt.text(), "typed");
        assert!(!entered.newer(&mut prompt));
    }
}
