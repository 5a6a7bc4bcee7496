//! A table with columns of adapting width. Only the rows on the screen are touched, unless cells
//! wrap, which asks for the heights of all rows above as well.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::StatefulWidget;

use super::rows::Rows;
use super::tree::select;
use crate::golden;
use crate::scroll::{ListState, beside_scrollbar, draw_scrollbar};
use crate::text::{Finder, Label, draw_label, draw_right, highlight, line_of, wrap};
use crate::theme::{Mark, Role, Theme};

/// Selection and scroll position of a table.
pub type TableState = ListState;

/// Blank cells between columns.
const BETWEEN: u16 = 2;
/// Most lines of one row.
const MAX_ROW_HEIGHT: usize = 12;

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub title: String,
    /// Fewest cells with which it is of any use.
    pub min: u16,
    /// Cells that show most contents whole.
    pub ideal: u16,
    /// Its part of the cells that are left when each column has its ideal width.
    pub weight: u16,
    /// Contents stand at its right edge.
    pub right: bool,
    /// Contents that do not fit are wrapped rather than cut.
    pub wrap: bool,
}

impl Column {
    /// A column with a heading and its least and its best width in cells.
    pub fn new(title: impl Into<String>, min: u16, ideal: u16) -> Self {
        Self {
            title: title.into(),
            min,
            ideal,
            weight: 0,
            right: false,
            wrap: false,
        }
    }

    /// The same, growing by this weight where there is room.
    #[must_use]
    pub const fn grow(mut self, weight: u16) -> Self {
        self.weight = weight;
        self
    }

    /// The same with contents at its right edge.
    #[must_use]
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// The same with contents wrapped.
    #[must_use]
    pub const fn wrap(mut self) -> Self {
        self.wrap = true;
        self
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TableRow {
    /// Judgement; drawn before the first cell.
    pub mark: Option<Mark>,
    /// Contents, one for each column; missing ones are empty.
    pub cells: Vec<Label>,
}

impl TableRow {
    /// A row of these contents.
    pub fn new(cells: Vec<Label>) -> Self {
        Self { mark: None, cells }
    }

    /// The same with a mark.
    #[must_use]
    pub const fn mark(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }
}

/// Draws a table.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    columns: &'a [Column],
    rows: &'a dyn Rows<TableRow>,
    theme: &'a Theme,
    focused: bool,
    marks: bool,
    header: bool,
    found: Option<Finder<'a>>,
    empty: &'a str,
}

/// Where one column stands: its index, first cell and width.
type Place = (usize, u16, u16);

impl<'a> Table<'a> {
    /// A table with a heading line.
    pub const fn new(
        columns: &'a [Column],
        rows: &'a dyn Rows<TableRow>,
        theme: &'a Theme,
    ) -> Self {
        Self {
            columns,
            rows,
            theme,
            focused: true,
            marks: false,
            header: true,
            found: None,
            empty: "",
        }
    }

    /// Keeps two cells at the left for marks.
    #[must_use]
    pub const fn marks(mut self) -> Self {
        self.marks = true;
        self
    }

    /// Whether there is a heading line.
    #[must_use]
    pub const fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// Whether the table has the keys.
    #[must_use]
    pub const fn focused(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// Finds the parts of a cell's text that are underlined.
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

    fn wraps(&self) -> bool {
        self.columns.iter().any(|column| column.wrap)
    }

    /// The table in words.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        let places = self.places(width);
        let mut text = Vec::new();
        if self.header {
            text.extend(golden::rows(&golden::draw(width, 1, |area, buffer| {
                self.draw_header(&places, area, buffer);
            })));
        }
        for index in 0..self.rows.count() {
            let row = self.rows.row(index);
            let height = self.row_height(&row, &places);
            text.extend(golden::paged(width, height, |first, area, buffer| {
                self.draw_row(&row, &places, first, area, buffer);
            }));
        }
        text
    }

    /// Widths: each column its ideal one, and the rest by weight; or, where there is too little,
    /// the same part of the way from the least to the ideal width. Columns for which there is no
    /// room at all are left out from the right.
    fn places(&self, width: u16) -> Vec<Place> {
        let start = if self.marks { 2 } else { 0 };
        let mut count = self.columns.len();
        let room = |count: usize| {
            i32::from(width) - start - i32::from((count.max(1) as u16 - 1) * BETWEEN)
        };
        let sum = |columns: &[Column], of: fn(&Column) -> u16| -> i32 {
            columns.iter().map(|column| i32::from(of(column))).sum()
        };
        while count > 1 && sum(&self.columns[..count], |column| column.min) > room(count) {
            count -= 1;
        }
        let columns = &self.columns[..count];
        let room = room(count).max(0);
        let least = sum(columns, |column| column.min);
        let ideal = sum(columns, |column| column.ideal.max(column.min));
        let weight = sum(columns, |column| column.weight);
        let mut widths: Vec<i32> = columns
            .iter()
            .map(|column| {
                let (min, best) = (
                    i32::from(column.min),
                    i32::from(column.ideal.max(column.min)),
                );
                if ideal <= room {
                    let rest = (room - ideal) * i32::from(column.weight);
                    best + if weight > 0 { rest / weight } else { 0 }
                } else if least < room {
                    min + (best - min) * (room - least) / (ideal - least)
                } else {
                    min.min(room)
                }
            })
            .collect();
        // What rounding left over goes to the columns that grow, or lack most.
        let mut rest = room - widths.iter().sum::<i32>();
        for (column, width) in columns.iter().zip(&mut widths) {
            let lacks = *width < i32::from(column.ideal) || column.weight > 0;
            if lacks && rest > 0 && (ideal > room || weight > 0) {
                *width += 1;
                rest -= 1;
            }
        }
        let mut x = start as u16;
        widths
            .into_iter()
            .enumerate()
            .map(|(index, width)| {
                let place = (index, x, width as u16);
                x += width as u16 + BETWEEN;
                place
            })
            .collect()
    }

    fn row_height(&self, row: &TableRow, places: &[Place]) -> usize {
        if !self.wraps() {
            return 1;
        }
        let heights = places
            .iter()
            .filter(|(index, ..)| self.columns[*index].wrap)
            .map(|(index, _, width)| {
                let cell = row.cells.get(*index);
                cell.map_or(1, |cell| wrap(cell, usize::from(*width)).len())
            });
        heights.max().unwrap_or(1).clamp(1, MAX_ROW_HEIGHT)
    }

    fn draw_header(&self, places: &[Place], area: Rect, buffer: &mut Buffer) {
        for (index, x, width) in places {
            let column = &self.columns[*index];
            let title = Label::of(Role::Muted, column.title.clone());
            self.draw_cell(&title, column.right, *x, *width, area, buffer);
        }
    }

    fn draw_cell(
        &self,
        label: &Label,
        right: bool,
        x: u16,
        width: u16,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let place = Rect {
            x: area.x.saturating_add(x),
            width,
            height: 1,
            ..area
        };
        let place = place.intersection(area);
        if right {
            draw_right(label, place, buffer, self.theme);
        } else {
            draw_label(label, place, buffer, self.theme, Style::new());
        }
        if let Some(find) = self.found {
            highlight(find, label, 0, place, buffer, self.theme);
        }
    }

    /// Draws the lines of a row from the line `first` on.
    fn draw_row(
        &self,
        row: &TableRow,
        places: &[Place],
        first: usize,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        if let Some(mark) = row.mark.filter(|_| self.marks && first == 0) {
            let sign = Label::new().mark(mark, self.theme);
            draw_label(&sign, area, buffer, self.theme, Style::new());
        }
        for (index, x, width) in places {
            let column = &self.columns[*index];
            let Some(cell) = row.cells.get(*index) else {
                continue;
            };
            let lines = if column.wrap {
                wrap(cell, usize::from(*width))
            } else {
                vec![cell.clone()]
            };
            for (y, line) in (area.top()..area.bottom()).zip(lines.iter().skip(first)) {
                let line_area = line_of(area, y);
                self.draw_cell(line, column.right, *x, *width, line_area, buffer);
            }
        }
    }

    fn draw_rows(&self, places: &[Place], area: Rect, buffer: &mut Buffer, state: &mut TableState) {
        let count = self.rows.count();
        if !self.wraps() {
            state.fit(count, usize::from(area.height));
            for (y, index) in (area.top()..area.bottom()).zip(state.offset..count) {
                let line = line_of(area, y);
                self.draw_row(&self.rows.row(index), places, 0, line, buffer);
                if index == state.selected {
                    select(line, self.focused, buffer, self.theme);
                }
            }
            return;
        }
        let selected = state.selected.min(count.saturating_sub(1));
        let mut starts = Vec::with_capacity(count + 1);
        let mut lines = 0;
        for index in 0..count {
            starts.push(lines);
            lines += self.row_height(&self.rows.row(index), places);
        }
        starts.push(lines);
        let selection = starts[selected]..starts[(selected + 1).min(count)];
        state.fit_lines(count, usize::from(area.height), lines, selection);
        let first_row = starts
            .partition_point(|start| *start <= state.offset)
            .saturating_sub(1);
        let mut y = area.y;
        for index in first_row..count {
            let skip = state.offset.saturating_sub(starts[index]);
            let height = (starts[index + 1] - starts[index] - skip) as u16;
            let height = height.min(area.bottom().saturating_sub(y));
            if height == 0 {
                break;
            }
            let place = Rect { y, height, ..area };
            self.draw_row(&self.rows.row(index), places, skip, place, buffer);
            if index == state.selected {
                select(place, self.focused, buffer, self.theme);
            }
            y += height;
        }
    }

    fn lines(&self, width: u16) -> usize {
        let count = self.rows.count();
        if !self.wraps() {
            return count;
        }
        let places = self.places(width);
        (0..count)
            .map(|index| self.row_height(&self.rows.row(index), &places))
            .sum()
    }
}

impl StatefulWidget for &Table<'_> {
    type State = TableState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut TableState) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let head = u16::from(self.header && area.height > 1);
        let body = Rect {
            y: area.y + head,
            height: area.height - head,
            ..area
        };
        let inner = beside_scrollbar(self.lines(area.width), body);
        let places = self.places(inner.width);
        if head > 0 {
            let line = Rect {
                width: inner.width,
                height: 1,
                ..area
            };
            self.draw_header(&places, line, buffer);
        }
        if self.rows.count() == 0 {
            let words = Label::of(Role::Muted, self.empty.to_owned());
            draw_label(&words, body, buffer, self.theme, Style::new());
            return;
        }
        self.draw_rows(&places, inner, buffer, state);
        if inner != body {
            draw_scrollbar(
                self.lines(inner.width),
                state.offset,
                body,
                buffer,
                self.theme,
            );
        }
    }
}
