//! May this be made in the cluster?

use ngf_ui::{Label, Role, Theme};
use ratatui::{buffer::Buffer, layout::Rect};

use super::{keys, text};
use crate::tui::state::Question;

pub(super) fn draw(asked: &mut Question, theme: &Theme, area: Rect, buffer: &mut Buffer) {
    let mut lines: Vec<Label> = asked
        .preparation
        .lines()
        .into_iter()
        .map(|line| match line.strip_prefix("  ") {
            Some(fact) => Label::from(format!("  {fact}")),
            None => Label::of(Role::Strong, line),
        })
        .collect();
    lines.push(Label::new());
    lines.push(Label::of(
        Role::Warning,
        format!("Create it, for probes using {}?", asked.job.via),
    ));
    text(
        Label::from("This writes to the cluster"),
        &lines,
        keys(&[("y enter", "create it"), ("n esc", "create nothing")]),
        &mut asked.scroll,
        theme,
        area,
        buffer,
    );
}
