//! The endpoint matrix: every endpoint from every data-plane pod, so that one bad pod of ten, or one stale data plane,
//! stands out.

mod findings;

use std::borrow::Cow;

use jiff::Timestamp;
use ngf_tls::transcript::{Outcome, Transcript};
use serde::{Deserialize, Serialize};

use super::plan::ProbePlan;

pub use findings::findings;

/// The `schema` of a grid as JSON.
pub const SCHEMA: &str = "ngf-tui/endpoint-matrix/v1";

/// Columns of a matrix that is read from a file.
const MOST_COLUMNS: usize = 1_000;

/// Every endpoint from every place.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EndpointMatrix {
    /// Always [`SCHEMA`].
    pub schema: Cow<'static, str>,
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
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Row {
    /// The connection.
    pub plan: ProbePlan,
    /// What came of it from each place.
    pub cells: Vec<Cell>,
}

/// An endpoint from one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
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
pub(super) type Class = (Outcome, Option<i32>, Option<u8>, Option<u16>);

impl Cell {
    /// What a probe came to.
    pub fn of(transcript: &Transcript) -> Self {
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

    /// Whether it was probed and nginx would not serve the request.
    pub fn is_fault(&self) -> bool {
        self.fault().is_some()
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

    pub(super) fn class(&self) -> Option<Class> {
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

    /// A fault, in words; `None` where it is served, or it is unknown.
    pub(super) fn fault(&self) -> Option<(Class, &str)> {
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

impl EndpointMatrix {
    /// With one cell for each column in every row, as what comes from a file may not have it.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.schema = Cow::Borrowed(SCHEMA);
        self.columns.truncate(MOST_COLUMNS);
        for row in &mut self.rows {
            row.cells.resize(self.columns.len(), Cell::Waiting);
        }
        self
    }

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
            schema: Cow::Borrowed(SCHEMA),
            started_at: began.to_string(),
            rows: plans.into_iter().map(row).collect(),
            columns,
            findings: Vec::new(),
            notes: Vec::new(),
        }
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
