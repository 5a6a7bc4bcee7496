//! Every endpoint from every data-plane pod: so that one bad pod of ten, or one stale data plane,
//! stands out.

mod findings;
mod history;

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use ngf_tls::transcript::{Outcome, Transcript};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

pub use findings::findings;
pub use history::History;

use crate::{
    prober::{Extras, Prober, Seen},
    temporary::only,
    transport::{Transports, Via, Way, WayTaken, Ways},
};
use ngf_core::{data_plane::DataPlanePod, diagnosis::plan::ProbePlan, model::object::ObjectRef};

/// The `schema` of a grid as JSON.
pub const SCHEMA: &str = "ngf-tui/endpoint-matrix/v1";

/// A place to probe from.
#[derive(Clone)]
pub struct Column {
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

/// Every endpoint from every place.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct EndpointMatrix {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// Names of the places, in order.
    pub columns: Vec<String>,
    /// One for each endpoint of each backend.
    pub rows: Vec<Row>,
    /// What stands out, in sentences, the most telling first.
    pub findings: Vec<String>,
    /// What should be known beside: a CA on disk that is not the Secret's, a backend without
    /// endpoints.
    pub notes: Vec<String>,
}

/// An endpoint.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Row {
    /// The connection.
    pub plan: ProbePlan,
    /// What came of it from each place.
    pub cells: Vec<Cell>,
}

/// An endpoint from one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Cell {
    /// Not probed yet.
    Waiting,
    /// Probed.
    Probed {
        /// nginx's outcome.
        outcome: Outcome,
        /// OpenSSL's verify result.
        verify_code: Option<i32>,
        /// Alert.
        alert: Option<u8>,
        /// What the gateway's client would get.
        client_status: Option<u16>,
        /// One sentence.
        sentence: String,
        /// Microseconds from begin to end.
        took_us: u64,
        /// The way.
        via: String,
    },
    /// The probe could not be run.
    NotRun {
        /// Why, in a sentence.
        why: String,
    },
}

/// What makes two outcomes the same.
type Class = (Outcome, Option<i32>, Option<u8>, Option<u16>);

impl Cell {
    fn of(transcript: &Transcript) -> Self {
        if let Some(why) = &transcript.client_certificate.not_proven {
            return Self::NotRun { why: why.clone() };
        }
        let nginx = &transcript.nginx;
        Self::Probed {
            outcome: nginx.outcome,
            verify_code: nginx.verify_code,
            alert: nginx.alert,
            client_status: nginx.client_status,
            sentence: nginx.sentence.clone(),
            took_us: transcript.duration_us,
            via: transcript.via.clone(),
        }
    }

    /// nginx would serve the request.
    pub fn is_served(&self) -> bool {
        matches!(
            self,
            Self::Probed {
                outcome: Outcome::Ok,
                ..
            }
        )
    }

    fn class(&self) -> Option<Class> {
        match self {
            Self::Probed {
                outcome,
                verify_code,
                alert,
                client_status,
                ..
            } => Some((*outcome, *verify_code, *alert, *client_status)),
            Self::Waiting | Self::NotRun { .. } => None,
        }
    }

    /// A fault, in words; `None` where it is served, or that is unknown.
    fn fault(&self) -> Option<(Class, &str)> {
        match self {
            Self::Probed { sentence, .. } if !self.is_served() => Some((self.class()?, sentence)),
            _ => None,
        }
    }

    /// Whether something changed that a person wants to be told.
    pub fn differs_from(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NotRun { .. }, Self::NotRun { .. }) => false,
            _ => self.class() != other.class(),
        }
    }
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

impl EndpointMatrix {
    /// Whether any cell was probed and not served.
    pub fn has_faults(&self) -> bool {
        let mut cells = self.rows.iter().flat_map(|row| &row.cells);
        cells.any(|cell| cell.fault().is_some())
    }

    /// A grid of which nothing is probed yet.
    pub fn waiting(plans: Vec<ProbePlan>, columns: Vec<String>, began: Timestamp) -> Self {
        let row = |plan| Row {
            plan,
            cells: vec![Cell::Waiting; columns.len()],
        };
        Self {
            schema: SCHEMA,
            started_at: began.to_string(),
            rows: plans.into_iter().map(row).collect(),
            columns,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Probes each plan from each column, `parallel` at a time, and tells each cell that is done. Cells
/// that were not reached when `cancel` was cancelled stay [`Cell::Waiting`].
pub async fn run<Told>(
    prober: &Prober,
    plans: Vec<ProbePlan>,
    columns: &[Column],
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
        faults += usize::from(cell.fault().is_some());
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
    async fn cell(&self, plan: &ProbePlan, column: &Column) -> (Cell, Option<Seen>) {
        if self.cancel.is_cancelled() {
            return (Cell::Waiting, None);
        }
        match self.probe(plan, column).await {
            Ok(seen) => (Cell::of(&seen.transcript), Some(seen)),
            Err(_) if self.cancel.is_cancelled() => (Cell::Waiting, None),
            Err(why) => (Cell::NotRun { why }, None),
        }
    }

    async fn probe(&self, plan: &ProbePlan, column: &Column) -> Result<Seen, String> {
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

/// `10.0.3.7:8443 (Pod shop/app-1) of Service shop/app:8443`.
pub fn endpoint(plan: &ProbePlan) -> String {
    let address = ngf_text::host_and_port(&plan.endpoint.address, plan.endpoint.port);
    let pod = plan
        .endpoint
        .pod
        .as_ref()
        .map(|pod| format!(" ({pod})"))
        .unwrap_or_default();
    format!("{address}{pod} of {}:{}", plan.service, plan.port)
}

/// A cell in words.
pub fn words(cell: &Cell) -> String {
    match cell {
        Cell::Waiting => "not probed yet".to_owned(),
        Cell::NotRun { why } => format!("not probed: {why}"),
        Cell::Probed { sentence, .. } => sentence.clone(),
    }
}

/// The columns for temporary resources beside data-plane pods.
pub fn made_columns(made: &[(DataPlanePod, Way)]) -> Vec<Column> {
    made.iter()
        .map(|(pod, way)| Column {
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
) -> Result<(Vec<Column>, Vec<String>), String> {
    let anywhere = |via: Via| {
        vec![Column {
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
                .map(|pod| Column {
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
