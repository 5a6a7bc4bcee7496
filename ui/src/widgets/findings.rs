//! A list of findings: a headline each, and below it what is to be said about it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::StatefulWidget;

use super::tree::select;
use crate::golden;
use crate::scroll::{ListState, beside_scrollbar, draw_scrollbar};
use crate::text::{Label, draw_label, draw_right, hang, line_of};
use crate::theme::{Mark, Role, Theme};

/// Most lines of one finding that is not opened.
const MAX_LINES: usize = 24;

/// Below this width, in cells, nothing is indented by the code.
const NARROW: usize = 60;

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub mark: Mark,
    /// Short name by which people speak of it.
    pub code: String,
    /// What it is, in a sentence.
    pub title: Label,
    /// Since when; at the right edge.
    pub age: String,
    /// Level under another finding that causes it; 0 for causes.
    pub depth: u16,
    /// What else there is to say.
    pub lines: Vec<Label>,
}

impl Finding {
    /// A finding without further lines.
    pub fn new(mark: Mark, code: impl Into<String>, title: impl Into<Label>) -> Self {
        Self {
            mark,
            code: code.into(),
            title: title.into(),
            age: String::new(),
            depth: 0,
            lines: Vec::new(),
        }
    }

    /// The same with its age.
    #[must_use]
    pub fn age(mut self, age: impl Into<String>) -> Self {
        self.age = age.into();
        self
    }

    /// The same, as an effect of the finding above it.
    #[must_use]
    pub const fn depth(mut self, depth: u16) -> Self {
        self.depth = depth;
        self
    }

    /// The same with one more line.
    #[must_use]
    pub fn line(mut self, line: impl Into<Label>) -> Self {
        self.lines.push(line.into());
        self
    }
}

/// Which findings show more than their headline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Opened {
    /// The selected one.
    #[default]
    Selected,
    /// All of them.
    All,
    /// None of them.
    None,
}

/// Draws findings. The state's offset counts lines.
#[derive(Clone, Copy, Debug)]
pub struct Findings<'a> {
    items: &'a [Finding],
    theme: &'a Theme,
    focused: bool,
    opened: Opened,
    empty: &'a str,
}

impl<'a> Findings<'a> {
    /// These findings, the most important first.
    pub const fn new(items: &'a [Finding], theme: &'a Theme) -> Self {
        Self {
            items,
            theme,
            focused: true,
            opened: Opened::Selected,
            empty: "",
        }
    }

    /// Whether the list has the keys.
    #[must_use]
    pub const fn focused(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// Which findings show more than their headline.
    #[must_use]
    pub const fn opened(mut self, opened: Opened) -> Self {
        self.opened = opened;
        self
    }

    /// What to say when there are none.
    #[must_use]
    pub const fn empty(mut self, words: &'a str) -> Self {
        self.empty = words;
        self
    }

    /// All findings in words, opened.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        if self.items.is_empty() {
            return vec![self.empty.to_owned()];
        }
        let mut text = Vec::new();
        for finding in self.items {
            let lines = self.lines(finding, true, false, width);
            text.extend(golden::paged(width, lines.len(), |first, area, buffer| {
                for (y, line) in (area.top()..area.bottom()).zip(&lines[first..]) {
                    self.draw_line(line, line_of(area, y), buffer);
                }
            }));
        }
        text
    }

    /// All lines as they are drawn in an area, each with the number of its finding, those that are scrolled away among
    /// them.
    pub fn rows(&self, area: Rect) -> Vec<(usize, String)> {
        let lines = |width: u16| {
            let items = 0..self.items.len();
            items
                .flat_map(|index| {
                    let lines = self.lines_in_list(index, usize::MAX, width);
                    lines.into_iter().map(move |line| (index, line))
                })
                .collect::<Vec<_>>()
        };
        let mut all = lines(area.width);
        let inner = beside_scrollbar(all.len(), area);
        if inner != area {
            all = lines(inner.width);
        }
        let text = golden::paged(inner.width, all.len(), |first, area, buffer| {
            for (y, (_, line)) in (area.top()..area.bottom()).zip(&all[first..]) {
                self.draw_line(line, line_of(area, y), buffer);
            }
        });
        all.iter().map(|(index, _)| *index).zip(text).collect()
    }

    fn is_opened(&self, selected: bool) -> bool {
        match self.opened {
            Opened::All => true,
            Opened::Selected => selected,
            Opened::None => false,
        }
    }

    /// A finding's lines; the first one has the age at its right edge.
    fn lines(
        &self,
        finding: &Finding,
        opened: bool,
        selected: bool,
        width: u16,
    ) -> Vec<(Label, Label)> {
        let width = usize::from(width);
        let cursor = if selected {
            self.theme.glyphs.cursor
        } else {
            " "
        };
        let indent = usize::from(finding.depth.min(8)) * 2;
        let mut prefix = Label::of(Role::Accent, cursor)
            .text(" ".repeat(indent))
            .mark(finding.mark, self.theme)
            .text(" ");
        let mut title = finding.title.clone().or(Role::Strong);
        if !finding.code.is_empty() {
            let code = Label::of(finding.mark.role(), finding.code.clone()).text("  ");
            // Where it is narrow, the title's further lines use the room below the code too.
            if width < NARROW {
                title = code.joined(&title);
            } else {
                prefix.extend(code);
            }
        }
        let age = Label::of(Role::Muted, finding.age.clone());
        if !opened {
            return vec![(prefix.joined(&title), age)];
        }
        let age_room = if age.is_empty() { 0 } else { age.width() + 2 };
        let headline = hang(&prefix, &title, width.saturating_sub(age_room));
        let mut lines: Vec<(Label, Label)> = headline
            .into_iter()
            .map(|line| (line, Label::new()))
            .collect();
        lines[0].1 = age;
        let indent = Label::from(" ".repeat(prefix.width().min(width / 3)));
        for line in &finding.lines {
            let wrapped = hang(&indent, line, width);
            lines.extend(wrapped.into_iter().map(|line| (line, Label::new())));
        }
        lines
    }

    fn draw_line(&self, (left, right): &(Label, Label), area: Rect, buffer: &mut Buffer) {
        let used = draw_right(right, area, buffer, self.theme);
        let room = area.width.saturating_sub(used + u16::from(used > 0) * 2);
        let place = Rect {
            width: room,
            ..area
        };
        draw_label(left, place, buffer, self.theme, Style::new());
    }

    /// A finding's lines as they stand in the list.
    fn lines_in_list(&self, index: usize, selected: usize, width: u16) -> Vec<(Label, Label)> {
        let is_selected = index == selected;
        let opened = self.is_opened(is_selected);
        let mut lines = self.lines(&self.items[index], opened, is_selected, width);
        if !is_selected && self.opened != Opened::All {
            lines.truncate(MAX_LINES);
        }
        lines
    }

    /// The line at which each finding starts, and that after the last. Those that are not opened
    /// have one line, and are not looked at.
    fn starts(&self, selected: usize, width: u16) -> Vec<usize> {
        let mut starts = Vec::with_capacity(self.items.len() + 1);
        let mut line = 0;
        for index in 0..self.items.len() {
            starts.push(line);
            line += if self.is_opened(index == selected) {
                self.lines_in_list(index, selected, width).len()
            } else {
                1
            };
        }
        starts.push(line);
        starts
    }
}

impl StatefulWidget for &Findings<'_> {
    type State = ListState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut ListState) {
        let area = area.intersection(buffer.area);
        let count = self.items.len();
        if area.is_empty() || count == 0 {
            state.fit(count, usize::from(area.height));
            let words = Label::of(Role::Muted, self.empty.to_owned());
            draw_label(&words, area, buffer, self.theme, Style::new());
            return;
        }
        let selected = state.selected.min(count - 1);
        let mut starts = self.starts(selected, area.width);
        let inner = beside_scrollbar(starts[count], area);
        if inner != area {
            starts = self.starts(selected, inner.width);
        }
        let lines = starts[count];
        let selection = starts[selected]..starts[selected + 1];
        state.fit_lines(count, usize::from(area.height), lines, selection);
        let first = starts.partition_point(|start| *start <= state.offset) - 1;
        let mut skip = state.offset - starts[first];
        let mut y = inner.y;
        for index in first..count {
            for line in self
                .lines_in_list(index, selected, inner.width)
                .iter()
                .skip(skip)
            {
                if y >= inner.bottom() {
                    break;
                }
                let place = line_of(inner, y);
                self.draw_line(line, place, buffer);
                if index == selected {
                    select(place, self.focused, buffer, self.theme);
                }
                y += 1;
            }
            skip = 0;
            if y >= inner.bottom() {
                break;
            }
        }
        if inner != area {
            draw_scrollbar(lines, state.offset, area, buffer, self.theme);
        }
    }
}
