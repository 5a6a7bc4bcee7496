//! A tree, flattened to its visible branches. Only the rows on the screen are touched.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::StatefulWidget;

use super::rows::Rows;
use crate::golden;
use crate::scroll::{ListState, beside_scrollbar, draw_scrollbar};
use crate::text::{Finder, Label, cut_label, draw_label, highlight, line_of};
use crate::theme::{Mark, Role, Theme};

/// Selection and scroll position of a tree.
pub type TreeState = ListState;

/// Whether a node has children, and whether they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Branch {
    /// It has none.
    #[default]
    Leaf,
    /// They follow.
    Expanded,
    /// They are hidden.
    Collapsed,
}

/// Deepest level that is drawn as such; deeper ones are drawn at this level.
const MAX_DEPTH: u16 = 60;

/// One visible row of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TreeRow {
    /// Distance from the root, which is 0.
    pub depth: u16,
    /// Bit n is set when, at depth n + 1, the ancestor (or this row itself) is the last child:
    /// no line continues below it. [`connect`] sets it.
    pub last: u64,
    /// Children.
    pub branch: Branch,
    /// Health.
    pub mark: Option<Mark>,
    /// What it is.
    pub label: Label,
    /// Said at the right edge, when there is room.
    pub note: Label,
}

impl TreeRow {
    /// A leaf at this depth.
    pub fn new(depth: u16, label: impl Into<Label>) -> Self {
        Self {
            depth,
            label: label.into(),
            ..Self::default()
        }
    }

    /// The same with children shown or hidden.
    #[must_use]
    pub const fn branch(mut self, branch: Branch) -> Self {
        self.branch = branch;
        self
    }

    /// The same with a mark.
    #[must_use]
    pub const fn mark(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }

    /// The same with a note at the right edge.
    #[must_use]
    pub fn note(mut self, note: impl Into<Label>) -> Self {
        self.note = note.into();
        self
    }

    fn is_last_at(&self, depth: u16) -> bool {
        self.last & (1 << (depth.min(MAX_DEPTH) - 1)) != 0
    }
}

/// Finds out, from the depths alone, which rows are last children, so that the connecting lines
/// are right. One pass.
pub fn connect(rows: &mut [TreeRow]) {
    // Bit n: further down, before its parent's level ends, there is another row at depth n + 1.
    let mut open: u64 = 0;
    for row in rows.iter_mut().rev() {
        let depth = row.depth.min(MAX_DEPTH);
        let mask = (1_u64 << depth) - 1;
        row.last = !open & mask;
        open &= mask;
        if depth > 0 {
            open |= 1 << (depth - 1);
        }
    }
}

/// Draws a tree.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    rows: &'a dyn Rows<TreeRow>,
    theme: &'a Theme,
    focused: bool,
    found: Option<Finder<'a>>,
    empty: &'a str,
}

impl<'a> Tree<'a> {
    /// A tree of these rows.
    pub const fn new(rows: &'a dyn Rows<TreeRow>, theme: &'a Theme) -> Self {
        Self {
            rows,
            theme,
            focused: true,
            found: None,
            empty: "",
        }
    }

    /// Whether the tree has the keys.
    #[must_use]
    pub const fn focused(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// Finds the parts of a label that are underlined.
    #[must_use]
    pub const fn found(mut self, find: Finder<'a>) -> Self {
        self.found = Some(find);
        self
    }

    /// What to say when there are no rows.
    #[must_use]
    pub const fn empty(mut self, words: &'a str) -> Self {
        self.empty = words;
        self
    }

    /// The tree in words, a line a row.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        golden::paged(width, self.rows.count(), |first, area, buffer| {
            for y in 0..area.height {
                let row = self.rows.row(first + usize::from(y));
                self.draw_row(&row, line_of(area, y), buffer);
            }
        })
    }

    fn draw_row(&self, row: &TreeRow, area: Rect, buffer: &mut Buffer) {
        let glyphs = self.theme.glyphs;
        let mut lines = String::new();
        let depth = row.depth.min(MAX_DEPTH);
        for level in 1..depth {
            lines.push_str(if row.is_last_at(level) {
                " "
            } else {
                glyphs.vertical
            });
            lines.push(' ');
        }
        if depth > 0 {
            let last = row.is_last_at(depth);
            lines.push_str(if last {
                glyphs.last_branch
            } else {
                glyphs.branch
            });
            lines.push_str(glyphs.horizontal);
        }
        let mut label = Label::of(Role::Lane, lines);
        match row.branch {
            Branch::Leaf if depth == 0 => label.push(Role::Lane, " "),
            Branch::Leaf => label.push(Role::Lane, glyphs.horizontal),
            Branch::Expanded => label.push(Role::Lane, glyphs.expanded),
            Branch::Collapsed => label.push(Role::Accent, glyphs.collapsed),
        }
        label.push(Role::Normal, " ");
        if let Some(mark) = row.mark {
            label.push(mark.role(), self.theme.sign(mark));
            label.push(Role::Normal, " ");
        }
        let prefix = label.width();
        let note = row.note.width();
        let room = usize::from(area.width);
        // The note stays only where the label is not cut for it.
        let with_note = note > 0 && prefix + row.label.width() + 2 + note <= room;
        label.extend(cut_label(
            &row.label,
            room.saturating_sub(prefix),
            glyphs.ellipsis,
        ));
        draw_label(&label, area, buffer, self.theme, Style::new());
        if let Some(find) = self.found {
            highlight(find, &row.label, prefix, area, buffer, self.theme);
        }
        if with_note {
            let width = note as u16;
            let right = Rect {
                x: area.right() - width,
                width,
                ..area
            };
            draw_label(&row.note, right, buffer, self.theme, Style::new());
        }
    }
}

impl StatefulWidget for &Tree<'_> {
    type State = TreeState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut TreeState) {
        let area = area.intersection(buffer.area);
        let count = self.rows.count();
        state.fit(count, usize::from(area.height));
        if area.is_empty() {
            return;
        }
        if count == 0 {
            draw_label(
                &Label::of(Role::Muted, self.empty.to_owned()),
                area,
                buffer,
                self.theme,
                Style::new(),
            );
            return;
        }
        let inner = beside_scrollbar(count, area);
        for (y, index) in (inner.top()..inner.bottom()).zip(state.offset..count) {
            let line = line_of(inner, y);
            self.draw_row(&self.rows.row(index), line, buffer);
            if index == state.selected {
                select(line, self.focused, buffer, self.theme);
            }
        }
        draw_scrollbar(count, state.offset, area, buffer, self.theme);
    }
}

/// Lays the look of the selection over a row.
pub(crate) fn select(line: Rect, focused: bool, buffer: &mut Buffer, theme: &Theme) {
    let role = if focused {
        Role::Selected
    } else {
        Role::SelectedElsewhere
    };
    buffer.set_style(line, theme.style(role));
}
