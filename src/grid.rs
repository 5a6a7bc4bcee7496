//! Every endpoint from every data-plane pod: so that one bad pod of ten, or one stale data plane,
//! stands out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use ngf_probes::{
    probe,
    spec::{ProbeSpec, Trust},
    transcript::{Outcome, Transcript},
};
use serde::Serialize;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::transport::{
        DataPlanePod, OnDisk, Transports, Via, Way, WayTaken, Ways, same_certificates,
    },
    diagnosis::plan::{PlanKey, ProbePlan, TrustSource},
    model::object::ObjectRef,
    world::{making::only, probe_spec, run_over},
};

/// The `schema` of a grid as JSON.
pub const SCHEMA: &str = "ngf-tui/grid/v1";
/// Cells that are named one by one; the rest is counted.
const MOST_NAMED: usize = 20;

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
#[derive(Debug, Clone, Serialize)]
pub struct Grid {
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
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The connection.
    pub plan: ProbePlan,
    /// What came of it from each place.
    pub cells: Vec<Cell>,
}

/// An endpoint from one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

    /// A fault, in words; `None` where it is served, or nobody knows.
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

impl Grid {
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
    transports: &Transports,
    plans: Vec<ProbePlan>,
    columns: &[Column],
    timeout: Duration,
    parallel: usize,
    cancel: &CancellationToken,
    mut tell: impl FnMut(Done) -> Told,
) -> Grid
where
    Told: Future<Output = ()>,
{
    let names = columns.iter().map(|column| column.name.clone()).collect();
    let mut grid = Grid::waiting(plans, names, Timestamp::now());
    let run = Run {
        transports,
        timeout,
        cancel,
        specs: grid.rows.iter().map(|_| OnceCell::new()).collect(),
        bundles: bundles(&grid, columns),
    };
    // Column by column within a row, so that the load is spread over the pods.
    let places =
        (0..grid.rows.len()).flat_map(|row| (0..columns.len()).map(move |column| (row, column)));
    let plans: Vec<_> = grid.rows.iter().map(|row| row.plan.clone()).collect();
    let of = plans.len() * columns.len();
    let (run, plans) = (&run, &plans);
    let mut cells = stream::iter(places)
        .map(|(row, column)| async move {
            let at = Timestamp::now();
            let (cell, seen) = run.cell(row, &plans[row], column, &columns[column]).await;
            (row, column, cell, seen, at)
        })
        .buffer_unordered(parallel.max(1))
        .boxed();
    let (mut done, mut faults) = (0, 0);
    while let Some((row, column, cell, seen, at)) = cells.next().await {
        done += 1;
        faults += usize::from(cell.fault().is_some());
        grid.rows[row].cells[column] = cell.clone();
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
    grid.notes = run.notes(columns);
    grid.findings = findings(&grid);
    grid
}

/// By column and the object that NGF made the file of.
type Bundles = BTreeMap<(usize, ObjectRef), OnceCell<Result<OnDisk, String>>>;

fn bundles(grid: &Grid, columns: &[Column]) -> Bundles {
    let mut bundles = Bundles::new();
    for (index, column) in columns.iter().enumerate() {
        if !matches!(column.from, From::DataPlane(_)) {
            continue;
        }
        for row in &grid.rows {
            if let Some(TrustSource::Object { object, .. }) =
                row.plan.tls.as_ref().map(|tls| &tls.trust)
            {
                bundles.entry((index, object.clone())).or_default();
            }
        }
    }
    bundles
}

struct Run<'a> {
    transports: &'a Transports,
    timeout: Duration,
    cancel: &'a CancellationToken,
    /// One for each row: the CA and the client certificate are read once.
    specs: Vec<OnceCell<Result<ProbeSpec, String>>>,
    bundles: Bundles,
}

impl Run<'_> {
    async fn cell(
        &self,
        row: usize,
        plan: &ProbePlan,
        index: usize,
        column: &Column,
    ) -> (Cell, Option<(Arc<Transcript>, WayTaken)>) {
        if self.cancel.is_cancelled() {
            return (Cell::Waiting, None);
        }
        match self.probe(row, plan, index, column).await {
            Ok((transcript, way)) => {
                let cell = Cell::of(&transcript);
                (cell, Some((Arc::new(transcript), way)))
            }
            Err(_) if self.cancel.is_cancelled() => (Cell::Waiting, None),
            Err(why) => (Cell::NotRun { why }, None),
        }
    }

    async fn probe(
        &self,
        row: usize,
        plan: &ProbePlan,
        index: usize,
        column: &Column,
    ) -> Result<(Transcript, WayTaken), String> {
        let cluster = self.transports.cluster();
        let read = || probe_spec(cluster, plan, self.timeout);
        let mut spec = self.specs[row].get_or_init(read).await.clone()?;
        let ways = match &column.from {
            From::DataPlane(pod) => {
                self.trust_the_disk(&mut spec, plan, index, pod).await;
                only(&self.transports.exec_in(pod))
            }
            From::Made(ways) => ways.clone(),
            From::Anywhere(via) => self.transports.ways(plan, *via, None).await?,
        };
        let spec = &spec;
        run_over(&ways, |dial| async move {
            probe(spec, &*dial, self.cancel).await
        })
        .await
    }

    /// nginx trusts the file in its own pod, which the Secret may have left behind.
    async fn trust_the_disk(
        &self,
        spec: &mut ProbeSpec,
        plan: &ProbePlan,
        index: usize,
        pod: &DataPlanePod,
    ) {
        let (Some(tls), Some(planned)) = (&mut spec.tls, &plan.tls) else {
            return;
        };
        let TrustSource::Object { object, .. } = &planned.trust else {
            return;
        };
        let Some(cell) = self.bundles.get(&(index, object.clone())) else {
            return;
        };
        let read = || self.transports.bundle_on_disk(pod, object);
        if let Ok(on_disk) = cell.get_or_init(read).await {
            on_disk.replace(&mut tls.trust);
        }
    }

    fn notes(&self, columns: &[Column]) -> Vec<String> {
        let mut notes = BTreeSet::new();
        for ((index, object), bundle) in &self.bundles {
            match bundle.get() {
                Some(Err(why)) => {
                    notes.insert(format!(
                        "what {} trusts on its disk could not be read, so {object} was taken instead: {why}",
                        columns[*index].name
                    ));
                }
                Some(Ok(on_disk)) if self.is_stale(object, on_disk) => {
                    notes.insert(format!(
                        "{} on disk is not what {object} holds now: nginx there still trusts the older one, until NGF's agent writes the new one and nginx reloads",
                        on_disk.origin
                    ));
                }
                Some(Ok(_)) | None => {}
            }
        }
        notes.into_iter().collect()
    }

    fn is_stale(&self, object: &ObjectRef, on_disk: &OnDisk) -> bool {
        let origin = object.to_string();
        self.specs
            .iter()
            .filter_map(|spec| spec.get()?.as_ref().ok()?.tls.as_ref())
            .any(|tls| match &tls.trust {
                Trust::Bundle { pem, origin: of } => {
                    of.starts_with(&format!("{origin}[")) && !same_certificates(pem, &on_disk.pem)
                }
                Trust::System => false,
            })
    }
}

/// What stands out: endpoints that fail from everywhere, places from which everything fails, and
/// what is left.
pub fn findings(grid: &Grid) -> Vec<String> {
    let known = |cell: &Cell| cell.class().is_some();
    let rows: Vec<usize> = (0..grid.rows.len())
        .filter(|row| {
            let cells = &grid.rows[*row].cells;
            cells.iter().any(known)
                && cells
                    .iter()
                    .filter(|c| known(c))
                    .all(|c| c.fault().is_some())
        })
        .collect();
    let mut found = Vec::new();
    let probed = grid
        .rows
        .iter()
        .filter(|row| row.cells.iter().any(known))
        .count();
    // A place stands out only against others, and by endpoints that are well elsewhere.
    let columns: Vec<usize> = (0..grid.columns.len())
        .filter(|column| {
            let mut cells = (0..grid.rows.len())
                .filter(|row| !rows.contains(row))
                .map(|row| &grid.rows[row].cells[*column])
                .filter(|cell| known(cell))
                .peekable();
            cells.peek().is_some() && cells.all(|cell| cell.fault().is_some())
        })
        .collect();
    for &column in &columns {
        let faults = (0..grid.rows.len())
            .filter(|row| !rows.contains(row))
            .filter_map(|row| grid.rows[row].cells[column].fault());
        if let Some((_, sentence)) = most(faults) {
            found.push(format!(
                "from {} every endpoint fails that is well from elsewhere: {sentence}",
                grid.columns[column]
            ));
        }
    }
    let same_everywhere = (rows.len() == probed && probed > 1)
        .then(|| one_class(grid, &rows))
        .flatten();
    if let Some(sentence) = same_everywhere {
        found.push(format!(
            "every endpoint fails, from everywhere, and in the same way: {sentence}"
        ));
    } else {
        for &row in rows.iter().take(MOST_NAMED) {
            let well = |column: &usize| !columns.contains(column);
            let cells = &grid.rows[row].cells;
            let telling = (0..cells.len())
                .filter(well)
                .filter_map(|column| cells[column].fault());
            if let Some((_, sentence)) =
                most(telling).or_else(|| most(cells.iter().filter_map(Cell::fault)))
            {
                found.push(format!(
                    "{} fails from everywhere: {sentence}",
                    endpoint(&grid.rows[row].plan)
                ));
            }
        }
        more(&mut found, rows.len(), "endpoints fail from everywhere");
    }
    let mut singles = Vec::new();
    for (index, row) in grid.rows.iter().enumerate() {
        for (column, cell) in row.cells.iter().enumerate() {
            if rows.contains(&index) || columns.contains(&column) {
                continue;
            }
            if let Some((_, sentence)) = cell.fault() {
                singles.push(format!(
                    "{} fails from {}, and not from everywhere: {sentence}",
                    endpoint(&row.plan),
                    grid.columns[column]
                ));
            }
        }
    }
    let count = singles.len();
    found.extend(singles.into_iter().take(MOST_NAMED));
    more(&mut found, count, "single faults");
    found.extend(not_run(grid));
    found
}

fn more(found: &mut Vec<String>, count: usize, what: &str) {
    if count > MOST_NAMED {
        found.push(format!("and {} more {what}", count - MOST_NAMED));
    }
}

/// Probes that could not be run, counted by their reason.
fn not_run(grid: &Grid) -> Vec<String> {
    let mut reasons = BTreeMap::<(&str, &str), usize>::new();
    for row in &grid.rows {
        for (cell, column) in row.cells.iter().zip(&grid.columns) {
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
fn one_class<'m>(grid: &'m Grid, rows: &[usize]) -> Option<&'m str> {
    let mut faults = rows
        .iter()
        .flat_map(|row| grid.rows[*row].cells.iter().filter_map(Cell::fault));
    let (class, sentence) = faults.next()?;
    faults.all(|(other, _)| other == class).then_some(sentence)
}

/// `10.0.3.7:8443 (Pod shop/app-1) of Service shop/app:8443`.
pub fn endpoint(plan: &ProbePlan) -> String {
    let address = crate::model::topology::host_and_port(&plan.endpoint.address, plan.endpoint.port);
    let pod = plan
        .endpoint
        .pod
        .as_ref()
        .map(|pod| format!(" ({pod})"))
        .unwrap_or_default();
    format!("{address}{pod} of {}:{}", plan.service, plan.port)
}

/// What each cell was, round by round.
#[derive(Debug, Clone, Default)]
pub struct History {
    cells: BTreeMap<(PlanKey, String), Vec<Cell>>,
}

/// Rounds that are kept of each cell.
const ROUNDS: usize = 40;

impl History {
    /// Takes a round in; says what changed since the one before, a sentence each.
    pub fn take(&mut self, grid: &Grid) -> Vec<String> {
        let mut changes = Vec::new();
        let mut there = BTreeSet::new();
        let first = self.cells.is_empty();
        for row in &grid.rows {
            for (cell, column) in row.cells.iter().zip(&grid.columns) {
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
        let complete = !grid
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

/// A cell in words.
pub fn words(cell: &Cell) -> String {
    match cell {
        Cell::Waiting => "not probed yet".to_owned(),
        Cell::NotRun { why } => format!("not probed: {why}"),
        Cell::Probed { sentence, .. } => sentence.clone(),
    }
}

/// The columns for what was made beside data-plane pods.
pub fn made_columns(made: &[(DataPlanePod, Way)]) -> Vec<Column> {
    made.iter()
        .map(|(pod, way)| Column {
            name: format!("{} beside {}", way.via, pod.pod.name),
            from: From::Made(only(way)),
        })
        .collect()
}

/// The columns for a Gateway: each data-plane pod by exec where the user may, or else one column by
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
        (_, Err(why), Via::Auto) => Ok((anywhere(Via::Auto), vec![format!("not by exec: {why}")])),
        (_, Err(why), _) | (Err(why), ..) => Err(why),
    }
}

#[cfg(test)]
mod tests;
