//! T3: the policy's bundle holds only an intermediate.

use super::prelude::*;

pub(in crate::diagnosis) const T3: Rule = Rule {
    code: Code::T3,
    severity: Severity::Error,
    title: "The policy's bundle holds only an intermediate",
    explanation: "nginx does not accept partial chains: the self-signed root must be in the bundle (verify code 2). Clients get 502.",
    remedy: "Add the root to ca.crt.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T3,
    means: |fault| matches!(fault, Fault::Verify { code: Some(2) }).into(),
    subject: Subject::Policy,
    title: |case| {
        older_ca(case).unwrap_or_else(|| {
            format!(
                "{} holds no root for the certificate that {} presents",
                trust_text(case),
                case.service()
            )
        })
    },
    explain: shown::chain_and_trusted,
    remedy: |case| {
        case.transcript()?;
        let add = "Add the self-signed root to ca.crt: nginx accepts no partial chain.";
        remedy::the_ca(case).or_else(|| Some(Remedy::say(add)))
    },
    ..Connection::USUAL
};
