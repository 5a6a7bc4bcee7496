//! The loop: events in, frames out, effects carried out beside it. Nothing here waits for the
//! network; a dead API server freezes nothing.

use std::{sync::Arc, time::Duration};

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use jiff::Timestamp;
use ngf_probes::transcript::Transcript;
use ngf_ui::terminal::{Screen, TerminalError};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    event::{Diagnosed, Effect, Event, Stage},
    state::App,
    update::update,
};
use crate::{
    diagnosis::{Diagnosis, Evidence, evidence::Probed, plan::ProbePlan},
    logs::PodLog,
    model::snapshot::Snapshot,
    views::screen,
};

/// How many probes run at a time.
const PROBES_AT_A_TIME: usize = 16;
/// How many events may wait; more wait with their senders.
const WAITING_EVENTS: usize = 256;
/// At least so often the clock moves on.
const TICK: Duration = Duration::from_millis(500);

/// What effects act on: a cluster, files, the embedded cluster.
pub trait World: Send + Sync + 'static {
    /// Runs a probe; a sentence where it cannot be run.
    fn probe<'a>(
        &'a self,
        plan: &'a ProbePlan,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Transcript, String>>;

    /// Brings the embedded cluster to a stage of the guide.
    fn go_to_stage(&self, index: usize) -> BoxFuture<'_, Result<Stage, String>>;

    /// What logs say, as they grow, until `cancel`; `None` where there are none.
    fn logs(&self, _: &CancellationToken) -> Option<mpsc::Receiver<PodLog>> {
        None
    }
}

/// Why the terminal interface ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The terminal failed.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
    /// Something else that ran beside the screen broke.
    #[error("a background job ended with a defect of this program: {0}")]
    Job(tokio::task::JoinError),
}

/// Runs the terminal interface until the person, or a signal, ends it.
pub async fn run(
    mut app: App,
    world: Arc<dyn World>,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
) -> Result<(), RunError> {
    let mut signals = Signals::new()?;
    let mut screen = Screen::enter()?;
    let mut keys = EventStream::new();
    let (sender, mut events) = mpsc::channel(WAITING_EVENTS);
    let mut jobs = Jobs::new(world, sender);
    let mut tick = tokio::time::interval(TICK);
    let end = CancellationToken::new();
    let _end = end.clone().drop_guard();
    // Without logs its sender is gone, and nothing comes.
    let mut logs = jobs.world.logs(&end).unwrap_or_else(|| mpsc::channel(1).1);
    let mut has_source = true;
    let first = Event::Snapshot(Arc::clone(&snapshots.borrow_and_update()));
    let mut next = Some(first);
    loop {
        // Everything that has happened by now is taken in before the screen is drawn again.
        while let Some(event) = next.take() {
            for effect in update(&mut app, event, Timestamp::now()) {
                if matches!(effect, Effect::Quit) {
                    return Ok(());
                }
                jobs.start(effect);
            }
            next = keys
                .next()
                .now_or_never()
                .flatten()
                .and_then(from_terminal)
                .or_else(|| events.try_recv().ok());
        }
        screen.draw(|frame| {
            let area = frame.area();
            if let Some(cursor) = screen::draw(&mut app, area, frame.buffer_mut()) {
                frame.set_cursor_position(cursor);
            }
        })?;
        next = tokio::select! {
            biased;
            () = signals.next() => Some(Event::Terminate),
            key = keys.next() => match key {
                Some(key) => from_terminal(key),
                // The terminal is gone.
                None => Some(Event::Terminate),
            },
            event = events.recv() => event,
            changed = snapshots.changed(), if has_source => {
                has_source = changed.is_ok();
                has_source.then(|| Event::Snapshot(Arc::clone(&snapshots.borrow_and_update())))
            }
            Some(log) = logs.recv() => Some(Event::Logged(Box::new(log))),
            ended = jobs.ended() => {
                ended.map_err(RunError::Job)?;
                None
            }
            _ = tick.tick() => Some(Event::Tick),
        };
    }
}

fn from_terminal(event: std::io::Result<TerminalEvent>) -> Option<Event> {
    match event {
        Ok(TerminalEvent::Key(key)) => Some(Event::Key(key)),
        Ok(TerminalEvent::Paste(text)) => Some(Event::Paste(text)),
        Ok(TerminalEvent::Resize(..)) => Some(Event::Resized),
        Ok(_) => None,
        Err(_) => Some(Event::Terminate),
    }
}

/// What runs beside the screen.
struct Jobs {
    world: Arc<dyn World>,
    sender: mpsc::Sender<Event>,
    running: JoinSet<()>,
    /// What is to be diagnosed next: the newest request wins.
    wanted: watch::Sender<Option<(Arc<Snapshot>, Evidence)>>,
    cancel: CancellationToken,
    places: Arc<Semaphore>,
}

impl Jobs {
    fn new(world: Arc<dyn World>, sender: mpsc::Sender<Event>) -> Self {
        let (wanted, requests) = watch::channel(None);
        let mut running = JoinSet::new();
        running.spawn(diagnose_the_newest(requests, sender.clone()));
        Self {
            world,
            sender,
            running,
            wanted,
            cancel: CancellationToken::new(),
            places: Arc::new(Semaphore::new(PROBES_AT_A_TIME)),
        }
    }

    /// Waits for a job to end; a defect in one is an error here, so that it ends the program with
    /// the terminal restored.
    async fn ended(&mut self) -> Result<(), tokio::task::JoinError> {
        match self.running.join_next().await {
            Some(result) => result,
            None => std::future::pending().await,
        }
    }

    fn start(&mut self, effect: Effect) {
        match effect {
            Effect::Diagnose { snapshot, evidence } => {
                self.wanted.send_replace(Some((snapshot, evidence)));
            }
            Effect::Probe(plans) => {
                self.running.spawn(probe_all(
                    plans,
                    Arc::clone(&self.world),
                    self.cancel.clone(),
                    Arc::clone(&self.places),
                    self.sender.clone(),
                ));
            }
            Effect::CancelProbes => {
                self.cancel.cancel();
                self.cancel = CancellationToken::new();
            }
            Effect::GoToStage(index) => {
                let (world, sender) = (Arc::clone(&self.world), self.sender.clone());
                self.running.spawn(async move {
                    let event = match world.go_to_stage(index).await {
                        Ok(stage) => Event::Stage(stage),
                        Err(why) => Event::Failed(why),
                    };
                    let _ = sender.send(event).await;
                });
            }
            Effect::Quit => {}
        }
    }
}

/// Diagnoses whatever was asked for last, one at a time, where it holds nobody up.
async fn diagnose_the_newest(
    mut requests: watch::Receiver<Option<(Arc<Snapshot>, Evidence)>>,
    sender: mpsc::Sender<Event>,
) {
    while requests.changed().await.is_ok() {
        let Some((snapshot, evidence)) = requests.borrow_and_update().clone() else {
            continue;
        };
        let job = tokio::task::spawn_blocking(move || {
            let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
            Diagnosed {
                snapshot,
                diagnosis,
            }
        });
        match job.await {
            Ok(diagnosed) => {
                if sender
                    .send(Event::Diagnosed(Box::new(diagnosed)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        }
    }
}

async fn probe_all(
    plans: Vec<ProbePlan>,
    world: Arc<dyn World>,
    cancel: CancellationToken,
    places: Arc<Semaphore>,
    sender: mpsc::Sender<Event>,
) {
    let keys = plans.iter().map(ProbePlan::key).collect();
    let one = |plan: ProbePlan| {
        let (world, cancel, places) = (&world, &cancel, &places);
        async move {
            let _place = places.acquire().await;
            let at = Timestamp::now();
            if cancel.is_cancelled() {
                return None;
            }
            let result = world.probe(&plan, cancel).await.map(Arc::new);
            if cancel.is_cancelled() {
                return None;
            }
            Some(Probed {
                plan: Arc::new(plan),
                at,
                result,
            })
        }
    };
    let mut results = futures::stream::iter(plans)
        .map(one)
        .buffer_unordered(PROBES_AT_A_TIME)
        .boxed();
    while let Some(probed) = results.next().await {
        let Some(probed) = probed else { continue };
        if sender.send(Event::Probed(Box::new(probed))).await.is_err() {
            return;
        }
    }
    let _ = sender.send(Event::ProbesEnded(keys)).await;
}

/// The signals that end the program in order.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hang_up: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> Result<Self, RunError> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(RunError::Signals)?,
            hang_up: signal(SignalKind::hangup()).map_err(RunError::Signals)?,
            interrupt: signal(SignalKind::interrupt()).map_err(RunError::Signals)?,
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    #[allow(clippy::unnecessary_wraps)] // the same signature on all systems
    fn new() -> Result<Self, RunError> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
