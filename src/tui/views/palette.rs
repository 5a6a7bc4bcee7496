//! What the palette offers.

use ngf_ui::widgets::palette::{Command, PaletteState};

use super::lists::LISTS;
use crate::tui::state::{
    App,
    action::{ACTIONS, Action, Context, Destination},
    ids::ListId,
    place::contexts,
};

/// What people type to leave vi and k9s.
const QUIT: [&str; 9] = ["q", "q!", "qa", "qa!", "wq", "wq!", "wqa", "quit!", "exit"];

/// What is said where no command has the name that was typed: what its first word does with the rest.
pub fn without_match(app: &App, typed: &str) -> String {
    let typed = typed.trim();
    let (name, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    if app.settings.aliases.iter().any(|(alias, _)| alias == name) {
        return "enter runs a command of your configuration".to_owned();
    }
    let is_it = |known: &&str| known.eq_ignore_ascii_case(name);
    let mut lists = LISTS.iter();
    let list = lists.find(|list| is_it(&list.name) || list.aliases.iter().any(is_it));
    let rest = rest.trim();
    match list.map(|list| (list.id, list.name)) {
        Some((ListId::Namespaces, _)) => format!("enter reads namespace {rest}"),
        Some((ListId::Contexts, _)) => format!("enter connects to context {rest}"),
        Some((_, list)) => format!("enter lists {list} by the filter {rest}"),
        None if is_it(&Action::Record.info().id) => format!("enter records to {rest}"),
        None => "No command has this name.".to_owned(),
    }
}

/// What tab makes of what was typed: the name of the selected command; after `:ns` and `:ctx`, the name of a namespace
/// or a context that begins so.
pub fn completed(app: &App, palette: &PaletteState) -> Option<String> {
    let typed = palette.prompt.text();
    if let Some((name, begun)) = typed.trim_start().split_once(char::is_whitespace) {
        let is_it = |known: &&str| known.eq_ignore_ascii_case(name);
        let mut lists = LISTS.iter();
        let list = lists.find(|list| is_it(&list.name) || list.aliases.iter().any(is_it))?;
        let names: Vec<&str> = match list.id {
            ListId::Namespaces => app.namespaces.iter().map(String::as_str).collect(),
            ListId::Contexts => {
                let known = app.contexts.iter().flatten().flatten();
                let known = known.map(|context| context.name.as_str());
                known
                    .chain(app.elsewhere.iter().map(|one| one.context.as_str()))
                    .collect()
            }
            _ => return None,
        };
        let begun = begun.trim_start();
        let mut fitting = names.into_iter().filter(|known| known.starts_with(begun));
        // A second press goes to the next one.
        let first = fitting.next()?;
        let meant = if first == begun {
            fitting.next().unwrap_or(first)
        } else {
            first
        };
        return Some(format!("{name} {meant}"));
    }
    let entries = entries(app);
    let index = palette.selected(&entries)?;
    let takes_more = index < LISTS.len();
    Some(format!(
        "{}{}",
        entries[index].name,
        if takes_more { " " } else { "" }
    ))
}

/// The actions that the palette offers, in order, each once.
pub fn commands(app: &App) -> Vec<Action> {
    let here = contexts(app);
    // Where one may go first: the lists.
    let lists = LISTS
        .iter()
        .map(|list| Action::GoTo(Destination::List(list.id)));
    let mut commands: Vec<Action> = lists.collect();
    for info in ACTIONS {
        let only_in = [Context::Demo, Context::Replay];
        let elsewhere = only_in
            .iter()
            .any(|one| info.contexts.contains(one) && !here.contains(one));
        if !elsewhere && !commands.contains(&info.action) {
            commands.push(info.action);
        }
    }
    commands
}

/// What the palette shows of [`commands`].
pub fn entries(app: &App) -> Vec<Command> {
    commands(app)
        .into_iter()
        .map(|action| {
            if let Action::GoTo(Destination::List(id)) = action {
                let list = id.info();
                return Command::new(list.name, list.help, "")
                    .aliases(list.aliases.iter().copied());
            }
            let info = action.info();
            let keys: Vec<String> = app
                .keymap
                .chords(action)
                .map(|chord| chord.to_string())
                .collect();
            let command = Command::new(info.id, info.help, keys.join(" "));
            match action {
                Action::Quit => command.aliases(QUIT),
                _ => command,
            }
        })
        .collect()
}
