//! X5: certificates that cert-manager's CSI driver requests for the pods of a backend. Never a verdict, since only a
//! probe sees what is presented.

use std::collections::BTreeSet;

use super::expected::{is_probed, told};
use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        finding::{Finding, Remedy, Severity},
        ngf::BackendState,
        rule::{Need, Rule},
        words::list,
    },
    model::{
        kind::Kind,
        kinds::{CsiCertificate, Service, ServicePort},
        object::{Object, ObjectRef},
    },
};

pub(in crate::diagnosis) const X5: Rule = Rule {
    code: Code::X5,
    severity: Severity::Warning,
    title: "The certificate that a CSI driver mounts is requested for other names than the policy checks",
    explanation: "cert-manager's CSI driver (csi.cert-manager.io) requests a certificate when a pod starts, with the names in the volume's attributes, and mounts it: no Secret and no Certificate holds it. None of these names is validation.hostname of the BackendTLSPolicy, so that nginx refuses the certificate, if that is the one which the backend presents. Only a probe shows which one it presents.",
    remedy: "Add the policy's hostname to csi.cert-manager.io/dns-names, and replace the pods.",
    causes: &[],
    needs: &[Need::Paths, Need::Pods],
    check: |context, findings| {
        let told = told(findings);
        let mut seen = BTreeSet::new();
        for rule in &context.rules {
            for backend in &rule.decision.backends {
                let (BackendState::Tls { policy, .. }, Some((service, port))) =
                    (&backend.state, backend.port)
                else {
                    continue;
                };
                let key = (&service.reference, port.port);
                if !seen.insert(key)
                    || told.contains(&service.reference)
                    || is_probed(context, service, port)
                    || mounts_another(context, service)
                {
                    continue;
                }
                let certificates = certificates(context, service, port);
                let hostname = policy.spec.hostname.as_str();
                let Some((by, first)) = certificates.first() else {
                    continue;
                };
                if certificates
                    .iter()
                    .any(|(_, one)| may_be_for(one, hostname))
                {
                    continue;
                }
                findings.add(
                    Finding::new(
                        Code::X5,
                        Severity::Warning,
                        &service.reference,
                        format!(
                            "The certificate that {by} mounts is requested for {}, and {} checks {hostname}",
                            list(names(first), 3),
                            policy.reference
                        ),
                    )
                    .unknown()
                    .because("Only a probe shows which certificate the backend presents.")
                    .evidence("volume", format!("{} (csi.cert-manager.io)", first.volume), by.to_string())
                    .evidence("issuer", &first.issuer, by.to_string())
                    .evidence("spec.validation.hostname", hostname, policy.reference.to_string())
                    .scope([&policy.reference, by])
                    .remedy(Remedy::say(format!(
                        "Add {hostname} to csi.cert-manager.io/dns-names of volume {}, and replace the pods.",
                        first.volume
                    ))),
                );
            }
        }
    },
};

/// What the driver requests for the pods behind a port, or for those that a workload will make.
fn certificates<'a>(
    context: &Context<'a>,
    service: &'a Object<Service>,
    port: &'a ServicePort,
) -> Vec<(&'a ObjectRef, &'a CsiCertificate)> {
    let endpoints = context.index.endpoints(service, port);
    let pods = endpoints.iter().filter_map(|endpoint| {
        let pod = context.snapshot.pods.get(endpoint.pod.as_ref()?)?;
        Some((&pod.reference, &pod.spec.csi_certificates))
    });
    let mut found: Vec<_> = pods.collect();
    if found.is_empty() {
        let workloads = context.snapshot.workloads.values();
        let meant = workloads.filter(|workload| {
            workload.reference.namespace == service.reference.namespace
                && service.spec.selects(&workload.spec.template.labels)
        });
        found.extend(meant.map(|one| (&one.reference, &one.spec.template.csi_certificates)));
    }
    let of =
        |(by, all): (&'a ObjectRef, &'a Vec<CsiCertificate>)| all.iter().map(move |one| (by, one));
    found.into_iter().flat_map(of).collect()
}

/// Whether the pods mount a certificate of a Secret, too.
fn mounts_another(context: &Context<'_>, service: &Object<Service>) -> bool {
    let mounted = context.mounted(service);
    mounted
        .iter()
        .any(|mounted| mounted.source.kind == Kind::Secret)
}

fn names(certificate: &CsiCertificate) -> Vec<&str> {
    let names = certificate.dns_names.iter().map(String::as_str);
    let names: Vec<&str> = names.collect();
    match &certificate.common_name {
        // nginx looks at the common name only where there is no name beside it.
        Some(common) if names.is_empty() => vec![common],
        None if names.is_empty() => vec!["no name"],
        _ => names,
    }
}

/// Whether a certificate may be for a name. What holds a variable (`${POD_NAME}`) is known when the pod starts.
fn may_be_for(certificate: &CsiCertificate, hostname: &str) -> bool {
    names(certificate).iter().any(|name| {
        let covers = match name.strip_prefix("*.") {
            Some(rest) => hostname
                .split_once('.')
                .is_some_and(|(_, of)| of.eq_ignore_ascii_case(rest)),
            None => name.eq_ignore_ascii_case(hostname),
        };
        covers || name.contains("${")
    })
}
