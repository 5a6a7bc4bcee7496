//! A handshake as a Mermaid sequence diagram: the guide's own form, with what really happened.

use std::fmt::Write as _;

use ngf_tls::transcript::Transcript;
use ngf_ui::Mark;

use super::{Arrow, BACKEND, CLIENT, GATEWAY, Story, guide};
use ngf_core::diagnosis::words::list;
use ngf_text::credentials::redact;

/// Longest text of a message or note, in characters.
const LONGEST: usize = 300;

/// The diagram, to be pasted into a ticket, a wiki or a Markdown file (within a fence of `mermaid`).
pub fn handshake(transcript: &Transcript, story: &Story) -> String {
    let arrows = guide(transcript, story);
    let mut out = String::from("sequenceDiagram\n");
    let gateway = if story.gateway.is_empty() {
        "NGINX Gateway Fabric".to_owned()
    } else {
        format!("NGINX Gateway Fabric, {}", story.gateway)
    };
    for (name, title) in [
        ("client", "Client"),
        ("gw", &gateway),
        ("app", &story.backend),
    ] {
        let _ = writeln!(out, "participant {name} as {}", text(title));
    }
    let mut never: Vec<&Arrow> = Vec::new();
    for arrow in &arrows {
        if arrow.never_happened() {
            never.push(arrow);
            continue;
        }
        never_happened(&mut out, &mut never);
        message(&mut out, arrow);
    }
    never_happened(&mut out, &mut never);
    let nginx = &transcript.nginx;
    let mark = super::mark_of(nginx.outcome);
    note(
        &mut out,
        "client,app",
        &format!("{} {}", sign(mark), nginx.sentence),
    );
    if let Some(line) = &nginx.log_line {
        note(&mut out, "client,app", &format!("nginx would log: {line}"));
    }
    out
}

fn lane(index: usize) -> &'static str {
    match index {
        CLIENT => "client",
        GATEWAY => "gw",
        _ => "app",
    }
}

fn message(out: &mut String, arrow: &Arrow) {
    let message = &arrow.message;
    // As in the guide, what goes back for a request is dashed.
    let is_answer = matches!(
        (message.from, message.to, message.number.as_str()),
        (GATEWAY, CLIENT, _) | (BACKEND, GATEWAY, "10")
    );
    let shaft = if is_answer { "-->>" } else { "->>" };
    let mark = message.mark.filter(|mark| *mark != Mark::Info);
    let said = format!("{} {}", message.number, message.label.plain());
    let said = match mark {
        Some(mark) => format!("{} {said}", sign(mark)),
        None => said,
    };
    let (from, to) = (lane(message.from), lane(message.to));
    let _ = writeln!(out, "{from}{shaft}{to}: {}", text(&said));
    if !message.reason.is_empty() {
        note(out, to, &message.reason.plain());
    }
}

/// Messages in a row that never happened, in one note.
fn never_happened(out: &mut String, arrows: &mut Vec<&Arrow>) {
    let numbers: Vec<&str> = arrows
        .iter()
        .map(|arrow| arrow.message.number.as_str())
        .collect();
    match numbers.as_slice() {
        [] => return,
        [one] => note(
            out,
            "gw,app",
            &format!("{one} never happens: {}", arrows[0].short),
        ),
        many => note(
            out,
            "gw,app",
            &format!("{} never happen", list(many, many.len())),
        ),
    }
    arrows.clear();
}

fn note(out: &mut String, over: &str, said: &str) {
    let _ = writeln!(out, "Note over {over}: {}", text(said));
}

/// The sign of a mark; those of the interface in Unicode.
fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Ok => "✓",
        Mark::Warning => "!",
        Mark::Failed => "✗",
        Mark::Unknown => "?",
        Mark::Muted | Mark::Info => "·",
    }
}

/// Text that means nothing to Mermaid: it takes `#` and `;` for its own, and everything else for HTML.
fn text(said: &str) -> String {
    let said = redact(said);
    let mut escaped = String::new();
    for c in said.chars().take(LONGEST) {
        match c {
            '#' => escaped.push_str("#35;"),
            ';' => escaped.push_str("#59;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '&' => escaped.push_str("#amp;"),
            '"' => escaped.push_str("#quot;"),
            '%' => escaped.push_str("#37;"),
            '\n' => escaped.push_str("<br/>"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    if said.chars().count() > LONGEST {
        escaped.push('…');
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_mermaid_is_escaped() {
        assert_eq!(
            text("a;b #c <d> & \"e\"\nf %% g\u{7}"),
            "a#59;b #35;c #lt;d#gt; #amp; #quot;e#quot;<br/>f #37;#37; g"
        );
        assert_eq!(text(&"x".repeat(1_000)).chars().count(), LONGEST + 1);
    }
}
