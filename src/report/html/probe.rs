//! The page of `probe`: the verdict, the handshake message by message, the certificates.

use std::fmt::Write as _;

use jiff::Timestamp;
use ngf_core::{bundle::without_body, diagnosis::words};
use ngf_tls::transcript::{Direction, Outcome, StepStatus, Transcript};

use super::{lines, list, page, section, table, text};
use crate::report::probe::{Report, Reports};

/// Fields of a step that are shown.
const FIELDS: usize = 60;

/// The page of the probes of a target.
pub fn probes(reports: &Reports, at: Timestamp) -> String {
    let mut body = String::new();
    for report in &reports.probes {
        one(&mut body, report);
    }
    section(&mut body, "Not probed", &list(&reports.not_run));
    page("ngf-tui probe", at, &body)
}

fn one(body: &mut String, report: &Report) {
    let transcript = without_body(&report.transcript);
    let nginx = &transcript.nginx;
    let (class, sign) = match (transcript.not_proven.is_empty(), nginx.outcome) {
        (false, _) => ("unknown", "?"),
        (true, Outcome::Ok) => ("ok", "✓"),
        (true, _) => ("error", "✗"),
    };
    let mut out = format!(
        "<div class=\"card {class}\">\n<h3><span class=\"sign {class}\">{sign}</span> {}</h3>\n",
        text(&nginx.sentence)
    );
    out.push_str(&list(&transcript.not_proven));
    let status = match nginx.client_status {
        Some(status) => format!("The gateway's client gets {status}."),
        None => "What the gateway's client gets is not known.".to_owned(),
    };
    let _ = writeln!(out, "<p>{}</p>", text(&status));
    if let Some(line) = &nginx.log_line {
        let _ = writeln!(out, "<p>nginx would log:</p>\n<pre>{}</pre>", lines(line));
    }
    out.push_str("</div>\n");
    if let Some(plan) = &report.plan {
        out.push_str(&list(&plan.because));
    }
    out.push_str(&sequence(&transcript));
    out.push_str(&chain(&transcript));
    if let Some(answer) = &transcript.http {
        let _ = writeln!(
            out,
            "<h3>HTTP {}</h3>\n<pre>{}</pre>",
            answer.status,
            lines(&answer.body)
        );
    }
    let via = report
        .way
        .as_ref()
        .map_or(transcript.via.as_str(), |way| way.via.as_str());
    let address = transcript.address.as_deref().unwrap_or("no address");
    section(
        body,
        &format!("{} ({address}) using {via}", transcript.target),
        &out,
    );
}

/// The steps: what nginx sends stands left, what the backend sends right.
fn sequence(transcript: &Transcript) -> String {
    let mut out = "<h3>Handshake</h3>\n<ol class=\"sequence\">\n".to_owned();
    for step in &transcript.steps {
        let (direction, arrow) = match step.direction {
            Direction::Sent => ("sent", "nginx →"),
            Direction::Received => ("received", "← backend"),
            Direction::Local => ("local", "nginx"),
        };
        let (failed, sign) = match step.status {
            StepStatus::Ok => ("", ""),
            StepStatus::Warning => (" warning", "! "),
            StepStatus::Failed => (" failed", "✗ "),
        };
        let _ = writeln!(
            out,
            "<li class=\"{direction}{failed}\"><span class=\"time\">{} {arrow}</span> <strong>{sign}{}</strong> {}",
            text(&ngf_text::words::micros(step.at_us)),
            text(&step.name),
            text(&step.summary)
        );
        if !step.fields.is_empty() {
            let rows = step.fields.iter().take(FIELDS);
            let fields = table(
                ["Field", "Value"],
                rows.map(|field| [text(&field.name), text(&field.value)]),
            );
            let _ = writeln!(
                out,
                "<details><summary>fields</summary>\n{fields}</details>"
            );
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
    out
}

fn chain(transcript: &Transcript) -> String {
    if transcript.server_chain.is_empty() {
        return String::new();
    }
    let rows = transcript.server_chain.iter().map(|facts| {
        [
            text(&facts.subject),
            text(&facts.issuer),
            text(&words::moment(facts.not_after)),
            text(&facts.dns_names.join(", ")),
        ]
    });
    let table = table(["Subject", "Issuer", "Not after", "DNS names"], rows);
    format!("<h3>Certificates of the backend</h3>\n{table}")
}
