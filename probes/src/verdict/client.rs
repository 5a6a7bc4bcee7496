//! What the backend thinks of the gateway's certificate: from what it asked for, from what it did
//! with what it got, and from judging the certificate as it would. Pure.

use ngf_text::sanitize;
use ngf_tls::messages::names;
use ngf_tls::transcript::{ClientCertificate, Demand, HttpAnswer};

/// Longest sentence, in characters.
const LONGEST: usize = 600;

/// The pages by which an nginx backend says what it thinks of the client, with status 400.
pub(super) const NO_CERTIFICATE_PAGE: &str = "No required SSL certificate was sent";
/// Likewise.
pub(super) const BAD_CERTIFICATE_PAGE: &str = "The SSL certificate error";

/// nginx's statuses behind these two pages, which `error_page` can show: 496 and 495.
const NO_CERTIFICATE: u16 = 496;
const BAD_CERTIFICATE: u16 = 495;

/// What the backend did after it had the client's answer.
#[derive(Debug, Clone, Copy)]
pub struct Reaction<'a> {
    /// The server had its say in the handshake.
    pub is_flight_complete: bool,
    /// The last fatal alert that it sent.
    pub alert: Option<u8>,
    /// Its answer to the request.
    pub http: Option<&'a HttpAnswer>,
}

/// What an answer or an alert says of the client certificate.
enum Word {
    /// None was there, and one must be.
    Missing(String),
    /// It is no good.
    Refused(String),
    /// The request was served.
    Served,
    /// Nothing.
    Silent,
}

/// Fills in what the backend thinks.
pub fn judge(seen: &mut ClientCertificate, reaction: &Reaction<'_>) {
    let word = word(seen, reaction);
    seen.issuer_named = issuer_named(seen);
    seen.demand = match (&word, seen.requested, seen.sent) {
        (_, false, _) if reaction.is_flight_complete => Demand::NotRequested,
        (_, false, _) => Demand::Unknown,
        (Word::Missing(_), true, false) => Demand::Required,
        (Word::Served, true, false) => Demand::Optional,
        (_, true, _) => Demand::Requested,
    };
    seen.accepted = match (&word, seen.sent) {
        (Word::Refused(_), true) => Some(false),
        (Word::Served, true) => Some(true),
        _ => None,
    };
    seen.sentence = sanitize::line(&sentence(seen, &word), LONGEST);
}

/// Whether the backend took a client certificate, and may have done without.
pub fn is_demand_open(seen: &ClientCertificate) -> bool {
    seen.demand == Demand::Requested && seen.accepted == Some(true)
}

/// Completes what [`judge`] left open by what a probe without a certificate proved.
pub fn settle(seen: &mut ClientCertificate, without: Demand) {
    if is_demand_open(seen) && matches!(without, Demand::Optional | Demand::Required) {
        seen.demand = without;
        seen.sentence = sanitize::line(&sentence(seen, &Word::Served), LONGEST);
    }
}

/// Whether the backend got a client certificate, and did not show what it makes of it.
pub(crate) fn is_silent(seen: &ClientCertificate) -> bool {
    seen.demand == Demand::Requested && seen.sent && seen.accepted.is_none()
}

/// The same for probes that send no request: a backend that refuses a client without a certificate
/// by an alert judges certificates in the handshake, so it has accepted the one that it got. A backend
/// that sends no alert to either proves nothing.
pub(crate) fn settle_by_alert(seen: &mut ClientCertificate, without: Demand) {
    if is_silent(seen) && without == Demand::Required {
        seen.demand = without;
        seen.accepted = Some(true);
        seen.sentence = sanitize::line(&sentence(seen, &Word::Served), LONGEST);
    }
}

/// Whether an answer refuses the client for its certificate, or for its server name.
pub fn is_refusal(answer: &HttpAnswer) -> bool {
    let pages = [NO_CERTIFICATE_PAGE, BAD_CERTIFICATE_PAGE];
    match answer.status {
        NO_CERTIFICATE | BAD_CERTIFICATE | 421 => true,
        400 => pages.iter().any(|page| answer.body.contains(page)),
        _ => false,
    }
}

fn word(seen: &ClientCertificate, reaction: &Reaction<'_>) -> Word {
    if let Some(answer) = reaction.http {
        let status = answer.status;
        let page = |text: &str| status == 400 && answer.body.contains(text);
        return match status {
            NO_CERTIFICATE => Word::Missing(format!("HTTP {status}")),
            BAD_CERTIFICATE => Word::Refused(format!("HTTP {status}")),
            _ if page(NO_CERTIFICATE_PAGE) => Word::Missing(said(NO_CERTIFICATE_PAGE)),
            _ if page(BAD_CERTIFICATE_PAGE) => Word::Refused(said(BAD_CERTIFICATE_PAGE)),
            // nginx finds the wrong Host before it looks at the certificate; the others may mean
            // the client as well as the request.
            400 | 401 | 403 | 421 => Word::Silent,
            _ => Word::Served,
        };
    }
    let Some(alert) = reaction.alert else {
        return Word::Silent;
    };
    let evidence = format!("alert {alert} ({})", names::alert(alert));
    match alert {
        116 if !seen.sent => Word::Missing(evidence),
        // After the whole of the server's flight, handshake_failure is about the client's answer;
        // bad_certificate for none at all is what Go says.
        40 | 42 if !seen.sent && reaction.is_flight_complete => Word::Missing(evidence),
        // A certificate that is no good, by RFC 8446 §6.2.
        42..=46 | 48 | 49 if seen.sent => Word::Refused(evidence),
        _ => Word::Silent,
    }
}

fn said(page: &str) -> String {
    format!("HTTP 400 \"{page}\"")
}

/// Whether the server names one of the issuers among the CAs that it takes. OpenSSL compares names
/// without regard to case and to runs of spaces, and so does this.
fn issuer_named(seen: &ClientCertificate) -> Option<bool> {
    if !seen.sent || seen.acceptable_cas.is_empty() {
        return None;
    }
    let named: Vec<String> = seen.acceptable_cas.iter().map(|ca| folded(ca)).collect();
    Some(
        seen.issuers
            .iter()
            .any(|issuer| named.contains(&folded(issuer))),
    )
}

fn folded(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    words.join(" ").to_ascii_lowercase()
}

fn sentence(seen: &ClientCertificate, word: &Word) -> String {
    let subject = seen.subject.as_deref().unwrap_or("a certificate");
    let main = match (seen.demand, word) {
        (Demand::Unknown, _) => {
            "the handshake did not get far enough to tell whether the backend wants a client certificate".to_owned()
        }
        (Demand::NotRequested, _) => {
            "the backend asked for no client certificate: no mutual TLS".to_owned()
        }
        (Demand::Optional, Word::Served) if seen.sent => format!(
            "the backend accepted the client certificate {subject}, and also serves clients without one: it is optional, no mutual TLS"
        ),
        (Demand::Required, Word::Served) if seen.sent => format!(
            "the backend accepted the client certificate {subject}, and refuses clients without one"
        ),
        (Demand::Optional, _) => {
            "the backend asked for a client certificate, got none, and served the request: it is optional, no mutual TLS".to_owned()
        }
        (Demand::Required, Word::Missing(evidence)) => {
            format!("the backend demands a client certificate, and none was sent: {evidence}")
        }
        (_, Word::Refused(evidence)) if seen.sent => {
            format!("the backend refused the client certificate {subject}: {evidence}")
        }
        (_, Word::Served) if seen.sent => format!(
            "the backend accepted the client certificate {subject}; whether it demands one, only a probe without it tells"
        ),
        (_, _) if seen.sent => format!(
            "the backend got the client certificate {subject}; its answer does not say what it thinks of it"
        ),
        _ => "the backend asked for a client certificate, and none was sent; whether it demands one is not known".to_owned(),
    };
    let mut parts = vec![main];
    if seen.issuer_named == Some(false) {
        parts.push(format!(
            "no issuer of it ({}) is among the CAs that the backend names ({})",
            some(&seen.issuers),
            some(&seen.acceptable_cas)
        ));
    }
    if let Some(own) = &seen.judged_as_backend {
        let how = format!(
            "with the CA in {} and a verify depth of {}",
            own.trusted, own.depth
        );
        parts.push(if own.code == 0 {
            format!("it verifies {how}")
        } else {
            format!("it does not verify {how} ({}:{})", own.code, own.text)
        });
    }
    parts.join("; ")
}

/// The first few.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(3).map(String::as_str);
    let mut shown: Vec<&str> = shown.collect();
    if names.len() > 3 {
        shown.push("…");
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_without_a_certificate_settles_what_one_with_it_leaves_open() {
        let served = answer(200, "hello");
        let taken = || {
            let mut taken = seen(true, true);
            let reaction = Reaction {
                is_flight_complete: true,
                alert: None,
                http: Some(&served),
            };
            judge(&mut taken, &reaction);
            taken
        };
        for (without, demand, words) in [
            (
                Demand::Required,
                Demand::Required,
                "refuses clients without one",
            ),
            (
                Demand::Optional,
                Demand::Optional,
                "it is optional, no mutual TLS",
            ),
            (
                Demand::Unknown,
                Demand::Requested,
                "only a probe without it tells",
            ),
            (
                Demand::Requested,
                Demand::Requested,
                "only a probe without it tells",
            ),
        ] {
            let mut seen = taken();
            settle(&mut seen, without);
            assert_eq!(seen.demand, demand);
            assert!(seen.sentence.contains(words), "{}", seen.sentence);
        }
    }

    fn answer(status: u16, body: &str) -> HttpAnswer {
        HttpAnswer {
            status,
            body: body.to_owned(),
            server: None,
        }
    }

    fn seen(requested: bool, sent: bool) -> ClientCertificate {
        ClientCertificate {
            requested,
            sent,
            subject: sent.then(|| "CN=gateway".to_owned()),
            ..ClientCertificate::default()
        }
    }

    #[test]
    fn how_much_a_backend_wants_a_certificate_is_told_by_what_it_did() {
        let page = |text: &str| Some(answer(400, text));
        let ok = Some(answer(200, "hello"));
        for (requested, sent, complete, alert, http, demand, accepted) in [
            (
                false,
                false,
                true,
                None,
                ok.clone(),
                Demand::NotRequested,
                None,
            ),
            (false, false, false, Some(40), None, Demand::Unknown, None),
            (true, false, true, None, ok.clone(), Demand::Optional, None),
            (true, false, true, Some(116), None, Demand::Required, None),
            (true, false, true, Some(40), None, Demand::Required, None),
            (true, false, true, Some(42), None, Demand::Required, None),
            (
                true,
                false,
                true,
                None,
                page(NO_CERTIFICATE_PAGE),
                Demand::Required,
                None,
            ),
            (
                true,
                false,
                true,
                None,
                Some(answer(403, "")),
                Demand::Requested,
                None,
            ),
            (true, false, true, None, None, Demand::Requested, None),
            (true, true, true, None, ok, Demand::Requested, Some(true)),
            (
                true,
                true,
                true,
                Some(48),
                None,
                Demand::Requested,
                Some(false),
            ),
            (true, true, true, Some(40), None, Demand::Requested, None),
            (
                true,
                true,
                true,
                None,
                page(BAD_CERTIFICATE_PAGE),
                Demand::Requested,
                Some(false),
            ),
            (
                true,
                true,
                true,
                None,
                Some(answer(421, "")),
                Demand::Requested,
                None,
            ),
            (
                true,
                true,
                true,
                None,
                Some(answer(503, "")),
                Demand::Requested,
                Some(true),
            ),
        ] {
            let mut seen = seen(requested, sent);
            let reaction = Reaction {
                is_flight_complete: complete,
                alert,
                http: http.as_ref(),
            };
            judge(&mut seen, &reaction);
            assert_eq!(
                (seen.demand, seen.accepted),
                (demand, accepted),
                "requested {requested}, sent {sent}, alert {alert:?}, {http:?}"
            );
        }
    }

    #[test]
    fn both_kinds_of_no_demand_are_said_to_be_no_mutual_tls_and_told_apart() {
        let served = answer(200, "");
        let reaction = Reaction {
            is_flight_complete: true,
            alert: None,
            http: Some(&served),
        };
        let sentences = [false, true].map(|requested| {
            let mut seen = seen(requested, false);
            judge(&mut seen, &reaction);
            seen.sentence
        });
        assert_ne!(sentences[0], sentences[1]);
        for sentence in sentences {
            assert!(sentence.contains("no mutual TLS"), "{sentence}");
        }
    }

    #[test]
    fn the_names_of_cas_are_compared_with_every_issuer_sent() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
        for (named, issuers, expected) in [
            (&["CN=LocalCA"][..], &["CN=LocalCA"][..], Some(true)),
            (&["CN=local  ca"], &["CN=Local CA"], Some(true)),
            (&["CN=Root"], &["CN=Intermediate", "CN=Root"], Some(true)),
            (&["CN=Other"], &["CN=LocalCA"], Some(false)),
            (&[], &["CN=LocalCA"], None),
        ] {
            let mut seen = ClientCertificate {
                acceptable_cas: names(named),
                issuers: names(issuers),
                ..seen(true, true)
            };
            let reaction = Reaction {
                is_flight_complete: true,
                alert: None,
                http: None,
            };
            judge(&mut seen, &reaction);
            assert_eq!(seen.issuer_named, expected, "{named:?} {issuers:?}");
            assert_eq!(
                seen.sentence.contains("among the CAs"),
                expected == Some(false),
                "{}",
                seen.sentence
            );
        }
    }
}
