//! B16: the backend does not speak HTTP/2, which nginx speaks to it.

use super::prelude::*;

pub(in crate::diagnosis) const B16: Rule = Rule {
    code: Code::B16,
    severity: Severity::Error,
    title: "The backend does not speak HTTP/2, which nginx speaks to it",
    explanation: "nginx speaks HTTP/2 to the backends of a GRPCRoute and, since NGF 2.7, to ports with appProtocol kubernetes.io/h2c; over TLS it offers h2 by ALPN and nothing else. A backend that serves other protocols only ends the handshake with alert 120 (no_application_protocol), or takes the connection and answers in HTTP/1.1, which nginx reads as a frame that is too large. Clients get 502.",
    remedy: "Let the backend serve HTTP/2 (over TLS with h2 in its ALPN protocols; nginx: listen … ssl http2), or use an HTTPRoute to a port without appProtocol kubernetes.io/h2c.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B16,
    means: |fault| match fault {
        Fault::NotHttp2 { .. } | Fault::Alert { number: 120, .. } => May::Likely,
        _ => May::No,
    },
    is: |case| match case.fault {
        Fault::NotHttp2 { is_tls } => (!is_tls || case.plan.tls.is_some()).into(),
        _ => Claim::Sure,
    },
    title: |case| {
        format!(
            "{} does not speak HTTP/2, which nginx speaks to it",
            case.service()
        )
    },
    remedy: |case| {
        case.transcript()?;
        Some(Remedy::say(format!(
            "Let the backend behind {} serve HTTP/2, over TLS with h2 among its ALPN protocols (nginx: listen … ssl http2).",
            case.service()
        )))
    },
    ..Connection::USUAL
};
