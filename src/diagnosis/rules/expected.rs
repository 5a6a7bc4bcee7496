//! What would happen if a backend presents what its pods mount: never a verdict, since only a probe
//! sees what is presented, but the cause of many a night before anybody probes.

use std::collections::BTreeSet;

use crate::{
    diagnosis::{
        engine::Findings,
        finding::{Finding, Remedy, Severity, Verdict},
        ngf::BackendState,
        plan::TrustSource,
        registry::Rule,
        trust, words,
    },
    model::{kind::Kind, object::ObjectRef},
};

/// Whether nginx itself, or the backend, has said in a log what comes of the handshake.
fn said(findings: &Findings, service: &ObjectRef) -> bool {
    let of_handshake = |code: &str| code.starts_with("NGF-T") || code.starts_with("NGF-B");
    findings.iter().any(|finding| {
        of_handshake(finding.code)
            && finding.verdict == Verdict::Fail
            && finding.severity == Severity::Error
            && finding.objects().any(|object| object == service)
    })
}

pub(in crate::diagnosis) const X1: Rule = Rule {
    code: "NGF-X1",
    severity: Severity::Warning,
    title: "nginx would refuse the certificate that the backend's pods mount",
    explanation: "The pods behind the Service mount one Secret with a certificate, made for the policy's hostname or the Service's name, and nginx would not accept it with the policy's CA. Whether the backend presents that one only a probe can say.",
    remedy: "Probe the backend.",
    causes: &[],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for rule in &context.rules {
            for backend in &rule.decision.backends {
                let BackendState::Tls { policy, trust, .. } = &backend.state else {
                    continue;
                };
                let Some((service, port)) = backend.port else {
                    continue;
                };
                let key = (&service.reference, port.port, &policy.reference);
                let probed = context.probes.iter().any(|probed| {
                    probed.plan.service == service.reference
                        && probed.plan.port == port.port
                        && probed.result.is_ok()
                });
                if probed || said(findings, &service.reference) || !seen.insert(key) {
                    continue;
                }
                let Ok(trusted) = trust::trusted(context.snapshot, trust) else {
                    continue;
                };
                let mounted = context.mounted(service);
                let mut secrets: Vec<_> = mounted
                    .iter()
                    .filter(|mounted| mounted.source.kind == Kind::Secret)
                    .filter_map(|mounted| {
                        let presented =
                            trust::certificates(context.snapshot, &mounted.source, "tls.crt")
                                .ok()?;
                        Some((mounted, presented))
                    })
                    .collect();
                let (Some((mounted, presented)), true) = (secrets.pop(), secrets.is_empty()) else {
                    continue;
                };
                let hostname = &policy.spec.hostname;
                let Ok(judgement) = trust::judge_backend(
                    presented,
                    trusted,
                    hostname,
                    context.running.release.verify_depth(),
                    context.now,
                ) else {
                    continue;
                };
                let Some(leaf) = presented.first() else {
                    continue;
                };
                let own_name = leaf
                    .dns_names
                    .iter()
                    .any(|name| name.split('.').next() == Some(service.reference.name.as_str()));
                let is_meant = judgement.name_matches == Some(true) || own_name;
                let Some(complaint) = trust::complaint(&judgement, hostname).filter(|_| is_meant)
                else {
                    continue;
                };
                let place = format!("{}[tls.crt]", mounted.source);
                let trusted_object = match trust {
                    TrustSource::Object { object, .. } => Some(object),
                    TrustSource::System => None,
                };
                findings.add(
                    Finding::new(
                        "NGF-X1",
                        Severity::Warning,
                        &service.reference,
                        format!(
                            "nginx would refuse {}, if {}:{} presents it: {complaint}",
                            mounted.source, service.reference, port.port
                        ),
                    )
                    .unknown()
                    .because(format!(
                        "It is the only certificate that {} mounts, at {}; whether it is presented only a probe can say.",
                        mounted.by, mounted.path
                    ))
                    .evidence("certificate", format!("{}, issued by {}", leaf.subject, leaf.issuer), &place)
                    .evidence("valid", super::expiry::validity(leaf), &place)
                    .evidence("trusted", words::list(trusted.iter().map(|ca| &ca.subject), 3), trust.to_string())
                    .scope([&policy.reference, &mounted.source])
                    .scope(trusted_object)
                    .remedy(Remedy::say("Probe the backend: it shows what is presented.")),
                );
            }
        }
    },
};
