//! The loop: events in, frames out, effects carried out beside it. Nothing here waits for the
//! network; a dead API server freezes nothing.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use crossterm::event::{KeyCode, KeyModifiers};
use futures::FutureExt;
use jiff::Timestamp;
use ngf_ui::{
    Mark,
    input::{self, Input},
    terminal::{self, Screen, TerminalError},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::DropGuard;

use crate::tui::views::{problems, screen};
use crate::tui::{
    effects::Others,
    jobs::Jobs,
    signals::{self, End, Notice, Watch},
    state::{
        App,
        clock::Clock,
        event::{Effect, Event},
        job::{Connected, Session},
    },
    update::update,
};
use ngf_core::{command::own, model::snapshot::Snapshot};
use ngf_text::sanitize;

/// How many events may wait; more wait with their senders.
const WAITING_EVENTS: usize = 256;
/// At least so often the clock moves on.
pub const TICK: Duration = Duration::from_millis(500);
/// Where nothing but time passes, seconds are counted on the screen for so long: what is older is told in minutes.
const SECONDS_COUNT: Duration = Duration::from_mins(1);
/// The least time between two frames that only count seconds: two ticks, less what a timer may be early.
const A_SECOND: Duration = Duration::from_millis(900);
/// The same after that, for what is about to expire.
const AT_REST: Duration = Duration::from_secs(5);
/// How long the news that the terminal is gone may take after drawing on it has failed.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// Why the terminal interface ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The terminal failed.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// The keyboard cannot be read.
    #[error("cannot read the keyboard: {0}")]
    Keyboard(std::io::Error),
    /// Something else that ran beside the screen broke.
    #[error("a background job ended with a defect of this program: {0}")]
    Job(tokio::task::JoinError),
}

/// How the terminal interface ended.
#[derive(Debug)]
pub struct Ended {
    /// What could not be removed from the cluster, a sentence each.
    pub left: Vec<String>,
    /// The signal that ended it; `None` where a person did.
    pub by: Option<End>,
}

/// Runs the terminal interface until the person, a signal or the end of the terminal ends it; then
/// removes the temporary resources in the cluster. At least every `tick` the clock moves on.
pub async fn run(
    mut app: App,
    session: Arc<dyn Session>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    watch: Watch,
    tick: Duration,
    others: Option<Others>,
) -> Result<Ended, RunError> {
    let (sender, events) = mpsc::channel(WAITING_EVENTS);
    let mut around = Around {
        screen: screen_of(&watch)?,
        keys: keys_of(&watch)?,
        watch,
        jobs: Jobs::new(session, sender),
        stop: None,
        leaving: JoinSet::new(),
        suspended: false,
        others,
    };
    let ended = AssertUnwindSafe(around.run(&mut app, events, snapshots, tick));
    // A panic is caught so that it, too, leaves nothing behind; the panic continues afterwards.
    let ended = ended.catch_unwind().await;
    let mut by = match &ended {
        Ok(Ok(by)) => *by,
        _ => None,
    };
    if ended.is_ok() && around.is_working() && !by.is_some_and(End::is_gone) {
        app.overlay = None;
        app.say(
            Mark::Info,
            "Ending: temporary resources are being removed; ctrl-c does not wait for it",
        );
        // Whether it can still be shown or not, they are removed.
        let _ = around.draw(&mut app);
    }
    let Around {
        watch,
        keys,
        jobs,
        leaving,
        ..
    } = &mut around;
    let finish = async {
        let mut left = jobs.finish().await;
        while let Some(of_others) = leaving.join_next().await {
            left.extend(of_others.unwrap_or_default());
        }
        left
    };
    let left = tokio::select! {
        left = finish => left,
        () = lost_patience(watch, keys, &mut by) => vec![not_waited()],
    };
    drop(around);
    match ended {
        Ok(result) => result.map(|_| Ended { left, by }),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// News of the other contexts that are watched; none where there are none.
async fn of_others(others: Option<&mut Others>) -> Option<Event> {
    match others {
        Some(others) => others.events.recv().await,
        None => None,
    }
}

/// What to say where somebody did not wait.
fn not_waited() -> String {
    format!(
        "temporary resources may still be in the cluster; they end by themselves, and `{}` removes them",
        own("cleanup")
    )
}

/// The screen, which reports to the watch when a frame was written, or could not be.
fn screen_of(watch: &Watch) -> Result<Screen, TerminalError> {
    let notices = watch.sender.clone();
    Screen::enter(Box::new(move |written| {
        let notice = match written {
            Ok(()) => Notice::Written,
            Err(_) => Notice::End(End::GONE),
        };
        let _ = notices.send(notice);
    }))
}

/// Keys and pasted text. The end of the terminal is reported to the watch.
fn keys_of(watch: &Watch) -> Result<mpsc::Receiver<Event>, RunError> {
    let notices = watch.sender.clone();
    let (sender, keys) = mpsc::channel(WAITING_EVENTS);
    input::read(move |input| {
        let event = match input {
            Input::Key(key) => Event::Key(key),
            Input::Mouse(mouse) => Event::Mouse(mouse),
            Input::Paste(text) => Event::Paste(text),
            Input::Gone => {
                let _ = notices.send(Notice::End(End::GONE));
                return false;
            }
        };
        sender.blocking_send(event).is_ok()
    })
    .map_err(RunError::Keyboard)?;
    Ok(keys)
}

/// Waits until nobody waits for the removal of temporary resources any more: ctrl-c, a second signal, or
/// too long a time after the first.
async fn lost_patience(watch: &mut Watch, keys: &mut mpsc::Receiver<Event>, by: &mut Option<End>) {
    loop {
        let too_long = async {
            match by.map(End::patience) {
                Some(patience) => tokio::time::sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = too_long => return,
            Some(event) = keys.recv() => if is_ctrl_c(&event) {
                return;
            },
            notice = watch.next() => match (notice, *by) {
                // A window that is closed sends more than one signal, and nobody is impatient.
                (Notice::End(again), Some(first)) if !again.is_gone() && !first.is_gone() => return,
                (Notice::End(end), _) => *by = Some(end),
                _ => {}
            },
        }
    }
}

fn is_ctrl_c(event: &Event) -> bool {
    matches!(event, Event::Key(key)
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL))
}

/// When the passing of time alone is worth a frame.
struct Rhythm {
    /// When something else last happened.
    news: Instant,
    /// When the last frame was drawn.
    drawn: Instant,
}

impl Rhythm {
    fn is_due(&self, now: Instant) -> bool {
        let is_counted = now.duration_since(self.news) < SECONDS_COUNT;
        let pause = if is_counted { A_SECOND } else { AT_REST };
        now.duration_since(self.drawn) >= pause
    }
}

/// The newest objects of a cluster.
type Snapshots = watch::Receiver<Arc<Snapshot>>;

/// What is around the state: the terminal, signals, and what runs beside.
struct Around {
    watch: Watch,
    screen: Screen,
    keys: mpsc::Receiver<Event>,
    jobs: Jobs,
    /// Ends the watches of the cluster that was switched to.
    stop: Option<DropGuard>,
    /// What runs for a cluster that was left: temporary resources there are removed.
    leaving: JoinSet<Vec<String>>,
    /// The shell has the terminal, until the program is continued.
    suspended: bool,
    /// The other contexts that are watched.
    others: Option<Others>,
}

impl Around {
    /// Runs until something ends it: a signal, or a person.
    async fn run(
        &mut self,
        app: &mut App,
        mut events: mpsc::Receiver<Event>,
        mut snapshots: Snapshots,
        tick: Duration,
    ) -> Result<Option<End>, RunError> {
        let mut tick = tokio::time::interval(tick);
        // A program that was stopped for an hour has not missed anything.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut has_source = true;
        // While files are read the first snapshot is empty. The one that may be there by now is news.
        let mut next =
            (!app.reading).then(|| Event::Snapshot(Arc::clone(&snapshots.borrow_and_update())));
        let mut is_drawn = false;
        let mut rhythm = Rhythm {
            news: Instant::now(),
            drawn: Instant::now(),
        };
        loop {
            // Everything that has happened by now is taken in before the screen is drawn again.
            while let Some(mut event) = next.take() {
                let is_tick = matches!(event, Event::Tick);
                // That a diagnosis still holds is no news.
                if !is_tick && !matches!(event, Event::StillHolds(_)) {
                    rhythm.news = Instant::now();
                }
                if let Event::Switched(to, Ok(connected)) = &mut event
                    && app.switching.as_ref() == Some(to)
                {
                    (events, snapshots) = self.switch(connected);
                    has_source = true;
                }
                if matches!(event, Event::Key(_)) {
                    crate::defect::here("key");
                }
                let had_message = app.toast.is_some();
                let effects = update(app, event, Timestamp::now());
                // Of a tick that changes nothing only ages can be seen, and a recording's clock.
                let is_seen = !is_tick
                    || !effects.is_empty()
                    || had_message != app.toast.is_some()
                    || !matches!(app.clock, Clock::Live)
                    || rhythm.is_due(Instant::now());
                is_drawn &= !is_seen;
                for effect in effects {
                    match effect {
                        Effect::Quit => return Ok(None),
                        Effect::Suspend if !signals::stop_job() => {
                            app.say(
                                Mark::Info,
                                "No shell started this program: ctrl-z has nowhere to go",
                            );
                        }
                        Effect::Copy(text) => self.screen.copy(&text),
                        effect => self.jobs.start(effect),
                    }
                }
                next = self.keys.try_recv().or_else(|_| events.try_recv()).ok();
            }
            self.tell_where(app);
            // A terminal that takes nothing holds nobody up: it gets the newest state later.
            if !is_drawn && !self.suspended && !self.screen.is_busy() {
                if let Err(error) = self.draw(app) {
                    return self.gone_or(error).await;
                }
                is_drawn = true;
                rhythm.drawn = Instant::now();
            }
            next = tokio::select! {
                biased;
                notice = self.watch.next() => match notice {
                    Notice::End(end) => return Ok(Some(end)),
                    Notice::Written => None,
                    Notice::Resized => Some(Event::Resized),
                    Notice::Suspend => {
                        self.suspend();
                        None
                    }
                    Notice::Continue => {
                        self.go_on()?;
                        Some(Event::Tick)
                    }
                },
                Some(key) = self.keys.recv() => Some(key),
                event = events.recv() => event,
                Some(news) = of_others(self.others.as_mut()) => Some(news),
                changed = snapshots.changed(), if has_source => {
                    has_source = changed.is_ok();
                    has_source.then(|| Event::Snapshot(Arc::clone(&snapshots.borrow_and_update())))
                }
                ended = self.jobs.ended() => {
                    ended.map_err(RunError::Job)?;
                    None
                }
                Some(left) = self.leaving.join_next() => {
                    let left = left.map_err(RunError::Job)?;
                    (!left.is_empty()).then_some(Event::Left(left))
                }
                _ = tick.tick() => Some(Event::Tick),
            };
        }
    }

    /// The context on the screen is not watched a second time.
    fn tell_where(&self, app: &App) {
        if let Some(others) = &self.others {
            let shown = app.elsewhere.iter().map(|one| &one.context);
            let here = problems::here(app);
            let here = shown
                .into_iter()
                .find(|context| sanitize::line(context, 256) == here);
            let here = here.cloned().unwrap_or_default();
            others.here.send_if_modified(|known| {
                let is_new = *known != here;
                *known = here;
                is_new
            });
        }
    }

    /// Whether something may still have to be removed from a cluster.
    fn is_working(&mut self) -> bool {
        self.jobs.is_working() || !self.leaving.is_empty()
    }

    /// Everything happens in another cluster or namespace from now on. What came from the one before is void.
    fn switch(&mut self, connected: &mut Connected) -> (mpsc::Receiver<Event>, Snapshots) {
        let (sender, events) = mpsc::channel(WAITING_EVENTS);
        let jobs = Jobs::new(Arc::clone(&connected.session), sender);
        let mut left = std::mem::replace(&mut self.jobs, jobs);
        self.leaving.spawn(async move { left.finish().await });
        // Dropping the one before ends its watches.
        self.stop = connected.stop.take();
        let mut snapshots = connected.snapshots.clone();
        snapshots.mark_changed();
        (events, snapshots)
    }

    /// Gives the terminal back to the shell, and stops.
    fn suspend(&mut self) {
        if terminal::has_job_control() {
            self.suspended = true;
            terminal::restore();
            signals::stop();
        }
    }

    /// Takes the terminal again after the program was stopped, by whatever signal. In the background it
    /// stops again, as every program does that draws there.
    fn go_on(&mut self) -> Result<(), TerminalError> {
        if terminal::is_in_foreground() {
            self.suspended = false;
            self.screen.take_again()
        } else {
            self.suspended = true;
            signals::stop();
            Ok(())
        }
    }

    /// Drawing failed: because the terminal is gone, which is no error, or else because of this.
    async fn gone_or(&mut self, error: TerminalError) -> Result<Option<End>, RunError> {
        let gone = async {
            loop {
                if let Notice::End(end) = self.watch.next().await {
                    return end;
                }
            }
        };
        match tokio::time::timeout(GONE_WITHIN, gone).await {
            Ok(end) => Ok(Some(end)),
            Err(_) => Err(error.into()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_alone_is_drawn_each_second_and_after_a_minute_less_often() {
        let begun = Instant::now();
        let after = |seconds: f64| begun + Duration::from_secs_f64(seconds);
        let rhythm = |drawn: f64| Rhythm {
            news: begun,
            drawn: after(drawn),
        };
        assert!(!rhythm(10.0).is_due(after(10.5)));
        assert!(rhythm(10.0).is_due(after(11.0)));
        assert!(!rhythm(70.0).is_due(after(74.5)));
        assert!(rhythm(70.0).is_due(after(75.0)));
    }
}
