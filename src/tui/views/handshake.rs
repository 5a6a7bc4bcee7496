//! Handshake: the last probe as a sequence diagram, from the guide's eleven arrows, a line each, down to the
//! TLS messages on the wire.

mod diagram;
mod probe_context;
mod step;

use ngf_tls::{
    protocol::Protocol,
    transcript::{ClientCertificate, Engine, NginxVerdict, Outcome, Step, Transcript},
};
use ngf_ui::{
    Label, ListState, Mark, Role, Theme,
    text::{hang, wrap},
    widgets::{
        entries::{Entries, Entry},
        fields::Fields,
        sequence::{Diagram, Message, Sequence},
        textview::TextView,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    widgets::{StatefulWidget, Widget},
};

pub use step::{fields, name as step_name, title as step_title};

pub use crate::diagram::mark_of;

use super::{ViewInfo, chain, search::Text};
use crate::diagram::{Arrow, GATEWAY, Story, footnote, guide, lanes, of_arrows, wire};
use crate::tui::state::ids::ViewId;
use crate::tui::state::{App, Shown, Zoom, place::Place};
use ngf_core::diagnosis::plan::{ProbePlan, ProbeTarget, plan};
use ngf_text::words;

/// The tab.
pub const VIEW: ViewInfo = ViewInfo {
    id: ViewId::Handshake,
    title: "Handshake",
    draw,
    describe,
    mark,
};

fn mark(app: &App) -> Option<Mark> {
    let shown = app.shown_probe()?;
    Some(match &shown.probed.result {
        Ok(transcript) => mark_of(transcript.nginx.outcome),
        Err(_) => Mark::Unknown,
    })
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme.clone();
    let mut messages = app.detail.messages;
    if let Some((plan, steps)) = happening(app) {
        draw_so_far(&plan, steps, &theme, area, buffer);
        return;
    }
    let Some(shown) = app.shown_probe() else {
        let lines = nothing_yet(app);
        let scroll = app.detail.scroll.entry(ViewId::Handshake).or_default();
        StatefulWidget::render(&TextView::new(&lines, &theme), area, buffer, scroll);
        return;
    };
    match (&shown.probed.result, app.detail.zoom) {
        (Ok(transcript), Zoom::Guide) => {
            let [top, body] =
                Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
            let room = usize::from(area.width.saturating_sub(3));
            let heads = diagram::heads(&Story::from(&*shown.probed.plan).backend, room, &theme);
            Widget::render(
                &TextView::new(&[Label::from("  ").joined(&heads)], &theme).wrap(false),
                top,
                buffer,
            );
            let make = |width: u16, selected| entries(app, &shown, transcript, width, selected);
            // Beside the chain it shows where it fails.
            let has_keys = app.detail.view == ViewId::Handshake;
            if !has_keys {
                let mut state = ListState::at(shared_row(app).unwrap_or_default());
                Entries::new(&make, &theme)
                    .focused(false)
                    .render(body, buffer, &mut state);
                return;
            }
            Entries::new(&make, &theme).render(body, buffer, &mut messages);
        }
        _ => {
            let strip = probe_context::strip(&shown, &theme);
            let strip: Vec<Label> = strip
                .iter()
                .flat_map(|line| hang(&Label::new(), line, usize::from(area.width)))
                .take(usize::from(area.height / 2))
                .collect();
            let picture = picture(&shown, app.detail.zoom, &theme);
            let [top, body] =
                Layout::vertical([Constraint::Length(strip.len() as u16), Constraint::Min(0)])
                    .areas(area);
            Widget::render(&TextView::new(&strip, &theme).wrap(false), top, buffer);
            let sequence = Sequence::new(&picture, &theme).focused(true);
            StatefulWidget::render(&sequence, body, buffer, &mut messages);
        }
    }
    app.detail.messages = messages;
}

/// What is searched: the steps with all that they say.
pub(super) fn searched(app: &App, area: Rect) -> Text {
    if happening(app).is_some() {
        return Text::Rows(Vec::new());
    }
    let Some(shown) = app.shown_probe() else {
        return Text::of(&TextView::new(&nothing_yet(app), &app.theme), area);
    };
    match (&shown.probed.result, app.detail.zoom) {
        (Ok(transcript), Zoom::Guide) => {
            let mut drawn = arrows(transcript, &shown.probed.plan, Zoom::Guide);
            probe_context::attach(&mut drawn, transcript, &shown);
            let mut texts = diagram::texts(&drawn);
            texts.push(joined(&around(&drawn, &shown, transcript, &app.theme)));
            Text::Entries(texts)
        }
        _ => {
            let picture = picture(&shown, app.detail.zoom, &app.theme);
            let messages = picture.messages.iter().map(diagram::text);
            let notes = picture.footnote.iter().map(Label::plain);
            Text::Entries(messages.chain(notes).collect())
        }
    }
}

/// What is searched in the decoded fields of a step.
pub(super) fn searched_step(app: &App, area: Rect) -> Text {
    let Place::Step(message) = *app.place() else {
        return Text::Rows(Vec::new());
    };
    Text::Rows(Fields::new(&fields(app, message), &app.theme).rows(area))
}

/// Labels, a line each.
fn joined(labels: &[Label]) -> String {
    let lines: Vec<String> = labels.iter().map(Label::plain).collect();
    lines.join("\n")
}

fn describe(app: &App, width: u16) -> Vec<String> {
    let Some(shown) = app.shown_probe() else {
        return TextView::new(&nothing_yet(app), &app.theme).to_text(width);
    };
    let strip = probe_context::strip(&shown, &app.theme);
    let mut text = TextView::new(&strip, &app.theme).to_text(width);
    match (&shown.probed.result, app.detail.zoom) {
        (Ok(transcript), Zoom::Guide) => {
            let make = |width: u16, selected| entries(app, &shown, transcript, width, selected);
            text.extend(Entries::new(&make, &app.theme).to_text(width));
        }
        _ => {
            let picture = picture(&shown, app.detail.zoom, &app.theme);
            text.extend(Sequence::new(&picture, &app.theme).to_text(width));
        }
    }
    text
}

/// The guide's arrows as entries, and below them what is known around the probe.
fn entries(
    app: &App,
    shown: &Shown<'_>,
    transcript: &Transcript,
    width: u16,
    selected: usize,
) -> Vec<Entry> {
    let theme = &app.theme;
    let mut drawn = arrows(transcript, &shown.probed.plan, Zoom::Guide);
    probe_context::attach(&mut drawn, transcript, shown);
    let before = app.detail.compare.then(|| app.good_probe()).flatten();
    let before = before.and_then(|good| {
        let transcript = good.result.as_ref().ok()?;
        Some(arrows(transcript, &good.plan, Zoom::Guide))
    });
    let options = diagram::Options {
        theme,
        replay: app.detail.replay,
        to_scale: app.detail.to_scale,
        before: before.as_deref(),
    };
    let width = usize::from(width);
    let mut entries = diagram::entries(&drawn, transcript, &options, width, selected);
    if app.detail.replay.is_none() {
        let around = around(&drawn, shown, transcript, theme);
        entries.push(Entry::of(
            around.iter().flat_map(|label| wrap(label, width)),
        ));
    }
    entries
}

/// What the handshake came to, and what is known around it: an entry of its own below the arrows.
fn around(
    arrows: &[Arrow],
    shown: &Shown<'_>,
    transcript: &Transcript,
    theme: &Theme,
) -> Vec<Label> {
    let mut labels = probe_context::strip(shown, theme);
    // The verdict itself is said above already.
    labels.extend(footnote(transcript).into_iter().skip(1));
    labels.extend(probe_context::notes(arrows, transcript, shown, theme));
    if shown.count > 1 {
        let words = format!("endpoint {} of {}; ", shown.number + 1, shown.count);
        labels.push(
            Label::of(Role::Muted, words)
                .and(Role::Key, ">")
                .and(Role::Muted, " shows the next"),
        );
    }
    labels
}

/// The guide's arrows of the probe that is shown.
fn guide_of(app: &App) -> Option<Vec<Arrow>> {
    let shown = app.shown_probe()?;
    let transcript = shown.probed.result.as_ref().ok()?;
    Some(arrows(transcript, &shown.probed.plan, Zoom::Guide))
}

/// The guide's arrows of the probe that is shown with its context, and what else is known around it.
pub fn told(app: &App) -> Option<(Vec<Arrow>, Vec<Label>)> {
    let shown = app.shown_probe()?;
    let transcript = shown.probed.result.as_ref().ok()?;
    let mut arrows = arrows(transcript, &shown.probed.plan, Zoom::Guide);
    probe_context::attach(&mut arrows, transcript, &shown);
    let notes = probe_context::notes(&arrows, transcript, &shown, &app.theme);
    Some((arrows, notes))
}

/// The entry of the step that fails; `None` where none does, or no handshake was run.
pub fn at_fault(app: &App) -> Option<usize> {
    diagram::at_fault(&guide_of(app)?)
}

/// The number of the message that is selected; the number after the last one stands for what is around them.
pub fn selected_message(app: &App) -> usize {
    let selected = app.detail.messages.selected;
    if app.detail.zoom == Zoom::Wire {
        return selected;
    }
    let Some(arrows) = guide_of(app) else {
        return selected;
    };
    let rows = diagram::rows(&arrows);
    rows.get(selected)
        .map_or(arrows.len(), |row| row.arrows.start)
}

/// The numbers of the arrows with which a direction of trust begins: the gateway's certificate, the backend's.
const PROOFS: [&str; 2] = ["5", "7"];

/// The row that belongs to the direction of trust on which the chain's cursor is; the fault, where that is broken.
fn shared_row(app: &App) -> Option<usize> {
    let fault = at_fault(app);
    let Some((direction, is_broken)) = chain::direction(app) else {
        return fault;
    };
    if is_broken && fault.is_some() {
        return fault;
    }
    let arrows = guide_of(app)?;
    let number = PROOFS.get(direction)?;
    let rows = diagram::rows(&arrows);
    let is_it = |row: &diagram::Row| {
        let mut own = arrows[row.arrows.clone()].iter();
        own.any(|arrow| arrow.message.number == *number)
    };
    rows.iter().position(is_it).or(fault)
}

/// The direction of trust that the selected step belongs to, from 0.
pub(super) fn direction(app: &App) -> Option<usize> {
    let arrows = guide_of(app)?;
    let number = &arrows.get(selected_message(app))?.message.number;
    match number.as_str() {
        "4" | "5" | "6" => Some(0),
        "7" | "8" => Some(1),
        _ => None,
    }
}

/// The message that the cursor is on, or where the chain has the keys the one that fails.
pub fn pointed_at(app: &App) -> usize {
    if app.detail.view == ViewId::Handshake {
        return selected_message(app);
    }
    let Some(arrows) = guide_of(app) else {
        return 0;
    };
    let rows = diagram::rows(&arrows);
    let fault = shared_row(app).and_then(|row| rows.get(row));
    fault.map_or(arrows.len(), |row| row.arrows.start)
}

/// Draws one step more of a replay; after the last one all of them are there again.
pub fn replay(app: &mut App) {
    let Some(arrows) = guide_of(app) else {
        app.say(Mark::Info, "No handshake has been run here: press r");
        return;
    };
    let rows = diagram::rows(&arrows).len();
    let drawn = app.detail.replay.map_or(1, |drawn| drawn + 1);
    app.detail.zoom = Zoom::Guide;
    if drawn > rows {
        app.detail.replay = None;
        app.say(Mark::Info, "That was the whole handshake");
    } else {
        app.detail.replay = Some(drawn);
        app.detail.messages = ListState::at(drawn - 1);
    }
}

/// Compares with the last good probe of the endpoint, or stops it.
pub fn compare(app: &mut App) {
    if app.detail.compare {
        app.detail.compare = false;
    } else if let Some(good) = app.good_probe() {
        let ago = words::age(good.at, app.now);
        app.detail.compare = true;
        app.say(
            Mark::Info,
            format!("compared with the good probe of {ago} ago"),
        );
    } else {
        app.say(
            Mark::Info,
            "no probe of this endpoint has gone well since the program started",
        );
    }
}

/// The diagram of the handshake that is shown, with its context.
fn picture(shown: &Shown<'_>, zoom: Zoom, theme: &Theme) -> Diagram {
    let picture = match &shown.probed.result {
        Ok(transcript) => {
            let mut arrows = arrows(transcript, &shown.probed.plan, zoom);
            probe_context::attach(&mut arrows, transcript, shown);
            let notes = probe_context::notes(&arrows, transcript, shown, theme);
            let mut picture = of_arrows(arrows, transcript, &Story::from(&*shown.probed.plan));
            picture.footnote.extend(notes);
            picture
        }
        Err(why) => not_run(shown, why),
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

fn not_run(shown: &Shown<'_>, why: &str) -> Diagram {
    let story = Story::from(&*shown.probed.plan);
    let mut diagram = Diagram {
        lanes: lanes(&story),
        ..Diagram::default()
    };
    if shown.listener.is_some() {
        // What its listener does is known all the same.
        let mut arrows = guide(&so_far(&[]), &story);
        arrows.truncate(1);
        probe_context::with_client(&mut arrows, shown);
        diagram
            .messages
            .extend(arrows.into_iter().map(|arrow| arrow.message));
    }
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
            .and(Role::Key, ">")
            .and(Role::Muted, " shows the next"),
        );
    }
    diagram
}

/// The arrows of a transcript.
pub fn arrows(transcript: &Transcript, plan: &ProbePlan, zoom: Zoom) -> Vec<Arrow> {
    match zoom {
        Zoom::Guide => guide(transcript, &Story::from(plan)),
        Zoom::Wire => wire(transcript),
    }
}

/// The step that is selected, in words.
pub fn selected_text(app: &App) -> Option<String> {
    let shown = app.shown_probe()?;
    let transcript = shown.probed.result.as_ref().ok()?;
    let drawn = arrows(transcript, &shown.probed.plan, app.detail.zoom);
    let Some(arrow) = drawn.get(selected_message(app)) else {
        return Some(transcript.nginx.sentence.clone());
    };
    let message = &arrow.message;
    let parts = [&message.label, &message.reason, &message.evidence];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(Label::plain)
        .collect();
    Some(
        format!("{} {}", message.number, parts.join("\n"))
            .trim()
            .to_owned(),
    )
}

/// The entry at a line of the screen, where the guide's arrows are drawn in this area.
pub fn at(app: &App, area: Rect, y: u16) -> Option<usize> {
    let shown = app.shown_probe()?;
    let transcript = shown.probed.result.as_ref().ok()?;
    if app.detail.zoom != Zoom::Guide {
        return None;
    }
    // The names of the lanes are above.
    let body = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let make = |width: u16, selected| entries(app, &shown, transcript, width, selected);
    Entries::new(&make, &app.theme).at(y, body, &app.detail.messages)
}

/// Columns in which every arrow of the guide is drawn whole; `None` where something else is shown.
pub fn width(app: &App) -> Option<u16> {
    let arrows = guide_of(app)?;
    if app.detail.zoom != Zoom::Guide || app.detail.to_scale {
        return None;
    }
    u16::try_from(diagram::width(&arrows) + CURSOR).ok()
}

/// Columns at the left for the cursor, and at the right for the scroll bar.
const CURSOR: usize = 3;

/// A handshake of what is selected that runs: its plan, and what happened so far.
fn happening(app: &App) -> Option<(ProbePlan, &[Step])> {
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
fn draw_so_far(plan: &ProbePlan, steps: &[Step], theme: &Theme, area: Rect, buffer: &mut Buffer) {
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
fn so_far(steps: &[Step]) -> Transcript {
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
