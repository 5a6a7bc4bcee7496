//! A matrix: a heading for each row and each column, and a cell where they meet. One cell is
//! selected; both ways it scrolls so that the selection is on the screen. Only the cells on the
//! screen are asked for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::StatefulWidget;

use super::tree::select;
use crate::golden;
use crate::scroll::{ListState, beside_scrollbar, draw_scrollbar};
use crate::text::{Label, draw_label};
use crate::theme::{Role, Theme};

/// Selection and scroll position, in rows and in columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MatrixState {
    /// The selected row.
    pub rows: ListState,
    /// The selected column; its page is the number of columns on the screen.
    pub columns: ListState,
}

/// Draws a matrix.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// Headings of the columns.
    columns: &'a [Label],
    /// How many rows there are.
    count: usize,
    /// The heading of a row.
    heading: &'a dyn Fn(usize) -> Label,
    /// The cell in this row and column, for so many cells of the screen.
    cell: &'a dyn Fn(usize, usize, usize) -> Label,
    theme: &'a Theme,
    focused: bool,
    widths: Widths,
}

/// How wide things are, in cells of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// The headings of rows, at most.
    pub heading: u16,
    /// A cell, at least.
    pub least: u16,
    /// A cell, at most.
    pub most: u16,
}

/// Where columns stand at one width.
#[derive(Clone, Copy)]
struct Places {
    heading: u16,
    cell: u16,
    /// How many columns are on the screen.
    shown: usize,
}

impl Places {
    /// Where the cells of a column stand, by its position on the screen.
    fn of(&self, position: usize, area: Rect) -> Rect {
        let step = usize::from(self.cell) + 1;
        let x = usize::from(self.heading) + 1 + position * step;
        let x = u16::try_from(x).unwrap_or(u16::MAX);
        Rect {
            x: area.x.saturating_add(x),
            width: self.cell,
            ..area
        }
        .intersection(area)
    }
}

impl<'a> Matrix<'a> {
    /// A matrix of `count` rows; headings and cells are made when they are drawn.
    pub const fn new(
        columns: &'a [Label],
        count: usize,
        heading: &'a dyn Fn(usize) -> Label,
        cell: &'a dyn Fn(usize, usize, usize) -> Label,
        widths: Widths,
        theme: &'a Theme,
    ) -> Self {
        Self {
            columns,
            count,
            heading,
            cell,
            theme,
            focused: true,
            widths,
        }
    }

    /// Whether it has the keys.
    #[must_use]
    pub const fn focused(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// The matrix in lines of at most this width, columns for which there is no room left out.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        let places = self.places(width);
        let lines = self.count + 1;
        golden::paged(width, lines, |first, area, buffer| {
            for (y, line) in (area.top()..area.bottom()).zip(first..lines) {
                let area = Rect {
                    y,
                    height: 1,
                    ..area
                };
                match line.checked_sub(1) {
                    None => self.draw_head(&places, 0, area, buffer),
                    Some(row) => self.draw_row(&places, 0, row, area, buffer),
                }
            }
        })
    }

    /// The headings give way first: they may be cut to a third before columns are left out.
    fn places(&self, width: u16) -> Places {
        let count = u16::try_from(self.columns.len()).unwrap_or(u16::MAX);
        let least = self.widths.least.max(1);
        let wanted = count.saturating_mul(least.saturating_add(1));
        let floor = self.widths.heading.min(width / 3);
        let heading = self
            .widths
            .heading
            .min(width.saturating_sub(wanted).max(floor));
        let room = width.saturating_sub(heading);
        let shown = (room / (least + 1)).clamp(1, count.max(1));
        let cell = (room / shown)
            .saturating_sub(1)
            .min(self.widths.most.max(least));
        Places {
            heading,
            cell,
            shown: usize::from(shown),
        }
    }

    fn draw_head(&self, places: &Places, first: usize, area: Rect, buffer: &mut Buffer) {
        let left = (first > 0).then_some(self.theme.glyphs.more_left);
        let hidden = self.columns.len().saturating_sub(first + places.shown);
        let right = (hidden > 0).then_some(self.theme.glyphs.more_right);
        let more = match (left, right) {
            (None, None) => Label::new(),
            _ => Label::of(
                Role::Muted,
                format!(
                    "{} {} of {} {}",
                    left.unwrap_or(" "),
                    places.shown,
                    self.columns.len(),
                    right.unwrap_or(" ")
                ),
            ),
        };
        let corner = Rect {
            width: places.heading,
            ..area
        };
        draw_label(&more, corner, buffer, self.theme, Style::new());
        let shown = self.columns.iter().skip(first).take(places.shown);
        for (position, column) in shown.enumerate() {
            let place = places.of(position, area);
            draw_label(column, place, buffer, self.theme, Style::new());
        }
    }

    fn draw_row(&self, places: &Places, first: usize, row: usize, area: Rect, buffer: &mut Buffer) {
        let heading = Rect {
            width: places.heading,
            ..area
        };
        draw_label(
            &(self.heading)(row),
            heading,
            buffer,
            self.theme,
            Style::new(),
        );
        let end = (first + places.shown).min(self.columns.len());
        for (position, column) in (first..end).enumerate() {
            let place = places.of(position, area);
            let label = (self.cell)(row, column, usize::from(place.width));
            draw_label(&label, place, buffer, self.theme, Style::new());
        }
    }
}

impl StatefulWidget for &Matrix<'_> {
    type State = MatrixState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut MatrixState) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let head = u16::from(area.height > 1);
        let body = Rect {
            y: area.y + head,
            height: area.height - head,
            ..area
        };
        let inner = beside_scrollbar(self.count, body);
        let places = self.places(inner.width);
        state.rows.fit(self.count, usize::from(inner.height));
        state.columns.fit(self.columns.len(), places.shown);
        if head > 0 {
            let line = Rect {
                width: inner.width,
                height: 1,
                ..area
            };
            self.draw_head(&places, state.columns.offset, line, buffer);
        }
        for (y, row) in (inner.top()..inner.bottom()).zip(state.rows.offset..self.count) {
            let line = Rect {
                y,
                height: 1,
                ..inner
            };
            self.draw_row(&places, state.columns.offset, row, line, buffer);
            if row == state.rows.selected && !self.columns.is_empty() {
                let position = state.columns.selected - state.columns.offset;
                let heading = Rect {
                    width: places.heading,
                    ..line
                };
                select(heading, false, buffer, self.theme);
                select(places.of(position, line), self.focused, buffer, self.theme);
            }
        }
        draw_scrollbar(self.count, state.rows.offset, body, buffer, self.theme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTHS: Widths = Widths {
        heading: 10,
        least: 6,
        most: 8,
    };

    fn heading(row: usize) -> Label {
        Label::from(format!("endpoint{row}"))
    }

    fn cell(row: usize, column: usize, width: usize) -> Label {
        Label::from(format!("{row}.{column}/{width}"))
    }

    #[test]
    fn columns_that_do_not_fit_are_reached_by_the_selection() {
        let columns: Vec<Label> = (0..9).map(|n| Label::from(format!("pod{n}"))).collect();
        let theme = Theme::plain();
        let matrix = Matrix::new(&columns, 50, &heading, &cell, WIDTHS, &theme);
        let mut state = MatrixState::default();
        let area = Rect::new(0, 0, 40, 4);
        let draw = |state: &mut MatrixState| {
            let mut buffer = Buffer::empty(area);
            (&matrix).render(area, &mut buffer, state);
            golden::rows(&buffer)
        };
        assert_eq!(
            draw(&mut state),
            [
                "  4 of 9 › pod0   pod1   pod2   pod3",
                "endpoint0  0.0/6  0.1/6  0.2/6  0.3/6  █",
                "endpoint1  1.0/6  1.1/6  1.2/6  1.3/6  │",
                "endpoint2  2.0/6  2.1/6  2.2/6  2.3/6  │",
            ]
        );
        state.columns.last();
        state.rows.move_by(7);
        assert_eq!(
            draw(&mut state),
            [
                "‹ 4 of 9   pod5   pod6   pod7   pod8",
                "endpoint5  5.5/6  5.6/6  5.7/6  5.8/6  █",
                "endpoint6  6.5/6  6.6/6  6.7/6  6.8/6  │",
                "endpoint7  7.5/6  7.6/6  7.7/6  7.8/6  │",
            ]
        );
    }

    #[test]
    fn where_there_is_room_cells_grow_up_to_a_bound() {
        let columns = [Label::from("a"), Label::from("b")];
        let theme = Theme::plain();
        let matrix = Matrix::new(&columns, 1, &heading, &cell, WIDTHS, &theme);
        assert_eq!(
            matrix.to_text(60),
            ["           a        b", "endpoint0  0.0/8    0.1/8"]
        );
    }
}
