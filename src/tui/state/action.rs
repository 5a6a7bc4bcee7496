//! What a person can do: one list, from which the key map, the footer, the help screen, the command
//! palette and the table in the README derive.

use std::collections::BTreeMap;

use ngf_ui::keymap::{KeyChord, KeyConflict, Keymap};

use crate::tui::state::ids::ListId;

/// Something that a person can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // ACTIONS says what each does
pub enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    HalfPageUp,
    HalfPageDown,
    First,
    Last,
    Collapse,
    Expand,
    Toggle,
    Open,
    Back,
    NextProblem,
    PreviousProblem,
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
    Lines,
    Configuration,
    Events,
    Replay,
    ToScale,
    Compare,
    GoTo(Destination),
    AllNamespaces,
    Pause,
    NextMoment,
    PreviousMoment,
    Faster,
    Slower,
    NextStage,
    PreviousStage,
    Sort,
    Reverse,
    Filter,
    Search,
    Command,
    Help,
    HistoryBack,
    HistoryForward,
    LastPlace,
    Copy,
    CopyName,
    Export,
    Record,
    StopRecording,
    MarkProbe,
    NextMatch,
    PreviousMatch,
    Suspend,
    Quit,
}

/// A place that a command goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // ACTIONS says what each is
pub enum Destination {
    Problems,
    Tree,
    Matrix,
    List(ListId),
}

/// Where a key means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// The home screen.
    Problems,
    /// The tree.
    Tree,
    /// A list.
    List,
    /// The list of probes.
    Probes,
    /// A page with tabs.
    Page,
    /// The chain is on the screen.
    Chain,
    /// The handshake is on the screen.
    Handshake,
    /// The logs are on the screen.
    Logs,
    /// YAML is on the screen.
    Yaml,
    /// A text is searched in what is on the screen.
    Search,
    /// Two probes are side by side.
    Diff,
    /// The matrix is on the screen.
    Matrix,
    /// The embedded cluster walks the guide.
    Demo,
    /// A recording is played.
    Replay,
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
    /// Moving.
    Move,
    /// Looking.
    Look,
    /// Acting.
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
    action!(Action::HalfPageUp, "half-page-up", ["ctrl-u"], [], "half page up", "half a page up", Move, 0),
    action!(Action::HalfPageDown, "half-page-down", ["ctrl-d"], [], "half page down", "half a page down", Move, 0),
    action!(Action::First, "first", ["home", "g"], [], "first", "to the first line", Move, 0),
    action!(Action::Last, "last", ["end", "G"], [], "last", "to the last line", Move, 0),
    action!(Action::Open, "open", ["enter"], [], "open", "open what is selected: a problem at its broken link, a link's handshake, a step's decoded fields", Move, 1),
    action!(Action::Back, "back", ["esc"], [], "back", "go back", Move, 2),
    action!(Action::HistoryBack, "history-back", ["["], [], "back", "history: to where you were before, in another context or namespace, too", Move, 0),
    action!(Action::HistoryForward, "history-forward", ["]"], [], "forward", "history: forward again", Move, 0),
    action!(Action::LastPlace, "last-place", ["-"], [], "last place", "to the last place, and back again", Move, 0),
    action!(Action::NextProblem, "next-problem", ["n"], [], "next", "to the next problem", Move, 3),
    action!(Action::PreviousProblem, "previous-problem", ["N"], [], "previous", "to the previous problem", Move, 0),
    action!(Action::Toggle, "toggle", ["space", "o"], [Context::Problems, Context::Tree, Context::Chain, Context::Yaml], "unfold", "unfold or fold: problems of one kind, a branch, the whole chain, a block of YAML", Move, 0),
    action!(Action::NextMatch, "next-match", ["n"], [Context::Search], "next", "search: to the next match", Move, 3),
    action!(Action::PreviousMatch, "previous-match", ["N"], [Context::Search], "previous", "search: to the match before", Move, 0),
    action!(Action::Collapse, "collapse", ["left"], [Context::Tree], "fold", "fold the branch, or go to the parent", Move, 0),
    action!(Action::Expand, "expand", ["right"], [Context::Tree], "unfold", "unfold the branch, or go to the first child", Move, 0),
    action!(Action::CellLeft, "cell-left", ["left"], [Context::Matrix, Context::List], "left", "matrix: to the data-plane pod at the left; list: show the columns at the left", Move, 0),
    action!(Action::CellRight, "cell-right", ["right"], [Context::Matrix, Context::List], "right", "matrix: to the data-plane pod at the right; list: show the columns at the right that have no room", Move, 0),
    action!(Action::NextView, "next-tab", ["tab", "right"], [Context::Page], "next tab", "page: next tab", Look, 8),
    action!(Action::PreviousView, "previous-tab", ["shift-tab", "left"], [Context::Page], "previous tab", "page: previous tab", Look, 0),
    action!(Action::View(0), "chain", ["1"], [], "chain", "tab Chain: both directions of trust", Look, 0),
    action!(Action::View(1), "handshake", ["2"], [], "handshake", "tab Handshake: what the last probe saw, step by step", Look, 0),
    action!(Action::View(2), "findings", ["3"], [], "findings", "tab Findings: what is wrong here, what shows it, and how to fix it", Look, 0),
    action!(Action::View(3), "tab-logs", ["4", "l"], [], "logs", "tab Logs: what nginx and the backend logged about it", Look, 0),
    action!(Action::View(4), "tab-conditions", ["5", "d"], [], "conditions", "tab Conditions: what controllers say of it, and its events", Look, 0),
    action!(Action::View(5), "yaml", ["6"], [], "YAML", "tab YAML", Look, 0),
    action!(Action::View(6), "tab-nginx", ["7"], [], "nginx", "tab nginx: its configuration from the objects, and the one that the data plane uses", Look, 0),
    action!(Action::Events, "events-of", ["E"], [], "events", "the events of what is selected", Look, 0),
    action!(Action::Zoom, "wire", ["z"], [Context::Handshake], "wire", "handshake: the guide's arrows, or the TLS messages on the wire", Look, 9),
    action!(Action::Lines, "lines", ["z"], [Context::Logs], "lines", "logs: the last lines as they were written, read now; or what they mean", Look, 9),
    action!(Action::Replay, "replay", ["."], [Context::Handshake], "replay", "handshake: replay it, one step with each press", Look, 10),
    action!(Action::ToScale, "to-scale", ["t"], [Context::Handshake], "time", "handshake: show times to scale", Look, 11),
    action!(Action::Compare, "compare", ["="], [Context::Handshake, Context::Probes], "compare", "handshake: compare it with the last good probe of the endpoint; probes: two side by side", Look, 12),
    action!(Action::MarkProbe, "mark-probe", ["space", "m"], [Context::Probes], "mark", "probes: mark one, to compare another one with it", Look, 10),
    action!(Action::NextEndpoint, "next-endpoint", [">"], [Context::Page], "endpoint", "handshake of the next endpoint", Look, 0),
    action!(Action::PreviousEndpoint, "previous-endpoint", ["<"], [Context::Page], "endpoint", "handshake of the previous endpoint", Look, 0),
    action!(Action::Explain, "explain", ["x"], [], "explain", "explain the rule of the finding: its background, and how to fix it", Look, 13),
    action!(Action::Filter, "filter", ["/"], [Context::Tree, Context::List, Context::Problems, Context::Logs], "filter", "filter by words or regular expressions: two words are and, !word is not, -l app=shop selects by labels, -f bktls needs only letters in this order", Look, 7),
    action!(Action::Search, "search", ["/"], [Context::Page, Context::Matrix, Context::Diff], "search", "search for a text or a regular expression: n and N go to the next match and the one before, esc ends", Look, 7),
    action!(Action::Sort, "sort", ["s"], [Context::List], "sort", "list: sort by the next column; after the last one trouble comes first", Look, 8),
    action!(Action::Reverse, "reverse", ["S"], [Context::List], "reverse", "list: turn the order around", Look, 0),
    action!(Action::GoTo(Destination::Problems), "problems", ["h"], [], "problems", "home: the problems, by root cause", Look, 0),
    action!(Action::GoTo(Destination::Tree), "tree", ["T"], [], "tree", "the tree of Gateways, routes, Services and endpoints", Look, 0),
    action!(Action::GoTo(Destination::Matrix), "matrix", ["M"], [], "matrix", "the matrix: every endpoint from every data-plane pod", Look, 0),
    action!(Action::AllNamespaces, "all-namespaces", ["0"], [], "all", "read all namespaces, as :ns all does", Look, 0),
    action!(Action::Probe, "probe", ["r", "p"], [], "probe", "run a live handshake with what is selected", Do, 4),
    action!(Action::ProbeAll, "probe-all", ["P"], [], "all", "run a live handshake with every endpoint of the Gateway, from every data-plane pod", Do, 0),
    action!(Action::Configuration, "read-configuration", ["C"], [], "nginx -T", "read the configuration that nginx is using in the data-plane pods", Do, 0),
    action!(Action::Watch, "watch", ["w"], [Context::Matrix], "watch", "matrix: probe again every 5 seconds and show what changes; or stop", Do, 3),
    action!(Action::Via, "via", ["v"], [], "via", "choose where probes connect from, and see what each transport proves", Do, 14),
    action!(Action::Cancel, "cancel", ["ctrl-x"], [], "cancel", "cancel the running probes, and remove their temporary resources", Do, 0),
    action!(Action::Fix, "fix", ["f"], [], "fix", "show the change that fixes the problem, try it as a dry run, and apply it once you agree", Do, 5),
    action!(Action::Copy, "copy", ["y"], [], "copy", "copy the command that fixes the problem, or else what is selected (OSC 52)", Do, 6),
    action!(Action::CopyName, "copy-name", ["c"], [], "copy name", "copy the name of the object that is selected", Do, 0),
    action!(Action::Export, "export", ["e"], [], "export", "export what this view shows to a file: text, Mermaid, SVG", Do, 0),
    action!(Action::Record, "record", ["R"], [], "record", "record what is seen from now on to a new file, or end the recording; :record FILE names it", Do, 0),
    action!(Action::StopRecording, "stop", [], [], "stop", "end the recording, and say where it is", Do, 0),
    action!(Action::NextStage, "next-stage", ["}"], [Context::Demo], "next stage", "demo: the guide's next stage", Do, 7),
    action!(Action::PreviousStage, "previous-stage", ["{"], [Context::Demo], "previous stage", "demo: the guide's previous stage", Do, 0),
    action!(Action::Pause, "pause", ["space"], [Context::Replay], "pause", "recording: pause, or play on; at its end play it again (o unfolds)", Do, 4),
    action!(Action::NextMoment, "next-moment", ["}"], [Context::Replay], "next", "recording: one moment forward, and pause", Do, 4),
    action!(Action::PreviousMoment, "previous-moment", ["{"], [Context::Replay], "previous", "recording: one moment back, and pause", Do, 0),
    action!(Action::Faster, "faster", ["+"], [Context::Replay], "faster", "recording: play it faster", Do, 5),
    action!(Action::Slower, "slower", ["-"], [Context::Replay], "slower", "recording: play it slower", Do, 0),
    action!(Action::Command, "command", [":"], [], "go to", "go to a list or a tab, or run a command, by name: tab completes it, up and down recall those from before", Program, 6),
    action!(Action::Help, "help", ["?", "f1"], [], "help", "this screen; / searches it", Program, 15),
    action!(Action::Suspend, "suspend", ["ctrl-z"], [], "suspend", "suspend: back to the shell, whose fg continues the program", Program, 0),
    action!(Action::Quit, "quit", ["q", "ctrl-c"], [], "quit", "quit; asks while temporary resources are in the cluster; ctrl-c first closes an open dialog", Program, 16),
];

impl Action {
    /// What is known of it. Lists have no keys: [`LISTS`](crate::tui::views::lists::LISTS) knows them.
    ///
    /// # Panics
    /// For a list; for no other, since a test demands that every action is in [`ACTIONS`].
    pub fn info(self) -> &'static ActionInfo {
        ACTIONS
            .iter()
            .find(|info| info.action == self)
            .expect("every action is in ACTIONS")
    }
}

/// Keys that somebody chose, by the action's name.
pub type Keys = BTreeMap<&'static str, Vec<KeyChord>>;

/// The key map that [`ACTIONS`] describes.
pub fn keymap() -> Result<Keymap<Action, Context>, KeyConflict> {
    keymap_with(&Keys::new())
}

/// The same with other keys for some actions, by the action's name.
pub fn keymap_with(keys: &Keys) -> Result<Keymap<Action, Context>, KeyConflict> {
    Keymap::new(ACTIONS.iter().flat_map(|info| {
        let places = places(info);
        chords(info, keys).into_iter().flat_map(move |chord| {
            let places = places.clone();
            places
                .into_iter()
                .map(move |context| (chord, info.action, context))
        })
    }))
}

/// Where the keys of an action mean it; `None` for everywhere.
fn places(info: &ActionInfo) -> Vec<Option<Context>> {
    if info.contexts.is_empty() {
        vec![None]
    } else {
        info.contexts.iter().copied().map(Some).collect()
    }
}

/// The keys of an action: those that somebody chose, or its own.
fn chords(info: &ActionInfo, keys: &Keys) -> Vec<KeyChord> {
    match keys.get(info.id) {
        Some(keys) => keys.clone(),
        None => info
            .keys
            .iter()
            .map(|key| key.parse().expect("a test reads every key of ACTIONS"))
            .collect(),
    }
}

/// A key of this action that another one has in the same place, and the other one.
pub fn conflict(info: &ActionInfo, keys: &Keys) -> Option<(KeyChord, &'static ActionInfo)> {
    let (own, own_places) = (chords(info, keys), places(info));
    ACTIONS
        .iter()
        .filter(|other| other.action != info.action)
        .filter(|other| places(other).iter().any(|place| own_places.contains(place)))
        .find_map(|other| {
            let theirs = chords(other, keys);
            let both = own.iter().find(|chord| theirs.contains(chord))?;
            Some((*both, other))
        })
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
    fn no_name_of_a_list_means_an_action() {
        for list in crate::tui::views::lists::LISTS {
            for name in std::iter::once(&list.name).chain(list.aliases) {
                let known = ACTIONS.iter().any(|info| info.id == *name);
                assert!(!known, "{name} is an action and a list");
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
