//! Where the lanes stand, and what is written above them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Diagram, Message};
use crate::text::{Label, cut, draw_label, draw_text, line_of, width, wrap};
use crate::theme::{Role, Theme};

/// Up to this width the lanes' short titles are used.
const NARROW: u16 = 80;
/// From this width on long titles are rather cut than replaced by short ones.
const WIDE: u16 = 100;
/// Least cells between two lanes.
const LEAST_GAP: usize = 8;
/// Cells that there must be for each gap on average, or the messages become a list.
const LEAST_ROOM: usize = 16;
/// A long title is not cut below this.
const LEAST_TITLE: usize = 14;
/// Farther than this from its lane's title no lane stands from the edge.
const MARGIN: usize = 6;
/// The eye loses the line where lanes are farther apart than they need to be.
const WIDEST: usize = 150;

/// Places of the lanes in a given width. Cells count from the left edge.
pub(super) struct Lanes {
    /// Cell of each lane; empty when there is no room and messages are listed instead.
    pub(super) cells: Vec<usize>,
    /// Start and text of each title.
    titles: Vec<(usize, String)>,
    legend: Vec<Label>,
    /// Cells of the whole width.
    pub(super) width: usize,
    /// Whether some message has a mark, for which room is kept at the right.
    pub(super) marks: bool,
}

impl Lanes {
    pub(super) fn place(diagram: &Diagram, theme: &Theme, area_width: u16) -> Self {
        let full = usize::from(area_width);
        let count = diagram.lanes.len();
        let marks = diagram
            .messages
            .iter()
            .any(|message| message.mark.is_some());
        let list = Self {
            cells: Vec::new(),
            titles: Vec::new(),
            legend: Vec::new(),
            width: full,
            marks,
        };
        if count == 0 {
            return list;
        }
        let desired = desired_gaps(diagram, marks);
        let ellipsis = theme.glyphs.ellipsis;
        if area_width > NARROW {
            let mut titles: Vec<String> = diagram
                .lanes
                .iter()
                .map(|lane| cut(&lane.title, full, ellipsis))
                .collect();
            while let Some(cells) = cells(&titles, &desired, full.min(WIDEST)) {
                if let Some(starts) = starts(&titles, &cells, full) {
                    let titles = starts.into_iter().zip(titles).collect();
                    return Self {
                        cells,
                        titles,
                        ..list
                    };
                }
                if area_width < WIDE || !shorten(&mut titles, ellipsis) {
                    break;
                }
            }
        }
        let titles: Vec<String> = diagram
            .lanes
            .iter()
            .map(|lane| cut(&lane.short, 10, ellipsis))
            .collect();
        let legend = legend(diagram, full);
        match cells(&titles, &desired, full.min(WIDEST)) {
            Some(cells) => match starts(&titles, &cells, full) {
                Some(starts) => {
                    let titles = starts.into_iter().zip(titles).collect();
                    Self {
                        cells,
                        titles,
                        legend,
                        ..list
                    }
                }
                None => Self { legend, ..list },
            },
            None => Self { legend, ..list },
        }
    }

    /// Whether there is no room for lanes.
    pub(super) fn is_list(&self) -> bool {
        self.cells.is_empty()
    }

    pub(super) fn head_height(&self) -> u16 {
        u16::try_from(self.legend.len()).unwrap_or(u16::MAX) + u16::from(!self.titles.is_empty())
    }

    /// Legend and titles. Where there is not room for all, the titles stay.
    pub(super) fn draw_head(&self, area: Rect, buffer: &mut Buffer, theme: &Theme) {
        let titles_height = u16::from(!self.titles.is_empty());
        let legend_height = area.height.saturating_sub(titles_height);
        for (y, line) in (area.y..area.y + legend_height).zip(&self.legend) {
            draw_label(line, line_of(area, y), buffer, theme, Style::new());
        }
        if area.height == 0 {
            return;
        }
        for (start, title) in &self.titles {
            let start = (*start).min(usize::from(area.width)) as u16;
            let y = area.bottom() - 1;
            let place = Rect {
                x: area.x + start,
                y,
                width: area.width - start,
                height: 1,
            };
            draw_text(title, Role::Title, place, buffer, theme);
        }
    }

    /// The lifelines of one row.
    pub(super) fn draw_lines(&self, area: Rect, buffer: &mut Buffer, theme: &Theme) {
        for cell in &self.cells {
            let x = area.x + *cell as u16;
            if x < area.right() {
                buffer[(x, area.y)]
                    .set_symbol(theme.glyphs.vertical)
                    .set_style(theme.style(Role::Lane));
            }
        }
    }

    /// First and last lane of the space in which a message is written, in order of place.
    pub(super) fn span(&self, message: &Message) -> (usize, usize) {
        span(message, self.cells.len())
    }
}

/// Left and right lane of a message; a lane's own message stands at its right, the last lane's at
/// its left.
fn span(message: &Message, lanes: usize) -> (usize, usize) {
    let last = lanes.saturating_sub(1);
    let (from, to) = (message.from.min(last), message.to.min(last));
    match (from.min(to), from.max(to)) {
        (left, right) if left < right => (left, right),
        (lane, _) if lane < last => (lane, lane + 1),
        (lane, _) => (lane.saturating_sub(1), lane),
    }
}

/// Cells between neighbouring lanes for every message to be in one line.
fn desired_gaps(diagram: &Diagram, marks: bool) -> Vec<usize> {
    let lanes = diagram.lanes.len();
    let mut gaps = vec![LEAST_GAP; lanes - 1];
    let mut wide = Vec::new();
    for message in &diagram.messages {
        let needs = needs(message, marks);
        match span(message, lanes) {
            (left, right) if left + 1 == right => gaps[left] = gaps[left].max(needs),
            (left, right) if left < right => wide.push((left, right, needs)),
            _ => {}
        }
    }
    for (left, right, needs) in wide {
        let has = gaps[left..right].iter().sum::<usize>() + right - left - 1;
        gaps[right - 1] += needs.saturating_sub(has);
    }
    gaps
}

/// Cells that a message takes in one line, with the blanks at its ends.
fn needs(message: &Message, marks: bool) -> usize {
    let number = if message.number.is_empty() {
        0
    } else {
        width(&message.number) + 1
    };
    let facts = if message.facts.is_empty() {
        0
    } else {
        message.facts.width() + 2
    };
    2 + number + message.label.width() + facts + usize::from(marks) * 2
}

/// The lanes' cells, or `None` where they would be too close to each other.
fn cells(titles: &[String], desired: &[usize], full: usize) -> Option<Vec<usize>> {
    let half = |title: Option<&String>| (width(title.map_or("", String::as_str)) / 2).min(MARGIN);
    let (left, right) = (half(titles.first()), half(titles.last()));
    let room = full.checked_sub(left + right + titles.len())?;
    if room < desired.len() * LEAST_ROOM {
        return None;
    }
    let mut cell = left;
    let mut cells = vec![cell];
    for gap in share(desired, room) {
        cell += gap + 1;
        cells.push(cell);
    }
    Some(cells)
}

/// Shares `room` among gaps: what each desires and a part of the rest; or, where there is too
/// little, the small ones what they desire and the big ones the same each.
fn share(desired: &[usize], room: usize) -> Vec<usize> {
    let sum: usize = desired.iter().sum();
    if sum == 0 {
        return desired.to_vec();
    }
    if sum <= room {
        let rest = room - sum;
        return desired.iter().map(|gap| gap + rest * gap / sum).collect();
    }
    let mut limit = room;
    while desired.iter().map(|gap| (*gap).min(limit)).sum::<usize>() > room {
        limit -= 1;
    }
    desired.iter().map(|gap| (*gap).min(limit)).collect()
}

/// Where titles start so that each stands over its lane, two blanks apart; or `None`.
fn starts(titles: &[String], cells: &[usize], full: usize) -> Option<Vec<usize>> {
    let widths: Vec<usize> = titles.iter().map(|title| width(title)).collect();
    let mut starts = Vec::new();
    let mut free = 0;
    for (cell, width) in cells.iter().zip(&widths) {
        let start = cell.saturating_sub(width / 2).max(free);
        starts.push(start);
        free = start + width + 2;
    }
    let mut end = full;
    for (start, width) in starts.iter_mut().zip(&widths).rev() {
        *start = (*start).min(end.checked_sub(*width)?);
        end = start.saturating_sub(2);
    }
    let mut free = 0;
    for ((start, width), cell) in starts.iter().zip(&widths).zip(cells) {
        let over_its_lane = *width == 0 || (*start..start + width).contains(cell);
        if *start < free || !over_its_lane {
            return None;
        }
        free = start + width + 1;
    }
    Some(starts)
}

/// Cuts one cell off the longest title; false when none may be cut further.
fn shorten(titles: &mut [String], ellipsis: &str) -> bool {
    let Some(longest) = titles.iter_mut().max_by_key(|title| width(title)) else {
        return false;
    };
    let cells = width(longest);
    if cells <= LEAST_TITLE {
        return false;
    }
    *longest = cut(
        longest.trim_end_matches(ellipsis),
        cells - 1 - width(ellipsis),
        "",
    ) + ellipsis;
    true
}

/// Which short title means which lane; as many lanes in a line as fit.
fn legend(diagram: &Diagram, full: usize) -> Vec<Label> {
    let mut lines: Vec<Label> = Vec::new();
    for lane in diagram.lanes.iter().filter(|lane| lane.short != lane.title) {
        let entry = Label::of(Role::Key, lane.short.clone())
            .text(" ")
            .and(Role::Muted, lane.title.clone());
        match lines.last_mut() {
            Some(line) if line.width() + 2 + entry.width() <= full => {
                line.push(Role::Normal, "  ");
                line.extend(entry);
            }
            _ => lines.push(entry),
        }
    }
    lines.iter().flat_map(|line| wrap(line, full)).collect()
}
