//! The formats in which the screen can be exported, and the files that they go to.

use ngf_ui::{
    Label, ListState, Role,
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
use crate::tui::{
    state::App,
    views::export::{formats, path},
};

pub(super) fn draw(app: &App, list: &mut ListState, area: Rect, buffer: &mut Buffer) {
    let columns = [
        Column::new("format", 20, 30).grow(1).wrap(),
        Column::new("file, in this folder", 20, 40).grow(1).wrap(),
    ];
    let rows: Vec<TableRow> = formats(app)
        .into_iter()
        .map(|format| {
            TableRow::new(vec![
                Label::from(format.words()),
                Label::of(Role::Evidence, path(app, format).display().to_string()),
            ])
        })
        .collect();
    let width = 100.min(area.width.saturating_sub(4));
    let table = Table::new(&columns, &rows, &app.theme);
    let height = u16::try_from(table.to_text(width).len()).unwrap_or(u16::MAX);
    let frame = Frame::new("Export what this view shows", width, height, &app.theme)
        .bottom(keys(&[("enter", "write the file"), ("esc", "back")]));
    (&frame).render(area, buffer);
    table.render(frame.inner(area), buffer, list);
}
