//! Handshake: the last probe as a sequence diagram, from the guide's eleven arrows down to the TLS
//! messages on the wire.

mod guide;
mod step;
mod wire;

use ngf_probes::transcript::{Outcome, StepStatus, Transcript};
use ngf_ui::{
    Label, Mark, Role,
    widgets::{
        sequence::{Diagram, Lane, Message, Sequence},
        textview::TextView,
    },
};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

pub use step::{fields, title as step_title};

use super::{ViewId, ViewInfo, words};
use crate::{
    app::state::{App, Zoom},
    diagnosis::{evidence::Probed, plan::ProbePlan},
};

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
    let (probed, ..) = app.shown_probe()?;
    Some(match &probed.result {
        Ok(transcript) => mark_of(transcript.nginx.outcome),
        Err(_) => Mark::Unknown,
    })
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme.clone();
    let Some((probed, number, count)) = app.shown_probe() else {
        let lines = nothing_yet(app);
        let scroll = app.detail.scroll.entry(ViewId::Handshake).or_default();
        TextView::new(&lines, &theme).render(area, buffer, scroll);
        return;
    };
    let diagram = match &probed.result {
        Ok(transcript) => diagram(transcript, &probed.plan, app.detail.zoom),
        Err(why) => not_run(probed, why),
    };
    let diagram = with_count(diagram, number, count);
    Sequence::new(&diagram, &theme)
        .focused(app.pane == crate::app::state::Pane::Detail)
        .render(area, buffer, &mut app.detail.messages);
}

fn describe(app: &App, width: u16) -> Vec<String> {
    match app.shown_probe() {
        None => TextView::new(&nothing_yet(app), &app.theme).to_text(width),
        Some((probed, number, count)) => {
            let diagram = match &probed.result {
                Ok(transcript) => diagram(transcript, &probed.plan, app.detail.zoom),
                Err(why) => not_run(probed, why),
            };
            Sequence::new(&with_count(diagram, number, count), &app.theme).to_text(width)
        }
    }
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

/// The diagram of a transcript.
pub fn diagram(transcript: &Transcript, plan: &ProbePlan, zoom: Zoom) -> Diagram {
    Diagram {
        lanes: lanes(plan),
        messages: arrows(transcript, plan, zoom)
            .into_iter()
            .map(|arrow| arrow.message)
            .collect(),
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
