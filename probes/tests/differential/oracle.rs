//! What nginx did, read off its error log and the answer to its client; nothing of the probe's own
//! mapping is used.

use ngf_probes::transcript::{NginxVerdict, Outcome};

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) outcome: Outcome,
    /// Of the chain, where nginx refused it.
    pub(crate) verify_code: Option<i32>,
    pub(crate) alert: Option<u8>,
    pub(crate) status: Option<u16>,
    /// nginx's line, up to the client; compared where OpenSSL's own words are not in it.
    pub(crate) line: Option<String>,
}

impl Observation {
    /// From nginx's error log and its client's status; `None` for an answer without a head.
    pub(crate) fn of_nginx(log: &str, status: Option<u16>) -> Self {
        let line = log.lines().find_map(upstream_line);
        let outcome = match line.as_deref() {
            None if status.is_none_or(|status| status >= 400) => Outcome::HttpError,
            None => Outcome::Ok,
            Some(line) => outcome_of(line),
        };
        let about = |prefix: &str| {
            let rest = line.as_deref()?.split_once(prefix)?.1;
            rest.split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse::<i32>()
                .ok()
        };
        Self {
            outcome,
            verify_code: about("upstream SSL certificate verify error: ("),
            alert: about("SSL alert number ").and_then(|alert| u8::try_from(alert).ok()),
            status,
            line,
        }
    }

    /// From the probe's verdict.
    pub(crate) fn of_probe(verdict: &NginxVerdict) -> Self {
        Self {
            outcome: verdict.outcome,
            verify_code: verdict.verify_code.filter(|code| *code != 0),
            alert: verdict.alert,
            status: verdict.client_status,
            line: verdict.log_line.clone(),
        }
    }

    pub(crate) fn code_or_status(&self) -> i32 {
        self.verify_code
            .unwrap_or_else(|| self.status.map_or(0, i32::from))
    }

    /// What differs, in words.
    pub(crate) fn difference(&self, probe: &Self) -> Option<String> {
        let same_line = match (&self.line, &probe.line) {
            (Some(nginx), Some(probe)) if nginx.contains("(SSL:") => {
                // OpenSSL 3.0 and 3.6 have other words; call and action are nginx's own.
                let frame = |line: &str| {
                    let call = line.split(" (SSL:").next().unwrap_or_default().to_owned();
                    let action = line.rsplit(" while ").next().unwrap_or_default().to_owned();
                    (call, action)
                };
                frame(nginx) == frame(probe)
            }
            // The words of a code changed between OpenSSL's versions; the code is compared anyway.
            (Some(nginx), Some(probe)) if self.verify_code.is_some() => {
                nginx.split(':').next() == probe.split(':').next()
            }
            (nginx, probe) => nginx == probe,
        };
        let same = self.outcome == probe.outcome
            && self.verify_code == probe.verify_code
            && self.alert == probe.alert
            && self.status == probe.status
            && same_line;
        (!same).then(|| format!("\n  nginx {self:?}\n  probe {probe:?}"))
    }
}

/// The text between the connection number and `, client:` of a line about an upstream.
fn upstream_line(line: &str) -> Option<String> {
    let is_fault = ["[error]", "[crit]", "[alert]"]
        .iter()
        .any(|level| line.contains(level));
    let text = line
        .split_once(": *")
        .and_then(|(_, rest)| rest.split_once(' '))?
        .1;
    let text = text.split(", client: ").next()?;
    (is_fault && text.contains("upstream")).then(|| text.to_owned())
}

fn outcome_of(line: &str) -> Outcome {
    const OUTCOMES: &[(&str, Outcome)] = &[
        (
            "upstream SSL certificate verify error",
            Outcome::VerifyError,
        ),
        (
            "upstream SSL certificate does not match",
            Outcome::NameMismatch,
        ),
        ("peer closed connection in SSL handshake", Outcome::Closed),
        ("SSL_do_handshake() failed", Outcome::TlsError),
        ("SSL_read() failed", Outcome::TlsError),
        ("SSL_write() failed", Outcome::TlsError),
        ("connect() ", Outcome::ConnectError),
        ("upstream timed out", Outcome::Timeout),
        ("upstream prematurely closed connection", Outcome::Closed),
        ("recv() failed", Outcome::Closed),
        ("upstream sent ", Outcome::HttpError),
    ];
    OUTCOMES
        .iter()
        .find(|(text, _)| line.starts_with(text))
        .map_or_else(
            || panic!("the suite does not know this line of nginx's: {line}"),
            |(_, o)| *o,
        )
}
