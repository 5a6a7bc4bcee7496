//! Reads the past of logs from a cluster.

use std::time::Duration;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use ngf_core::{
    diagnosis::log_sources::Source,
    logs::{PodLog, Tally},
};
use ngf_text::in_words;
use tokio::time::{Instant, timeout_at};

use crate::{Cluster, LogCursor, LogOptions};

/// Bytes that are read of each log: a debug log writes them by the million.
const BYTES: u32 = 8 << 20;
/// Logs that are read at a time.
pub(super) const PARALLEL: usize = 8;
/// Lines that are read of a log that is longer than [`BYTES`].
const NEWEST: u32 = 20_000;

/// Which part of a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogExtent {
    /// How far back.
    pub past: Duration,
    /// Only the last so many lines of that.
    pub tail: Option<u32>,
    /// Of the container's run before its last restart.
    pub previous: bool,
}

impl From<Duration> for LogExtent {
    fn from(past: Duration) -> Self {
        Self {
            past,
            tail: None,
            previous: false,
        }
    }
}

/// Reads the past of each, several at a time and all within that time. One that cannot be read says so
/// in itself.
pub async fn read(
    cluster: &Cluster,
    sources: &[Source],
    past: Duration,
    within: Duration,
) -> Vec<PodLog> {
    let read = read_to_follow(cluster, sources, past.into(), within).await;
    read.into_iter().map(|(log, _)| log).collect()
}

/// The same, each with how far it was read.
pub async fn read_to_follow(
    cluster: &Cluster,
    sources: &[Source],
    wanted: LogExtent,
    within: Duration,
) -> Vec<(PodLog, LogCursor)> {
    let until = Instant::now() + within;
    let reading = sources
        .iter()
        .map(|source| read_until(cluster, source, wanted, until))
        .collect::<Vec<_>>();
    stream::iter(reading)
        .buffered(PARALLEL)
        .collect::<Vec<_>>()
        .await
}

async fn read_until(
    cluster: &Cluster,
    source: &Source,
    wanted: LogExtent,
    until: Instant,
) -> (PodLog, LogCursor) {
    let read = timeout_at(until, read_one(cluster, source, wanted)).await;
    read.unwrap_or_else(|_| {
        let mut log = unread(source, wanted.past);
        log.failed = Some("not read before the time of --timeout was over".to_owned());
        (log, LogCursor::default())
    })
}

/// A log of which nothing has been read.
fn unread(source: &Source, past: Duration) -> PodLog {
    let now = Timestamp::now();
    PodLog {
        role: source.role,
        gateway: source.gateway.clone(),
        pod: source.pod.clone(),
        container: source.container.clone(),
        since: now
            .checked_sub(jiff::SignedDuration::try_from(past).unwrap_or_default())
            .unwrap_or(now),
        failed: None,
        cut: false,
        file: None,
        until: None,
        tally: Tally::default(),
    }
}

pub(super) async fn read_one(
    cluster: &Cluster,
    source: &Source,
    wanted: LogExtent,
) -> (PodLog, LogCursor) {
    let mut log = unread(source, wanted.past);
    let mut cursor = LogCursor::default();
    match text(cluster, source, wanted).await {
        Ok(text) => {
            log.cut = text.len() + (64 << 10) >= BYTES as usize;
            // The API server cuts at the end: the newest lines are read apart then.
            let text = if log.cut {
                newest(cluster, source, wanted).await.unwrap_or(text)
            } else {
                text
            };
            log.tally.read(&text, Timestamp::now());
            cursor = LogCursor::after(&text);
        }
        Err(why) => log.failed = Some(why),
    }
    (log, cursor)
}

async fn text(cluster: &Cluster, source: &Source, wanted: LogExtent) -> Result<String, String> {
    ask(cluster, source, wanted).await
}

/// The last lines, where the whole is more than is read.
async fn newest(cluster: &Cluster, source: &Source, wanted: LogExtent) -> Result<String, String> {
    let tail = Some(wanted.tail.map_or(NEWEST, |tail| tail.min(NEWEST)));
    ask(cluster, source, LogExtent { tail, ..wanted }).await
}

async fn ask(cluster: &Cluster, source: &Source, wanted: LogExtent) -> Result<String, String> {
    let options = LogOptions {
        seconds: Some(
            u32::try_from(wanted.past.as_secs())
                .unwrap_or(u32::MAX)
                .max(1),
        ),
        limit: Some(BYTES),
        timestamps: true,
        tail: wanted.tail,
        previous: wanted.previous,
        ..LogOptions::default()
    };
    cluster
        .pod_log(
            &source.pod.namespace,
            &source.pod.name,
            &source.container,
            &options,
        )
        .await
        .map_err(|error| in_words(&error))
}
