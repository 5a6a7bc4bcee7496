//! What `ngf-tui probe` prints: the steps, the verdict, and what the gateway's client would get.

use std::fmt::Write as _;

use ngf_tls::transcript::{Direction, Outcome, Step, StepStatus, Transcript};
use serde::Serialize;

use super::clean;
use ngf_cluster::{probe_context::ProbeContext, transport::WayTaken};
use ngf_core::diagnosis::plan::ProbePlan;
use ngf_text::words;

/// The `schema` of a list of probes.
pub const LIST_SCHEMA: &str = "ngf-tui/probes/v1";

/// A probe that ran, and the plan that it followed, if the cluster's objects made one.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// What was seen.
    #[serde(flatten)]
    pub transcript: Transcript,
    /// What the cluster's objects say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<ProbePlan>,
    /// How the bytes went, and why so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<WayTaken>,
    /// What the gateway's client gets, and what both sides logged at that moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ProbeContext>,
}

/// The probes of a target, and what could not be probed.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Reports {
    /// Always [`LIST_SCHEMA`].
    pub schema: &'static str,
    /// One for each endpoint.
    pub probes: Vec<Report>,
    /// Why others could not be run, a sentence each.
    pub not_run: Vec<String>,
}

impl Report {
    /// Whether nginx would serve the request.
    pub fn is_served(&self) -> bool {
        self.transcript.nginx.outcome == Outcome::Ok
    }

    /// Whether the probe proves what the gateway's clients get.
    pub fn is_proven(&self) -> bool {
        self.transcript.not_proven.is_empty()
    }

    /// The report as text.
    pub fn text(&self) -> String {
        let transcript = &self.transcript;
        let mut out = String::new();
        let address = transcript.address.as_deref().unwrap_or("no address");
        let _ = writeln!(
            out,
            "{} ({address}) via {}",
            clean(&transcript.target),
            transcript.via
        );
        if let Some(plan) = &self.plan {
            for sentence in &plan.because {
                let _ = writeln!(out, "  {}", clean(sentence));
            }
        }
        if let Some(way) = &self.way {
            let _ = writeln!(out, "  {}", clean(&way.because));
            for why in &way.not_taken {
                let _ = writeln!(out, "  {}", clean(why));
            }
        }
        out.push('\n');
        steps(&mut out, &transcript.steps);
        out.push('\n');
        super::notes::moment(&mut out, transcript);
        verdict(&mut out, transcript);
        if let Some(context) = &self.context {
            super::notes::context(&mut out, context);
        }
        out
    }

    /// The same with the TLS records as they passed on the stream.
    pub fn text_with_records(&self) -> String {
        let mut out = self.text();
        super::notes::records(&mut out, &self.transcript);
        out
    }
}

/// A line for each step.
pub(super) fn steps(out: &mut String, steps: &[Step]) {
    let width = steps
        .iter()
        .map(|step| step.name.len())
        .max()
        .unwrap_or_default();
    for step in steps {
        let arrow = match step.direction {
            Direction::Sent => "→",
            Direction::Received => "←",
            Direction::Local => "·",
        };
        let sign = match step.status {
            StepStatus::Ok => ' ',
            StepStatus::Warning => '!',
            StepStatus::Failed => '✗',
        };
        let size = step.bytes.map(words::bytes).unwrap_or_default();
        let line = format!(
            "{sign} {:>10} {arrow} {:<width$} {size:>8}  {}",
            words::micros(step.at_us),
            clean(&step.name),
            clean(&step.summary),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn verdict(out: &mut String, transcript: &Transcript) {
    let nginx = &transcript.nginx;
    let sign = if nginx.outcome == Outcome::Ok {
        '✓'
    } else {
        '✗'
    };
    let sign = if transcript.not_proven.is_empty() {
        sign
    } else {
        '?'
    };
    let _ = writeln!(out, "{sign} {}", clean(&nginx.sentence));
    for why in &transcript.not_proven {
        let _ = writeln!(out, "  {}", clean(why));
    }
    if let Some(line) = &nginx.log_line {
        let _ = writeln!(out, "  nginx would log: {}", clean(line));
    }
    match nginx.client_status {
        Some(status) => {
            let _ = writeln!(out, "  The gateway's client gets {status}.");
        }
        None => {
            let _ = writeln!(out, "  What the gateway's client gets is not known.");
        }
    }
    if let Some(tls) = &transcript.tls {
        let group = tls
            .group
            .as_deref()
            .map(|group| format!(", {group}"))
            .unwrap_or_default();
        let _ = writeln!(out, "  {} {}{group}", tls.version, clean(&tls.cipher));
    }
    super::notes::notes(out, transcript);
    let _ = writeln!(
        out,
        "  judged by {}, in {}",
        transcript.engine.version,
        words::micros(transcript.duration_us)
    );
    if let Some(answer) = &transcript.http {
        let _ = writeln!(out, "\nHTTP {}", answer.status);
        for line in answer.body.lines().take(12) {
            let _ = writeln!(out, "  {}", clean(line));
        }
    }
}
