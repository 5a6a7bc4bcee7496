//! A list of entries that take as many lines as they need: sentences are wrapped, never cut. One is
//! selected.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::StatefulWidget;

use super::tree::select;
use crate::golden;
use crate::scroll::{ListState, beside_scrollbar, draw_scrollbar};
use crate::text::{Label, draw_label, draw_right, line_of};
use crate::theme::{Role, Theme};

/// One line of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Line {
    /// What stands at the left edge.
    pub left: Label,
    /// What stands at the right edge.
    pub right: Label,
}

impl From<Label> for Line {
    fn from(left: Label) -> Self {
        Self {
            left,
            right: Label::new(),
        }
    }
}

/// One entry: its lines at the width that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Entry {
    /// The lines, none wider than the width.
    pub lines: Vec<Line>,
}

impl Entry {
    /// An entry of these lines.
    pub fn of(lines: impl IntoIterator<Item = Label>) -> Self {
        Self {
            lines: lines.into_iter().map(Line::from).collect(),
        }
    }
}

/// Draws entries. The state's offset counts lines.
#[derive(Clone, Copy)]
pub struct Entries<'a> {
    /// Makes the entries for a width, and for the number of the selected one.
    make: &'a dyn Fn(u16, usize) -> Vec<Entry>,
    theme: &'a Theme,
    focused: bool,
}

impl<'a> Entries<'a> {
    /// Entries that `make` makes for a width in cells and the number of the selected one. Each line has two
    /// cells more at its left, for the cursor.
    pub const fn new(make: &'a dyn Fn(u16, usize) -> Vec<Entry>, theme: &'a Theme) -> Self {
        Self {
            make,
            theme,
            focused: true,
        }
    }

    /// Whether the list has the keys.
    #[must_use]
    pub const fn focused(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// All entries in words.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        let entries = (self.make)(width.saturating_sub(CURSOR), usize::MAX);
        let lines: Vec<Line> = entries.into_iter().flat_map(|entry| entry.lines).collect();
        golden::paged(width, lines.len(), |first, area, buffer| {
            for (y, line) in (area.top()..area.bottom()).zip(&lines[first..]) {
                self.draw_line(line, false, line_of(area, y), buffer);
            }
        })
    }

    /// The entry that stands at a row of the area, as the state was left by drawing.
    pub fn at(&self, row: u16, area: Rect, state: &ListState) -> Option<usize> {
        let make = |width: u16| (self.make)(width.saturating_sub(CURSOR), state.selected);
        let lines = |entries: &[Entry]| entries.iter().map(|e| e.lines.len()).sum::<usize>();
        let mut entries = make(area.width);
        let inner = beside_scrollbar(lines(&entries), area);
        if inner != area {
            entries = make(inner.width);
        }
        let wanted = state.offset + usize::from(row.checked_sub(area.y)?);
        let mut start = 0;
        entries.iter().position(|entry| {
            let range = start..start + entry.lines.len();
            start = range.end;
            range.contains(&wanted)
        })
    }

    fn draw_line(&self, line: &Line, cursor: bool, area: Rect, buffer: &mut Buffer) {
        if cursor {
            let sign = Label::of(Role::Accent, self.theme.glyphs.cursor);
            draw_label(&sign, area, buffer, self.theme, Style::new());
        }
        let inner = Rect {
            x: area.x.saturating_add(CURSOR.min(area.width)),
            width: area.width.saturating_sub(CURSOR),
            ..area
        };
        let used = draw_right(&line.right, inner, buffer, self.theme);
        let room = Rect {
            width: inner.width.saturating_sub(used + u16::from(used > 0)),
            ..inner
        };
        draw_label(&line.left, room, buffer, self.theme, Style::new());
    }
}

/// Cells at the left of each line, for the cursor.
pub const CURSOR: u16 = 2;

impl StatefulWidget for &Entries<'_> {
    type State = ListState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut ListState) {
        let area = area.intersection(buffer.area);
        let make = |width: u16, selected| (self.make)(width.saturating_sub(CURSOR), selected);
        let mut entries = make(area.width, state.selected);
        let last = entries.len().saturating_sub(1);
        if state.selected > last {
            state.selected = last;
            entries = make(area.width, last);
        }
        let lines = |entries: &[Entry]| entries.iter().map(|e| e.lines.len()).sum::<usize>();
        let inner = beside_scrollbar(lines(&entries), area);
        if inner != area {
            entries = make(inner.width, state.selected);
        }
        let total = lines(&entries);
        let start = lines(&entries[..state.selected.min(entries.len())]);
        let height = entries.get(state.selected).map_or(0, |e| e.lines.len());
        state.fit_lines(
            entries.len(),
            usize::from(area.height),
            total,
            start..start + height,
        );
        let numbered = entries.iter().enumerate();
        let all = numbered.flat_map(|(index, entry)| {
            let lines = entry.lines.iter().enumerate();
            lines.map(move |(number, line)| (index, number, line))
        });
        let shown = all.skip(state.offset);
        for (y, (index, number, line)) in (inner.top()..inner.bottom()).zip(shown) {
            let is_selected = index == state.selected;
            let place = line_of(inner, y);
            self.draw_line(line, is_selected && number == 0, place, buffer);
            if is_selected && number == 0 {
                select(place, self.focused, buffer, self.theme);
            }
        }
        if inner != area {
            draw_scrollbar(total, state.offset, area, buffer, self.theme);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::wrap;

    const WORDS: [&str; 3] = [
        "one two three four five",
        "six",
        "seven eight nine ten eleven",
    ];

    fn make(width: u16, _: usize) -> Vec<Entry> {
        let entry = |words: &&'static str| Entry::of(wrap(&Label::from(*words), width.into()));
        WORDS.iter().map(entry).collect()
    }

    #[test]
    fn every_entry_is_wrapped_and_the_selected_one_is_on_the_screen() {
        let theme = Theme::plain();
        let entries = Entries::new(&make, &theme);
        assert_eq!(
            entries.to_text(12),
            [
                "  one two",
                "  three four",
                "  five",
                "  six",
                "  seven",
                "  eight nine",
                "  ten eleven"
            ]
        );
        let mut state = ListState::at(2);
        let buffer = golden::draw(12, 3, |area, buffer| {
            entries.render(area, buffer, &mut state);
        });
        let rows = golden::rows(&buffer);
        assert!(rows[0].starts_with("▸ seven"), "{rows:?}");
        // Fewer entries than before, and no room at all.
        let mut state = ListState::at(99);
        golden::draw(0, 0, |area, buffer| {
            entries.render(area, buffer, &mut state);
        });
        assert_eq!(state.selected, 2);
    }
}
