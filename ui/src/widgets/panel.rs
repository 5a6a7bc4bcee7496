//! A framed pane with a title; its frame says whether it has the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Borders, Widget};

use crate::glyphs::GlyphSet;
use crate::text::{Label, draw_label};
use crate::theme::{Role, Theme};

/// A framed pane. Draw it, then draw into [`Panel::inner`].
#[derive(Clone, Debug)]
pub struct Panel<'a> {
    theme: &'a Theme,
    title: Label,
    right: Label,
    bottom: Label,
    edge: Option<Role>,
    focused: bool,
}

impl<'a> Panel<'a> {
    /// A pane with this title.
    pub fn new(title: impl Into<Label>, theme: &'a Theme) -> Self {
        Self {
            theme,
            title: title.into(),
            right: Label::new(),
            bottom: Label::new(),
            edge: None,
            focused: false,
        }
    }

    /// Whether the pane has the keys.
    #[must_use]
    pub const fn focused(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// A role for the frame, other than that of any pane.
    #[must_use]
    pub const fn edge(mut self, role: Role) -> Self {
        self.edge = Some(role);
        self
    }

    /// A label at the right end of the upper edge, dropped where it does not fit.
    #[must_use]
    pub fn right(mut self, label: impl Into<Label>) -> Self {
        self.right = label.into();
        self
    }

    /// A label at the right end of the lower edge, dropped where it does not fit.
    #[must_use]
    pub fn bottom(mut self, label: impl Into<Label>) -> Self {
        self.bottom = label.into();
        self
    }

    /// The area inside of the frame.
    pub fn inner(area: Rect) -> Rect {
        Block::bordered().inner(area)
    }

    fn draw_edge_label(&self, label: &Label, left: u16, y: u16, area: Rect, buffer: &mut Buffer) {
        let width = u16::try_from(label.width())
            .unwrap_or(u16::MAX)
            .saturating_add(2);
        if label.is_empty() || width > area.right().saturating_sub(left + 1) {
            return;
        }
        let x = area.right() - 1 - width;
        let label = Label::from(" ")
            .and(Role::Normal, "")
            .joined(label)
            .text(" ");
        draw_label(
            &label,
            Rect::new(x, y, width, 1),
            buffer,
            self.theme,
            ratatui::style::Style::new(),
        );
    }
}

impl Widget for &Panel<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let usual = if self.focused {
            Role::Focus
        } else {
            Role::Border
        };
        let role = self.edge.unwrap_or(usual);
        Block::new()
            .borders(Borders::ALL)
            .border_set(border_set(self.theme))
            .border_style(self.theme.style(role))
            .render(area, buffer);
        if area.width < 5 {
            return;
        }
        let mut left = area.x + 1;
        if !self.title.is_empty() {
            let role = if self.focused {
                Role::Accent
            } else {
                Role::Title
            };
            let title = self.title.clone().or(role);
            let title = Label::from(" ").joined(&title).text(" ");
            let room = Rect {
                x: left,
                y: area.y,
                width: area.width - 2,
                height: 1,
            };
            left += draw_label(
                &title,
                room,
                buffer,
                self.theme,
                ratatui::style::Style::new(),
            );
        }
        self.draw_edge_label(&self.right, left, area.y, area, buffer);
        if area.height > 1 {
            self.draw_edge_label(&self.bottom, area.x + 1, area.bottom() - 1, area, buffer);
        }
    }
}

/// The lines of frames.
pub(crate) fn border_set(theme: &Theme) -> ratatui::symbols::border::Set<'static> {
    match theme.glyphs.set {
        GlyphSet::Unicode => ratatui::symbols::border::ROUNDED,
        GlyphSet::Ascii => ratatui::symbols::border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        },
    }
}
