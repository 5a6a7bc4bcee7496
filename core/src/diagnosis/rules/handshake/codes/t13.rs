//! T13: the backend closes the connection during the handshake.

use super::prelude::*;

pub(in crate::diagnosis) const T13: Rule = Rule {
    code: Code::T13,
    severity: Severity::Error,
    title: "The backend closes the connection during the handshake",
    explanation: "Without an alert. A server that waits for the PROXY protocol does so, and a sidecar with strict mutual TLS. Clients get 502.",
    remedy: "Look at the backend's log of that moment.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T13,
    means: |fault| match fault {
        Fault::Closed { after, asked } => (!after || *asked == Some(false)).into(),
        _ => May::No,
    },
    is: |case| case.plan.tls.is_some().into(),
    title: |case| {
        format!(
            "{} closes the connection during the handshake",
            case.service()
        )
    },
    remedy: |case| {
        case.transcript()?;
        remedy::pod_log(
            case.plan,
            "Look at the backend's log of that moment: a PROXY protocol listener or a sidecar closes like this.",
            None,
        )
    },
    ..Connection::USUAL
};
