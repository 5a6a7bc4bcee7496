//! T4: the backend presents a self-signed certificate that is not trusted.

use super::prelude::*;

pub(in crate::diagnosis) const T4: Rule = Rule {
    code: Code::T4,
    severity: Severity::Error,
    title: "The backend presents a self-signed certificate that is not trusted",
    explanation: "Verify code 18. Using that very certificate as ca.crt would make nginx accept it. Clients get 502.",
    remedy: "Name that certificate as the policy's CA, or let the backend present one that the CA signed.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T4,
    means: |fault| matches!(fault, Fault::Verify { code: Some(18) }).into(),
    title: |case| {
        older_ca(case).unwrap_or_else(|| {
            format!(
                "{} presents a self-signed certificate that {} does not hold",
                case.service(),
                trust_text(case)
            )
        })
    },
    explain: shown::chain_and_trusted,
    remedy: |case| remedy::the_ca(case).or_else(|| remedy::name_the_ca(case)),
    ..Connection::USUAL
};
