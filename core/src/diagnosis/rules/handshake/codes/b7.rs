//! B7: the backend does not enforce mutual TLS.

use super::prelude::*;
use ngf_tls::transcript::Transcript;

pub(in crate::diagnosis) const B7: Rule = Rule {
    code: Code::B7,
    severity: Severity::Info,
    title: "The backend does not enforce mutual TLS",
    explanation: "It asks for no client certificate, or takes requests without one. TLS holds in one direction only.",
    remedy: "If mutual TLS is meant, let the backend demand a certificate (nginx: ssl_verify_client on).",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B7,
    means: |fault| (*fault == Fault::NotMutual).into(),
    title: |case| {
        let asks = |seen: &Transcript| seen.client_certificate.requested;
        if case.transcript().is_some_and(asks) {
            format!(
                "{} asks for a client certificate and does not insist on one",
                case.service()
            )
        } else {
            format!(
                "{} never asks for a client certificate: this is not mutual TLS",
                case.service()
            )
        }
    },
    ..Connection::USUAL
};
