//! A grid as text: a line for each endpoint, a column for each place.

use std::fmt::Write as _;

use ngf_tls::transcript::Outcome;

use super::clean;
use ngf_cluster::endpoint_matrix::{Cell, EndpointMatrix, History};
use ngf_text::host_and_port;
use ngf_text::words;

/// Columns of a cell.
const CELL: usize = 15;
/// Bars of a sparkline, from quick to slow.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Rounds that a sparkline shows.
const SHOWN: usize = 12;

/// The grid; with a history, each cell ends in a sparkline of its rounds.
pub fn text(matrix: &EndpointMatrix, history: Option<&History>) -> String {
    let mut out = String::new();
    for (index, column) in matrix.columns.iter().enumerate() {
        let _ = writeln!(out, "{} = from {}", letter(index), clean(column));
    }
    let endpoints: Vec<String> = matrix
        .rows
        .iter()
        .map(|row| host_and_port(&row.plan.endpoint.address, row.plan.endpoint.port))
        .collect();
    let width = endpoints
        .iter()
        .map(|endpoint| endpoint.chars().count())
        .max()
        .unwrap_or_default();
    let cell_width = CELL + if history.is_some() { SHOWN + 1 } else { 0 };
    let mut heading = format!("{:width$} ", "");
    for index in 0..matrix.columns.len() {
        let _ = write!(heading, " {:<cell_width$}", letter(index));
    }
    let mut service = String::new();
    for (row, endpoint) in matrix.rows.iter().zip(&endpoints) {
        let name = format!("{}:{}", row.plan.service, row.plan.port);
        if name != service {
            let _ = writeln!(out, "\n{}\n{}", clean(&name), heading.trim_end());
            service = name;
        }
        let mut line = format!("{:<width$} ", clean(endpoint));
        for (index, cell) in row.cells.iter().enumerate() {
            let mut text = short(cell);
            if let Some(history) = history {
                let rounds = history.rounds(&row.plan, &matrix.columns[index]);
                text = format!("{text:<CELL$} {}", sparkline(rounds));
            }
            let _ = write!(line, " {text:<cell_width$}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push('\n');
    for finding in &matrix.findings {
        let _ = writeln!(out, "✗ {}", clean(finding));
    }
    for note in &matrix.notes {
        let _ = writeln!(out, "  {}", clean(note));
    }
    let _ = writeln!(out, "{}", summary(matrix));
    out
}

fn summary(matrix: &EndpointMatrix) -> String {
    let cells = || matrix.rows.iter().flat_map(|row| &row.cells);
    let probed = |cell: &&Cell| matches!(cell, Cell::Probed { .. });
    let all = cells().count();
    let served = cells().filter(|cell| cell.is_served()).count();
    let faults = cells().filter(probed).count() - served;
    let sign = if served == all { '✓' } else { '✗' };
    let rest = match all - served - faults {
        0 => String::new(),
        rest => format!(", {rest} not probed"),
    };
    format!(
        "{sign} {} from {}: {served} of {all} served, {faults} not{rest}",
        words::count(matrix.rows.len(), "endpoint"),
        words::count(matrix.columns.len(), "place"),
    )
}

/// `A`, …, `Z`, `AA`.
fn letter(index: usize) -> String {
    let last = char::from(b'A' + (index % 26) as u8);
    match index / 26 {
        0 => last.to_string(),
        more => format!("{}{last}", letter(more - 1)),
    }
}

/// `✓ 200 12 ms`, `✗ 502 code 10`, `✗ 504 timeout`.
fn short(cell: &Cell) -> String {
    let status = status(cell).map_or_else(|| "?".to_owned(), |status| status.to_string());
    match cell {
        Cell::Waiting => "·".to_owned(),
        Cell::NotRun { .. } => "? not run".to_owned(),
        Cell::Probed { took_us, .. } if cell.is_served() => {
            format!("✓ {status} {}", words::micros(*took_us))
        }
        Cell::Probed { .. } => format!("✗ {status} {}", outcome(cell)),
    }
}

/// What the gateway's client would get, where that is known.
pub fn status(cell: &Cell) -> Option<u16> {
    match cell {
        Cell::Probed { client_status, .. } => *client_status,
        Cell::Waiting | Cell::NotRun { .. } => None,
    }
}

/// A word or two for what came of it: `code 10` (OpenSSL's), `alert 42`, `timeout`.
pub fn outcome(cell: &Cell) -> String {
    let Cell::Probed {
        outcome,
        verify_code,
        alert,
        ..
    } = cell
    else {
        return String::new();
    };
    match (outcome, verify_code, alert) {
        (Outcome::VerifyError, Some(code), _) => return format!("code {code}"),
        (_, _, Some(alert)) => return format!("alert {alert}"),
        (Outcome::Ok, ..) => "served",
        (Outcome::NameMismatch, ..) => "name",
        (Outcome::TlsError, ..) => "TLS",
        (Outcome::ConnectError, ..) => "connect",
        (Outcome::Timeout, ..) => "timeout",
        (Outcome::Closed, ..) => "closed",
        (Outcome::HttpError, ..) => "HTTP",
        (Outcome::VerifyError, None, _) => "verify",
    }
    .to_owned()
}

/// A bar for each round: as high as it took long; `×` where nginx would not serve, `?` where the
/// probe could not be run.
fn sparkline(rounds: &[Cell]) -> String {
    let rounds = &rounds[rounds.len().saturating_sub(SHOWN)..];
    let slowest = rounds
        .iter()
        .filter_map(|cell| match cell {
            Cell::Probed { took_us, .. } if cell.is_served() => Some(*took_us),
            _ => None,
        })
        .max()
        .unwrap_or(1)
        .max(1);
    rounds
        .iter()
        .map(|cell| match cell {
            Cell::Waiting => ' ',
            Cell::NotRun { .. } => '?',
            Cell::Probed { took_us, .. } if cell.is_served() => {
                BARS[(took_us.saturating_mul(7) / slowest) as usize]
            }
            Cell::Probed { .. } => '×',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(outcome: Outcome, took_us: u64) -> Cell {
        Cell::Probed {
            outcome,
            verify_code: Some(10),
            alert: None,
            client_status: Some(502),
            sentence: String::new(),
            took_us,
            via: String::new(),
        }
    }

    #[test]
    fn letters_go_on_after_z() {
        for (index, expected) in [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA")] {
            assert_eq!(letter(index), expected);
        }
    }

    #[test]
    fn cells_are_short() {
        for (cell, expected) in [
            (Cell::Waiting, "·"),
            (cell(Outcome::Ok, 12_000), "✓ 502 12.0 ms"),
            (cell(Outcome::VerifyError, 1), "✗ 502 code 10"),
            (cell(Outcome::Timeout, 1), "✗ 502 timeout"),
        ] {
            assert_eq!(short(&cell), expected);
            assert!(expected.chars().count() <= CELL);
        }
    }

    #[test]
    fn a_sparkline_shows_outcome_and_time() {
        let rounds = [
            cell(Outcome::Ok, 1),
            cell(Outcome::Ok, 100),
            cell(Outcome::VerifyError, 100),
            Cell::NotRun { why: String::new() },
        ];
        assert_eq!(sparkline(&rounds), "▁█×?");
    }
}
