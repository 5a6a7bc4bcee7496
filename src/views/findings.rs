//! Findings: what is wrong at or below what is selected, why, what shows it, and what to do.

use ngf_ui::{Label, Mark, Role, widgets::textview::TextView};
use ratatui::{buffer::Buffer, layout::Rect, widgets::StatefulWidget};

use super::{ViewId, ViewInfo};
use crate::{
    app::state::App,
    diagnosis::{Finding, Health, Severity, Verdict},
};

/// The tab.
pub const VIEW: ViewInfo =
    ViewInfo { id: ViewId::Findings, title: "Findings", draw, describe, mark };

fn mark(app: &App) -> Option<Mark> {
    let (index, _) = app.selected()?;
    let worst = app.diagnosis.findings_below(index).first().copied()?;
    Some(mark_of(&app.diagnosis.findings[worst]))
}

fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let (lines, starts) = lines(app);
    let scroll = app.detail.scroll.entry(ViewId::Findings).or_default();
    let list = &mut app.detail.findings;
    *list = list.of(starts.len());
    // The selected finding begins at the top; its text is read from there.
    if let Some(start) = list.selected(starts.len()).and_then(|index| starts.get(index)) {
        scroll.offset = if list.selected == 0 { 0 } else { *start };
    }
    TextView::new(&lines, &app.theme).render(area, buffer, scroll);
}

fn describe(app: &App, width: u16) -> Vec<String> {
    TextView::new(&lines(app).0, &app.theme).to_text(width)
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
        Health::Ok => Mark::Ok,
        Health::Unknown => Mark::Unknown,
        Health::Warning => Mark::Warning,
        Health::Broken => Mark::Failed,
    }
}

/// The lines of all findings here, and at which line each begins.
fn lines(app: &App) -> (Vec<Label>, Vec<usize>) {
    let Some((index, node)) = app.selected() else {
        return (vec![Label::of(Role::Muted, "Nothing is selected.")], Vec::new());
    };
    let here = app.diagnosis.findings_below(index);
    if here.is_empty() {
        let health = app.diagnosis.health(index);
        let words = match health {
            Health::Unknown => "Nothing is known to be wrong here, and not everything is known: press the probe key to run a handshake.",
            _ => "Nothing is known to be wrong here.",
        };
        let line = Label::new().mark(mark_of_health(health), &app.theme).text(format!(" {}: {words}", node.name));
        return (vec![line], Vec::new());
    }
    let (mut lines, mut starts) = (Vec::new(), Vec::new());
    for index in here {
        if !lines.is_empty() {
            lines.push(Label::new());
        }
        starts.push(lines.len());
        finding_lines(app, &app.diagnosis.findings[index], &mut lines);
    }
    (lines, starts)
}

fn finding_lines(app: &App, finding: &Finding, lines: &mut Vec<Label>) {
    lines.push(
        Label::new()
            .mark(mark_of(finding), &app.theme)
            .and(Role::Key, format!(" {}", finding.code))
            .and(Role::Strong, format!("  {}", finding.title)),
    );
    let certainty = match finding.verdict {
        Verdict::Fail => format!("{}", finding.severity),
        Verdict::Unknown => format!("{}, not proven: something is missing", finding.severity),
    };
    lines.push(Label::of(Role::Muted, format!("  {certainty} · {}", finding.subject)));
    if let Some(cause) = finding.caused_by.and_then(|cause| app.diagnosis.findings.get(cause)) {
        lines.push(Label::of(Role::Muted, format!("  because of {}: {}", cause.code, cause.title)));
    }
    for sentence in &finding.detail {
        lines.push(Label::from(format!("  {sentence}")));
    }
    for effect in &finding.effects {
        lines.push(Label::of(Role::Warning, format!("  breaks: {effect}")));
    }
    for evidence in &finding.evidence {
        lines.push(
            Label::of(Role::Muted, format!("  {}: ", evidence.what))
                .and(Role::Evidence, evidence.value.clone())
                .and(Role::Muted, format!("  ({})", evidence.place)),
        );
    }
    if let Some(remedy) = &finding.remedy {
        lines.push(Label::of(Role::Ok, "  fix: ").text(remedy.summary.clone()));
        if let Some(command) = &remedy.command {
            lines.extend(command.lines().map(|line| Label::of(Role::Accent, format!("    {line}"))));
        }
        if let Some(yaml) = &remedy.yaml {
            lines.extend(yaml.lines().map(|line| Label::of(Role::Accent, format!("    {line}"))));
        }
    }
}
