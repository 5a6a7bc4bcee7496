//! The ways to choose from: what each proves, and what it leaves in the cluster.

use ngf_ui::{
    Label, ListState, Mark, Role,
    widgets::{
        overlay::Overlay as Frame,
        table::{Column, Table, TableRow},
    },
};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    widgets::{StatefulWidget, Widget},
};

use super::keys;
use crate::tui::state::App;
use ngf_cluster::transport::Via;

pub(super) fn draw(app: &App, list: &mut ListState, area: Rect, buffer: &mut Buffer) {
    let columns = [
        Column::new("transport", 12, 12),
        Column::new("what it proves", 20, 32).grow(3).wrap(),
        Column::new("what it writes", 16, 26).grow(2).wrap(),
    ];
    let rows: Vec<TableRow> = Via::ALL.into_iter().map(|via| row(app, via)).collect();
    let width = 100.min(area.width.saturating_sub(4));
    let height = Table::new(&columns, &rows, &app.theme)
        .marks()
        .to_text(width)
        .len();
    let height = u16::try_from(height).unwrap_or(u16::MAX);
    let frame = Frame::new("Probe transport", width, height, &app.theme)
        .bottom(keys(&[("enter", "choose"), ("esc", "back")]));
    (&frame).render(area, buffer);
    Table::new(&columns, &rows, &app.theme)
        .marks()
        .render(frame.inner(area), buffer, list);
}

fn row(app: &App, via: Via) -> TableRow {
    let chosen = via == app.via;
    let off = via.writes() && app.read_only;
    let role = match (chosen, off) {
        (true, _) => Role::Strong,
        (false, true) => Role::Muted,
        (false, false) => Role::Normal,
    };
    let writes = match via.leaves() {
        Some(_) if off => Label::of(Role::Muted, "off: read-only"),
        Some(leaves) => Label::of(Role::Warning, leaves),
        None => Label::of(Role::Muted, "nothing"),
    };
    let row = TableRow::new(vec![
        Label::of(role, via.to_string()),
        Label::of(role, via.proves()),
        writes,
    ]);
    if chosen { row.mark(Mark::Info) } else { row }
}
