//! Tabs in one line; the selected one is always on the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use crate::golden;
use crate::text::{Label, draw_label};
use crate::theme::{Mark, Role, Theme};

/// One tab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    /// Its title.
    pub title: String,
    /// Health of what it shows.
    pub mark: Option<Mark>,
}

impl Tab {
    /// A tab with this title.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            mark: None,
        }
    }

    /// The same with a mark.
    #[must_use]
    pub const fn mark(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }
}

/// Draws tabs.
#[derive(Clone, Copy, Debug)]
pub struct Tabs<'a> {
    titles: &'a [Tab],
    selected: usize,
    theme: &'a Theme,
}

impl<'a> Tabs<'a> {
    /// These tabs, of which one is selected.
    pub const fn new(titles: &'a [Tab], selected: usize, theme: &'a Theme) -> Self {
        Self {
            titles,
            selected,
            theme,
        }
    }

    /// The tabs in words; the selected one is in brackets.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        golden::rows(&golden::draw(width, 1, |area, buffer| {
            self.render(area, buffer);
        }))
    }

    /// The tabs as one label of at most so many cells: brackets say which one is selected, arrows
    /// that there are more.
    pub fn label(&self, width: usize) -> Label {
        let (labels, shown) = self.shown(width);
        let mut line = Label::new();
        if shown.start > 0 {
            line.push(Role::Muted, format!("{} ", self.theme.glyphs.more_left));
        }
        for (index, tab) in labels[shown.clone()].iter().enumerate() {
            if index > 0 {
                line.push(Role::Border, self.theme.glyphs.vertical);
            }
            line.extend(tab.clone());
        }
        if shown.end < labels.len() {
            line.push(Role::Muted, format!(" {}", self.theme.glyphs.more_right));
        }
        line
    }

    /// The tab at a cell of the line, counted from its left edge, where one is.
    pub fn at(&self, cell: usize, width: usize) -> Option<usize> {
        let (labels, shown) = self.shown(width);
        let mut start = usize::from(shown.start > 0) * 2;
        for index in shown {
            let end = start + labels[index].width();
            if (start..end).contains(&cell) {
                return Some(index);
            }
            start = end + 1;
        }
        None
    }

    /// The labels of all tabs, and which of them there is room for.
    fn shown(&self, width: usize) -> (Vec<Label>, std::ops::Range<usize>) {
        let labels: Vec<Label> = self
            .titles
            .iter()
            .enumerate()
            .map(|(index, tab)| self.tab(index, tab))
            .collect();
        let selected = self.selected.min(labels.len().saturating_sub(1));
        let (mut first, mut end) = (selected, (selected + 1).min(labels.len()));
        // Grow around the selected tab, to the left first, while there is room.
        let used = |first: usize, end: usize| {
            let tabs: usize = labels[first..end].iter().map(|tab| tab.width() + 1).sum();
            tabs.saturating_sub(1)
                + usize::from(first > 0) * 2
                + usize::from(end < labels.len()) * 2
        };
        loop {
            if first > 0 && used(first - 1, end) <= width {
                first -= 1;
            } else if end < labels.len() && used(first, end + 1) <= width {
                end += 1;
            } else {
                break;
            }
        }
        (labels, first..end)
    }

    fn tab(&self, index: usize, tab: &Tab) -> Label {
        let selected = index == self.selected.min(self.titles.len() - 1);
        let (open, close) = if selected { ("[", "]") } else { (" ", " ") };
        let role = if selected { Role::Key } else { Role::Muted };
        let mut label = Label::of(role, open);
        if let Some(mark) = tab.mark {
            label = label.mark(mark, self.theme).text(" ");
        }
        label.and(role, tab.title.clone()).and(role, close)
    }
}

impl Widget for &Tabs<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let label = self.label(usize::from(area.width));
        draw_label(&label, area, buffer, self.theme, Style::new());
    }
}
