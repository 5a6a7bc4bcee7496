//! The loop: events in, frames out, effects carried out beside it. Nothing here waits for the
//! network; a dead API server freezes nothing.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use crossterm::event::{Event as TerminalEvent, EventStream, KeyCode, KeyModifiers};
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use ngf_ui::{
    Mark,
    terminal::{Screen, TerminalError},
};
use tokio::sync::{mpsc, watch};

use super::{
    event::{Effect, Event},
    job::World,
    jobs::Jobs,
    state::App,
    update::update,
};
use crate::{model::snapshot::Snapshot, views::screen};

/// How many events may wait; more wait with their senders.
const WAITING_EVENTS: usize = 256;
/// At least so often the clock moves on.
const TICK: Duration = Duration::from_millis(500);

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

/// Runs the terminal interface until the person, or a signal, ends it; then removes what was made in
/// the cluster. What could not be removed comes out, a sentence each.
pub async fn run(
    mut app: App,
    world: Arc<dyn World>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
) -> Result<Vec<String>, RunError> {
    let (sender, events) = mpsc::channel(WAITING_EVENTS);
    let mut around = Around {
        signals: Signals::new()?,
        screen: Screen::enter()?,
        keys: EventStream::new(),
        jobs: Jobs::new(world, sender),
    };
    let ended = AssertUnwindSafe(around.run(&mut app, events, snapshots));
    // A panic is caught so that it, too, leaves nothing behind; it goes on afterwards.
    let ended = ended.catch_unwind().await;
    if ended.is_ok() && around.jobs.is_working() {
        app.overlay = None;
        app.say(
            Mark::Info,
            "Ending: what was made in the cluster is being removed; ctrl-c does not wait for it",
        );
        // Whether it can still be shown or not, it is removed.
        let _ = around.draw(&mut app);
    }
    let Around {
        signals,
        keys,
        jobs,
        ..
    } = &mut around;
    let left = tokio::select! {
        left = jobs.finish() => left,
        () = impatient(keys) => vec![NOT_WAITED.to_owned()],
        () = signals.next() => vec![NOT_WAITED.to_owned()],
    };
    drop(around);
    match ended {
        Ok(result) => result.map(|()| left),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What to say where somebody did not wait.
const NOT_WAITED: &str = "what was made in the cluster may still be there; it ends by itself, and `ngf-tui cleanup` removes it";

/// Waits for ctrl-c as a key.
async fn impatient(keys: &mut EventStream) {
    while let Some(event) = keys.next().await {
        if let Ok(TerminalEvent::Key(key)) = event
            && key.code == KeyCode::Char('c')
            && key.modifiers.contains(KeyModifiers::CONTROL)
        {
            return;
        }
    }
    // The terminal is gone: nobody is impatient.
    std::future::pending().await
}

/// What is around the state: the terminal, signals, and what runs beside.
struct Around {
    signals: Signals,
    screen: Screen,
    keys: EventStream,
    jobs: Jobs,
}

impl Around {
    async fn run(
        &mut self,
        app: &mut App,
        mut events: mpsc::Receiver<Event>,
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> Result<(), RunError> {
        let mut tick = tokio::time::interval(TICK);
        let mut has_source = true;
        let first = Event::Snapshot(Arc::clone(&snapshots.borrow_and_update()));
        let mut next = Some(first);
        loop {
            // Everything that has happened by now is taken in before the screen is drawn again.
            while let Some(event) = next.take() {
                for effect in update(app, event, Timestamp::now()) {
                    if matches!(effect, Effect::Quit) {
                        return Ok(());
                    }
                    self.jobs.start(effect);
                }
                next = self
                    .keys
                    .next()
                    .now_or_never()
                    .flatten()
                    .and_then(from_terminal)
                    .or_else(|| events.try_recv().ok());
            }
            self.draw(app)?;
            next = tokio::select! {
                biased;
                () = self.signals.next() => Some(Event::Terminate),
                key = self.keys.next() => match key {
                    Some(key) => from_terminal(key),
                    // The terminal is gone.
                    None => Some(Event::Terminate),
                },
                event = events.recv() => event,
                changed = snapshots.changed(), if has_source => {
                    has_source = changed.is_ok();
                    has_source.then(|| Event::Snapshot(Arc::clone(&snapshots.borrow_and_update())))
                }
                ended = self.jobs.ended() => {
                    ended.map_err(RunError::Job)?;
                    None
                }
                _ = tick.tick() => Some(Event::Tick),
            };
        }
    }

    fn draw(&mut self, app: &mut App) -> Result<(), TerminalError> {
        self.screen.draw(|frame| {
            let area = frame.area();
            if let Some(cursor) = screen::draw(app, area, frame.buffer_mut()) {
                frame.set_cursor_position(cursor);
            }
        })?;
        Ok(())
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
