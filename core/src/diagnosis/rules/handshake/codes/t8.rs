//! T8: the backend's certificate is for another name than the policy's hostname.

use super::prelude::*;

pub(in crate::diagnosis) const T8: Rule = Rule {
    code: Code::T8,
    severity: Severity::Error,
    title: "The backend's certificate is for another name than the policy's hostname",
    explanation: "nginx checks the leaf against validation.hostname alone: its DNS names, or its common name where it has none. subjectAltNames of the policy are ignored by NGF. Clients get 502.",
    remedy: "Set validation.hostname to a name in the certificate, or reissue the certificate with the name.",
    causes: LATER,
    needs: &[Need::Paths, Need::Handshake],
    check: |context, findings| told(context, findings, &CONNECTION),
};

pub(in crate::diagnosis) static CONNECTION: Connection = Connection {
    code: Code::T8,
    means: |fault| match fault {
        Fault::Name { name } if is_address(name) => May::Otherwise,
        Fault::Name { .. } => May::Likely,
        _ => May::No,
    },
    is: |case| match &case.fault {
        Fault::Name { name } if name != case.hostname() => Claim::Doubt(format!(
            "The line is about the name {name}, and the policy's hostname is {} now.",
            case.hostname()
        )),
        _ => Claim::Sure,
    },
    subject: Subject::Policy,
    title: |case| match (&case.seen, &case.fault) {
        (ShownBy::Line { .. }, Fault::Name { name }) => format!(
            "The certificate that {} presents is not for {name}",
            case.service()
        ),
        _ => format!(
            "The certificate that {} presents is not for {}, which the policy asks for",
            case.service(),
            case.hostname()
        ),
    },
    explain: |case, finding| match case.leaf() {
        Some(leaf) if leaf.dns_names.is_empty() => finding.evidence(
            "subject (it has no DNS names)",
            &leaf.subject,
            shown::presented(case),
        ),
        Some(leaf) => finding.evidence(
            "DNS names",
            list(&leaf.dns_names, 8),
            shown::presented(case),
        ),
        None => finding,
    },
    remedy: remedy::hostname,
    ..Connection::USUAL
};

/// Whether a name is an IP address, as NGF-T9 is about.
pub(super) fn is_address(name: &str) -> bool {
    name.parse::<std::net::IpAddr>().is_ok()
}
