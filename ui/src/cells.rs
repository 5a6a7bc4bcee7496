//! Text in cells: cleaned of what is not for the eye, measured, cut with an ellipsis.

use std::borrow::Cow;

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// More marks than this on one letter serve nobody but a joker.
const MAX_COMBINING: usize = 6;

/// Whether a character must never reach a terminal. The two joiners may: they make one picture of several letters.
pub fn is_unprintable(c: char) -> bool {
    !matches!(c, '\u{200c}' | '\u{200d}') && ngf_text::is_hidden(c)
}

/// The text without unprintable characters; tabs and line ends become one space each. Runs of
/// combining marks are bounded.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut combining = 0;
    for c in text.chars() {
        match c {
            '\t' | '\n' => clean.push(' '),
            c if is_unprintable(c) => {}
            c => {
                combining = if c.width() == Some(0) {
                    combining + 1
                } else {
                    0
                };
                if combining <= MAX_COMBINING {
                    clean.push(c);
                }
            }
        }
    }
    Cow::Owned(clean)
}

/// The width of a text in cells, after cleaning.
pub fn width(text: &str) -> usize {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return text.len();
    }
    graphemes(&clean(text))
        .map(|(_, width)| usize::from(width))
        .sum()
}

/// The graphemes of a cleaned text that take room, with their widths in cells.
pub(crate) fn graphemes(clean: &str) -> impl Iterator<Item = (&str, u16)> {
    clean
        .graphemes(true)
        .map(|grapheme| (grapheme, grapheme.cell_width()))
        .filter(|(_, width)| *width > 0)
}

/// The text, cleaned, in at most `max` cells; what does not fit is replaced by the ellipsis.
pub fn cut(text: &str, max: usize, ellipsis: &str) -> String {
    let text = clean(text);
    let mut kept = String::new();
    let mut used = 0;
    let room = max.saturating_sub(width(ellipsis));
    let mut kept_at_room = 0;
    for (grapheme, width) in graphemes(&text) {
        let width = usize::from(width);
        if used + width > max {
            kept.truncate(kept_at_room);
            kept.extend(ellipsis.chars().take(max));
            return kept;
        }
        kept.push_str(grapheme);
        used += width;
        if used <= room {
            kept_at_room = kept.len();
        }
    }
    kept
}

/// The text, cleaned, in at most `max` cells; what does not fit is replaced by the ellipsis in its middle, so
/// that the end of a name stays, which tells it from others.
pub fn cut_middle(text: &str, max: usize, ellipsis: &str) -> String {
    let clean = clean(text);
    let dots = width(ellipsis);
    if width(&clean) <= max || max < dots + 2 {
        return cut(text, max, ellipsis);
    }
    let room = max - dots;
    let (head, tail) = (room - room / 2, room / 2);
    let (mut kept, mut used) = (String::new(), 0);
    for (grapheme, width) in graphemes(&clean) {
        used += usize::from(width);
        if used > head {
            break;
        }
        kept.push_str(grapheme);
    }
    let all: Vec<(&str, u16)> = graphemes(&clean).collect();
    let (mut end, mut used) = (all.len(), 0);
    while end > 0 && used + usize::from(all[end - 1].1) <= tail {
        end -= 1;
        used += usize::from(all[end].1);
    }
    kept.push_str(ellipsis);
    kept.extend(all[end..].iter().map(|(grapheme, _)| *grapheme));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_in_their_middle_and_fit() {
        for (text, max, expected) in [
            ("short", 10, "short"),
            ("gateway-nginx-7d9f8b6c5-7k2x", 13, "gatewa…5-7k2x"),
            ("abcdef", 5, "ab…ef"),
            ("abcdef", 3, "a…f"),
            ("abcdef", 2, "a…"),
            ("abcdef", 0, ""),
            ("漢字漢字漢字", 7, "漢…字"),
        ] {
            let cut = cut_middle(text, max, "…");
            assert!(width(&cut) <= max, "{cut} in {max}");
            assert_eq!(cut, expected, "{text} in {max}");
        }
    }

    #[test]
    fn what_is_not_for_the_eye_is_removed() {
        for (text, expected) in [
            ("plain", "plain"),
            ("tab\tand\nline", "tab and line"),
            ("\u{1b}[31mred\u{1b}]0;title\u{7}", "[31mred]0;title"),
            ("\u{9b}2J\u{7f}\u{0}", "2J"),
            ("abc\u{202e}fed\u{2066}x\u{2069}", "abcfedx"),
            ("zero\u{200b}width\u{feff}", "zerowidth"),
            ("hidden\u{e0061}\u{e007f}", "hidden"),
            ("n\u{303}andu", "n\u{303}andu"),
            ("👩\u{200d}🚀", "👩\u{200d}🚀"),
        ] {
            assert_eq!(clean(text), expected);
        }
        let joke = format!("Z{}algo", "\u{336}".repeat(500));
        assert_eq!(clean(&joke).chars().count(), "Zalgo".len() + MAX_COMBINING);
    }

    #[test]
    fn widths_are_those_of_cells() {
        for (text, cells) in [
            ("", 0),
            ("abc", 3),
            ("漢字", 4),
            ("e\u{301}", 1),
            ("👩\u{200d}👩\u{200d}👧", 2),
            ("🇩🇪", 2),
            ("\u{1b}[0m", 3),
        ] {
            assert_eq!(width(text), cells, "{text:?}");
        }
    }

    #[test]
    fn cut_texts_end_with_the_ellipsis_and_fit() {
        for (text, max, expected) in [
            ("short", 10, "short"),
            ("exactly", 7, "exactly"),
            ("too long", 7, "too lo…"),
            ("漢字漢字", 5, "漢字…"),
            ("漢字漢字", 4, "漢…"),
            ("漢", 1, "…"),
            ("a", 0, ""),
            ("ne\u{301}e", 2, "n…"),
        ] {
            assert_eq!(cut(text, max, "…"), expected, "{text} in {max}");
        }
        assert_eq!(cut("too long", 6, "..."), "too...");
        assert_eq!(cut("too long", 2, "..."), "..");
    }
}
