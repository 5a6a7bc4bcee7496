//! T2: the backend's chain has more intermediates than nginx follows.

use super::prelude::*;
use crate::diagnosis::{mounted, trust};

pub(in crate::diagnosis) const T2: Rule = Rule {
    code: Code::T2,
    severity: Severity::Error,
    title: "The backend's chain has more intermediates than nginx follows",
    explanation: "NGF renders proxy_ssl_verify_depth 4 since 2.6: four intermediates pass, five do not (verify code 20). Before, nginx's default of 1 held. Clients get 502.",
    remedy: "Shorten the chain, or put a nearer CA that is self-signed into the bundle.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake, Need::Certificates, Need::Pods],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T2,
    means: |fault| match fault {
        Fault::Verify { code: Some(20) } => May::Perhaps,
        _ => May::No,
    },
    is: |case| (case.is_too_long() == Some(true)).into(),
    title: |case| match (case.transcript(), &case.plan.tls) {
        (Some(transcript), tls) => format!(
            "{} sends {} intermediates, and nginx follows {}",
            case.service(),
            transcript.server_chain.len().saturating_sub(1),
            tls.as_ref().map_or(4, |tls| tls.verify_depth)
        ),
        (None, _) => format!(
            "{} presents a chain with more intermediates than nginx follows",
            case.service()
        ),
    },
    explain: |case, finding| {
        if case.failing_now().is_none() {
            return shown::chain_and_trusted(case, finding);
        }
        let (context, plan) = (case.context, case.plan);
        let mounted = context
            .index
            .service(&plan.service)
            .map(|service| mounted::with_certificates(context.snapshot, service, "tls.crt"));
        let count = mounted
            .as_deref()
            .and_then(|all| all.first())
            .map_or(0, |(_, chain)| trust::intermediates(chain));
        finding.because(depth_text(context, count))
    },
    remedy: |case| {
        case.failing_now()?;
        let is_rendered = case.context.running.release.renders_verify_depth();
        Some(Remedy::say(if is_rendered {
            "Shorten the chain, or put a nearer CA that is self-signed into the policy's bundle."
        } else {
            "Upgrade NGF to 2.6 or later, shorten the chain, or put a nearer CA that is self-signed into the policy's bundle."
        }))
    },
    ..Connection::USUAL
};
