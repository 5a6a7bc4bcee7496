//! A framed box over the middle of the screen; what is below it is cleared.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

use super::panel::Panel;
use crate::text::{Label, width};
use crate::theme::{Role, Theme};

/// A centred box.
#[derive(Clone, Debug)]
pub struct Overlay<'a> {
    title: Label,
    bottom: Label,
    width: u16,
    height: u16,
    theme: &'a Theme,
}

impl<'a> Overlay<'a> {
    /// A box for content of this size; smaller where the screen is.
    pub fn new(title: impl Into<Label>, width: u16, height: u16, theme: &'a Theme) -> Self {
        Self {
            title: title.into(),
            bottom: Label::new(),
            width,
            height,
            theme,
        }
    }

    /// A label at the lower edge, such as the keys that apply.
    #[must_use]
    pub fn bottom(mut self, label: impl Into<Label>) -> Self {
        self.bottom = label.into();
        self
    }

    /// The box on a screen, its frame included.
    pub fn outer(&self, screen: Rect) -> Rect {
        let width = self.width.saturating_add(4).min(screen.width);
        let height = self.height.saturating_add(2).min(screen.height);
        Rect {
            x: screen.x + (screen.width - width) / 2,
            y: screen.y + (screen.height - height) / 2,
            width,
            height,
        }
    }

    /// The area for the content on a screen.
    pub fn inner(&self, screen: Rect) -> Rect {
        let inner = Panel::inner(self.outer(screen));
        super::bars::inset(inner)
    }
}

impl Widget for &Overlay<'_> {
    fn render(self, screen: Rect, buffer: &mut Buffer) {
        let outer = self.outer(screen.intersection(buffer.area));
        clear(outer, buffer);
        let panel = Panel::new(self.title.clone(), self.theme)
            .focused(true)
            .bottom(self.bottom.clone().or(Role::Muted));
        panel.render(outer, buffer);
    }
}

/// No character that people write takes more cells.
const WIDEST_CHARACTER: u16 = 4;

/// Empties an area; a wide character that reaches into it from the left goes as a whole.
pub(crate) fn clear(area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    for y in area.top()..area.bottom() {
        let left = area.x.saturating_sub(WIDEST_CHARACTER).max(buffer.area.x);
        for x in left..area.x {
            let cell = &mut buffer[(x, y)];
            if width(cell.symbol()) > usize::from(area.x - x) {
                cell.set_symbol(" ");
            }
        }
    }
    Clear.render(area, buffer);
}
