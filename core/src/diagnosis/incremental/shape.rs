//! What of a diagnosis tells that its parts still fit together.

use super::super::{Diagnosis, coverage::Coverage, health::Health};
use crate::model::topology::Topology;

/// What the diagnosis has beside the findings.
pub(super) struct Shape {
    pub(super) topology: Topology,
    pub(super) own: Vec<Health>,
    pub(super) worst: Vec<Health>,
    pub(super) coverage: Coverage,
}

impl Shape {
    pub(super) fn of(diagnosis: &Diagnosis) -> Self {
        Self {
            topology: diagnosis.topology.clone(),
            own: diagnosis.own.clone(),
            worst: diagnosis.worst.clone(),
            coverage: diagnosis.coverage.clone(),
        }
    }
}
