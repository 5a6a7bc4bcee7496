//! One message of the diagram, opened: the decoded fields of its steps.

use ngf_ui::{Label, Role};

use super::arrows;
use crate::{app::state::App, views::words};

/// The title for the opened message.
pub fn title(app: &App, message: usize) -> String {
    let Some((probed, ..)) = app.shown_probe() else {
        return String::new();
    };
    let Ok(transcript) = &probed.result else {
        return String::new();
    };
    let arrows = arrows(transcript, &probed.plan, app.detail.zoom);
    arrows
        .get(message)
        .map(|arrow| match arrow.message.number.as_str() {
            "" => arrow.message.label.plain(),
            number => format!("{number} {}", arrow.message.label.plain()),
        })
        .unwrap_or_default()
}

/// Its lines: for each step name, time, size, summary and fields.
pub fn fields(app: &App, message: usize) -> Vec<Label> {
    let Some((probed, ..)) = app.shown_probe() else {
        return Vec::new();
    };
    let transcript = match &probed.result {
        Ok(transcript) => transcript,
        Err(why) => return vec![Label::from(why.clone())],
    };
    let arrows = arrows(transcript, &probed.plan, app.detail.zoom);
    let Some(arrow) = arrows.get(message) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for text in [&arrow.message.reason, &arrow.message.evidence] {
        if !text.is_empty() {
            lines.push(text.clone());
        }
    }
    for step in arrow
        .steps
        .iter()
        .filter_map(|index| transcript.steps.get(*index))
    {
        if !lines.is_empty() {
            lines.push(Label::new());
        }
        let size = step
            .bytes
            .map(|bytes| format!(" · {bytes} bytes"))
            .unwrap_or_default();
        lines.push(Label::of(Role::Title, step.name.clone()).and(
            Role::Muted,
            format!("  at {}{size}", words::micros(step.at_us)),
        ));
        lines.push(Label::from(step.summary.clone()));
        let width = step
            .fields
            .iter()
            .map(|field| field.name.len())
            .max()
            .unwrap_or_default();
        for field in &step.fields {
            lines.push(
                Label::of(Role::Accent, format!("  {:<width$}  ", field.name))
                    .and(Role::Normal, field.value.clone()),
            );
        }
    }
    if arrow.steps.is_empty() {
        lines.push(Label::of(
            Role::Muted,
            "Nothing passed on the wire for this arrow.",
        ));
    }
    lines
}
