//! What is searched for in what was drawn.

use std::{collections::BTreeMap, ops::Range};

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::layout::{Position, Rect};
use ratatui::style::Modifier;

use super::Finder;
use crate::theme::{Role, Theme};

/// A cell, and the bytes that it has in the text of its area.
#[derive(Clone)]
struct Cell {
    symbol: String,
    bytes: Range<usize>,
    at: Position,
    /// It is part of no word: a blank, a frame, a scroll bar, the cursor.
    is_edge: bool,
}

/// Lays [`Role::Match`] over every place that `find` gives of an area as it was drawn, its rows as lines, with and
/// without the blanks, frames and cursor at their edges. Those on the row `current` are reversed, too: it has the match
/// that is shown.
pub fn mark_found(
    find: Finder<'_>,
    current: Option<u16>,
    area: Rect,
    buffer: &mut Buffer,
    theme: &Theme,
) {
    let area = area.intersection(buffer.area);
    let rows = rows_of(area, buffer, theme.glyphs.cursor);
    let inner: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| {
            let first = row.iter().position(|cell| !cell.is_edge);
            let last = row.iter().rposition(|cell| !cell.is_edge);
            first
                .zip(last)
                .map_or_else(Vec::new, |(first, last)| row[first..=last].to_vec())
        })
        .collect();
    let mut found: BTreeMap<(u16, u16), bool> = BTreeMap::new();
    for rows in [rows, inner] {
        for (at, is_current) in found_in(find, current, rows) {
            *found.entry((at.y, at.x)).or_default() |= is_current;
        }
    }
    for ((y, x), is_current) in found {
        mark(Position { x, y }, is_current, buffer, theme);
    }
}

/// The cells of what is found in these rows, and whether they are of a match that begins on the row `current`.
fn found_in(find: Finder<'_>, current: Option<u16>, rows: Vec<Vec<Cell>>) -> Vec<(Position, bool)> {
    let (mut text, mut cells) = (String::new(), Vec::new());
    for row in rows {
        for mut cell in row {
            let start = text.len();
            text.push_str(&cell.symbol);
            cell.bytes = start..text.len();
            cells.push(cell);
        }
        text.push('\n');
    }
    let mut all = Vec::new();
    for place in find(&text) {
        let first = cells.partition_point(|cell| cell.bytes.end <= place.start);
        let found = cells[first..].iter();
        let found: Vec<&Cell> = found
            .take_while(|cell| cell.bytes.start < place.end)
            .collect();
        let starts = found.first().map(|cell| cell.at.y);
        let is_current = starts.is_some() && starts == current;
        for row in found.chunk_by(|one, other| one.at.y == other.at.y) {
            // What frames the rows is not part of a match over two of them.
            let inner = row.iter().position(|cell| !cell.is_edge);
            let last = row.iter().rposition(|cell| !cell.is_edge);
            if let (Some(inner), Some(last)) = (inner, last) {
                let cells = row[inner..=last].iter();
                all.extend(cells.map(|cell| (cell.at, is_current)));
            }
        }
    }
    all
}

/// The cells of an area, row by row.
fn rows_of(area: Rect, buffer: &Buffer, cursor: &str) -> Vec<Vec<Cell>> {
    let row = |y: u16| {
        let (mut cells, mut x) = (Vec::new(), area.left());
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            cells.push(Cell {
                symbol: symbol.to_owned(),
                bytes: 0..0,
                at: Position { x, y },
                is_edge: symbol == cursor || matches!(symbol, " " | "│" | "║" | "|" | "█" | "#"),
            });
            x = x.saturating_add(symbol.cell_width().max(1));
        }
        cells
    };
    (area.top()..area.bottom()).map(row).collect()
}

fn mark(at: Position, is_current: bool, buffer: &mut Buffer, theme: &Theme) {
    let cell = &mut buffer[at];
    cell.set_style(theme.style(Role::Match));
    if is_current {
        cell.modifier.toggle(Modifier::REVERSED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;
    use ratatui::style::Style;

    /// The cells of a row that are marked, and whether they are reversed.
    fn marked(buffer: &Buffer, y: u16) -> Vec<(u16, bool)> {
        let cells = (0..buffer.area.width).map(|x| (x, buffer[(x, y)].modifier));
        let marked = cells.filter(|(_, modifier)| modifier.contains(Modifier::UNDERLINED));
        marked
            .map(|(x, modifier)| (x, modifier.contains(Modifier::REVERSED)))
            .collect()
    }

    #[test]
    fn a_match_over_two_rows_is_marked_without_what_frames_them() {
        let theme = Theme::plain();
        let buffer = golden::draw(12, 3, |area, buffer| {
            buffer.set_string(0, 0, "│ 漢 signed │", Style::new());
            buffer.set_string(0, 1, "│ by a CA   │", Style::new());
            buffer.set_string(0, 2, "│ signed    │", Style::new());
            let find = |text: &str| {
                let first = text.find("signed").unwrap();
                let second = text.rfind("signed").unwrap();
                vec![first..text.find("by").unwrap() + 2, second..second + 6]
            };
            mark_found(&find, Some(2), area, buffer, &theme);
        });
        assert_eq!(
            marked(&buffer, 0),
            (5..11).map(|x| (x, false)).collect::<Vec<_>>()
        );
        assert_eq!(marked(&buffer, 1), [(2, false), (3, false)]);
        assert_eq!(
            marked(&buffer, 2),
            (2..8).map(|x| (x, true)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn an_area_outside_of_the_screen_and_a_place_outside_of_the_text_are_no_fault() {
        let theme = Theme::plain();
        golden::draw(4, 1, |_, buffer| {
            let find = |text: &str| vec![text.len()..text.len() + 9, 0..0];
            mark_found(&find, Some(7), Rect::new(2, 0, 90, 90), buffer, &theme);
            mark_found(&find, None, Rect::ZERO, buffer, &theme);
        });
    }
}
