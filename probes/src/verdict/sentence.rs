//! The verdict in one sentence: who did what, and what it comes from.

use super::client::{BAD_CERTIFICATE_PAGE, NO_CERTIFICATE_PAGE};
use super::{Ending, Observed, ObservedTls};
use crate::dial::tcp::os_text;
use crate::engine::openssl::failure::TlsFailure;
use crate::steps::http::Answer;
use crate::steps::http::body::BodyEnd;
use ngf_text::sanitize;
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::messages::names;

/// Longest sentence, in characters.
const LONGEST: usize = 600;

pub(super) fn sentence(observed: &Observed<'_>) -> String {
    sanitize::line(&words(observed), LONGEST)
}

fn words(observed: &Observed<'_>) -> String {
    let target = observed.target;
    let within = format!("{:?}", observed.timeout);
    match (observed.ending, &observed.tls) {
        (
            Ending::NoSuchName {
                reason,
                is_authoritative: true,
            },
            _,
        ) => {
            format!("the name of {target} does not exist: {reason}")
        }
        (Ending::NoSuchName { reason, .. }, _) => {
            format!("the name of {target} could not be resolved: {reason}")
        }
        (
            Ending::NotConnected {
                address,
                errno,
                reason,
            },
            _,
        ) => match errno {
            Some(111) => format!("{address} refuses the connection: nothing listens on that port"),
            _ => format!("no connection to {address}: {reason}"),
        },
        (Ending::ConnectTimedOut { address }, _) => format!(
            "{address} did not answer the connection within {within}: it is down, or a firewall or NetworkPolicy drops the packets (NGINX waits 60s, then answers 504)"
        ),
        (ending, Some(tls)) => tls_words(observed, ending, tls, &within),
        (ending, None) => exchange_words(observed, ending, &within),
    }
}

fn tls_words(
    observed: &Observed<'_>,
    ending: &Ending,
    tls: &ObservedTls<'_>,
    within: &str,
) -> String {
    let target = observed.target;
    match ending {
        Ending::NameRefused(_) => {
            "the server name is too long to be sent as SNI; NGINX answers 500".to_owned()
        }
        Ending::HandshakeFailed(failure) => handshake_words(target, tls, failure),
        Ending::HandshakeTimedOut => format!(
            "{target} accepted the connection, but did not finish the TLS handshake within {within}: {} (NGINX waits 60s, then answers 504)",
            tls.last_thing
        ),
        Ending::Unverified { code, text } => unverified_words(tls, *code, text),
        Ending::NameMismatch => mismatch_words(tls),
        Ending::ReadFailed(failure) | Ending::SendFailed(failure) if failure.alert().is_some() => {
            let alert = failure.alert().unwrap_or_default();
            alert_words(target, tls, alert, "after the TLS 1.3 handshake")
        }
        _ => exchange_words(observed, ending, within),
    }
}

fn handshake_words(target: &str, tls: &ObservedTls<'_>, failure: &TlsFailure) -> String {
    if let Some(what) = tls.not_tls {
        return format!("{target} does not speak TLS on this port: it answers with {what}");
    }
    match failure {
        TlsFailure::Closed { errno: Some(errno) } => format!(
            "{target} broke off the connection in the TLS handshake ({}); {}",
            os_text(&std::io::Error::from_raw_os_error(*errno)),
            tls.last_thing
        ),
        TlsFailure::Closed { errno: None } => {
            format!(
                "{target} closed the connection in the TLS handshake; {}",
                tls.last_thing
            )
        }
        TlsFailure::Ssl { errors, .. } => match failure.alert() {
            Some(alert) => alert_words(target, tls, alert, "in the TLS handshake"),
            None => format!(
                "the TLS handshake with {target} failed here: {}; {}",
                errors
                    .last()
                    .map_or("OpenSSL does not say why", |error| &error.reason),
                tls.last_thing
            ),
        },
    }
}

/// What a backend means by an alert, as far as the number tells.
fn alert_words(target: &str, tls: &ObservedTls<'_>, alert: u8, when: &str) -> String {
    let name = names::alert(alert);
    let certificate = match (tls.identity_origin, tls.client_certificate.sent) {
        (Some(origin), true) => format!("the client certificate from {origin}"),
        (Some(origin), false) => {
            format!("the client certificate from {origin}, which was not sent,")
        }
        (None, _) => "the gateway's client certificate".to_owned(),
    };
    let nothing_sent = tls.client_certificate.requested && !tls.client_certificate.sent;
    let meaning = match alert {
        40 | 116 if nothing_sent => "it demands a client certificate, and none was sent".to_owned(),
        116 => "it demands a client certificate".to_owned(),
        40 => "it found nothing that both sides support (cipher suites, groups, signatures), or refuses the client".to_owned(),
        42 => format!("{certificate} is not acceptable to it (also said of one that is not yet valid)"),
        43 => format!("{certificate} is of a kind that it does not take (key usage)"),
        44 => format!("{certificate} was revoked"),
        45 => format!("{certificate} has expired"),
        46 => format!("{certificate} is not acceptable to it, for a reason that it does not say"),
        48 => format!("it does not know the CA of {certificate}"),
        49 => "it denies access to this client".to_owned(),
        51 => "a signature or a key exchange could not be verified".to_owned(),
        70 => "it speaks neither TLS 1.2 nor TLS 1.3".to_owned(),
        71 => "it wants stronger cipher suites".to_owned(),
        80 => "it has an internal error".to_owned(),
        112 => match &tls.name.sni {
            Some(name) => format!("it has no server of the name {name}"),
            None => "it demands a server name (SNI), and none was sent".to_owned(),
        },
        120 => "it does not speak HTTP/2, the only protocol that NGINX offers (ALPN h2)".to_owned(),
        _ => "it does not say more".to_owned(),
    };
    format!("{target} ended the connection {when} with alert {alert} ({name}): {meaning}")
}

fn unverified_words(tls: &ObservedTls<'_>, code: i32, text: &str) -> String {
    let whose = format!("{}'s certificate", owner(tls));
    let trust = tls.trust_origin;
    let at_fault = tls.trace.iter().rev().find(|event| event.code == code);
    let subject = at_fault
        .and_then(|event| event.subject.as_deref())
        .unwrap_or("a certificate");
    let is_leaf = at_fault.is_none_or(|event| event.depth == 0);
    let which = if is_leaf {
        whose.clone()
    } else {
        format!("{subject}, in the chain of {whose},")
    };
    let what = match code {
        2 => format!(
            "{whose} leads to {subject}, whose own issuer is not in {trust}: the bundle holds only an intermediate"
        ),
        7 => format!("the signature on {which} was not made by the CA of that name in {trust}"),
        9 => format!(
            "{which} is not valid before {}",
            date(tls.server_chain, at_fault.map(|e| e.depth), |c| c
                .not_before)
        ),
        10 => format!(
            "{which} expired on {}",
            date(tls.server_chain, at_fault.map(|e| e.depth), |c| c.not_after)
        ),
        18 => format!("{whose} is self-signed, and is not itself in {trust}"),
        19 => format!(
            "{whose} leads to {subject}, which the backend sends itself and which is not in {trust}"
        ),
        20 => format!("the issuer of {which} is neither sent by the backend nor in {trust}"),
        21 => format!(
            "{whose} was not signed by a CA in {trust}, and the backend sends no intermediate that leads to one"
        ),
        22 => format!("the chain of {whose} is longer than NGINX accepts (proxy_ssl_verify_depth)"),
        25 => format!("{which} stands below a CA that allows fewer CAs below itself (pathlen)"),
        26 => format!("{which} may not be used for a TLS server (extended key usage or key usage)"),
        32 => format!(
            "{which} is used as a CA, and its key usage does not allow signing certificates"
        ),
        34 => format!("{which} has a critical extension that OpenSSL does not know"),
        47 => format!(
            "{which} names something that a CA above it may not sign for (name constraints)"
        ),
        66 => format!("{which} has a key that is too weak"),
        67 => format!("{subject}, the CA of {whose}, has a key that is too weak"),
        68 => format!("{which} is signed with a weak hash"),
        _ => format!("{whose} does not verify against {trust}"),
    };
    format!("{what} ({code}:{text})")
}

/// Who presents the certificate, by the name that was asked for.
fn owner<'a>(tls: &'a ObservedTls<'_>) -> &'a str {
    if tls.name.checked.is_empty() {
        "the backend"
    } else {
        &tls.name.checked
    }
}

fn date(
    chain: &[CertificateFacts],
    depth: Option<u32>,
    which: impl Fn(&CertificateFacts) -> i64,
) -> String {
    depth
        .and_then(|depth| chain.get(depth as usize))
        .and_then(|certificate| jiff::Timestamp::from_second(which(certificate)).ok())
        .map_or_else(
            || "a date in a certificate that was not sent".to_owned(),
            |t| t.to_string(),
        )
}

fn mismatch_words(tls: &ObservedTls<'_>) -> String {
    let name = &tls.name.checked;
    let Some(leaf) = tls.server_chain.first() else {
        return format!("the backend sent no certificate to check for the name {name:?}");
    };
    let names = if leaf.dns_names.is_empty() {
        format!("the subject {}", leaf.subject)
    } else {
        leaf.dns_names
            .iter()
            .take(5)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ")
    };
    let hint = if leaf.ip_addresses.iter().any(|ip| ip == name) {
        "; NGINX never compares a name with the IP addresses in a certificate"
    } else if name.ends_with('.') {
        "; the dot at the end of the name counts"
    } else {
        ""
    };
    format!("the backend's certificate is for {names}, not for {name}{hint}")
}

fn exchange_words(observed: &Observed<'_>, ending: &Ending, within: &str) -> String {
    let target = observed.target;
    let verified = if observed.tls.is_some() {
        "the certificate is fine, but "
    } else {
        ""
    };
    match ending {
        Ending::Answered(answer) => answered_words(observed, answer),
        Ending::SendTimedOut => {
            format!("{verified}{target} did not take the request within {within}")
        }
        Ending::HeadTimedOut { received: 0 } => format!(
            "{verified}{target} did not answer the request within {within} (NGINX waits 60s, then answers 504)"
        ),
        Ending::HeadTimedOut { received } => format!(
            "{verified}the answer of {target} broke off after {received} bytes, within {within}"
        ),
        Ending::SendFailed(failure) | Ending::ReadFailed(failure) => {
            format!(
                "{verified}{target} broke off the connection: {}",
                failure_words(failure)
            )
        }
        Ending::ClosedBeforeHead { received: 0 } => format!(
            "{verified}{target} closed the connection without an answer{}",
            if observed.tls.is_none() {
                ": the port may expect TLS"
            } else {
                ""
            }
        ),
        Ending::ClosedBeforeHead { received } => {
            format!("{verified}{target} closed the connection after {received} bytes of its answer")
        }
        Ending::NoStatusLine { opening } => {
            format!(
                "{verified}{target} answers with something that is not HTTP: {opening:?}; NGINX passes it on as it is"
            )
        }
        Ending::NotHttp2 { opening, .. } => format!(
            "{verified}{target} does not speak HTTP/2, which NGINX speaks to it: it answers with {opening:?}"
        ),
        Ending::SpeaksHttp2 => format!(
            "{target} speaks HTTP/2{}{}",
            mutual_asked(observed),
            older(observed)
        ),
        Ending::HandshakeDone => format!(
            "{target} finished the TLS handshake{}{}; no request was sent",
            mutual_asked(observed),
            older(observed)
        ),
        Ending::InvalidHead(words) => {
            format!("{verified}NGINX refuses the answer of {target}: {words}")
        }
        _ => format!("{target} could not be judged"),
    }
}

fn failure_words(failure: &TlsFailure) -> String {
    match failure {
        TlsFailure::Closed { errno: Some(errno) } => {
            os_text(&std::io::Error::from_raw_os_error(*errno))
        }
        TlsFailure::Closed { errno: None } => "it closed it".to_owned(),
        TlsFailure::Ssl { errors, .. } => errors
            .last()
            .map_or_else(String::new, |error| error.reason.clone()),
    }
}

/// Where the certificate itself was not seen.
const UNKNOWN_FAULT: &str = "its CA, its dates or its key usage are wrong for that backend";

/// What is wrong with the client certificate, as far as it can be read off itself.
fn client_fault(tls: &ObservedTls<'_>) -> String {
    let Some(leaf) = tls.client_chain.first() else {
        return UNKNOWN_FAULT.to_owned();
    };
    if leaf.not_after < tls.at {
        return format!("it has expired, on {}", moment(leaf.not_after));
    }
    if leaf.not_before > tls.at {
        return format!("it is not valid before {}", moment(leaf.not_before));
    }
    let usages = &leaf.extended_key_usage;
    let may =
        |usage: &String| usage == "clientAuth" || usage == "any" || usage == "anyExtendedKeyUsage";
    if !usages.is_empty() && !usages.iter().any(may) {
        return format!(
            "its extended key usage is {}, and a client's certificate needs clientAuth",
            usages.join(", ")
        );
    }
    "its dates and its extended key usage are good, so its CA or its chain is wrong for that backend".to_owned()
}

/// `2026-11-23 12:03:00 UTC`.
fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| format!("{seconds} s after 1970"),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// The depth that nginx has where NGF renders none, before 2.6: one intermediate.
const DEPTH_BEFORE_2_6: usize = 1;

/// What an older NGF would make of a chain that passes.
fn older(observed: &Observed<'_>) -> String {
    let Some(tls) = &observed.tls else {
        return String::new();
    };
    let behind = tls.path.iter().skip(1);
    let intermediates = behind.filter(|facts| facts.subject != facts.issuer).count();
    if intermediates <= DEPTH_BEFORE_2_6 {
        return String::new();
    }
    format!(
        "; its chain has {intermediates} intermediates, and NGF before 2.6 follows one and refuses it (20)"
    )
}

/// The page by which an nginx backend says that it expects TLS.
const PLAIN_HTTP_PAGE: &str = "The plain HTTP request was sent to HTTPS port";

fn answered_words(observed: &Observed<'_>, answer: &Answer) -> String {
    let target = observed.target;
    let status = answer.http.status;
    let page = |text: &str| status == 400 && answer.http.body.contains(text);
    let identity = observed.tls.as_ref().and_then(|tls| tls.identity_origin);
    let main = if page(NO_CERTIFICATE_PAGE) {
        match identity {
            Some(origin) => format!(
                "{target} demands a client certificate (400), and the one from {origin} was not sent"
            ),
            None => format!("{target} demands a client certificate (400), and none was sent"),
        }
    } else if page(BAD_CERTIFICATE_PAGE) {
        let which = identity.map_or_else(
            || "the client certificate".to_owned(),
            |origin| format!("the client certificate from {origin}"),
        );
        format!(
            "{target} does not accept {which} (400): {}",
            observed
                .tls
                .as_ref()
                .map_or_else(|| UNKNOWN_FAULT.to_owned(), client_fault)
        )
    } else if page(PLAIN_HTTP_PAGE) {
        format!(
            "{target} expects TLS, and got plain HTTP (400): no BackendTLSPolicy is in effect for it"
        )
    } else if status == 421 {
        let sni = observed
            .tls
            .as_ref()
            .and_then(|tls| tls.name.sni.as_deref());
        format!(
            "{target} refuses the Host of the request (421): it belongs to another server than the one of the TLS name {}",
            sni.unwrap_or("that was not sent")
        )
    } else if status == 101 {
        format!(
            "{target} upgrades the connection (101){}{}",
            mutual(observed),
            older(observed)
        )
    } else if status >= 400 {
        format!("{target} was reached, and answers {status}")
    } else {
        format!(
            "{target} answers {status}{}{}",
            mutual(observed),
            older(observed)
        )
    };
    match answer.end {
        BodyEnd::Complete | BodyEnd::Enough => main,
        _ => format!("{main}; {}", answer.end),
    }
}

/// The client certificate's part, where no request was sent: what the backend makes of it is open.
fn mutual_asked(observed: &Observed<'_>) -> &'static str {
    let Some(tls) = &observed.tls else {
        return " in plain text";
    };
    match tls.client_certificate {
        c if c.sent => ", and got the gateway's client certificate",
        c if c.requested => {
            ", and asked for a client certificate; none was sent, and whether it demands one is not known"
        }
        _ => ", and asked for no client certificate: no mutual TLS",
    }
}

/// Whether it was mutual TLS at all.
fn mutual(observed: &Observed<'_>) -> &'static str {
    let Some(tls) = &observed.tls else {
        return " in plain text";
    };
    match tls.client_certificate {
        c if c.sent => ", and got the gateway's client certificate",
        c if c.requested => ", without the client certificate that it asked for: no mutual TLS",
        _ => ", and asked for no client certificate: no mutual TLS",
    }
}
