//! The header and footer bars.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use crate::golden;
use crate::text::{Label, cut_middle, draw_label, draw_right};
use crate::theme::{Role, Theme};

/// One line at the top: left, middle and right. When it is narrow, the middle goes first, then
/// the left is cut; the right stays.
#[derive(Clone, Debug)]
pub struct Header<'a> {
    theme: &'a Theme,
    left: Label,
    middle: Label,
    right: Label,
}

impl<'a> Header<'a> {
    /// A header with these three parts.
    pub fn new(
        left: impl Into<Label>,
        middle: impl Into<Label>,
        right: impl Into<Label>,
        theme: &'a Theme,
    ) -> Self {
        Self {
            theme,
            left: left.into(),
            middle: middle.into(),
            right: right.into(),
        }
    }

    /// The header in words.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        golden::rows(&golden::draw(width, 1, |area, buffer| {
            self.render(area, buffer);
        }))
    }
}

impl Widget for &Header<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = Rect {
            height: area.height.min(1),
            ..area
        }
        .intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        buffer.set_style(area, self.theme.style(Role::Bar));
        let inner = inset(area);
        let right = draw_right(&self.right, inner, buffer, self.theme);
        let room = inner.width.saturating_sub(right + u16::from(right > 0) * 2);
        let left_area = Rect {
            width: room,
            ..inner
        };
        let left = draw_label(&self.left, left_area, buffer, self.theme, Style::new());
        let middle = self.middle.width();
        let free = usize::from(room.saturating_sub(left));
        if middle > 0 && middle + 2 <= free {
            let middle_area = Rect {
                x: inner.x + left + 2,
                width: room - left - 2,
                ..inner
            };
            draw_right(&self.middle, middle_area, buffer, self.theme);
        }
    }
}

/// One key and what it does here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The key as printed, such as `p` or `ctrl-c`.
    pub key: String,
    /// What it does, in a word or two.
    pub words: String,
    /// Stays when others are dropped.
    pub keep: bool,
}

impl Hint {
    /// A hint that may be dropped.
    pub fn new(key: impl Into<String>, words: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            words: words.into(),
            keep: false,
        }
    }

    /// The same, but it stays when others are dropped.
    #[must_use]
    pub const fn keep(mut self) -> Self {
        self.keep = true;
        self
    }

    fn label(&self) -> Label {
        Label::of(Role::Key, self.key.clone())
            .text(" ")
            .and(Role::Normal, self.words.clone())
    }
}

/// One line at the bottom: keys and what they do. When it is narrow, hints are dropped from the
/// right, those to keep last.
#[derive(Clone, Copy, Debug)]
pub struct Footer<'a> {
    theme: &'a Theme,
    hints: &'a [Hint],
    right: &'a str,
}

impl<'a> Footer<'a> {
    /// A footer of these hints, the most useful first.
    pub const fn new(hints: &'a [Hint], theme: &'a Theme) -> Self {
        Self {
            theme,
            hints,
            right: "",
        }
    }

    /// What stands at its right edge, before any hint.
    #[must_use]
    pub const fn right(mut self, words: &'a str) -> Self {
        self.right = words;
        self
    }

    /// The footer in words.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        golden::rows(&golden::draw(width, 1, |area, buffer| {
            self.render(area, buffer);
        }))
    }

    /// The hints that fit into so many cells, in their order.
    fn fitting(&self, width: usize) -> Vec<Label> {
        let labels: Vec<Label> = self.hints.iter().map(Hint::label).collect();
        let mut shown = vec![true; labels.len()];
        let used = |shown: &[bool]| -> usize {
            let widths = labels.iter().zip(shown).filter(|(_, shown)| **shown);
            widths
                .map(|(label, _)| label.width() + 2)
                .sum::<usize>()
                .saturating_sub(2)
        };
        for keep in [false, true] {
            for index in (0..labels.len()).rev() {
                if used(&shown) <= width {
                    break;
                }
                if self.hints[index].keep == keep {
                    shown[index] = false;
                }
            }
        }
        let kept = labels.iter().zip(shown).filter(|(_, shown)| *shown);
        kept.map(|(label, _)| label.clone()).collect()
    }
}

impl Widget for &Footer<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = Rect {
            height: area.height.min(1),
            ..area
        }
        .intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        buffer.set_style(area, self.theme.style(Role::Bar));
        let mut inner = inset(area);
        let right = cut_middle(
            self.right,
            usize::from(inner.width),
            self.theme.glyphs.ellipsis,
        );
        let right = Label::of(Role::Accent, right);
        let used = draw_right(&right, inner, buffer, self.theme);
        inner.width = inner.width.saturating_sub(used + u16::from(used > 0) * 2);
        let mut x = inner.x;
        for label in self.fitting(usize::from(inner.width)) {
            let room = Rect {
                x,
                width: inner.right().saturating_sub(x),
                ..inner
            };
            x += draw_label(&label, room, buffer, self.theme, Style::new()) + 2;
        }
    }
}

/// One blank cell left and right, where there is room.
pub(crate) fn inset(area: Rect) -> Rect {
    if area.width < 4 {
        return area;
    }
    Rect {
        x: area.x + 1,
        width: area.width - 2,
        ..area
    }
}
