//! All keys, by section, in as many columns as fit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{StatefulWidget, Widget};

use super::fields::draw_scrolled;
use super::overlay::Overlay;
use crate::golden;
use crate::scroll::ScrollState;
use crate::text::{Label, hang, pad};
use crate::theme::{Role, Theme};

/// Least cells of a column.
const LEAST_COLUMN: usize = 38;
/// Blank cells between columns.
const BETWEEN: usize = 3;
/// Widest content, in cells.
const WIDEST: u16 = 120;

/// Keys that belong together.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Section {
    /// Where they apply.
    pub title: String,
    /// Keys as printed, and what they do.
    pub keys: Vec<(String, String)>,
}

impl Section {
    /// A section without keys yet.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            keys: Vec::new(),
        }
    }

    /// The same with one more key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>, words: impl Into<String>) -> Self {
        self.keys.push((key.into(), words.into()));
        self
    }
}

/// Draws the keys over the screen.
#[derive(Clone, Debug)]
pub struct Help<'a> {
    title: &'a str,
    sections: &'a [Section],
    theme: &'a Theme,
    bottom: Label,
}

impl<'a> Help<'a> {
    /// These sections below a title.
    pub const fn new(title: &'a str, sections: &'a [Section], theme: &'a Theme) -> Self {
        Self {
            title,
            sections,
            theme,
            bottom: Label::new(),
        }
    }

    /// The same with a label at the lower edge, such as the keys that apply.
    #[must_use]
    pub fn bottom(mut self, label: Label) -> Self {
        self.bottom = label;
        self
    }

    /// The keys in lines of at most this width.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        let lines = self.lines(width);
        golden::paged(width, lines.len(), |first, area, buffer| {
            super::fields::draw_all(&lines[first..], area, buffer, self.theme);
        })
    }

    /// One section under its title.
    fn section(&self, section: &Section, keys: usize, width: usize) -> Vec<Label> {
        let ellipsis = self.theme.glyphs.ellipsis;
        let mut lines = hang(
            &Label::new(),
            &Label::of(Role::Title, section.title.clone()),
            width,
        );
        for (key, words) in &section.keys {
            let key = pad(
                &Label::of(Role::Key, key.clone()),
                keys.min(width / 2),
                ellipsis,
            );
            lines.extend(hang(&key.text("  "), &Label::from(words.clone()), width));
        }
        lines
    }

    fn lines(&self, width: u16) -> Vec<Label> {
        let width = usize::from(width);
        let keys = self.sections.iter().flat_map(|section| &section.keys);
        let keys = keys
            .map(|(key, _)| crate::text::width(key))
            .max()
            .unwrap_or(0);
        let columns = ((width + BETWEEN) / (LEAST_COLUMN + BETWEEN))
            .clamp(1, self.sections.len().clamp(1, 3));
        let each = (width + BETWEEN) / columns - BETWEEN.min(width);
        let sections: Vec<Vec<Label>> = self
            .sections
            .iter()
            .map(|section| self.section(section, keys, each))
            .collect();
        let columns = balanced(sections, columns);
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        let blank = Label::new();
        (0..height)
            .map(|row| {
                let mut line = Label::new();
                for (index, column) in columns.iter().enumerate() {
                    let cell = column.get(row).unwrap_or(&blank);
                    let last = index + 1 == columns.len();
                    let cells = if last { each } else { each + BETWEEN };
                    line.extend(pad(cell, cells, self.theme.glyphs.ellipsis));
                }
                line
            })
            .collect()
    }

    fn overlay(&self, screen: Rect) -> Overlay<'a> {
        let width = screen.width.saturating_sub(8).min(WIDEST);
        let height = u16::try_from(self.lines(width).len()).unwrap_or(u16::MAX);
        Overlay::new(self.title.to_owned(), width, height, self.theme).bottom(self.bottom.clone())
    }
}

/// Sections in columns of about the same height, in their order, with a blank line in between.
fn balanced(sections: Vec<Vec<Label>>, columns: usize) -> Vec<Vec<Label>> {
    let total: usize = sections.iter().map(|section| section.len() + 1).sum();
    let mut left = total;
    let mut filled: Vec<Vec<Label>> = vec![Vec::new()];
    for section in sections {
        let open = columns - (filled.len() - 1);
        let height = filled.last().map_or(0, Vec::len);
        let target = (height + left).div_ceil(open);
        let too_high = height > 0 && height + section.len() / 2 > target;
        if too_high && filled.len() < columns {
            filled.push(Vec::new());
        }
        left -= section.len() + 1;
        if let Some(column) = filled.last_mut() {
            if !column.is_empty() {
                column.push(Label::new());
            }
            column.extend(section);
        }
    }
    filled
}

impl StatefulWidget for &Help<'_> {
    type State = ScrollState;

    fn render(self, screen: Rect, buffer: &mut Buffer, state: &mut ScrollState) {
        let screen = screen.intersection(buffer.area);
        let overlay = self.overlay(screen);
        overlay.render(screen, buffer);
        let inner = overlay.inner(screen);
        draw_scrolled(|width| self.lines(width), inner, buffer, state, self.theme);
    }
}
