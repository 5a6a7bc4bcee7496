//! T5: the backend's certificate, or one in its chain, has expired.

use super::prelude::*;

pub(in crate::diagnosis) const T5: Rule = Rule {
    code: Code::T5,
    severity: Severity::Error,
    title: "The backend's certificate, or one in its chain, has expired",
    explanation: "Verify code 10; it hides other faults, because nginx reports the last one. Requests on connections that are kept alive, or that resume a session, may still pass for a while. Clients get 502.",
    remedy: "Renew the certificate, and let the backend load it.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T5,
    means: |fault| matches!(fault, Fault::Verify { code: Some(10) }).into(),
    title: |case| {
        let (service, now) = (case.service(), &case.context.now);
        match case.leaf().filter(|leaf| now.is_after(leaf.not_after)) {
            Some(leaf) => format!(
                "The certificate that {service} presents expired {} ago",
                now.span(leaf.not_after)
            ),
            None if case.transcript().is_some() => {
                format!("A certificate above the one that {service} presents has expired")
            }
            None => format!("A certificate that {service} presents has expired"),
        }
    },
    explain: shown::validity,
    remedy: remedy::renew_backend,
    ..Connection::USUAL
};
