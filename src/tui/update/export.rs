//! Copying and exporting: what is selected goes to the clipboard of the terminal, what the screen shows to a file.
//! Neither takes a key, a token or the value of an environment variable with it.

use ngf_text::credentials::redact;
use ngf_ui::{ListState, Mark};

use super::findings;
use crate::tui::{
    state::{
        App, Overlay,
        event::Effect,
        ids::ViewId,
        place::{Place, name_of},
    },
    views::{
        diff, endpoint_matrix,
        export::{Format, WIDTH, contents, formats, path},
        handshake, yaml,
    },
};
use ngf_text::sanitize;

/// Most bytes that are copied: terminals drop longer sequences.
const COPIED: usize = 50_000;

/// Offers the formats.
pub(super) fn offer(app: &mut App) {
    app.overlay = Some(Overlay::Export(ListState::default()));
}

/// Writes the chosen one.
pub(super) fn write(app: &mut App, index: usize) -> Vec<Effect> {
    let formats = formats(app);
    let format = formats.get(index).copied().unwrap_or(Format::Text);
    let path = path(app, format);
    let contents = match contents(app, format) {
        Ok(contents) => contents,
        Err(why) => {
            app.say(Mark::Warning, format!("not exported: {why}"));
            return Vec::new();
        }
    };
    vec![Effect::Write { path, contents }]
}

/// Copies the command that fixes the problem, or else what is selected.
pub(super) fn copy(app: &mut App) -> Vec<Effect> {
    match selected_text(app) {
        Some((what, text)) => copied(app, what, &text),
        None => {
            app.say(Mark::Info, "Nothing is selected that could be copied");
            Vec::new()
        }
    }
}

/// Copies the name of the object that is selected.
pub(super) fn copy_name(app: &mut App) -> Vec<Effect> {
    let node = app.selected().and_then(|(_, node)| node.object.as_ref());
    let problem = app
        .problem()
        .map(|problem| &app.diagnosis.findings[problem.head].subject);
    let object = match app.place() {
        Place::Problems => problem,
        _ => None,
    };
    let Some(object) = object.or(app.selected_object()).or(node).or(problem) else {
        app.say(
            Mark::Info,
            "No object is selected whose name could be copied",
        );
        return Vec::new();
    };
    let name = name_of(object);
    let text = if object.namespace.is_empty() {
        name
    } else {
        format!("{name} -n {}", object.namespace)
    };
    copied(app, "the name", &text)
}

fn copied(app: &mut App, what: &str, text: &str) -> Vec<Effect> {
    let text = sanitize::block(&redact(text), usize::MAX);
    if text.len() > COPIED {
        app.say(
            Mark::Warning,
            "too long for the clipboard of a terminal; e exports it to a file",
        );
        return Vec::new();
    }
    let first: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(60)
        .collect();
    let more = if text.lines().count() > 1 { " …" } else { "" };
    app.say(Mark::Info, format!("copied {what}: {first}{more}"));
    vec![Effect::Copy(text)]
}

/// What `y` copies, with what it is called.
fn selected_text(app: &mut App) -> Option<(&'static str, String)> {
    if let Some(row) = app.selected_row() {
        let cells: Vec<&str> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
        return Some(("the row", cells.join("  ")));
    }
    match (app.place().clone(), app.detail.view) {
        (Place::Page(_), ViewId::Yaml) => Some(("the line", yaml::selected_line(app)?)),
        (Place::Page(_), ViewId::Handshake) => Some(("the step", handshake::selected_text(app)?)),
        (Place::Step(message), _) => {
            let title = handshake::step_title(app, message);
            let fields = handshake::fields(app, message);
            let fields = ngf_ui::widgets::fields::Fields::new(&fields, &app.theme).to_text(WIDTH);
            Some(("the step", format!("{title}\n{}", fields.join("\n"))))
        }
        (Place::Matrix, _) => Some(("the cell", endpoint_matrix::selected_text(app)?)),
        (Place::Diff(..), _) => {
            let lines = diff::searched(app);
            let line = lines.get(app.detail.diff.selected)?;
            Some(("the line", line.replace('\n', "  ")))
        }
        (Place::Tree, _) => {
            let (_, node) = app.selected()?;
            let name = node
                .object
                .as_ref()
                .map_or(node.name.to_string(), ToString::to_string);
            Some(("the name", name))
        }
        _ => {
            let finding = findings::selected(app)?;
            if let Some(command) = finding
                .remedy
                .as_ref()
                .and_then(|remedy| remedy.command.clone())
            {
                return Some(("the command that fixes it", command));
            }
            // The fix may be that of an effect.
            let of_problem = app.problem().and_then(|problem| {
                let index = problem.fix.or(problem.advice)?;
                app.diagnosis
                    .findings
                    .get(index)?
                    .remedy
                    .as_ref()?
                    .command
                    .clone()
            });
            Some(match of_problem {
                Some(command) => ("the command that fixes it", command),
                None => {
                    let remedy = finding.remedy.as_ref();
                    let remedy =
                        remedy.map_or(String::new(), |remedy| format!("\n{}", remedy.summary));
                    (
                        "the problem",
                        format!("{} {}{remedy}", finding.code, finding.title),
                    )
                }
            })
        }
    }
}
