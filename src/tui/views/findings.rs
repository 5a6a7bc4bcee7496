//! Findings: what is wrong at or below what is selected, why, what shows it, and what to do.

use ngf_ui::{
    Label, Mark, Role,
    widgets::{
        findings::{Finding as Item, Findings, Opened},
        textview::TextView,
    },
};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::{ViewInfo, search::Text};
use crate::tui::state::App;
use crate::tui::state::ids::ViewId;
use ngf_core::diagnosis::{Finding, Health, Severity, Verdict};

/// The tab.
pub const VIEW: ViewInfo = ViewInfo {
    id: ViewId::Findings,
    title: "Findings",
    draw,
    describe,
    mark,
};

fn mark(app: &App) -> Option<Mark> {
    let worst = shown(app).first().copied()?;
    Some(mark_of(&app.diagnosis.findings[worst]))
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let items = items(app);
    if items.is_empty() {
        TextView::new(&[nothing(app)], &app.theme).render(
            area,
            buffer,
            app.detail.scroll.entry(ViewId::Findings).or_default(),
        );
        return;
    }
    Findings::new(&items, &app.theme)
        .opened(Opened::All)
        .render(area, buffer, &mut app.detail.findings);
}

/// What is searched: the rows of all findings.
pub(super) fn searched(app: &App, area: Rect) -> Text {
    let items = items(app);
    if items.is_empty() {
        return Text::of(&TextView::new(&[nothing(app)], &app.theme), area);
    }
    let rows = drawn(&items, app).rows(area);
    Text::Rows(rows.into_iter().map(|(_, row)| row).collect())
}

/// The finding to which a row belongs.
pub fn at_row(app: &App, row: usize) -> Option<usize> {
    let items = items(app);
    let rows = drawn(&items, app).rows(app.searched);
    rows.get(row).map(|(finding, _)| *finding)
}

/// How they are drawn.
fn drawn<'a>(items: &'a [Item], app: &'a App) -> Findings<'a> {
    Findings::new(items, &app.theme).opened(Opened::All)
}

fn describe(app: &App, width: u16) -> Vec<String> {
    let items = items(app);
    if items.is_empty() {
        return TextView::new(&[nothing(app)], &app.theme).to_text(width);
    }
    Findings::new(&items, &app.theme).to_text(width)
}

/// The sign of a finding.
pub fn mark_of(finding: &Finding) -> Mark {
    match (finding.verdict, finding.severity) {
        (Verdict::Unknown, _) => Mark::Unknown,
        (Verdict::Fail, Severity::Error) => Mark::Failed,
        (Verdict::Fail, Severity::Warning) => Mark::Warning,
        (Verdict::Fail, Severity::Info) => Mark::Info,
    }
}

/// The sign of a node's health.
pub fn mark_of_health(health: Health) -> Mark {
    match health {
        Health::NotOurs => Mark::Muted,
        Health::Ok => Mark::Ok,
        Health::Unknown => Mark::Unknown,
        Health::Warning => Mark::Warning,
        Health::Broken => Mark::Failed,
    }
}

/// What to say where nothing is wrong, as far as anybody knows.
pub(super) fn nothing(app: &App) -> Label {
    let Some((index, node)) = app.selected() else {
        return Label::of(
            Role::Muted,
            "This object is on no path from a Gateway to a backend.",
        );
    };
    let health = app.diagnosis.health(index);
    let words = match health {
        Health::Unknown => {
            "no problems found here, and something is unknown: press r to make a handshake."
        }
        Health::NotOurs => "managed by another controller: not checked.",
        _ => "no problems found here.",
    };
    Label::new()
        .mark(mark_of_health(health), &app.theme)
        .text(format!(" {}: {words}", node.name))
}

/// The findings that the page is about, as indices: those of its problem first, then the others at and below it.
pub fn shown(app: &App) -> Vec<usize> {
    let mut shown = app
        .problem()
        .map_or_else(Vec::new, |problem| problem.findings.clone());
    let here = match app.selected() {
        Some((index, _)) => app.diagnosis.findings_below(index),
        None => app.selected_object().map_or_else(Vec::new, |object| {
            let findings = app.diagnosis.findings.iter().enumerate();
            let about = findings.filter(|(_, finding)| finding.objects().any(|one| one == object));
            about.map(|(index, _)| index).collect()
        }),
    };
    let others: Vec<usize> = here
        .into_iter()
        .filter(|index| !shown.contains(index))
        .collect();
    shown.extend(others);
    shown
}

fn items(app: &App) -> Vec<Item> {
    shown(app)
        .into_iter()
        .map(|index| item(app, &app.diagnosis.findings[index]))
        .collect()
}

/// A finding with everything that there is to say of it.
pub(super) fn item(app: &App, finding: &Finding) -> Item {
    let depth = u16::from(finding.caused_by.is_some());
    let mut item = Item::new(mark_of(finding), finding.code, finding.title.clone()).depth(depth);
    let certainty = match finding.verdict {
        Verdict::Fail => format!("{}", finding.severity),
        Verdict::Unknown => format!("{}, not proven: something is missing", finding.severity),
    };
    item = item.line(Label::of(
        Role::Muted,
        format!("{certainty} · {}", finding.subject),
    ));
    if let Some(cause) = finding
        .caused_by
        .and_then(|cause| app.diagnosis.findings.get(cause))
    {
        let because = format!("because of {}: {}", cause.code, cause.title);
        item = item.line(Label::of(Role::Muted, because));
    }
    for sentence in &finding.detail {
        item = item.line(sentence.clone());
    }
    for effect in &finding.effects {
        item = item.line(Label::of(Role::Warning, format!("breaks: {effect}")));
    }
    for evidence in &finding.evidence {
        item = item.line(
            Label::of(Role::Muted, format!("{}: ", evidence.what))
                .and(Role::Evidence, evidence.value.clone())
                .and(Role::Muted, format!("  ({})", evidence.place)),
        );
    }
    if let Some(remedy) = &finding.remedy {
        item = item.line(Label::of(Role::Ok, "fix: ").text(remedy.summary.clone()));
        for text in [&remedy.command, &remedy.yaml].into_iter().flatten() {
            for line in text.lines() {
                item = item.line(Label::of(Role::Accent, format!("  {line}")));
            }
        }
    }
    item
}
