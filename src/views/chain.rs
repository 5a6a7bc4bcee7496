//! Chain: both directions of trust side by side, every link verified, broken or unknown.

use ngf_ui::{Label, Mark, Role, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::{ViewId, ViewInfo};
use crate::app::state::App;

/// The tab.
pub const VIEW: ViewInfo = ViewInfo {
    id: ViewId::Chain,
    title: "Chain",
    draw,
    describe,
    mark,
};

fn mark(_: &App) -> Option<Mark> {
    None
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let lines = vec![Label::of(Role::Muted, "…")];
    let scroll = app.detail.scroll.entry(ViewId::Chain).or_default();
    TextView::new(&lines, &app.theme).render(area, buffer, scroll);
}

fn describe(_: &App, _: u16) -> Vec<String> {
    Vec::new()
}
