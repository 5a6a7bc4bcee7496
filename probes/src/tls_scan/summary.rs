//! A matrix in a sentence.

use super::{Answer, Axis, Row};
use ngf_text::sanitize;
use ngf_tls::transcript::{Demand, Transcript};

/// Longest sentence, in characters.
const LONGEST: usize = 800;

pub(super) fn sentence(
    rows: &[Row],
    nginx_inside: Option<bool>,
    demand: Demand,
    own: &Transcript,
) -> String {
    let inside = match nginx_inside {
        Some(true) => format!(
            "NGINX's defaults lie inside of what the backend accepts: {}",
            rows.first().map_or("", |row| row.note.as_str())
        ),
        Some(false) => format!(
            "NGINX's defaults lie outside of what the backend accepts: {}",
            why_outside(rows, own)
        ),
        None => format!(
            "what the backend accepts is not known: {}",
            own.nginx.sentence
        ),
    };
    let mutual = match demand {
        Demand::Unknown => None,
        Demand::NotRequested => Some("It asks for no client certificate: no mutual TLS."),
        Demand::Optional => {
            Some("It asks for a client certificate and serves without one: no mutual TLS.")
        }
        Demand::Required => Some("It demands a client certificate."),
        Demand::Requested => {
            Some("It asks for a client certificate; whether it demands one is not known.")
        }
    };
    let mutual = mutual.map_or_else(String::new, |text| format!(" {text}"));
    let status = own.nginx.client_status.filter(|_| nginx_inside.is_some());
    let status = status.map_or_else(String::new, |status| {
        format!(" As things are, the gateway's client gets {status}.")
    });
    let inside = inside.trim_end_matches('.');
    sanitize::line(&format!("{inside}.{mutual}{status}"), LONGEST)
}

/// The axes in which nothing that NGINX offers is accepted.
fn why_outside(rows: &[Row], own: &Transcript) -> String {
    let axes = [
        (Axis::Version, "versions"),
        (Axis::Cipher, "cipher suites"),
        (Axis::Group, "groups"),
    ];
    let mut reasons = Vec::new();
    for (axis, word) in axes {
        let names = |pick: &dyn Fn(&Row) -> bool| {
            let rows = rows.iter().filter(|row| row.axis == axis && pick(row));
            rows.map(|row| row.name.as_str()).collect::<Vec<_>>()
        };
        let accepted = names(&|row| row.answer == Answer::Accepted);
        let both = names(&|row| row.answer == Answer::Accepted && row.nginx);
        if both.is_empty() && !accepted.is_empty() {
            let offered = names(&|row| row.nginx);
            reasons.push(format!(
                "of {word} it takes {}, and NGINX offers {}",
                accepted.join(", "),
                offered.join(", ")
            ));
        }
    }
    if reasons.is_empty() {
        own.nginx.sentence.clone()
    } else {
        reasons.join("; ")
    }
}
