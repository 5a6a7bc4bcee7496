//! The terminal interface without a terminal: keys in, screens out, every effect carried out before
//! the next key. For pictures and tests.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use ratatui::{buffer::Buffer, layout::Rect};
use tokio_util::sync::CancellationToken;

use super::{
    event::{Diagnosed, Effect, Event},
    run::World,
    state::App,
    update::update,
};
use crate::{
    diagnosis::{Diagnosis, evidence::Probed},
    model::snapshot::Snapshot,
    views::screen,
};

/// An application that is driven by code.
pub struct Headless {
    /// Its state.
    pub app: App,
    world: Arc<dyn World>,
}

impl Headless {
    /// Drives this application in this world.
    pub fn new(app: App, world: Arc<dyn World>) -> Self {
        Self { app, world }
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

    /// The screen at a size.
    pub fn draw(&mut self, width: u16, height: u16) -> Buffer {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        screen::draw(&mut self.app, area, &mut buffer);
        buffer
    }

    /// Takes an event in, and carries out everything that comes of it.
    pub async fn happen(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in update(&mut self.app, event, Timestamp::now()) {
                events.extend(self.carry_out(effect).await);
            }
        }
    }

    async fn carry_out(&self, effect: Effect) -> Vec<Event> {
        match effect {
            Effect::Diagnose { snapshot, evidence } => {
                let diagnosis = Diagnosis::of(&snapshot, &evidence, Timestamp::now());
                vec![Event::Diagnosed(Box::new(Diagnosed {
                    snapshot,
                    diagnosis,
                }))]
            }
            Effect::Probe(plans) => {
                let mut events = Vec::new();
                let cancel = CancellationToken::new();
                for plan in plans {
                    let at = Timestamp::now();
                    let result = self.world.probe(&plan, &cancel).await.map(Arc::new);
                    let probed = Probed {
                        plan: Arc::new(plan),
                        at,
                        result,
                    };
                    events.push(Event::Probed(Box::new(probed)));
                }
                events
            }
            Effect::GoToStage(index) => match self.world.go_to_stage(index).await {
                Ok(stage) => vec![Event::Stage(stage)],
                Err(why) => vec![Event::Failed(why)],
            },
            Effect::CancelProbes | Effect::Quit => Vec::new(),
        }
    }
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
        _ => KeyCode::Char(key.chars().next().unwrap_or(' ')),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}
