//! T9: the policy's hostname is an IP address, which nginx never finds in an IP SAN.

use super::prelude::*;
use super::t8::is_address;
use crate::diagnosis::rules::presented;

pub(in crate::diagnosis) const T9: Rule = Rule {
    code: Code::T9,
    severity: Severity::Error,
    title: "The policy's hostname is an IP address, which nginx never finds in an IP SAN",
    explanation: "OpenSSL's X509_check_host, which nginx uses, looks at DNS names and common names only. Where nothing was probed, the policy alone tells.",
    remedy: "Use a DNS name that the certificate carries.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| {
        told(context, findings, &CONNECTION);
        presented::address_as_hostname(context, findings);
    },
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T9,
    means: |fault| match fault {
        Fault::Name { name } => is_address(name).into(),
        _ => May::No,
    },
    is: |case| matches!(&case.fault, Fault::Name { name } if name == case.hostname()).into(),
    subject: Subject::Policy,
    title: |case| {
        format!(
            "The policy's hostname {} is an IP address, which nginx finds in no certificate's IP SAN",
            case.hostname()
        )
    },
    remedy: remedy::hostname,
    ..Connection::USUAL
};
