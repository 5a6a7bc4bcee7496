//! Two probes side by side: what each saw, fact by fact and step by step, and where they differ.

use ngf_tls::transcript::Transcript;
use ngf_ui::{
    Label, Mark, Role,
    widgets::table::{Column, Table, TableRow},
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    widgets::{StatefulWidget, Widget},
};

use crate::{
    diagram::{Story, guide},
    tui::state::{App, SeenProbe, place::Place},
};
use ngf_text::{host_and_port, words};
use ngf_ui::widgets::textview::TextView;

/// A line: what it is about, and what both probes have to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub name: String,
    /// What the older probe saw.
    pub before: String,
    /// What the newer one saw.
    pub after: String,
    /// Whether a difference means something: times and addresses always differ.
    pub counts: bool,
}

impl Line {
    /// Whether both say something else.
    pub fn differs(&self) -> bool {
        self.counts && self.before != self.after
    }
}

/// The lines of two probes, the older one first.
pub fn lines(app: &App, before: &SeenProbe, after: &SeenProbe) -> Vec<Line> {
    let mut all = Vec::new();
    let mut line = |name: &str, of: &dyn Fn(&SeenProbe) -> String, counts: bool| {
        all.push(Line {
            name: name.to_owned(),
            before: of(before),
            after: of(after),
            counts,
        });
    };
    line(
        "when",
        &|seen| format!("{} ago", words::age(seen.probed.at, app.now)),
        false,
    );
    line(
        "endpoint",
        &|seen| {
            let endpoint = &seen.probed.plan.endpoint;
            host_and_port(&endpoint.address, endpoint.port)
        },
        true,
    );
    line("route", &|seen| seen.probed.plan.route.path(), true);
    line("from", &from, true);
    line(
        "took",
        &|seen| of_transcript(seen, |one| words::micros(one.duration_us)),
        false,
    );
    line(
        "verdict",
        &|seen| match &seen.probed.result {
            Ok(transcript) => transcript.nginx.sentence.clone(),
            Err(why) => format!("could not run: {why}"),
        },
        true,
    );
    line(
        "clients get",
        &|seen| {
            of_transcript(seen, |one| {
                let status = one.nginx.client_status;
                status.map_or_else(|| "not known".to_owned(), |status| status.to_string())
            })
        },
        true,
    );
    line(
        "TLS",
        &|seen| {
            of_transcript(seen, |one| match &one.tls {
                Some(tls) => format!(
                    "{} {} {}",
                    tls.version,
                    tls.cipher,
                    tls.group.as_deref().unwrap_or_default()
                ),
                None => "none".to_owned(),
            })
        },
        true,
    );
    line(
        "backend certificate",
        &|seen| of_transcript(seen, leaf),
        true,
    );
    line(
        "client certificate",
        &|seen| {
            of_transcript(seen, |one| {
                let client = &one.client_certificate;
                match (&client.subject, client.requested) {
                    (Some(subject), _) => subject.clone(),
                    (None, true) => "asked for, none sent".to_owned(),
                    (None, false) => "not asked for".to_owned(),
                }
            })
        },
        true,
    );
    all.extend(steps(before, after));
    all
}

fn from(seen: &SeenProbe) -> String {
    match (&seen.place, &seen.way) {
        (Some(pod), _) => pod.clone(),
        (None, Some(way)) => way.via.clone(),
        (None, None) => "not known".to_owned(),
    }
}

fn of_transcript(seen: &SeenProbe, of: impl Fn(&Transcript) -> String) -> String {
    match &seen.probed.result {
        Ok(transcript) => of(transcript),
        Err(_) => "not known".to_owned(),
    }
}

/// The certificate that the backend sent, with what tells it from another of the same name.
fn leaf(transcript: &Transcript) -> String {
    match transcript.server_chain.first() {
        Some(leaf) => {
            let print: String = leaf.fingerprint_sha256.chars().take(17).collect();
            format!(
                "{}, signed by {}, SHA-256 {print}…, until {}",
                leaf.subject,
                leaf.issuer,
                words::moment(leaf.not_after)
            )
        }
        None => "none".to_owned(),
    }
}

/// The guide's eleven arrows of both.
fn steps(before: &SeenProbe, after: &SeenProbe) -> Vec<Line> {
    let of = |seen: &SeenProbe| -> Vec<(String, String)> {
        let Ok(transcript) = &seen.probed.result else {
            return Vec::new();
        };
        let arrows = guide(transcript, &Story::from(&*seen.probed.plan));
        arrows
            .into_iter()
            .map(|arrow| {
                let words = match arrow.message.mark {
                    Some(Mark::Muted) => "never happens".to_owned(),
                    Some(Mark::Failed) => format!("✗ {}", arrow.short),
                    Some(Mark::Warning) => format!("! {}", arrow.short),
                    Some(Mark::Unknown) => format!("? {}", arrow.short),
                    _ => arrow.short,
                };
                (arrow.message.number, words)
            })
            .collect()
    };
    let (one, other) = (of(before), of(after));
    let count = one.len().max(other.len());
    (0..count)
        .map(|index| {
            let number = one.get(index).or(other.get(index));
            let words = |all: &[(String, String)]| {
                all.get(index)
                    .map(|(_, words)| words.clone())
                    .unwrap_or_default()
            };
            Line {
                name: format!("step {}", number.map_or("", |(number, _)| number)),
                before: words(&one),
                after: words(&other),
                counts: true,
            }
        })
        .collect()
}

/// Both probes, the older one first; `None` where one is no longer kept.
fn both(app: &App, one: u64, other: u64) -> Option<(&SeenProbe, &SeenProbe)> {
    let find = |number: u64| app.probed.iter().find(|seen| seen.number == number);
    let (one, other) = (find(one)?, find(other)?);
    if one.probed.at <= other.probed.at {
        Some((one, other))
    } else {
        Some((other, one))
    }
}

/// Draws them.
pub fn draw(app: &mut App, one: u64, other: u64, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme.clone();
    let Some((before, after)) = both(app, one, other) else {
        let words = Label::of(Role::Muted, "One of these probes is no longer kept.");
        Widget::render(&TextView::new(&[words], &theme), area, buffer);
        return;
    };
    let lines = lines(app, before, after);
    let differing = lines.iter().filter(|line| line.differs()).count();
    let summary = match differing {
        0 => Label::of(Role::Ok, "both probes saw the same"),
        number => Label::of(
            Role::Warning,
            format!(
                "{} in {}",
                words::count(number, "difference"),
                words::count(lines.len(), "line")
            ),
        ),
    };
    let heads = [
        format!("probe {}, the older one", before.number),
        format!("probe {}", after.number),
    ];
    let columns = [
        Column::new("", 19, 19),
        Column::new(heads[0].clone(), 16, 40).grow(1).wrap(),
        Column::new(heads[1].clone(), 16, 40).grow(1).wrap(),
    ];
    let rows: Vec<TableRow> = lines.iter().map(row).collect();
    let [top, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    Widget::render(&TextView::new(&[summary], &theme), top, buffer);
    let table = Table::new(&columns, &rows, &theme).marks();
    let mut state = app.detail.diff;
    table.render(body, buffer, &mut state);
    app.detail.diff = state;
}

/// What is searched, and copied: a line each.
pub fn searched(app: &App) -> Vec<String> {
    let Place::Diff(one, other) = *app.place() else {
        return Vec::new();
    };
    let Some((before, after)) = both(app, one, other) else {
        return Vec::new();
    };
    let lines = lines(app, before, after).into_iter();
    lines
        .map(|line| format!("{}\n{}\n{}", line.name, line.before, line.after))
        .collect()
}

fn row(line: &Line) -> TableRow {
    let (mark, role) = if line.differs() {
        (Mark::Warning, Role::Strong)
    } else {
        (Mark::Muted, Role::Muted)
    };
    TableRow::new(vec![
        Label::of(Role::Muted, line.name.clone()),
        Label::of(role, line.before.clone()),
        Label::of(role, line.after.clone()),
    ])
    .mark(mark)
}
