//! B5: the client certificate's intermediate is missing from its tls.crt.

use super::super::refusal::{HandshakeRefusal, Known};
use super::prelude::*;
use crate::model::object::ObjectRef;

pub(in crate::diagnosis) const B5: Rule = Rule {
    code: Code::B5,
    severity: Severity::Error,
    title: "The client certificate's intermediate is missing from its tls.crt",
    explanation: "nginx sends what tls.crt holds and nothing else. The backend trusts the CA above the intermediate, gets the leaf alone, and finds no path: an nginx backend answers 400 `The SSL certificate error`. It is told apart from NGF-B2 where the intermediate is known: from an issuer's Secret, a ca.crt, or what the backend itself sends.",
    remedy: "Put the intermediate behind the leaf in tls.crt.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake, Need::Certificates],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B5,
    means: |fault| match fault {
        Fault::ClientRefused {
            code: Some(3 | 9 | 10 | 12 | 23 | 26),
        } => May::No,
        Fault::ClientRefused { .. } => May::Likely,
        _ => May::No,
    },
    is: |case| matches!(case.refusal(), Some(HandshakeRefusal::Incomplete(_))).into(),
    subject: Subject::Gateway,
    refuses_client_certificate: true,
    at_another_moment: None,
    title: |case| match (case.transcript(), case.refusal()) {
        (Some(_), Some(HandshakeRefusal::Incomplete(missing))) => format!(
            "{}: {} is missing behind it in tls.crt",
            sentence::refuses(case),
            list(missing.iter().map(|known| &known.facts.subject), 3)
        ),
        _ => sentence::refuses(case),
    },
    explain: |case, finding| match (case.transcript(), missing(case)) {
        (Some(_), _) => shown::refused(case, finding),
        (None, Some((missing, _))) => shown::incomplete(finding, &missing),
        (None, None) => finding,
    },
    remedy: |case| {
        let (missing, client) = missing(case)?;
        Some(remedy::complete(case.context, client, &missing))
    },
};

/// The intermediates that are missing, and the Secret from which they are.
fn missing<'a>(case: &Case<'a, '_>) -> Option<(Vec<Known<'a>>, &'a ObjectRef)> {
    match case.refusal()? {
        HandshakeRefusal::Incomplete(missing) => Some((missing, case.client_certificate()?)),
        _ => None,
    }
}
