//! Writes the recording of what is on the screen, as `record` does: a moment where something is different, at most one
//! a second.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    recording::{PAUSE, SHARE, Writing},
    tui::state::{
        event::Event,
        recording::{RecordingNews, ended},
    },
};
use ngf_core::{diagnosis::Evidence, model::snapshot::Snapshot};

/// What is to be diagnosed, which is what is on the screen, and the moment at which it is judged.
pub(super) type Wanted = (Arc<Snapshot>, Evidence, Timestamp);

/// Records until `end`; what could not be said as an event.
pub(super) async fn record(
    path: PathBuf,
    seen: watch::Receiver<Option<Wanted>>,
    end: CancellationToken,
    sender: mpsc::Sender<Event>,
) -> Vec<String> {
    let result = written(&path, seen, &end, &sender).await;
    let news = RecordingNews::Ended(result);
    match sender.send(Event::Recording(news)).await {
        Ok(()) => Vec::new(),
        Err(unsent) => match unsent.0 {
            Event::Recording(RecordingNews::Ended(result)) => {
                vec![result.unwrap_or_else(|why| why)]
            }
            _ => Vec::new(),
        },
    }
}

async fn written(
    path: &Path,
    mut seen: watch::Receiver<Option<Wanted>>,
    end: &CancellationToken,
    sender: &mpsc::Sender<Event>,
) -> Result<String, String> {
    let mut writing = Writing::create(path)?;
    loop {
        let began = Instant::now();
        writing = added(writing, &mut seen).await?;
        let news = RecordingNews::Added {
            moments: writing.moments(),
        };
        // Where nobody listens any more, the program is ending.
        let _ = sender.try_send(Event::Recording(news));
        if writing.is_full() || end.is_cancelled() {
            break;
        }
        let next = Instant::now() + PAUSE.max(began.elapsed() * SHARE);
        let news = async {
            tokio::time::sleep_until(next).await;
            seen.changed().await.is_ok()
        };
        // Once it is over, what came since the last moment is added.
        if end.run_until_cancelled(news).await == Some(false) {
            break;
        }
    }
    Ok(ended(path, &writing))
}

/// Adds what is on the screen now, where it holds nobody up.
async fn added(
    mut writing: Writing,
    seen: &mut watch::Receiver<Option<Wanted>>,
) -> Result<Writing, String> {
    let Some((snapshot, evidence, _)) = seen.borrow_and_update().clone() else {
        return Ok(writing);
    };
    let add = move || {
        let added = writing.add(&snapshot, &evidence, Timestamp::now());
        added.map(|()| writing)
    };
    match tokio::task::spawn_blocking(add).await {
        Ok(written) => written,
        Err(defect) => match defect.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err("the recording was cancelled".to_owned()),
        },
    }
}
