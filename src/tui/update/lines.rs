//! Logs line by line: the last lines as they were written, beside what they mean.

use ngf_ui::Mark;

use crate::tui::{
    state::{
        App,
        event::Effect,
        ids::ViewId,
        lines::{CONTAINERS, Lines, Read},
    },
    views::logs,
};
use ngf_core::model::snapshot::Source;

/// Shows the lines as they were written, read now; or what they mean again.
pub(super) fn toggle(app: &mut App) -> Vec<Effect> {
    app.detail.scroll.remove(&ViewId::Logs);
    if app.detail.lines.take().is_some() {
        return Vec::new();
    }
    if !app.clock.is_live() || !matches!(app.snapshot.source, Source::Cluster { .. }) {
        app.say(
            Mark::Info,
            "The lines themselves are in the cluster: here is what they mean",
        );
        return Vec::new();
    }
    let mut of = logs::containers(app);
    if of.is_empty() {
        app.say(Mark::Info, "No log has been read about it");
        return Vec::new();
    }
    if of.len() > CONTAINERS {
        let left = of.len() - CONTAINERS;
        app.say(
            Mark::Info,
            format!("{left} more logs are left out: select one endpoint or pod"),
        );
        of.truncate(CONTAINERS);
    }
    app.jobs += 1;
    app.detail.lines = Some(Lines {
        number: app.jobs,
        is_reading: true,
        ..Lines::default()
    });
    vec![Effect::ReadLines(app.jobs, of)]
}

/// Lines were read; those that nobody waits for any more are dropped.
pub(super) fn read(app: &mut App, number: u64, read: Read) {
    if let Some(lines) = app
        .detail
        .lines
        .as_mut()
        .filter(|lines| lines.number == number)
    {
        lines.take(read);
    }
}
