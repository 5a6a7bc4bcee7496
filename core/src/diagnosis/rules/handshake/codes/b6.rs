//! B6: the backend trusts another CA for clients than the one that issued both sides' certificates.

use super::super::refusal::HandshakeRefusal;
use super::prelude::*;

pub(in crate::diagnosis) const B6: Rule = Rule {
    code: Code::B6,
    severity: Severity::Error,
    title: "The backend trusts another CA for clients than the one that issued both sides' certificates",
    explanation: "The client certificate is from the CA that the backend's own certificate is from, or that its pods mount, and the backend asks for certificates of another, of which none is known: the wrong CA is mounted in it, or it has not loaded the right one. An nginx backend answers 400 `The SSL certificate error`.",
    remedy: "Mount the CA that issued the client certificate in the backend, and let the backend load it.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake, Need::Certificates],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B6,
    means: |fault| match fault {
        Fault::ClientRefused {
            code: Some(3 | 9 | 10 | 12 | 23 | 26),
        } => May::No,
        Fault::ClientRefused { .. } => May::Likely,
        _ => May::No,
    },
    is: |case| matches!(case.refusal(), Some(HandshakeRefusal::OtherCaInBackend(_))).into(),
    refuses_client_certificate: true,
    title: |case| match case.transcript() {
        Some(transcript) => format!(
            "{} asks for clients of {}, and refuses the certificate of {}, whose CA issued its own",
            case.service(),
            list(&transcript.client_certificate.acceptable_cas, 2),
            case.plan.gateway
        ),
        None => sentence::refuses(case),
    },
    explain: shown::refused,
    remedy: |case| match (case.transcript(), case.refusal()) {
        (Some(_), Some(HandshakeRefusal::OtherCaInBackend(other))) => {
            Some(remedy::mount(case.plan, &other))
        }
        _ => None,
    },
    ..Connection::USUAL
};
