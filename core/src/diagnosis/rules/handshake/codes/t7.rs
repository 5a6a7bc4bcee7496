//! T7: the backend's certificate is not made for servers.

use super::prelude::*;

pub(in crate::diagnosis) const T7: Rule = Rule {
    code: Code::T7,
    severity: Severity::Error,
    title: "The backend's certificate is not made for servers",
    explanation: "Verify code 26: its extended key usage lacks serverAuth, or a CA certificate is used as a leaf. Clients get 502.",
    remedy: "Reissue it with the usage server auth.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T7,
    means: |fault| matches!(fault, Fault::Verify { code: Some(26) }).into(),
    title: |case| {
        format!(
            "The certificate that {} presents is not made for servers",
            case.service()
        )
    },
    explain: |case, finding| match case.leaf() {
        Some(leaf) => finding.evidence(
            "extended key usage",
            list(&leaf.extended_key_usage, 6),
            shown::presented(case),
        ),
        None => finding,
    },
    remedy: remedy::renew_backend,
    ..Connection::USUAL
};
