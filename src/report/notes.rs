//! What `ngf-tui probe` says beside the verdict: what the backend thinks of the client certificate,
//! what a stricter client would make of it, what expires first, where it stalled; and the records.

use std::fmt::Write as _;

use jiff::Timestamp;
use ngf_probes::stall;
use ngf_tls::transcript::{Direction, Expiry, Outcome, Part, Record, SecondOpinion, Transcript};

use super::{clean, prose::Prose};
use ngf_cluster::probe_context::ProbeContext;
use ngf_core::diagnosis::words;
use ngf_text::words::micros;

/// The moment that was judged, where it is not now: it stands before the verdict.
pub(super) fn moment(out: &mut Prose, transcript: &Transcript) {
    if let Some(at) = &transcript.judged_at {
        out.sentence(0, &format!("judged as of {at}, and not of now:"));
    }
}

/// The notes, a line each.
pub(super) fn notes(out: &mut Prose, transcript: &Transcript) {
    let lines = [
        stall::longest(transcript).map(|stall| stall.to_string()),
        client(transcript),
        transcript
            .expires_first
            .as_ref()
            .map(|expiry| expires_first(expiry, judged_at(transcript))),
        transcript
            .second_opinion
            .as_ref()
            .and_then(|opinion| strict(opinion, transcript)),
    ];
    for line in lines.into_iter().flatten() {
        out.sentence(2, &line);
    }
    let not_spoken = transcript.second_opinion.iter().flat_map(|opinion| {
        opinion
            .not_spoken
            .iter()
            .map(|note| (note, &opinion.engine))
    });
    for (note, engine) in not_spoken {
        out.sentence(
            2,
            &format!(
                "a strict client: {note} ({engine}); --tls-scan shows whether the backend accepts anything else"
            ),
        );
    }
}

fn client(transcript: &Transcript) -> Option<String> {
    let sentence = &transcript.client_certificate.sentence;
    (transcript.tls.is_some() && !sentence.is_empty())
        .then(|| format!("client certificate: {sentence}"))
}

fn judged_at(transcript: &Transcript) -> Option<Timestamp> {
    let at = transcript.judged_at.as_ref();
    at.unwrap_or(&transcript.started_at).parse().ok()
}

fn expires_first(expiry: &Expiry, at: Option<Timestamp>) -> String {
    let part = match expiry.part {
        Part::Server => "the backend's certificate",
        Part::Intermediate => "the intermediate",
        Part::Root => "the trusted CA",
        Part::Client => "the client certificate",
    };
    let left = at.map_or_else(String::new, |at| {
        let left = expiry.not_after.saturating_sub(at.as_second());
        format!(", {} later", words::span(left))
    });
    format!(
        "next to expire: {part} {}, on {}{left}; then {}",
        expiry.subject,
        words::moment(expiry.not_after),
        expiry.then
    )
}

/// Nothing is said where a stricter client agrees that all is well.
fn strict(opinion: &SecondOpinion, transcript: &Transcript) -> Option<String> {
    let nginx_accepts = !matches!(
        transcript.nginx.outcome,
        Outcome::VerifyError | Outcome::NameMismatch
    );
    let (engine, reason) = (&opinion.engine, &opinion.reason);
    match (nginx_accepts, opinion.would_accept) {
        (true, true) => None,
        (true, false) => Some(format!(
            "a strict client would refuse this: {reason} ({engine})"
        )),
        (false, false) => Some(format!(
            "a strict client would refuse this, too: {reason} ({engine})"
        )),
        (false, true) => Some(format!(
            "a strict client would accept this: {reason} ({engine})"
        )),
    }
}

/// The records of both directions, a line each, with the time since the one before.
pub(super) fn records(out: &mut String, transcript: &Transcript) {
    if transcript.records.is_empty() {
        out.push_str("\nNo TLS record passed.\n");
        return;
    }
    out.push_str("\nRecords (begin, time since the one before, time within, type, bytes)\n");
    let mut before = None;
    for record in &transcript.records {
        let _ = writeln!(out, "{}", line(record, before).trim_end());
        before = Some(record.last_byte_us);
    }
    match stall::longest(transcript) {
        Some(stall) => {
            let _ = writeln!(out, "  {}", clean(&stall.to_string()));
        }
        None => out.push_str("  no wait was most of the time\n"),
    }
}

fn line(record: &Record, before: Option<u64>) -> String {
    let arrow = match record.direction {
        Direction::Received => "←",
        _ => "→",
    };
    let since = before.map_or_else(String::new, |before| {
        format!("+{}", micros(record.first_byte_us.saturating_sub(before)))
    });
    let within = record.last_byte_us.saturating_sub(record.first_byte_us);
    let within = if within == 0 {
        String::new()
    } else {
        micros(within)
    };
    let bytes = if record.seen < record.length {
        format!("{} of {}", record.seen, record.length)
    } else {
        record.length.to_string()
    };
    format!(
        "  {:>10} {since:>11} {within:>10} {arrow} {:<19} {bytes:>6}",
        micros(record.first_byte_us),
        clean(&record.content_type),
    )
}

/// The context of a probe: the gateway's client, and the lines of both logs.
pub(super) fn context(out: &mut Prose, context: &ProbeContext) {
    if let Some(client) = &context.client {
        let answer = match client.status {
            // The answer begins with its status.
            Some(status) if !client.answer.starts_with(&status.to_string()) => {
                format!("{status} {}", client.answer)
            }
            Some(_) => client.answer.clone(),
            None => format!("no answer {}", client.answer),
        };
        out.blank();
        out.sentence(
            0,
            &format!(
                "As the gateway's client: {} ({}): {answer}",
                client.request, client.via
            ),
        );
        if let Some(seen) = &client.transcript {
            super::probe::steps(out, &seen.steps);
        }
        out.sentence(2, &client.sentence);
    }
    let mut from = "";
    for line in &context.log_lines {
        if line.from != from {
            out.blank();
            out.line(&format!("Logged by {}", clean(&line.from)));
            from = &line.from;
        }
        // A line of a log is copied as one line.
        out.line(&format!("  {}", clean(&line.line)));
        if let Some(means) = &line.means {
            let step = line
                .step
                .as_ref()
                .map(|step| format!(" ({step})"))
                .unwrap_or_default();
            out.led("    = ", None, &format!("{means}{step}"));
        }
    }
    for name in &context.names {
        let servers: Vec<_> = name.servers.iter().map(ToString::to_string).collect();
        out.blank();
        out.sentence(0, &format!("DNS: {}", name.sentence));
        let asks = format!(
            "{} asks {}; searches {} where a name has fewer than {} dots",
            name.pod,
            servers.join(", "),
            name.search.join(" "),
            name.ndots
        );
        out.sentence(2, &asks);
    }
    if !context.missing.is_empty() {
        out.blank();
    }
    for why in &context.missing {
        out.sentence(2, &format!("not known: {why}"));
    }
}
