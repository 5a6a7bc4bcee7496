//! What a person changed of the interface: keys, columns, other words for commands.

use std::collections::HashMap;

use crate::tui::state::ids::ListId;
use ngf_core::diagnosis::suppress::Filter;

/// Everything; empty where nothing was changed.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The keys of actions instead of those of [`ACTIONS`](crate::tui::state::action::ACTIONS), by the action's name.
    pub keys: super::action::Keys,
    /// The columns of lists, as indices into those that the list has.
    pub columns: HashMap<ListId, Vec<usize>>,
    /// Words after `:`, and the commands that they stand for.
    pub aliases: Vec<(String, String)>,
    /// Findings that somebody decided to accept.
    pub filter: Filter,
}
