//! Labels in a buffer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Label, cut, cut_label, graphemes};
use crate::theme::{Role, Theme};

/// Draws a label at the start of the area's first row, cut to its width, its styles laid over
/// `base`. Returns the number of cells used.
pub fn draw_label(
    label: &Label,
    area: Rect,
    buffer: &mut Buffer,
    theme: &Theme,
    base: Style,
) -> u16 {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return 0;
    }
    let max = usize::from(area.width);
    let shown = cut_label(label, max, theme.glyphs.ellipsis);
    let mut x = area.x;
    for run in &shown.runs {
        let style = base.patch(theme.style(run.role));
        let room = usize::from(area.right() - x);
        let text = theme.glyphs.set.shown(&run.text);
        (x, _) = buffer.set_stringn(x, area.y, text, room, style);
    }
    x - area.x
}

/// Draws plain text of one role; see [`draw_label`].
pub fn draw_text(text: &str, role: Role, area: Rect, buffer: &mut Buffer, theme: &Theme) -> u16 {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return 0;
    }
    let max = usize::from(area.width);
    let shown = cut(text, max, theme.glyphs.ellipsis);
    let shown = theme.glyphs.set.shown(&shown);
    let (x, _) = buffer.set_stringn(area.x, area.y, shown, max, theme.style(role));
    x - area.x
}

/// The part of an area that is the row `y`.
pub(crate) fn line_of(area: Rect, y: u16) -> Rect {
    Rect {
        y,
        height: 1,
        ..area
    }
}

/// Draws a label with its end at the right edge of the area's first row; see [`draw_label`].
pub fn draw_right(label: &Label, area: Rect, buffer: &mut Buffer, theme: &Theme) -> u16 {
    let width = u16::try_from(label.width())
        .unwrap_or(u16::MAX)
        .min(area.width);
    let area = Rect {
        x: area.right() - width,
        width,
        ..area
    };
    draw_label(label, area, buffer, theme, Style::new())
}

/// Lays [`Role::Match`] over every place where `needle` occurs in a label that was drawn `skip`
/// cells right of the area's left edge. Upper and lower case are alike.
pub(crate) fn highlight(
    needle: &str,
    label: &Label,
    skip: usize,
    area: Rect,
    buffer: &mut Buffer,
    theme: &Theme,
) {
    let needle = needle.to_lowercase();
    let text = label.plain();
    // Cell of every byte of the lower-case text, which may be longer or shorter than the text.
    let mut lower = String::new();
    let mut cells = Vec::new();
    let mut cell = skip;
    for (grapheme, width) in graphemes(&text) {
        let small = grapheme.to_lowercase();
        cells.extend(std::iter::repeat_n((cell, width), small.len()));
        lower.push_str(&small);
        cell += usize::from(width);
    }
    for (start, found) in lower.match_indices(&needle) {
        for (cell, width) in &cells[start..start + found.len()] {
            if *cell + usize::from(*width) <= usize::from(area.width) {
                let place = Rect {
                    x: area.x + *cell as u16,
                    width: *width,
                    height: 1,
                    ..area
                };
                buffer.set_style(place.intersection(area), theme.style(Role::Match));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;

    #[test]
    fn matches_are_found_in_any_case_and_beside_wide_characters() {
        let theme = Theme::plain();
        let buffer = golden::draw(12, 1, |area, buffer| {
            let label = Label::from("漢Ab ab");
            draw_label(&label, area, buffer, &theme, Style::new());
            highlight("aB", &label, 0, area, buffer, &theme);
        });
        let underlined: Vec<u16> = (0..12)
            .filter(|x| {
                buffer[(*x, 0)]
                    .modifier
                    .contains(ratatui::style::Modifier::UNDERLINED)
            })
            .collect();
        assert_eq!(underlined, [2, 3, 5, 6]);
    }
}
