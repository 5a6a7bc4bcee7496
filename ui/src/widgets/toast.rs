//! Short messages in the lower right corner.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::fields::draw_all;
use super::overlay::clear;
use super::panel::Panel;
use crate::golden;
use crate::text::{Label, hang};
use crate::theme::{Mark, Theme};

/// Widest box, in cells.
const WIDEST: u16 = 60;
/// Most lines of one message.
const MAX_LINES: usize = 6;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// What kind of message it is.
    pub mark: Mark,
    /// What it says.
    pub label: Label,
}

impl Toast {
    /// A message.
    pub fn new(mark: Mark, label: impl Into<Label>) -> Self {
        Self {
            mark,
            label: label.into(),
        }
    }
}

/// Draws messages, the newest at the bottom; the oldest go when there is no room.
#[derive(Clone, Copy, Debug)]
pub struct Toasts<'a> {
    toasts: &'a [Toast],
    theme: &'a Theme,
}

impl<'a> Toasts<'a> {
    /// These messages, the newest last.
    pub const fn new(toasts: &'a [Toast], theme: &'a Theme) -> Self {
        Self { toasts, theme }
    }

    /// The messages in words.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        let toasts = self.toasts.iter();
        let lines: Vec<Label> = toasts
            .flat_map(|toast| self.lines(toast, usize::from(width)))
            .collect();
        golden::paged(width, lines.len(), |first, area, buffer| {
            draw_all(&lines[first..], area, buffer, self.theme);
        })
    }

    fn lines(&self, toast: &Toast, width: usize) -> Vec<Label> {
        let sign = Label::new().mark(toast.mark, self.theme).text(" ");
        hang(&sign, &toast.label, width)
    }
}

impl Widget for &Toasts<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if area.width < 8 {
            return;
        }
        let mut bottom = area.bottom();
        for toast in self.toasts.iter().rev() {
            let room = area.width.min(WIDEST) - 4;
            let mut lines = self.lines(toast, usize::from(room));
            lines.truncate(MAX_LINES);
            let longest = lines.iter().map(Label::width).max().unwrap_or(0) as u16;
            let (width, height) = (longest.min(room) + 4, lines.len() as u16 + 2);
            if height > bottom - area.top() {
                return;
            }
            bottom -= height;
            let place = Rect {
                x: area.right() - width,
                y: bottom,
                width,
                height,
            };
            clear(place, buffer);
            let panel = Panel::new("", self.theme).edge(toast.mark.role());
            panel.render(place, buffer);
            let inner = Rect {
                x: place.x + 2,
                y: place.y + 1,
                width: width - 4,
                height: height - 2,
            };
            draw_all(&lines, inner, buffer, self.theme);
        }
    }
}
