//! Text in lines of bounded width.

use std::borrow::Cow;

use super::label::append;
use super::{Label, Run, clean, graphemes, width};
use crate::theme::Role;

/// The label in lines of at most `width` cells, broken at spaces where there are any, inside of
/// words where there are none, and at line ends in the text. Never empty.
pub fn wrap(label: &Label, width: usize) -> Vec<Label> {
    wrap_after(label, width, width)
}

/// The same where the first line has only `first` cells, because something stands before it.
pub fn wrap_after(label: &Label, first: usize, width: usize) -> Vec<Label> {
    let mut wrapper = Wrapper {
        first: first.max(1),
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

/// The same where further lines begin below the text of the first one: as many blanks stand before them.
pub fn wrap_indented(label: &Label, width: usize) -> Vec<Label> {
    let mut rest = label.clone();
    let mut blanks = 0;
    for run in &mut rest.runs {
        let text = run.text.trim_start_matches(' ').to_owned();
        blanks += run.text.len() - text.len();
        if !text.is_empty() {
            run.text = Cow::Owned(text);
            break;
        }
        run.text = Cow::Borrowed("");
    }
    // Where there is hardly room for words, none is left to blanks.
    if blanks == 0 || rest.is_empty() || width < blanks + 8 {
        return wrap(label, width);
    }
    hang(&Label::from(" ".repeat(blanks)), &rest, width)
}

/// The number of lines that [`wrap_indented`] would give.
pub fn wrapped_height(label: &Label, width: usize) -> usize {
    let short = label.runs.iter().map(|run| run.text.len()).sum::<usize>() <= width;
    if short && label.runs.iter().all(|run| !run.text.contains('\n')) {
        return 1;
    }
    wrap_indented(label, width).len()
}

/// Wraps one label. A word may reach over several runs.
#[derive(Default)]
struct Wrapper {
    /// Cells of the first line.
    first: usize,
    /// Cells of the others.
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
    /// Cells of the line that is being filled.
    fn room(&self) -> usize {
        if self.lines.is_empty() {
            self.first
        } else {
            self.width
        }
    }

    /// Cells of the longest word that is kept whole: where the line is empty it must fit there.
    fn longest(&self) -> usize {
        if self.line_width == 0 {
            self.room()
        } else {
            self.width
        }
    }

    fn add(&mut self, text: &str, role: Role) {
        for (grapheme, width) in graphemes(text) {
            if grapheme == " " {
                self.end_word();
                self.gap.push(role);
                continue;
            }
            let width = usize::from(width);
            if self.word_width + width > self.longest() && self.word_width > 0 {
                self.break_word();
            }
            append(&mut self.word, grapheme, role);
            self.word_width += width;
        }
    }

    /// Ends a line within a word that is too long for any: after the last `/`, `-`, `.`, `,` or
    /// `:` of its last third, else right here.
    fn break_word(&mut self) {
        let longest = self.longest();
        let tail = self.word.last_mut().and_then(|run| {
            let cut = run.text.rfind(['/', '-', '.', ',', ':'])? + 1;
            let tail = run.text[cut..].to_owned();
            if tail.is_empty() || width(&tail) * 3 > longest {
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
        if self.line_width > 0 && self.line_width + self.gap.len() + self.word_width > self.room() {
            self.end_line();
        } else if self.gap.len() + self.word_width > self.room() {
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

/// Cells of the widest word: a line that is narrower breaks it.
pub fn widest_word<'l>(lines: impl IntoIterator<Item = &'l Label>) -> usize {
    let widest = |line: &Label| {
        let text = line.plain();
        text.split_whitespace().map(width).max().unwrap_or(0)
    };
    lines.into_iter().map(widest).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "  two words, indented",
            "    ",
            "漢字 漢字 漢字",
            "a-very-long-word-that-fits-nowhere",
        ] {
            for width in 0..20 {
                let label = Label::from(text);
                assert_eq!(
                    wrapped_height(&label, width),
                    wrap_indented(&label, width).len(),
                    "{text} {width}"
                );
            }
        }
    }

    #[test]
    fn further_lines_begin_below_the_text_of_the_first_one() {
        let lines = |label: Label, width| {
            let lines = wrap_indented(&label, width);
            lines.iter().map(Label::plain).collect::<Vec<_>>()
        };
        let label = Label::from("  ")
            .and(Role::Muted, " by a name")
            .text(" of two");
        assert_eq!(lines(label, 12), ["   by a name", "   of two"]);
        assert_eq!(lines("not indented".into(), 8), ["not", "indented"]);
        assert_eq!(lines("    ".into(), 3).len(), 1);
        assert_eq!(lines(Label::new(), 3), [""]);
    }

    #[test]
    fn hanging_text_is_indented_below_its_prefix() {
        let lines = hang(&"✗ ".into(), &"a reason in words".into(), 12);
        let lines: Vec<String> = lines.iter().map(Label::plain).collect();
        assert_eq!(lines, ["✗ a reason", "  in words"]);
    }
}
