//! The last line: the keys that mean something here, or the input of a filter or a search.

use crate::tui::state::{
    App, Overlay,
    action::{ACTIONS, Action, ActionInfo, Context},
    filter::Filter,
    place::{Place, contexts},
};
use crate::tui::views::{ViewId, lists, search};
use ngf_ui::widgets::{
    bars::{Footer, Hint},
    prompt::Prompt,
};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    widgets::Widget,
};
use std::collections::BTreeSet;

/// Whether enter opens nothing where the person is.
pub(super) fn opens_nothing(app: &App) -> bool {
    match app.place() {
        Place::Step(_) | Place::Diff(..) => true,
        Place::Page(_) => match app.detail.view {
            ViewId::Logs | ViewId::Conditions | ViewId::Yaml | ViewId::Nginx => true,
            ViewId::Handshake => app.shown_probe().is_none(),
            ViewId::Chain | ViewId::Findings => false,
        },
        Place::Problems | Place::Tree | Place::List(_) | Place::Matrix => false,
    }
}

/// Whether the selected problem names a command: wrapped on the screen, it can be copied only as a whole.
fn has_command(app: &App) -> bool {
    let Some(problem) = app.selected_problem() else {
        return false;
    };
    let findings = [Some(problem.head), problem.fix, problem.advice];
    let findings = findings.into_iter().flatten();
    let mut remedies =
        findings.filter_map(|index| app.diagnosis.findings.get(index)?.remedy.as_ref());
    remedies.any(|remedy| remedy.command.is_some())
}

/// The footer's hints, or the filter's input.
pub(super) fn footer(app: &App, area: Rect, buffer: &mut Buffer) -> Option<Position> {
    if let Some(Overlay::Filter(prompt, _)) = &app.overlay {
        let note = app.filter().and_then(Filter::note);
        let note = note.map(|(_, words)| words).into_iter();
        let note: Vec<String> = note.chain(search::words(app)).collect();
        let note = note.join(", ");
        let placeholder = if app.pane().is_some() {
            "a text or a regular expression"
        } else {
            "words or a regular expression; !word is not, -l app=shop, -f letters"
        };
        let prompt = Prompt::new("/ ", prompt, &app.theme)
            .placeholder(placeholder)
            .right(&note);
        prompt.render(area, buffer);
        return Some(prompt.cursor(area));
    }
    let here = contexts(app);
    let means_something = |info: &&ActionInfo| {
        let mut contexts = info.contexts.iter();
        info.contexts.is_empty() || contexts.any(|context| here.contains(context))
    };
    // Where nothing is found, what is about findings only takes the place of others.
    let about_findings = [Action::NextProblem, Action::Explain, Action::Fix];
    let is_home = *app.place() == Place::Problems;
    let of_use = |info: &&ActionInfo| {
        if is_home && info.action == Action::Back {
            return false;
        }
        if info.action == Action::Open && opens_nothing(app) {
            return false;
        }
        if info.action == Action::Copy {
            return is_home && has_command(app);
        }
        // What was seen earlier cannot be probed.
        if info.action == Action::Via || info.action == Action::Probe {
            return app.clock.is_live();
        }
        !app.diagnosis.findings.is_empty() || !about_findings.contains(&info.action)
    };
    let mut shown: Vec<_> = ACTIONS
        .iter()
        .filter(|info| info.footer > 0 || info.action == Action::CellRight && lists::is_cut(app))
        .filter(means_something)
        .filter(of_use)
        .collect();
    let is_search = app.search().is_some();
    // What means something here only comes before what means the same everywhere.
    let is_of_here = |info: &ActionInfo| match here.first() {
        Some(Context::Page) | None => false,
        Some(innermost) => info.contexts.contains(innermost),
    };
    shown.sort_by_key(|info| {
        // Who searches goes to the next match, or ends it.
        let is_first = if is_search {
            matches!(info.action, Action::NextMatch | Action::Back)
        } else {
            matches!(info.action, Action::Open | Action::Back | Action::Probe)
        };
        (!is_first, !is_of_here(info), info.footer)
    });
    let mut taken = BTreeSet::new();
    let hints: Vec<Hint> = shown
        .iter()
        .filter_map(|info| {
            // An action may have lost its keys.
            let key = app.keymap.chords(info.action).next()?.to_string();
            // A key of what is on the screen hides what it means elsewhere.
            if !taken.insert(key.clone()) {
                return None;
            }
            let hint = match info.action {
                Action::Back if is_search => Hint::new(key, "end search"),
                Action::Via => Hint::new(key, format!("via {}", app.via)),
                Action::CellRight => Hint::new(key, "more columns"),
                _ => Hint::new(key, info.short),
            };
            Some(if matches!(info.id, "help" | "quit" | "command") {
                hint.keep()
            } else {
                hint
            })
        })
        .collect();
    let searched = search::words(app).zip(app.search());
    let searched = searched.map(|(words, search)| format!("/{}  {words}", search.filter.text()));
    Footer::new(&hints, &app.theme)
        .right(&searched.unwrap_or_default())
        .render(area, buffer);
    None
}
