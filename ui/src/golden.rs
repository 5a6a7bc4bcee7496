//! Screens as plain text, for golden tests and for output without a terminal.

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

/// The buffer's rows as text, without styles and without blanks at their ends. The cells that a
/// wide character covers are not repeated, so each line is as wide as what it shows.
pub fn rows(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    (area.top()..area.bottom())
        .map(|y| {
            let mut row = String::new();
            let mut x = area.left();
            while x < area.right() {
                let symbol = buffer[(x, y)].symbol();
                row.push_str(symbol);
                x = x.saturating_add(symbol.cell_width().max(1));
            }
            row.truncate(row.trim_end().len());
            row
        })
        .collect()
}

/// The buffer as one text of many lines, for insta.
pub fn screen(buffer: &Buffer) -> String {
    rows(buffer).join("\n")
}

/// The buffer as text, and below it how each run of cells looks that is not the terminal's own: the row, the cells,
/// colours and modifiers.
pub fn styled(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut text = screen(buffer);
    text.push_str("\n--- styles\n");
    for y in area.top()..area.bottom() {
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for x in area.left()..area.right() {
            let cell = &buffer[(x, y)];
            let look = look(cell.fg, cell.bg, cell.modifier);
            match runs.last_mut() {
                Some((_, end, last)) if *last == look && *end == x => *end = x + 1,
                _ => runs.push((x, x + 1, look)),
            }
        }
        runs.retain(|(.., look)| !look.is_empty());
        if runs.is_empty() {
            continue;
        }
        let runs: Vec<String> = runs
            .iter()
            .map(|(start, end, look)| format!("{start}-{} {look}", end - 1))
            .collect();
        text.extend([y.to_string().as_str(), ": ", runs.join(", ").as_str(), "\n"]);
    }
    text
}

/// Colours and modifiers in words; empty where they are the terminal's own.
fn look(foreground: Color, ground: Color, modifiers: Modifier) -> String {
    let mut words = Vec::new();
    if foreground != Color::Reset {
        words.push(foreground.to_string().to_lowercase());
    }
    if ground != Color::Reset {
        words.push(format!("on {}", ground.to_string().to_lowercase()));
    }
    words.extend(modifiers.iter_names().map(|(name, _)| name.to_lowercase()));
    words.join(" ")
}

/// Draws on a fresh buffer of this size and returns it.
pub fn draw(width: u16, height: u16, render: impl FnOnce(Rect, &mut Buffer)) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    render(area, &mut buffer);
    buffer
}

/// Most lines drawn at a time when content of any length becomes text.
const PAGE: usize = 256;

/// Content of `total` lines as text, drawn page by page: `render` gets the number of the first
/// line to draw, and where.
pub(crate) fn paged(
    width: u16,
    total: usize,
    mut render: impl FnMut(usize, Rect, &mut Buffer),
) -> Vec<String> {
    let mut text = Vec::new();
    while text.len() < total {
        let first = text.len();
        let height = (total - first).min(PAGE) as u16;
        text.extend(rows(&draw(width, height, |area, buffer| {
            render(first, area, buffer);
        })));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    #[test]
    fn rows_are_as_wide_as_what_they_show() {
        let buffer = draw(8, 3, |_, buffer| {
            buffer.set_string(0, 0, "漢字 ok", Style::new());
            buffer.set_string(1, 2, "x", Style::new());
        });
        assert_eq!(rows(&buffer), ["漢字 ok", "", " x"]);
        assert_eq!(screen(&buffer), "漢字 ok\n\n x");
    }

    #[test]
    fn long_content_is_drawn_page_by_page() {
        let mut pages = Vec::new();
        let text = paged(5, 600, |first, area, buffer| {
            pages.push((first, area.height));
            for y in 0..area.height {
                buffer.set_string(0, y, (first + usize::from(y)).to_string(), Style::new());
            }
        });
        assert_eq!(pages, [(0, 256), (256, 256), (512, 88)]);
        assert!(
            text.iter()
                .enumerate()
                .all(|(number, line)| *line == number.to_string())
        );
    }
}
