//! Logs: what nginx and the backend logged about what the page is about, decoded and counted, the newest first.

use std::collections::BTreeSet;

use ngf_ui::{Label, Mark, Role, text::cut_middle, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::ViewInfo;
use crate::tui::state::ids::ViewId;
use crate::tui::state::{
    App,
    filter::Filter,
    lines::{Line, Lines},
};
use ngf_core::{
    diagnosis::line::codes,
    logs::{Counted, PodLog, Role as Writer, names_address},
    model::{object::ObjectRef, topology::NodeKind},
};
use ngf_text::host_and_port;
use ngf_text::words;

/// The tab.
pub const VIEW: ViewInfo = ViewInfo {
    id: ViewId::Logs,
    title: "Logs",
    draw,
    describe,
    mark: |_| None,
};

/// Most lines that are shown.
const MOST: usize = 500;
/// Columns of a pod's name before a line.
const POD: usize = 24;

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    app.detail.filter = settled(app);
    let lines = lines(app);
    let scroll = app.detail.scroll.entry(ViewId::Logs).or_default();
    TextView::new(&lines, &app.theme).render(area, buffer, scroll);
}

fn describe(app: &App, width: u16) -> Vec<String> {
    TextView::new(&lines(app), &app.theme).to_text(width)
}

/// What the page is about, as logs name it.
struct About {
    gateway: Option<ObjectRef>,
    addresses: BTreeSet<String>,
    pods: BTreeSet<ObjectRef>,
}

impl About {
    fn of(app: &App) -> Option<Self> {
        let Some((index, _)) = app.selected() else {
            let object = app.selected_object()?;
            return Some(Self {
                gateway: None,
                addresses: BTreeSet::new(),
                pods: BTreeSet::from([object.clone()]),
            });
        };
        let topology = &app.diagnosis.topology;
        let gateway = topology.above(index, |node| match node.what {
            NodeKind::Gateway => node.object.clone(),
            _ => None,
        });
        let endpoints =
            topology
                .subtree(index)
                .filter_map(|place| match &topology.node(place).what {
                    NodeKind::Endpoint(endpoint) => Some(endpoint),
                    _ => None,
                });
        let (mut addresses, mut pods) = (BTreeSet::new(), BTreeSet::new());
        for endpoint in endpoints {
            addresses.insert(host_and_port(&endpoint.address, endpoint.port));
            pods.extend(endpoint.pod.clone());
        }
        Some(Self {
            gateway,
            addresses,
            pods,
        })
    }

    fn concerns(&self, log: &PodLog, counted: &Counted) -> bool {
        if self.pods.contains(&log.pod) {
            return true;
        }
        match log.role {
            Writer::Application => false,
            Writer::Controller => self.gateway.is_some(),
            Writer::DataPlane => {
                let text = &counted.last_line.text;
                let is_here = self.gateway.is_some() && log.gateway == self.gateway;
                let names = |address: &String| names_address(text, address);
                // A line that names no upstream is about all of them.
                is_here
                    && (counted.last_line.request.upstream.is_none()
                        || self.addresses.iter().any(names))
            }
        }
    }
}

/// The containers whose logs are about what the page is about, of those that are read.
pub fn containers(app: &App) -> Vec<(ObjectRef, String)> {
    let about = About::of(app);
    let concerns = |log: &&PodLog| {
        about.as_ref().is_none_or(|about| {
            about.pods.contains(&log.pod)
                || match log.role {
                    Writer::Application => false,
                    Writer::Controller => about.gateway.is_some(),
                    Writer::DataPlane => about.gateway.is_some() && log.gateway == about.gateway,
                }
        })
    };
    let mut logs: Vec<&PodLog> = app.evidence.logs().filter(concerns).collect();
    // The control plane's log is long, and seldom what one looks for.
    logs.sort_by_key(|log| log.role == Writer::Controller);
    logs.iter()
        .map(|log| (log.pod.clone(), log.container.clone()))
        .collect()
}

/// The text of a line as it was written that a filter searches.
fn searched_line(line: &Line) -> String {
    format!("{}\n{}", line.text, line.pod)
}

/// The text of what is logged that a filter searches.
fn searched(log: &PodLog, counted: &Counted) -> String {
    format!(
        "{}\n{}\n{}",
        counted.means,
        counted.last_line.text,
        log.place()
    )
}

/// The filter, once it is known which words of it are in the logs.
fn settled(app: &App) -> Filter {
    let mut filter = app.detail.filter.clone();
    match &app.detail.lines {
        Some(lines) => filter.settle(|| Box::new(lines.lines.iter().map(searched_line))),
        None => filter.settle(|| {
            let logs = app.evidence.logs();
            Box::new(logs.flat_map(|log| {
                let said = log.tally.said.values();
                said.map(move |counted| searched(log, counted))
            }))
        }),
    }
    filter
}

/// The lines as they were written.
fn as_written(app: &App, lines: &Lines) -> Vec<Label> {
    if lines.is_reading {
        return vec![Label::of(Role::Muted, "Reading the logs…")];
    }
    let wanted = settled(app);
    let shown = lines.lines.iter().filter(|line| {
        wanted.meets(&searched_line(line)) && wanted.meets_labels(&app.snapshot, [&line.pod])
    });
    let glyphs = app.theme.glyphs;
    let mut labels: Vec<Label> = shown
        .take(MOST)
        .map(|line| {
            let at = line
                .at
                .map_or_else(String::new, |at| at.strftime("%H:%M:%S ").to_string());
            let pod = cut_middle(&line.pod.name, POD, glyphs.ellipsis);
            Label::of(Role::Muted, format!("{at}{pod} ")).and(Role::Evidence, line.text.clone())
        })
        .collect();
    let count = labels.len();
    let filter = if app.detail.filter.is_empty() {
        String::new()
    } else {
        format!(", by the filter /{}", app.detail.filter.text())
    };
    let counted = words::count(count, "line");
    let head =
        format!("the last {counted} as written, the newest first{filter}; z shows what they mean");
    labels.insert(0, Label::of(Role::Muted, head));
    for why in &lines.missing {
        let sign = Label::new().mark(Mark::Unknown, &app.theme);
        labels.push(sign.text(format!(" {why}")));
    }
    labels
}

fn lines(app: &App) -> Vec<Label> {
    if let Some(lines) = &app.detail.lines {
        return as_written(app, lines);
    }
    let about = About::of(app);
    let mut said: Vec<(&PodLog, &Counted)> = app
        .evidence
        .logs()
        .flat_map(|log| log.tally.said.values().map(move |counted| (log, counted)))
        .filter(|(log, counted)| {
            about
                .as_ref()
                .is_none_or(|about| about.concerns(log, counted))
        })
        .collect();
    let words = settled(app);
    said.retain(|(log, counted)| {
        words.meets(&searched(log, counted)) && words.meets_labels(&app.snapshot, [&log.pod])
    });
    said.sort_by_key(|(_, counted)| std::cmp::Reverse(counted.last));
    let mut lines: Vec<Label> = said
        .iter()
        .take(MOST)
        .flat_map(|(log, counted)| line(app, log, counted))
        .collect();
    if said.len() > MOST {
        let words = format!("and {} more", said.len() - MOST);
        lines.push(Label::of(Role::Muted, words));
    }
    if !app.detail.filter.is_empty() {
        let words = format!("by the filter /{}", app.detail.filter.text());
        lines.push(Label::of(Role::Accent, words));
    }
    for log in app.evidence.logs() {
        if let Some(why) = &log.failed {
            let sign = Label::new().mark(Mark::Unknown, &app.theme);
            lines.push(sign.text(format!(" {}: {why}", log.place())));
        }
    }
    if lines.is_empty() {
        let words = if app.evidence.logs().next().is_some() {
            "The logs that are read say nothing about it."
        } else {
            "No log has been read."
        };
        lines.push(Label::of(Role::Muted, words));
    }
    lines
}

/// What a line means, how often and when, and the line itself.
fn line(app: &App, log: &PodLog, counted: &Counted) -> Vec<Label> {
    let codes = codes(&counted.last_line);
    let mark = if codes.is_empty() {
        Mark::Info
    } else {
        Mark::Failed
    };
    let last = words::age(counted.last, app.now);
    let often = if counted.count == 1 {
        format!("{last} ago")
    } else {
        format!("{} times, last {last} ago", counted.count)
    };
    let mut head = Label::new()
        .mark(mark, &app.theme)
        .text(" ")
        .and(Role::Strong, counted.means.clone())
        .and(Role::Muted, format!("  {often}"));
    if let Some(code) = codes.first() {
        head.push(Role::Muted, "  ");
        head.push(Role::Key, *code);
    }
    vec![
        head,
        Label::of(Role::Muted, format!("    {}", log.place())),
        Label::of(Role::Evidence, format!("    {}", counted.last_line.text)),
    ]
}
