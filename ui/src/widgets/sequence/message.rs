//! One message as rows between its lanes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::lanes::Lanes;
use super::{Diagram, Message, selection_style};
use crate::text::{Label, draw_label, hang, wrap};
use crate::theme::{Mark, Role, Theme};

/// One row of one message.
pub(super) struct Row {
    /// First cell of the space between the lanes.
    start: usize,
    /// One past its last cell.
    end: usize,
    content: Content,
}

enum Content {
    /// Words at the left, facts at the right.
    Words {
        left: Label,
        right: Label,
    },
    Arrow(Arrow),
}

struct Arrow {
    to_the_right: bool,
    mark: Option<Mark>,
    /// Facts for which the words left no room.
    facts: Label,
}

/// All rows of a message.
pub(super) fn rows(message: &Message, diagram: &Diagram, lanes: &Lanes, theme: &Theme) -> Vec<Row> {
    if lanes.is_list() {
        return listed(message, diagram, lanes, theme);
    }
    let (left, right) = lanes.span(message);
    let (start, end) = if left == right {
        (lanes.cells[left] + 1, lanes.width)
    } else {
        (lanes.cells[left] + 1, lanes.cells[right])
    };
    let words = Words::of(message, lanes.marks, end.saturating_sub(start), theme);
    let mut contents = words.contents;
    if message.from != message.to && left != right {
        contents.push(Content::Arrow(Arrow {
            to_the_right: message.from < message.to,
            mark: message.mark,
            facts: words.facts_left_over.unwrap_or_default(),
        }));
    } else if let Some(facts) = words.facts_left_over {
        contents.push(Content::Words {
            left: Label::new(),
            right: facts,
        });
    }
    contents.extend(words.below);
    contents
        .into_iter()
        .map(|content| Row {
            start,
            end,
            content,
        })
        .collect()
}

/// What is written about a message.
struct Words {
    contents: Vec<Content>,
    /// Reason and evidence.
    below: Vec<Content>,
    facts_left_over: Option<Label>,
}

impl Words {
    fn of(message: &Message, marks: bool, gap: usize, theme: &Theme) -> Self {
        let room = gap.saturating_sub(2);
        let number = number(message);
        let mark = message
            .mark
            .map_or_else(Label::new, |mark| Label::new().mark(mark, theme));
        let mark_room = usize::from(marks) * 2;
        let sign = |facts: Label| {
            let facts = if mark_room == 0 {
                facts
            } else if mark.is_empty() {
                facts.text("  ")
            } else {
                facts.text(" ").joined(&mark)
            };
            if facts.plain().trim().is_empty() {
                Label::new()
            } else {
                facts
            }
        };
        let label = said(message);
        let facts = message.facts.clone();
        let facts_room = facts.width() + 2;
        let lines = hang(&number, &label, room.saturating_sub(mark_room));
        let mut contents = Vec::new();
        let mut facts_left_over = (!facts.is_empty()).then_some(facts);
        let last = lines.len() - 1;
        for (index, line) in lines.into_iter().enumerate() {
            // Facts stand beside the mark in the first line, or alone in the last one.
            let fits = line.width() + facts_room + mark_room <= room;
            let facts = if index == last && fits {
                facts_left_over.take()
            } else {
                None
            };
            let facts = facts.unwrap_or_default();
            let right = if index == 0 {
                sign(facts)
            } else {
                facts.text(" ".repeat(mark_room))
            };
            contents.push(Content::Words { left: line, right });
        }
        let indent = Label::from(" ".repeat(number.width()));
        let mut below = Vec::new();
        for label in [reason(message), message.evidence.clone()] {
            if !label.is_empty() {
                for left in hang(&indent, &label, room) {
                    below.push(Content::Words {
                        left,
                        right: Label::new(),
                    });
                }
            }
        }
        Self {
            contents,
            below,
            facts_left_over,
        }
    }
}

fn number(message: &Message) -> Label {
    if message.number.is_empty() {
        return Label::new();
    }
    let role = if message.mark == Some(Mark::Muted) {
        Role::Muted
    } else {
        Role::Key
    };
    Label::of(role, message.number.clone()).text(" ")
}

/// The label; muted as a whole when the message never happened.
fn said(message: &Message) -> Label {
    match message.mark {
        Some(Mark::Muted) => message.label.clone().all(Role::Muted),
        _ => message.label.clone(),
    }
}

/// The reason in the mark's role, unless it brings its own.
fn reason(message: &Message) -> Label {
    let mut reason = message.reason.clone();
    if let Some(mark) = message.mark {
        for run in &mut reason.runs {
            if run.role == Role::Normal {
                run.role = mark.role();
            }
        }
    }
    reason
}

/// A message where there is no room for lanes.
fn listed(message: &Message, diagram: &Diagram, lanes: &Lanes, theme: &Theme) -> Vec<Row> {
    let room = lanes.width.saturating_sub(2).max(1);
    let short = |lane: usize| {
        let lane = lane.min(diagram.lanes.len().saturating_sub(1));
        diagram
            .lanes
            .get(lane)
            .map_or_else(String::new, |lane| lane.short.clone())
    };
    let mut path = Label::of(Role::Accent, short(message.from));
    if message.from != message.to {
        path.push(Role::Lane, theme.glyphs.right);
        path.push(Role::Accent, short(message.to));
    }
    let mut first = number(message).joined(&path).text(" ");
    if let Some(mark) = message.mark {
        first = first.mark(mark, theme).text(" ");
    }
    first.extend(said(message));
    if !message.facts.is_empty() {
        first.push(Role::Normal, "  ");
        first.extend(message.facts.clone());
    }
    let mut listed = wrap(&first, room);
    for label in [reason(message), message.evidence.clone()] {
        if !label.is_empty() {
            listed.extend(hang(&Label::from("  "), &label, room));
        }
    }
    listed
        .into_iter()
        .map(|left| Row {
            start: 0,
            end: lanes.width,
            content: Content::Words {
                left,
                right: Label::new(),
            },
        })
        .collect()
}

impl Row {
    /// Draws the row. `first` says whether it is the message's first one, `look` whether it is
    /// selected, and whether the diagram has the keys.
    pub(super) fn draw(
        &self,
        first: bool,
        look: Option<bool>,
        area: Rect,
        buffer: &mut Buffer,
        theme: &Theme,
    ) {
        let full = usize::from(area.width);
        let (start, end) = (self.start.min(full), self.end.min(full));
        let space = Rect {
            x: area.x + start as u16,
            width: (end - start) as u16,
            height: 1,
            ..area
        };
        if space.is_empty() {
            return;
        }
        match &self.content {
            Content::Words { left, right } => {
                draw_words(left, right, first && look.is_some(), space, buffer, theme);
            }
            Content::Arrow(arrow) => arrow.draw(space, buffer, theme),
        }
        buffer.set_style(space, selection_style(look, theme));
    }
}

fn draw_words(
    left: &Label,
    right: &Label,
    cursor: bool,
    space: Rect,
    buffer: &mut Buffer,
    theme: &Theme,
) {
    if cursor {
        // The selection is seen without colours too.
        buffer[(space.x, space.y)]
            .set_symbol(theme.glyphs.cursor)
            .set_style(theme.style(Role::Accent));
    }
    // Words go over the lanes that they cross, with a blank at each end.
    let inner = Rect {
        x: space.x + 1,
        width: space.width.saturating_sub(2),
        ..space
    };
    let mut cover = |x: u16, label: &Label| {
        let blanks = (label.width() + 1).min(usize::from(space.right().saturating_sub(x)));
        buffer.set_stringn(
            x,
            space.y,
            " ".repeat(blanks),
            blanks,
            ratatui::style::Style::new(),
        );
        draw_label(
            label,
            Rect {
                x,
                width: inner.right().saturating_sub(x),
                ..inner
            },
            buffer,
            theme,
            ratatui::style::Style::new(),
        );
    };
    if !left.is_empty() {
        cover(inner.x, left);
    }
    if !right.is_empty() {
        let width = u16::try_from(right.width())
            .unwrap_or(u16::MAX)
            .min(inner.width);
        cover(inner.right() - width, right);
    }
}

impl Arrow {
    fn draw(&self, space: Rect, buffer: &mut Buffer, theme: &Theme) {
        let glyphs = theme.glyphs;
        let happened = !matches!(self.mark, Some(Mark::Muted | Mark::Unknown));
        let role = match self.mark {
            Some(Mark::Failed) => Role::Error,
            Some(Mark::Warning) => Role::Warning,
            Some(Mark::Muted | Mark::Unknown) => Role::Muted,
            _ => Role::Accent,
        };
        let style = theme.style(role);
        let line = if happened {
            glyphs.horizontal
        } else {
            glyphs.dashed
        };
        for x in space.left()..space.right() {
            let crosses = buffer[(x, space.y)].symbol() == glyphs.vertical;
            let sign = if crosses { glyphs.cross } else { line };
            buffer[(x, space.y)].set_symbol(sign).set_style(style);
        }
        let (head_cell, head) = match (self.to_the_right, happened) {
            (true, true) => (space.right() - 1, glyphs.right),
            (true, false) => (space.right() - 1, glyphs.right_hollow),
            (false, true) => (space.left(), glyphs.left),
            (false, false) => (space.left(), glyphs.left_hollow),
        };
        buffer[(head_cell, space.y)].set_symbol(head);
        if self.mark == Some(Mark::Failed) && space.width >= 7 {
            let label = Label::of(Role::Error, format!(" {} ", glyphs.failed));
            let x = space.x + space.width / 2 - 1;
            let place = Rect {
                x,
                width: 3,
                ..space
            };
            draw_label(&label, place, buffer, theme, ratatui::style::Style::new());
        }
        self.draw_facts(space, buffer, theme);
    }

    fn draw_facts(&self, space: Rect, buffer: &mut Buffer, theme: &Theme) {
        let room = usize::from(space.width.saturating_sub(6));
        if self.facts.is_empty() || room < 4 {
            return;
        }
        let facts = Label::from(" ").joined(&self.facts).text(" ");
        let width = facts.width().min(room) as u16;
        let x = space.right() - 3 - width;
        let place = Rect { x, width, ..space };
        draw_label(&facts, place, buffer, theme, ratatui::style::Style::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_followed_by_a_blank() {
        let message = Message::new(0, 1, "x").number("11");
        assert_eq!(number(&message).plain(), "11 ");
        assert!(number(&Message::default()).is_empty());
    }
}
