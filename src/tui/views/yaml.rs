//! YAML: the object as the API server gave it, without `managedFields`; of a Secret only the names
//! of its keys, of environment variables only their names. A block is folded with space, and text is searched.

use std::collections::BTreeSet;

use ngf_core::bundle;
use ngf_ui::{
    Label, ListState, Mark, Role,
    widgets::{
        entries::{Entries, Entry},
        textview::TextView,
    },
};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use serde_json::Value;

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

/// An object as lines.
struct Shown {
    /// The object's name.
    title: String,
    lines: Vec<String>,
    /// The line of the field at fault, where that is known.
    fault: Option<usize>,
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let lines = match lines(app) {
        Ok(lines) => lines,
        Err(why) => {
            let scroll = app.detail.scroll.entry(ViewId::Yaml).or_default();
            let why = Label::of(Role::Muted, why);
            TextView::new(&[why], &app.theme).render(area, buffer, scroll);
            return;
        }
    };
    let shown = visible(&lines.lines, &app.detail.yaml.folded);
    if !app.detail.yaml.is_placed {
        // The field at fault is on the screen, with some lines above it.
        let at = lines.fault.map_or(0, |at| at + 1);
        app.detail.yaml.is_placed = true;
        app.detail.yaml.list = ListState::at(at);
        app.detail.yaml.list.offset = at.saturating_sub(usize::from(area.height) / 3);
    }
    let mut state = app.detail.yaml.list;
    let make = |_, _| entries(app, &lines, &shown);
    Entries::new(&make, &app.theme).render(area, buffer, &mut state);
    app.detail.yaml.list = state;
}

fn describe(app: &App, width: u16) -> Vec<String> {
    match lines(app) {
        Ok(lines) => {
            let shown = visible(&lines.lines, &app.detail.yaml.folded);
            let make = |_, _| entries(app, &lines, &shown);
            Entries::new(&make, &app.theme).to_text(width)
        }
        Err(why) => TextView::new(&[Label::from(why)], &app.theme).to_text(width),
    }
}

/// The title, and a line each; the first entry is the title.
fn entries(app: &App, lines: &Shown, shown: &[usize]) -> Vec<Entry> {
    let yaml = &app.detail.yaml;
    let title = Label::of(Role::Title, lines.title.clone());
    let rows = shown.iter().map(|number| {
        let line = &lines.lines[*number];
        let mut label = if lines.fault == Some(*number) {
            let words = Label::new()
                .mark(Mark::Failed, &app.theme)
                .and(Role::Error, " the field at fault");
            colored(line).all(Role::Error).text("   ").joined(&words)
        } else {
            colored(line)
        };
        if yaml.folded.contains(number) {
            let hidden = block_end(&lines.lines, *number) - number - 1;
            label = label.and(
                Role::Muted,
                format!(" {} {hidden} lines", app.theme.glyphs.ellipsis),
            );
        }
        label
    });
    std::iter::once(title)
        .chain(rows)
        .map(|label| Entry::of([label]))
        .collect()
}

/// The object's lines; a sentence where there is none.
fn lines(app: &App) -> Result<Shown, String> {
    let field = app.detail.field.as_ref();
    let object = field.map(|field| &field.object).or(app.selected_object());
    let Some(object) = object else {
        return Err("This place stands for no object.".to_owned());
    };
    let Some(raw) = app.snapshot.raw(object) else {
        return Err(format!("{object} was not read."));
    };
    let text = serde_saphyr::to_string(&bundle::shown(Value::clone(&raw)))
        .map_err(|error| format!("{object} cannot be written as YAML: {error}"))?;
    let fault = field.and_then(|field| line_of(&text, &field.path));
    Ok(Shown {
        title: object.to_string(),
        lines: text.lines().take(MOST_LINES).map(str::to_owned).collect(),
        fault,
    })
}

/// Blanks before a line; the dash of a list item is not one.
fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The line after the block that begins at this one; the next line where there is no block.
fn block_end(lines: &[String], start: usize) -> usize {
    let Some(first) = lines.get(start) else {
        return start;
    };
    let own = indent(first);
    let is_item = first[own..].starts_with("- ");
    let belongs = |line: &String| {
        let other = indent(line);
        // The items of a list stand below their name without being indented.
        other > own || (other == own && !is_item && line[other..].starts_with("- "))
    };
    let rest = lines.iter().skip(start + 1);
    start + 1 + rest.take_while(|line| belongs(line)).count()
}

/// The numbers of the lines that are in no folded block.
fn visible(lines: &[String], folded: &BTreeSet<usize>) -> Vec<usize> {
    let mut shown = Vec::with_capacity(lines.len());
    let mut number = 0;
    while number < lines.len() {
        shown.push(number);
        number = if folded.contains(&number) {
            block_end(lines, number)
        } else {
            number + 1
        };
    }
    shown
}

/// What is searched: every line, those of folded blocks among them.
pub(super) fn searched(app: &App) -> Vec<String> {
    lines(app).map_or_else(|_| Vec::new(), |lines| lines.lines)
}

/// The number of the line that the cursor is on.
pub(super) fn selected(app: &App) -> Option<usize> {
    cursor(app, &lines(app).ok()?)
}

/// The number of the line that the cursor is on.
fn cursor(app: &App, lines: &Shown) -> Option<usize> {
    let shown = visible(&lines.lines, &app.detail.yaml.folded);
    let row = app.detail.yaml.list.selected.checked_sub(1)?;
    shown.get(row.min(shown.len().saturating_sub(1))).copied()
}

/// The line that the cursor is on, without its blanks.
pub fn selected_line(app: &App) -> Option<String> {
    let lines = lines(app).ok()?;
    let number = cursor(app, &lines)?;
    Some(lines.lines[number].trim().to_owned())
}

/// The entry at a line of the screen.
pub fn at(app: &App, area: Rect, y: u16) -> Option<usize> {
    let lines = lines(app).ok()?;
    let shown = visible(&lines.lines, &app.detail.yaml.folded);
    let row = app.detail.yaml.list.offset + usize::from(y.checked_sub(area.y)?);
    (row <= shown.len()).then_some(row)
}

/// Folds the block that begins at the cursor, or unfolds it; on a line without a block, the one around it.
pub fn fold(app: &mut App) {
    let Ok(lines) = lines(app) else { return };
    let Some(number) = cursor(app, &lines) else {
        return;
    };
    if app.detail.yaml.folded.remove(&number) {
        return;
    }
    let begins = |number: usize| block_end(&lines.lines, number) > number + 1;
    let around = (0..number)
        .rev()
        .find(|start| block_end(&lines.lines, *start) > number);
    let start = if begins(number) { Some(number) } else { around };
    match start {
        Some(start) => {
            app.detail.yaml.folded.insert(start);
            place(app, &lines, start);
        }
        None => app.say(Mark::Info, "There is no block here to fold"),
    }
}

/// Puts the cursor on a line.
fn place(app: &mut App, lines: &Shown, number: usize) {
    let shown = visible(&lines.lines, &app.detail.yaml.folded);
    let row = shown.partition_point(|line| *line < number);
    app.detail.yaml.list.selected = row + 1;
}

/// Puts the cursor on a line. Folded blocks that hold it are unfolded.
pub fn show(app: &mut App, number: usize) {
    let Ok(lines) = lines(app) else { return };
    app.detail
        .yaml
        .folded
        .retain(|start| *start >= number || block_end(&lines.lines, *start) <= number);
    place(app, &lines, number);
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

    const TEXT: &str = "kind: Gateway\nmetadata:\n  name: a\nspec:\n  listeners:\n  - name: http\n    port: 80\n  - name: https\n  tls:\n    backend:\n      name: b\ntype: Opaque\n";

    fn text() -> Vec<String> {
        TEXT.lines().map(str::to_owned).collect()
    }

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

    #[test]
    fn a_block_ends_where_the_next_one_begins() {
        let lines = text();
        for (start, end) in [
            (0, 1),
            (1, 3),
            (3, 11),
            // A list is part of the name above it, an item is not part of the one before.
            (4, 8),
            (5, 7),
            (7, 8),
            (8, 11),
            (11, 12),
        ] {
            assert_eq!(block_end(&lines, start), end, "{}", lines[start]);
        }
        assert_eq!(block_end(&lines, 99), 99);
    }

    #[test]
    fn what_is_folded_is_not_shown() {
        let lines = text();
        assert_eq!(
            visible(&lines, &BTreeSet::from([4])),
            [0, 1, 2, 3, 4, 8, 9, 10, 11]
        );
        // A folded block within a folded block.
        assert_eq!(visible(&lines, &BTreeSet::from([3, 5])), [0, 1, 2, 3, 11]);
    }
}
