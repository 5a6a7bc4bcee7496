//! Recording what is on the screen: `:record`, and `:record` again or `:stop`.

use std::path::PathBuf;

use ngf_ui::Mark;

use crate::tui::state::{
    App,
    event::Effect,
    recording::{Recording, RecordingNews},
};
use ngf_core::model::snapshot::Source;
use ngf_text::sanitize;

/// Begins a recording in a file with a name of its own, or ends the one that is being made.
pub(super) fn toggle(app: &mut App) -> Vec<Effect> {
    if app.recording.is_some() {
        return stop(app);
    }
    let at = app.real.strftime("%Y%m%dT%H%M%SZ");
    start(app, &format!("ngf-tui-{at}.jsonl"))
}

/// Begins a recording in this file.
pub(super) fn start(app: &mut App, file: &str) -> Vec<Effect> {
    if let Some(recording) = &app.recording {
        let name = sanitize::line(&recording.path.to_string_lossy(), 256);
        app.say(
            Mark::Info,
            format!("recording to {name} already; :stop ends it"),
        );
        return Vec::new();
    }
    let why_not = if !app.clock.is_live() {
        Some("What is shown was recorded earlier")
    } else if matches!(app.snapshot.source, Source::Files { .. }) {
        Some("These objects come from files: there is nothing to record over time")
    } else {
        None
    };
    if let Some(why) = why_not {
        app.say(Mark::Info, why);
        return Vec::new();
    }
    let path = PathBuf::from(file);
    app.recording = Some(Recording {
        path: path.clone(),
        moments: 0,
    });
    let name = sanitize::line(file, 256);
    app.say(Mark::Info, format!("recording to {name}; :stop ends it"));
    // What is on the screen is the first moment.
    vec![Effect::Record(path), super::diagnose(app)]
}

/// Ends the recording.
pub(super) fn stop(app: &mut App) -> Vec<Effect> {
    if app.recording.is_none() {
        app.say(Mark::Info, "Nothing is being recorded: :record begins");
        return Vec::new();
    }
    vec![Effect::EndRecording]
}

/// News of the recording.
pub(super) fn news(app: &mut App, news: RecordingNews) {
    match news {
        RecordingNews::Added { moments } => {
            if let Some(recording) = &mut app.recording {
                recording.moments = moments;
            }
        }
        RecordingNews::Ended(result) => {
            app.recording = None;
            match result {
                Ok(summary) => app.say_for(30, Mark::Ok, summary),
                Err(why) => app.say_for(30, Mark::Failed, why),
            }
        }
    }
}
