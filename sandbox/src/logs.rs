//! What the containers of the embedded cluster have written: bounded, in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

/// Lines that the log of one container keeps.
const MAX_LINES: usize = 10_000;
/// Bytes that one line may have; what is longer is cut, as nginx cuts its log lines.
const MAX_LINE: usize = 2048;
/// Containers whose logs are kept; pods come and go.
const MAX_CONTAINERS: usize = 1024;

/// Names a container: namespace, pod, container.
pub(crate) type ContainerName = (String, String, String);

/// The logs of all containers.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    containers: Mutex<HashMap<ContainerName, Arc<Log>>>,
}

/// The log of one container.
#[derive(Debug)]
pub(crate) struct Log {
    inner: Mutex<Lines>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Lines {
    /// How many lines there were before the ones that are kept.
    dropped: u64,
    lines: VecDeque<Line>,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// When it was written.
    pub(crate) time: Timestamp,
    /// Without the newline.
    pub(crate) text: String,
}

impl Logs {
    fn lock(&self) -> MutexGuard<'_, HashMap<ContainerName, Arc<Log>>> {
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The log of a container, made where there is none.
    pub(crate) fn open(&self, namespace: &str, pod: &str, container: &str) -> Arc<Log> {
        let key = (namespace.to_owned(), pod.to_owned(), container.to_owned());
        let mut containers = self.lock();
        if containers.len() >= MAX_CONTAINERS && !containers.contains_key(&key) {
            return Arc::new(Log::default());
        }
        containers.entry(key).or_default().clone()
    }

    /// Forgets the logs of a pod.
    pub(crate) fn remove_pod(&self, namespace: &str, pod: &str) {
        self.lock().retain(|(n, p, _), log| {
            let keep = n != namespace || p != pod;
            if !keep {
                log.close();
            }
            keep
        });
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            changed: watch::channel(0).0,
        }
    }
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a line.
    pub(crate) fn write(&self, mut text: String) {
        if text.len() > MAX_LINE {
            let end = (0..=MAX_LINE)
                .rev()
                .find(|i| text.is_char_boundary(*i))
                .unwrap_or(0);
            text.truncate(end);
        }
        let mut inner = self.lock();
        inner.lines.push_back(Line {
            time: Timestamp::now(),
            text,
        });
        if inner.lines.len() > MAX_LINES {
            inner.lines.pop_front();
            inner.dropped += 1;
        }
        let total = inner.dropped + inner.lines.len() as u64;
        drop(inner);
        self.changed.send_if_modified(|value| {
            let open = *value != u64::MAX;
            if open {
                *value = total;
            }
            open
        });
    }

    /// The lines from the `from`th on (counted from the container's start), and the number to ask
    /// for next.
    pub(crate) fn since(&self, from: u64) -> (Vec<Line>, u64) {
        let inner = self.lock();
        let skip = from
            .saturating_sub(inner.dropped)
            .min(inner.lines.len() as u64) as usize;
        let next = inner.dropped + inner.lines.len() as u64;
        (inner.lines.range(skip..).cloned().collect(), next)
    }

    /// Wakes when there are new lines; holds `u64::MAX` once there will be no more.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn close(&self) {
        self.changed.send_replace(u64::MAX);
    }
}
