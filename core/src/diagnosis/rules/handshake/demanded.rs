//! What probes say about the Gateway, and probes that could not be run.

use std::collections::{BTreeMap, BTreeSet};

use super::{connection::code_of, remedy::name_client_certificate};
use crate::{
    diagnosis::{
        code::Code,
        evidence::Probed,
        finding::{Finding, Mark, Severity},
        rule::{Need, Rule},
    },
    model::{kind::Kind, object::ObjectRef},
};

pub(in crate::diagnosis) const G8: Rule = Rule {
    code: Code::G8,
    severity: Severity::Error,
    title: "The Gateway names no client certificate, and a backend demands one",
    explanation: "Without spec.tls.backend.clientCertificateRef nginx presents none, and no condition says that a backend wants one.",
    remedy: "Set spec.tls.backend.clientCertificateRef.",
    causes: &[Code::B1, Code::B10, Code::B11],
    needs: &[Need::Paths, Need::Certificates, Need::Handshake],
    check: |context, findings| {
        let mut seen = BTreeSet::new();
        for probed in &context.probes {
            let Ok(transcript) = &probed.result else {
                continue;
            };
            let plan = &probed.plan;
            let Some((gateway, _)) = context.gateways.get(&plan.gateway) else {
                continue;
            };
            let demanded = matches!(
                code_of(context, probed),
                Some(Code::B1 | Code::B10 | Code::B11)
            ) && !transcript.client_certificate.sent;
            let names_none = gateway.spec.client_certificate_ref.is_none();
            if demanded
                && names_none
                && plan.route.kind != Kind::GRPCRoute
                && seen.insert(&plan.gateway)
            {
                findings.add(
                    Finding::new(
                        Code::G8,
                        Severity::Error,
                        &plan.gateway,
                        format!(
                            "{} names no client certificate, and {}:{} demands one",
                            plan.gateway, plan.service, plan.port
                        ),
                    )
                    .because("No condition says so: NGF does not know what a backend asks for.")
                    .evidence(
                        "spec.tls.backend.clientCertificateRef",
                        "not set",
                        plan.gateway.to_string(),
                    )
                    .scope(super::sentence::objects(plan).iter())
                    .by_probe_alone()
                    .remedy(name_client_certificate(
                        context,
                        &plan.gateway,
                        &plan.service,
                    )),
                );
            }
        }
    },
};

pub(in crate::diagnosis) const K5: Rule = Rule {
    code: Code::K5,
    severity: Severity::Warning,
    title: "A probe could not be run",
    explanation: "What the backend would do is not known: the tool could not read what it needs, or the way to the backend failed.",
    remedy: "See what the sentence asks for.",
    causes: &[],
    needs: &[],
    check: |context, findings| {
        let mut by_reason: BTreeMap<&str, Vec<&Probed>> = BTreeMap::new();
        for probed in &context.probes {
            if let Err(why) = &probed.result {
                by_reason.entry(why).or_default().push(probed);
            }
        }
        for (why, probes) in by_reason {
            let services: BTreeSet<&ObjectRef> =
                probes.iter().map(|probed| &probed.plan.service).collect();
            let Some(first) = services.first() else {
                continue;
            };
            let title = match services.len() {
                1 => format!("{first} could not be probed: {why}"),
                many => format!("{many} Services could not be probed: {why}"),
            };
            let mut finding = Finding::new(Code::K5, Severity::Warning, first, title)
                .unknown()
                .scope(services.iter().copied());
            finding.marks.clear();
            for probed in probes {
                let plan = &probed.plan;
                finding = finding.mark(Mark::Endpoint {
                    service: plan.service.clone(),
                    port: plan.port,
                    address: plan.endpoint.address.clone(),
                    endpoint_port: plan.endpoint.port,
                });
            }
            findings.add(finding);
        }
    },
};
