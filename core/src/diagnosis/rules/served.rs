//! What a probe saw beside what the objects hold: P11 and B13.

use std::collections::BTreeSet;

use crate::{
    command::Command,
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Mark, Remedy, Severity},
        plan::{ProbePlan, TrustSource},
        rule::{Need, Rule},
        rules::{change, policy::bundle::create_and_trust},
        trust, words,
    },
    model::kind::Kind,
};

pub(in crate::diagnosis) const P11: Rule = Rule {
    code: Code::P11,
    severity: Severity::Error,
    title: "The policy trusts the system's CAs, and the backend's certificate is from a private one",
    explanation: "wellKnownCACertificates: System stands for /etc/ssl/cert.pem in the data plane's image, which holds public CAs only. NGF sets no ResolvedRefs condition for it at all.",
    remedy: "Name the private CA in caCertificateRefs instead.",
    causes: &[Code::T1, Code::T4],
    needs: &[
        Need::Paths,
        Need::Certificates,
        Need::NginxProxies,
        Need::Handshake,
    ],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for probed in &context.probes {
            let (Ok(transcript), Some(tls)) = (&probed.result, &probed.plan.tls) else {
                continue;
            };
            let unknown_ca = matches!(transcript.nginx.verify_code, Some(18..=21));
            if tls.trust != TrustSource::System || !unknown_ca || !seen.insert(&tls.policy) {
                continue;
            }
            let issuer = transcript
                .server_chain
                .last()
                .map_or_else(String::new, |last| last.issuer.clone());
            findings.add(
                Finding::new(
                    Code::P11,
                    Severity::Error,
                    &tls.policy,
                    format!(
                        "{} trusts public CAs only, and {} presents a certificate from {issuer}",
                        tls.policy, probed.plan.service
                    ),
                )
                .evidence(
                    "spec.validation.wellKnownCACertificates",
                    "System",
                    tls.policy.to_string(),
                )
                .scope([&probed.plan.service])
                .remedy(
                    change::ca_that_signed(context, &probed.plan, transcript).unwrap_or_else(
                        || create_and_trust(context, &tls.policy, "the private CA"),
                    ),
                ),
            );
        }
    },
};

pub(in crate::diagnosis) const B13: Rule = Rule {
    code: Code::B13,
    severity: Severity::Warning,
    title: "The backend presents an older certificate than the one its pods mount",
    explanation: "The Secret was renewed, and the server still presents what it loaded before: it reads the files only at start or on reload, or the Secret is mounted by subPath, which is never updated.",
    remedy: "Reload or restart the backend; do not mount by subPath.",
    causes: &[Code::T1, Code::T5],
    needs: &[Need::Paths, Need::Certificates, Need::Pods, Need::Handshake],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for probed in &context.probes {
            let Ok(transcript) = &probed.result else {
                continue;
            };
            let plan = &probed.plan;
            let (Some(leaf), Some(service)) = (
                transcript.server_chain.first(),
                context.index.service(&plan.service),
            ) else {
                continue;
            };
            let mounted = context.mounted(service);
            // Pods of several workloads may be behind one Service, and each mounts its own.
            let pod = plan.endpoint.pod.as_ref();
            let pod = pod.and_then(|pod| context.snapshot.pods.get(pod));
            let newer = mounted
                .iter()
                .filter(|mounted| mounted.source.kind == Kind::Secret)
                .filter(|mounted| {
                    pod.is_none_or(|pod| {
                        let mut volumes = pod.spec.volumes.iter();
                        volumes.any(|volume| volume.source == mounted.source)
                    })
                })
                .find_map(|mounted| {
                    let held =
                        trust::certificates(context.snapshot, &mounted.source, "tls.crt").ok()?;
                    let held = held.first()?;
                    let renewed = held.subject == leaf.subject
                        && held.dns_names == leaf.dns_names
                        && held.fingerprint_sha256 != leaf.fingerprint_sha256
                        && held.not_before > leaf.not_before;
                    renewed.then_some((mounted, held))
                });
            let Some((mounted, held)) = newer else {
                continue;
            };
            if !seen.insert((&plan.service, &plan.endpoint)) {
                continue;
            }
            let why = if mounted.sub_path {
                "It is mounted by subPath, which is never updated."
            } else {
                "Many servers read their certificate only at start or on reload."
            };
            let mut finding = Finding::new(
                Code::B13,
                Severity::Warning,
                &plan.service,
                format!(
                    "{} at {} presents an older certificate than {} holds",
                    plan.service, plan.endpoint.address, mounted.source
                ),
            )
            .because(why)
            .evidence(
                "presented",
                format!(
                    "serial {}, since {}",
                    leaf.serial,
                    words::moment(leaf.not_before)
                ),
                format!("probe of {}", plan.endpoint.address),
            )
            .evidence(
                "mounted",
                format!(
                    "serial {}, since {}",
                    held.serial,
                    words::moment(held.not_before)
                ),
                format!("{}[tls.crt]", mounted.source),
            )
            .scope([&mounted.source]);
            finding = match behind(context, findings, plan) {
                Some(code) => after(finding.scope([&plan.gateway]), code),
                None => finding.remedy(restart(plan)),
            };
            finding.marks = vec![Mark::Endpoint {
                service: plan.service.clone(),
                port: plan.port,
                address: plan.endpoint.address.clone(),
                endpoint_port: plan.endpoint.port,
            }];
            findings.add(finding);
        }
    },
};

/// What shows that nginx may have an older CA than the restarted backend needs: a file on its disk, or a control
/// plane that is away.
fn behind(context: &Context<'_>, findings: &mut Findings, plan: &ProbePlan) -> Option<Code> {
    let (gateway, service) = (&plan.gateway, &plan.service);
    if findings.about(Code::D3, &[gateway, service]).is_some() {
        return Some(Code::D3);
    }
    let mut rendered = context.evidence.rendered();
    let is_compared = rendered.any(|in_pod| in_pod.gateway == *gateway && in_pod.found.is_ok());
    (!is_compared && findings.about(Code::C8, &[gateway]).is_some()).then_some(Code::C8)
}

/// The certificate that the backend would load is from the renewal that nginx may not have got.
fn after(mut finding: Finding, code: Code) -> Finding {
    finding.after = Some(code);
    finding
        .because(format!(
            "nginx may still trust the CA of before the renewal ({code}): after a restart it would refuse the new certificate."
        ))
        .remedy(Remedy::say(format!(
            "First let NGF bring nginx the files of today ({code}); then restart the backend, or let it reload."
        )))
}

fn restart(plan: &ProbePlan) -> Remedy {
    match &plan.endpoint.pod {
        Some(pod) => Remedy::command(
            "Restart the pod, or let the server reload.",
            Command::kubectl(&pod.namespace)
                .words(["delete"])
                .object(pod),
        ),
        None => Remedy::say("Restart the backend, or let it reload."),
    }
}
