//! B15: the backend refuses the client certificate because of its certificate revocation list.

use super::prelude::*;

pub(in crate::diagnosis) const B15: Rule = Rule {
    code: Code::B15,
    severity: Severity::Error,
    title: "The backend refuses the client certificate because of its certificate revocation list",
    explanation: "A backend with ssl_crl looks up the client certificate in the CRL of its CA: a revoked one gives verify code 23. Without a CRL of that CA (code 3), or with an expired one (code 12), it refuses every client certificate. The backend logs the code and answers 400.",
    remedy: "Reissue a revoked certificate; else give the backend the current CRL.",
    causes: LATER,
    needs: &[Need::Paths, Need::Pods, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::B15,
    // X509_V_ERR_UNABLE_TO_GET_CRL, _CRL_HAS_EXPIRED and _CERT_REVOKED.
    means: |fault| match fault {
        Fault::ClientRefused {
            code: Some(3 | 12 | 23),
        } => May::Likely,
        _ => May::No,
    },
    title: |case| match case.fault {
        Fault::ClientRefused { code: Some(23) } => {
            format!("{}: its CA revoked it", sentence::refuses(case))
        }
        _ => format!(
            "{} refuses every client certificate, because its certificate revocation list is missing or expired",
            case.service()
        ),
    },
    ..Connection::USUAL
};
