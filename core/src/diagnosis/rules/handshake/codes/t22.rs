//! T22: the application answers too late, and TLS is fine.

use super::prelude::*;
use crate::logs::Phase;

pub(in crate::diagnosis) const T22: Rule = Rule {
    code: Code::T22,
    severity: Severity::Error,
    title: "The application answers too late, and TLS is fine",
    explanation: "The handshake is done and the request is sent; the answer does not come within nginx's proxy_read_timeout (60 s), or the connection stalls. It is neither the certificate nor the network's admission. Clients get 504.",
    remedy: "See why the application takes so long; nginx's time can be changed with a ProxySettingsPolicy or a SnippetsFilter (proxy_read_timeout).",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T22,
    means: |fault| match fault {
        Fault::TimedOut {
            phase: Phase::Sending | Phase::ReadingHeader | Phase::Reading,
        } => May::Likely,
        _ => May::No,
    },
    is: |case| case.plan.tls.is_some().into(),
    title: |case| {
        format!(
            "{} answers too late: TLS works, and the application is slow",
            case.service()
        )
    },
    ..Connection::USUAL
};
