//! Columns of boxes joined by links, each column with a heading and a conclusion: an argument,
//! step by step. Columns stand side by side where there is room, else one below the other.

mod column;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{StatefulWidget, Widget};

use self::column::Drawn;
use super::bar::Bar;
use crate::golden;
use crate::scroll::{ScrollState, beside_scrollbar, draw_scrollbar};
use crate::text::{Label, draw_label, hang, line_of, pad};
use crate::theme::{Mark, Role, Theme};

/// From this width on, two columns stand side by side; more need as much room each.
const SIDE_BY_SIDE: u16 = 98;
/// Blank cells between columns.
const BETWEEN: usize = 3;

/// One line inside of a box.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Detail {
    /// Judgement of what it says.
    pub mark: Option<Mark>,
    /// What it says.
    pub label: Label,
    /// A bar before the words.
    pub bar: Option<Bar>,
}

impl Detail {
    /// A line without a judgement.
    pub fn new(label: impl Into<Label>) -> Self {
        Self {
            label: label.into(),
            ..Self::default()
        }
    }

    /// A line with a judgement.
    pub fn marked(mark: Mark, label: impl Into<Label>) -> Self {
        Self {
            mark: Some(mark),
            label: label.into(),
            bar: None,
        }
    }

    /// A bar with its words.
    pub fn bar(bar: Bar) -> Self {
        Self {
            mark: None,
            label: Label::new(),
            bar: Some(bar),
        }
    }
}

impl From<&'static str> for Detail {
    fn from(text: &'static str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Label> for Detail {
    fn from(label: Label) -> Self {
        Self::new(label)
    }
}

/// How a box is joined to the one above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Verified, broken, or not known.
    pub mark: Mark,
    /// What it claims: `signed by`, `is`.
    pub words: Label,
    /// Why it is broken or not known; wrapped below.
    pub reason: Label,
    /// Drawn as a double line: both boxes should be the same thing.
    pub same: bool,
}

impl Link {
    /// A link from a thing to another thing.
    pub fn new(mark: Mark, words: impl Into<Label>) -> Self {
        Self {
            mark,
            words: words.into(),
            reason: Label::new(),
            same: false,
        }
    }

    /// A link between two things that should be one and the same.
    pub fn same(mark: Mark, words: impl Into<Label>) -> Self {
        Self {
            same: true,
            ..Self::new(mark, words)
        }
    }

    /// The same with a reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Label>) -> Self {
        self.reason = reason.into();
        self
    }
}

/// One box.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Node {
    /// How it is joined to the box above it; ignored in the first box.
    pub link: Option<Link>,
    /// Its part in the argument, in a word or two: `presents`, `trusts`.
    pub caption: String,
    /// What it is.
    pub title: Label,
    /// Facts about it.
    pub details: Vec<Detail>,
}

impl Node {
    /// A box with a caption and a title.
    pub fn new(caption: impl Into<String>, title: impl Into<Label>) -> Self {
        Self {
            caption: caption.into(),
            title: title.into(),
            ..Self::default()
        }
    }

    /// The same, joined to the box above it.
    #[must_use]
    pub fn link(mut self, link: Link) -> Self {
        self.link = Some(link);
        self
    }

    /// The same with one more fact.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Detail>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// The worst judgement inside, if it is bad.
    fn frame_role(&self) -> Role {
        let has = |mark| self.details.iter().any(|detail| detail.mark == Some(mark));
        if has(Mark::Failed) {
            Role::Error
        } else if has(Mark::Warning) {
            Role::Warning
        } else {
            Role::Border
        }
    }
}

/// One column: heading, boxes, conclusion.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainColumn {
    /// What the column argues.
    pub heading: Label,
    /// The steps, from top to bottom.
    pub boxes: Vec<Node>,
    /// The judgement of the whole.
    pub mark: Mark,
    /// The judgement in words.
    pub conclusion: Label,
}

impl ChainColumn {
    /// A column without boxes yet.
    pub fn new(heading: impl Into<Label>, mark: Mark, conclusion: impl Into<Label>) -> Self {
        Self {
            heading: heading.into(),
            boxes: Vec::new(),
            mark,
            conclusion: conclusion.into(),
        }
    }

    /// The same with one more box.
    #[must_use]
    pub fn node(mut self, node: Node) -> Self {
        self.boxes.push(node);
        self
    }
}

/// The whole picture.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Argument {
    /// Usually two.
    pub columns: Vec<ChainColumn>,
    /// Below all columns.
    pub footer: Vec<Label>,
}

/// Draws columns of boxes. Scrolls as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    argument: &'a Argument,
    theme: &'a Theme,
}

impl<'a> Chain<'a> {
    /// The picture of an argument.
    pub const fn new(argument: &'a Argument, theme: &'a Theme) -> Self {
        Self { argument, theme }
    }

    /// The number of lines at this width, with or without frames around boxes.
    pub fn height(&self, width: u16, framed: bool) -> usize {
        self.lines(width, framed).len()
    }

    /// The picture in lines of at most this width, without frames.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        let lines = self.lines(width, false);
        golden::paged(width, lines.len(), |first, area, buffer| {
            self.draw_lines(&lines[first..], area, buffer);
        })
    }

    /// The lines as they are drawn in an area, those that are scrolled away among them.
    pub fn rows(&self, area: Rect) -> Vec<String> {
        let (lines, inner) = self.fitted(area);
        golden::paged(inner.width, lines.len(), |first, area, buffer| {
            self.draw_lines(&lines[first..], area, buffer);
        })
    }

    /// The lines for an area, and the part of it without a scroll bar. Boxes have frames where the whole picture fits
    /// with them.
    fn fitted(&self, area: Rect) -> (Vec<Label>, Rect) {
        let mut lines = self.lines(area.width, true);
        if lines.len() > usize::from(area.height) {
            lines = self.lines(area.width, false);
        }
        let inner = beside_scrollbar(lines.len(), area);
        if inner != area {
            lines = self.lines(inner.width, false);
        }
        (lines, inner)
    }

    fn draw_lines(&self, lines: &[Label], area: Rect, buffer: &mut Buffer) {
        for (y, line) in (area.top()..area.bottom()).zip(lines) {
            draw_label(line, line_of(area, y), buffer, self.theme, Style::new());
        }
    }

    fn lines(&self, width: u16, framed: bool) -> Vec<Label> {
        let width = usize::from(width);
        let columns = &self.argument.columns;
        let beside = columns.len() > 1 && width * 2 >= usize::from(SIDE_BY_SIDE) * columns.len();
        let mut lines = if beside {
            self.beside(width, framed)
        } else {
            self.below(width, framed)
        };
        if !self.argument.footer.is_empty() {
            lines.push(Label::new());
        }
        for line in &self.argument.footer {
            lines.extend(hang(&Label::from(" "), line, width));
        }
        lines
    }

    fn below(&self, width: usize, framed: bool) -> Vec<Label> {
        let mut lines = Vec::new();
        for column in &self.argument.columns {
            if !lines.is_empty() {
                lines.push(Label::new());
            }
            let drawn = Drawn {
                column,
                theme: self.theme,
                width,
                framed,
            };
            let parts = drawn.heights();
            lines.extend(drawn.lines(&parts));
        }
        lines
    }

    fn beside(&self, width: usize, framed: bool) -> Vec<Label> {
        let count = self.argument.columns.len();
        let each = (width - BETWEEN * (count - 1)) / count;
        let columns: Vec<Drawn<'_>> = self
            .argument
            .columns
            .iter()
            .map(|column| Drawn {
                column,
                theme: self.theme,
                width: each,
                framed,
            })
            .collect();
        let mut heights: Vec<Vec<usize>> = columns.iter().map(Drawn::heights).collect();
        // Steps of the same place stand at the same height, if there are as many in each column.
        if heights
            .windows(2)
            .all(|pair| pair[0].len() == pair[1].len())
        {
            for part in 0..heights[0].len() {
                let highest = heights.iter().map(|parts| parts[part]).max().unwrap_or(0);
                for parts in &mut heights {
                    parts[part] = highest;
                }
            }
        }
        let columns: Vec<Vec<Label>> = columns
            .iter()
            .zip(&heights)
            .map(|(column, parts)| column.lines(parts))
            .collect();
        let height = columns.iter().map(Vec::len).max().unwrap_or(0);
        let blank = Label::new();
        (0..height)
            .map(|row| {
                let mut line = Label::new();
                for (index, column) in columns.iter().enumerate() {
                    let part = column.get(row).unwrap_or(&blank);
                    if index + 1 < count {
                        line.extend(pad(part, each + BETWEEN, self.theme.glyphs.ellipsis));
                    } else {
                        line.extend(part.clone());
                    }
                }
                line
            })
            .collect()
    }
}

impl StatefulWidget for &Chain<'_> {
    type State = ScrollState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut ScrollState) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let (lines, inner) = self.fitted(area);
        state.fit(lines.len(), usize::from(area.height));
        self.draw_lines(&lines[state.offset..], inner, buffer);
        draw_scrollbar(lines.len(), state.offset, area, buffer, self.theme);
    }
}

impl Widget for &Chain<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let mut state = ScrollState::default();
        StatefulWidget::render(self, area, buffer, &mut state);
    }
}
