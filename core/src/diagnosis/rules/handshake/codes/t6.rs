//! T6: the backend's certificate is not valid yet.

use super::prelude::*;

pub(in crate::diagnosis) const T6: Rule = Rule {
    code: Code::T6,
    severity: Severity::Error,
    title: "The backend's certificate is not valid yet",
    explanation: "Verify code 9. The clocks of issuer and node differ, or it was issued for later. Clients get 502.",
    remedy: "Check the clocks, or wait.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T6,
    means: |fault| matches!(fault, Fault::Verify { code: Some(9) }).into(),
    title: |case| match case.seen {
        ShownBy::Probe(_) => format!(
            "The certificate that {} presents is not valid yet",
            case.service()
        ),
        ShownBy::Line { .. } => format!(
            "A certificate that {} presents is not valid yet",
            case.service()
        ),
    },
    explain: shown::validity,
    remedy: remedy::renew_backend,
    ..Connection::USUAL
};
