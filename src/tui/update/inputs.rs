//! What a person types: a filter, a command, a search in the help screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ngf_ui::{
    keymap::KeyChord,
    theme::Mark,
    widgets::{palette::PaletteState, prompt::PromptState},
};

use super::{keys, opening, places};
use crate::tui::{
    state::{
        App, HelpPane, Overlay,
        action::{Action, Context},
        edit::edit,
        event::Effect,
    },
    views::palette::{commands, completed, entries},
};

/// What is pasted goes where a person types. Of several lines those that are empty are left out.
pub(super) fn pasted(app: &mut App, text: &str) -> Vec<Effect> {
    let lines = text.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let text = lines.join(" ");
    match &mut app.overlay {
        Some(Overlay::Filter(prompt, _)) => prompt.insert(&text),
        Some(Overlay::Palette(palette)) => palette.prompt.insert(&text),
        Some(Overlay::Help(pane)) if pane.is_typing => pane.search.insert(&text),
        Some(_) => return Vec::new(),
        None => {
            if !text.is_empty() {
                app.say(Mark::Info, "Nothing is pasted here; press / or : first");
            }
            return Vec::new();
        }
    }
    apply_filter(app);
    Vec::new()
}

/// Whether a key means the line before, or the one after, as the arrows do.
fn direction(key: KeyEvent) -> Option<bool> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match (key.code, control) {
        (KeyCode::Up, _) | (KeyCode::Char('p'), true) => Some(true),
        (KeyCode::Down, _) | (KeyCode::Char('n'), true) => Some(false),
        _ => None,
    }
}

/// A key of the help screen: `/` searches in it.
pub(super) fn help_key(app: &mut App, mut pane: HelpPane, key: KeyEvent, chord: KeyChord) {
    if pane.is_typing {
        match key.code {
            KeyCode::Enter => pane.is_typing = false,
            KeyCode::Esc => {
                pane.is_typing = false;
                pane.search.clear();
            }
            _ => {
                edit(&mut pane.search, key);
                pane.scroll.first();
            }
        }
        app.overlay = Some(Overlay::Help(pane));
        return;
    }
    if app.keymap.action(chord, &[Context::List]) == Some(Action::Filter) {
        pane.is_typing = true;
    } else if key.code == KeyCode::Esc && !pane.search.is_empty() {
        pane.search.clear();
    } else if !keys::scrolled(app, chord, &mut pane.scroll) {
        return;
    }
    app.overlay = Some(Overlay::Help(pane));
}

/// A key while a filter is typed.
pub(super) fn filter_key(
    app: &mut App,
    mut prompt: PromptState,
    before: String,
    key: KeyEvent,
) -> Vec<Effect> {
    match (key.code, direction(key)) {
        (KeyCode::Enter, _) => {
            app.detail.origin = None;
            app.filters.push(prompt.text());
        }
        (KeyCode::Esc, _) => {
            opening::set_filter(app, &before);
            app.detail.origin = None;
        }
        (_, direction) => {
            match direction {
                Some(true) => app.filters.older(&mut prompt),
                Some(false) => app.filters.newer(&mut prompt),
                None => edit(&mut prompt, key),
            };
            app.overlay = Some(Overlay::Filter(prompt, before));
            apply_filter(app);
        }
    }
    Vec::new()
}

fn apply_filter(app: &mut App) {
    if let Some(Overlay::Filter(prompt, _)) = &app.overlay {
        let text = prompt.text().to_owned();
        opening::set_filter(app, &text);
    }
}

/// A key in the palette.
pub(super) fn palette_key(app: &mut App, mut palette: PaletteState, key: KeyEvent) -> Vec<Effect> {
    match (key.code, direction(key)) {
        (KeyCode::Esc, _) => return Vec::new(),
        (KeyCode::Enter, _) => return run(app, palette),
        (KeyCode::Tab, _) => {
            if let Some(text) = completed(app, &palette) {
                palette.prompt = PromptState::with(&text);
                palette.list.first();
                palette.is_chosen = false;
            }
        }
        // Above the first command are those that were entered before, as in a shell.
        (_, Some(is_up)) => {
            let is_recall = if is_up {
                palette.list.selected == 0 && app.commands.older(&mut palette.prompt)
            } else {
                app.commands.is_recalled() && app.commands.newer(&mut palette.prompt)
            };
            if is_recall {
                palette.list.first();
            } else if is_up {
                palette.list.previous();
            } else {
                palette.list.next();
            }
            palette.is_chosen = !is_recall;
        }
        _ => {
            if edit(&mut palette.prompt, key) {
                app.commands.begin();
                palette.list.first();
                palette.is_chosen = false;
            }
        }
    }
    app.overlay = Some(Overlay::Palette(palette));
    Vec::new()
}

/// Runs the command that was typed or selected.
fn run(app: &mut App, mut palette: PaletteState) -> Vec<Effect> {
    app.commands.push(palette.prompt.text().trim());
    if let Some(meant) = expanded(app, palette.prompt.text()) {
        palette.prompt = PromptState::with(&meant);
    }
    if let Some(index) = palette.runs(&entries(app)) {
        return keys::perform(app, commands(app)[index]);
    }
    let typed = palette.prompt.text().trim().to_owned();
    if let Some(effects) = places::command(app, &typed) {
        return effects;
    }
    app.say(
        Mark::Warning,
        format!("no command {typed:?}; : lists them all"),
    );
    Vec::new()
}

/// What a word of the person's own stands for, with what was typed after it.
fn expanded(app: &App, typed: &str) -> Option<String> {
    let typed = typed.trim();
    let (word, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let mut aliases = app.settings.aliases.iter();
    let (_, meant) = aliases.find(|(alias, _)| alias == word)?;
    Some(format!("{meant} {rest}").trim().to_owned())
}
