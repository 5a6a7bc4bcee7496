//! The terminal interface without a terminal: keys in, screens out, every effect carried out before
//! the next key. For pictures and tests.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::{buffer::Buffer, layout::Rect};
use tokio::sync::mpsc;

use crate::recording::Writing;
use crate::tui::views::screen;
use crate::tui::{
    jobs::{Running, written},
    state::{
        App,
        action::Action,
        event::{Diagnosed, Effect, Event},
        job::{FixNews, Job, Session},
        recording::{RecordingNews, ended},
    },
    update::{perform, update},
};
use ngf_cluster::temporary::Agreed;
use ngf_core::{
    diagnosis::{Diagnosis, Evidence},
    model::snapshot::Snapshot,
};

/// An application that is driven by code.
pub struct Headless {
    /// Its state.
    pub app: App,
    session: Arc<dyn Session>,
    /// What was copied last.
    pub copied: Option<String>,
    /// Where files are written to.
    pub folder: PathBuf,
    /// The moment that it stays at; the clock's where there is none.
    at: Option<Timestamp>,
    /// The recording that is being made.
    recording: Mutex<Option<(PathBuf, Writing)>>,
}

impl Headless {
    /// Drives this application in this world.
    pub fn new(app: App, session: Arc<dyn Session>) -> Self {
        Self {
            app,
            session,
            copied: None,
            folder: PathBuf::new(),
            at: None,
            recording: Mutex::default(),
        }
    }

    /// The same, at this moment for as long as it runs: what it draws does not depend on the date.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self {
            at: Some(now),
            ..self
        }
    }

    fn now(&self) -> Timestamp {
        self.at.unwrap_or_else(Timestamp::now)
    }

    /// The cluster changed.
    pub async fn snapshot(&mut self, snapshot: Arc<Snapshot>) {
        self.happen(Event::Snapshot(snapshot)).await;
    }

    /// Presses keys, written as in a [`KeyChord`](ngf_ui::KeyChord): `enter`, `tab`, `r`.
    pub async fn press(&mut self, keys: &[&str]) {
        for key in keys {
            self.happen(Event::Key(key_event(key))).await;
        }
    }

    /// Does what a key or a command does.
    pub async fn perform(&mut self, action: Action) {
        self.app.now = self.app.clock.now(self.now());
        for effect in perform(&mut self.app, action) {
            for event in self.carry_out(effect).await {
                self.happen(event).await;
            }
        }
    }

    /// The screen at a size.
    pub fn draw(&mut self, width: u16, height: u16) -> Buffer {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        screen::draw(&mut self.app, area, &mut buffer);
        buffer
    }

    /// Takes an event in, and carries out everything that comes of it.
    pub async fn happen(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(mut event) = events.pop_front() {
            let now = self.now();
            if let Event::Switched(to, Ok(connected)) = &mut event
                && self.app.switching.as_ref() == Some(to)
            {
                self.session = Arc::clone(&connected.session);
            }
            for effect in update(&mut self.app, event, now) {
                if let Effect::Copy(text) = &effect {
                    self.copied = Some(text.clone());
                }
                events.extend(self.carry_out(effect).await);
            }
        }
    }

    async fn carry_out(&self, effect: Effect) -> Vec<Event> {
        match effect {
            Effect::Diagnose {
                snapshot,
                evidence,
                now,
            } => {
                let diagnosis = Diagnosis::of(&snapshot, &evidence, now);
                self.add_to_recording(&snapshot, &evidence);
                vec![Event::Diagnosed(Box::new(Diagnosed {
                    snapshot,
                    diagnosis,
                }))]
            }
            Effect::Prepare(job) => {
                let prepared = self.session.prepare(&job).await;
                vec![Event::Prepared(job, prepared)]
            }
            Effect::Run(job, agreed) => self.run(*job, agreed).await,
            Effect::TryFix(number, fix) => {
                let result = self.session.try_fix(&fix).await;
                vec![fix_news(number, false, result)]
            }
            Effect::ApplyFix(number, fix, agreed) => {
                let result = self.session.apply_fix(&fix, agreed).await;
                vec![fix_news(number, true, result)]
            }
            Effect::ListContexts => vec![Event::Contexts(self.session.contexts().await)],
            Effect::Switch(to) => {
                let connected = self.session.switch(&to).await;
                vec![Event::Switched(to, connected)]
            }
            Effect::ReadConfiguration(gateways) => {
                let found = self.session.configuration(&gateways).await;
                vec![Event::Configuration(gateways, found)]
            }
            Effect::ReadAgain(object) => {
                self.session.read_again(&object);
                Vec::new()
            }
            Effect::ReadLines(number, of) => {
                vec![Event::Lines(number, self.session.lines(of).await)]
            }
            Effect::ReadMoment(index) => {
                vec![Event::Moment(index, self.session.moment(index).await)]
            }
            Effect::GoToStage(index) => match self.session.go_to_stage(index).await {
                Ok(stage) => vec![Event::Stage(stage)],
                Err(why) => vec![Event::Failed(why)],
            },
            Effect::Write { path, contents } => {
                let path = self.folder.join(path);
                vec![written(&path, contents).await]
            }
            Effect::Record(path) => {
                let path = self.folder.join(path);
                match Writing::create(&path) {
                    Ok(writing) => {
                        *self.recorded() = Some((path, writing));
                        Vec::new()
                    }
                    Err(why) => vec![Event::Recording(RecordingNews::Ended(Err(why)))],
                }
            }
            Effect::EndRecording => {
                let over = self.recorded().take();
                let over = over.map(|(path, writing)| ended(&path, &writing));
                over.map(|summary| Event::Recording(RecordingNews::Ended(Ok(summary))))
                    .into_iter()
                    .collect()
            }
            Effect::Forget(_)
            | Effect::CancelProbes
            | Effect::Watch(_)
            | Effect::Copy(_)
            | Effect::Suspend
            | Effect::Quit => Vec::new(),
        }
    }

    fn recorded(&self) -> MutexGuard<'_, Option<(PathBuf, Writing)>> {
        self.recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A moment of the recording, where one is being made.
    fn add_to_recording(&self, snapshot: &Snapshot, evidence: &Evidence) {
        if let Some((_, writing)) = &mut *self.recorded() {
            // Where it cannot be written, its end is missing.
            let _ = writing.add(snapshot, evidence, self.now());
        }
    }

    async fn run(&self, job: Job, agreed: Option<Agreed>) -> Vec<Event> {
        let (sender, mut events) = mpsc::channel(1);
        let session = Arc::clone(&self.session);
        let run = async move { Running::alone(session, sender).run(job, agreed).await };
        let collect = async {
            let mut all = Vec::new();
            while let Some(event) = events.recv().await {
                all.push(event);
            }
            all
        };
        let (_, events) = futures::join!(run, collect);
        events
    }
}

fn fix_news(number: u64, applied: bool, result: Result<Vec<String>, String>) -> Event {
    Event::Fix(Box::new(FixNews {
        number,
        applied,
        result,
    }))
}

fn key_event(key: &str) -> KeyEvent {
    let code = match key {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "space" => KeyCode::Char(' '),
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        _ => KeyCode::Char(key.chars().next().unwrap_or(' ')),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}
