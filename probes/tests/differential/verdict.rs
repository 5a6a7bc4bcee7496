//! What is compared: NGINX's answer, read off its log and off what its client gets, and the probe's.

use std::fmt;

use ngf_probes::transcript::{Outcome, Transcript};

/// A verdict, whoever spoke it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) verify_code: Option<i32>,
    pub(crate) alert: Option<u8>,
    pub(crate) client_status: Option<u16>,
    pub(crate) log_line: Option<String>,
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

/// A line of NGINX's error log without what differs between the OpenSSL that Debian's NGINX links
/// (3.0) and the one that the probe links, as `facts/tls.md` lists it: the words of an alert's
/// name, and the words of verify code 9 and others. Numbers stay.
pub(crate) fn comparable_line(line: &str) -> String {
    let line = line.replace("ssl/tls alert", "sslv3 alert");
    let Some(start) = line.find("verify error: (") else {
        return line;
    };
    let words = start + "verify error: (".len();
    let Some(colon) = line[words..].find(':').map(|at| words + at) else {
        return line;
    };
    let Some(end) = line[colon..].find(") while").map(|at| colon + at) else {
        return line;
    };
    format!("{}…{}", &line[..=colon], &line[end..])
}
