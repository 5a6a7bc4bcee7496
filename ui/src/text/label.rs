//! Text in runs of different roles.

use std::{borrow::Cow, ops::Range};

use super::{clean, graphemes, width};
use crate::theme::{Mark, Role, Theme};

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

    /// The same text with these parts of it, in bytes of [`Self::plain`], as [`Role::Match`].
    #[must_use]
    pub fn marked(&self, places: &[Range<usize>]) -> Self {
        let mut marked = Self::new();
        let mut start = 0;
        for run in &self.runs {
            for (at, letter) in clean(&run.text).char_indices() {
                let at = start + at;
                let is_found = places.iter().any(|place| place.contains(&at));
                let role = if is_found { Role::Match } else { run.role };
                append(&mut marked.runs, letter.encode_utf8(&mut [0; 4]), role);
            }
            start += clean(&run.text).len();
        }
        marked
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

/// Adds text to runs; text of the role of the last run is added to it.
pub(super) fn append(runs: &mut Vec<Run>, text: &str, role: Role) {
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

/// The label followed by blanks up to `width` cells; cut if it is wider.
pub fn pad(label: &Label, width: usize, ellipsis: &str) -> Label {
    let label = cut_label(label, width, ellipsis);
    let blanks = width.saturating_sub(label.width());
    label.text(" ".repeat(blanks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::cut;

    #[test]
    fn parts_of_a_label_are_marked_across_its_runs_and_nothing_is_lost() {
        let label = Label::of(Role::Accent, "name:").text(" my-näme");
        let marked = label.marked(&[3..8, 10..12]);
        assert_eq!(marked.plain(), "name: my-näme");
        let parts: Vec<(Role, &str)> = marked
            .runs
            .iter()
            .map(|run| (run.role, &*run.text))
            .collect();
        assert_eq!(
            parts,
            [
                (Role::Accent, "nam"),
                (Role::Match, "e: my"),
                (Role::Normal, "-n"),
                (Role::Match, "ä"),
                (Role::Normal, "me"),
            ]
        );
        assert_eq!(label.marked(&[]).plain(), label.plain());
    }

    #[test]
    fn a_label_is_cut_as_its_text_is() {
        for text in ["short", "too long", "漢字漢字", "ne\u{301}e", ""] {
            for max in 0..9 {
                assert_eq!(
                    cut_label(&text.into(), max, "…").plain(),
                    cut(text, max, "…"),
                    "{text} in {max}"
                );
            }
        }
    }
}
