//! Handshake: the last probe as a sequence diagram, from the guide's eleven arrows, a line each, down to the
//! TLS messages on the wire.

use ngf_tls::transcript::Transcript;
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

use super::{
    cursor::{selected_message, shared_row},
    diagram, probe_context,
    running::{draw_so_far, happening, so_far},
    step::fields,
};
use crate::diagram::mark_of;
use crate::diagram::{Arrow, GATEWAY, Story, footnote, guide, lanes, of_arrows, wire};
use crate::tui::state::ids::ViewId;
use crate::tui::state::{App, Shown, Zoom, place::Place};
use crate::tui::views::{ViewInfo, search::Text};
use ngf_core::diagnosis::plan::ProbePlan;
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
pub(in crate::tui::views) fn searched(app: &App, area: Rect) -> Text {
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
pub(in crate::tui::views) fn searched_step(app: &App, area: Rect) -> Text {
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
pub(super) fn guide_of(app: &App) -> Option<Vec<Arrow>> {
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
