//! B4: the backend refuses the client certificate, which is not made for clients.

use super::super::refusal::HandshakeRefusal;
use super::prelude::*;

pub(in crate::diagnosis) const B4: Rule = Rule {
    code: Code::B4,
    severity: Severity::Error,
    title: "The backend refuses the client certificate, which is not made for clients",
    explanation: "Its extended key usage lacks clientAuth; an nginx backend answers 400 `The SSL certificate error`.",
    remedy: "Reissue it with the usage client auth.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake, Need::Certificates],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B4,
    means: |fault| match fault {
        Fault::ClientRefused { code: Some(26) } => May::Likely,
        Fault::ClientRefused { code: None } => May::Perhaps,
        _ => May::No,
    },
    is: |case| match case.fault {
        Fault::ClientRefused { code: Some(_) } => Claim::Sure,
        _ => matches!(case.refusal(), Some(HandshakeRefusal::NotForClients)).into(),
    },
    subject: Subject::Gateway,
    refuses_client_certificate: true,
    at_another_moment: None,
    title: |case| match case.seen {
        ShownBy::Probe(_) => format!("{}, which is not made for clients", sentence::refuses(case)),
        ShownBy::Line { .. } => sentence::refuses(case),
    },
    explain: shown::client_side,
    remedy: |case| {
        case.transcript()?;
        Some(expiry::reissue(case.context, case.client_certificate()?))
    },
};
