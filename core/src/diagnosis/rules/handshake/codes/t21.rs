//! T21: the TLS handshake with the backend fails.

use super::prelude::*;

pub(in crate::diagnosis) const T21: Rule = Rule {
    code: Code::T21,
    severity: Severity::Error,
    title: "The TLS handshake with the backend fails",
    explanation: "With an alert or an error that has no entry of its own here. Clients get 502.",
    remedy: "See what the log line says.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T21,
    means: |fault| match fault {
        Fault::Handshake => May::Likely,
        Fault::Alert { .. } => May::Otherwise,
        _ => May::No,
    },
    ..Connection::USUAL
};
