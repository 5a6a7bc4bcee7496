//! X2: what a backend would say of the client certificate, if it verifies by what its pods mount. Never a
//! verdict, since only a probe sees what is asked for.

use std::collections::{BTreeSet, HashSet};

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity, Verdict},
        mounted::Mounted,
        ngf::{BackendState, ClientCertificate},
        rule::{Need, Rule},
        rules::handshake::too_deep,
        trust, words,
    },
    model::{
        kind::Kind,
        kinds::{Service, ServicePort},
        object::{Object, ObjectRef},
    },
};

/// The objects of connections of which nginx itself, or the backend, has said in a log what comes of the
/// handshake, or a probe has shown it.
pub(super) fn told(findings: &Findings) -> HashSet<ObjectRef> {
    findings
        .iter()
        .filter(|finding| {
            // `no live upstreams` tells nothing of the cause.
            finding.code.is_of_handshake()
                && finding.code != Code::T15
                && finding.verdict == Verdict::Fail
                && finding.severity == Severity::Error
        })
        .flat_map(Finding::objects)
        .cloned()
        .collect()
}

pub(in crate::diagnosis) const X2: Rule = Rule {
    code: Code::X2,
    severity: Severity::Info,
    title: "The CA that the backend's pods mount did not sign the Gateway's client certificate",
    explanation: "The pods behind the Service mount one ca.crt, and the client certificate that the Gateway presents does not verify with it. If the backend verifies clients, and by that file, it refuses the gateway: an nginx backend answers 400 `The SSL certificate error`. Only a probe shows whether it does.",
    remedy: "Probe the backend.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates, Need::Pods],
    check: |context, findings| {
        let told = told(findings);
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
                if is_probed(context, service, port) || told.contains(&service.reference) {
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
                        || findings.has(Code::G9, gateway)
                    {
                        continue;
                    }
                    let Some((mounted, trusted, complaint)) = refused_by(context, service, secret)
                    else {
                        continue;
                    };
                    let mut finding = Finding::new(
                        Code::X2,
                        Severity::Info,
                        &service.reference,
                        format!(
                            "If {}:{} verifies clients by the ca.crt that its pods mount, it refuses {gateway}: {complaint}",
                            service.reference, port.port
                        ),
                    )
                    .unknown()
                    .because(format!(
                        "{} is the only one that {} mounts, at {}; only a probe shows whether the backend verifies clients, and by which CA.",
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
    let depth = crate::diagnosis::mounted::client_depth(context, service);
    let now = context.now.for_validity(presented.iter().chain(trusted));
    let judge = |depth| trust::judge_client_to(presented, trusted, depth, now).ok();
    let judgement = judge(depth)?;
    let trusts = words::list(trusted.iter().map(words::holder), 3);
    if judgement.code != 0 && judge(100).is_some_and(|deeper| deeper.code == 0) {
        return Some((
            mounted.clone(),
            trusts,
            too_deep(trust::intermediates(presented), depth),
        ));
    }
    // Another CA, not a date or a root that is missing: of those other rules tell.
    let is_of_another =
        OF_ANOTHER_CA.contains(&judgement.code) && trusted.iter().any(|ca| ca.is_ca == Some(true));
    let complaint = trust::complaint(&judgement, "").filter(|_| is_of_another)?;
    Some((mounted.clone(), trusts, complaint))
}

pub(super) fn is_probed(
    context: &Context<'_>,
    service: &Object<Service>,
    port: &ServicePort,
) -> bool {
    context.probes.iter().any(|probed| {
        probed.plan.service == service.reference
            && probed.plan.port == port.port
            && probed.result.is_ok()
    })
}
