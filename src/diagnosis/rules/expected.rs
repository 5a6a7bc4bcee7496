//! What would happen if a backend presents what its pods mount: never a verdict, since only a probe
//! sees what is presented, but the cause of many a night before anybody probes.

use std::collections::BTreeSet;

use ngf_probes::certificate::CertificateFacts;

use crate::{
    diagnosis::{
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity, Verdict},
        mounted::Mounted,
        ngf::{BackendState, ClientCertificate},
        plan::TrustSource,
        registry::Rule,
        rules::cert_manager::issuer_name,
        trust, words,
    },
    model::{
        kind::Kind,
        kinds::{Service, ServicePort},
        object::{Object, ObjectRef},
    },
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

/// What nginx would say.
struct Foreseen {
    complaint: String,
    /// The certificate is for the policy's hostname.
    name_matches: bool,
    /// Who is trusted.
    trusted: String,
}

/// Of a chain, by the CAs of a bundle.
fn by_bundle(
    context: &Context<'_>,
    presented: &[CertificateFacts],
    trust: &TrustSource,
    hostname: &str,
) -> Option<Foreseen> {
    let trusted = trust::trusted(context.snapshot, trust).ok()?;
    let depth = context.running.release.verify_depth();
    let judgement = trust::judge_backend(presented, trusted, hostname, depth, context.now).ok()?;
    Some(Foreseen {
        complaint: trust::complaint(&judgement, hostname)?,
        name_matches: judgement.name_matches == Some(true),
        trusted: words::list(trusted.iter().map(words::holder), 3),
    })
}

/// Of a certificate that an issuer of this cluster signed with its own CA, by the system's CAs, which
/// hold public ones only.
fn by_system(
    context: &Context<'_>,
    secret: &ObjectRef,
    leaf: &CertificateFacts,
) -> Option<Foreseen> {
    let certificate = context.writer(secret)?;
    let certificate = context.snapshot.certificates.get(certificate)?;
    let issuer = context.snapshot.issuers.get(&issuer_name(certificate)?)?;
    matches!(issuer.spec.issuer_type.as_str(), "ca" | "selfSigned").then(|| Foreseen {
        complaint: format!(
            "its CA, {}, is one of this cluster, of {}, and the policy trusts public CAs only",
            leaf.issuer, issuer.reference
        ),
        name_matches: false,
        trusted: "the system's CAs".to_owned(),
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
                if is_probed(context, service, port)
                    || said(findings, &service.reference)
                    || !seen.insert(key)
                {
                    continue;
                }
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
                let Some(leaf) = presented.first() else {
                    continue;
                };
                let foreseen = match trust {
                    TrustSource::System => by_system(context, &mounted.source, leaf),
                    TrustSource::Object { .. } => by_bundle(context, presented, trust, hostname),
                };
                let Some(Foreseen {
                    complaint,
                    name_matches,
                    trusted,
                }) = foreseen
                else {
                    continue;
                };
                let own_name = leaf
                    .dns_names
                    .iter()
                    .any(|name| name.split('.').next() == Some(service.reference.name.as_str()));
                // nginx never looks at addresses (NGF-T9), and whoever wrote the policy did.
                let is_named = |names: &[String]| names.contains(hostname);
                if !name_matches
                    && !own_name
                    && !is_named(&leaf.ip_addresses)
                    && !is_named(&leaf.dns_names)
                {
                    continue;
                }
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
                    .evidence("certificate", format!("{}, issued by {}", words::holder(leaf), leaf.issuer), &place)
                    .evidence("valid", super::expiry::validity(leaf), &place)
                    .evidence("trusted", trusted, trust.to_string())
                    .scope([&policy.reference, &mounted.source])
                    .scope(context.writer(&mounted.source))
                    .scope(trusted_object)
                    .remedy(Remedy::say("Probe the backend: it shows what is presented.")),
                );
            }
        }
    },
};

pub(in crate::diagnosis) const X2: Rule = Rule {
    code: "NGF-X2",
    severity: Severity::Info,
    title: "The CA that the backend's pods mount did not sign the Gateway's client certificate",
    explanation: "The pods behind the Service mount one ca.crt, and the client certificate that the Gateway presents does not verify with it. If the backend verifies clients, and by that file, it refuses the gateway: an nginx backend answers 400 `The SSL certificate error`. Whether it does only a probe can say.",
    remedy: "Probe the backend.",
    causes: &[],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for rule in &context.rules {
            // nginx presents none to the backends of others (NGF-R9).
            if rule.route.reference.kind != Kind::HTTPRoute {
                continue;
            }
            for backend in &rule.decision.backends {
                let (BackendState::Tls { policy, .. }, Some((service, port))) =
                    (&backend.state, backend.port)
                else {
                    continue;
                };
                if is_probed(context, service, port) || said(findings, &service.reference) {
                    continue;
                }
                let clients = rule.gateways.iter().filter_map(|gateway| {
                    match context.gateways.get(*gateway)? {
                        (_, ClientCertificate::Presented(secret)) => Some((*gateway, secret)),
                        _ => None,
                    }
                });
                for (gateway, secret) in clients {
                    if !seen.insert((&service.reference, port.port, secret))
                        || findings.has("NGF-G9", gateway)
                    {
                        continue;
                    }
                    let Some((mounted, trusted, complaint)) = refused_by(context, service, secret)
                    else {
                        continue;
                    };
                    let mut finding = Finding::new(
                        "NGF-X2",
                        Severity::Info,
                        &service.reference,
                        format!(
                            "If {}:{} verifies clients by the ca.crt that its pods mount, it refuses {gateway}: {complaint}",
                            service.reference, port.port
                        ),
                    )
                    .unknown()
                    .because(format!(
                        "{} is the only one that {} mounts, at {}; whether the backend verifies clients, and by which CA, only a probe can say.",
                        mounted.source, mounted.by, mounted.path
                    ))
                    .evidence("mounted CA", trusted, format!("{}[ca.crt]", mounted.source))
                    .scope([&policy.reference, &mounted.source, secret, gateway])
                    .scope(context.writer(&mounted.source))
                    .scope(context.writer(secret))
                    .remedy(Remedy::say(
                        "Probe the backend: it shows whether a client certificate is asked for, and of which CA.",
                    ));
                    if let Ok([leaf, ..]) = trust::certificates(context.snapshot, secret, "tls.crt")
                    {
                        finding = finding.evidence(
                            "client certificate",
                            format!("{}, issued by {}", words::holder(leaf), leaf.issuer),
                            format!("{secret}[tls.crt]"),
                        );
                    }
                    findings.add(finding);
                }
            }
        }
    },
};

/// OpenSSL's verify codes where no chain leads to a CA that is trusted: self-signed (18, 19), no issuer
/// (20, 21).
const OF_ANOTHER_CA: std::ops::RangeInclusive<i32> = 18..=21;

/// What a backend that verifies by the one `ca.crt` that its pods mount would say of a client
/// certificate, where it would refuse it: the mount, whom it trusts, and the words.
fn refused_by(
    context: &Context<'_>,
    service: &Object<Service>,
    secret: &ObjectRef,
) -> Option<(Mounted, String, String)> {
    let presented = trust::certificates(context.snapshot, secret, "tls.crt").ok()?;
    let mounted = context.mounted(service);
    let mut bundles = mounted.iter().filter_map(|mounted| {
        let trusted = trust::certificates(context.snapshot, &mounted.source, "ca.crt").ok()?;
        (!trusted.is_empty()).then_some((mounted, trusted))
    });
    let (Some((mounted, trusted)), None) = (bundles.next(), bundles.next()) else {
        return None;
    };
    let judgement = trust::judge_client(presented, trusted, context.now).ok()?;
    // Another CA, not a date or a root that is missing: of those other rules tell.
    let is_of_another =
        OF_ANOTHER_CA.contains(&judgement.code) && trusted.iter().any(|ca| ca.is_ca == Some(true));
    let complaint = trust::complaint(&judgement, "").filter(|_| is_of_another)?;
    let trusted = words::list(trusted.iter().map(words::holder), 3);
    Some((mounted.clone(), trusted, complaint))
}

fn is_probed(context: &Context<'_>, service: &Object<Service>, port: &ServicePort) -> bool {
    context.probes.iter().any(|probed| {
        probed.plan.service == service.reference
            && probed.plan.port == port.port
            && probed.result.is_ok()
    })
}
