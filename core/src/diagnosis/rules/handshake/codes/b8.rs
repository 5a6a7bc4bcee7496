//! B8: the Host header selects another server than the TLS server name did.

use super::prelude::*;
use serde_json::json;

pub(in crate::diagnosis) const B8: Rule = Rule {
    code: Code::B8,
    severity: Severity::Error,
    title: "The Host header selects another server than the TLS server name did",
    explanation: "nginx sends validation.hostname as server name, and passes the client's Host on. A backend whose server for the one verifies clients and differs from the other answers 421.",
    remedy: "Let the policy's hostname be the route's, or set the Host with a URLRewrite filter.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B8,
    means: |fault| (*fault == Fault::Misdirected).into(),
    is: |case| case.plan.tls.is_some().into(),
    subject: Subject::Policy,
    title: |case| match case.seen {
        ShownBy::Probe(_) => format!(
            "{} has another server for the Host {} than for the name {}",
            case.service(),
            case.plan.host,
            case.hostname()
        ),
        ShownBy::Line { .. } => format!(
            "{} has another server for the Host than for the name {}",
            case.service(),
            case.hostname()
        ),
    },
    remedy: |case| {
        case.transcript()?;
        Some(Remedy::manifest(
            "Make the policy's hostname and the Host header the same: change the hostname, or rewrite the header.",
            &json!({"filters": [{
                "type": "URLRewrite",
                "urlRewrite": {"hostname": case.plan.tls.as_ref()?.hostname},
            }]}),
        ))
    },
    ..Connection::USUAL
};
