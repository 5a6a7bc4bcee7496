//! L5: the names in a listener's certificate, and the host names that clients ask for.

use std::collections::{BTreeMap, BTreeSet};

use ngf_tls::certificate::CertificateFacts;

use super::{EndsTls, Reference, listeners};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        rule::{Need, Rule},
        rules::shared::writer,
        words::{holder, list},
    },
    model::{object::ObjectRef, placeholder, topology::NodeKind},
};

pub(in crate::diagnosis) const L5: Rule = Rule {
    code: Code::L5,
    severity: Severity::Warning,
    title: "A listener's certificate is not for a host name that clients ask for",
    explanation: "Clients send the host name of the route, and accept a certificate that has this name as subject alternative name, or a wildcard for its last label; most no longer read the common name. NGF checks none of it, and conditions stay True. Of several certificates of a listener, nginx does not choose one by the name: it presents the last of each type of key (RSA, ECDSA), and most clients get the ECDSA one.",
    remedy: "Issue a certificate with all host names of the listener and its routes, or give each host name a listener of its own.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        for one in listeners(context) {
            let Some(presented) = presented(&one) else {
                continue;
            };
            for (secret, chain) in presented {
                let leaf = chain.first();
                let finding = leaf.and_then(|leaf| other_names(context, &one, secret, leaf));
                if let Some(finding) = finding {
                    findings.add(finding);
                }
            }
        }
    },
};

/// The certificates that nginx presents: the last of each type of key (`SSL_CTX_use_certificate` replaces one of the
/// same type). `None` where one of them is not known.
fn presented<'r>(one: &'r EndsTls<'_>) -> Option<Vec<(&'r ObjectRef, &'r [CertificateFacts])>> {
    let mut by_type = BTreeMap::new();
    for reference in &one.references {
        match reference {
            Reference::Used(secret, chain) => {
                let key = chain.first()?.key.split(' ').next()?;
                by_type.insert(key, (secret, *chain));
            }
            Reference::Rejected(..) => {}
            Reference::Unknown(..) => return None,
        }
    }
    Some(by_type.into_values().collect())
}

/// The host names that clients ask a listener for, with the routes that are reached by them.
fn hosts<'a>(
    context: &Context<'a>,
    one: &EndsTls<'a>,
) -> BTreeMap<String, BTreeSet<&'a ObjectRef>> {
    let topology = context.topology;
    let mut hosts: BTreeMap<String, BTreeSet<&ObjectRef>> = BTreeMap::new();
    let places = topology.places(one.owner).into_iter();
    let below = places.flat_map(|place| topology.subtree(place));
    let listeners = below.filter(|place| {
        matches!(&topology.node(*place).what, NodeKind::Listener { name } if *name == one.listener.name)
            && topology.node(*place).object.as_ref() == Some(one.owner)
    });
    for listener in listeners {
        for child in &topology.node(listener).children {
            let node = topology.node(*child);
            if let (NodeKind::Route { hostnames }, Some(route)) = (&node.what, &node.object) {
                for host in hostnames {
                    hosts.entry(host.to_lowercase()).or_default().insert(route);
                }
            }
        }
    }
    if hosts.is_empty()
        && let Some(host) = &one.listener.hostname
    {
        hosts.insert(host.to_lowercase(), BTreeSet::new());
    }
    hosts.retain(|host, _| placeholder::of(host).is_none());
    hosts
}

/// Whether a name in a certificate is for a host name, as clients compare them (RFC 9525 §6.3). Of a wildcard host
/// name it is enough that the certificate is for one of the names that it stands for.
fn is_for(name: &str, host: &str) -> bool {
    let name = name.to_lowercase();
    if name == host {
        return true;
    }
    if let Some(parent) = host.strip_prefix('*') {
        return name.ends_with(parent);
    }
    match (name.strip_prefix("*."), host.split_once('.')) {
        (Some(parent), Some((_, rest))) => parent == rest,
        _ => false,
    }
}

fn other_names<'a>(
    context: &Context<'a>,
    one: &EndsTls<'a>,
    secret: &ObjectRef,
    leaf: &CertificateFacts,
) -> Option<Finding> {
    let hosts = hosts(context, one);
    let missing: BTreeMap<&String, &BTreeSet<&ObjectRef>> = hosts
        .iter()
        .filter(|(host, _)| !leaf.dns_names.iter().any(|name| is_for(name, host)))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let place = format!("{secret}[tls.crt]");
    let names = list(missing.keys(), 3);
    let mut finding = Finding::new(
        Code::L5,
        Severity::Warning,
        one.owner,
        format!("The certificate of {} is not for {names}", one.label()),
    )
    .mark(one.mark())
    .scope([secret, one.gateway]);
    finding = if leaf.dns_names.is_empty() {
        finding
            .because("It has no DNS name among its subject alternative names, and most clients no longer read the common name.")
            .evidence("subject", holder(leaf), &place)
    } else {
        finding.evidence(
            "subject alternative names",
            list(&leaf.dns_names, 5),
            &place,
        )
    };
    let used = one
        .references
        .iter()
        .filter(|reference| matches!(reference, Reference::Used(..)));
    if used.count() > 1 {
        finding = finding.because(
            "Of several certificates nginx presents the last of each type of key, whatever name the client asks for.",
        );
    }
    let mut routes: BTreeSet<&ObjectRef> = BTreeSet::new();
    for (host, of) in missing.iter().take(3) {
        let place = if of.is_empty() {
            one.label()
        } else {
            list(of.iter(), 3)
        };
        finding = finding.evidence("host name", host.as_str(), place);
    }
    for of in missing.values() {
        routes.extend(of.iter());
    }
    let clients = if routes.is_empty() {
        "clients".to_owned()
    } else {
        format!("clients of {}", list(&routes, 3))
    };
    let remedy = match writer(context, secret) {
        Some(certificate) => format!("Add {names} to spec.dnsNames of {certificate}."),
        None => format!("Put a certificate into {secret} that is for {names}, too."),
    };
    Some(
        finding
            .breaks(format!(
                "{clients} that verify the certificate end the handshake"
            ))
            .scope(routes.iter().copied())
            .remedy(Remedy::say(remedy)),
    )
}

#[cfg(test)]
mod tests {
    use super::is_for;

    #[test]
    fn names_are_compared_as_clients_do() {
        for (name, host, expected) in [
            ("a.example.com", "a.example.com", true),
            ("A.Example.com", "a.example.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("a.example.com", "b.example.com", false),
            ("*.example.com", "*.example.com", true),
            ("a.example.com", "*.example.com", true),
            ("example.com", "*.example.com", false),
            ("badexample.com", "*.example.com", false),
            ("*", "a", false),
            ("", "a.example.com", false),
        ] {
            assert_eq!(is_for(name, host), expected, "{name} for {host}");
        }
    }
}
