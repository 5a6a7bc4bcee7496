//! How far along something is, and how a value went over time, in a few cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::glyphs::Glyphs;
use crate::text::{Label, draw_label};
use crate::theme::{Mark, Theme};

/// A bar such as `▓▓▓▓▓▓▓▓░░ 61d of 90d`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// The full part, from 0 to 1. Anything else, NaN included, is brought into that range.
    pub ratio: f64,
    /// Cells of the bar itself.
    pub cells: u16,
    /// Colour of the full part.
    pub mark: Mark,
    /// What follows the bar.
    pub words: Label,
}

impl Bar {
    /// A bar of ten cells, followed by its percentage.
    pub fn percent(ratio: f64, mark: Mark) -> Self {
        let words = format!("{:.0}%", (bounded(ratio) * 100.0).floor());
        Self {
            ratio,
            cells: 10,
            mark,
            words: words.into(),
        }
    }

    /// A bar of ten cells, followed by these words.
    pub fn new(ratio: f64, mark: Mark, words: impl Into<Label>) -> Self {
        Self {
            ratio,
            cells: 10,
            mark,
            words: words.into(),
        }
    }

    /// The bar as a label, to be put into other text.
    pub fn label(&self, theme: &Theme) -> Label {
        let (full, empty) = parts(self.ratio, self.cells, theme.glyphs);
        let mut label = Label::of(self.mark.role(), full).and(crate::Role::Lane, empty);
        if !self.words.is_empty() {
            label.push(crate::Role::Normal, " ");
            label.extend(self.words.clone());
        }
        label
    }

    /// The bar in words.
    pub fn to_text(&self, theme: &Theme) -> String {
        self.label(theme).plain()
    }

    /// Draws the bar in the area's first row.
    pub fn draw(&self, area: Rect, buffer: &mut Buffer, theme: &Theme) {
        draw_label(&self.label(theme), area, buffer, theme, Style::new());
    }
}

fn bounded(ratio: f64) -> f64 {
    if ratio.is_nan() {
        0.0
    } else {
        ratio.clamp(0.0, 1.0)
    }
}

/// Full and empty part. Only 0 is drawn empty and only 1 is drawn full.
fn parts(ratio: f64, cells: u16, glyphs: &Glyphs) -> (String, String) {
    let ratio = bounded(ratio);
    let cells = usize::from(cells);
    let mut full = (ratio * cells as f64).round() as usize;
    if cells > 1 {
        if ratio > 0.0 {
            full = full.max(1);
        }
        if ratio < 1.0 {
            full = full.min(cells - 1);
        }
    }
    (glyphs.full.repeat(full), glyphs.empty.repeat(cells - full))
}

/// One cell for each value, the highest at full height; a blank where there is no value, and the
/// lowest sign for 0.
pub fn sparkline(values: &[Option<u64>], glyphs: &Glyphs) -> String {
    let highest = values.iter().flatten().copied().max().unwrap_or(0);
    let steps = glyphs.spark.len() as u128;
    values
        .iter()
        .map(|value| match value {
            None => " ",
            Some(_) if highest == 0 => glyphs.spark[0],
            Some(value) => {
                let step = u128::from(*value) * (steps - 1) / u128::from(highest);
                glyphs.spark[step as usize]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glyphs::GlyphSet;

    #[test]
    fn bars_show_their_part_and_hide_neither_the_first_nor_the_last_bit() {
        let theme = Theme::plain();
        for (ratio, expected) in [
            (0.0, "░░░░░░░░░░ 0%"),
            (0.001, "▓░░░░░░░░░ 0%"),
            (0.678, "▓▓▓▓▓▓▓░░░ 67%"),
            (0.999, "▓▓▓▓▓▓▓▓▓░ 99%"),
            (1.0, "▓▓▓▓▓▓▓▓▓▓ 100%"),
            (7.5, "▓▓▓▓▓▓▓▓▓▓ 100%"),
            (-1.0, "░░░░░░░░░░ 0%"),
            (f64::NAN, "░░░░░░░░░░ 0%"),
        ] {
            assert_eq!(Bar::percent(ratio, Mark::Ok).to_text(&theme), expected);
        }
        let words = Bar::new(0.68, Mark::Ok, "61d of 90d");
        assert_eq!(words.to_text(&theme), "▓▓▓▓▓▓▓░░░ 61d of 90d");
    }

    #[test]
    fn sparklines_scale_to_the_highest_value() {
        let glyphs = GlyphSet::Unicode.glyphs();
        let values = [Some(0), Some(1), None, Some(50), Some(100)];
        assert_eq!(sparkline(&values, glyphs), "▁▁ ▄█");
        assert_eq!(sparkline(&[Some(0), Some(0)], glyphs), "▁▁");
        assert_eq!(
            sparkline(&[Some(u64::MAX), Some(1)], GlyphSet::Ascii.glyphs()),
            "#_"
        );
        assert_eq!(sparkline(&[], glyphs), "");
    }
}
