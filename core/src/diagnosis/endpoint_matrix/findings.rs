//! What stands out in a grid, in sentences.

use std::collections::BTreeMap;

use super::{Cell, Class, EndpointMatrix, endpoint};

/// Cells that are named one by one; the rest is counted.
const MOST_NAMED: usize = 20;

/// What stands out: endpoints that fail from everywhere, places from which everything fails, and
/// what is left.
pub fn findings(matrix: &EndpointMatrix) -> Vec<String> {
    let known = |cell: &Cell| cell.class().is_some();
    let rows: Vec<usize> = (0..matrix.rows.len())
        .filter(|row| {
            let cells = &matrix.rows[*row].cells;
            cells.iter().any(known)
                && cells
                    .iter()
                    .filter(|c| known(c))
                    .all(|c| c.fault().is_some())
        })
        .collect();
    let mut found = Vec::new();
    let probed = matrix
        .rows
        .iter()
        .filter(|row| row.cells.iter().any(known))
        .count();
    // A place stands out only against others, and by endpoints that are well elsewhere.
    let columns: Vec<usize> = (0..matrix.columns.len())
        .filter(|column| {
            let mut cells = (0..matrix.rows.len())
                .filter(|row| !rows.contains(row))
                .map(|row| &matrix.rows[row].cells[*column])
                .filter(|cell| known(cell))
                .peekable();
            cells.peek().is_some() && cells.all(|cell| cell.fault().is_some())
        })
        .collect();
    for &column in &columns {
        let faults = (0..matrix.rows.len())
            .filter(|row| !rows.contains(row))
            .filter_map(|row| matrix.rows[row].cells[column].fault());
        if let Some((_, sentence)) = most(faults) {
            found.push(format!(
                "from {} every endpoint fails that is well from elsewhere: {sentence}",
                matrix.columns[column]
            ));
        }
    }
    let same_everywhere = (rows.len() == probed && probed > 1)
        .then(|| one_class(matrix, &rows))
        .flatten();
    if let Some(sentence) = same_everywhere {
        found.push(format!(
            "every endpoint fails, from everywhere, and in the same way: {sentence}"
        ));
    } else {
        for &row in rows.iter().take(MOST_NAMED) {
            let well = |column: &usize| !columns.contains(column);
            let cells = &matrix.rows[row].cells;
            let telling = (0..cells.len())
                .filter(well)
                .filter_map(|column| cells[column].fault());
            if let Some((_, sentence)) =
                most(telling).or_else(|| most(cells.iter().filter_map(Cell::fault)))
            {
                found.push(format!(
                    "{} fails from everywhere: {sentence}",
                    endpoint(&matrix.rows[row].plan)
                ));
            }
        }
        more(&mut found, rows.len(), "endpoints fail from everywhere");
    }
    let mut singles = Vec::new();
    for (index, row) in matrix.rows.iter().enumerate() {
        for (column, cell) in row.cells.iter().enumerate() {
            if rows.contains(&index) || columns.contains(&column) {
                continue;
            }
            if let Some((_, sentence)) = cell.fault() {
                singles.push(format!(
                    "{} fails from {}, and not from everywhere: {sentence}",
                    endpoint(&row.plan),
                    matrix.columns[column]
                ));
            }
        }
    }
    let count = singles.len();
    found.extend(singles.into_iter().take(MOST_NAMED));
    more(&mut found, count, "single faults");
    found.extend(not_run(matrix));
    found
}

fn more(found: &mut Vec<String>, count: usize, what: &str) {
    if count > MOST_NAMED {
        found.push(format!("and {} more {what}", count - MOST_NAMED));
    }
}

/// Probes that could not be run, counted by their reason.
fn not_run(matrix: &EndpointMatrix) -> Vec<String> {
    let mut reasons = BTreeMap::<(&str, &str), usize>::new();
    for row in &matrix.rows {
        for (cell, column) in row.cells.iter().zip(&matrix.columns) {
            if let Cell::NotRun { why } = cell {
                *reasons.entry((column, why)).or_default() += 1;
            }
        }
    }
    let count = reasons.len();
    let mut said: Vec<_> = reasons
        .into_iter()
        .take(MOST_NAMED)
        .map(|((column, why), times)| {
            let times = if times == 1 {
                String::new()
            } else {
                format!(" ({times} times)")
            };
            format!("not probed from {column}{times}: {why}")
        })
        .collect();
    more(&mut said, count, "reasons");
    said
}

/// The sentence of the class that most of them have; the first of them.
fn most<'a>(faults: impl Iterator<Item = (Class, &'a str)>) -> Option<(Class, &'a str)> {
    let mut counted: Vec<(Class, &str, usize)> = Vec::new();
    for (class, sentence) in faults {
        match counted.iter_mut().find(|(known, ..)| *known == class) {
            Some((_, _, count)) => *count += 1,
            None => counted.push((class, sentence, 1)),
        }
    }
    counted
        .into_iter()
        .rev()
        .max_by_key(|(_, _, count)| *count)
        .map(|(class, sentence, _)| (class, sentence))
}

/// The sentence, where all faults of these rows are of one class.
fn one_class<'m>(matrix: &'m EndpointMatrix, rows: &[usize]) -> Option<&'m str> {
    let mut faults = rows
        .iter()
        .flat_map(|row| matrix.rows[*row].cells.iter().filter_map(Cell::fault));
    let (class, sentence) = faults.next()?;
    faults.all(|(other, _)| other == class).then_some(sentence)
}
