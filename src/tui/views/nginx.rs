//! nginx: its configuration for the connections of the page, as NGF renders it from the objects, beside what the
//! data-plane pods are using.

use ngf_ui::{Label, Mark, Role, text::hang, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::{ViewInfo, search::Text};
use crate::tui::state::{App, ids::ViewId};
use ngf_core::{
    diagnosis::{
        configured::{Configured, Line, State, configured},
        plan::ProbeTarget,
        words::list,
    },
    model::{object::ObjectRef, topology::NodeKind},
};
use ngf_text::words;

/// The tab.
pub const VIEW: ViewInfo = ViewInfo {
    id: ViewId::Nginx,
    title: "nginx",
    draw,
    describe,
    mark: |_| None,
};

/// Connections that are shown of one page.
const MOST: usize = 50;

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let lines = lines(app, area.width.saturating_sub(1));
    let scroll = app.detail.scroll.entry(ViewId::Nginx).or_default();
    TextView::new(&lines, &app.theme).render(area, buffer, scroll);
}

/// What is searched.
pub(super) fn searched(app: &App, area: Rect) -> Text {
    let lines = lines(app, area.width.saturating_sub(1));
    Text::of(&TextView::new(&lines, &app.theme), area)
}

fn describe(app: &App, width: u16) -> Vec<String> {
    TextView::new(&lines(app, width), &app.theme).to_text(width)
}

/// The sign of a line.
pub fn mark_of(state: State) -> Mark {
    match state {
        State::Same => Mark::Ok,
        State::Different => Mark::Failed,
        State::Unknown => Mark::Unknown,
    }
}

/// The Gateways whose data planes the place is about: that of the page, or all of them.
pub fn gateways(app: &App) -> Vec<ObjectRef> {
    let of_page = app.places.subject().and_then(|subject| {
        let (index, _) = subject.find(&app.diagnosis.topology)?;
        app.diagnosis.topology.above(index, |node| match node.what {
            NodeKind::Gateway => node.object.clone(),
            _ => None,
        })
    });
    match of_page {
        Some(gateway) => vec![gateway],
        None => app.snapshot.gateways.keys().cloned().collect(),
    }
}

/// What the data-plane pods use, in short.
pub fn live(line: &Line, of: &Configured) -> String {
    let read = of.pods.iter().filter(|asked| asked.missing.is_none());
    let read = read.count();
    if read == 0 {
        return "not read".to_owned();
    }
    let pods = |count: usize| {
        if read == 1 {
            String::new()
        } else {
            format!(" in {count} of {}", words::count(read, "pod"))
        }
    };
    let all: Vec<String> = line
        .live
        .iter()
        .map(|(value, in_pods)| {
            let value = value.as_deref().unwrap_or("missing");
            format!("{value}{}", pods(in_pods.len()))
        })
        .collect();
    if all.is_empty() {
        "not known".to_owned()
    } else {
        all.join("; ")
    }
}

fn lines(app: &App, width: u16) -> Vec<Label> {
    let Some((_, node)) = app.selected() else {
        let words = "This object is on no path from a Gateway to a backend.";
        return vec![Label::of(Role::Muted, words)];
    };
    let target = ProbeTarget::Node(node.id.clone());
    let topology = &app.diagnosis.topology;
    let all = match configured(&app.snapshot, topology, &app.evidence, &target, app.now) {
        Ok(all) => all,
        Err(why) => return vec![Label::of(Role::Muted, why.to_string())],
    };
    let mut lines = Vec::new();
    for one in all.iter().take(MOST) {
        if !lines.is_empty() {
            lines.push(Label::new());
        }
        of_connection(app, one, usize::from(width), &mut lines);
    }
    if all.len() > MOST {
        let more = format!("and {} more; :nginx lists all", all.len() - MOST);
        lines.push(Label::of(Role::Muted, more));
    }
    lines
}

fn of_connection(app: &App, one: &Configured, width: usize, lines: &mut Vec<Label>) {
    let connection = &one.connection;
    let title = format!(
        "{} to {}:{}, for Host {}",
        connection.route, connection.service, connection.port, connection.host
    );
    lines.push(Label::of(Role::Title, title));
    lines.extend(sources(app, one));
    for line in &one.lines {
        let sign = Label::new()
            .text("  ")
            .mark(mark_of(line.state), &app.theme)
            .text(" ")
            .and(Role::Accent, line.name.clone());
        if line.state == State::Same {
            let value = line.predicted.clone().unwrap_or_default();
            let sign = sign.text(" ");
            lines.extend(hang(&sign, &Label::from(value), width));
            continue;
        }
        lines.push(sign);
        let predicted = match &line.predicted {
            Some(value) => Label::from(value.clone()),
            None => Label::of(Role::Muted, "NGF renders no such directive"),
        };
        let head = Label::of(Role::Muted, "      from the objects  ");
        lines.extend(hang(&head, &predicted, width));
        for (value, pods) in &line.live {
            let value = value.as_deref().unwrap_or("missing");
            let names: Vec<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
            let head = Label::of(Role::Muted, "      in use            ");
            let value = Label::of(Role::Evidence, value.to_owned())
                .and(Role::Muted, format!(" in {}", list(&names, 3)));
            lines.extend(hang(&head, &value, width));
        }
    }
    if connection.tls.is_none() {
        let words = "  no directive about TLS: no BackendTLSPolicy takes effect, and nginx speaks plain HTTP";
        lines.push(Label::of(Role::Muted, words));
    }
}

/// From which pods the configuration was read, and what is missing.
fn sources(app: &App, one: &Configured) -> Vec<Label> {
    let gateway = &one.connection.gateway;
    let read = one.pods.iter().filter(|asked| asked.missing.is_none());
    let oldest = read.clone().map(|asked| asked.at).min();
    let mut lines = Vec::new();
    match oldest {
        Some(at) => {
            let ago = words::age(at, app.now);
            let pods = words::count(read.count(), "data-plane pod");
            let words = format!("  in use: read in {pods} {ago} ago; ");
            lines.push(
                Label::of(Role::Muted, words)
                    .and(Role::Key, "C")
                    .and(Role::Muted, " reads it again"),
            );
        }
        None if app.configured.get(gateway) == Some(&false) => {
            lines.push(Label::of(
                Role::Muted,
                "  reading the configuration of the data plane…",
            ));
        }
        None => lines.push(
            Label::of(Role::Muted, "  not compared: ")
                .and(Role::Key, "C")
                .and(
                    Role::Muted,
                    " reads what nginx is using (nginx -T, using exec)",
                ),
        ),
    }
    for asked in &one.pods {
        if let Some(why) = &asked.missing {
            let sign = Label::new().text("  ").mark(Mark::Unknown, &app.theme);
            lines.push(sign.text(format!(" {}: {why}", asked.pod)));
        }
    }
    lines
}
