//! What the terminal interface shows: an owned snapshot, its diagnosis, and where the person is.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use ngf_ui::{
    Mark, Theme,
    keymap::{KeyConflict, Keymap},
    scroll::{ListState, ScrollState},
};

use super::{
    action::{Action, Context, keymap},
    event::Stage,
    fix::FixDialog,
    job::Job,
    matrix::Matrix,
    tree::TreePane,
};
use crate::views::ViewId;
use ngf_cluster::{
    beside::Beside,
    making::Preparation,
    transport::{Via, WayTaken},
};
use ngf_core::{
    diagnosis::{
        Diagnosis, Evidence,
        chain::ChainPicture,
        evidence::Probed,
        plan::{PlanKey, ProbePlan},
    },
    model::{
        object::ObjectRef,
        snapshot::Snapshot,
        topology::{Node, NodeId, NodeIx},
    },
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
    /// When the last event happened.
    pub now: Timestamp,
    /// The tree pane.
    pub tree: TreePane,
    /// Which pane has the keys.
    pub pane: Pane,
    /// The causes pane.
    pub causes: ListState,
    /// The tabs.
    pub detail: Detail,
    /// What lies over the panes.
    pub overlay: Option<Overlay>,
    /// A short message.
    pub toast: Option<Toast>,
    /// The probes that run.
    pub running: BTreeSet<PlanKey>,
    /// The way that probes go.
    pub via: Via,
    /// Whether paths are tested without a key press.
    pub tests: Tests,
    /// How often paths may still be tested again because something was changed from here.
    pub retests: u8,
    /// Nothing may be written to the cluster.
    pub read_only: bool,
    /// How probes went, and what stands beside them.
    pub around: HashMap<PlanKey, Around>,
    /// Every endpoint from every data-plane pod.
    pub matrix: Option<Matrix>,
    /// The job of which it is being found out what it needs made.
    pub preparing: Option<u64>,
    /// A question that waits until nothing lies over the panes.
    pub question: Option<Question>,
    /// The number of the last job.
    pub jobs: u64,
    /// The guide's stage, where this is the embedded cluster.
    pub stage: Option<Stage>,
    /// When the diagnosis was made; `None` before the first one.
    pub diagnosed_at: Option<Timestamp>,
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

/// A part of the screen that can have the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// The tree.
    #[default]
    Tree,
    /// The tabs.
    Detail,
    /// The causes.
    Causes,
}

/// State of the tabs.
#[derive(Debug, Default)]
pub struct Detail {
    /// Which one is on top.
    pub view: ViewId,
    /// Where each is scrolled to.
    pub scroll: HashMap<ViewId, ScrollState>,
    /// The selected message of the handshake.
    pub messages: ListState,
    /// The selected finding.
    pub findings: ListState,
    /// Guide or wire.
    pub zoom: Zoom,
    /// The picture of the chain as it was drawn last.
    pub chain: Option<DrawnChain>,
    /// Which of several probed endpoints the handshake shows.
    pub endpoint: usize,
    /// The handshake of a cell of the matrix, shown instead of the selection's.
    pub opened: Option<Opened>,
}

/// A handshake of the matrix.
#[derive(Debug)]
pub struct Opened {
    /// What was seen.
    pub probed: Probed,
    /// By which way.
    pub way: WayTaken,
}

/// How a probe went, and what stands beside it.
#[derive(Debug, Clone)]
pub struct Around {
    /// When the probe began.
    pub at: Timestamp,
    /// The way that it went.
    pub way: WayTaken,
    /// What stands beside it.
    pub beside: BesideState,
}

/// What stands beside a probe, so far as it is known.
#[derive(Debug, Clone, Default)]
pub enum BesideState {
    /// Nobody asked, or it was cancelled.
    #[default]
    NotAsked,
    /// It is being asked for.
    Asking,
    /// It is known.
    Known(Box<Beside>),
}

/// The handshake that is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// What was tried, and what came of it.
    pub probed: &'a Probed,
    /// Its number among [`Shown::count`], from 0.
    pub number: usize,
    /// How many there are of what is selected.
    pub count: usize,
    /// The way that it went.
    pub way: Option<&'a WayTaken>,
    /// What stands beside it.
    pub beside: &'a BesideState,
}

/// A person is asked whether something may be made in the cluster.
#[derive(Debug)]
pub struct Question {
    /// What it is needed for.
    pub job: Box<Job>,
    /// What would be made.
    pub preparation: Preparation,
    /// Where its text is scrolled to.
    pub scroll: ScrollState,
    /// When it came on the screen: a key that was meant for what was there before is not an answer.
    pub shown_at: Option<Timestamp>,
}

/// The picture of a chain, kept for as long as it is right.
#[derive(Debug)]
pub struct DrawnChain {
    /// The selection and the diagnosis that it was made for.
    pub made_for: Option<(NodeId, Timestamp)>,
    /// The picture, or why there is none.
    pub picture: Result<ChainPicture, String>,
}

/// How close the handshake is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zoom {
    /// The guide's eleven arrows.
    #[default]
    Guide,
    /// The messages on the wire.
    Wire,
}

/// What lies over the panes and has the keys.
#[derive(Debug)]
pub enum Overlay {
    /// The help screen.
    Help(ScrollState),
    /// The command palette.
    Palette(ngf_ui::widgets::palette::PaletteState),
    /// The filter's input, and what it was before.
    Filter(ngf_ui::widgets::prompt::PromptState, String),
    /// The decoded fields of a message of the handshake: the message's number in the diagram.
    Step(usize, ScrollState),
    /// The ways to choose from.
    Via(ListState),
    /// Whether something may be made in the cluster.
    Question(Box<Question>),
    /// A rule in words, by its code.
    Explain(&'static str, ScrollState),
    /// A fix, before it is applied and after.
    Fix(Box<FixDialog>),
}

/// A short message that goes by itself.
#[derive(Debug, Clone)]
pub struct Toast {
    /// How it went.
    pub mark: Mark,
    /// What it says.
    pub text: String,
    /// When it goes.
    pub until: Timestamp,
}

impl App {
    /// Before anything is known.
    pub fn new(
        theme: Theme,
        snapshot: Arc<Snapshot>,
        stage: Option<Stage>,
        now: Timestamp,
    ) -> Result<Self, KeyConflict> {
        let mut app = Self {
            theme,
            keymap: keymap()?,
            latest: Arc::clone(&snapshot),
            snapshot,
            reading: false,
            diagnosis: Diagnosis::default(),
            evidence: Evidence::none(),
            now,
            tree: TreePane::default(),
            pane: Pane::default(),
            causes: ListState::default(),
            detail: Detail::default(),
            overlay: None,
            toast: None,
            running: BTreeSet::new(),
            via: Via::default(),
            tests: Tests::Off,
            retests: 0,
            read_only: false,
            around: HashMap::new(),
            matrix: None,
            preparing: None,
            question: None,
            jobs: 0,
            stage,
            diagnosed_at: None,
        };
        if let Some(stage) = app.stage.clone() {
            app.explain(&stage);
        }
        Ok(app)
    }

    /// The selected node of the tree.
    pub fn selected(&self) -> Option<(NodeIx, &Node)> {
        let index = self.tree.selected()?;
        Some((index, self.diagnosis.topology.node(index)))
    }

    /// The object that the selected node stands for.
    pub fn selected_object(&self) -> Option<&ObjectRef> {
        self.selected().and_then(|(_, node)| node.object.as_ref())
    }

    /// The probes of connections at or below the selected node (or, for an endpoint or a Service,
    /// of that), the worst first.
    pub fn probes_of_selected(&self) -> Vec<&Probed> {
        let Some((index, _)) = self.selected() else {
            return Vec::new();
        };
        let mut probes: Vec<&Probed> = self
            .evidence
            .probes()
            .filter(|probed| self.concerns(index, &probed.plan))
            .collect();
        probes.sort_by_key(|probed| match &probed.result {
            Err(_) => 0,
            Ok(transcript) if transcript.nginx.outcome != ngf_tls::transcript::Outcome::Ok => 1,
            Ok(_) => 2,
        });
        probes
    }

    /// The handshake that is shown: that of a cell of the matrix, or one of the selection's.
    pub fn shown_probe(&self) -> Option<Shown<'_>> {
        if let Some(opened) = &self.detail.opened {
            return Some(Shown {
                probed: &opened.probed,
                number: 0,
                count: 1,
                way: Some(&opened.way),
                beside: &BesideState::NotAsked,
            });
        }
        let all = self.probes_of_selected();
        let count = all.len();
        let number = self.detail.endpoint.checked_rem(count)?;
        let probed = all[number];
        let around = self.around.get(&probed.plan.key());
        let around = around.filter(|around| around.at == probed.at);
        Some(Shown {
            probed,
            number,
            count,
            way: around.map(|around| &around.way),
            beside: around.map_or(&BesideState::NotAsked, |around| &around.beside),
        })
    }

    /// Whether a plan's connection is at or below a node.
    fn concerns(&self, index: NodeIx, plan: &ProbePlan) -> bool {
        use ngf_core::model::topology::What;
        let topology = &self.diagnosis.topology;
        // From the node upwards every level that the plan names must agree.
        std::iter::once(index)
            .chain(topology.ancestors(index))
            .all(|place| {
                let node = topology.node(place);
                match &node.what {
                    What::Group(_) | What::Class | What::ListenerSet | What::Policy { .. } => true,
                    What::Gateway => node.object.as_ref() == Some(&plan.gateway),
                    What::Listener { name } => {
                        plan.listener.as_ref().is_none_or(|(owner, listener)| {
                            listener == name && node.object.as_ref() == Some(owner)
                        })
                    }
                    What::Route { .. } => node.object.as_ref() == Some(&plan.route),
                    What::Rule { index } => *index == plan.rule,
                    What::Backend(backend) => {
                        backend.service.as_ref() == Some(&plan.service)
                            && backend.port.is_none_or(|port| port == plan.port)
                    }
                    What::Endpoint(endpoint) => {
                        endpoint.address == plan.endpoint.address
                            && endpoint.port == plan.endpoint.port
                    }
                }
            })
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
            .now
            .saturating_add(SignedDuration::from_secs(seconds))
            .unwrap_or(self.now);
        self.toast = Some(Toast { mark, text, until });
    }
}
