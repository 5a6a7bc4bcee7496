//! L6: the chain that nginx presents to the clients of a listener, and what its certificate may be used for.

use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::certificate::CertificateFacts;

use super::{Reference, listeners};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Mark, Remedy, Severity},
        ngf::known,
        rule::{Need, Rule},
        rules::expiry::{may, reissue},
        trust,
        words::{holder, list},
    },
    model::{kind::Kind, object::ObjectRef, snapshot::Lookup},
};

/// The extension with the proofs that a certificate is in public logs, as DER: such a certificate is from a public
/// CA (RFC 6962 §3.3, object identifier 1.3.6.1.4.1.11129.2.4.2).
const LOGGED: &[u8] = &[
    0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02,
];

/// A chain, with the listeners that present it: where to show it, and their names.
type InUse<'a> = (&'a [CertificateFacts], Vec<Mark>, Vec<String>);

pub(in crate::diagnosis) const L6: Rule = Rule {
    code: Code::L6,
    severity: Severity::Warning,
    title: "Clients refuse a listener's certificate: its chain is incomplete, or it is not made for servers",
    explanation: "Clients know roots. Each CA between the listener's certificate and the root must be in tls.crt, in order after the certificate: nginx presents what is there. Browsers often fetch or remember an intermediate that is missing; curl, Go and Java refuse the certificate. Where an extended key usage is given, it must include serverAuth. NGF checks none of it.",
    remedy: "Put the certificate and its intermediates into tls.crt, in this order; reissue a certificate that is not made for servers.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        let mut by_secret: BTreeMap<ObjectRef, InUse<'_>> = BTreeMap::new();
        for one in listeners(context) {
            for reference in &one.references {
                if let Reference::Used(secret, chain) = reference {
                    let new = || (*chain, Vec::new(), Vec::new());
                    let (_, marks, labels) = by_secret.entry(secret.clone()).or_insert_with(new);
                    marks.push(one.mark());
                    labels.push(one.label());
                }
            }
        }
        for (secret, (chain, marks, labels)) in by_secret {
            for fault in faults(context, &secret, chain) {
                let mut finding = fault.finding(context, &secret, &labels);
                finding.marks.extend(marks.iter().cloned());
                findings.add(finding);
            }
        }
    },
};

/// What is wrong with a chain.
enum Fault<'a> {
    /// The leaf's extended key usage leaves out serverAuth.
    NotForServers(&'a CertificateFacts),
    /// An intermediate is missing: whose issuer it is, and where it stands, if it is known.
    Missing(&'a CertificateFacts, Option<(String, &'a CertificateFacts)>),
    /// Certificates that belong to the chain, in another order.
    Order,
    /// Certificates that do not belong to it.
    Foreign(Vec<&'a CertificateFacts>),
}

/// Walks the chain from the leaf.
fn faults<'a>(
    context: &Context<'a>,
    secret: &ObjectRef,
    chain: &'a [CertificateFacts],
) -> Vec<Fault<'a>> {
    let Some(leaf) = chain.first() else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    if !may(leaf, "serverAuth") {
        faults.push(Fault::NotForServers(leaf));
    }
    let is_root = |facts: &CertificateFacts| facts.subject == facts.issuer;
    let (mut walked, mut current) = (vec![0], leaf);
    while !is_root(current) {
        let next = (1..chain.len()).find(|index| {
            !walked.contains(index)
                && chain[*index].subject == current.issuer
                && trust::signed(current, &chain[*index])
        });
        let Some(next) = next else {
            break;
        };
        walked.push(next);
        current = &chain[next];
    }
    if !is_root(current)
        && let Some(missing) = missing(context, secret, current, leaf)
    {
        faults.push(missing);
    }
    let subjects: BTreeSet<&str> = walked.iter().map(|at| &*chain[*at].subject).collect();
    // One that is signed twice (cross-signed) may stand there twice.
    let foreign: Vec<&CertificateFacts> = chain
        .iter()
        .filter(|facts| !subjects.contains(&*facts.subject))
        .collect();
    if !foreign.is_empty() {
        faults.push(Fault::Foreign(foreign));
    } else if walked.windows(2).any(|pair| pair[1] < pair[0]) {
        faults.push(Fault::Order);
    }
    faults
}

/// What is missing behind the last certificate, unless it is the root, or that is unknown.
fn missing<'a>(
    context: &Context<'a>,
    secret: &ObjectRef,
    last: &'a CertificateFacts,
    leaf: &CertificateFacts,
) -> Option<Fault<'a>> {
    let own = match known::secret(context.snapshot, secret) {
        Lookup::Found(found) => found.spec.ca.certificates(),
        _ => &[],
    };
    let signed = |ca: &&CertificateFacts| ca.subject == last.issuer && trust::signed(last, ca);
    let beside = own.iter().find(signed);
    let known = beside
        .map(|ca| (format!("{secret}[ca.crt]"), ca))
        .or_else(|| trust::issuer_in(context.cluster(&[Kind::Secret]), last));
    match known {
        Some((_, ca)) if ca.subject == ca.issuer => None,
        Some(known) => Some(Fault::Missing(last, Some(known))),
        // No public CA signs with its root (Baseline Requirements 6.1.7).
        None if last == leaf && is_logged(&leaf.der) => Some(Fault::Missing(last, None)),
        None => None,
    }
}

fn is_logged(der: &[u8]) -> bool {
    der.windows(LOGGED.len()).any(|bytes| bytes == LOGGED)
}

impl Fault<'_> {
    fn finding(&self, context: &Context<'_>, secret: &ObjectRef, labels: &[String]) -> Finding {
        let place = format!("{secret}[tls.crt]");
        let of = list(labels, 2);
        let new = |severity, title: String| Finding::new(Code::L6, severity, secret, title);
        match self {
            Self::NotForServers(leaf) => new(
                Severity::Warning,
                format!("The certificate of {of} is not made for servers"),
            )
            .evidence("extended key usage", leaf.extended_key_usage.join(", "), place)
            .breaks("clients that verify the certificate end the handshake")
            .remedy(reissue(context, secret)),
            Self::Missing(last, known) => {
                let issuer = known.as_ref().map_or(&last.issuer, |(_, ca)| &ca.subject);
                let finding = new(
                    Severity::Warning,
                    format!("The certificate of {of} comes without the intermediate {issuer}"),
                )
                .evidence("last certificate", holder(last), place)
                .breaks("clients that know the root alone cannot build the chain, and end the handshake")
                .remedy(Remedy::say(format!(
                    "Put the certificate of {issuer} into the tls.crt of {secret}, behind the others."
                )));
                match known {
                    Some((place, ca)) => finding
                        .evidence("intermediate", format!("signed by {}", ca.issuer), place)
                        .because("The CA that signed it is not a root: another CA signed it in turn."),
                    None => finding.because("It is from a public CA, and those sign with intermediates only."),
                }
            }
            Self::Order => new(
                Severity::Info,
                format!("The chain of {of} is not in order"),
            )
            .because("Each certificate should be followed by that of its issuer (RFC 8446 §4.4.2). Most clients put up with another order.")
            .evidence("tls.crt", "certificates in another order", place)
            .remedy(Remedy::say(format!(
                "Put the certificates in the tls.crt of {secret} in order, the listener's own first."
            ))),
            Self::Foreign(foreign) => new(
                Severity::Info,
                format!("nginx presents certificates with that of {of} that do not belong to its chain"),
            )
            .evidence("certificates", list(foreign.iter().map(|facts| holder(facts)), 3), place)
            .remedy(Remedy::say(format!("Remove them from the tls.crt of {secret}."))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LOGGED, is_logged};

    #[test]
    fn a_certificate_with_proofs_of_public_logs_is_known_by_them() {
        let extension = [&[0x30, 0x0c], LOGGED].concat();
        assert!(is_logged(&extension));
        assert!(!is_logged(&extension[..extension.len() - 1]));
        assert!(!is_logged(&[]));
    }
}
