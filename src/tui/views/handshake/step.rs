//! One message of the diagram, opened: the decoded fields of its steps.

use ngf_tls::transcript::Step;
use ngf_ui::{Label, Role, widgets::fields::Field};

use super::{probe_context, view::arrows};
use crate::tui::state::App;
use ngf_text::words;

/// The title for the opened message.
pub fn title(app: &App, message: usize) -> String {
    let Some(shown) = app.shown_probe() else {
        return String::new();
    };
    let Ok(transcript) = &shown.probed.result else {
        return String::new();
    };
    let arrows = arrows(transcript, &shown.probed.plan, app.detail.zoom);
    match arrows.get(message).map(|arrow| &arrow.message) {
        None => "Around this probe".to_owned(),
        Some(message) if message.number.is_empty() => message.label.plain(),
        Some(message) => format!("{} {}", message.number, message.label.plain()),
    }
}

/// How the breadcrumb calls it: `step 8`.
pub fn name(app: &App, message: usize) -> String {
    let arrows = app.shown_probe().and_then(|shown| {
        let transcript = shown.probed.result.as_ref().ok()?;
        Some(arrows(transcript, &shown.probed.plan, app.detail.zoom))
    });
    let arrow = arrows.as_ref().and_then(|arrows| arrows.get(message));
    match arrow.map(|arrow| arrow.message.number.as_str()) {
        Some("") => format!("message {}", message + 1),
        Some(number) => format!("step {number}"),
        None => "around this probe".to_owned(),
    }
}

/// A field's name for eyes: OpenSSL calls the verify callback once for each error, and for each certificate.
fn called(name: &str) -> String {
    let number = name
        .strip_prefix("verify_trace[")
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|number| number.parse::<usize>().ok());
    match number {
        Some(number) => format!("verify callback {}", number + 1),
        None => name.to_owned(),
    }
}

/// What there is to say of it: for each step name, time, size, summary and decoded fields.
pub fn fields(app: &App, message: usize) -> Vec<Field> {
    let Some(shown) = app.shown_probe() else {
        return Vec::new();
    };
    let transcript = match &shown.probed.result {
        Ok(transcript) => transcript,
        Err(why) => return vec![Field::Text(Label::from(why.clone()))],
    };
    let mut arrows = arrows(transcript, &shown.probed.plan, app.detail.zoom);
    probe_context::with_client(&mut arrows, &shown);
    let Some(arrow) = arrows.get(message) else {
        return probe_context::fields(&shown);
    };
    let mut fields = Vec::new();
    for text in [&arrow.message.reason, &arrow.message.evidence] {
        if !text.is_empty() {
            fields.push(Field::Text(text.clone()));
        }
    }
    let own = arrow.steps.iter();
    let own = own.filter_map(|index| transcript.steps.get(*index));
    fields.extend(probe_context::of_listener(arrow, &shown));
    let steps: Vec<&Step> = own
        .chain(probe_context::client_steps(arrow, shown.context))
        .collect();
    for step in &steps {
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
        fields.extend(decoded.map(|field| {
            let value = if field.value.is_empty() {
                Label::of(Role::Muted, "empty")
            } else {
                Label::from(field.value.clone())
            };
            Field::new(called(&field.name), value)
        }));
    }
    if steps.is_empty() && fields.is_empty() {
        let nothing = "Not probed: no message of the probe belongs to this arrow.";
        fields.push(Field::Text(Label::of(Role::Muted, nothing)));
    }
    let logged = probe_context::logged_at(arrow, transcript, shown.context);
    if !logged.is_empty() {
        fields.push(Field::Gap);
        fields.push(Field::heading(Label::of(Role::Title, "Logged meanwhile")));
        fields.extend(logged.into_iter().flat_map(probe_context::logged));
    }
    fields
}
