//! B10: the backend refuses the client certificate, or its absence, with an alert.

use super::prelude::*;

pub(in crate::diagnosis) const B10: Rule = Rule {
    code: Code::B10,
    severity: Severity::Error,
    title: "The backend refuses the client certificate, or its absence, with an alert",
    explanation: "Alert 40 or 116: none was sent; 48: unknown CA; 45: expired; 42 or 43: not fit. nginx logs it at the handshake in TLS 1.2. Clients get 502.",
    remedy: "Give the Gateway a client certificate that the backend trusts.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B10,
    means: |fault| match fault {
        Fault::Demanded => May::Likely,
        Fault::Alert {
            number: 42..=46 | 48 | 49 | 116,
            after: false,
            asked,
        } => (*asked != Some(false)).into(),
        Fault::Alert {
            number: 40,
            after: false,
            asked,
        } if *asked != Some(false) => May::Perhaps,
        _ => May::No,
    },
    // nginx cannot tell which of both it is; a probe can.
    is: |case| match case.fault {
        Fault::Alert {
            number: 40, asked, ..
        } => asked.unwrap_or_default().into(),
        _ => Claim::Sure,
    },
    subject: Subject::Gateway,
    refuses_client_certificate: true,
    at_another_moment: Some(Code::B11),
    title: sentence::demands_or_refuses,
    explain: shown::client_side,
    remedy: |case| {
        case.transcript()?;
        match case.client_certificate() {
            None => Some(remedy::name_one(case)),
            Some(_) => remedy::reissue_from_trusted(case),
        }
    },
};
