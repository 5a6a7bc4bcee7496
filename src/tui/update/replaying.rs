//! A recording that is played: its clock moves on, moments come, a person pauses, steps and changes the speed.

use std::sync::Arc;

use ngf_ui::Mark;

use super::diagnose;
use crate::tui::state::{App, action::Action, event::Effect};
use ngf_core::bundle::Opened;

/// Moves the clock of the recording on; what there is to read, where it has come to another moment.
pub(super) fn advance(app: &mut App) -> Option<Effect> {
    let reached = app.clock.replay_mut()?.advance(app.real)?;
    Some(Effect::ReadMoment(reached))
}

/// Pauses, steps, or plays at another speed.
pub(super) fn perform(app: &mut App, action: Action) -> Vec<Effect> {
    let Some(replay) = app.clock.replay_mut() else {
        return Vec::new();
    };
    let index = match action {
        Action::Pause => replay.pause(),
        Action::Faster | Action::Slower => {
            let speed = replay.change_speed(action == Action::Faster);
            app.say(
                Mark::Info,
                format!("plays {speed} times as fast as it happened"),
            );
            return Vec::new();
        }
        _ => {
            let index = replay.step(action == Action::NextMoment);
            if index.is_none() {
                app.say(Mark::Info, "This is an end of the recording");
            }
            index
        }
    };
    app.now = app.clock.now(app.real);
    index.map(Effect::ReadMoment).into_iter().collect()
}

/// A moment was read.
pub(super) fn moment(
    app: &mut App,
    index: usize,
    found: Result<Box<Opened>, String>,
) -> Vec<Effect> {
    let Some(replay) = app.clock.replay_mut() else {
        return Vec::new();
    };
    let opened = match found {
        Ok(opened) => *opened,
        Err(why) => {
            replay.stop();
            app.say_for(30, Mark::Failed, format!("the recording stops here: {why}"));
            return Vec::new();
        }
    };
    let is_later = index > replay.index();
    if !replay.arrived(index) {
        return Vec::new();
    }
    app.now = app.clock.now(app.real);
    let snapshot = Arc::new(opened.snapshot);
    // What is known of later moments is not known here.
    app.changes.forget_after(app.now);
    app.home
        .came
        .retain(|_, at| at.is_none_or(|at| at <= app.now));
    app.probed.retain(|seen| seen.probed.at <= app.now);
    app.good.retain(|_, probed| probed.at <= app.now);
    if is_later {
        app.changes.note(&app.latest, &snapshot, opened.at);
    }
    app.latest = snapshot;
    app.take_evidence(opened.evidence);
    vec![diagnose(app)]
}
