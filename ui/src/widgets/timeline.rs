//! Events on an axis of time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{StatefulWidget, Widget};

use super::fields::{draw_all, draw_scrolled};
use crate::golden;
use crate::scroll::ScrollState;
use crate::text::{Label, cut_label, hang, pad, width};
use crate::theme::{Mark, Role, Theme};

/// Narrower than this, there is no axis, only the list.
const LEAST_AXIS: usize = 16;

/// What happens at one time, or lasts until it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in the axis' own unit.
    pub at: i64,
    /// Since when, if it lasts.
    pub from: Option<i64>,
    /// Good or bad.
    pub mark: Mark,
    /// What it is.
    pub label: Label,
    /// When, in words.
    pub when: String,
}

impl Event {
    /// What happens at one time.
    pub fn new(at: i64, mark: Mark, label: impl Into<Label>, when: impl Into<String>) -> Self {
        Self {
            at,
            from: None,
            mark,
            label: label.into(),
            when: when.into(),
        }
    }

    /// The same, lasting since another time.
    #[must_use]
    pub const fn since(mut self, from: i64) -> Self {
        self.from = Some(from);
        self
    }
}

/// Events and their axis. Times are in any unit, such as seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Axis {
    /// Left end.
    pub start: i64,
    /// Right end.
    pub end: i64,
    /// The present, drawn as a line.
    pub now: Option<i64>,
    /// Times with a name, written above the axis.
    pub ticks: Vec<(i64, String)>,
    /// In the order in which they are drawn.
    pub events: Vec<Event>,
}

/// Draws events, a line each.
#[derive(Clone, Copy, Debug)]
pub struct Timeline<'a> {
    axis: &'a Axis,
    theme: &'a Theme,
}

impl<'a> Timeline<'a> {
    /// The events of an axis.
    pub const fn new(axis: &'a Axis, theme: &'a Theme) -> Self {
        Self { axis, theme }
    }

    /// The events in lines of at most this width.
    pub fn to_text(&self, width: u16) -> Vec<String> {
        let lines = self.lines(width);
        golden::paged(width, lines.len(), |first, area, buffer| {
            draw_all(&lines[first..], area, buffer, self.theme);
        })
    }

    /// Cell of a time on an axis of so many cells; times outside are at its ends.
    fn cell(&self, at: i64, cells: usize) -> usize {
        let span = i128::from(self.axis.end) - i128::from(self.axis.start);
        if span <= 0 || cells == 0 {
            return 0;
        }
        let offset = (i128::from(at) - i128::from(self.axis.start)).clamp(0, span);
        (offset * (cells as i128 - 1) / span) as usize
    }

    fn lines(&self, full: u16) -> Vec<Label> {
        let full = usize::from(full);
        let events = &self.axis.events;
        let whens = events
            .iter()
            .map(|event| width(&event.when))
            .max()
            .unwrap_or(0);
        let labels = events
            .iter()
            .map(|event| event.label.width())
            .max()
            .unwrap_or(0);
        let labels = labels.min(full * 2 / 5);
        let axis = full.saturating_sub(2 + labels + 2 + 2 + whens);
        if axis < LEAST_AXIS {
            return events
                .iter()
                .flat_map(|event| self.listed(event, full))
                .collect();
        }
        let mut lines = Vec::new();
        let indent = " ".repeat(2 + labels + 2);
        if !self.axis.ticks.is_empty() {
            lines.push(Label::from(indent).and(Role::Muted, self.ticks(axis)));
        }
        for event in events {
            let ellipsis = self.theme.glyphs.ellipsis;
            lines.push(
                Label::new()
                    .mark(event.mark, self.theme)
                    .text(" ")
                    .joined(&pad(&event.label, labels, ellipsis))
                    .text("  ")
                    .joined(&self.track(event, axis))
                    .text("  ")
                    .and(event.mark.role(), event.when.clone()),
            );
        }
        lines
    }

    fn listed(&self, event: &Event, full: usize) -> Vec<Label> {
        let sign = Label::new().mark(event.mark, self.theme).text(" ");
        let words = event
            .label
            .clone()
            .text("  ")
            .and(event.mark.role(), event.when.clone());
        hang(&sign, &words, full)
    }

    /// Names of times, each starting at its cell; one that would run into another is left out.
    fn ticks(&self, cells: usize) -> String {
        let mut ticks: Vec<(usize, &str)> = self
            .axis
            .ticks
            .iter()
            .map(|(at, name)| (self.cell(*at, cells), &**name))
            .collect();
        ticks.sort_unstable();
        let mut line = String::new();
        let mut used = 0;
        for (cell, name) in ticks {
            let name_width = width(name);
            let start = cell.min(cells.saturating_sub(name_width));
            if start < used || start + name_width > cells {
                continue;
            }
            line.extend(std::iter::repeat_n(
                ' ',
                start + usize::from(used > 0) - used,
            ));
            line.push_str(name);
            used = start + name_width + 1;
        }
        line
    }

    fn track(&self, event: &Event, cells: usize) -> Label {
        let glyphs = self.theme.glyphs;
        let at = self.cell(event.at, cells);
        let from = event.from.map_or(at, |from| self.cell(from, cells)).min(at);
        let now = self.axis.now.map(|now| self.cell(now, cells));
        let mut track = Label::new();
        for cell in 0..cells {
            let (role, sign) = if cell == at {
                (event.mark.role(), glyphs.event)
            } else if Some(cell) == now {
                (Role::Accent, glyphs.vertical)
            } else if cell >= from && cell < at {
                (event.mark.role(), glyphs.double_horizontal)
            } else {
                (Role::Lane, glyphs.dashed)
            };
            track.push(role, sign);
        }
        cut_label(&track, cells, glyphs.ellipsis)
    }
}

impl StatefulWidget for &Timeline<'_> {
    type State = ScrollState;

    fn render(self, area: Rect, buffer: &mut Buffer, state: &mut ScrollState) {
        draw_scrolled(|width| self.lines(width), area, buffer, state, self.theme);
    }
}

impl Widget for &Timeline<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        StatefulWidget::render(self, area, buffer, &mut ScrollState::default());
    }
}
