//! Matrix: every endpoint from every data-plane pod, so that one bad pod of ten stands out.

use ngf_ui::{
    Label, Mark, Role, Theme,
    widgets::{
        matrix::{Matrix as Table, Widths},
        textview::TextView,
    },
};
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Layout, Rect},
    widgets::{StatefulWidget, Widget},
};

use crate::{
    report::endpoint_matrix::{outcome, status},
    tui::state::{App, endpoint_matrix::GatewayMatrix},
};
use ngf_cluster::endpoint_matrix::{self, Cell, EndpointMatrix};
use ngf_core::diagnosis::plan::ProbePlan;
use ngf_text::host_and_port;
use ngf_text::words;

/// Cells of the screen for the heading of a row, at most.
const HEADING: u16 = 44;
/// Cells of the screen for a cell.
const CELL: (u16, u16) = (10, 28);
/// Least cells of the screen for a sparkline.
const LINE: usize = 4;
/// Rounds that the selected cell's sparkline shows, at most.
const SHOWN: usize = 20;
/// Least rounds that a sparkline is worth drawing for.
const ROUNDS: usize = 2;

/// Lines above the first row: what the matrix is about, and the names of the places.
const HEADS: u16 = 3;

fn is_fault(cell: &Cell) -> bool {
    matches!(cell, Cell::Probed { .. }) && !cell.is_served()
}

/// Draws it.
pub fn draw(app: &mut App, area: Rect, buffer: &mut Buffer) {
    let theme = app.theme.clone();
    let Some(matrix) = &mut app.matrix else {
        let lines = nothing_yet();
        Widget::render(&TextView::new(&lines, &theme), area, buffer);
        return;
    };
    // Two fifths for what is said of the selected cell, and of all of them.
    let least = (area.height * 2 / 5).clamp(3, 14).min(area.height);
    // What the rows leave free is theirs.
    let rows = matrix.latest.as_ref().map_or(0, |latest| latest.rows.len());
    let rows = u16::try_from(rows)
        .unwrap_or(u16::MAX)
        .saturating_add(HEADS);
    let below = least.max(area.height.saturating_sub(rows));
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(below),
    ])
    .areas(area);
    let mut state = matrix.state;
    Widget::render(&TextView::new(&[head(matrix, &theme)], &theme), top, buffer);
    if let Some(latest) = &matrix.latest {
        table(matrix, latest, &theme, |table| {
            table.focused(true).render(middle, buffer, &mut state);
        });
    }
    matrix.state = state;
    Widget::render(
        &TextView::new(
            &lines_below(matrix, usize::from(bottom.width), &theme),
            &theme,
        ),
        bottom,
        buffer,
    );
}

/// What is searched: an endpoint each, with what was seen of it from every place.
pub(super) fn searched(app: &App) -> Vec<String> {
    let latest = app
        .matrix
        .as_ref()
        .and_then(|matrix| matrix.latest.as_ref());
    let rows = latest.iter().flat_map(|latest| {
        latest.rows.iter().map(|row| {
            let plan = &row.plan;
            let address = host_and_port(&plan.endpoint.address, plan.endpoint.port);
            let pod = plan.endpoint.pod.as_ref();
            let pod = pod.map_or_else(String::new, ToString::to_string);
            let mut text = format!("{address}\n{pod}\n{}:{}", plan.service, plan.port);
            for (column, cell) in latest.columns.iter().zip(&row.cells) {
                let words = endpoint_matrix::words(cell);
                text.extend(["\n", column.as_str(), "\n", words.as_str()]);
            }
            text
        })
    });
    rows.collect()
}

/// The selected cell in words.
pub fn selected_text(app: &App) -> Option<String> {
    let (plan, column, cell) = app.matrix.as_ref()?.selected()?;
    let address = host_and_port(&plan.endpoint.address, plan.endpoint.port);
    let words = endpoint_matrix::words(cell);
    Some(format!("{address} from {column}: {words}"))
}

fn nothing_yet() -> Vec<Label> {
    vec![
        Label::of(Role::Muted, "No matrix yet. Press ")
            .and(Role::Key, "P")
            .and(
                Role::Muted,
                " to probe every endpoint of the Gateway from every data-plane pod; ",
            )
            .and(Role::Key, "w")
            .and(Role::Muted, " then repeats it."),
    ]
}

/// Hands the table to `show`: its headings and cells live only as long.
fn table(
    matrix: &GatewayMatrix,
    latest: &EndpointMatrix,
    theme: &Theme,
    show: impl FnOnce(&Table<'_>),
) {
    let selected = matrix.state.columns.selected(latest.columns.len());
    let columns: Vec<Label> = latest
        .columns
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let role = if selected == Some(index) {
                Role::Strong
            } else {
                Role::Muted
            };
            Label::of(role, short_name(name).to_owned())
        })
        .collect();
    let services = latest.rows.windows(2).any(|two| {
        two[0].plan.service != two[1].plan.service || two[0].plan.port != two[1].plan.port
    });
    let heading = |row: usize| {
        let plan = &latest.rows[row].plan;
        let address = host_and_port(&plan.endpoint.address, plan.endpoint.port);
        let label = Label::of(Role::Normal, address);
        if services {
            label.and(Role::Muted, format!(" {}", plan.service.name))
        } else {
            label
        }
    };
    let widest = (0..latest.rows.len()).map(|row| heading(row).width()).max();
    let cell = |row: usize, column: usize, width: usize| {
        let row = &latest.rows[row];
        let cell = row.cells.get(column).unwrap_or(&Cell::Waiting);
        let rounds = matrix.history.rounds(&row.plan, &latest.columns[column]);
        cell_label(cell, rounds, width, theme)
    };
    let widths = Widths {
        heading: HEADING.min(widest.unwrap_or_default() as u16),
        least: CELL.0,
        most: CELL.1,
    };
    let rows = latest.rows.len();
    show(&Table::new(&columns, rows, &heading, &cell, widths, theme));
}

/// What tells a data-plane pod from others of the same Deployment: the end of its name.
fn short_name(name: &str) -> &str {
    let is_pod = (!name.contains(' ') || name.contains(" beside ")) && name != "port-forward";
    match name.rsplit_once('-') {
        Some((_, end)) if is_pod => end,
        _ => name,
    }
}

/// How a cell is marked.
fn mark_of(cell: &Cell) -> Mark {
    match cell {
        Cell::Waiting => Mark::Muted,
        Cell::NotRun { .. } => Mark::Unknown,
        Cell::Probed { .. } if cell.is_served() => Mark::Ok,
        Cell::Probed { .. } => Mark::Failed,
    }
}

/// Mark, outcome and, where it was probed again and again, a sparkline: `✓ 1.20 ms ▁▁▂█`,
/// `✗ code 10`.
fn cell_label(cell: &Cell, rounds: &[Cell], width: usize, theme: &Theme) -> Label {
    let mark = mark_of(cell);
    let label = Label::new().mark(mark, theme);
    let say = |words: String| label.clone().and(mark.role(), format!(" {words}"));
    let is_watched = rounds.len() >= ROUNDS;
    let short = match cell {
        Cell::Waiting => return label,
        Cell::NotRun { .. } => say("not run".to_owned()),
        Cell::Probed { took_us, .. } if cell.is_served() => say(words::micros(*took_us)),
        Cell::Probed { .. } => {
            let status = status(cell).map_or_else(|| "?".to_owned(), |status| status.to_string());
            let long = say(format!("{status} {}", outcome(cell)));
            let needs = long.width() + if is_watched { 1 + LINE } else { 0 };
            if needs <= width {
                long
            } else {
                say(outcome(cell))
            }
        }
    };
    if !is_watched {
        return short;
    }
    let room = width.saturating_sub(short.width() + 1);
    // Where there is no room for both, the sparkline tells the time, but not the fault.
    if room >= LINE {
        short.text(" ").joined(&sparkline(rounds, room, theme))
    } else if cell.is_served() {
        let line = sparkline(rounds, width.saturating_sub(2), theme);
        label.text(" ").joined(&line)
    } else {
        short
    }
}

/// The last rounds: as high as the answer took long, or the sign of what went wrong.
fn sparkline(rounds: &[Cell], room: usize, theme: &Theme) -> Label {
    let rounds = &rounds[rounds.len().saturating_sub(room)..];
    let took = |cell: &Cell| match cell {
        Cell::Probed { took_us, .. } if cell.is_served() => Some(*took_us),
        _ => None,
    };
    let slowest = rounds.iter().filter_map(took).max().unwrap_or(1).max(1);
    let mut label = Label::new();
    for cell in rounds {
        let mark = mark_of(cell);
        match took(cell) {
            Some(us) => {
                let steps = theme.glyphs.spark.len() as u64 - 1;
                let step = us.saturating_mul(steps) / slowest;
                label.push(Role::Muted, theme.glyphs.spark[step as usize]);
            }
            None => label = label.mark(mark, theme),
        }
    }
    label
}

/// Whose matrix it is, by which way, and how far it has come.
fn head(matrix: &GatewayMatrix, theme: &Theme) -> Label {
    let mut label = Label::of(Role::Strong, matrix.gateway.path())
        .and(Role::Muted, format!(" using {}  ", matrix.via));
    if let Some(progress) = matrix.progress {
        let mark = if progress.faults > 0 {
            Mark::Failed
        } else {
            Mark::Info
        };
        let words = format!(
            " {} of {} probed, {} at fault",
            progress.done, progress.of, progress.faults
        );
        label = label.mark(mark, theme).text(words);
    } else if let Some(latest) = &matrix.latest {
        label = label.joined(&counts(latest, theme));
    } else if matrix.running {
        label = label.and(Role::Muted, "beginning…");
    }
    if matrix.watch {
        label = label.and(Role::Accent, "  watching, w stops it");
    } else if matrix.running {
        label = label.and(Role::Muted, "  ctrl-x cancels");
    }
    label
}

fn counts(latest: &EndpointMatrix, theme: &Theme) -> Label {
    let cells = || latest.rows.iter().flat_map(|row| &row.cells);
    let (all, served) = (cells().count(), cells().filter(|c| c.is_served()).count());
    let faults = cells().filter(|cell| is_fault(cell)).count();
    let rest = all - served - faults;
    let mut label = Label::new();
    for (mark, count, what) in [
        (Mark::Failed, faults, "at fault"),
        (Mark::Unknown, rest, "not probed"),
        (Mark::Ok, served, "served"),
    ] {
        if count > 0 {
            let words = format!(" {count} {what}  ");
            label = label.mark(mark, theme).text(words);
        }
    }
    label
}

/// Which cell is selected, and how its last rounds went.
fn place(matrix: &GatewayMatrix, plan: &ProbePlan, column: &str, theme: &Theme) -> Label {
    let address = host_and_port(&plan.endpoint.address, plan.endpoint.port);
    let mut label = Label::of(Role::Strong, address).text(format!(" from {column}"));
    let rounds = matrix.history.rounds(plan, column);
    if rounds.len() >= ROUNDS {
        label = label.text("  ").joined(&sparkline(rounds, SHOWN, theme));
    }
    if let Some(pod) = &plan.endpoint.pod {
        label.push(Role::Muted, format!("  {pod}"));
    }
    label.push(Role::Muted, format!(" of {}:{}", plan.service, plan.port));
    label
}

/// What stands out; then the selected cell in words, and what changed.
fn lines_below(matrix: &GatewayMatrix, width: usize, theme: &Theme) -> Vec<Label> {
    let mut lines = vec![Label::of(
        Role::Border,
        theme.glyphs.horizontal.repeat(width),
    )];
    if let Some(why) = &matrix.failed {
        lines.push(
            Label::new()
                .mark(Mark::Failed, theme)
                .text(format!(" {why}")),
        );
    }
    let findings = matrix.latest.iter().flat_map(|latest| &latest.findings);
    lines.extend(findings.map(|finding| {
        Label::new()
            .mark(Mark::Warning, theme)
            .text(format!(" {finding}"))
    }));
    if let Some((plan, column, cell)) = matrix.selected() {
        lines.push(place(matrix, plan, column, theme));
        let mark = mark_of(cell);
        lines.push(
            Label::new()
                .mark(mark, theme)
                .text(format!(" {}", endpoint_matrix::words(cell))),
        );
    }
    let changes = matrix.log.iter().rev();
    lines.extend(changes.map(|change| Label::of(Role::Evidence, change.clone())));
    if let Some(latest) = &matrix.latest {
        let notes = latest.notes.iter();
        lines.extend(notes.map(|note| Label::of(Role::Muted, note.clone())));
    }
    lines
}

#[cfg(test)]
mod tests {
    use ngf_tls::transcript::Outcome;

    use super::*;

    fn probed(outcome: Outcome, took_us: u64) -> Cell {
        Cell::Probed {
            outcome,
            verify_code: (outcome == Outcome::VerifyError).then_some(10),
            alert: None,
            client_status: Some(if outcome == Outcome::Ok { 200 } else { 502 }),
            sentence: String::new(),
            took_us,
            via: String::new(),
        }
    }

    #[test]
    fn cells_say_what_fits() {
        let theme = Theme::plain();
        let ok = probed(Outcome::Ok, 1_200);
        let fault = probed(Outcome::VerifyError, 900);
        let rounds = [
            probed(Outcome::Ok, 400),
            probed(Outcome::Ok, 1_200),
            fault.clone(),
            ok.clone(),
        ];
        for (cell, rounds, width, expected) in [
            (&Cell::Waiting, &[][..], 10, "·"),
            (&ok, &[], 10, "✓ 1.20 ms"),
            (&fault, &[], 10, "✗ code 10"),
            (&fault, &[], 14, "✗ 502 code 10"),
            (&ok, &rounds, 10, "✓ ▃█✗█"),
            (&ok, &rounds, 20, "✓ 1.20 ms ▃█✗█"),
            (&fault, &[], 12, "✗ code 10"),
            (&fault, &rounds, 10, "✗ code 10"),
            (&fault, &rounds, 15, "✗ code 10 ▃█✗█"),
            (&fault, &rounds, 18, "✗ 502 code 10 ▃█✗█"),
        ] {
            assert_eq!(cell_label(cell, rounds, width, &theme).plain(), expected);
        }
    }

    #[test]
    fn a_pod_is_known_by_the_end_of_its_name() {
        for (name, expected) in [
            ("gateway-nginx-7d9f8b-x7k2p", "x7k2p"),
            ("pod ngf-tui beside gateway-nginx-7d9f8b-x7k2p", "x7k2p"),
            ("this machine", "this machine"),
            ("port-forward", "port-forward"),
        ] {
            assert_eq!(short_name(name), expected);
        }
    }
}
