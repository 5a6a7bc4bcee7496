//! Where a list or a text is scrolled to, and the bar that says so.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Scrollbar, ScrollbarOrientation, ScrollbarState, StatefulWidget};

use crate::theme::{Role, Theme};

/// An offset behind the end of every list, to which the lines of a screen can still be added: a click may come before
/// the list is drawn again.
const FAR: usize = usize::MAX / 2;

/// Selection and scroll position of a list. Drawing keeps both inside of the content and the
/// selection visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ListState {
    /// The selected item, from 0.
    pub selected: usize,
    /// The first visible item (in lists of one line each) or line (in all others).
    pub offset: usize,
    /// Items at the last drawing.
    pub len: usize,
    /// Visible lines at the last drawing; the distance of a page.
    pub page: usize,
    /// Lines of the selected item above the screen and below it at the last drawing, where it is higher than that.
    hidden: (usize, usize),
}

impl ListState {
    /// The same with this item selected.
    #[must_use]
    pub const fn at(selected: usize) -> Self {
        Self {
            selected,
            offset: 0,
            len: 0,
            page: 0,
            hidden: (0, 0),
        }
    }

    /// The selected item; `None` when there are no items.
    pub fn selected(&self, len: usize) -> Option<usize> {
        len.checked_sub(1).map(|last| self.selected.min(last))
    }

    /// The same, told how many items there are.
    #[must_use]
    pub const fn of(mut self, len: usize) -> Self {
        self.len = len;
        self
    }

    /// The last item; before the first drawing, when the length is not known, there is no bound.
    const fn end(&self) -> usize {
        if self.len == 0 {
            usize::MAX
        } else {
            self.len - 1
        }
    }

    /// Moves the selection by this many items, and stops at both ends. An item that is higher than the screen is
    /// scrolled first.
    pub fn move_by(&mut self, items: isize) {
        let (above, below) = &mut self.hidden;
        let lines = items.unsigned_abs();
        let lines = lines.min(if items < 0 { *above } else { *below });
        if lines > 0 && items < 0 {
            (*above, *below) = (*above - lines, *below + lines);
            self.offset = self.offset.saturating_sub(lines);
            return;
        } else if lines > 0 {
            (*above, *below) = (*above + lines, *below - lines);
            self.offset += lines;
            return;
        }
        self.hidden = (0, 0);
        let end = self.end();
        self.selected = self.selected.min(end).saturating_add_signed(items).min(end);
    }

    /// Selects the next item.
    pub fn next(&mut self) {
        self.move_by(1);
    }

    /// Selects the item before.
    pub fn previous(&mut self) {
        self.move_by(-1);
    }

    /// Selects an item one page further down.
    pub fn page_down(&mut self) {
        self.move_by(self.page.saturating_sub(1).max(1).cast_signed());
    }

    /// Selects an item one page further up.
    pub fn page_up(&mut self) {
        self.move_by(-self.page.saturating_sub(1).max(1).cast_signed());
    }

    /// Selects the first item.
    pub fn first(&mut self) {
        self.selected = 0;
        self.offset = 0;
        self.hidden = (0, 0);
    }

    /// Selects the last item.
    pub fn last(&mut self) {
        self.selected = self.end();
        // Drawing shows its end.
        self.offset = FAR;
        self.hidden = (0, 0);
    }

    /// Takes the content's size into account before drawing items of one line each.
    pub(crate) fn fit(&mut self, len: usize, height: usize) {
        let selected = self.selected.min(len.saturating_sub(1));
        self.fit_lines(len, height, len, selected..selected + 1);
    }

    /// Takes the content's size into account before drawing `len` items in `lines` lines, of
    /// which the selected item covers `selection`.
    pub(crate) fn fit_lines(
        &mut self,
        len: usize,
        height: usize,
        lines: usize,
        selection: std::ops::Range<usize>,
    ) {
        self.len = len;
        self.page = height;
        self.selected = self.selected.min(len.saturating_sub(1));
        if height == 0 {
            return;
        }
        let (start, end) = (
            selection.start.min(lines.saturating_sub(1)),
            selection.end.min(lines),
        );
        self.offset = if end.saturating_sub(start) > height {
            // Of an item that is higher than the screen any part may be shown.
            self.offset.clamp(start, end - height)
        } else {
            self.offset.clamp(end.saturating_sub(height), start)
        };
        self.offset = self.offset.min(lines.saturating_sub(height));
        self.hidden = if end.saturating_sub(start) > height {
            (self.offset - start, end - height - self.offset)
        } else {
            (0, 0)
        };
    }
}

/// Scroll position of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ScrollState {
    /// The first visible line, from 0.
    pub offset: usize,
    /// Lines at the last drawing.
    pub lines: usize,
    /// Visible lines at the last drawing.
    pub page: usize,
}

impl ScrollState {
    /// Scrolls by this many lines, down if positive, and stops at both ends.
    pub fn scroll_by(&mut self, lines: isize) {
        let last = self.lines.saturating_sub(self.page);
        self.offset = self.offset.saturating_add_signed(lines).min(last);
    }

    /// One page down.
    pub fn page_down(&mut self) {
        self.scroll_by(self.page.saturating_sub(1).max(1).cast_signed());
    }

    /// One page up.
    pub fn page_up(&mut self) {
        self.scroll_by(-self.page.saturating_sub(1).max(1).cast_signed());
    }

    /// To the first line.
    pub fn first(&mut self) {
        self.offset = 0;
    }

    /// To the last line.
    pub fn last(&mut self) {
        self.offset = self.lines.saturating_sub(self.page);
    }

    pub(crate) fn fit(&mut self, lines: usize, height: usize) {
        self.lines = lines;
        self.page = height;
        self.offset = self.offset.min(lines.saturating_sub(height));
    }
}

/// Whether `lines` lines need a scroll bar in this area.
pub(crate) fn overflows(lines: usize, area: Rect) -> bool {
    lines > usize::from(area.height) && area.width > 4 && area.height > 1
}

/// The area without the column of the scroll bar, if `lines` lines need one.
pub(crate) fn beside_scrollbar(lines: usize, area: Rect) -> Rect {
    Rect {
        width: area.width - u16::from(overflows(lines, area)),
        ..area
    }
}

/// Draws the scroll bar in the last column of the area, if `lines` lines need one.
pub(crate) fn draw_scrollbar(
    lines: usize,
    offset: usize,
    area: Rect,
    buffer: &mut Buffer,
    theme: &Theme,
) {
    if !overflows(lines, area) {
        return;
    }
    let height = usize::from(area.height);
    let mut state = ScrollbarState::new(lines - height + 1)
        .viewport_content_length(height)
        .position(offset);
    Scrollbar::new(ScrollbarOrientation::VerticalRight)
        .begin_symbol(None)
        .end_symbol(None)
        .track_symbol(Some(theme.glyphs.vertical))
        .thumb_symbol(theme.glyphs.thumb)
        .track_style(theme.style(Role::Border))
        .thumb_style(theme.style(Role::Muted))
        .render(area, buffer, &mut state);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_stays_inside_and_visible() {
        let mut state = ListState::at(0);
        state.fit(100, 10);
        state.move_by(15);
        state.fit(100, 10);
        assert_eq!((state.selected, state.offset), (15, 6));
        state.page_up();
        state.fit(100, 10);
        assert_eq!((state.selected, state.offset), (6, 6));
        state.last();
        state.fit(100, 10);
        assert_eq!((state.selected, state.offset), (99, 90));
        state.fit(3, 10);
        assert_eq!((state.selected, state.offset), (2, 0));
        state.next();
        assert_eq!(state.selected, 2);
        state.first();
        state.previous();
        assert_eq!(state.selected, 0);
        state.fit(0, 10);
        assert_eq!(state.selected(0), None);
    }

    #[test]
    fn keys_before_the_first_drawing_are_not_lost() {
        let mut state = ListState::default();
        state.next();
        state.next();
        state.fit(10, 5);
        assert_eq!(state.selected, 2);
        let mut state = ListState::default();
        state.last();
        state.fit(10, 5);
        assert_eq!(state.selected, 9);
        assert_eq!(ListState::at(1).of(2).selected(2), Some(1));
    }

    #[test]
    fn an_item_higher_than_the_screen_shows_its_start_and_is_scrolled() {
        let mut state = ListState::at(1);
        state.fit_lines(3, 4, 30, 10..25);
        assert_eq!(state.offset, 10);
        // A part of it that somebody goes to stays on the screen, and so does the end that one comes to from below.
        state.offset = 15;
        state.fit_lines(3, 4, 30, 10..25);
        assert_eq!(state.offset, 15);
        state.offset = 26;
        state.fit_lines(3, 4, 30, 10..25);
        assert_eq!(state.offset, 21);
        // Keys scroll it before they leave it.
        state.page_up();
        state.previous();
        assert_eq!((state.selected, state.offset), (1, 17));
        state.move_by(-100);
        assert_eq!((state.selected, state.offset), (1, 10));
        state.previous();
        assert_eq!(state.selected, 0);
        // From below one comes to its end.
        state.fit_lines(3, 4, 30, 0..10);
        assert_eq!(state.offset, 6);
        state.move_by(-30);
        state.move_by(3);
        state.fit_lines(3, 4, 30, 0..10);
        assert_eq!((state.selected, state.offset), (0, 3));
        state.move_by(30);
        assert_eq!((state.selected, state.offset), (0, 6));
        state.next();
        state.fit_lines(3, 4, 30, 10..25);
        assert_eq!((state.selected, state.offset), (1, 10));
        // To the last item, and to its end.
        state.last();
        state.fit_lines(3, 4, 30, 25..30);
        assert_eq!((state.selected, state.offset), (2, 26));
    }

    #[test]
    fn texts_scroll_no_further_than_to_their_ends() {
        let mut state = ScrollState::default();
        state.fit(20, 8);
        state.page_down();
        assert_eq!(state.offset, 7);
        state.scroll_by(100);
        assert_eq!(state.offset, 12);
        state.scroll_by(-100);
        assert_eq!(state.offset, 0);
        state.last();
        state.fit(5, 8);
        assert_eq!(state.offset, 0);
    }
}
