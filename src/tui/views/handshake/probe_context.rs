//! The context of a handshake: what the gateway's client gets, what was logged, how names resolve,
//! which way the bytes went, and what is missing of all that.

use ngf_probes::client::{ClientEnding, ClientTranscript};
use ngf_tls::transcript::{Layer, Step, Transcript};
use ngf_ui::{
    Label, Mark, Role, Theme,
    widgets::{fields::Field, sequence::Message},
};

use crate::diagram::{Arrow, mark_of};
use crate::tui::state::{ProbeContextState, Shown};
use ngf_cluster::{
    probe_context::{ClientView, LogLine, ProbeContext, Source},
    transport::{Via, WayTaken},
};

/// Lines of a log that are said at one message; the rest is counted.
const SAID: usize = 3;

/// What is said of it above the diagram, a line each: both statuses, and the way.
pub(super) fn strip(shown: &Shown<'_>, theme: &Theme) -> Vec<Label> {
    let Ok(transcript) = &shown.probed.result else {
        return Vec::new();
    };
    let mut lines = vec![verdicts(transcript, shown.context, theme)];
    lines.extend(shown.way.map(|way| way_line(way, theme)));
    lines
}

/// `gateway says 502, probe says 502: the certificate has expired`.
fn verdicts(transcript: &Transcript, context: &ProbeContextState, theme: &Theme) -> Label {
    let nginx = &transcript.nginx;
    let says = match nginx.client_status {
        Some(status) => format!("probe says {status}"),
        None => "probe cannot say".to_owned(),
    };
    let sentence = &nginx.sentence;
    let (mark, words) = match (context, client(context)) {
        (_, Some(client)) => {
            let got = client
                .status
                .map_or_else(|| "nothing".to_owned(), |status| status.to_string());
            let mark = if client.status == nginx.client_status {
                mark_of(nginx.outcome)
            } else {
                Mark::Warning
            };
            (mark, format!("gateway says {got}, {says}: {sentence}"))
        }
        (ProbeContextState::Asking, None) => (
            mark_of(nginx.outcome),
            format!("{says}, asking the gateway as its client: {sentence}"),
        ),
        (_, None) => (mark_of(nginx.outcome), format!("{says}: {sentence}")),
    };
    Label::new()
        .mark(mark, theme)
        .and(mark.role(), format!(" {words}"))
}

/// `via exec: TLS and network, from nginx's own container`.
fn way_line(way: &WayTaken, theme: &Theme) -> Label {
    let via = way.via.parse::<Via>().ok();
    let proves = via.map_or("", Via::proves);
    let words = format!("via {}: {proves}", way.via);
    if via == Some(Via::PortForward) {
        return Label::new()
            .mark(Mark::Warning, theme)
            .and(Role::Warning, format!(" {words}"));
    }
    Label::of(Role::Muted, format!("  {words}"))
}

fn known(context: &ProbeContextState) -> Option<&ProbeContext> {
    match context {
        ProbeContextState::Known(context) => Some(context),
        ProbeContextState::NotAsked | ProbeContextState::Asking => None,
    }
}

fn client(context: &ProbeContextState) -> Option<&ClientView> {
    known(context)?.client.as_ref()
}

/// The lines that were logged at a message's steps.
pub(super) fn logged_at<'a>(
    arrow: &Arrow,
    transcript: &Transcript,
    context: &'a ProbeContextState,
) -> Vec<&'a LogLine> {
    let lines = known(context).map_or(&[][..], |context| &context.log_lines);
    let belongs = |line: &&LogLine| {
        line.step.as_ref().is_some_and(|step| {
            let steps = arrow.steps.iter();
            let mut steps = steps.filter_map(|index| transcript.steps.get(*index));
            steps.any(|known| known.name == **step)
        })
    };
    lines.iter().filter(belongs).collect()
}

/// The steps of the client's handshake and request, where the arrow is the client's.
pub(super) fn client_steps<'a>(arrow: &Arrow, context: &'a ProbeContextState) -> &'a [Step] {
    let seen = client(context).and_then(|client| client.transcript.as_ref());
    let is_first = arrow.message.number == "1";
    seen.filter(|_| is_first)
        .map_or(&[], |seen| seen.steps.as_slice())
}

/// Makes the first arrow what the gateway's client saw: its handshake with the listener, where that speaks TLS.
pub(super) fn with_client(arrows: &mut [Arrow], shown: &Shown<'_>) {
    let context = shown.context;
    with_listener(arrows, shown);
    let first = arrows.first_mut();
    let Some(arrow) = first.filter(|arrow| arrow.message.number == "1") else {
        return;
    };
    let Some(client) = client(context) else {
        return;
    };
    let seen = client.transcript.as_deref();
    let speaks_tls =
        |seen: &&ClientTranscript| seen.steps.iter().any(|step| step.layer == Layer::Tls);
    let Some(seen) = seen.filter(speaks_tls) else {
        return;
    };
    let words = match &seen.tls {
        Some(tls) => format!("{} · {}", client.request, tls.version),
        None => client.request.clone(),
    };
    let refused = seen
        .judged
        .as_ref()
        .filter(|judged| judged.accepted == Some(false));
    let failed = matches!(
        seen.ending,
        ClientEnding::HandshakeFailed
            | ClientEnding::HandshakeTimedOut
            | ClientEnding::NotConnected
    );
    let mark = match (failed || refused.is_some(), seen.ending) {
        (true, _) => Mark::Failed,
        (false, ClientEnding::Answered | ClientEnding::Shaken) => Mark::Ok,
        (false, _) => Mark::Warning,
    };
    arrow.short.clone_from(&words);
    let mut message = Message::new(
        arrow.message.from,
        arrow.message.to,
        Label::from(format!("Request · {words}")),
    )
    .number(arrow.message.number.clone())
    .mark(mark);
    if let Some(judged) = &seen.judged {
        message.evidence = Label::of(Role::Evidence, judged.sentence.clone());
    }
    if mark != Mark::Ok {
        message = message.reason(Label::from(client.sentence.clone()));
    }
    arrow.message = message;
}

/// Makes the first arrow what the last handshake with the listener came to.
fn with_listener(arrows: &mut [Arrow], shown: &Shown<'_>) {
    let first = arrows.first_mut();
    let (Some(arrow), Some(seen)) = (
        first.filter(|arrow| arrow.message.number == "1"),
        shown.listener,
    ) else {
        return;
    };
    let words = arrow.short.clone();
    let (mark, reason) = match seen {
        Err(why) => (Mark::Unknown, Some(format!("listener not tested: {why}"))),
        Ok(met) => match (&met.failed, met.accepted) {
            (Some(failed), _) => (Mark::Failed, Some(failed.clone())),
            (None, Some(false)) => (Mark::Warning, Some(met.verdict.clone())),
            (None, _) => (Mark::Ok, None),
        },
    };
    let label = Label::from(format!("Request · {words}"));
    let mut message = Message::new(arrow.message.from, arrow.message.to, label)
        .number(arrow.message.number.clone())
        .mark(mark);
    match (reason, seen) {
        (Some(reason), _) => message = message.reason(Label::from(reason)),
        (None, Ok(met)) => message.evidence = Label::of(Role::Evidence, met.verdict.clone()),
        (None, Err(_)) => {}
    }
    arrow.message = message;
}

/// What the listener did in the last handshake with it, decoded, where the arrow is the client's.
pub(super) fn of_listener(arrow: &Arrow, shown: &Shown<'_>) -> Vec<Field> {
    let is_first = arrow.message.number == "1";
    let Some(Ok(met)) = shown.listener.filter(|_| is_first) else {
        return Vec::new();
    };
    let heading = Label::of(Role::Title, "Handshake with the listener");
    let mut fields = vec![Field::Gap, Field::heading(heading)];
    fields.push(Field::new("transport", met.via.clone()));
    if !met.verdict.is_empty() {
        fields.push(Field::new("a strict client", met.verdict.clone()));
    }
    for certificate in &met.chain {
        fields.push(Field::new("certificate", certificate.subject.clone()));
        fields.push(Field::new("issuer", certificate.issuer.clone()));
        let names: Vec<&str> = certificate.dns_names.iter().map(String::as_str).collect();
        if !names.is_empty() {
            fields.push(Field::new("names", names.join(", ")));
        }
        let until = ngf_core::diagnosis::words::moment(certificate.not_after);
        fields.push(Field::new("until", until));
    }
    fields
}

/// Says at each message what was logged of it, and at the first what the gateway's client saw.
pub(super) fn attach(arrows: &mut [Arrow], transcript: &Transcript, shown: &Shown<'_>) {
    let context = shown.context;
    with_client(arrows, shown);
    for arrow in arrows {
        let lines = logged_at(arrow, transcript, context);
        let mut said: Vec<String> = Vec::new();
        for line in &lines {
            let words = log_words(line);
            if !said.contains(&words) {
                said.push(words);
            }
        }
        let more = said.len().saturating_sub(SAID);
        said.truncate(SAID);
        if more > 0 {
            said.push(format!("and {more} more"));
        }
        if !said.is_empty() {
            let evidence = std::mem::take(&mut arrow.message.evidence);
            let before = if evidence.is_empty() { "" } else { "\n" };
            arrow.message.evidence =
                evidence.and(Role::Evidence, format!("{before}{}", said.join("\n")));
        }
    }
}

/// `secure-app-1 logs: the application took the client certificate CN=gateway`.
fn log_words(line: &LogLine) -> String {
    let who = match line.source {
        Source::Application => "the application logs",
        Source::DataPlane => "nginx logs",
    };
    format!("{who}: {}", line.means.as_deref().unwrap_or(&line.line))
}

/// What is said below the diagram.
pub(super) fn notes(
    arrows: &[Arrow],
    transcript: &Transcript,
    shown: &Shown<'_>,
    theme: &Theme,
) -> Vec<Label> {
    let mut notes = Vec::new();
    if let Some(context) = known(shown.context) {
        if let Some(client) = &context.client {
            notes.push(Label::of(
                Role::Strong,
                format!("as its client: {}", client.sentence),
            ));
        }
        let said: Vec<*const LogLine> = arrows
            .iter()
            .flat_map(|arrow| logged_at(arrow, transcript, shown.context))
            .map(std::ptr::from_ref)
            .collect();
        let elsewhere = context.log_lines.iter();
        let elsewhere = elsewhere.filter(|line| !said.contains(&std::ptr::from_ref(*line)));
        notes.extend(elsewhere.map(|line| Label::of(Role::Evidence, log_words(line))));
        let names = context.names.iter();
        notes.extend(names.map(|name| Label::of(Role::Normal, name.sentence.clone())));
        let missing = context.missing.iter();
        notes.extend(missing.map(|why| {
            Label::new()
                .mark(Mark::Unknown, theme)
                .and(Role::Muted, format!(" {why}"))
        }));
    }
    if let Some(way) = shown.way {
        notes.push(Label::of(Role::Muted, way.because.clone()));
        let not_taken = way.not_taken.iter();
        notes.extend(not_taken.map(|why| Label::of(Role::Muted, why.clone())));
    }
    notes
}

/// All of it, opened.
pub(super) fn fields(shown: &Shown<'_>) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Some(way) = shown.way {
        fields.push(Field::heading(Label::of(Role::Title, "The way")));
        fields.push(Field::new("via", way.via.clone()));
        fields.push(Field::new("because", way.because.clone()));
        if let Some(from) = way.seen_from {
            fields.push(Field::new("seen from", from.to_string()));
        }
        let not_taken = way.not_taken.iter();
        fields.extend(not_taken.map(|why| Field::new("also", why.clone())));
    }
    let Some(context) = known(shown.context) else {
        let words = match shown.context {
            ProbeContextState::Asking => {
                "The gateway is being asked as its client asks, and logs are read…"
            }
            _ => {
                "Neither the gateway was asked as its client asks, nor were logs read: press r on one endpoint."
            }
        };
        fields.push(Field::Text(Label::of(Role::Muted, words)));
        return fields;
    };
    if let Some(client) = &context.client {
        fields.push(Field::Gap);
        fields.push(Field::heading(Label::of(
            Role::Title,
            "What the gateway's client gets",
        )));
        fields.push(Field::Text(Label::from(client.sentence.clone())));
        fields.push(Field::new("request", client.request.clone()));
        fields.push(Field::new("via", client.via.clone()));
        fields.push(Field::new("answer", client.answer.clone()));
    }
    if !context.log_lines.is_empty() {
        fields.push(Field::Gap);
        fields.push(Field::heading(Label::of(Role::Title, "Logged meanwhile")));
        fields.extend(context.log_lines.iter().flat_map(logged));
    }
    if !context.names.is_empty() {
        fields.push(Field::Gap);
        fields.push(Field::heading(Label::of(Role::Title, "Names")));
        let names = context.names.iter();
        fields.extend(names.map(|name| Field::new(name.pod.clone(), name.sentence.clone())));
    }
    if !context.missing.is_empty() {
        fields.push(Field::Gap);
        fields.push(Field::heading(Label::of(Role::Title, "Not known")));
        let missing = context.missing.iter();
        fields.extend(missing.map(|why| Field::Text(Label::from(why.clone()))));
    }
    fields
}

/// A line of a log: what it means, and the line itself.
pub(super) fn logged(line: &LogLine) -> [Field; 2] {
    [
        Field::new(line.from.clone(), line.means.clone().unwrap_or_default()),
        Field::Text(Label::of(Role::Evidence, line.line.clone())),
    ]
}
