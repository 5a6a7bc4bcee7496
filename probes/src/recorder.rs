//! The clock of a probe, and the list that its steps are written to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ngf_tls::transcript::Step;
use tokio::sync::mpsc;

/// More steps than this are not kept: a peer that sends messages for ever costs no memory.
const MOST_STEPS: usize = 2_000;

/// Takes the steps of one probe, in any order; cloned handles write to the same list.
#[derive(Debug, Clone)]
pub struct Recorder {
    started: Instant,
    steps: Arc<Mutex<Vec<Step>>>,
    /// Who is told of each step at once.
    told: Option<mpsc::Sender<Step>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// Starts the clock.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            steps: Arc::default(),
            told: None,
        }
    }

    /// Starts the clock, and tells each step as it is written down. Who does not listen in time misses steps.
    #[must_use]
    pub fn telling(steps: Option<mpsc::Sender<Step>>) -> Self {
        Self {
            told: steps,
            ..Self::new()
        }
    }

    /// A list of its own by the same clock.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            started: self.started,
            steps: Arc::default(),
            told: None,
        }
    }

    /// Microseconds since the probe began.
    pub fn now_us(&self) -> u64 {
        self.at_us(Instant::now())
    }

    /// A moment as microseconds since the probe began; 0 for one before it.
    pub fn at_us(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.started).as_micros())
            .unwrap_or(u64::MAX)
    }

    /// The moment so many microseconds after the probe began.
    pub(crate) fn moment(&self, at_us: u64) -> Instant {
        self.started + Duration::from_micros(at_us)
    }

    /// Writes a step down.
    pub fn push(&self, step: Step) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if steps.len() < MOST_STEPS {
            if let Some(told) = &self.told {
                let _ = told.try_send(step.clone());
            }
            steps.push(step);
        }
    }

    /// Everything so far, in order of time; steps of one moment keep the order in which they were
    /// written.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = self
            .steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        steps.sort_by_key(|step| step.at_us);
        steps
    }
}
