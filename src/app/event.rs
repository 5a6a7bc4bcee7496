//! What happens to the terminal interface, and what it asks for.

use std::sync::Arc;

use crossterm::event::KeyEvent;

use crate::{
    diagnosis::{
        Diagnosis, Evidence,
        evidence::Probed,
        plan::{PlanKey, ProbePlan},
    },
    logs::PodLog,
    model::snapshot::Snapshot,
};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size; drawing again is all there is to do.
    Resized,
    /// Time passed.
    Tick,
    /// The cluster changed.
    Snapshot(Arc<Snapshot>),
    /// A diagnosis is ready.
    Diagnosed(Box<Diagnosed>),
    /// A probe ran, or could not.
    Probed(Box<Probed>),
    /// A container's log says something new.
    Logged(Box<PodLog>),
    /// These probes have ended or were cancelled.
    ProbesEnded(Vec<PlanKey>),
    /// The embedded cluster reached a stage of the guide.
    Stage(Stage),
    /// Something that was asked for failed: a sentence.
    Failed(String),
    /// A signal asks to end.
    Terminate,
}

/// A diagnosis, with what it was made of.
#[derive(Debug)]
pub struct Diagnosed {
    /// What it was made of.
    pub snapshot: Arc<Snapshot>,
    /// What it says.
    pub diagnosis: Diagnosis,
}

/// Something to do that is not the state's to do.
#[derive(Debug)]
pub enum Effect {
    /// Diagnose this, and send [`Event::Diagnosed`]; a newer request makes an older one void.
    Diagnose {
        /// The objects.
        snapshot: Arc<Snapshot>,
        /// What was measured.
        evidence: Evidence,
    },
    /// Run these probes, and send [`Event::Probed`] for each.
    Probe(Vec<ProbePlan>),
    /// Stop the probes that run.
    CancelProbes,
    /// Bring the embedded cluster to the stage with this number.
    GoToStage(usize),
    /// End.
    Quit,
}

/// A stage of the guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// From 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
    /// What is walked: `guide`, or `scenario wrong-ca`.
    pub walk: String,
    /// A few words.
    pub title: String,
    /// What has just been done to the cluster, in a sentence or two.
    pub text: String,
}
