//! A sequence diagram: lanes, messages between them, one of them selected.
//!
//! Each message is a line of words between its lanes, an arrow below it, then the reason and the
//! evidence, wrapped. A message from a lane to itself has no arrow and stands beside its lane.
//! Lanes are as far apart as the messages between them need. Where there is no room for the
//! lanes' long titles, short ones stand above them and a legend above all; where there is no
//! room for lanes at all, the messages become a list.

mod lanes;
mod message;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{StatefulWidget, Widget};

use self::lanes::Lanes;
use self::message::Row;
use crate::golden;
use crate::scroll::{ListState, beside_scrollbar, draw_scrollbar};
use crate::text::{Label, draw_label, wrap};
use crate::theme::{Mark, Role, Theme};

/// One who sends and receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The title where there is room.
    pub title: String,
    /// The title where there is none; best not longer than six cells.
    pub short: String,
}

impl Lane {
    /// A lane with a long and a short title.
    pub fn new(title: impl Into<String>, short: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            short: short.into(),
        }
    }
}

/// What goes from one lane to another, or happens at one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Message {
    /// Index of the lane that sends. Beyond the last lane means the last one.
    pub from: usize,
    /// Index of the lane that receives; the same as `from` for what happens at one lane.
    pub to: usize,
    /// Number in the margin; may be empty.
    pub number: String,
    /// What it says.
    pub label: Label,
    /// Said at the right: time, size.
    pub facts: Label,
    /// How it went. [`Mark::Muted`] is what never happened; its arrow is dashed.
    pub mark: Option<Mark>,
    /// Why it failed, or is a cause for concern; wrapped below.
    pub reason: Label,
    /// What proves it; wrapped below.
    pub evidence: Label,
}

impl Message {
    /// A message from one lane to another (or the same).
    pub fn new(from: usize, to: usize, label: impl Into<Label>) -> Self {
        Self {
            from,
            to,
            label: label.into(),
            ..Self::default()
        }
    }

    /// The same with a number.
    #[must_use]
    pub fn number(mut self, number: impl Into<String>) -> Self {
        self.number = number.into();
        self
    }

    /// The same with facts at the right.
    #[must_use]
    pub fn facts(mut self, facts: impl Into<Label>) -> Self {
        self.facts = facts.into();
        self
    }

    /// The same with a mark.
    #[must_use]
    pub const fn mark(mut self, mark: Mark) -> Self {
        self.mark = Some(mark);
        self
    }

    /// The same with a reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Label>) -> Self {
        self.reason = reason.into();
        self
    }

    /// The same with evidence.
    #[must_use]
    pub fn evidence(mut self, evidence: impl Into<Label>) -> Self {
        self.evidence = evidence.into();
        self
    }
}

/// The whole diagram.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Diagram {
    /// From left to right; two to four look best.
    pub lanes: Vec<Lane>,
    /// In the order of time.
    pub messages: Vec<Message>,
    /// Below the diagram.
    pub footnote: Vec<Label>,
}

/// Draws a sequence diagram. The state's offset counts lines; it selects a message, or after them a
/// note of the footnote.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    diagram: &'a Diagram,
    theme: &'a Theme,
    focused: bool,
}

/// The diagram at one width: all rows, drawn or not.
struct Layout {
    lanes: Lanes,
    /// Rows of each message.
    messages: Vec<Vec<Row>>,
    /// Lines of each note.
    footnote: Vec<Vec<Label>>,
    width: u16,
}

impl Layout {
    fn of(diagram: &Diagram, theme: &Theme, width: u16) -> Self {
        let lanes = Lanes::place(diagram, theme, width);
        let messages = diagram
            .messages
            .iter()
            .map(|m| message::rows(m, diagram, &lanes, theme))
            .collect();
        let notes = diagram.footnote.iter();
        let footnote = notes
            .map(|note| wrap(note, usize::from(width.saturating_sub(2))))
            .collect();
        Self {
            lanes,
            messages,
            footnote,
            width,
        }
    }

    /// Lines below the head: messages, the lanes' ends, the footnote.
    fn body_height(&self) -> usize {
        self.messages_height() + self.footnote.iter().map(Vec::len).sum::<usize>()
    }

    /// Lines of the messages, and of the lanes' ends.
    fn messages_height(&self) -> usize {
        let messages: usize = self.messages.iter().map(Vec::len).sum();
        messages + usize::from(!self.lanes.is_list() && messages > 0)
    }

    /// How many messages and notes there are to select.
    fn count(&self) -> usize {
        self.messages.len() + self.footnote.len()
    }

    /// Lines of one message, or, after the messages, of one note. Where all notes fit below the last
    /// message, it reaches down to the end.
    fn lines_of(&self, index: usize, height: usize) -> std::ops::Range<usize> {
        if let Some(note) = index.checked_sub(self.messages.len()) {
            let before = self.footnote.iter().take(note).map(Vec::len);
            let start = self.messages_height() + before.sum::<usize>();
            return start..start + self.footnote.get(note).map_or(0, Vec::len);
        }
        let start = self.messages.iter().take(index).map(Vec::len).sum();
        let end = start + self.messages[index].len();
        let is_last = index + 1 == self.messages.len();
        if is_last && self.body_height() - start <= height {
            start..self.body_height()
        } else {
            start..end
        }
    }
}

impl<'a> Sequence<'a> {
    /// A diagram that shows its selection.
    pub const fn new(diagram: &'a Diagram, theme: &'a Theme) -> Self {
        Self {
            diagram,
            theme,
            focused: true,
        }
    }

    /// Whether the diagram has the keys.
    #[must_use]
    pub const fn focused(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// The number of lines that the whole diagram takes at this width.
    pub fn height(&self, width: u16) -> usize {
        let layout = Layout::of(self.diagram, self.theme, width);
        usize::from(layout.lanes.head_height()) + layout.body_height()
    }

    /// The whole diagram in lines of at most this width.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        let layout = Layout::of(self.diagram, self.theme, width);
        let head = layout.lanes.head_height();
        let mut text = golden::rows(&golden::draw(width, head, |area, buffer| {
            layout.lanes.draw_head(area, buffer, self.theme);
        }));
        text.extend(golden::paged(
            width,
            layout.body_height(),
            |first, area, buffer| {
                self.draw_body(&layout, first, None, area, buffer);
            },
        ));
        text
    }

    fn draw_body(
        &self,
        layout: &Layout,
        first: usize,
        selected: Option<usize>,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let mut line = 0;
        let end = first + usize::from(area.height);
        let at = |line: usize| Rect {
            y: area.y + (line - first) as u16,
            height: 1,
            ..area
        };
        for (index, rows) in layout.messages.iter().enumerate() {
            for (number, row) in rows.iter().enumerate() {
                if (first..end).contains(&line) {
                    let look = (selected == Some(index)).then_some(self.focused);
                    layout.lanes.draw_lines(at(line), buffer, self.theme);
                    row.draw(number == 0, look, at(line), buffer, self.theme);
                }
                line += 1;
            }
        }
        if line > 0 && !layout.lanes.is_list() {
            if (first..end).contains(&line) {
                layout.lanes.draw_lines(at(line), buffer, self.theme);
            }
            line += 1;
        }
        let notes = layout.footnote.iter().enumerate();
        let notes = notes.flat_map(|(number, lines)| lines.iter().map(move |line| (number, line)));
        for (number, note) in notes {
            if (first..end).contains(&line) {
                let room = at(line);
                let indent = room.width.min(1);
                let room = Rect {
                    x: room.x + indent,
                    width: room.width - indent,
                    ..room
                };
                let look =
                    (selected == Some(layout.messages.len() + number)).then_some(self.focused);
                let style = self.theme.style(Role::Normal);
                draw_label(note, room, buffer, self.theme, style);
                buffer.set_style(room, selection_style(look, self.theme));
            }
            line += 1;
        }
    }

    fn draw(&self, area: Rect, buffer: &mut Buffer, state: Option<&mut ListState>) {
        let area = area.intersection(buffer.area);
        if area.is_empty() {
            return;
        }
        let mut layout = Layout::of(self.diagram, self.theme, area.width);
        let head = |layout: &Layout| {
            // A head that leaves no room for messages is no use.
            let height = layout.lanes.head_height();
            if height * 2 > area.height {
                height.min(area.height / 3)
            } else {
                height
            }
        };
        let body_area = |head: u16| Rect {
            y: area.y + head,
            height: area.height - head,
            ..area
        };
        let mut body = body_area(head(&layout));
        let narrow = beside_scrollbar(layout.body_height(), body);
        if narrow != body {
            layout = Layout::of(self.diagram, self.theme, narrow.width);
            body = body_area(head(&layout));
        }
        let head_area = Rect {
            height: body.y - area.y,
            width: layout.width,
            ..area
        };
        layout.lanes.draw_head(head_area, buffer, self.theme);
        let lines = layout.body_height();
        let mut unselected = ListState::default();
        let selects = state.is_some();
        let state = state.unwrap_or(&mut unselected);
        let count = layout.count();
        let selected = state.selected.min(count.saturating_sub(1));
        state.fit_lines(
            count,
            usize::from(body.height),
            lines,
            layout.lines_of(selected, usize::from(body.height)),
        );
        let shown = selects.then_some(state.selected);
        let inner = Rect {
            width: layout.width,
            ..body
        };
        self.draw_body(&layout, state.offset, shown, inner, buffer);
        if layout.width < area.width {
            draw_scrollbar(lines, state.offset, body, buffer, self.theme);
        }
    }
}

impl StatefulWidget for &Sequence<'_> {
    type State = ListState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut ListState) {
        self.draw(area, buffer, Some(state));
    }
}

impl Widget for &Sequence<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        self.draw(area, buffer, None);
    }
}

/// Style of a selected row, or none.
fn selection_style(look: Option<bool>, theme: &Theme) -> Style {
    match look {
        None => Style::new(),
        Some(true) => theme.style(Role::Selected),
        Some(false) => theme.style(Role::SelectedElsewhere),
    }
}
