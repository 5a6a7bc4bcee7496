//! Labels in a buffer.

use std::ops::Range;

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

/// Finds what was searched for in a text: where it stands, in bytes.
pub type Finder<'a> = &'a dyn Fn(&str) -> Vec<Range<usize>>;

/// Lays [`Role::Match`] over every place that `find` gives of a label that was drawn `skip` cells right of the
/// area's left edge.
pub(crate) fn highlight(
    find: Finder<'_>,
    label: &Label,
    skip: usize,
    area: Rect,
    buffer: &mut Buffer,
    theme: &Theme,
) {
    let text = label.plain();
    let found = find(&text);
    if found.is_empty() {
        return;
    }
    let (mut cell, mut start) = (skip, 0);
    for (grapheme, width) in graphemes(&text) {
        let bytes = start..start + grapheme.len();
        let is_found = found
            .iter()
            .any(|one| one.start < bytes.end && bytes.start < one.end);
        if is_found && cell + usize::from(width) <= usize::from(area.width) {
            let place = Rect {
                x: area.x + cell as u16,
                width,
                height: 1,
                ..area
            };
            buffer.set_style(place.intersection(area), theme.style(Role::Match));
        }
        cell += usize::from(width);
        start = bytes.end;
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
            let find = |text: &str| {
                let text = text.to_lowercase();
                let places = text.match_indices("ab");
                places.map(|(at, found)| at..at + found.len()).collect()
            };
            highlight(&find, &label, 0, area, buffer, &theme);
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
