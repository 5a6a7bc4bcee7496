//! Every step of a transcript as an arrow: the messages on the wire.

use ngf_tls::transcript::{Direction, Layer, Step, StepStatus, Transcript};
use ngf_ui::{Label, Mark, Role, widgets::sequence::Message};

use super::{Arrow, BACKEND, GATEWAY, mark_of_step};
use ngf_text::words;

/// The arrows, one for each step.
pub(super) fn arrows(transcript: &Transcript) -> Vec<Arrow> {
    transcript
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| Arrow {
            message: message(step),
            short: String::new(),
            steps: vec![index],
        })
        .collect()
}

fn message(step: &Step) -> Message {
    let (from, to) = match step.direction {
        Direction::Sent => (GATEWAY, BACKEND),
        Direction::Received => (BACKEND, GATEWAY),
        Direction::Local => (GATEWAY, GATEWAY),
    };
    let mut label = Label::of(Role::Strong, step.name.clone());
    let is_failure = step.status == StepStatus::Failed;
    if !step.summary.is_empty() && !is_failure {
        label = label.and(Role::Normal, format!(" · {}", step.summary));
    }
    if step.beyond_nginx {
        label = label.and(Role::Muted, " (nginx would have closed before)");
    }
    let mut message = Message::new(from, to, label).facts(facts(step));
    if is_failure || step.status == StepStatus::Warning {
        message = message.mark(mark_of_step(step.status));
    } else if step.layer == Layer::Verify {
        message = message.mark(Mark::Ok);
    } else if step.beyond_nginx {
        message = message.mark(Mark::Muted);
    }
    if is_failure {
        message = message.reason(Label::from(step.summary.clone()));
    }
    message
}

/// Size and time.
pub(super) fn facts(step: &Step) -> Label {
    let time = words::micros(step.at_us);
    match step.bytes {
        Some(bytes) => Label::of(Role::Muted, format!("{} {time}", words::bytes(bytes))),
        None => Label::of(Role::Muted, time),
    }
}
