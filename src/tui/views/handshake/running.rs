//! A handshake that runs: the arrows that have happened so far.

use super::diagram;
use crate::diagram::{Arrow, Story, guide};
use crate::tui::state::App;
use ngf_core::diagnosis::plan::{ProbePlan, ProbeTarget, plan};
use ngf_tls::{
    protocol::Protocol,
    transcript::{ClientCertificate, Engine, NginxVerdict, Outcome, Step, Transcript},
};
use ngf_ui::{
    Label, ListState, Role, Theme,
    widgets::{
        entries::{Entries, Entry},
        textview::TextView,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    widgets::{StatefulWidget, Widget},
};

/// A handshake of what is selected that runs: its plan, and what happened so far.
pub(super) fn happening(app: &App) -> Option<(ProbePlan, &[Step])> {
    if app.steps.is_empty() {
        return None;
    }
    let (_, node) = app.selected()?;
    let target = ProbeTarget::Node(node.id.clone());
    let plans = plan(&app.snapshot, &target).ok()?;
    plans.into_iter().find_map(|plan| {
        let steps = app.steps.get(&plan.key())?;
        Some((plan, steps.as_slice()))
    })
}

/// The arrows that have happened so far: the others are not drawn, since it is unknown whether they will.
pub(super) fn draw_so_far(
    plan: &ProbePlan,
    steps: &[Step],
    theme: &Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let story = Story::from(plan);
    let transcript = so_far(steps);
    let arrows = guide(&transcript, &story);
    let last = arrows
        .iter()
        .rposition(|arrow| !arrow.steps.is_empty())
        .unwrap_or(0);
    let shown: Vec<Arrow> = arrows.into_iter().take(last + 1).collect();
    let options = diagram::Options {
        theme,
        replay: None,
        to_scale: false,
        before: None,
    };
    let [top, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let room = usize::from(area.width.saturating_sub(3));
    let heads = diagram::heads(&story.backend, room, theme);
    let heads = Label::from("  ").joined(&heads);
    Widget::render(&TextView::new(&[heads], theme).wrap(false), top, buffer);
    let make = |width: u16, _| {
        let width = usize::from(width);
        let mut entries = diagram::entries(&shown, &transcript, &options, width, usize::MAX);
        let name = steps.last().map_or("", |step| step.name.as_str());
        let words = format!("the handshake is running: {name}{}", theme.glyphs.ellipsis);
        entries.push(Entry::of([Label::of(Role::Accent, words)]));
        entries
    };
    let mut state = ListState::at(last + 1);
    Entries::new(&make, theme)
        .focused(false)
        .render(body, buffer, &mut state);
}

/// What a probe that runs has seen, as a transcript without a verdict.
pub(super) fn so_far(steps: &[Step]) -> Transcript {
    let requested = steps.iter().any(|step| step.name == "CertificateRequest");
    Transcript {
        schema: String::new(),
        started_at: String::new(),
        duration_us: steps.last().map_or(0, |step| step.at_us),
        target: String::new(),
        address: None,
        protocol: Protocol::default(),
        via: String::new(),
        engine: Engine {
            name: String::new(),
            version: String::new(),
        },
        nginx: NginxVerdict {
            outcome: Outcome::Ok,
            verify_code: None,
            verify_text: None,
            alert: None,
            client_status: None,
            log_line: None,
            sentence: String::new(),
        },
        not_proven: Vec::new(),
        judged_at: None,
        expires_first: None,
        second_opinion: None,
        tls: None,
        verify_trace: Vec::new(),
        client_certificate: ClientCertificate {
            requested,
            ..ClientCertificate::default()
        },
        server_chain: Vec::new(),
        steps: steps.to_vec(),
        records: Vec::new(),
        http: None,
    }
}
