//! B9: nginx speaks plain HTTP to a port that wants TLS.

use super::prelude::*;
use crate::diagnosis::{
    joined::Joined, plan::PlannedTls, rules::condition::silence::controller_pods,
};

pub(in crate::diagnosis) const B9: Rule = Rule {
    code: Code::B9,
    severity: Severity::Error,
    title: "nginx speaks plain HTTP to a port that wants TLS",
    explanation: "No BackendTLSPolicy takes effect on the port. An nginx backend answers 400 `The plain HTTP request was sent to HTTPS port`; others close the connection.",
    remedy: "Create a BackendTLSPolicy that targets the Service, in the Service's namespace.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

/// What else an answer that is no HTTP can mean.
const OR_ANOTHER_PROTOCOL: &str = "What answers there is not HTTP: a port that speaks TLS answers so, and so does one of another protocol. A probe tells them apart.";

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B9,
    means: |fault| match fault {
        Fault::PlainToTls | Fault::NotHttp => May::Likely,
        Fault::NotHttp2 { .. } | Fault::Closed { after: true, .. } | Fault::ClosedPlain => {
            May::Perhaps
        }
        _ => May::No,
    },
    is: |case| match (&case.fault, &case.seen, &case.plan.tls) {
        (Fault::PlainToTls, ShownBy::Line { joined, .. }, Some(tls)) => despite(case, joined, tls),
        (Fault::PlainToTls, ..) => Claim::Sure,
        (_, _, Some(_)) => Claim::No,
        (Fault::NotHttp, ..) => Claim::Doubt(OR_ANOTHER_PROTOCOL.to_owned()),
        (Fault::NotHttp2 { is_tls }, ..) => (*is_tls).into(),
        _ => Claim::Sure,
    },
    title: |case| {
        format!(
            "nginx speaks plain HTTP to {}, which wants TLS",
            case.service()
        )
    },
    explain: |case, finding| match (case.failing_now(), case.policy()) {
        (Some(_), Some(policy)) => finding.because(format!(
            "The line is younger than {policy}: NGF has not applied it."
        )),
        _ => finding,
    },
    remedy: |case| {
        let create = || change::policy_for(case.context, &case.plan.service);
        match (&case.seen, case.policy()) {
            (ShownBy::Probe(_), _) => {
                Some(create().unwrap_or_else(|| remedy::policy_to_complete(case)))
            }
            (ShownBy::Line { .. }, None) => create(),
            (ShownBy::Line { now: Some(_), .. }, Some(_)) => Some(Remedy::command(
                "See whether NGF's controller runs and has written a status into the policy.",
                controller_pods(),
            )),
            (ShownBy::Line { now: None, .. }, Some(_)) => None,
        }
    },
    ..Connection::USUAL
};

/// How long NGF may take to bring a policy to nginx, in seconds.
const APPLIED_WITHIN: i64 = 10;

/// The backend got plain HTTP although a policy takes effect now: the line is about the time before, or NGF has not
/// applied the policy.
fn despite(case: &Case<'_, '_>, joined: &Joined<'_>, tls: &PlannedTls) -> Claim {
    let policy = case.context.snapshot.policies.get(&tls.policy);
    let last = joined.counted.last.as_second();
    let is = match policy.and_then(|policy| policy.meta.created) {
        Some(created) if last - created.as_second() > APPLIED_WITHIN => return Claim::Sure,
        Some(_) => "is",
        None => "may be",
    };
    Claim::Doubt(format!(
        "{} takes effect on the port now: the line {is} about the time before it.",
        tls.policy
    ))
}
