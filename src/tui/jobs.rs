//! What runs beside the screen: diagnoses, probes, matrices, fixes. What a job made in the cluster is
//! removed when it ends, however it ends.

use std::{
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture};
use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::tui::{
    recorder::{self, Wanted},
    state::{
        event::{Diagnosed, Effect, Event},
        job::{
            By, FixNews, Job, MatrixNews, ProbeContextDone, ProbeDone, Seen, Session, SurveyNews,
            Work, keys,
        },
    },
};
use ngf_cluster::{
    probe_context,
    temporary::{Agreed, Made},
    transport::{Leftovers, Via},
};
use ngf_core::{
    diagnosis::{Diagnosis, Evidence, evidence::Probed, incremental::Incremental, plan::ProbePlan},
    model::{object::ObjectRef, snapshot::Snapshot},
};

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

/// The pause after a diagnosis, as a multiple of what it took: a large cluster that changes all the time costs at most
/// a quarter of one core.
const REST: u32 = 3;

/// A diagnosis to which nothing but time was added holds for this many times what it took: an idle tool spends less
/// than half a percent of one core on it.
const HOLDS: u32 = 250;

/// After so many seconds in which parts were judged by themselves everything is judged again. It finds the same; should
/// it not, what was wrong is right again then.
const SECONDS_OF_PARTS: i64 = 60;

/// A diagnosis that is kept up to date, and when everything was judged last.
#[derive(Default)]
struct Kept {
    incremental: Incremental,
    whole: Option<Timestamp>,
    /// Until when it holds where only time passes.
    until: Option<Timestamp>,
}

impl Kept {
    /// The diagnosis; `None` where the one before still holds.
    fn update(
        &mut self,
        snapshot: &Arc<Snapshot>,
        evidence: &Evidence,
        now: Timestamp,
    ) -> Option<Diagnosis> {
        if self.until.is_some_and(|until| now < until) && self.incremental.is_of(snapshot, evidence)
        {
            return None;
        }
        let has_parts = self.incremental.counts().parts > 0;
        let since = self.whole.map_or(0, |at| now.as_second() - at.as_second());
        if has_parts && since >= SECONDS_OF_PARTS {
            self.incremental = Incremental::new();
        }
        let before: usize = self.incremental.counts().whole.values().sum();
        let diagnosis = self.incremental.update(snapshot, evidence, now);
        if self.incremental.counts().whole.values().sum::<usize>() > before {
            self.whole = Some(now);
        }
        diagnosis
    }
}

/// Diagnoses whatever was asked for last, one at a time, where it holds nobody up.
async fn diagnose_the_newest(
    mut requests: watch::Receiver<Option<Wanted>>,
    sender: mpsc::Sender<Event>,
) {
    let mut kept = Kept::default();
    while requests.changed().await.is_ok() {
        let Some((snapshot, evidence, now)) = requests.borrow_and_update().clone() else {
            continue;
        };
        let began = Instant::now();
        let job = tokio::task::spawn_blocking(move || {
            let diagnosis = kept.update(&snapshot, &evidence, now);
            (kept, snapshot, diagnosis)
        });
        let event = match job.await {
            Ok((back, snapshot, diagnosis)) => {
                kept = back;
                kept.until = diagnosis.as_ref().map_or(kept.until, |_| {
                    now.checked_add(began.elapsed() * HOLDS).ok()
                });
                match diagnosis {
                    Some(diagnosis) => Event::Diagnosed(Box::new(Diagnosed {
                        snapshot,
                        diagnosis,
                    })),
                    None => Event::StillHolds(snapshot),
                }
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        };
        // While kinds are loading nothing is to keep the first findings waiting.
        let rest = match &event {
            Event::Diagnosed(diagnosed) if diagnosed.diagnosis.loading > 0 => Duration::ZERO,
            _ => began.elapsed() * REST,
        };
        if sender.send(event).await.is_err() {
            return;
        }
        sleep(rest).await;
    }
}

/// What a job needs to run.
pub(super) struct Running {
    pub(super) session: Arc<dyn Session>,
    pub(super) cancel: CancellationToken,
    pub(super) places: Arc<Semaphore>,
    /// Whether a matrix is to go on after a round.
    pub(super) continues: watch::Receiver<bool>,
    pub(super) sender: mpsc::Sender<Event>,
}

impl Running {
    /// One after the other, for who carries effects out one at a time.
    pub(super) fn alone(session: Arc<dyn Session>, sender: mpsc::Sender<Event>) -> Self {
        Self {
            session,
            cancel: CancellationToken::new(),
            places: Arc::new(Semaphore::new(1)),
            // Nobody can switch it on: a matrix has one round.
            continues: watch::channel(false).1,
            sender,
        }
    }

    /// Creates what was agreed to, works, removes the temporary resources. What could not be removed, and could
    /// not be said as an event either.
    pub(super) async fn run(&self, job: Job, agreed: Option<Agreed>) -> Vec<String> {
        let leftovers = Leftovers::new();
        let work = self.make_and_work(&job, agreed, &leftovers);
        // A panic is caught so that it, too, leaves nothing behind; the panic continues afterwards.
        let worked = AssertUnwindSafe(work).catch_unwind().await;
        let left = leftovers.remove_all().await;
        let mut unsaid = Vec::new();
        if !left.is_empty()
            && let Err(error) = self.sender.send(Event::Left(left)).await
            && let Event::Left(left) = error.0
        {
            unsaid = left;
        }
        let over = match job.work {
            Work::Probes(plans) => Event::ProbesEnded(keys(&plans).into_iter().collect()),
            Work::Survey => Event::Survey(SurveyNews::Ended),
            Work::EndpointMatrix { .. } => Event::EndpointMatrix(job.number, MatrixNews::Over),
        };
        let _ = self.sender.send(over).await;
        if let Err(panic) = worked {
            std::panic::resume_unwind(panic);
        }
        unsaid
    }

    async fn make_and_work(&self, job: &Job, agreed: Option<Agreed>, leftovers: &Leftovers) {
        let made = match agreed {
            Some(agreed) => self.session.make(agreed, leftovers, &self.cancel).await,
            None => Ok(Made::new()),
        };
        let made = match made {
            Ok(made) => made,
            Err(why) => {
                let _ = self.sender.send(Event::Failed(why)).await;
                return;
            }
        };
        let by = By {
            made,
            ..By::via(job.via)
        };
        match &job.work {
            Work::Probes(plans) => self.probe_all(plans, &by).await,
            Work::Survey => self.survey(by.via).await,
            Work::EndpointMatrix { gateway, .. } => self.rounds(job.number, gateway, &by).await,
        }
    }

    async fn probe_all(&self, plans: &[ProbePlan], by: &By) {
        let with_context = plans.len() <= probe_context::MOST_PROBES;
        // Boxed, so that the compiler need not prove what each of them borrows for all time.
        let probes: Vec<BoxFuture<'_, ()>> = plans
            .iter()
            .map(|plan| self.probe(plan, by, with_context).boxed())
            .collect();
        let probes = futures::stream::iter(probes)
            .buffer_unordered(PROBES_AT_A_TIME)
            .collect::<()>();
        futures::join!(probes, self.listeners(plans));
    }

    /// Handshakes with the listeners by which these paths are reached.
    async fn listeners(&self, plans: &[ProbePlan]) {
        let seen = self.session.listeners(plans, &self.cancel).await;
        if !seen.is_empty() && !self.cancel.is_cancelled() {
            let _ = self.sender.send(Event::Listeners(seen)).await;
        }
    }

    /// Tests every path, and tells each handshake that ended.
    async fn survey(&self, via: Via) {
        let (news, mut told) = mpsc::channel(WAITING_NEWS);
        let tell = async {
            while let Some(news) = told.recv().await {
                let _ = self.sender.send(Event::Survey(news)).await;
            }
        };
        let survey = self.session.survey(via, &self.cancel, news);
        futures::join!(survey, tell);
    }

    async fn probe(&self, plan: &ProbePlan, by: &By, with_context: bool) {
        let place = self.places.acquire().await;
        let at = Timestamp::now();
        if self.cancel.is_cancelled() {
            return;
        }
        let (steps, mut told) = mpsc::channel(WAITING_STEPS);
        let tell = async {
            while let Some(step) = told.recv().await {
                let step = Event::Step(plan.key(), Box::new(step));
                let _ = self.sender.send(step).await;
            }
        };
        let probe = self.session.probe_telling(plan, by, steps, &self.cancel);
        let (result, ()) = futures::join!(probe, tell);
        drop(place);
        if self.cancel.is_cancelled() {
            return;
        }
        let probed = |result| Probed {
            plan: Arc::new(plan.clone()),
            at,
            result,
        };
        let done = match &result {
            Ok(seen) => ProbeDone {
                probed: probed(Ok(Arc::clone(&seen.transcript))),
                way: Some(seen.way.clone()),
                place: seen.place.clone(),
                context_follows: with_context,
            },
            Err(why) => ProbeDone {
                probed: probed(Err(why.clone())),
                way: None,
                place: None,
                context_follows: false,
            },
        };
        if self
            .sender
            .send(Event::Probed(Box::new(done)))
            .await
            .is_err()
        {
            return;
        }
        let Ok(seen) = result else { return };
        if with_context {
            self.probe_context(plan, &seen, at).await;
        }
        // After the logs were read: the backend logs this one, too.
        let settled = self.session.settle(&seen, &self.cancel).await;
        if let Some(transcript) = settled
            && !self.cancel.is_cancelled()
        {
            let settled = Event::Settled(plan.key(), at, Arc::new(transcript));
            let _ = self.sender.send(settled).await;
        }
    }

    async fn probe_context(&self, plan: &ProbePlan, seen: &Seen, at: Timestamp) {
        let asked = self.session.probe_context(plan, seen, at, &self.cancel);
        let context = self.cancel.run_until_cancelled(asked).await.flatten();
        let key = plan.key();
        let done = Box::new(ProbeContextDone { key, at, context });
        let _ = self.sender.send(Event::ProbeContext(done)).await;
    }

    /// Rounds of a matrix, until it is not to go on.
    async fn rounds(&self, number: u64, gateway: &ObjectRef, by: &By) {
        let mut continues = self.continues.clone();
        loop {
            let (news, mut told) = mpsc::channel(WAITING_NEWS);
            let tell = async {
                while let Some(news) = told.recv().await {
                    let _ = self.sender.send(Event::EndpointMatrix(number, news)).await;
                }
            };
            let round = self.session.matrix(gateway, by, &self.cancel, news);
            let (round, ()) = futures::join!(round, tell);
            let news = match round {
                Ok(matrix) => MatrixNews::Ended(Box::new(matrix)),
                Err(why) => MatrixNews::Failed(why),
            };
            if self
                .sender
                .send(Event::EndpointMatrix(number, news))
                .await
                .is_err()
                || self.cancel.is_cancelled()
                || !*continues.borrow_and_update()
            {
                return;
            }
            let stopped = async {
                // Where nobody holds the switch any more, it stays as it is.
                if continues.wait_for(|continues| !continues).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = self.cancel.cancelled() => return,
                () = stopped => return,
                () = sleep(ROUNDS_EVERY) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ngf_core::{manifests::parse, model::snapshot::Source};

    use super::*;

    async fn next(events: &mut mpsc::Receiver<Event>) -> Event {
        let event = tokio::time::timeout(Duration::from_mins(1), events.recv()).await;
        event.expect("in time").expect("an event")
    }

    #[tokio::test]
    async fn what_holds_needs_no_new_diagnosis() {
        let text = "apiVersion: v1\nkind: Event\nmetadata: {name: e}\n";
        let mut snapshot = parse(text, "default");
        let evidence = Evidence::none();
        let (wanted, requests) = watch::channel(None);
        let (sender, mut events) = mpsc::channel(4);
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().expect("a moment");
        let ask = |snapshot: &Snapshot, now: Timestamp| {
            wanted.send_replace(Some((Arc::new(snapshot.clone()), evidence.clone(), now)));
        };
        tokio::spawn(diagnose_the_newest(requests, sender));
        ask(&snapshot, now);
        assert!(matches!(next(&mut events).await, Event::Diagnosed(_)));
        snapshot.events.clear();
        for later in [59, 3_600] {
            ask(&snapshot, now + Duration::from_secs(later));
            let Event::StillHolds(kept) = next(&mut events).await else {
                panic!("a new diagnosis");
            };
            assert_eq!(kept.events.len(), 0);
        }
        snapshot.templates.push("new".to_owned());
        ask(&snapshot, now);
        assert!(matches!(next(&mut events).await, Event::Diagnosed(_)));
    }

    #[test]
    fn parts_are_judged_by_themselves_for_a_minute_and_not_longer() {
        let text = "---\n{apiVersion: v1, kind: Service, metadata: {name: a}}\n\
            ---\n{apiVersion: v1, kind: Service, metadata: {name: b}}\n";
        let mut full = parse(text, "default");
        full.source = Source::Cluster {
            context: "c".to_owned(),
            server: "https://c.invalid".to_owned(),
            version: None,
        };
        let mut less = full.clone();
        less.services.pop_last();
        let (full, less) = (Arc::new(full), Arc::new(less));
        let evidence = Evidence::none();
        let mut kept = Kept::default();
        let wholes = |kept: &Kept| kept.incremental.counts().whole.values().sum::<usize>();
        let mut see = |snapshot: &Arc<Snapshot>, second: i64| {
            let at = Timestamp::from_second(second).expect("a moment");
            let diagnosis = kept.update(snapshot, &evidence, at);
            let counts = kept.incremental.counts();
            (diagnosis.is_some(), counts.parts, wholes(&kept))
        };
        assert_eq!(see(&full, 0), (true, 0, 1));
        assert_eq!(see(&less, 1), (true, 1, 1));
        assert_eq!(see(&full, 59), (true, 2, 1));
        assert_eq!(see(&full, 60), (true, 0, 1), "everything again");
        assert_eq!(see(&full, 600), (false, 0, 1), "nothing was judged since");
    }
}
