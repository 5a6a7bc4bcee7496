//! A page: its tabs, and the handshake that is shown.

use crate::tui::state::ids::ViewId;
use crate::tui::state::{
    filter::Filter,
    lines::Lines,
    search::{Origin, Pane, Search},
};
use jiff::Timestamp;
use ngf_cluster::{probe_context::ProbeContext, transport::WayTaken};
use ngf_core::{
    diagnosis::{
        chain::ChainPicture,
        evidence::{Met, Probed},
        problems::FieldAt,
    },
    model::topology::NodeId,
};
use ngf_ui::scroll::{ListState, ScrollState};
use std::collections::{BTreeSet, HashMap};

/// State of a page's tabs.
#[derive(Debug, Default)]
pub struct Detail {
    /// Which one is on top.
    pub view: ViewId,
    /// Where each is scrolled to.
    pub scroll: HashMap<ViewId, ScrollState>,
    /// The selected part of the chain.
    pub links: ListState,
    /// The chain is shown with all that is known of it.
    pub unfolded: bool,
    /// The selected message of the handshake.
    pub messages: ListState,
    /// The selected finding.
    pub findings: ListState,
    /// Guide or wire.
    pub zoom: Zoom,
    /// So many steps of the handshake are drawn, where it is replayed.
    pub replay: Option<usize>,
    /// Times of the handshake are drawn to scale.
    pub to_scale: bool,
    /// The handshake is compared with the last good one.
    pub compare: bool,
    /// The picture of the chain as it was drawn last.
    pub chain: Option<DrawnChain>,
    /// Which of several probed endpoints the handshake shows.
    pub endpoint: usize,
    /// The handshake of a cell of the matrix, shown instead of the selection's.
    pub opened: Option<Opened>,
    /// The field at fault, which the tab YAML shows.
    pub field: Option<FieldAt>,
    /// The filter of the logs.
    pub filter: Filter,
    /// The lines of the logs as they were written, where they are shown instead of what they mean.
    pub lines: Option<Lines>,
    /// The tab YAML.
    pub yaml: YamlPane,
    /// What is searched in the tabs, and in the places opened above them.
    pub searches: HashMap<Pane, Search>,
    /// Where the search began whose text is being typed.
    pub origin: Option<Box<Origin>>,
    /// The selected line of two probes side by side.
    pub diff: ListState,
    /// Where the decoded fields of a step are scrolled to.
    pub step: ScrollState,
}

/// State of the tab YAML.
#[derive(Debug, Default)]
pub struct YamlPane {
    /// The cursor among the lines that are not folded away; the first one is the title.
    pub list: ListState,
    /// The lines at which folded blocks begin, by their numbers in the whole text.
    pub folded: BTreeSet<usize>,
    /// The cursor was put on the field at fault, or on the first line.
    pub is_placed: bool,
}

/// A handshake that is shown instead of the selection's: a cell of the matrix, or a probe of the list.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What was seen.
    pub probed: Probed,
    /// By which transport, where that is known.
    pub way: Option<WayTaken>,
}

/// How a probe went, and its context.
#[derive(Debug, Clone)]
pub struct Around {
    /// When the probe began.
    pub at: Timestamp,
    /// The way that it went.
    pub way: WayTaken,
    /// Its context.
    pub context: ProbeContextState,
}

/// The context of a probe, as far as it is known.
#[derive(Debug, Clone, Default)]
pub enum ProbeContextState {
    /// Nobody asked, or it was cancelled.
    #[default]
    NotAsked,
    /// It is being asked for.
    Asking,
    /// It is known.
    Known(Box<ProbeContext>),
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
    /// Its context.
    pub context: &'a ProbeContextState,
    /// The last handshake with the listener by which the path is reached.
    pub listener: Option<Result<&'a Met, &'a str>>,
}

/// The picture of a chain, kept for as long as it is right.
#[derive(Debug)]
pub struct DrawnChain {
    /// The selection and the diagnosis that it was made for.
    pub made_for: Option<(NodeId, Timestamp, u64)>,
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
