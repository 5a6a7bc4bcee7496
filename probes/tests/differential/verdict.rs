//! What is compared: NGINX's answer, read off its log and off what its client gets, and the probe's.

use std::fmt;

use ngf_tls::transcript::{Outcome, Transcript};

use crate::which_nginx::oracle;

/// A verdict, whoever spoke it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) verify_code: Option<i32>,
    pub(crate) alert: Option<u8>,
    pub(crate) client_status: Option<u16>,
    pub(crate) log_line: Option<String>,
    /// Server Name Indication; `None` where there was no handshake, or no name in it.
    pub(crate) sni: Option<String>,
    /// Depth and code of each complaint that the verify callback heard.
    pub(crate) complaints: Vec<(u32, i32)>,
    /// The backend's answer, where one came: NGINX backends write into it what they saw of TLS.
    pub(crate) body: Option<String>,
}

impl Verdict {
    /// The probe's.
    pub(crate) fn of_probe(transcript: &Transcript) -> Self {
        let nginx = &transcript.nginx;
        Self {
            outcome: nginx.outcome,
            verify_code: nginx.verify_code,
            alert: nginx.alert,
            client_status: nginx.client_status,
            log_line: nginx.log_line.as_deref().map(comparable_line),
            sni: sni(transcript),
            complaints: transcript
                .verify_trace
                .iter()
                .filter(|event| event.code != 0)
                .map(|event| (event.depth, event.code))
                .collect(),
            body: transcript.http.as_ref().map(|http| unix_lines(&http.body)),
        }
    }
}

fn sni(transcript: &Transcript) -> Option<String> {
    let hello = transcript
        .steps
        .iter()
        .find(|step| step.name == "ClientHello")?;
    let field = hello
        .fields
        .iter()
        .find(|field| field.name.ends_with("server_name"))?;
    Some(field.value.clone())
}

/// The probe's bodies are for a terminal, which has no use for carriage returns.
pub(crate) fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.outcome)?;
        if let Some(code) = self.verify_code {
            write!(f, " code {code}")?;
        }
        if let Some(alert) = self.alert {
            write!(f, " alert {alert}")?;
        }
        match self.client_status {
            Some(status) => write!(f, " status {status}")?,
            None => write!(f, " no status")?,
        }
        if let Some(sni) = &self.sni {
            write!(f, " sni {sni}")?;
        }
        if !self.complaints.is_empty() {
            write!(f, " trace")?;
            for (depth, code) in &self.complaints {
                write!(f, " {code}@{depth}")?;
            }
        }
        match &self.log_line {
            Some(line) => write!(f, " | {line}"),
            None => write!(f, " | no line"),
        }
    }
}

/// What OpenSSL 3.0, which Debian's NGINX links, says otherwise than the one that the probe links.
/// Seen by running one NGINX with both, as `same-openssl.sh` makes possible.
const SAME_MATTER: &[(&str, &str)] = &[
    ("ssl/tls alert", "sslv3 alert"),
    // From 3.2 on a second error follows each of the record layer.
    (" error:0A000139:SSL routines::record layer failure", ""),
    (
        "0A000092:SSL routines::data length too long",
        "0A0000C6:SSL routines::packet length too long",
    ),
];

/// A line of NGINX's error log as it is compared: as it stands where NGINX runs with the very
/// OpenSSL of the probe, and otherwise without what is known to differ, the words for a verify code
/// among it. Numbers stay.
pub(crate) fn comparable_line(line: &str) -> String {
    if oracle().is_some_and(|oracle| oracle.same_openssl) {
        return line.to_owned();
    }
    let mut line = line.to_owned();
    for (ours, debians) in SAME_MATTER {
        line = line.replace(ours, debians);
    }
    without_verify_words(&line).unwrap_or(line)
}

fn without_verify_words(line: &str) -> Option<String> {
    let (before, rest) = line.split_once("verify error: (")?;
    let (code, rest) = rest.split_once(':')?;
    let (_words, after) = rest.split_once(") while ")?;
    Some(format!("{before}verify error: ({code}:…) while {after}"))
}
