//! X6: certificates that the pods of a backend mount with the key of another certificate. No server starts with such a
//! pair.

use std::collections::BTreeSet;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        mounted::Mounted,
        ngf::{BackendState, known},
        rule::{Need, Rule},
    },
    model::{
        kind::Kind,
        kinds::{KeyState, Service, ServicePort},
        object::Object,
        snapshot::Lookup,
    },
};

pub(in crate::diagnosis) const X6: Rule = Rule {
    code: Code::X6,
    severity: Severity::Error,
    title: "The pods of a backend mount a certificate with a key that does not belong to it",
    explanation: "A server compares certificate and key when it reads them. nginx refuses its configuration (`key values mismatch`) and does not start, Go reports `tls: private key does not match public key`. A server that runs has read an earlier pair, or does not use this one; it fails at its next start, or refuses its next reload.",
    remedy: "Write a certificate and its own key into the Secret, and restart the pods.",
    causes: &[Code::N3, Code::R8, Code::T14],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for rule in &context.rules {
            for backend in &rule.decision.backends {
                let (BackendState::Tls { .. }, Some((service, port))) =
                    (&backend.state, backend.port)
                else {
                    continue;
                };
                if !seen.insert(&service.reference) {
                    continue;
                }
                for mounted in context.mounted(service).iter() {
                    let fault = fault(context, mounted);
                    if let Some((what, why)) = fault {
                        findings.add(told(context, service, port, mounted, what, &why));
                    }
                }
            }
        }
    },
};

/// What is wrong with the pair that a Secret holds, and how that is known.
fn fault(context: &Context<'_>, mounted: &Mounted) -> Option<(&'static str, String)> {
    let has_pair = mounted.has("tls.crt") && mounted.has("tls.key");
    if mounted.source.kind != Kind::Secret || !has_pair {
        return None;
    }
    let Lookup::Found(secret) = known::secret(context.snapshot, &mounted.source) else {
        return None;
    };
    match &secret.spec.key {
        KeyState::DoesNotFit(kind) => Some((
            "the key of another certificate",
            format!("{kind}, of another certificate"),
        )),
        KeyState::Broken(why) => Some(("a key that cannot be read", why.clone())),
        _ => None,
    }
}

fn told(
    context: &Context<'_>,
    service: &Object<Service>,
    port: &ServicePort,
    mounted: &Mounted,
    what: &str,
    why: &str,
) -> Finding {
    let secret = &mounted.source;
    let endpoints = context.index.endpoints(service, port);
    let runs = endpoints.iter().any(|endpoint| endpoint.ready);
    let (severity, then) = if runs {
        (
            Severity::Warning,
            "A pod is ready: it has read an earlier pair, or does not use this one. A server that uses it does not start again.",
        )
    } else {
        (
            Severity::Error,
            "A server that uses this pair does not start.",
        )
    };
    let by = &mounted.by;
    Finding::new(
        Code::X6,
        severity,
        secret,
        format!("{by} mounts {secret}, which holds {what}"),
    )
    .because(then)
    .evidence("tls.key", why, secret.to_string())
    .evidence("mountPath", &mounted.path, by.to_string())
    .scope([&service.reference, by])
    .mark_objects([&service.reference])
    .remedy(Remedy::command(
        "Write a certificate and its own key into the Secret, and restart the pods. The log of a pod shows whether its server fails on it.",
        Command::kubectl(&by.namespace)
            .words(["logs"])
            .object(by)
            .words(["--tail=20"]),
    ))
}
