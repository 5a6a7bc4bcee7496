//! T11: nginx and the backend have no TLS version or cipher in common.

use super::prelude::*;

pub(in crate::diagnosis) const T11: Rule = Rule {
    code: Code::T11,
    severity: Severity::Error,
    title: "nginx and the backend have no TLS version or cipher in common",
    explanation: "Alert 70 for the version, 40 for the cipher; `unsupported protocol` where the backend answers with a version that nginx does not speak. Clients get 502.",
    remedy: "Let the backend speak TLS 1.2 or 1.3 with a cipher that OpenSSL's defaults hold.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

/// What else alert 40 can mean.
const OR_DEMANDED: &str = "Alert 40 also comes of a backend that demands a client certificate, and nginx presents none (NGF-B10): a probe tells them apart.";

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T11,
    means: |fault| match fault {
        Fault::NothingInCommon | Fault::Alert { number: 70, .. } => May::Likely,
        // After the handshake it is the client certificate's, if one was asked for.
        Fault::Alert {
            number: 40,
            after,
            asked,
        } => (!after || *asked == Some(false)).into(),
        _ => May::No,
    },
    is: |case| match case.fault {
        Fault::Alert {
            number: 40,
            asked: Some(asked),
            ..
        } => (!asked).into(),
        Fault::Alert { number: 40, .. } if case.client_certificate().is_none() => {
            Claim::Doubt(OR_DEMANDED.to_owned())
        }
        _ => Claim::Sure,
    },
    title: |case| {
        format!(
            "nginx and {} have no TLS version or cipher in common",
            case.service()
        )
    },
    ..Connection::USUAL
};
