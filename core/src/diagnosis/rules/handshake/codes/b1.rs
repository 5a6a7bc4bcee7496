//! B1: the backend demands a client certificate, and nginx presents none.

use super::prelude::*;

pub(in crate::diagnosis) const B1: Rule = Rule {
    code: Code::B1,
    severity: Severity::Error,
    title: "The backend demands a client certificate, and nginx presents none",
    explanation: "An nginx backend finishes the handshake and answers 400 `No required SSL certificate was sent`, in TLS 1.2 and 1.3 alike. The gateway passes it on.",
    remedy: "Give the Gateway a client certificate that the backend trusts: spec.tls.backend.clientCertificateRef.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B1,
    means: |fault| (*fault == Fault::NoClientCertificate).into(),
    subject: Subject::Gateway,
    title: sentence::demands,
    explain: shown::client_side,
    remedy: |case| {
        case.transcript()?;
        let Some(client) = case.client_certificate() else {
            return Some(remedy::name_one(case));
        };
        Some(Remedy::say(format!(
            "{} names {client}, but nginx did not present it: see whether the Gateway is programmed.",
            case.plan.gateway
        )))
    },
    ..Connection::USUAL
};
