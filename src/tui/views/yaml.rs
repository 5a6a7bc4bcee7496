//! YAML: the object as the API server gave it, without `managedFields`; of a Secret only the names
//! of its keys.

use ngf_ui::{Label, Mark, Role, ScrollState, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::ViewInfo;
use crate::tui::state::App;
use crate::tui::state::ids::ViewId;

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
    let (mut lines, at) = lines(app);
    let scroll = app.detail.scroll.entry(ViewId::Yaml).or_insert_with(|| {
        // The field at fault is on the screen, with some lines above it.
        let offset = at.map_or(0, |at| at.saturating_sub(usize::from(area.height) / 3));
        ScrollState {
            offset,
            ..ScrollState::default()
        }
    });
    if let Some(at) = at
        && let Some(line) = lines.get_mut(at)
    {
        let words = Label::new()
            .mark(Mark::Failed, &app.theme)
            .and(Role::Error, " the field at fault");
        *line = line.clone().all(Role::Error).text("   ").joined(&words);
    }
    TextView::new(&lines, &app.theme)
        .wrap(false)
        .render(area, buffer, scroll);
}

fn describe(app: &App, width: u16) -> Vec<String> {
    TextView::new(&lines(app).0, &app.theme)
        .wrap(false)
        .to_text(width)
}

/// The object's lines, and the line of the field at fault, where that is known.
fn lines(app: &App) -> (Vec<Label>, Option<usize>) {
    let field = app.detail.field.as_ref();
    let object = field.map(|field| &field.object).or(app.selected_object());
    let Some(object) = object else {
        let words = "This place stands for no object.";
        return (vec![Label::of(Role::Muted, words)], None);
    };
    let name = Label::of(Role::Title, object.to_string());
    let Some(raw) = app.snapshot.raw(object) else {
        return (
            vec![Label::of(Role::Muted, format!("{object} was not read."))],
            None,
        );
    };
    let text = match serde_saphyr::to_string(&*raw) {
        Ok(text) => text,
        Err(error) => {
            let why = format!("cannot be written as YAML: {error}");
            return (vec![name, Label::of(Role::Error, why)], None);
        }
    };
    let at = field.and_then(|field| line_of(&text, &field.path));
    let lines = text.lines().take(MOST_LINES).map(colored);
    (
        std::iter::once(name).chain(lines).collect(),
        at.map(|at| at + 1),
    )
}

/// The line on which a field stands, by the names on the way to it.
fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let mut wanted = path.iter();
    let mut name = wanted.next()?;
    // Cells by which the names at the level that is searched are indented; `None` before the first of them.
    let (mut parent, mut level) = (None, Some(0));
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        if parent.is_some_and(|parent| indent <= parent) {
            return None;
        }
        let is_it = line[indent..]
            .split_once(':')
            .is_some_and(|(key, _)| key.trim_matches(['"', '\'']) == name);
        if *level.get_or_insert(indent) != indent || !is_it {
            continue;
        }
        match wanted.next() {
            Some(next) => (name, parent, level) = (next, Some(indent), None),
            None => return Some(number),
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_the_names_on_the_way_to_it() {
        let text = "kind: Gateway\nmetadata:\n  name: a\nspec:\n  listeners:\n  - name: http\n  tls:\n    backend:\n      name: b\ntype: Opaque\n";
        let line = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            line_of(text, &path)
        };
        assert_eq!(line(&["type"]), Some(9));
        assert_eq!(line(&["spec", "tls", "backend"]), Some(7));
        assert_eq!(line(&["spec", "tls", "backend", "name"]), Some(8));
        assert_eq!(line(&["metadata", "name"]), Some(2));
        assert_eq!(line(&["metadata", "tls"]), None);
        assert_eq!(line(&["none"]), None);
        assert_eq!(line(&[]), None);
    }
}
