//! T20: nginx refuses the backend's certificate.

use super::prelude::*;
use crate::logs::Meaning;

pub(in crate::diagnosis) const T20: Rule = Rule {
    code: Code::T20,
    severity: Severity::Error,
    title: "nginx refuses the backend's certificate",
    explanation: "OpenSSL reports a verify error that has no entry of its own here. Clients get 502.",
    remedy: "See what the code says.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T20,
    means: |fault| match fault {
        Fault::Verify { .. } => May::Otherwise,
        _ => May::No,
    },
    title: |case| {
        let service = case.service();
        let words = match &case.seen {
            ShownBy::Probe(transcript) => {
                let words = transcript.nginx.verify_text.as_deref();
                words.unwrap_or("verify error").to_owned()
            }
            ShownBy::Line { joined, .. } => match &joined.counted.last_line.what {
                Meaning::VerifyError { code, words } => format!("{words} ({code})"),
                _ => return format!("nginx refuses the certificate that {service} presents"),
            },
        };
        format!("nginx refuses the certificate that {service} presents: {words}")
    },
    explain: shown::chain_and_trusted,
    ..Connection::USUAL
};
