//! What runs beside the screen: diagnoses, probes, matrices, fixes. What a job made in the cluster is
//! removed when it ends, however it ends.

mod diagnosing;
mod running;

use self::diagnosing::diagnose_the_newest;
pub(super) use self::running::Running;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::tui::{
    recorder::{self, Wanted},
    state::{
        event::{Effect, Event},
        job::{FixNews, Job, Session, Work},
    },
};
use ngf_cluster::temporary::Agreed;

/// How many probes run at a time.
const PROBES_AT_A_TIME: usize = 16;
/// Between the rounds of a matrix that continues.
pub(crate) const ROUNDS_EVERY: Duration = Duration::from_secs(5);
/// Steps of a probe that may wait.
const WAITING_STEPS: usize = 64;
/// News of a matrix that may wait.
const WAITING_NEWS: usize = 64;

/// What runs beside the screen.
pub(super) struct Jobs {
    session: Arc<dyn Session>,
    sender: mpsc::Sender<Event>,
    running: JoinSet<()>,
    /// Jobs that may have to remove something at their end.
    working: JoinSet<()>,
    /// What is to be diagnosed next: the newest request wins.
    wanted: watch::Sender<Option<Wanted>>,
    cancel: CancellationToken,
    places: Arc<Semaphore>,
    /// The matrix: there is one at a time.
    matrix: CancellationToken,
    continues: watch::Sender<bool>,
    /// The recording of what is on the screen.
    recorders: JoinSet<()>,
    /// Ends it.
    recording: CancellationToken,
    /// What could not be removed when nobody listened any more.
    unsaid: Arc<Mutex<Vec<String>>>,
}

impl Jobs {
    pub(super) fn new(session: Arc<dyn Session>, sender: mpsc::Sender<Event>) -> Self {
        let (wanted, requests) = watch::channel(None);
        let mut running = JoinSet::new();
        running.spawn(diagnose_the_newest(requests, sender.clone()));
        running.spawn(take_logs(Arc::clone(&session), sender.clone()));
        if let Some(messages) = session.messages() {
            running.spawn(pass_on(messages, sender.clone()));
        }
        Self {
            session,
            sender,
            running,
            working: JoinSet::new(),
            wanted,
            cancel: CancellationToken::new(),
            places: Arc::new(Semaphore::new(PROBES_AT_A_TIME)),
            matrix: CancellationToken::new(),
            continues: watch::Sender::new(false),
            recorders: JoinSet::new(),
            recording: CancellationToken::new(),
            unsaid: Arc::default(),
        }
    }

    /// Waits for a job to end; a defect in one is an error here, so that it ends the program with
    /// the terminal restored.
    pub(super) async fn ended(&mut self) -> Result<(), tokio::task::JoinError> {
        let ended = tokio::select! {
            Some(ended) = self.running.join_next() => ended,
            Some(ended) = self.working.join_next() => ended,
            Some(ended) = self.recorders.join_next() => ended,
            else => std::future::pending().await,
        };
        ended
    }

    /// Whether a job still runs that may have something to remove.
    pub(super) fn is_working(&mut self) -> bool {
        while self.working.try_join_next().is_some() {}
        !self.working.is_empty()
    }

    /// Cancels everything, and waits until temporary resources are removed; what could not be, a sentence
    /// each.
    pub(super) async fn finish(&mut self) -> Vec<String> {
        self.cancel.cancel();
        self.recording.cancel();
        while self.working.join_next().await.is_some() {}
        while self.recorders.join_next().await.is_some() {}
        std::mem::take(&mut *self.unsaid.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn start(&mut self, effect: Effect) {
        match effect {
            Effect::Diagnose {
                snapshot,
                evidence,
                now,
            } => {
                self.wanted.send_replace(Some((snapshot, evidence, now)));
            }
            Effect::Forget(replaced) => drop(tokio::task::spawn_blocking(move || drop(replaced))),
            Effect::Prepare(job) => {
                let cancel = self.cancel.clone();
                self.spawn(async move |session| {
                    let prepared = cancel.run_until_cancelled(session.prepare(&job)).await;
                    let prepared = prepared.unwrap_or_else(|| Err("cancelled".to_owned()));
                    Event::Prepared(job, prepared)
                });
            }
            Effect::Run(job, agreed) => self.run(*job, agreed),
            Effect::CancelProbes => {
                self.continues.send_replace(false);
                self.cancel.cancel();
                self.cancel = CancellationToken::new();
            }
            Effect::Watch(continues) => {
                self.continues.send_replace(continues);
            }
            Effect::TryFix(number, fix) => self.spawn(async move |session| {
                let result = session.try_fix(&fix).await;
                Event::Fix(Box::new(FixNews {
                    number,
                    applied: false,
                    result,
                }))
            }),
            Effect::ApplyFix(number, fix, agreed) => self.spawn(async move |session| {
                let result = session.apply_fix(&fix, agreed).await;
                Event::Fix(Box::new(FixNews {
                    number,
                    applied: true,
                    result,
                }))
            }),
            Effect::ListContexts => {
                self.spawn(async move |world| Event::Contexts(world.contexts().await));
            }
            Effect::Switch(to) => self.spawn(async move |world| {
                let connected = world.switch(&to).await;
                Event::Switched(to, connected)
            }),
            Effect::ReadConfiguration(gateways) => self.spawn(async move |world| {
                let found = world.configuration(&gateways).await;
                Event::Configuration(gateways, found)
            }),
            Effect::ReadAgain(object) => self.session.read_again(&object),
            Effect::ReadLines(number, of) => {
                self.spawn(async move |session| Event::Lines(number, session.lines(of).await));
            }
            Effect::ReadMoment(index) => {
                self.spawn(async move |session| Event::Moment(index, session.moment(index).await));
            }
            Effect::GoToStage(index) => {
                self.spawn(
                    async move |session| match session.go_to_stage(index).await {
                        Ok(stage) => Event::Stage(stage),
                        Err(why) => Event::Failed(why),
                    },
                );
            }
            Effect::Write { path, contents } => {
                self.spawn(async move |_| written(&path, contents).await);
            }
            Effect::Record(path) => self.record(path),
            Effect::EndRecording => self.recording.cancel(),
            // These are the loop's own.
            Effect::Copy(_) | Effect::Suspend | Effect::Quit => {}
        }
    }

    /// Records what is asked to be diagnosed, which is what is on the screen.
    fn record(&mut self, path: PathBuf) {
        self.recording = CancellationToken::new();
        let (seen, end) = (self.wanted.subscribe(), self.recording.clone());
        let (sender, unsaid) = (self.sender.clone(), Arc::clone(&self.unsaid));
        self.recorders.spawn(async move {
            let left = recorder::record(path, seen, end, sender).await;
            unsaid
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(left);
        });
    }

    fn spawn<W, F>(&mut self, work: W)
    where
        W: FnOnce(Arc<dyn Session>) -> F,
        F: Future<Output = Event> + Send + 'static,
    {
        let work = work(Arc::clone(&self.session));
        let sender = self.sender.clone();
        self.running.spawn(async move {
            let _ = sender.send(work.await).await;
        });
    }

    fn run(&mut self, job: Job, agreed: Option<Agreed>) {
        let mut cancel = self.cancel.clone();
        if let Work::EndpointMatrix { watch, .. } = job.work {
            self.matrix.cancel();
            self.matrix = self.cancel.child_token();
            cancel = self.matrix.clone();
            // The matrix before, if it has not ended yet, listens to the switch that it knows.
            self.continues = watch::Sender::new(watch);
        }
        let running = Running {
            session: Arc::clone(&self.session),
            cancel,
            places: Arc::clone(&self.places),
            continues: self.continues.subscribe(),
            sender: self.sender.clone(),
        };
        let unsaid = Arc::clone(&self.unsaid);
        self.working.spawn(async move {
            let left = running.run(job, agreed).await;
            unsaid
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(left);
        });
    }
}

/// Writes a new file; never over one that is there.
pub(super) async fn written(path: &Path, contents: String) -> Event {
    let file = path.to_owned();
    let write = move || {
        use std::io::Write as _;
        let file = std::fs::File::options()
            .write(true)
            .create_new(true)
            .open(file);
        file.and_then(|mut file| file.write_all(contents.as_bytes()))
    };
    let shown = path.display();
    match tokio::task::spawn_blocking(write).await {
        Ok(Ok(())) => Event::Message(format!("wrote {shown}")),
        Ok(Err(why)) => Event::Failed(format!("cannot write {shown}: {why}")),
        Err(_) => Event::Failed(format!("cannot write {shown}")),
    }
}

/// Passes on what logs say as they grow.
async fn pass_on(mut messages: mpsc::Receiver<String>, sender: mpsc::Sender<Event>) {
    while let Some(message) = messages.recv().await {
        if sender.send(Event::Message(message)).await.is_err() {
            return;
        }
    }
}

async fn take_logs(session: Arc<dyn Session>, sender: mpsc::Sender<Event>) {
    let cancel = CancellationToken::new();
    let _end = cancel.clone().drop_guard();
    let Some(mut logs) = session.logs(&cancel) else {
        return;
    };
    while let Some(log) = logs.recv().await {
        if sender.send(Event::Logged(Box::new(log))).await.is_err() {
            return;
        }
    }
}
