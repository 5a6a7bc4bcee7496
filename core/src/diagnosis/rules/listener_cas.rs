//! L10 and L11: CAs of a Gateway's clients that nginx cannot load, and those that no listener uses.

use std::collections::BTreeMap;

use crate::{
    diagnosis::{
        code::Code,
        finding::{Finding, Remedy, Severity},
        ngf::frontend::{Unloadable, frontend_bundle_file},
        rule::{Need, Rule},
        rules::listener::{Demanding, demanding, ends_tls},
        words::list,
    },
    model::object::ObjectRef,
};

pub(in crate::diagnosis) const L10: Rule = Rule {
    code: Code::L10,
    severity: Severity::Error,
    title: "nginx cannot load the CAs of a listener's clients",
    explanation: "NGF writes the ca.crt of all CAs of a listener's clients into one file, one after the other, and checks the first PEM block of each only. nginx reads the whole file: a CERTIFICATE block that it cannot read makes it refuse the whole configuration of the Gateway. So does a ca.crt without an end of line before another one: the last line of the one and the first of the other become one line (`PEM routines::bad end line`).",
    remedy: "Remove the broken block from ca.crt, or end its last line.",
    causes: &[Code::D1],
    needs: &[Need::Paths, Need::Certificates],
    check: |context, findings| {
        let mut found: BTreeMap<(&ObjectRef, ObjectRef), (Unloadable, Vec<Demanding<'_>>)> =
            BTreeMap::new();
        for one in demanding(context) {
            if let Some((object, why)) = one.demand.unloadable(context.snapshot) {
                let (_, users) = found
                    .entry((&one.gateway.reference, object))
                    .or_insert_with(|| (why, Vec::new()));
                users.push(one);
            }
        }
        for ((gateway, object), (why, users)) in found {
            let names = list(users.iter().map(|one| &one.listener.name), 3);
            let (title, because, remedy) = match &why {
                Unloadable::Block(why) => (
                    format!(
                        "nginx cannot load the ca.crt of {object}, a CA of the clients of listener {names}"
                    ),
                    format!("{}.", super::shared::upper(why)),
                    format!("Leave only complete CERTIFICATE blocks in the ca.crt of {object}."),
                ),
                Unloadable::Joined(next) => (
                    format!(
                        "nginx cannot load the CAs of the clients of listener {names}: the ca.crt of {object} does not end its last line"
                    ),
                    format!(
                        "NGF appends the ca.crt of {next} in the same line, and OpenSSL does not read that (bad end line)."
                    ),
                    format!("Write an end of line at the end of the ca.crt of {object}."),
                ),
            };
            let port = users.first().map_or(0, |one| one.listener.port);
            let mut finding = Finding::new(Code::L10, Severity::Error, gateway, title)
                .because(because)
                .because("NGF checks the first PEM block of each ca.crt only.")
                .evidence("file", frontend_bundle_file(gateway, port), "in the data plane")
                .scope([&object])
                .breaks(format!(
                    "the configuration of {gateway} does not load any more: nothing that changes takes effect, for any route"
                ))
                .remedy(Remedy::say(remedy));
            if let Unloadable::Joined(next) = &why {
                finding = finding.scope([next]);
            }
            for one in &users {
                finding = finding.mark(one.mark());
            }
            findings.add(finding);
        }
    },
};

/// A Gateway whose default names CAs of clients, and that ends TLS nowhere.
fn default_alone(name: &ObjectRef) -> Finding {
    Finding::new(
        Code::L11,
        Severity::Warning,
        name,
        format!("{name} names CAs of clients, and none of its listeners verifies clients"),
    )
    .because(
        "NGF verifies clients at HTTPS listeners alone, those of ListenerSets too. It has none.",
    )
    .evidence("default", "names CAs", format!("{name} spec.tls.frontend"))
    .remedy(Remedy::say(
        "Add an HTTPS listener, or remove spec.tls.frontend.",
    ))
}

pub(in crate::diagnosis) const L11: Rule = Rule {
    code: Code::L11,
    severity: Severity::Warning,
    title: "The Gateway names CAs of clients for a port on which no listener verifies clients",
    explanation: "spec.tls.frontend.perPort names a port. NGF uses its validation for HTTPS listeners of that port, those of ListenerSets too, which end TLS. Where there is none the entry has no effect, and listeners of other ports take the default, which may demand no certificate at all. A default has no effect either where the Gateway has no such listener.",
    remedy: "Name the port of an HTTPS listener, or remove the entry.",
    causes: &[],
    needs: &[Need::Paths],
    check: |context, findings| {
        if !context.running.release.validates_clients() {
            return;
        }
        for (name, (gateway, _)) in &context.gateways {
            let listeners = context.listeners(name);
            let https: Vec<u16> = listeners
                .iter()
                .filter(|(_, listener)| ends_tls(listener))
                .map(|(_, listener)| listener.port)
                .collect();
            let unused: Vec<u16> = gateway
                .spec
                .frontend
                .iter()
                .filter(|one| !one.ca_refs.is_empty())
                .filter_map(|one| one.port)
                .filter(|port| !https.contains(port))
                .collect();
            let has_default = gateway
                .spec
                .frontend
                .iter()
                .any(|one| one.port.is_none() && !one.ca_refs.is_empty());
            if unused.is_empty() {
                if has_default && https.is_empty() {
                    findings.add(default_alone(name));
                }
                continue;
            }
            let ports = list(&unused, 3);
            let finding = Finding::new(
                Code::L11,
                Severity::Warning,
                name,
                format!(
                    "{name} names CAs of clients for port {ports}, where no HTTPS listener ends TLS"
                ),
            )
            .evidence("perPort", &ports, format!("{name} spec.tls.frontend"))
            .remedy(Remedy::say(match https.as_slice() {
                [] => "Remove the entry, or add an HTTPS listener for the port.".to_owned(),
                ports => format!(
                    "Name the port of an HTTPS listener ({}), or remove the entry.",
                    list(ports, 3)
                ),
            }));
            findings.add(match https.as_slice() {
                [] => finding,
                ports if has_default => finding.because(format!(
                    "The HTTPS listeners of port {} take the default of spec.tls.frontend.",
                    list(ports, 3)
                )),
                ports => finding.because(format!(
                    "The HTTPS listeners of port {} demand no certificate of their clients: there is no default.",
                    list(ports, 3)
                )),
            });
        }
    },
};
