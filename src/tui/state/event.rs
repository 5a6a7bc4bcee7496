//! What happens to the terminal interface, and what it asks for.

use std::{path::PathBuf, sync::Arc};

use crossterm::event::KeyEvent;
use jiff::Timestamp;
use ngf_tls::transcript::{Step, Transcript};
use ngf_ui::input::Mouse;

use crate::tui::state::elsewhere::ElsewhereState;
use crate::tui::state::job::{
    Connected, FixNews, Job, ListenerSeen, MatrixNews, ProbeContextDone, ProbeDone, SurveyNews,
    SwitchTo,
};
use crate::tui::state::lines::Read;
use crate::tui::state::recording::RecordingNews;
use ngf_cluster::{
    KubeContext,
    temporary::{Agreed, Preparation},
    transport::Confirmation,
};
use ngf_core::{
    bundle::Opened,
    diagnosis::{Diagnosis, Evidence, plan::PlanKey},
    fix::FixPlan,
    logs::PodLog,
    model::{object::ObjectRef, snapshot::Snapshot},
};

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// Something was done with the mouse.
    Mouse(Mouse),
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
    /// The last diagnosis holds for this snapshot, too: nothing has changed but Events, which no rule reads.
    StillHolds(Arc<Snapshot>),
    /// It is known what a job needs made first, or why it cannot be.
    Prepared(Box<Job>, Result<Preparation, String>),
    /// A step of a probe that runs.
    Step(PlanKey, Box<Step>),
    /// A probe ran, or could not.
    Probed(Box<ProbeDone>),
    /// The context of a probe is known.
    ProbeContext(Box<ProbeContextDone>),
    /// It is known, by a second handshake, what the backend makes of the client certificate.
    Settled(PlanKey, Timestamp, Arc<Transcript>),
    /// A container's log says something new.
    Logged(Box<PodLog>),
    /// Handshakes with listeners ended.
    Listeners(Vec<ListenerSeen>),
    /// These probes have ended or were cancelled.
    ProbesEnded(Vec<PlanKey>),
    /// News of the survey that tests every path.
    Survey(SurveyNews),
    /// News of the matrix of this number.
    EndpointMatrix(u64, MatrixNews),
    /// A fix was tried or applied.
    Fix(Box<FixNews>),
    /// Temporary resources of a probe could not be removed: a sentence each.
    Left(Vec<String>),
    /// The contexts of the kubeconfig, or why they cannot be read.
    Contexts(Result<Vec<KubeContext>, String>),
    /// Another cluster or namespace is connected, or why it cannot be.
    Switched(SwitchTo, Result<Connected, String>),
    /// What nginx is using in the data-plane pods of these Gateways, with a sentence for what could not be read;
    /// or why none could be.
    Configuration(
        Vec<ObjectRef>,
        Result<crate::tui::state::job::InUse, String>,
    ),
    /// News of another context that is watched, by its name.
    Elsewhere(String, Box<ElsewhereState>),
    /// What was seen at this moment of the recording that is played, or why it cannot be read.
    Moment(usize, Result<Box<Opened>, String>),
    /// The lines of logs as they were written, by the number of the reading.
    Lines(u64, Read),
    /// News of the recording that is being made.
    Recording(RecordingNews),
    /// The embedded cluster reached a stage of the guide.
    Stage(Stage),
    /// Something that was asked for failed: a sentence.
    Failed(String),
    /// Something that a person should know: a sentence.
    Message(String),
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
        /// The moment at which it is judged.
        now: Timestamp,
    },
    /// Let go of these, which were replaced: with ten thousand routes that takes longer than a key may.
    Forget(Box<Diagnosed>),
    /// Find out what this needs made first, and send [`Event::Prepared`].
    Prepare(Box<Job>),
    /// Create what was agreed to, if anything; run it; remove the temporary resources. Sends [`Event::Probed`],
    /// [`Event::ProbeContext`] and [`Event::ProbesEnded`], or [`Event::EndpointMatrix`].
    Run(Box<Job>, Option<Agreed>),
    /// Stop whatever runs, and remove its temporary resources.
    CancelProbes,
    /// Whether the matrix continues, round after round.
    Watch(bool),
    /// Let the API server try this, and send [`Event::Fix`].
    TryFix(u64, Box<FixPlan>),
    /// Apply this, which somebody was shown and agreed to, and send [`Event::Fix`].
    ApplyFix(u64, Box<FixPlan>, Confirmation),
    /// Read the contexts of the kubeconfig, and send [`Event::Contexts`].
    ListContexts,
    /// Connect to another cluster or namespace, and send [`Event::Switched`].
    Switch(SwitchTo),
    /// Read a Secret or ConfigMap again that is not watched.
    ReadAgain(ObjectRef),
    /// Read what nginx is using in the data planes of these Gateways, and send [`Event::Configuration`].
    ReadConfiguration(Vec<ObjectRef>),
    /// Read this moment of the recording that is played, and send [`Event::Moment`].
    ReadMoment(usize),
    /// Bring the embedded cluster to the stage with this number.
    GoToStage(usize),
    /// Copy this to the clipboard of the terminal.
    Copy(String),
    /// Write a new file, and say so.
    Write {
        /// The file.
        path: PathBuf,
        /// What it holds.
        contents: String,
    },
    /// Read the last lines of these containers as they were written, and send [`Event::Lines`].
    ReadLines(u64, Vec<(ObjectRef, String)>),
    /// Record what is on the screen to this new file, and send [`Event::Recording`].
    Record(PathBuf),
    /// End the recording.
    EndRecording,
    /// Stop until the shell continues the program.
    Suspend,
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
