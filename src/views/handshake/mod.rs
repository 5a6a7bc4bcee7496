//! Handshake: the last probe as a sequence diagram, from the guide's eleven arrows down to the TLS
//! messages on the wire.

mod beside;
mod guide;
mod step;
mod wire;

use ngf_tls::transcript::{Outcome, StepStatus, Transcript};
use ngf_ui::{
    Label, Mark, Role, Theme,
    widgets::{
        sequence::{Diagram, Lane, Message, Sequence},
        textview::TextView,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    widgets::{StatefulWidget, Widget},
};

pub use step::{fields, title as step_title};

use super::{ViewId, ViewInfo};
use crate::app::state::{App, Pane, Shown, Zoom};
use ngf_core::diagnosis::{evidence::Probed, plan::ProbePlan};
use ngf_text::words;

/// The tab.
pub const VIEW: ViewInfo = ViewInfo {
    id: ViewId::Handshake,
    title: "Handshake",
    draw,
    describe,
    mark,
};

/// A message of the diagram, and the transcript's steps that it stands for.
pub struct Arrow {
    /// As it is drawn.
    pub message: Message,
    /// Indices into [`Transcript::steps`].
    pub steps: Vec<usize>,
}

/// Lanes of the diagram.
const CLIENT: usize = 0;
const GATEWAY: usize = 1;
const BACKEND: usize = 2;

/// The sign of an outcome.
pub fn mark_of(outcome: Outcome) -> Mark {
    match outcome {
        Outcome::Ok => Mark::Ok,
        _ => Mark::Failed,
    }
}

/// The sign of a step.
pub fn mark_of_step(status: StepStatus) -> Mark {
    match status {
        StepStatus::Ok => Mark::Ok,
        StepStatus::Warning => Mark::Warning,
        StepStatus::Failed => Mark::Failed,
    }
}

fn mark(app: &App) -> Option<Mark> {
    let shown = app.shown_probe()?;
    Some(match &shown.probed.result {
        Ok(transcript) => mark_of(transcript.nginx.outcome),
        Err(_) => Mark::Unknown,
    })
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme.clone();
    let Some(shown) = app.shown_probe() else {
        let lines = nothing_yet(app);
        let scroll = app.detail.scroll.entry(ViewId::Handshake).or_default();
        StatefulWidget::render(&TextView::new(&lines, &theme), area, buffer, scroll);
        return;
    };
    let strip = beside::strip(&shown, &theme);
    let picture = picture(&shown, app.detail.zoom, &theme);
    let [top, body] =
        Layout::vertical([Constraint::Length(strip.len() as u16), Constraint::Min(0)]).areas(area);
    Widget::render(&TextView::new(&strip, &theme).wrap(false), top, buffer);
    let focused = app.pane == Pane::Detail;
    let sequence = Sequence::new(&picture, &theme).focused(focused);
    StatefulWidget::render(&sequence, body, buffer, &mut app.detail.messages);
}

fn describe(app: &App, width: u16) -> Vec<String> {
    let Some(shown) = app.shown_probe() else {
        return TextView::new(&nothing_yet(app), &app.theme).to_text(width);
    };
    let strip = beside::strip(&shown, &app.theme);
    let mut text = TextView::new(&strip, &app.theme).to_text(width);
    let picture = picture(&shown, app.detail.zoom, &app.theme);
    text.extend(Sequence::new(&picture, &app.theme).to_text(width));
    text
}

/// The diagram of the handshake that is shown, with what stands beside it.
fn picture(shown: &Shown<'_>, zoom: Zoom, theme: &Theme) -> Diagram {
    let picture = match &shown.probed.result {
        Ok(transcript) => {
            let mut arrows = arrows(transcript, &shown.probed.plan, zoom);
            beside::attach(&mut arrows, transcript, shown.beside);
            let notes = beside::notes(&arrows, transcript, shown, theme);
            let mut picture = of_arrows(arrows, transcript, &shown.probed.plan);
            picture.footnote.extend(notes);
            picture
        }
        Err(why) => not_run(shown.probed, why),
    };
    with_count(picture, shown.number, shown.count)
}

fn nothing_yet(app: &App) -> Vec<Label> {
    if app.running.is_empty() {
        vec![
            Label::of(
                Role::Muted,
                "No handshake has been run with what is selected.",
            ),
            Label::of(Role::Muted, "Press ")
                .and(Role::Key, "r")
                .and(Role::Muted, " to run one, or ")
                .and(Role::Key, "P")
                .and(Role::Muted, " for every endpoint of the Gateway."),
        ]
    } else {
        vec![Label::of(Role::Muted, "A handshake is running…")]
    }
}

fn not_run(probed: &Probed, why: &str) -> Diagram {
    let mut diagram = Diagram {
        lanes: lanes(&probed.plan),
        ..Diagram::default()
    };
    diagram.messages.push(
        Message::new(GATEWAY, GATEWAY, "the probe could not be run")
            .mark(Mark::Unknown)
            .reason(Label::from(why.to_owned())),
    );
    diagram
}

fn with_count(mut diagram: Diagram, number: usize, count: usize) -> Diagram {
    if count > 1 {
        diagram.footnote.push(
            Label::of(
                Role::Muted,
                format!("endpoint {} of {count}, the worst first; ", number + 1),
            )
            .and(Role::Key, "]")
            .and(Role::Muted, " shows the next"),
        );
    }
    diagram
}

fn of_arrows(arrows: Vec<Arrow>, transcript: &Transcript, plan: &ProbePlan) -> Diagram {
    Diagram {
        lanes: lanes(plan),
        messages: arrows.into_iter().map(|arrow| arrow.message).collect(),
        footnote: footnote(transcript),
    }
}

/// The arrows of a transcript.
pub fn arrows(transcript: &Transcript, plan: &ProbePlan, zoom: Zoom) -> Vec<Arrow> {
    match zoom {
        Zoom::Guide => guide::arrows(transcript, plan),
        Zoom::Wire => wire::arrows(transcript),
    }
}

fn lanes(plan: &ProbePlan) -> Vec<Lane> {
    let endpoint = &plan.endpoint;
    vec![
        Lane::new("Client", "C"),
        Lane::new(
            format!("NGINX Gateway Fabric ({})", plan.gateway.name),
            "GW",
        ),
        Lane::new(
            format!(
                "{} {}:{}",
                plan.service.name, endpoint.address, endpoint.port
            ),
            "APP",
        ),
    ]
}

/// What everything came to, and by which means it was seen.
fn footnote(transcript: &Transcript) -> Vec<Label> {
    let nginx = &transcript.nginx;
    let mut lines = vec![Label::of(
        mark_of(nginx.outcome).role(),
        nginx.sentence.clone(),
    )];
    if let Some(line) = &nginx.log_line {
        lines.push(Label::of(Role::Muted, "nginx would log: ").and(Role::Evidence, line.clone()));
    }
    let mut means = vec![
        format!("via {}", transcript.via),
        transcript.engine.version.clone(),
    ];
    if let Some(tls) = &transcript.tls {
        means.push(format!("{} {}", tls.version, tls.cipher));
    }
    means.push(words::micros(transcript.duration_us));
    lines.push(Label::of(Role::Muted, means.join(" · ")));
    lines
}
