//! Logs: what nginx, NGF and the backends logged, decoded and counted, the newest first.

use ngf_ui::Mark;

use super::{Head, ListInfo, Order, head, path};
use crate::tui::state::ids::ListId;
use crate::tui::state::{
    App,
    ids::ViewId,
    list::{Cell, Row, Target},
    place::Subject,
};
use ngf_core::{diagnosis::line::codes, logs::Role};
use ngf_text::words;

/// The list.
pub(super) const LIST: ListInfo = ListInfo {
    id: ListId::Logs,
    name: "logs",
    title: "Logs",
    aliases: &["log"],
    help: "what nginx, NGF and the backends logged, decoded and counted",
    columns: COLUMNS,
    order: Order::Trouble,
    rows,
};

const COLUMNS: &[Head] = &[
    head("LAST", 4, 6),
    head("TIMES", 5, 7),
    head("CODE", 4, 8),
    head("MEANS", 16, 90),
    head("WHO", 10, 13),
    head("POD", 10, 60),
    head("LINE", 10, 160),
];

fn rows(app: &App) -> Vec<Row> {
    let logs = app.evidence.logs();
    let said = logs.flat_map(|log| log.tally.said.values().map(move |counted| (log, counted)));
    let mut rows: Vec<Row> = said
        .map(|(log, counted)| {
            let codes = codes(&counted.last_line);
            let who = match log.role {
                Role::DataPlane => "data plane",
                Role::Application => "backend",
                Role::Controller => "control plane",
            };
            let count = i64::try_from(counted.count).unwrap_or(i64::MAX);
            Row {
                mark: if codes.is_empty() {
                    Mark::Info
                } else {
                    Mark::Failed
                },
                cells: vec![
                    Cell::sorted(words::age(counted.last, app.now), -counted.last.as_second()),
                    Cell::sorted(counted.count.to_string(), count),
                    codes.first().map_or("", |code| code.as_str()).into(),
                    counted.means.as_str().into(),
                    who.into(),
                    path(&log.pod).into(),
                    counted.last_line.text.as_str().into(),
                ],
                target: Target::Tab(
                    Subject::object(&app.diagnosis.topology, &log.pod),
                    ViewId::Logs,
                ),
                object: Some(log.pod.clone()),
            }
        })
        .collect();
    rows.sort_by_key(|row| row.cells[0].number);
    rows
}
