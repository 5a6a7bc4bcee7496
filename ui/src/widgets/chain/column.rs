//! One column of boxes as lines.

use super::{ChainColumn, Link, Node};
use crate::text::{Label, cut_label, hang, pad, wrap};
use crate::theme::{Mark, Role, Theme};

/// Cells from a box's left edge to the line that leads to the next box.
const LINK_INDENT: usize = 5;
/// Below this width boxes have no frames.
const LEAST_FRAMED: usize = 24;

/// One column at one width. Its parts are heading, box, link, box, …, conclusion.
pub(super) struct Drawn<'a> {
    pub(super) column: &'a ChainColumn,
    pub(super) theme: &'a Theme,
    pub(super) width: usize,
    pub(super) framed: bool,
}

impl Drawn<'_> {
    /// Natural heights of all parts.
    pub(super) fn heights(&self) -> Vec<usize> {
        let mut heights = vec![self.heading().len()];
        for (index, node) in self.column.boxes.iter().enumerate() {
            if index > 0 {
                heights.push(self.link(node, 0).len());
            }
            heights.push(self.node(index, node, 0).len());
        }
        heights.push(self.conclusion().len());
        heights
    }

    /// All lines, each part brought to the given height.
    pub(super) fn lines(&self, heights: &[usize]) -> Vec<Label> {
        let mut heights = heights.iter().copied();
        let mut height = || heights.next().unwrap_or(0);
        let mut lines = self.heading();
        lines.resize(height().max(lines.len()), Label::new());
        for (index, node) in self.column.boxes.iter().enumerate() {
            if index > 0 {
                lines.extend(self.link(node, height()));
            }
            lines.extend(self.node(index, node, height()));
        }
        lines.extend(self.conclusion());
        lines
    }

    fn framed(&self) -> bool {
        self.framed && self.width >= LEAST_FRAMED
    }

    fn heading(&self) -> Vec<Label> {
        let heading = self.column.heading.clone().or(Role::Title);
        let mut lines = hang(&Label::from(" "), &heading, self.width);
        if !self.framed() {
            let longest = lines.iter().map(Label::width).max().unwrap_or(0);
            let rule = self
                .theme
                .glyphs
                .horizontal
                .repeat(longest.saturating_sub(1));
            lines.push(Label::from(" ").and(Role::Border, rule));
        }
        lines
    }

    fn conclusion(&self) -> Vec<Label> {
        let sign = Label::from(" ")
            .mark(self.column.mark, self.theme)
            .text(" ");
        let words = self.column.conclusion.clone().or(self.column.mark.role());
        hang(&sign, &words, self.width)
    }

    /// The line from a box to the next one, at least so high.
    fn link(&self, node: &Node, height: usize) -> Vec<Label> {
        let plain = Link::new(Mark::Info, "");
        let link = node.link.as_ref().unwrap_or(&plain);
        let glyphs = self.theme.glyphs;
        let stroke = match (link.same, link.mark) {
            (true, _) => glyphs.double_vertical,
            (false, Mark::Unknown | Mark::Muted) => glyphs.vertical_dashed,
            (false, _) => glyphs.vertical,
        };
        let role = match link.mark {
            Mark::Ok | Mark::Info => Role::Lane,
            mark => mark.role(),
        };
        let indent = " ".repeat(LINK_INDENT);
        let stem = Label::from(indent.clone()).and(role, stroke).text(" ");
        let mut words = Label::new();
        if node.link.is_some() {
            words = words.mark(link.mark, self.theme).text(" ");
        }
        words.extend(link.words.clone());
        let room = self.width.saturating_sub(stem.width());
        let mut texts = wrap(&words, room);
        if !link.reason.is_empty() {
            let reason = link.reason.clone().or(link.mark.role());
            texts.extend(hang(&Label::from("  "), &reason, room));
        }
        let mut lines: Vec<Label> = texts.iter().map(|text| stem.clone().joined(text)).collect();
        while lines.len() + 1 < height {
            lines.push(stem.clone());
        }
        lines.push(Label::from(indent).and(role, glyphs.down));
        lines
    }

    /// A box, at least so high.
    fn node(&self, index: usize, node: &Node, height: usize) -> Vec<Label> {
        if self.framed() {
            self.framed_node(index, node, height)
        } else {
            self.bare(node, height)
        }
    }

    /// Title and details, wrapped to a width.
    fn content(&self, node: &Node, width: usize, lead: &Label) -> Vec<Label> {
        let title = node.title.clone().or(Role::Strong);
        let mut lines = if title.is_empty() && lead.is_empty() {
            Vec::new()
        } else {
            hang(lead, &title, width)
        };
        let indent = usize::from(!self.framed()) * 3;
        for detail in &node.details {
            let mut prefix = Label::from(" ".repeat(indent.min(width / 4)));
            let mut text = Label::new();
            if let Some(bar) = &detail.bar {
                text.extend(bar.label(self.theme));
                if !detail.label.is_empty() {
                    text.push(Role::Normal, " ");
                }
            }
            if let Some(mark) = detail.mark {
                prefix = prefix.mark(mark, self.theme).text(" ");
            }
            text.extend(detail.label.clone());
            lines.extend(hang(&prefix, &text, width));
        }
        lines
    }

    fn bare(&self, node: &Node, height: usize) -> Vec<Label> {
        let lead = if node.caption.is_empty() {
            Label::from(" ")
        } else {
            Label::from(" ")
                .and(Role::Accent, node.caption.clone())
                .text("  ")
        };
        let mut lines = self.content(node, self.width, &lead);
        while lines.len() < height {
            lines.push(Label::new());
        }
        lines
    }

    fn framed_node(&self, index: usize, node: &Node, height: usize) -> Vec<Label> {
        let glyphs = self.theme.glyphs;
        let role = node.frame_role();
        let inner = self.width - 4;
        let [top_left, top_right, bottom_left, bottom_right] = glyphs.corners;
        let mut caption = Label::new();
        if !node.caption.is_empty() {
            let text = format!(" {} ", node.caption);
            caption = cut_label(
                &Label::of(Role::Accent, text),
                self.width - 3,
                glyphs.ellipsis,
            );
        }
        let rest = self.width - 2 - caption.width();
        let mut lines = vec![
            Label::of(role, top_left)
                .joined(&caption)
                .and(role, glyphs.horizontal.repeat(rest))
                .and(role, top_right),
        ];
        let side = Label::of(role, glyphs.vertical);
        let mut content = self.content(node, inner, &Label::new());
        while content.len() + 2 < height {
            content.push(Label::new());
        }
        for line in content {
            let line = pad(&line, inner, glyphs.ellipsis);
            lines.push(side.clone().text(" ").joined(&line).text(" ").joined(&side));
        }
        let mut bottom = Label::of(role, bottom_left);
        if let Some(next) = self.column.boxes.get(index + 1) {
            let same = next.link.as_ref().is_some_and(|link| link.same);
            let branch = if same {
                glyphs.branch_down_double
            } else {
                glyphs.branch_down
            };
            bottom.push(role, glyphs.horizontal.repeat(LINK_INDENT - 1));
            bottom.push(role, branch);
            bottom.push(role, glyphs.horizontal.repeat(self.width - 2 - LINK_INDENT));
        } else {
            bottom.push(role, glyphs.horizontal.repeat(self.width - 2));
        }
        lines.push(bottom.and(role, bottom_right));
        lines
    }
}
