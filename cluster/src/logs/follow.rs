//! Logs as they grow, of whatever containers there are: pods come, go and are replaced.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::read::{PARALLEL, read_one};
use crate::{Cluster, LogCursor, LogFollower, LogNews};
use ngf_core::{
    diagnosis::context::is_ngf,
    model::{
        object::ObjectRef,
        snapshot::{KindState, Snapshot},
    },
};
use ngf_core::{
    diagnosis::log_sources::{Source, sources},
    logs::{Decoded, PodLog, Unbroken, decode_stamped},
};

/// Containers whose logs are streamed; each stream is a connection to the API server, and one from
/// there to the kubelet. What is beyond is read every few seconds.
const STREAMS: usize = 64;
/// How far back the log of a container is read that was not there at first.
const NEW: Duration = Duration::from_mins(1);
/// How far back the logs behind a screen are read.
const HOUR: Duration = Duration::from_hours(1);
/// How often a screen is told of a log that never stops.
const TOLD_EVERY: Duration = Duration::from_secs(2);
/// How often it is looked which containers there are, at most.
const SOURCES_EVERY: Duration = Duration::from_secs(2);
/// The pause after that, as a multiple of what it took: in a large cluster it takes a good part of a second.
const SOURCES_REST: u32 = 20;
/// How long a container that is gone may still have something to say.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What comes of logs that are followed.
#[derive(Debug, Clone)]
pub struct Followed {
    /// Whose it is.
    pub source: Arc<Source>,
    /// What.
    pub news: News,
}

/// What comes of a log that is followed.
#[derive(Debug, Clone)]
pub enum News {
    /// A line.
    Line {
        /// When it was written.
        at: Timestamp,
        /// What it says.
        line: Box<Decoded>,
    },
    /// It is followed from now on, and was not before: its pod is new, or a route leads to it now.
    New,
    /// Its container is gone, or nothing leads to it any more.
    Gone,
    /// It cannot be read for now, and why.
    Lost(String),
    /// It can be read again.
    Back,
}

/// Follows the logs of a Gateway, or of all of NGF's, until `cancel`. `begun` says how far those were read,
/// from `read_at` on, that are known already. Which containers there are follows the snapshots. One task a
/// container; lines of one come in their order. Where nobody takes them reading waits, and no more than a
/// hundred are held.
pub fn follow(
    cluster: &Cluster,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    gateway: Option<ObjectRef>,
    begun: Vec<(Source, LogCursor)>,
    read_at: Instant,
    cancel: &CancellationToken,
) -> mpsc::Receiver<Followed> {
    let (sender, receiver) = mpsc::channel(100);
    let streams = Arc::new(Semaphore::new(STREAMS));
    let (cluster, cancel) = (cluster.clone(), cancel.clone());
    tokio::spawn(async move {
        let mut begun: BTreeMap<Source, LogCursor> = begun.into_iter().collect();
        let known = begun.keys().cloned().collect();
        let to = sender.clone();
        let follow = |source: Source, gone: CancellationToken| {
            let known = begun.remove(&source);
            let is_new = known.is_none();
            let past = if is_new { NEW } else { read_at.elapsed() };
            let follower = LogFollower::new(
                &cluster,
                &source.pod,
                &source.container,
                known.unwrap_or_default(),
                past,
                Arc::clone(&streams),
            );
            follow_one(follower, Arc::new(source), is_new, gone, to.clone())
        };
        attend(snapshots, gateway, known, &cancel, &sender, follow).await;
    });
    receiver
}

/// The logs of all of NGF's Gateways as they grow: of each container the past hour first, then new lines
/// whenever it says something, at most every two seconds. Which containers those are follows the snapshots. One task
/// a container; all end with `cancel`, or when nobody takes what they give.
pub fn watch(
    cluster: &Cluster,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    cancel: &CancellationToken,
) -> mpsc::Receiver<PodLog> {
    let (sender, receiver) = mpsc::channel(16);
    let (cluster, cancel) = (cluster.clone(), cancel.clone());
    tokio::spawn(async move {
        let streams = Arc::new(Semaphore::new(STREAMS));
        // Each may take megabytes at first.
        let reading = Arc::new(Semaphore::new(PARALLEL));
        let to = sender.clone();
        let watch = |source: Source, gone: CancellationToken| {
            let watched = Watched {
                cluster: cluster.clone(),
                source,
                streams: Arc::clone(&streams),
                reading: Arc::clone(&reading),
                gone,
                sender: to.clone(),
            };
            watched.run()
        };
        attend(snapshots, None, Vec::new(), &cancel, &sender, watch).await;
    });
    receiver
}

/// Runs a task for each container whose log matters, as the snapshots have them. Its token is cancelled
/// when the container is gone; the task then ends by itself. All are cut off with `cancel`, or when
/// nobody takes what they give.
async fn attend<T, F>(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    gateway: Option<ObjectRef>,
    known: Vec<Source>,
    cancel: &CancellationToken,
    sender: &mpsc::Sender<T>,
    mut start: impl FnMut(Source, CancellationToken) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    // Dropping it cuts off what runs.
    let mut tasks = tokio::task::JoinSet::new();
    let mut running: BTreeMap<Source, CancellationToken> = BTreeMap::new();
    let mut begin = |source: &Source, tasks: &mut tokio::task::JoinSet<()>| {
        let gone = CancellationToken::new();
        tasks.spawn(start(source.clone(), gone.clone()));
        gone
    };
    for source in known {
        let gone = begin(&source, &mut tasks);
        running.insert(source, gone);
    }
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let is_whole = is_whole(&snapshot);
        let gateway = gateway.clone();
        let looked = Instant::now();
        let wanted = tokio::task::spawn_blocking(move || wanted(&snapshot, gateway.as_ref()));
        let Ok(wanted) = wanted.await else { return };
        // What has not been read yet is not gone.
        if is_whole {
            running.retain(|source, gone| {
                let is_wanted = wanted.contains(source);
                if !is_wanted {
                    gone.cancel();
                }
                is_wanted
            });
        }
        for source in wanted {
            let entry = running.entry(source);
            entry.or_insert_with_key(|source| begin(source, &mut tasks));
        }
        while tasks.try_join_next().is_some() {}
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sender.closed() => return,
            () = sleep(SOURCES_EVERY.max(looked.elapsed() * SOURCES_REST)) => {}
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sender.closed() => return,
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

fn wanted(snapshot: &Snapshot, gateway: Option<&ObjectRef>) -> Vec<Source> {
    let gateways: Vec<ObjectRef> = match gateway {
        Some(gateway) => vec![gateway.clone()],
        None => snapshot
            .gateways
            .iter()
            .filter(|(_, gateway)| is_ngf(snapshot, gateway))
            .map(|(name, _)| name.clone())
            .collect(),
    };
    sources(snapshot, &gateways).0
}

fn is_whole(snapshot: &Snapshot) -> bool {
    let mut states = snapshot.kinds.values();
    states.all(|state| *state != KindState::Loading)
}

async fn follow_one(
    mut follower: LogFollower,
    source: Arc<Source>,
    is_new: bool,
    gone: CancellationToken,
    sender: mpsc::Sender<Followed>,
) {
    let mut unbroken = Unbroken::default();
    let tell = async |news: News| {
        let source = Arc::clone(&source);
        sender.send(Followed { source, news }).await.is_ok()
    };
    let mut said = |line: &str| {
        let (at, line) = said(line, &mut unbroken)?;
        let line = Box::new(line);
        Some(News::Line { at, line })
    };
    if is_new && !tell(News::New).await {
        return;
    }
    loop {
        let news = tokio::select! {
            biased;
            () = gone.cancelled() => break,
            news = follower.next() => match news {
                LogNews::Line(line) => said(&line),
                LogNews::Lost(why) => Some(News::Lost(why)),
                LogNews::Back => Some(News::Back),
            },
        };
        if let Some(news) = news
            && !tell(news).await
        {
            return;
        }
    }
    let last_words = async {
        while let Some(line) = follower.rest().await {
            if let Some(news) = said(&line)
                && !tell(news).await
            {
                return;
            }
        }
    };
    // Whether it had come to its end by then or not.
    let _ = timeout(LAST_WORDS, last_words).await;
    tell(News::Gone).await;
}

fn said(line: &str, unbroken: &mut Unbroken) -> Option<(Timestamp, Decoded)> {
    if !unbroken.is_whole(line) {
        return None;
    }
    let (stamp, decoded) = decode_stamped(line);
    let decoded = decoded?;
    let at = stamp.or(decoded.at).unwrap_or_else(Timestamp::now);
    Some((at, decoded))
}

/// A log behind a screen.
struct Watched {
    cluster: Cluster,
    source: Source,
    streams: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    gone: CancellationToken,
    sender: mpsc::Sender<PodLog>,
}

impl Watched {
    async fn run(self) {
        let gone = self.gone.clone();
        // What it has said is known to the screen already.
        gone.run_until_cancelled(self.tell_for_ever()).await;
    }

    async fn tell_for_ever(&self) {
        let Some((mut log, cursor, read_at)) = self.past().await else {
            return;
        };
        let mut follower = LogFollower::new(
            &self.cluster,
            &self.source.pod,
            &self.source.container,
            cursor,
            read_at.elapsed(),
            Arc::clone(&self.streams),
        );
        let mut unbroken = Unbroken::default();
        let mut told = Instant::now();
        let mut has_news = false;
        loop {
            tokio::select! {
                news = follower.next() => match news {
                    LogNews::Line(line) => {
                        let line = log.tally.line(&line, &mut unbroken, Timestamp::now());
                        has_news |= line.is_some();
                    }
                    LogNews::Lost(why) => {
                        log.failed = Some(why);
                        has_news = true;
                    }
                    LogNews::Back => {
                        log.failed = None;
                        has_news = true;
                    }
                },
                () = sleep_until(told + TOLD_EVERY), if has_news => {
                    if self.sender.send(log.clone()).await.is_err() {
                        return;
                    }
                    told = Instant::now();
                    has_news = false;
                }
            }
        }
    }

    /// The past hour, as soon as it can be read; why it cannot is told meanwhile.
    async fn past(&self) -> Option<(PodLog, LogCursor, Instant)> {
        let mut turns = self.cluster.pace_of_logs();
        loop {
            turns.turn().await;
            let place = self.reading.acquire().await.ok()?;
            let read_at = Instant::now();
            let (log, cursor) = read_one(&self.cluster, &self.source, HOUR.into()).await;
            drop(place);
            let has_failed = log.failed.is_some();
            self.sender.send(log.clone()).await.ok()?;
            if !has_failed {
                return Some((log, cursor, read_at));
            }
            turns.answered();
            turns.stalled();
        }
    }
}
