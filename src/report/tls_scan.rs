//! What `ngf-tui probe --tls-scan` prints.

use std::fmt::Write as _;

use ngf_probes::tls_scan::{Answer, Axis, Row, TlsScan};
use ngf_tls::transcript::Outcome;
use serde::Serialize;

use super::clean;
use ngf_core::diagnosis::plan::ProbePlan;
use ngf_text::words;

/// The `schema` of a list of TLS scans.
pub const LIST_SCHEMA: &str = "ngf-tui/tls-scans/v1";

/// A scan, and the plan that it followed, if the cluster's objects made one.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// What was measured.
    #[serde(flatten)]
    pub scan: TlsScan,
    /// What the cluster's objects say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<ProbePlan>,
}

/// The scans of a target, and what could not be measured.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Reports {
    /// Always [`LIST_SCHEMA`].
    pub schema: &'static str,
    /// One for each endpoint.
    pub scans: Vec<Report>,
    /// Why others could not be measured, a sentence each.
    pub not_run: Vec<String>,
}

impl Report {
    /// Whether nginx would serve the request by its own offer; `None` where nothing could be
    /// measured.
    pub fn is_served(&self) -> Option<bool> {
        self.scan.nginx_inside?;
        let own = self.scan.rows.first()?;
        Some(own.outcome == Some(Outcome::Ok))
    }

    /// The report as text.
    pub fn text(&self) -> String {
        let scan = &self.scan;
        let mut out = String::new();
        let address = scan.address.as_deref().unwrap_or("no address");
        let _ = writeln!(out, "{} ({address})", clean(&scan.target));
        let width = scan
            .rows
            .iter()
            .map(|row| row.name.len())
            .max()
            .unwrap_or_default();
        let mut axis = None;
        for row in &scan.rows {
            if axis != Some(row.axis) {
                let _ = writeln!(out, "\n{}", heading(row.axis));
                axis = Some(row.axis);
            }
            let _ = writeln!(out, "{}", line(row, width).trim_end());
        }
        let _ = writeln!(out, "\n* nginx offers it, too\n");
        let sign = match scan.nginx_inside {
            Some(true) => '✓',
            Some(false) => '✗',
            None => '?',
        };
        let _ = writeln!(out, "{sign} {}", clean(&scan.sentence));
        let _ = writeln!(
            out,
            "  offered by {}, in {}",
            scan.engine.version,
            words::micros(scan.duration_us)
        );
        out
    }
}

fn heading(axis: Axis) -> &'static str {
    match axis {
        Axis::Nginx => "All that nginx offers, at once",
        Axis::Version => "Versions, each offered alone",
        Axis::Cipher => "Cipher suites of TLS 1.3, and families of TLS 1.2, each offered alone",
        Axis::Group => "Key exchange groups, each offered alone",
        Axis::ClientCertificate => "Client certificate",
        Axis::ServerName => "Server Name Indication",
    }
}

fn line(row: &Row, width: usize) -> String {
    let star = if row.nginx { '*' } else { ' ' };
    let answer = match row.answer {
        Answer::Accepted => "yes",
        Answer::Refused => "no",
        Answer::Unknown => "?",
        Answer::NotOffered => "-",
    };
    let status = row
        .client_status
        .filter(|_| row.answer == Answer::Accepted)
        .map_or_else(String::new, |status| status.to_string());
    format!(
        "{star} {:<width$}  {answer:<3}  {status:>3}  {}",
        clean(&row.name),
        clean(&row.note)
    )
}
