//! The matrix on the screen: every endpoint from every data-plane pod, once or again and again.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use jiff::Timestamp;
use ngf_tls::transcript::{Outcome, Transcript};
use ngf_ui::widgets::matrix::MatrixState;

use crate::tui::state::job::{Job, MatrixNews};
use ngf_cluster::{
    endpoint_matrix::{Cell, Done, EndpointMatrix, History, Progress, Row},
    transport::{Via, WayTaken},
};
use ngf_core::{
    diagnosis::{
        Evidence,
        evidence::Probed,
        plan::{PlanKey, ProbePlan},
    },
    model::object::ObjectRef,
};

/// Handshakes that are kept to be looked at; of more cells only the faults are.
const KEPT: usize = 512;
/// Lines of what changed that are kept.
const LOG: usize = 200;

/// All of it.
#[derive(Debug)]
pub struct GatewayMatrix {
    /// The job that fills it.
    pub number: u64,
    /// The Gateway.
    pub gateway: ObjectRef,
    /// The way that was chosen.
    pub via: Via,
    /// It is to go on, round after round.
    pub watch: bool,
    /// After which time its temporary resources are deleted.
    pub lives: Lives,
    /// It is to begin again, to go on then, once its job has ended.
    pub watch_next: bool,
    /// Its job runs, or waits for the next round.
    pub running: bool,
    /// How far the round is that runs.
    pub progress: Option<Progress>,
    /// What is known; `None` before the first round began.
    pub latest: Option<EndpointMatrix>,
    /// Selection and scroll position.
    pub state: MatrixState,
    /// Cells of rounds that ended.
    pub history: History,
    /// What changed, the newest last.
    pub log: VecDeque<String>,
    /// Why the last round could not be run.
    pub failed: Option<String>,
    kept: BTreeMap<(PlanKey, String), Kept>,
}

/// After which time the temporary resources of a matrix are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lives {
    /// For one round.
    OneRound,
    /// For as long as one watches.
    Watching,
}

impl Lives {
    fn of(watch: bool) -> Self {
        if watch {
            Self::Watching
        } else {
            Self::OneRound
        }
    }
}

/// A handshake of a cell.
#[derive(Debug, Clone)]
pub struct Kept {
    /// When it began.
    pub at: Timestamp,
    /// What was seen.
    pub transcript: Arc<Transcript>,
    /// By which way.
    pub way: WayTaken,
}

impl GatewayMatrix {
    /// For a job that begins; nothing is known yet.
    pub fn new(job: &Job, gateway: ObjectRef, watch: bool) -> Self {
        Self {
            number: job.number,
            gateway,
            via: job.via,
            watch,
            lives: Lives::of(watch),
            watch_next: false,
            running: true,
            progress: None,
            latest: None,
            state: MatrixState::default(),
            history: History::default(),
            log: VecDeque::new(),
            failed: None,
            kept: BTreeMap::new(),
        }
    }

    /// One that was seen by another run, with the handshakes that are kept of it.
    pub fn restored(gateway: ObjectRef, latest: EndpointMatrix, evidence: &Evidence) -> Self {
        let mut kept = BTreeMap::new();
        for (pod, probed) in evidence.probes_from() {
            let Ok(transcript) = &probed.result else {
                continue;
            };
            let columns = latest.columns.iter();
            let mut columns = columns.filter(|column| pod.is_none_or(|pod| *column == pod));
            let (Some(column), true) = (columns.next(), probed.plan.gateway == gateway) else {
                continue;
            };
            let way = evidence.around(probed).and_then(|how| how.way.clone());
            let way = way.unwrap_or_else(|| WayTaken {
                via: transcript.via.clone(),
                because: String::new(),
                not_taken: Vec::new(),
                seen_from: None,
            });
            let one = Kept {
                at: probed.at,
                transcript: Arc::clone(transcript),
                way,
            };
            kept.insert((probed.plan.key(), column.clone()), one);
        }
        Self {
            number: 0,
            gateway,
            via: Via::default(),
            watch: false,
            lives: Lives::OneRound,
            watch_next: false,
            running: false,
            progress: None,
            latest: Some(latest),
            state: MatrixState::default(),
            history: History::default(),
            log: VecDeque::new(),
            failed: None,
            kept,
        }
    }

    /// Continues with another job about the same Gateway: what is known stays.
    pub fn continued(&mut self, job: &Job, watch: bool) {
        self.number = job.number;
        self.via = job.via;
        self.watch = watch;
        self.lives = Lives::of(watch);
        self.watch_next = false;
        self.running = true;
        self.progress = None;
        self.failed = None;
    }

    /// Takes news in; the probes that are evidence now, once a round has ended.
    pub fn take(
        &mut self,
        news: MatrixNews,
        now: Timestamp,
    ) -> Vec<(Probed, WayTaken, Option<String>)> {
        match news {
            MatrixNews::Began(latest) => {
                self.failed = None;
                self.begin(*latest);
            }
            MatrixNews::Done(done) => self.done(*done),
            // Evidence, which is not the matrix's.
            MatrixNews::Using(_) => {}
            MatrixNews::Ended(latest) => return self.end(*latest, now),
            MatrixNews::Failed(why) => {
                self.progress = None;
                if self.failed.as_ref() != Some(&why) {
                    self.note(now, &why);
                }
                self.failed = Some(why);
            }
            MatrixNews::Over => {
                self.running = false;
                self.watch = false;
                self.progress = None;
            }
        }
        Vec::new()
    }

    /// What was known of a cell stays on the screen until it is probed again.
    fn begin(&mut self, mut latest: EndpointMatrix) {
        let of = latest.rows.len() * latest.columns.len();
        self.progress = Some(Progress {
            done: 0,
            of,
            faults: 0,
        });
        if let Some(before) = &self.latest {
            let rows: BTreeMap<PlanKey, &Row> = before
                .rows
                .iter()
                .map(|row| (row.plan.key(), row))
                .collect();
            for row in &mut latest.rows {
                let Some(known) = rows.get(&row.plan.key()) else {
                    continue;
                };
                for (column, cell) in latest.columns.iter().zip(&mut row.cells) {
                    let place = before.columns.iter().position(|known| known == column);
                    if let Some(known) = place.and_then(|place| known.cells.get(place)) {
                        *cell = known.clone();
                    }
                }
            }
            latest.findings.clone_from(&before.findings);
            latest.notes.clone_from(&before.notes);
        }
        self.latest = Some(latest);
    }

    fn done(&mut self, done: Done) {
        let Some(latest) = &mut self.latest else {
            return;
        };
        let Some(row) = latest.rows.get_mut(done.row) else {
            return;
        };
        let Some(column) = latest.columns.get(done.column) else {
            return;
        };
        self.progress = Some(done.progress);
        let key = (row.plan.key(), column.clone());
        if let Some(cell) = row.cells.get_mut(done.column) {
            *cell = done.cell;
        }
        self.kept.remove(&key);
        let Some((transcript, way)) = done.seen else {
            return;
        };
        let is_fault = transcript.nginx.outcome != Outcome::Ok;
        if self.kept.len() >= KEPT && is_fault {
            // A handshake that went well makes room.
            let well = |kept: &Kept| kept.transcript.nginx.outcome == Outcome::Ok;
            let found = self.kept.iter().find(|(_, kept)| well(kept));
            if let Some(key) = found.map(|(key, _)| key.clone()) {
                self.kept.remove(&key);
            }
        }
        if self.kept.len() < KEPT {
            let at = done.at;
            let kept = Kept {
                at,
                transcript,
                way,
            };
            self.kept.insert(key, kept);
        }
    }

    fn end(
        &mut self,
        latest: EndpointMatrix,
        now: Timestamp,
    ) -> Vec<(Probed, WayTaken, Option<String>)> {
        self.progress = None;
        for change in self.history.take(&latest) {
            self.note(now, &change);
        }
        let there: BTreeSet<PlanKey> = latest.rows.iter().map(|row| row.plan.key()).collect();
        self.kept.retain(|(key, _), _| there.contains(key));
        let of_row = |row: &Row| self.probed(&row.plan);
        let probed = latest.rows.iter().flat_map(of_row).collect();
        self.latest = Some(latest);
        probed
    }

    /// The handshakes of an endpoint that are kept, each with the place that it left from.
    fn probed(&self, plan: &ProbePlan) -> Vec<(Probed, WayTaken, Option<String>)> {
        let key = plan.key();
        self.kept
            .range((key.clone(), String::new())..)
            .take_while(|((known, _), _)| *known == key)
            .map(|((_, place), kept)| {
                let probed = Probed {
                    plan: Arc::new(plan.clone()),
                    at: kept.at,
                    result: Ok(Arc::clone(&kept.transcript)),
                };
                let is_pod = kept.way.via == Via::Exec.to_string();
                (probed, kept.way.clone(), is_pod.then(|| place.clone()))
            })
            .collect()
    }

    fn note(&mut self, now: Timestamp, what: &str) {
        self.log
            .push_back(format!("{} {what}", now.strftime("%H:%M:%S")));
        while self.log.len() > LOG {
            self.log.pop_front();
        }
    }

    /// The selected cell: its plan, its column and what is known of it.
    pub fn selected(&self) -> Option<(&ProbePlan, &str, &Cell)> {
        let latest = self.latest.as_ref()?;
        let row = &latest.rows[self.state.rows.selected(latest.rows.len())?];
        let column = self.state.columns.selected(latest.columns.len())?;
        Some((&row.plan, &latest.columns[column], row.cells.get(column)?))
    }

    /// The handshake of a cell, where it is kept.
    pub fn kept(&self, plan: &ProbePlan, column: &str) -> Option<&Kept> {
        self.kept.get(&(plan.key(), column.to_owned()))
    }
}
