//! B11: the backend refuses the client certificate, or its absence, after the handshake.

use super::prelude::*;

pub(in crate::diagnosis) const B11: Rule = Rule {
    code: Code::B11,
    severity: Severity::Error,
    title: "The backend refuses the client certificate, or its absence, after the handshake",
    explanation: "In TLS 1.3 the server judges the client's certificate when the client believes the handshake is done: nginx logs the alert, or a bare reset, while reading the response header. Clients get 502.",
    remedy: "Give the Gateway a client certificate that the backend trusts.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

/// What else a connection that ends after the handshake can mean.
const OR_ITS_OWN: &str = "A backend that ends the connection after the handshake refuses the client certificate, or fails for a reason of its own: its log tells, and so does a probe.";

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B11,
    means: |fault| match fault {
        Fault::Alert {
            number: 42..=46 | 48 | 49 | 116,
            after: true,
            asked,
        } => (*asked != Some(false)).into(),
        Fault::Alert {
            number: 40,
            after: true,
            asked,
        }
        | Fault::Closed { after: true, asked } => (*asked != Some(false)).into(),
        _ => May::No,
    },
    is: |case| match case.fault {
        _ if case.plan.tls.is_none() => Claim::No,
        Fault::Closed { asked: None, .. } => Claim::Doubt(OR_ITS_OWN.to_owned()),
        _ => Claim::Sure,
    },
    subject: Subject::Gateway,
    refuses_client_certificate: true,
    at_another_moment: Some(Code::B10),
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
