//! Text of any length, wrapped, scrolled.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{StatefulWidget, Widget};

use crate::golden;
use crate::scroll::{ScrollState, beside_scrollbar, draw_scrollbar};
use crate::text::{Label, draw_label, line_of, wrap_indented, wrapped_height};
use crate::theme::Theme;

/// Draws lines of text.
#[derive(Clone, Copy, Debug)]
pub struct TextView<'a> {
    lines: &'a [Label],
    theme: &'a Theme,
    wrap: bool,
}

impl<'a> TextView<'a> {
    /// These lines, wrapped at words.
    pub const fn new(lines: &'a [Label], theme: &'a Theme) -> Self {
        Self {
            lines,
            theme,
            wrap: true,
        }
    }

    /// Whether lines that do not fit are wrapped, or cut.
    #[must_use]
    pub const fn wrap(mut self, wrap: bool) -> Self {
        self.wrap = wrap;
        self
    }

    /// The number of lines on the screen at this width.
    pub fn height(&self, width: u16) -> usize {
        if !self.wrap {
            return self.lines.len();
        }
        self.lines
            .iter()
            .map(|line| wrapped_height(line, usize::from(width)))
            .sum()
    }

    /// The text in lines of at most this width.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        golden::paged(width, self.height(width), |first, area, buffer| {
            self.draw_from(first, area, buffer);
        })
    }

    /// The lines as they are drawn in an area, those that are scrolled away among them.
    pub fn rows(&self, area: Rect) -> Vec<String> {
        let inner = beside_scrollbar(self.height(area.width), area);
        self.to_text(inner.width)
    }

    fn draw_from(&self, first: usize, area: Rect, buffer: &mut Buffer) {
        let width = usize::from(area.width);
        let mut skip = first;
        let mut y = area.top();
        for line in self.lines {
            if y >= area.bottom() {
                return;
            }
            let height = if self.wrap {
                wrapped_height(line, width)
            } else {
                1
            };
            if skip >= height {
                skip -= height;
                continue;
            }
            let parts = if height == 1 {
                vec![line.clone()]
            } else {
                wrap_indented(line, width)
            };
            for part in parts.iter().skip(skip) {
                let row = line_of(area, y);
                if y < area.bottom() {
                    draw_label(part, row, buffer, self.theme, Style::new());
                }
                y = y.saturating_add(1);
            }
            skip = 0;
        }
    }
}

impl StatefulWidget for &TextView<'_> {
    type State = ScrollState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut ScrollState) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let mut inner = area;
        let mut lines = self.height(inner.width);
        if beside_scrollbar(lines, area) != area {
            inner = beside_scrollbar(lines, area);
            lines = self.height(inner.width);
        }
        state.fit(lines, usize::from(area.height));
        self.draw_from(state.offset, inner, buffer);
        draw_scrollbar(lines, state.offset, area, buffer, self.theme);
    }
}

impl Widget for &TextView<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        self.draw_from(0, area.intersection(buffer.area), buffer);
    }
}
