//! A job that runs: its probes, its matrix, its survey.

use super::{PROBES_AT_A_TIME, ROUNDS_EVERY, WAITING_NEWS, WAITING_STEPS};
use crate::tui::state::{
    event::Event,
    job::{
        By, Job, MatrixNews, ProbeContextDone, ProbeDone, ProbeResult, Session, SurveyNews, Work,
        keys,
    },
};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use jiff::Timestamp;
use ngf_cluster::{
    probe_context,
    temporary::{Agreed, Made},
    transport::{Leftovers, Via},
};
use ngf_core::{
    diagnosis::{evidence::Probed, plan::ProbePlan},
    model::object::ObjectRef,
};
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// What a job needs to run.
pub(in crate::tui) struct Running {
    pub(in crate::tui) session: Arc<dyn Session>,
    pub(in crate::tui) cancel: CancellationToken,
    pub(in crate::tui) places: Arc<Semaphore>,
    /// Whether a matrix is to go on after a round.
    pub(in crate::tui) continues: watch::Receiver<bool>,
    pub(in crate::tui) sender: mpsc::Sender<Event>,
}

impl Running {
    /// One after the other, for who carries effects out one at a time.
    pub(in crate::tui) fn alone(session: Arc<dyn Session>, sender: mpsc::Sender<Event>) -> Self {
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
    pub(in crate::tui) async fn run(&self, job: Job, agreed: Option<Agreed>) -> Vec<String> {
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

    async fn probe_context(&self, plan: &ProbePlan, seen: &ProbeResult, at: Timestamp) {
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
