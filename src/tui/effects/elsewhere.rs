//! Watches other contexts while one is on the screen: objects, logs and a first handshake for each path, by transports
//! that write nothing. One that cannot be reached hides nothing of the others.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::places::Places;
use crate::tui::state::{
    elsewhere::{ElsewhereState, Summary, Whole},
    event::Event,
    job::{Connected, SurveyNews, SwitchTo},
};
use ngf_cluster::transport::Via;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence},
    model::snapshot::{KindState, Snapshot},
};
use ngf_ui::Theme;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long the first answers may take.
const READ: Duration = Duration::from_secs(15);
/// Before a context that could not be reached is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// Between two diagnoses of one context.
const PAUSE: Duration = Duration::from_secs(2);
/// So often a context is diagnosed although nothing is new: certificates expire.
const AT_LEAST: Duration = Duration::from_mins(1);
/// News that may wait.
const WAITING: usize = 64;

/// What is watched besides the context on the screen.
pub struct Others {
    /// What is known of them, as it comes.
    pub events: mpsc::Receiver<Event>,
    /// The context on the screen, which is not watched a second time.
    pub here: watch::Sender<String>,
    _tasks: JoinSet<()>,
}

/// Watches these contexts, but for the one that is on the screen.
pub fn watch_others(
    places: &Places,
    contexts: &[String],
    here: &str,
    tests: bool,
    theme: &Theme,
) -> Others {
    let (sender, events) = mpsc::channel(WAITING);
    let (here, on_screen) = watch::channel(here.to_owned());
    let mut tasks = JoinSet::new();
    for context in contexts {
        let watching = Watching {
            places: places.clone(),
            context: context.clone(),
            on_screen: on_screen.clone(),
            sender: sender.clone(),
            tests,
            theme: theme.clone(),
        };
        tasks.spawn(watching.run());
    }
    Others {
        events,
        here,
        _tasks: tasks,
    }
}

struct Watching {
    places: Places,
    context: String,
    on_screen: watch::Receiver<String>,
    sender: mpsc::Sender<Event>,
    /// Every path is tested once.
    tests: bool,
    /// How the lists are drawn.
    theme: Theme,
}

impl Watching {
    async fn run(mut self) {
        loop {
            let (context, mut screen) = (self.context.clone(), self.on_screen.clone());
            if screen.wait_for(|here| *here != context).await.is_err() {
                return;
            }
            let shown = async {
                // Where nobody tells any more, the program is ending.
                drop(screen.wait_for(|here| *here == context).await);
            };
            tokio::select! {
                () = shown => {}
                continues = self.follow() => if !continues {
                    return;
                },
            }
        }
    }

    /// Tells what is known; `false` where nobody listens any more.
    async fn tell(&self, state: ElsewhereState) -> bool {
        let news = Event::Elsewhere(self.context.clone(), Box::new(state));
        self.sender.send(news).await.is_ok()
    }

    /// Follows the context until its watch ends; `false` where nobody listens any more.
    async fn follow(&mut self) -> bool {
        if !self.tell(ElsewhereState::Reading).await {
            return false;
        }
        let to = SwitchTo {
            context: Some(self.context.clone()),
            namespace: self.places.cluster.namespace.clone().map(Some),
        };
        let connected = tokio::time::timeout(CONNECT, self.places.connect(&to)).await;
        let connected =
            connected.unwrap_or_else(|_| Err(format!("no answer within {} s", CONNECT.as_secs())));
        let mut connected = match connected {
            Ok(connected) => connected,
            Err(why) => {
                let continues = self.tell(ElsewhereState::Unreadable(why)).await;
                tokio::time::sleep(AGAIN).await;
                return continues;
            }
        };
        self.follow_connected(&mut connected).await
    }

    async fn follow_connected(&self, connected: &mut Connected) -> bool {
        let is_read = |snapshot: &Arc<Snapshot>| {
            let mut states = snapshot.kinds.values();
            !states.any(|state| matches!(state, KindState::Loading))
        };
        let snapshots = &mut connected.snapshots;
        let _ = tokio::time::timeout(READ, snapshots.wait_for(is_read)).await;
        let cancel = CancellationToken::new();
        let _stop = cancel.clone().drop_guard();
        let mut logs = connected.session.logs(&cancel);
        let (news, mut survey) = mpsc::channel(WAITING);
        let mut testing = JoinSet::new();
        if self.tests {
            let session = Arc::clone(&connected.session);
            let cancel = cancel.clone();
            testing.spawn(async move { session.survey(Via::Auto, &cancel, news).await });
        }
        let mut evidence = Evidence::none();
        loop {
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            evidence.forget_gone(&snapshot);
            let summary = summary(snapshot, evidence.clone(), &self.theme).await;
            if let Some(summary) = summary
                && !self.tell(ElsewhereState::Known(summary)).await
            {
                return false;
            }
            let (soonest, latest) = (Instant::now() + PAUSE, Instant::now() + AT_LEAST);
            let mut is_new = false;
            while !(is_new && Instant::now() >= soonest) && Instant::now() < latest {
                let log = async {
                    match &mut logs {
                        Some(logs) => logs.recv().await,
                        None => None,
                    }
                };
                let until = if is_new { soonest } else { latest };
                tokio::select! {
                    changed = snapshots.changed() => {
                        if changed.is_err() {
                            return true;
                        }
                        is_new = true;
                    }
                    Some(log) = log => {
                        evidence.record_log(log);
                        is_new = true;
                    }
                    Some(news) = survey.recv() => {
                        take(&mut evidence, news);
                        is_new = true;
                    }
                    () = tokio::time::sleep_until(until) => {}
                }
            }
        }
    }
}

fn take(evidence: &mut Evidence, news: SurveyNews) {
    match news {
        SurveyNews::Done(tested) => tested.record(evidence),
        SurveyNews::Listeners(seen) => {
            for (meeting, at, result) in seen {
                evidence.record_meeting(meeting, at, result);
            }
        }
        SurveyNews::Using(pods) => {
            for in_pod in pods {
                evidence.record_nginx_config(in_pod);
            }
        }
        SurveyNews::Began { .. } | SurveyNews::Ended => {}
    }
}

/// What is wrong; `None` where the program ends meanwhile.
async fn summary(snapshot: Arc<Snapshot>, evidence: Evidence, theme: &Theme) -> Option<Summary> {
    let theme = theme.clone();
    let judge = move || {
        let now = Timestamp::now();
        let diagnosis = Diagnosis::of(&snapshot, &evidence, now);
        let summary = Summary::of(&diagnosis, &snapshot, &evidence, now);
        Summary {
            whole: Whole::of(diagnosis, snapshot, evidence, now, &theme),
            ..summary
        }
    };
    match tokio::task::spawn_blocking(judge).await {
        Ok(summary) => Some(summary),
        Err(defect) => match defect.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}
