//! B2: the backend refuses the client certificate that nginx presents.

use super::super::refusal::{HandshakeRefusal, untrusted};
use super::prelude::*;

pub(in crate::diagnosis) const B2: Rule = Rule {
    code: Code::B2,
    severity: Severity::Error,
    title: "The backend refuses the client certificate that nginx presents",
    explanation: "An nginx backend answers 400 `The SSL certificate error`; its log, at level info, says why. Where the evidence allows, a certificate that has expired (NGF-B3), the wrong usage (NGF-B4), a missing intermediate (NGF-B5) and a wrong CA in the backend (NGF-B6) are told apart from a client certificate of the wrong CA.",
    remedy: "Issue the Gateway's client certificate from the CA that the backend trusts.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake, Need::Certificates],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B2,
    means: |fault| match fault {
        Fault::ClientRefused {
            code: Some(3 | 9 | 10 | 12 | 23 | 26),
        } => May::No,
        Fault::ClientRefused { .. } => May::Likely,
        _ => May::No,
    },
    is: |case| {
        let refusal = case.refusal();
        matches!(
            refusal,
            Some(HandshakeRefusal::NotTrusted(_) | HandshakeRefusal::TooDeep { .. })
        )
        .into()
    },
    subject: Subject::Gateway,
    refuses_client_certificate: true,
    at_another_moment: None,
    title: sentence::refuses,
    explain: |case, finding| {
        if case.transcript().is_some() {
            return shown::refused(case, finding);
        }
        match too_deep_now(case) {
            Some((intermediates, depth)) => {
                finding.because(format!("{}.", upper(&too_deep(intermediates, depth))))
            }
            None => finding,
        }
    },
    remedy: |case| match (case.transcript(), case.refusal()) {
        (Some(_), Some(HandshakeRefusal::TooDeep { intermediates, .. })) => {
            Some(remedy::deeper(intermediates))
        }
        (Some(_), _) => remedy::reissue_from_trusted(case),
        (None, _) => too_deep_now(case).map(|(intermediates, _)| remedy::deeper(intermediates)),
    },
};

/// How many intermediates there are, and how many the backend follows, where a log says now that it refuses them.
fn too_deep_now(case: &Case<'_, '_>) -> Option<(usize, u32)> {
    case.failing_now()?;
    match untrusted(case.context, case.plan, None) {
        HandshakeRefusal::TooDeep {
            intermediates,
            depth,
        } => Some((intermediates, depth)),
        _ => None,
    }
}
