//! One message of the diagram, opened: the decoded fields of its steps.

use ngf_ui::{Label, Role, widgets::fields::Field};

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

/// What there is to say of it: for each step name, time, size, summary and decoded fields.
pub fn fields(app: &App, message: usize) -> Vec<Field> {
    let Some((probed, ..)) = app.shown_probe() else {
        return Vec::new();
    };
    let transcript = match &probed.result {
        Ok(transcript) => transcript,
        Err(why) => return vec![Field::Text(Label::from(why.clone()))],
    };
    let arrows = arrows(transcript, &probed.plan, app.detail.zoom);
    let Some(arrow) = arrows.get(message) else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    for text in [&arrow.message.reason, &arrow.message.evidence] {
        if !text.is_empty() {
            fields.push(Field::Text(text.clone()));
        }
    }
    for step in arrow
        .steps
        .iter()
        .filter_map(|index| transcript.steps.get(*index))
    {
        if !fields.is_empty() {
            fields.push(Field::Gap);
        }
        let size = step
            .bytes
            .map(|bytes| format!(" · {bytes} bytes"))
            .unwrap_or_default();
        fields.push(Field::heading(
            Label::of(Role::Title, step.name.clone()).and(
                Role::Muted,
                format!("  at {}{size}", words::micros(step.at_us)),
            ),
        ));
        fields.push(Field::Text(Label::from(step.summary.clone())));
        let decoded = step.fields.iter();
        fields.extend(decoded.map(|field| Field::new(field.name.clone(), field.value.clone())));
    }
    if arrow.steps.is_empty() {
        let nothing = "Nothing passed on the wire for this arrow.";
        fields.push(Field::Text(Label::of(Role::Muted, nothing)));
    }
    fields
}
