//! What the palette offers.

use ngf_ui::widgets::palette::Command;

use super::lists::LISTS;
use crate::tui::state::{
    App,
    action::{ACTIONS, Action, Context, Destination},
    place::contexts,
};

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
            Command::new(info.id, info.help, keys.join(" "))
        })
        .collect()
}
