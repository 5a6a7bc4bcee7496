//! What a person can do: one list, from which the key map, the footer, the help screen, the command
//! palette and the table in the README derive.

use ngf_ui::keymap::{KeyChord, KeyConflict, Keymap};

/// Something that a person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // ACTIONS says what each does
pub enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Collapse,
    Expand,
    Toggle,
    Open,
    Back,
    NextPane,
    PreviousPane,
    NextView,
    PreviousView,
    View(usize),
    NextEndpoint,
    PreviousEndpoint,
    Probe,
    ProbeAll,
    Cancel,
    Via,
    Watch,
    CellLeft,
    CellRight,
    Explain,
    Fix,
    Zoom,
    FirstCause,
    NextStage,
    PreviousStage,
    Filter,
    Command,
    Help,
    Suspend,
    Quit,
}

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// The tree has the keys.
    Tree,
    /// The causes have the keys.
    Causes,
    /// The tabs have the keys.
    Detail,
    /// The handshake is on the screen and has the keys.
    Handshake,
    /// The matrix is on the screen and has the keys.
    Matrix,
    /// The embedded cluster walks the guide.
    Demo,
    /// Anything but the embedded cluster.
    NotDemo,
}

/// What is known of an action.
#[derive(Debug, Clone, Copy)]
pub struct ActionInfo {
    /// Which one.
    pub action: Action,
    /// Its name in the command palette and in configuration.
    pub id: &'static str,
    /// Its keys, as [`KeyChord`] reads them; the first is the one that is shown.
    pub keys: &'static [&'static str],
    /// Where they mean it; everywhere if empty.
    pub contexts: &'static [Context],
    /// One or two words for the footer.
    pub short: &'static str,
    /// A line for the help screen.
    pub help: &'static str,
    /// Under which heading the help screen lists it.
    pub section: Section,
    /// Place in the footer, the most important first; 0 keeps it out.
    pub footer: u8,
}

/// A heading of the help screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Getting about.
    Move,
    /// Looking.
    Look,
    /// Doing.
    Do,
    /// The program itself.
    Program,
}

impl Section {
    /// All headings, in order.
    pub const ALL: [Self; 4] = [Self::Move, Self::Look, Self::Do, Self::Program];

    /// The words of the heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Move => "Move",
            Self::Look => "Look",
            Self::Do => "Do",
            Self::Program => "Program",
        }
    }
}

macro_rules! action {
    ($action:expr, $id:literal, $keys:expr, $contexts:expr, $short:literal, $help:literal, $section:ident, $footer:literal) => {
        ActionInfo {
            action: $action,
            id: $id,
            keys: &$keys,
            contexts: &$contexts,
            short: $short,
            help: $help,
            section: Section::$section,
            footer: $footer,
        }
    };
}

/// Every action.
#[rustfmt::skip]
pub static ACTIONS: &[ActionInfo] = &[
    action!(Action::Up, "up", ["up", "k"], [], "up", "one line up", Move, 0),
    action!(Action::Down, "down", ["down", "j"], [], "down", "one line down", Move, 0),
    action!(Action::PageUp, "page-up", ["pgup", "ctrl-b"], [], "page up", "one page up", Move, 0),
    action!(Action::PageDown, "page-down", ["pgdn", "ctrl-f"], [], "page down", "one page down", Move, 0),
    action!(Action::First, "first", ["home", "g"], [], "first", "to the first line", Move, 0),
    action!(Action::Last, "last", ["end", "G"], [], "last", "to the last line", Move, 0),
    action!(Action::Collapse, "collapse", ["left", "h"], [Context::Tree], "fold", "fold the branch, or go to the parent", Move, 0),
    action!(Action::Expand, "expand", ["right", "l"], [Context::Tree], "unfold", "unfold the branch, or go to the first child", Move, 0),
    action!(Action::Toggle, "toggle", ["space"], [Context::Tree], "fold", "fold or unfold the branch", Move, 0),
    action!(Action::CellLeft, "cell-left", ["left", "h"], [Context::Matrix], "left", "matrix: to the data-plane pod at the left", Move, 0),
    action!(Action::CellRight, "cell-right", ["right", "l"], [Context::Matrix], "right", "matrix: to the data-plane pod at the right", Move, 0),
    action!(Action::NextPane, "next-pane", ["tab"], [], "pane", "to the next pane: tree, tabs, causes", Move, 9),
    action!(Action::PreviousPane, "previous-pane", ["shift-tab"], [], "pane", "to the pane before", Move, 0),
    action!(Action::Open, "open", ["enter"], [], "open", "open what is selected: tabs of an object, fields of a step, place of a cause, handshake of a cell", Look, 2),
    action!(Action::Back, "back", ["esc"], [], "back", "close, or back to the tree", Look, 0),
    action!(Action::FirstCause, "first-cause", ["c"], [], "cause", "to the first cause of trouble", Look, 4),
    action!(Action::View(0), "conditions", ["1"], [], "conditions", "tab Conditions", Look, 0),
    action!(Action::View(1), "chain", ["2"], [], "chain", "tab Chain: both directions of trust", Look, 0),
    action!(Action::View(2), "handshake", ["3"], [], "handshake", "tab Handshake: what the last probe saw", Look, 0),
    action!(Action::View(3), "findings", ["4"], [], "findings", "tab Findings", Look, 0),
    action!(Action::View(4), "yaml", ["5"], [], "YAML", "tab YAML", Look, 0),
    action!(Action::View(5), "matrix", ["6"], [], "matrix", "tab Matrix: every endpoint from every data-plane pod", Look, 0),
    action!(Action::NextView, "next-view", ["right", "l"], [Context::Detail, Context::Handshake], "next tab", "next tab", Look, 0),
    action!(Action::PreviousView, "previous-view", ["left", "h"], [Context::Detail, Context::Handshake], "previous tab", "previous tab", Look, 0),
    action!(Action::Zoom, "zoom", ["z"], [], "zoom", "handshake: the guide's arrows, or the TLS messages on the wire", Look, 10),
    action!(Action::NextEndpoint, "next-endpoint", ["]"], [], "endpoint", "handshake of the next endpoint", Look, 0),
    action!(Action::PreviousEndpoint, "previous-endpoint", ["["], [], "endpoint", "handshake of the endpoint before", Look, 0),
    action!(Action::Explain, "explain", ["x"], [], "explain", "explain the selected finding's rule: background and how to fix it", Look, 5),
    action!(Action::Filter, "filter", ["/"], [], "filter", "show only what matches", Look, 11),
    action!(Action::Probe, "probe", ["r"], [], "probe", "run a live handshake with what is selected", Do, 1),
    action!(Action::Probe, "probe", ["p"], [Context::NotDemo], "probe", "run a live handshake with what is selected", Do, 0),
    action!(Action::ProbeAll, "probe-all", ["P"], [], "all", "matrix: run a live handshake with every endpoint of the Gateway, from every data-plane pod", Do, 7),
    action!(Action::Watch, "watch", ["w"], [Context::Matrix], "watch", "matrix: probe again every 5 seconds, and say what changes; or stop that", Do, 2),
    action!(Action::Via, "via", ["v"], [], "via", "choose the way that probes go, and see what each proves", Do, 8),
    action!(Action::Cancel, "cancel", ["ctrl-x"], [], "cancel", "cancel the probes that run, and remove their temporary resources", Do, 0),
    action!(Action::Fix, "fix", ["f"], [], "fix", "show what would fix the selected finding, try it, and apply it once you agree", Do, 6),
    action!(Action::NextStage, "next-stage", ["n"], [Context::Demo], "next stage", "demo: the guide's next stage", Do, 3),
    action!(Action::PreviousStage, "previous-stage", ["p"], [Context::Demo], "previous stage", "demo: the guide's stage before", Do, 0),
    action!(Action::Command, "command", [":"], [], "command", "every command, by name", Program, 12),
    action!(Action::Help, "help", ["?", "f1"], [], "help", "this screen", Program, 13),
    action!(Action::Suspend, "suspend", ["ctrl-z"], [], "suspend", "suspend: back to the shell, whose fg continues the program", Program, 0),
    action!(Action::Quit, "quit", ["q", "ctrl-c"], [], "quit", "quit; ctrl-c closes what lies over the panes first", Program, 14),
];

impl Action {
    /// What is known of it.
    ///
    /// # Panics
    /// Never: a test demands that every action is in the list.
    pub fn info(self) -> &'static ActionInfo {
        ACTIONS
            .iter()
            .find(|info| info.action == self)
            .expect("every action is in ACTIONS")
    }
}

/// The key map that [`ACTIONS`] describes.
pub fn keymap() -> Result<Keymap<Action, Context>, KeyConflict> {
    Keymap::new(ACTIONS.iter().flat_map(|info| {
        let contexts: Vec<Option<Context>> = if info.contexts.is_empty() {
            vec![None]
        } else {
            info.contexts.iter().copied().map(Some).collect()
        };
        info.keys.iter().flat_map(move |key| {
            let chord: KeyChord = key.parse().expect("a test reads every key of ACTIONS");
            contexts
                .clone()
                .into_iter()
                .map(move |context| (chord, info.action, context))
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        keymap().expect("no conflicts");
    }

    #[test]
    fn every_key_can_be_read() {
        for info in ACTIONS {
            for key in info.keys {
                key.parse::<KeyChord>()
                    .unwrap_or_else(|error| panic!("{}: {error}", info.id));
            }
        }
    }

    #[test]
    fn an_id_names_one_action() {
        for a in ACTIONS {
            for b in ACTIONS {
                assert_eq!(a.id == b.id, a.action == b.action, "{} and {}", a.id, b.id);
            }
        }
    }
}
