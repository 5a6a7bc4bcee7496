//! YAML: the object as the API server gave it, without `managedFields`; of a Secret only the names
//! of its keys.

use ngf_ui::{Label, Role, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::{ViewId, ViewInfo};
use crate::app::state::App;

/// The tab.
pub const VIEW: ViewInfo = ViewInfo {
    id: ViewId::Yaml,
    title: "YAML",
    draw,
    describe,
    mark: |_| None,
};

/// More lines than this are not shown: no object has them, and drawing stays quick.
const MOST_LINES: usize = 20_000;

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let lines = lines(app);
    let scroll = app.detail.scroll.entry(ViewId::Yaml).or_default();
    TextView::new(&lines, &app.theme)
        .wrap(false)
        .render(area, buffer, scroll);
}

fn describe(app: &App, width: u16) -> Vec<String> {
    TextView::new(&lines(app), &app.theme)
        .wrap(false)
        .to_text(width)
}

fn lines(app: &App) -> Vec<Label> {
    let Some(object) = app.selected_object() else {
        return vec![Label::of(Role::Muted, "No object stands behind this line.")];
    };
    let Some(raw) = app.snapshot.raw(object) else {
        return vec![Label::of(Role::Muted, format!("{object} was not read."))];
    };
    let text = match serde_saphyr::to_string(&*raw) {
        Ok(text) => text,
        Err(error) => {
            return vec![Label::of(
                Role::Error,
                format!("cannot be written as YAML: {error}"),
            )];
        }
    };
    text.lines().take(MOST_LINES).map(colored).collect()
}

/// `key: value` with the key set off.
fn colored(line: &str) -> Label {
    let indent = line.len() - line.trim_start_matches([' ', '-']).len();
    match line[indent..].split_once(':') {
        Some((key, value)) if !key.contains([' ', '"', '\'']) => Label::new()
            .text(line[..indent].to_owned())
            .and(Role::Accent, format!("{key}:"))
            .text(value.to_owned()),
        _ => Label::from(line.to_owned()),
    }
}
