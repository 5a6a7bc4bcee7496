//! T12: the port does not speak TLS.

use super::prelude::*;

pub(in crate::diagnosis) const T12: Rule = Rule {
    code: Code::T12,
    severity: Severity::Error,
    title: "The port does not speak TLS",
    explanation: "A policy takes effect on it, so nginx sends a ClientHello, and gets plain text (`wrong version number`; with OpenSSL 3.2 to 3.5 mostly `packet length too long`). Clients get 502.",
    remedy: "Point the route at the TLS port, or remove the policy from this one with a sectionName.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T12,
    means: |fault| (*fault == Fault::NotTls).into(),
    subject: Subject::Policy,
    title: |case| {
        format!(
            "{} does not speak TLS, and a policy makes nginx speak it",
            case.service()
        )
    },
    remedy: |case| {
        case.transcript()?;
        if let Some(remedy) = change::tls_port(case.context, case.plan) {
            return Some(remedy);
        }
        Some(Remedy::say(format!(
            "Let the route refer to the Service's TLS port, or take port {} out of {} with a sectionName.",
            case.plan.port,
            case.policy()?
        )))
    },
    ..Connection::USUAL
};
