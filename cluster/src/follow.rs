//! A log as it grows: a request that stays open, sent again whenever it ends, so that each line comes once
//! whatever happens in between.
//!
//! A stream ends with its container, its node, a proxy before the API server, or an idle connection
//! that somebody cut without a word. What came last is remembered by the kubelet's time, and the next request
//! begins there; what the container wrote before its restart is asked for as well.

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use futures::{AsyncBufRead, AsyncBufReadExt};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use ngf_text::sanitize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Cluster, LogOptions,
    by_name::can_exist,
    error::Failure,
    pace::{LIVED, Lane, Pace},
    read::{log_params, log_problem},
    request::{ANSWER, no_answer},
};
use ngf_core::model::object::ObjectRef;

/// Bytes of a line that are kept; the kubelet itself cuts at as many.
const LONGEST_LINE: usize = 16 << 10;
/// How long a stream may say nothing before it is opened again: a connection that a firewall forgot looks
/// the same as a container that is silent.
const SILENCE: Duration = Duration::from_secs(290);
/// The least time between two requests for a log.
const FLOOR: Duration = Duration::from_secs(1);
/// How often a log is read that has no stream.
const POLL: Duration = Duration::from_secs(10);
/// Bytes that are read at once where there is no stream.
const POLLED: u32 = 1 << 20;

/// How far a log was read: the newest line's time, and how many lines have just that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogCursor {
    newest: Option<Timestamp>,
    seen: u64,
}

impl LogCursor {
    /// After this text, as the API server gives it with times.
    pub fn after(text: &str) -> Self {
        let mut cursor = Self::default();
        for line in text.lines() {
            cursor.saw(time(line));
        }
        cursor
    }

    fn saw(&mut self, at: Option<Timestamp>) {
        match at {
            Some(at) if self.newest.is_none_or(|newest| at > newest) => {
                self.newest = Some(at);
                self.seen = 1;
            }
            Some(at) if Some(at) == self.newest => self.seen += 1,
            _ => {}
        }
    }
}

/// What came of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogNews {
    /// A line as it was written, after its time and a space, without control characters.
    Line(String),
    /// It cannot be read any more, and why; said once, and tried again.
    Lost(String),
    /// It can be read again.
    Back,
}

/// Follows the log of one container, for ever.
pub struct LogFollower {
    cluster: Cluster,
    pod: ObjectRef,
    container: String,
    cursor: LogCursor,
    /// From when on, where nothing has been read yet: so long before `began`.
    past: Duration,
    began: Instant,
    /// Those who may hold a stream.
    streams: Arc<Semaphore>,
    stream: Option<(LogStream, OwnedSemaphorePermit)>,
    opened: Instant,
    /// Outages that were over by then.
    outages: u64,
    /// What is held of an answer that has ended.
    waiting: VecDeque<String>,
    /// Lines that the cursor may still have seen.
    known: Option<u64>,
    was_open: bool,
    /// Where the last answer began that did not hold all there was.
    cut_at: Option<LogCursor>,
    pace: Pace,
    is_lost: bool,
    /// When it is read again where there is no stream.
    again: Instant,
}

impl LogFollower {
    /// Continues after `cursor`, or where that has seen nothing, with the lines of this long ago. As long
    /// as `streams` has places one is taken: each stream is a connection of its own, here and between the
    /// API server and the kubelet (kube speaks HTTP/1.1). Without a place the log is read every ten seconds.
    pub fn new(
        cluster: &Cluster,
        pod: &ObjectRef,
        container: &str,
        cursor: LogCursor,
        past: Duration,
        streams: Arc<Semaphore>,
    ) -> Self {
        let now = Instant::now();
        Self {
            cluster: cluster.clone(),
            pod: pod.clone(),
            container: container.to_owned(),
            cursor,
            past,
            began: now,
            streams,
            stream: None,
            opened: now,
            outages: cluster.link.outages(),
            waiting: VecDeque::new(),
            known: None,
            was_open: false,
            cut_at: None,
            pace: Pace::new(Arc::clone(&cluster.link), Lane::Logs, FLOOR),
            is_lost: false,
            again: now,
        }
    }

    /// What comes next; waits until something does. Nothing is lost where the waiting is given up.
    pub async fn next(&mut self) -> LogNews {
        loop {
            while let Some(line) = self.waiting.pop_front() {
                if self.is_new(&line) {
                    return LogNews::Line(line);
                }
            }
            if let Some(line) = self.streamed().await {
                return LogNews::Line(line);
            }
            sleep_until(self.again).await;
            tokio::select! {
                () = self.pace.turn() => {}
                () = self.cluster.link.silent(), if !self.is_lost => {
                    self.is_lost = true;
                    let why = Failure::NoAnswer("the API server does not answer".to_owned());
                    return LogNews::Lost(self.problem(&why));
                }
            }
            match self.open().await {
                Ok(()) => {
                    self.pace.answered();
                    if std::mem::take(&mut self.is_lost) {
                        return LogNews::Back;
                    }
                }
                Err(failure) => {
                    if let Some(why) = self.failed(&failure) {
                        return LogNews::Lost(why);
                    }
                }
            }
        }
    }

    /// What is left of a log whose container is gone; `None` at its end.
    pub async fn rest(&mut self) -> Option<String> {
        while let Some(line) = self.waiting.pop_front() {
            if self.is_new(&line) {
                return Some(line);
            }
        }
        self.streamed().await
    }

    /// The next line of the stream; `None` once it has ended, or where there is none.
    async fn streamed(&mut self) -> Option<String> {
        loop {
            let (stream, _) = self.stream.as_mut()?;
            let line = tokio::select! {
                line = timeout(SILENCE, stream.line()) => line,
                // What is left of a stream from before it is as good as none.
                () = self.cluster.link.outage_after(self.outages) => Ok(Ok(None)),
            };
            let Ok(Ok(Some(line))) = line else {
                self.stream = None;
                if line.is_err() {
                    // It was only silent: no run of the container has ended.
                    self.was_open = false;
                }
                // A container that dies at once is not asked for its log as often as a machine can.
                if self.opened.elapsed() < LIVED {
                    self.pace.stalled();
                } else {
                    self.pace.progressed();
                }
                return None;
            };
            if self.is_new(&line) {
                self.pace.progressed();
                return Some(line);
            }
        }
    }

    /// Whether a line was not seen before: an answer begins with the whole second that was asked for.
    fn is_new(&mut self, line: &str) -> bool {
        let at = time(line);
        if let (Some(left), Some(at), Some(newest)) = (&mut self.known, at, self.cursor.newest) {
            if at < newest {
                return false;
            }
            if at == newest && *left > 0 {
                *left -= 1;
                return false;
            }
            // From here on lines count as they come: two outputs of a container may be in any order.
            if at > newest {
                self.known = None;
            }
        }
        self.cursor.saw(at);
        true
    }

    async fn open(&mut self) -> Result<(), Failure> {
        if self.was_open && self.cursor.newest.is_some() {
            // It may have been restarted meanwhile; mostly it was not, and there is no such log.
            let before = LogOptions {
                previous: true,
                limit: Some(POLLED),
                ..self.options()
            };
            match self.take(&before).await {
                Err(failure @ Failure::NoAnswer(_)) => return Err(failure),
                Ok(_) | Err(_) => self.was_open = false,
            }
            if !self.waiting.is_empty() {
                return Ok(());
            }
        }
        if let Ok(place) = Arc::clone(&self.streams).try_acquire_owned() {
            let options = self.options();
            self.known = self.cursor.newest.map(|_| self.cursor.seen);
            let opening = LogStream::open(&self.cluster, &self.pod, &self.container, &options);
            self.outages = self.cluster.link.outages();
            self.stream = Some((opening.await?, place));
            self.opened = Instant::now();
            self.again = self.opened;
        } else {
            self.poll().await?;
        }
        self.was_open = true;
        Ok(())
    }

    /// Without a stream.
    async fn poll(&mut self) -> Result<(), Failure> {
        if let (Some(cut_at), Some(newest)) = (self.cut_at.take(), self.cursor.newest)
            && cut_at == self.cursor
        {
            // More was written within a second than is read at once: the rest of that second is left out.
            self.cursor.newest = Timestamp::from_second(newest.as_second() + 1).ok();
            self.cursor.seen = 0;
        }
        let options = LogOptions {
            limit: Some(POLLED),
            ..self.options()
        };
        let from = self.cursor.clone();
        let is_all = self.take(&options).await?;
        self.pace.progressed();
        self.again = Instant::now();
        if is_all {
            self.again += POLL;
        } else {
            self.cut_at = Some(from);
        }
        Ok(())
    }

    /// Reads an answer that ends; whether it was all there is.
    async fn take(&mut self, options: &LogOptions) -> Result<bool, Failure> {
        self.known = self.cursor.newest.map(|_| self.cursor.seen);
        let text = self
            .cluster
            .read_log(&self.pod, &self.container, options)
            .await?;
        let is_all = text.len() < POLLED as usize;
        // The last line of an answer that was cut comes again, whole.
        let end = text.rfind('\n').map_or(0, |at| at + 1);
        self.waiting.extend(text[..end].lines().map(str::to_owned));
        Ok(is_all || end == 0)
    }

    fn options(&self) -> LogOptions {
        let since = self.cursor.newest;
        // By the node's clock, which may not be this one's.
        let seconds = (self.past + self.began.elapsed()).as_secs() + 1;
        LogOptions {
            since,
            seconds: since
                .is_none()
                .then(|| u32::try_from(seconds).unwrap_or(u32::MAX)),
            timestamps: true,
            ..LogOptions::default()
        }
    }

    /// Why, where it has not been said yet. A first failure is not told: a container that is being
    /// started has no log for a moment.
    fn failed(&mut self, failure: &Failure) -> Option<String> {
        self.pace.failed(failure);
        let patience = match failure {
            Failure::Denied(_) => 0,
            // A pod that is replaced is gone before the snapshots say so.
            Failure::NotFound(_) => 3,
            _ => 1,
        };
        let tell = !self.is_lost && self.pace.failures() > patience;
        self.is_lost |= tell;
        tell.then(|| self.problem(failure))
    }

    fn problem(&self, failure: &Failure) -> String {
        log_problem(&self.pod, &self.container, failure).to_string()
    }
}

/// The kubelet's time before a line.
fn time(line: &str) -> Option<Timestamp> {
    line.split(' ').next()?.parse().ok()
}

/// One request that stays open.
struct LogStream {
    body: Pin<Box<dyn AsyncBufRead + Send>>,
    /// What has come of a line.
    begun: Vec<u8>,
}

impl LogStream {
    async fn open(
        cluster: &Cluster,
        pod: &ObjectRef,
        container: &str,
        options: &LogOptions,
    ) -> Result<Self, Failure> {
        if !can_exist(pod) {
            return Err(Failure::NotFound(String::new()));
        }
        let pods: Api<Pod> = Api::namespaced(cluster.client(), &pod.namespace);
        let mut params = log_params(container, options);
        params.follow = true;
        let body = timeout(ANSWER, pods.log_stream(&pod.name, &params))
            .await
            .map_err(|_| no_answer(ANSWER))??;
        Ok(Self {
            body: Box::pin(body),
            begun: Vec::new(),
        })
    }

    /// The next line that was written to its end; `None` after the last. What is longer than
    /// [`LONGEST_LINE`] is cut. Where the waiting is given up, what has come stays.
    async fn line(&mut self) -> Result<Option<String>, Failure> {
        loop {
            let chunk = self.body.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = LONGEST_LINE.saturating_sub(self.begun.len());
            self.begun.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            self.body.as_mut().consume(used);
            if end.is_some() {
                let line = std::mem::take(&mut self.begun);
                let text = String::from_utf8_lossy(&line);
                return Ok(Some(sanitize::line(
                    text.trim_end_matches('\r'),
                    LONGEST_LINE,
                )));
            }
        }
    }
}

impl Cluster {
    async fn read_log(
        &self,
        pod: &ObjectRef,
        container: &str,
        options: &LogOptions,
    ) -> Result<String, Failure> {
        if !can_exist(pod) {
            return Err(Failure::NotFound(String::new()));
        }
        self.log_text(pod, container, options).await
    }
}
