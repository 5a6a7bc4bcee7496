//! What `ngf-tui probe` prints: the steps, the verdict, and what the gateway's client would get.

use ngf_tls::transcript::{Direction, Outcome, Step, StepStatus, Transcript};
use serde::Serialize;

use super::{
    clean,
    prose::Prose,
    text::{GREEN, MAGENTA, RED, Style, YELLOW},
};
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

    /// The report as text: the verdict, why nginx connects like this, the steps, and the context.
    pub fn text(&self, style: Style) -> String {
        let transcript = &self.transcript;
        let mut out = Prose::new(style);
        let address = transcript.address.as_deref().unwrap_or("no address");
        out.sentence(
            0,
            &format!("{} ({address}) via {}", transcript.target, transcript.via),
        );
        super::notes::moment(&mut out, transcript);
        verdict(&mut out, transcript);
        out.blank();
        self.premises(&mut out);
        out.blank();
        steps(&mut out, &transcript.steps);
        answer(&mut out, transcript);
        if let Some(context) = &self.context {
            super::notes::context(&mut out, context);
        }
        out.finish()
    }

    /// Why nginx connects like this, and where the connection originates.
    fn premises(&self, out: &mut Prose) {
        let plan = self.plan.iter().flat_map(|plan| &plan.because);
        let way = self.way.iter();
        let way = way.flat_map(|way| std::iter::once(&way.because).chain(&way.not_taken));
        for sentence in plan.chain(way) {
            out.sentence(2, sentence);
        }
    }

    /// The same with the TLS records as they passed on the stream.
    pub fn text_with_records(&self, style: Style) -> String {
        let mut out = self.text(style);
        super::notes::records(&mut out, &self.transcript);
        out
    }
}

/// Fewest columns for what a step says after its name; where there are fewer, it stands below.
const LEAST: usize = 24;

/// A line for each step.
pub(super) fn steps(out: &mut Prose, steps: &[Step]) {
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
            StepStatus::Ok => " ".to_owned(),
            StepStatus::Warning => out.painted("!", YELLOW),
            StepStatus::Failed => out.painted("✗", RED),
        };
        let size = step.bytes.map(words::bytes).unwrap_or_default();
        let lead = format!(
            "{sign} {:>10} {arrow} {:<width$} {size:>8}  ",
            words::micros(step.at_us),
            clean(&step.name),
        );
        out.columns(&lead, LEAST, &step.summary);
    }
}

fn verdict(out: &mut Prose, transcript: &Transcript) {
    let nginx = &transcript.nginx;
    let (sign, colour) = match (transcript.not_proven.is_empty(), nginx.outcome) {
        (false, _) => ('?', MAGENTA),
        (true, Outcome::Ok) => ('✓', GREEN),
        (true, _) => ('✗', RED),
    };
    out.marked(sign, colour, &nginx.sentence);
    for why in &transcript.not_proven {
        out.sentence(2, why);
    }
    if let Some(line) = &nginx.log_line {
        out.sentence(2, &format!("nginx would log: {line}"));
    }
    out.sentence(
        2,
        &nginx.client_status.map_or_else(
            || "What the gateway's client gets is not known.".to_owned(),
            |status| format!("The gateway's client gets {status}."),
        ),
    );
    if let Some(tls) = &transcript.tls {
        let group = tls
            .group
            .as_deref()
            .map(|group| format!(", {group}"))
            .unwrap_or_default();
        out.sentence(2, &format!("{} {}{group}", tls.version, tls.cipher));
    }
    super::notes::notes(out, transcript);
    out.sentence(
        2,
        &format!(
            "judged by {}, in {}",
            transcript.engine.version,
            words::micros(transcript.duration_us)
        ),
    );
}

/// What the backend answered.
fn answer(out: &mut Prose, transcript: &Transcript) {
    let Some(answer) = &transcript.http else {
        return;
    };
    out.blank();
    out.line(&format!("HTTP {}", answer.status));
    for line in answer.body.lines().take(12) {
        out.line(&format!("  {}", clean(line)));
    }
}
