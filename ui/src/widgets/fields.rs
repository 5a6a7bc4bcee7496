//! Names and values under each other, values wrapped.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{StatefulWidget, Widget};

use crate::golden;
use crate::scroll::{ScrollState, beside_scrollbar, draw_scrollbar};
use crate::text::{Label, cut_label, draw_label, hang, line_of, pad};
use crate::theme::{Mark, Role, Theme};

/// The names take at most this part of the width.
const NAMES_PART: usize = 3;
/// Names of so many cells are whole where they take at most half of the width: `certificate_request_context`.
const NAMES_WHOLE: usize = 28;
/// Below this width values stand below their names.
const NARROW: usize = 36;
/// Blank cells a level.
const INDENT: usize = 2;
/// Deeper levels are drawn at this one.
const MAX_DEPTH: usize = 8;

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A heading over what follows.
    Heading(Label),
    /// A name and its value.
    Value {
        /// Level of nesting, from 0.
        depth: usize,
        /// What it is called.
        name: String,
        /// Judgement of the value.
        mark: Option<Mark>,
        /// What it is.
        value: Label,
    },
    /// Text over the whole width.
    Text(Label),
    /// An empty line.
    Gap,
}

impl Field {
    /// A name and its value.
    pub fn new(name: impl Into<String>, value: impl Into<Label>) -> Self {
        Self::Value {
            depth: 0,
            name: name.into(),
            mark: None,
            value: value.into(),
        }
    }

    /// A name and its value with a judgement.
    pub fn marked(mark: Mark, name: impl Into<String>, value: impl Into<Label>) -> Self {
        Self::Value {
            depth: 0,
            name: name.into(),
            mark: Some(mark),
            value: value.into(),
        }
    }

    /// A heading.
    pub fn heading(text: impl Into<Label>) -> Self {
        Self::Heading(text.into())
    }

    /// The same at another level.
    #[must_use]
    pub fn at(mut self, level: usize) -> Self {
        if let Self::Value { depth, .. } = &mut self {
            *depth = level;
        }
        self
    }
}

/// Draws fields.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    fields: &'a [Field],
    theme: &'a Theme,
}

impl<'a> Fields<'a> {
    /// These fields.
    pub const fn new(fields: &'a [Field], theme: &'a Theme) -> Self {
        Self { fields, theme }
    }

    /// The number of lines at this width.
    pub fn height(&self, width: u16) -> usize {
        self.lines(width).len()
    }

    /// The fields in lines of at most this width.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        let lines = self.lines(width);
        golden::paged(width, lines.len(), |first, area, buffer| {
            draw_all(&lines[first..], area, buffer, self.theme);
        })
    }

    /// The lines as they are drawn in an area, those that are scrolled away among them.
    pub fn rows(&self, area: Rect) -> Vec<String> {
        let inner = beside_scrollbar(self.height(area.width), area);
        self.to_text(inner.width)
    }

    /// The fields as lines of at most this width, to be put into other text.
    pub fn lines(&self, width: u16) -> Vec<Label> {
        let width = usize::from(width);
        let names = self.fields.iter().filter_map(|field| match field {
            Field::Value { depth, name, .. } => {
                Some((*depth).min(MAX_DEPTH) * INDENT + crate::text::width(name))
            }
            _ => None,
        });
        let names = names.max().unwrap_or(0);
        let most = (width / NAMES_PART).max(NAMES_WHOLE.min(width / 2));
        let names = names.min(most);
        self.fields
            .iter()
            .flat_map(|field| self.field(field, names, width))
            .collect()
    }

    fn field(&self, field: &Field, names: usize, width: usize) -> Vec<Label> {
        match field {
            Field::Gap => vec![Label::new()],
            Field::Text(text) => hang(&Label::new(), text, width),
            Field::Heading(text) => hang(&Label::new(), &text.clone().or(Role::Title), width),
            Field::Value {
                depth,
                name,
                mark,
                value,
            } => {
                let indent = " ".repeat((*depth).min(MAX_DEPTH) * INDENT);
                let ellipsis = self.theme.glyphs.ellipsis;
                let title = Label::from(indent).and(Role::Muted, name.clone());
                let sign = match mark {
                    Some(mark) => Label::new().mark(*mark, self.theme).text(" "),
                    None => Label::new(),
                };
                if width < NARROW {
                    let mut lines = vec![cut_label(&title, width, ellipsis)];
                    if !value.is_empty() || !sign.is_empty() {
                        let prefix = Label::from("  ").joined(&sign);
                        lines.extend(hang(&prefix, value, width));
                    }
                    return lines;
                }
                let prefix = pad(&title, names, ellipsis).text("  ").joined(&sign);
                hang(&prefix, value, width)
            }
        }
    }
}

/// Draws lines from the top of an area.
pub(crate) fn draw_all(lines: &[Label], area: Rect, buffer: &mut Buffer, theme: &Theme) {
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        draw_label(line, line_of(area, y), buffer, theme, Style::new());
    }
}

/// Draws lines that were made for a width, scrolled, with a scroll bar where they do not fit.
pub(crate) fn draw_scrolled(
    make: impl Fn(u16) -> Vec<Label>,
    area: Rect,
    buffer: &mut Buffer,
    state: &mut ScrollState,
    theme: &Theme,
) {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    let mut lines = make(area.width);
    let inner = beside_scrollbar(lines.len(), area);
    if inner != area {
        lines = make(inner.width);
    }
    state.fit(lines.len(), usize::from(area.height));
    draw_all(&lines[state.offset..], inner, buffer, theme);
    if inner != area {
        draw_scrollbar(lines.len(), state.offset, area, buffer, theme);
    }
}

impl StatefulWidget for &Fields<'_> {
    type State = ScrollState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut ScrollState) {
        draw_scrolled(|width| self.lines(width), area, buffer, state, self.theme);
    }
}

impl Widget for &Fields<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        StatefulWidget::render(self, area, buffer, &mut ScrollState::default());
    }
}
