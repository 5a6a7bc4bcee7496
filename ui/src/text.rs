//! Text as a terminal shows it: cleaned of what is not for the eye, measured in cells, cut with an
//! ellipsis, wrapped at words.
//!
//! Everything drawn passes through here, whoever wrote it: widgets take hostile text as it comes.

use std::borrow::Cow;

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use crate::theme::{Mark, Role, Theme};

/// More marks than this on one letter serve nobody but a joker.
const MAX_COMBINING: usize = 6;

/// A piece of text of one role.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Run {
    /// The text, as it came.
    pub text: Cow<'static, str>,
    /// What it is.
    pub role: Role,
}

/// One line (or paragraph) of text in runs of different roles.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Label {
    /// The runs, from left to right.
    pub runs: Vec<Run>,
}

impl Label {
    /// An empty label.
    pub const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// A label of one role.
    pub fn of(role: Role, text: impl Into<Cow<'static, str>>) -> Self {
        Self::new().and(role, text)
    }

    /// The same with one more run at its end.
    #[must_use]
    pub fn and(mut self, role: Role, text: impl Into<Cow<'static, str>>) -> Self {
        self.push(role, text);
        self
    }

    /// The same with ordinary text at its end.
    #[must_use]
    pub fn text(self, text: impl Into<Cow<'static, str>>) -> Self {
        self.and(Role::Normal, text)
    }

    /// The same with the sign of a mark at its end.
    #[must_use]
    pub fn mark(self, mark: Mark, theme: &Theme) -> Self {
        self.and(mark.role(), theme.sign(mark))
    }

    /// Adds a run at the end.
    pub fn push(&mut self, role: Role, text: impl Into<Cow<'static, str>>) {
        let text = text.into();
        if !text.is_empty() {
            self.runs.push(Run { text, role });
        }
    }

    /// Adds another label at the end.
    pub fn extend(&mut self, other: Self) {
        self.runs.extend(other.runs);
    }

    /// The same with another label at its end.
    #[must_use]
    pub fn joined(mut self, other: &Self) -> Self {
        self.runs.extend_from_slice(&other.runs);
        self
    }

    /// The same with ordinary text turned into text of this role.
    #[must_use]
    pub fn or(mut self, role: Role) -> Self {
        for run in &mut self.runs {
            if run.role == Role::Normal {
                run.role = role;
            }
        }
        self
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.runs.iter().all(|run| run.text.is_empty())
    }

    /// Its width in cells.
    pub fn width(&self) -> usize {
        self.runs.iter().map(|run| width(&run.text)).sum()
    }

    /// The text without its roles, cleaned.
    pub fn plain(&self) -> String {
        self.runs.iter().map(|run| clean(&run.text)).collect()
    }

    /// The same text, all of one role.
    #[must_use]
    pub fn all(mut self, role: Role) -> Self {
        for run in &mut self.runs {
            run.role = role;
        }
        self
    }
}

impl From<&'static str> for Label {
    fn from(text: &'static str) -> Self {
        Self::of(Role::Normal, text)
    }
}

impl From<String> for Label {
    fn from(text: String) -> Self {
        Self::of(Role::Normal, text)
    }
}

/// Whether a character must never reach a terminal: C0 and C1 controls and DEL; bidirectional
/// marks, embeddings, overrides and isolates (Unicode UAX #9); line and paragraph separators;
/// invisible fillers and tags, which hide text from the eye.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}'
            | '\u{061c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
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
fn graphemes(clean: &str) -> impl Iterator<Item = (&str, u16)> {
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

/// The label in lines of at most `width` cells, broken at spaces where there are any, inside of
/// words where there are none, and at line ends in the text. Never empty.
pub fn wrap(label: &Label, width: usize) -> Vec<Label> {
    let mut wrapper = Wrapper {
        width: width.max(1),
        ..Wrapper::default()
    };
    for run in &label.runs {
        for (n, paragraph) in run.text.split('\n').enumerate() {
            if n > 0 {
                wrapper.end_word();
                wrapper.end_line();
            }
            wrapper.add(&clean(paragraph), run.role);
        }
    }
    wrapper.end_word();
    wrapper.end_line();
    wrapper.lines
}

/// The number of lines that [`wrap`] would give.
pub fn wrapped_height(label: &Label, width: usize) -> usize {
    let short = label.runs.iter().map(|run| run.text.len()).sum::<usize>() <= width;
    if short && label.runs.iter().all(|run| !run.text.contains('\n')) {
        return 1;
    }
    wrap(label, width).len()
}

/// Wraps one label. A word may reach over several runs.
#[derive(Default)]
struct Wrapper {
    width: usize,
    lines: Vec<Label>,
    line: Label,
    line_width: usize,
    /// Spaces since the last word of this line; dropped if the line ends here.
    gap: Vec<Role>,
    word: Vec<Run>,
    word_width: usize,
}

impl Wrapper {
    fn add(&mut self, text: &str, role: Role) {
        for (grapheme, width) in graphemes(text) {
            if grapheme == " " {
                self.end_word();
                self.gap.push(role);
                continue;
            }
            let width = usize::from(width);
            if self.word_width + width > self.width && self.word_width > 0 {
                self.break_word();
            }
            append(&mut self.word, grapheme, role);
            self.word_width += width;
        }
    }

    /// Ends a line within a word that is too long for any: after the last `/`, `-`, `.`, `,` or
    /// `:` of its last third, else right here.
    fn break_word(&mut self) {
        let tail = self.word.last_mut().and_then(|run| {
            let cut = run.text.rfind(['/', '-', '.', ',', ':'])? + 1;
            let tail = run.text[cut..].to_owned();
            if tail.is_empty() || width(&tail) * 3 > self.width {
                return None;
            }
            run.text.to_mut().truncate(cut);
            Some(Run {
                text: Cow::Owned(tail),
                role: run.role,
            })
        });
        if let Some(tail) = tail {
            let tail_width = width(&tail.text);
            self.word_width -= tail_width;
            self.end_word();
            self.word.push(tail);
            self.word_width = tail_width;
        } else {
            self.end_word();
        }
    }

    fn end_word(&mut self) {
        if self.word_width == 0 {
            return;
        }
        if self.line_width > 0 && self.line_width + self.gap.len() + self.word_width > self.width {
            self.end_line();
        } else if self.gap.len() + self.word_width > self.width {
            self.gap.clear();
        }
        for role in std::mem::take(&mut self.gap) {
            append(&mut self.line.runs, " ", role);
            self.line_width += 1;
        }
        for run in std::mem::take(&mut self.word) {
            append(&mut self.line.runs, &run.text, run.role);
        }
        self.line_width += self.word_width;
        self.word_width = 0;
    }

    fn end_line(&mut self) {
        self.lines.push(std::mem::take(&mut self.line));
        self.line_width = 0;
        self.gap.clear();
    }
}

fn append(runs: &mut Vec<Run>, text: &str, role: Role) {
    match runs.last_mut() {
        Some(last) if last.role == role => last.text.to_mut().push_str(text),
        _ => runs.push(Run {
            text: Cow::Owned(text.to_owned()),
            role,
        }),
    }
}

/// The label in at most `max` cells, with the ellipsis where it was cut.
pub fn cut_label(label: &Label, max: usize, ellipsis: &str) -> Label {
    if label.width() <= max {
        return label.clone();
    }
    let mut cut_label = Label::new();
    let mut used = 0;
    let room = max.saturating_sub(width(ellipsis));
    for run in &label.runs {
        let text = clean(&run.text);
        for (grapheme, width) in graphemes(&text) {
            let width = usize::from(width);
            if used + width > room {
                let dots: String = ellipsis.chars().take(max - used).collect();
                append(&mut cut_label.runs, &dots, run.role);
                return cut_label;
            }
            append(&mut cut_label.runs, grapheme, run.role);
            used += width;
        }
    }
    cut_label
}

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

/// Draws a label with its end at the right edge of the area's first row; see [`draw_label`].
pub(crate) fn draw_right(label: &Label, area: Rect, buffer: &mut Buffer, theme: &Theme) -> u16 {
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

/// The label wrapped to `width` cells, the first line after `prefix`, the others indented by the
/// prefix's width. Where that leaves too little room, the text starts below the prefix.
pub fn hang(prefix: &Label, label: &Label, width: usize) -> Vec<Label> {
    let indent = prefix.width();
    if indent > 0 && width < indent + 8 && indent + label.width() > width {
        let mut lines = vec![prefix.clone()];
        let indent = usize::from(width > 10) * 2;
        for line in wrap(label, width - indent) {
            lines.push(Label::from(" ".repeat(indent)).joined(&line));
        }
        return lines;
    }
    let mut start = prefix.clone();
    let mut lines = Vec::new();
    for line in wrap(label, width.saturating_sub(indent)) {
        lines.push(start.joined(&line));
        start = Label::from(" ".repeat(indent));
    }
    lines
}

/// The label followed by blanks up to `width` cells; cut if it is wider.
pub fn pad(label: &Label, width: usize, ellipsis: &str) -> Label {
    let label = cut_label(label, width, ellipsis);
    let blanks = width.saturating_sub(label.width());
    label.text(" ".repeat(blanks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden;

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
            assert_eq!(
                cut_label(&text.into(), max, "…").plain(),
                expected,
                "{text} in {max}"
            );
        }
        assert_eq!(cut("too long", 6, "..."), "too...");
        assert_eq!(cut("too long", 2, "..."), "..");
    }

    fn wrapped(text: &'static str, width: usize) -> Vec<String> {
        wrap(&text.into(), width).iter().map(Label::plain).collect()
    }

    #[test]
    fn text_is_wrapped_at_words_and_long_words_at_their_joints() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one  two", 4), ["one", "two"]);
        assert_eq!(wrapped("  indented text", 10), ["  indented", "text"]);
        assert_eq!(wrapped("two\nlines", 20), ["two", "lines"]);
        assert_eq!(wrapped("a\n\nb", 20), ["a", "", "b"]);
        assert_eq!(wrapped("", 20), [""]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(
            wrapped("default/gateway-certificate", 20),
            ["default/gateway-", "certificate"]
        );
        assert_eq!(wrapped("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(wrapped("漢字", 1), ["漢", "字"]);
    }

    #[test]
    fn a_word_of_several_roles_is_not_torn_apart() {
        let label = Label::from("see ").and(Role::Key, "cert").text(".pem now");
        let lines = wrap(&label, 8);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1].plain(), "cert.pem");
        assert_eq!(
            lines[1].runs[0],
            Run {
                text: "cert".into(),
                role: Role::Key
            }
        );
    }

    #[test]
    fn the_height_is_that_of_the_wrapped_lines() {
        for text in [
            "",
            "one two three",
            "a\nb",
            "漢字 漢字 漢字",
            "a-very-long-word-that-fits-nowhere",
        ] {
            for width in 0..20 {
                let label = Label::from(text);
                assert_eq!(
                    wrapped_height(&label, width),
                    wrap(&label, width).len(),
                    "{text} {width}"
                );
            }
        }
    }

    #[test]
    fn hanging_text_is_indented_below_its_prefix() {
        let lines = hang(&"✗ ".into(), &"a reason in words".into(), 12);
        let lines: Vec<String> = lines.iter().map(Label::plain).collect();
        assert_eq!(lines, ["✗ a reason", "  in words"]);
    }

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
