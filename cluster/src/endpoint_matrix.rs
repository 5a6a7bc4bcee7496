//! Every endpoint from every data-plane pod: so that one bad pod of ten, or one stale data plane,
//! stands out.

mod history;

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use ngf_tls::transcript::Transcript;
use tokio_util::sync::CancellationToken;

pub use history::History;
pub use ngf_core::diagnosis::endpoint_matrix::{
    Cell, EndpointMatrix, Row, SCHEMA, endpoint, findings, words,
};

use crate::{
    prober::{Extras, ProbeResult, Prober},
    temporary::only,
    transport::{Transports, Via, Way, WayTaken, Ways},
};
use ngf_core::{data_plane::DataPlanePod, diagnosis::plan::ProbePlan, model::object::ObjectRef};

/// A place to probe from.
#[derive(Clone)]
pub struct ProbeOrigin {
    /// Its name: a data-plane pod's, or `this machine`.
    pub name: String,
    /// The ways from there, for each planned connection.
    pub from: From,
}

/// What a column's probes leave from.
#[derive(Clone)]
pub enum From {
    /// nginx's own container, in this pod; trusts what this pod has on its disk.
    DataPlane(DataPlanePod),
    /// Something that was made: a debug pod, an ephemeral container.
    Made(Ways),
    /// Whatever way there is, without writing: this one.
    Anywhere(Via),
}

/// A cell that was probed, or could not be.
#[derive(Debug, Clone)]
pub struct Done {
    /// Its row.
    pub row: usize,
    /// Its column.
    pub column: usize,
    /// What came of it.
    pub cell: Cell,
    /// All that was seen, and the way it was seen by; `None` where the probe could not be run.
    pub seen: Option<(Arc<Transcript>, WayTaken)>,
    /// When it began.
    pub at: Timestamp,
    /// How far the grid has come with it.
    pub progress: Progress,
}

/// How far a grid has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Cells that are done.
    pub done: usize,
    /// All cells.
    pub of: usize,
    /// Cells in which nginx would not serve.
    pub faults: usize,
}

/// Probes each plan from each column, `parallel` at a time, and tells each cell that is done. Cells
/// that were not reached when `cancel` was cancelled stay [`Cell::Waiting`].
pub async fn run<Told>(
    prober: &Prober,
    plans: Vec<ProbePlan>,
    columns: &[ProbeOrigin],
    parallel: usize,
    cancel: &CancellationToken,
    mut tell: impl FnMut(Done) -> Told,
) -> EndpointMatrix
where
    Told: Future<Output = ()>,
{
    let names = columns.iter().map(|column| column.name.clone()).collect();
    let mut matrix = EndpointMatrix::waiting(plans, names, Timestamp::now());
    let run = Run { prober, cancel };
    // Column by column within a row, so that the load is spread over the pods.
    let places =
        (0..matrix.rows.len()).flat_map(|row| (0..columns.len()).map(move |column| (row, column)));
    let plans: Vec<_> = matrix.rows.iter().map(|row| row.plan.clone()).collect();
    let of = plans.len() * columns.len();
    let (run, plans) = (&run, &plans);
    let mut cells = stream::iter(places)
        .map(|(row, column)| async move {
            let at = Timestamp::now();
            let (cell, seen) = run.cell(&plans[row], &columns[column]).await;
            (row, column, cell, seen, at)
        })
        .buffer_unordered(parallel.max(1))
        .boxed();
    let (mut done, mut faults) = (0, 0);
    let mut notes = BTreeSet::new();
    while let Some((row, column, cell, seen, at)) = cells.next().await {
        done += 1;
        faults += usize::from(cell.is_fault());
        matrix.rows[row].cells[column] = cell.clone();
        let seen = seen.map(|seen| {
            notes.extend(seen.notes);
            (seen.transcript, seen.way)
        });
        let progress = Progress { done, of, faults };
        tell(Done {
            row,
            column,
            cell,
            seen,
            at,
            progress,
        })
        .await;
    }
    drop(cells);
    matrix.notes = notes.into_iter().collect();
    matrix.findings = findings(&matrix);
    matrix
}

struct Run<'a> {
    prober: &'a Prober,
    cancel: &'a CancellationToken,
}

impl Run<'_> {
    async fn cell(&self, plan: &ProbePlan, column: &ProbeOrigin) -> (Cell, Option<ProbeResult>) {
        if self.cancel.is_cancelled() {
            return (Cell::Waiting, None);
        }
        match self.probe(plan, column).await {
            Ok(seen) => (Cell::of(&seen.transcript), Some(seen)),
            Err(_) if self.cancel.is_cancelled() => (Cell::Waiting, None),
            Err(why) => (Cell::NotRun { why }, None),
        }
    }

    async fn probe(&self, plan: &ProbePlan, column: &ProbeOrigin) -> Result<ProbeResult, String> {
        let transports = self.prober.transports();
        let ways = match &column.from {
            From::DataPlane(pod) => only(&transports.exec_in(pod)),
            From::Made(ways) => ways.clone(),
            From::Anywhere(via) => transports.ways(plan, *via, None).await?,
        };
        let extras = Extras::default();
        self.prober
            .probe_over(plan, &ways, &extras, self.cancel)
            .await
    }
}

/// The columns for temporary resources beside data-plane pods.
pub fn made_columns(made: &[(DataPlanePod, Way)]) -> Vec<ProbeOrigin> {
    made.iter()
        .map(|(pod, way)| ProbeOrigin {
            name: format!("{} beside {}", way.via, pod.pod.name),
            from: From::Made(only(way)),
        })
        .collect()
}

/// The columns for a Gateway: each data-plane pod using exec where the user may, or else one column by
/// whatever way there is, and why.
///
/// # Errors
/// A sentence, where only exec was asked for and it cannot be had.
pub async fn columns(
    transports: &Arc<Transports>,
    gateway: &ObjectRef,
    via: Via,
    pod: Option<&str>,
) -> Result<(Vec<ProbeOrigin>, Vec<String>), String> {
    let anywhere = |via: Via| {
        vec![ProbeOrigin {
            name: match via {
                Via::PortForward => "port-forward",
                Via::Direct => "this machine",
                _ => "the API server or this machine",
            }
            .to_owned(),
            from: From::Anywhere(via),
        }]
    };
    if matches!(via, Via::Direct | Via::PortForward) {
        return Ok((anywhere(via), Vec::new()));
    }
    let pods = transports.data_plane_pods(gateway, pod);
    let allowed = match &pods {
        Ok(_) => transports.allowed(Via::Exec, &gateway.namespace).await,
        Err(why) => Err(why.clone()),
    };
    match (pods, allowed, via) {
        (Ok(pods), Ok(()), _) => Ok((
            pods.into_iter()
                .map(|pod| ProbeOrigin {
                    name: pod.pod.name.clone(),
                    from: From::DataPlane(pod),
                })
                .collect(),
            Vec::new(),
        )),
        (_, Err(why), Via::Auto) => {
            Ok((anywhere(Via::Auto), vec![format!("not using exec: {why}")]))
        }
        (_, Err(why), _) | (Err(why), ..) => Err(why),
    }
}

#[cfg(test)]
mod tests;
