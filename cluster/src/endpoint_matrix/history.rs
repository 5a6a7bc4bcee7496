//! What became of each cell, round by round.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, EndpointMatrix, endpoint, words};
use ngf_core::diagnosis::plan::{PlanKey, ProbePlan};

/// What each cell was, round by round.
#[derive(Debug, Clone, Default)]
pub struct History {
    cells: BTreeMap<(PlanKey, String), Vec<Cell>>,
}

/// Rounds that are kept of each cell.
const ROUNDS: usize = 40;

impl History {
    /// Takes a round in; says what changed since the one before, a sentence each.
    pub fn take(&mut self, matrix: &EndpointMatrix) -> Vec<String> {
        let mut changes = Vec::new();
        let mut there = BTreeSet::new();
        let first = self.cells.is_empty();
        for row in &matrix.rows {
            for (cell, column) in row.cells.iter().zip(&matrix.columns) {
                if *cell == Cell::Waiting {
                    continue;
                }
                let key = (row.plan.key(), column.clone());
                there.insert(key.clone());
                let place = format!("{} from {column}", endpoint(&row.plan));
                let rounds = self.cells.entry(key).or_default();
                match rounds.last() {
                    None if first => {}
                    None => changes.push(format!("{place} is new: {}", words(cell))),
                    Some(before) if cell.differs_from(before) => {
                        changes.push(format!("{place}: {}", words(cell)));
                    }
                    Some(_) => {}
                }
                rounds.push(cell.clone());
                if rounds.len() > ROUNDS {
                    rounds.remove(0);
                }
            }
        }
        let gone: Vec<_> = self
            .cells
            .keys()
            .filter(|key| !there.contains(*key))
            .cloned()
            .collect();
        let complete = !matrix
            .rows
            .iter()
            .any(|row| row.cells.contains(&Cell::Waiting));
        if complete {
            for key in gone {
                changes.push(format!(
                    "{}:{} of {}:{} from {} is gone",
                    key.0.address, key.0.endpoint_port, key.0.service, key.0.port, key.1
                ));
                self.cells.remove(&key);
            }
        }
        changes
    }

    /// The rounds of a cell, the oldest first.
    pub fn rounds(&self, plan: &ProbePlan, column: &str) -> &[Cell] {
        self.cells
            .get(&(plan.key(), column.to_owned()))
            .map_or(&[], Vec::as_slice)
    }
}
