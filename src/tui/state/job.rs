//! What takes longer than a key: probes and matrices, what they need made first, and fixes. The world
//! that effects act on.

use std::{collections::BTreeSet, fmt, sync::Arc};

use futures::{
    FutureExt,
    future::{BoxFuture, ready},
};
use jiff::Timestamp;
use ngf_tls::transcript::{Step, Transcript};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::tui::state::{event::Stage, lines::Read};
use ngf_cluster::{
    KubeContext,
    endpoint_matrix::{Done, EndpointMatrix},
    probe_context::ProbeContext,
    prober::survey::Tested,
    temporary::{Agreed, Made, Preparation},
    transport::{Confirmation, Leftovers, Via, WayTaken},
};
use ngf_core::{
    bundle::Opened,
    diagnosis::{
        evidence::{Meeting, Met, Probed},
        plan::{PlanKey, ProbePlan},
    },
    fix::FixPlan,
    logs::PodLog,
    model::{object::ObjectRef, snapshot::Snapshot},
    nginx_config::InPod,
};

/// Why there is nothing to act on.
const NO_CLUSTER: &str = "this needs a cluster, and these objects come from a file";

/// Something to probe, by a way.
#[derive(Debug, Clone)]
pub struct Job {
    /// Tells this one from others.
    pub number: u64,
    /// The way.
    pub via: Via,
    /// What to do.
    pub work: Work,
}

/// What a [`Job`] does.
#[derive(Debug, Clone)]
pub enum Work {
    /// Each of these once, with its context.
    Probes(Vec<ProbePlan>),
    /// A first handshake for every path, by transports that write nothing.
    Survey,
    /// Every endpoint of this Gateway from every data-plane pod.
    EndpointMatrix {
        /// The Gateway.
        gateway: ObjectRef,
        /// Again and again.
        watch: bool,
    },
}

impl Work {
    /// The Gateways whose data planes it probes from.
    pub fn gateways(&self) -> Vec<ObjectRef> {
        match self {
            Self::Probes(plans) => ngf_cluster::temporary::gateways(plans),
            Self::Survey => Vec::new(),
            Self::EndpointMatrix { gateway, .. } => vec![gateway.clone()],
        }
    }
}

pub use ngf_cluster::prober::{By, ProbeResult};

/// A probe that ended.
#[derive(Debug, Clone)]
pub struct ProbeDone {
    /// What was tried, and what came of it.
    pub probed: Probed,
    /// The way that it went; `None` where it went none.
    pub way: Option<WayTaken>,
    /// The data-plane pod from whose container it left.
    pub place: Option<String>,
    /// Its context is being asked for.
    pub context_follows: bool,
}

/// The context of a probe, once it is known.
#[derive(Debug, Clone)]
pub struct ProbeContextDone {
    /// The connection.
    pub key: PlanKey,
    /// When its probe began.
    pub at: Timestamp,
    /// Its context; `None` where that was cancelled.
    pub context: Option<ProbeContext>,
}

/// A handshake with a listener, when it began, and what came of it.
pub type ListenerSeen = (Meeting, Timestamp, Result<Met, String>);

/// News of a survey.
#[derive(Debug, Clone)]
pub enum SurveyNews {
    /// It begins: so many paths, through this transport.
    Began {
        /// How many paths.
        paths: usize,
        /// How many handshakes.
        handshakes: usize,
        /// The transport.
        via: Via,
    },
    /// A handshake ended.
    Done(Box<Tested>),
    /// Handshakes with listeners ended.
    Listeners(Vec<ListenerSeen>),
    /// What nginx is really using in the data-plane pods, read because something failed.
    Using(Vec<InPod>),
    /// It is over.
    Ended,
}

/// News of a matrix.
#[derive(Debug, Clone)]
pub enum MatrixNews {
    /// A round begins; nothing of it is probed yet.
    Began(Box<EndpointMatrix>),
    /// A cell is done.
    Done(Box<Done>),
    /// What nginx is really using in the data-plane pods, read because something failed.
    Using(Vec<InPod>),
    /// A round ended.
    Ended(Box<EndpointMatrix>),
    /// A round could not be run: a sentence.
    Failed(String),
    /// There will be no further round.
    Over,
}

/// What came of trying or applying a fix: lines that say what the API server answered, or a sentence.
#[derive(Debug, Clone)]
pub struct FixNews {
    /// Which fix.
    pub number: u64,
    /// It was applied; otherwise only tried (`--dry-run=server`).
    pub applied: bool,
    /// What came of it.
    pub result: Result<Vec<String>, String>,
}

/// What to connect to instead. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SwitchTo {
    /// A context of the kubeconfig.
    pub context: Option<String>,
    /// The namespace to read; all of them for `Some(None)`.
    pub namespace: Option<Option<String>>,
}

impl fmt::Display for SwitchTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.context, &self.namespace) {
            (Some(context), _) => write!(f, "context {context}"),
            (None, Some(Some(namespace))) => write!(f, "namespace {namespace}"),
            (None, _) => f.write_str("all namespaces"),
        }
    }
}

/// Another cluster or namespace that is connected.
pub struct Connected {
    /// What effects act on from now on.
    pub session: Arc<dyn Session>,
    /// Its snapshots.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Ends the watches of these snapshots when it is dropped.
    pub stop: Option<DropGuard>,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").finish_non_exhaustive()
    }
}

/// What nginx of data planes is using, and a sentence for each that could not be read.
pub type InUse = (Vec<InPod>, Vec<String>);

/// What effects act on: a cluster, files, the embedded cluster. Where a method is not its own, it
/// says that there is no cluster.
pub trait Session: Send + Sync + 'static {
    /// Finds out what a job needs made first.
    fn prepare<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Result<Preparation, String>> {
        ready(Ok(Preparation::default())).boxed()
    }

    /// Makes what somebody agreed to; all of it is in `leftovers` until it is gone again.
    fn make<'a>(
        &'a self,
        _: Agreed,
        _: &'a Leftovers,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Made, String>> {
        no_cluster()
    }

    /// Runs a probe; a sentence where it cannot be run.
    fn probe<'a>(
        &'a self,
        _: &'a ProbePlan,
        _: &'a By,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<ProbeResult, String>> {
        no_cluster()
    }

    /// The same, and tells each step as it happens.
    fn probe_telling<'a>(
        &'a self,
        plan: &'a ProbePlan,
        by: &'a By,
        _: mpsc::Sender<Step>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<ProbeResult, String>> {
        self.probe(plan, by, cancel)
    }

    /// Makes a handshake with each listener that ends TLS and by which one of these paths is reached, as one of its
    /// clients makes it: bounded in number and time, by a transport that writes nothing.
    fn listeners<'a>(
        &'a self,
        _: &'a [ProbePlan],
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Vec<ListenerSeen>> {
        ready(Vec::new()).boxed()
    }

    /// Asks as the gateway's client, reads logs, resolves names; after a probe that began at this
    /// time.
    fn probe_context<'a>(
        &'a self,
        _: &'a ProbePlan,
        _: &'a ProbeResult,
        _: Timestamp,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Option<ProbeContext>> {
        ready(None).boxed()
    }

    /// Where a probe leaves open whether the backend demands the client certificate that it took, asks
    /// again; the completed transcript, where it says more then.
    fn settle<'a>(
        &'a self,
        _: &'a ProbeResult,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Option<Transcript>> {
        ready(None).boxed()
    }

    /// One round of a matrix; its news, but for the end, go to the channel.
    fn matrix<'a>(
        &'a self,
        _: &'a ObjectRef,
        _: &'a By,
        _: &'a CancellationToken,
        _: mpsc::Sender<MatrixNews>,
    ) -> BoxFuture<'a, Result<EndpointMatrix, String>> {
        no_cluster()
    }

    /// Called once the screen is drawn: what is to be said on it from then on, a sentence each.
    fn messages(&self) -> Option<mpsc::Receiver<String>> {
        None
    }

    /// Tests every path, bounded in number, rate and time; its news go to the channel.
    fn survey<'a>(
        &'a self,
        _: Via,
        _: &'a CancellationToken,
        _: mpsc::Sender<SurveyNews>,
    ) -> BoxFuture<'a, ()> {
        ready(()).boxed()
    }

    /// What logs say, as they grow, until `cancel`; `None` where there are none.
    fn logs(&self, _: &CancellationToken) -> Option<mpsc::Receiver<PodLog>> {
        None
    }

    /// The last lines of these containers, each with its time; bounded in number and bytes.
    fn lines(&self, of: Vec<(ObjectRef, String)>) -> BoxFuture<'_, Read> {
        let none = move |(pod, container)| (pod, container, Err(NO_CLUSTER.to_owned()));
        ready(of.into_iter().map(none).collect()).boxed()
    }

    /// The contexts that one may switch to.
    fn contexts(&self) -> BoxFuture<'_, Result<Vec<KubeContext>, String>> {
        no_contexts()
    }

    /// Connects to another context or namespace.
    fn switch<'a>(&'a self, _: &'a SwitchTo) -> BoxFuture<'a, Result<Connected, String>> {
        no_contexts()
    }

    /// Reads what nginx is using in the data planes of these Gateways; a sentence for each that could not be read.
    fn configuration<'a>(&'a self, _: &'a [ObjectRef]) -> BoxFuture<'a, Result<InUse, String>> {
        no_cluster()
    }

    /// Asks for a Secret or ConfigMap that is not watched to be read again soon.
    fn read_again(&self, _: &ObjectRef) {}

    /// Lets the API server try a fix, without doing it.
    fn try_fix<'a>(&'a self, _: &'a FixPlan) -> BoxFuture<'a, Result<Vec<String>, String>> {
        no_cluster()
    }

    /// Does a fix that somebody was shown and agreed to.
    fn apply_fix<'a>(
        &'a self,
        _: &'a FixPlan,
        _: Confirmation,
    ) -> BoxFuture<'a, Result<Vec<String>, String>> {
        no_cluster()
    }

    /// Reads a moment of the recording that is played.
    fn moment(&self, _: usize) -> BoxFuture<'_, Result<Box<Opened>, String>> {
        ready(Err("no recording is played".to_owned())).boxed()
    }

    /// Brings the embedded cluster to a stage of the guide.
    fn go_to_stage(&self, _: usize) -> BoxFuture<'_, Result<Stage, String>> {
        ready(Err("only the demo has stages".to_owned())).boxed()
    }
}

fn no_cluster<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, String>> {
    ready(Err(NO_CLUSTER.to_owned())).boxed()
}

fn no_contexts<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, String>> {
    ready(Err(
        "these objects come from a file: there is no other context or namespace".to_owned(),
    ))
    .boxed()
}

/// The connections of these plans.
pub(crate) fn keys(plans: &[ProbePlan]) -> BTreeSet<PlanKey> {
    plans.iter().map(ProbePlan::key).collect()
}
