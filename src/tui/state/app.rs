//! What the terminal interface shows: an owned snapshot, its diagnosis, and where the person is.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use ngf_tls::transcript::Step;
use ngf_ui::{
    Mark, Theme,
    keymap::{KeyConflict, Keymap},
    scroll::ListState,
    widgets::prompt::Entered,
};
use ratatui::layout::Rect;

use crate::tui::state::ids::{ListId, ViewId};
use crate::tui::state::{Around, Detail, Overlay, Question, Toast};
use crate::tui::state::{
    action::{Action, Context, keymap, keymap_with},
    changes::Changes,
    clock::Clock,
    elsewhere::{Arrival, Elsewhere},
    endpoint_matrix::GatewayMatrix,
    event::Stage,
    filter::Filter,
    history::History,
    job::SwitchTo,
    list::ListPane,
    place::Stack,
    recording::Recording,
    settings::Settings,
    tree::TreePane,
};
use ngf_cluster::{
    KubeContext,
    transport::{Via, WayTaken},
};
use ngf_core::{
    diagnosis::{
        Code, Diagnosis, Evidence,
        evidence::Probed,
        plan::PlanKey,
        problems::{Problem, ProblemKey},
    },
    model::{object::ObjectRef, snapshot::Snapshot},
};

/// All of it.
pub struct App {
    /// How things look.
    pub theme: Theme,
    /// Which key does what.
    pub keymap: Keymap<Action, Context>,
    /// The objects that [`App::diagnosis`] is about.
    pub snapshot: Arc<Snapshot>,
    /// The newest objects, of which a diagnosis is being made; the same as `snapshot` otherwise.
    pub latest: Arc<Snapshot>,
    /// The first objects are still being read: there is nothing to diagnose yet.
    pub reading: bool,
    /// What they mean.
    pub diagnosis: Diagnosis,
    /// What was measured.
    pub evidence: Evidence,
    /// When the last event happened, by the clock of what is shown.
    pub now: Timestamp,
    /// When the last event happened, by the clock on the wall: a message goes by it.
    pub real: Timestamp,
    /// Which clock what is shown has.
    pub clock: Clock,
    /// Where the person is, and how they came there.
    pub places: Stack,
    /// The home screen.
    pub home: Home,
    /// The tree.
    pub tree: TreePane,
    /// The tabs of the page.
    pub detail: Detail,
    /// What changed since the program started.
    pub changes: Changes,
    /// The lists that were opened.
    pub lists: HashMap<ListId, ListPane>,
    /// The probes of this run, the newest last.
    pub probed: VecDeque<SeenProbe>,
    /// The probe that others are compared with, by its number.
    pub marked: Option<u64>,
    /// The last good probe of each connection.
    pub good: HashMap<PlanKey, Probed>,
    /// A dialog over the place.
    pub overlay: Option<Overlay>,
    /// A short message.
    pub toast: Option<Toast>,
    /// The jobs whose temporary resources are in the cluster.
    pub temporary: Vec<Temporary>,
    /// The probes that run.
    pub running: BTreeSet<PlanKey>,
    /// What the probes that run have seen so far.
    pub steps: HashMap<PlanKey, Vec<Step>>,
    /// Probe transport.
    pub via: Via,
    /// Whether paths are tested without a key press.
    pub tests: Tests,
    /// How often paths may still be tested again because something was changed from here.
    pub retests: u8,
    /// Nothing may be written to the cluster.
    pub read_only: bool,
    /// How probes went, and their contexts.
    pub around: HashMap<PlanKey, Around>,
    /// Every endpoint from every data-plane pod.
    pub matrix: Option<GatewayMatrix>,
    /// The job of which it is being found out what it needs made.
    pub preparing: Option<u64>,
    /// A question that waits until nothing lies over the panes.
    pub question: Option<Question>,
    /// The number of the last job.
    pub jobs: u64,
    /// What was changed of keys, columns and commands.
    pub settings: Settings,
    /// Where the person has been.
    pub history: History,
    /// What happened last was a step of the history itself.
    pub traveled: bool,
    /// What stands where on the screen, for the mouse: what was drawn last lies above.
    pub hits: Vec<(Rect, Hit)>,
    /// Where the text was drawn last that `/` searches.
    pub searched: Rect,
    /// The contexts of the kubeconfig, once they were asked for.
    pub contexts: Option<Result<Vec<KubeContext>, String>>,
    /// The contexts that are watched at the same time, in the order of the command line; this one among them.
    pub elsewhere: Vec<Elsewhere>,
    /// The namespaces that were seen while all were read.
    pub namespaces: BTreeSet<String>,
    /// What was entered after `:`.
    pub commands: Entered,
    /// What was entered after `/`.
    pub filters: Entered,
    /// Where the program is about to switch to.
    pub switching: Option<SwitchTo>,
    /// What is opened once another context is connected and read.
    pub arrival: Option<Arrival>,
    /// The Gateways whose nginx configuration was asked for, and whether it has come.
    pub configured: HashMap<ObjectRef, bool>,
    /// The guide's stage, where this is the embedded cluster.
    pub stage: Option<Stage>,
    /// The recording that is being made of what is on the screen.
    pub recording: Option<Recording>,
    /// When the diagnosis was made; `None` before the first one.
    pub diagnosed_at: Option<Timestamp>,
    /// How many diagnoses and snapshots were taken: of a recording that stands still, several have one moment.
    pub taken: u64,
}

/// Whether every path is tested by itself, without a key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tests {
    /// Only keys test.
    #[default]
    Off,
    /// As soon as everything was read.
    Wanted,
    /// They run.
    Running {
        /// Handshakes that have ended.
        done: usize,
        /// Handshakes.
        of: usize,
        /// Paths.
        paths: usize,
        /// The transport.
        via: Via,
    },
    /// They have ended.
    Over,
}

/// The home screen: the problems of the diagnosis, by root cause.
#[derive(Debug, Default)]
pub struct Home {
    /// The problems.
    pub problems: Vec<Problem>,
    /// The selected entry: a problem, or one of the entries after them.
    pub list: ListState,
    /// Kinds of problems that are told one by one.
    pub unfolded: BTreeSet<ProblemKey>,
    /// The filter.
    pub filter: Filter,
    /// How many problems there are of each sign, whatever the filter leaves.
    pub counts: HashMap<Mark, usize>,
    /// When each finding came, by its code and object; `None` where it was there when the program started.
    pub came: HashMap<(Code, ObjectRef), Option<Timestamp>>,
    /// What was there when the program started is known.
    pub has_begun: bool,
    /// The certificate that expires next: whose it is, and when.
    pub expires_next: Option<(String, Timestamp)>,
    /// Why paths are untested.
    pub untested: UntestedReasons,
}

/// Why paths are untested.
#[derive(Debug, Default)]
pub struct UntestedReasons {
    /// The most frequent reasons, each with the routes of these paths in words.
    pub reasons: Vec<(String, String)>,
    /// How many reasons there are besides.
    pub others: usize,
}

/// A probe of this run.
#[derive(Debug, Clone)]
pub struct SeenProbe {
    /// Tells it from others.
    pub number: u64,
    /// What was seen.
    pub probed: Probed,
    /// By which transport, where that is known.
    pub way: Option<WayTaken>,
    /// The data-plane pod that it left from, where it left from one.
    pub place: Option<String>,
}

/// Something on the screen that can be clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// A place of the breadcrumb, from 0.
    Crumb(usize),
    /// The tabs of a page.
    Tabs,
    /// What the place is about; of a page, the tab.
    Body(Option<ViewId>),
}

/// A job whose temporary resources are in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Temporary {
    /// Probes of these connections.
    Probes(BTreeSet<PlanKey>),
    /// The matrix of this number.
    Matrix(u64),
}

impl App {
    /// Before anything is known.
    pub fn new(
        theme: Theme,
        snapshot: Arc<Snapshot>,
        stage: Option<Stage>,
        now: Timestamp,
    ) -> Result<Self, KeyConflict> {
        let mut app = Self::blank(theme, keymap()?, snapshot, now);
        app.stage = stage;
        if let Some(stage) = app.stage.clone() {
            app.explain(&stage);
        }
        Ok(app)
    }

    /// The same with other keys, columns and commands.
    ///
    /// # Errors
    /// Where two actions want one key in the same place.
    pub fn configured(mut self, settings: Settings) -> Result<Self, KeyConflict> {
        self.keymap = keymap_with(&settings.keys)?;
        self.settings = settings;
        Ok(self)
    }

    fn blank(
        theme: Theme,
        keymap: Keymap<Action, Context>,
        snapshot: Arc<Snapshot>,
        now: Timestamp,
    ) -> Self {
        Self {
            theme,
            keymap,
            latest: Arc::clone(&snapshot),
            snapshot,
            reading: false,
            diagnosis: Diagnosis::default(),
            evidence: Evidence::none(),
            now,
            real: now,
            clock: Clock::Live,
            places: Stack::default(),
            home: Home::default(),
            tree: TreePane::default(),
            detail: Detail::default(),
            changes: Changes::default(),
            lists: HashMap::new(),
            probed: VecDeque::new(),
            marked: None,
            good: HashMap::new(),
            overlay: None,
            toast: None,
            temporary: Vec::new(),
            running: BTreeSet::new(),
            steps: HashMap::new(),
            via: Via::default(),
            tests: Tests::Off,
            retests: 0,
            read_only: false,
            around: HashMap::new(),
            matrix: None,
            preparing: None,
            question: None,
            jobs: 0,
            settings: Settings::default(),
            history: History::default(),
            traveled: false,
            hits: Vec::new(),
            searched: Rect::ZERO,
            contexts: None,
            elsewhere: Vec::new(),
            namespaces: BTreeSet::new(),
            commands: Entered::default(),
            filters: Entered::default(),
            switching: None,
            arrival: None,
            configured: HashMap::new(),
            stage: None,
            recording: None,
            diagnosed_at: None,
            taken: 0,
        }
    }

    /// Another cluster or namespace: nothing of what was known holds there. How things look, which key does what
    /// and how probes connect stays.
    pub fn reset(&mut self, snapshot: Arc<Snapshot>) {
        let tests = match self.tests {
            Tests::Off => Tests::Off,
            _ => Tests::Wanted,
        };
        let blank = Self::blank(self.theme.clone(), self.keymap.clone(), snapshot, self.real);
        *self = Self {
            via: self.via,
            tests,
            read_only: self.read_only,
            jobs: self.jobs,
            settings: std::mem::take(&mut self.settings),
            contexts: self.contexts.take(),
            elsewhere: std::mem::take(&mut self.elsewhere),
            namespaces: std::mem::take(&mut self.namespaces),
            commands: std::mem::take(&mut self.commands),
            filters: std::mem::take(&mut self.filters),
            history: std::mem::take(&mut self.history),
            stage: self.stage.take(),
            ..blank
        };
    }

    /// Shows a short message for a few seconds.
    pub fn say(&mut self, mark: Mark, text: impl Into<String>) {
        self.say_for(6, mark, text.into());
    }

    /// Says what a stage of the guide is about, for as long as reading it takes.
    pub fn explain(&mut self, stage: &Stage) {
        self.say_for(30, Mark::Info, format!("{}. {}", stage.title, stage.text));
    }

    /// Shows a message for so many seconds.
    pub fn say_for(&mut self, seconds: i64, mark: Mark, text: String) {
        let until = self
            .real
            .saturating_add(SignedDuration::from_secs(seconds))
            .unwrap_or(self.real);
        self.toast = Some(Toast { mark, text, until });
    }
}
