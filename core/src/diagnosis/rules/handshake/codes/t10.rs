//! T10: the backend does not know the server name that nginx sends.

use super::prelude::*;

pub(in crate::diagnosis) const T10: Rule = Rule {
    code: Code::T10,
    severity: Severity::Error,
    title: "The backend does not know the server name that nginx sends",
    explanation: "nginx sends validation.hostname as server name, and the backend answers with alert 112 (unrecognized_name). Clients get 502.",
    remedy: "Set validation.hostname to a name that the backend serves.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T10,
    means: |fault| matches!(fault, Fault::Alert { number: 112, .. }).into(),
    subject: Subject::Policy,
    title: |case| {
        format!(
            "{} does not know the name {}",
            case.service(),
            case.hostname()
        )
    },
    remedy: |case| {
        case.transcript()?;
        if let Some(remedy) = change::name_in_mounted(case.context, case.plan) {
            return Some(remedy);
        }
        Some(Remedy::say(format!(
            "Set validation.hostname of {} to a name that the backend serves.",
            case.policy()?
        )))
    },
    ..Connection::USUAL
};
