//! T14: nginx cannot connect to the backend, or gets no answer in time.

use super::prelude::*;
use crate::logs::Phase;

pub(in crate::diagnosis) const T14: Rule = Rule {
    code: Code::T14,
    severity: Severity::Error,
    title: "nginx cannot connect to the backend, or gets no answer in time",
    explanation: "Refused or unreachable gives 502, a time-out 504. A NetworkPolicy that drops packets looks like a time-out, and only from where it applies.",
    remedy: "See whether the process listens on that port and whether a NetworkPolicy stands between.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

/// What a handshake without an answer proves.
const STANDS: &str = "The connection stands, so no NetworkPolicy is in the way: the process behind the port does not answer the handshake.";

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T14,
    means: |fault| match fault {
        Fault::Unreachable
        | Fault::TimedOut {
            phase: Phase::Connecting | Phase::Handshaking,
        } => May::Likely,
        // Over plain HTTP; over TLS it is the application (T22).
        Fault::TimedOut { .. } => May::Otherwise,
        _ => May::No,
    },
    title: |case| match case.fault {
        Fault::TimedOut { .. } => format!("{} does not answer in time", case.service()),
        _ => format!("nginx cannot connect to {}", case.service()),
    },
    explain: |case, finding| match case.failing_now() {
        Some(_) if case.is_silent() => finding.because(STANDS),
        _ => finding,
    },
    remedy: |case| match (case.transcript(), case.failing_now()) {
        (None, Some(_)) if case.is_silent() => Some(Remedy::say(
            "See whether the backend's process hangs or is overloaded, and whether the port speaks TLS at all.",
        )),
        (None, _) => None,
        (Some(_), _) if case.is_silent() => remedy::pod_log(
            case.plan,
            "The port accepts connections, so that no NetworkPolicy is the reason: see whether the process hangs, is overloaded or waits for another protocol.",
            None,
        ),
        (Some(_), _) => remedy::pod_log(
            case.plan,
            "See whether the process listens there, and whether a NetworkPolicy stands between.",
            Some("networkpolicies"),
        ),
    },
    ..Connection::USUAL
};
