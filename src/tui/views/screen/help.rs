//! The help screen: every key from the list of actions, and the lists.

use super::trail;
use crate::tui::state::{
    App,
    action::{ACTIONS, ActionInfo},
    filter::Filter,
    place::contexts,
};
use crate::tui::views::lists;
use ngf_ui::widgets::help::Section;

/// The lists, by the names that go to them.
pub(super) fn list_section() -> Section {
    let section = Section::new("Go to, after :");
    lists::LISTS.iter().fold(section, |section, list| {
        let short = list.aliases.iter().min_by_key(|alias| alias.len());
        let names = format!("{} {}", list.name, short.copied().unwrap_or_default());
        section.key(names.trim().to_owned(), list.help)
    })
}

/// The keys of an action as the help screen shows them; its name where it has none.
pub(super) fn help_keys(app: &App, info: &ActionInfo) -> String {
    let mut keys: Vec<String> = Vec::new();
    for chord in app.keymap.chords(info.action) {
        let key = chord.to_string();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        keys.push(format!(":{}", info.id));
    }
    keys.join(" ")
}

/// The help screen's sections, from the list of actions: first what means something only here.
pub fn help_sections(app: &App, search: &Filter) -> Vec<Section> {
    let here = contexts(app);
    let is_of_here = |info: &&ActionInfo| {
        let mut contexts = info.contexts.iter();
        contexts.any(|context| here.contains(context))
    };
    let name = trail(app).pop().unwrap_or_default();
    let add = |section: Section, info: &ActionInfo| section.key(help_keys(app, info), info.help);
    let of_here = ACTIONS.iter().filter(is_of_here);
    let first = of_here.fold(Section::new(format!("Here: {name}")), add);
    let others = crate::tui::state::action::Section::ALL.map(|heading| {
        let of_heading = ACTIONS
            .iter()
            .filter(|info| info.section == heading && !is_of_here(info));
        of_heading.fold(Section::new(heading.title()), add)
    });
    let all = std::iter::once(first)
        .chain(others)
        .chain(std::iter::once(list_section()));
    let found = all.map(|mut section| {
        section
            .keys
            .retain(|(key, words)| search.meets(&format!("{key}\n{words}")));
        section
    });
    found.filter(|section| !section.keys.is_empty()).collect()
}
