//! Two policies that no certificate passes, whatever a pod presents: NGF-P20, public CAs for a name of the cluster, and a
//! hostname that is an address.

use crate::{
    diagnosis::{
        code::Code,
        context::Context,
        engine::Findings,
        finding::{Finding, Remedy, Severity},
        plan::TrustSource,
        rule::{Need, Rule},
        rules::policy::bundle::create_and_trust,
    },
    model::object::ObjectRef,
};

use super::candidate::candidates;

use super::{Unproved, is_internal, judge, unproved};

pub(in crate::diagnosis) const P20: Rule = Rule {
    code: Code::P20,
    severity: Severity::Warning,
    title: "The policy trusts public CAs for a name that no public CA signs",
    explanation: "wellKnownCACertificates: System stands for the public CAs in the data plane's image. Public CAs sign names of the public DNS only; a certificate for a cluster's own name (.svc, .local, one label) is from a private CA, and nginx refuses it (verify code 18 to 21). Clients get 502.",
    remedy: "Name the private CA in caCertificateRefs instead.",
    causes: &[],
    needs: &[Need::Paths, Need::Certificates, Need::NginxProxies],
    check: |context, findings| {
        for Unproved {
            backend,
            policy,
            source,
            service,
            ..
        } in unproved(context, findings)
        {
            let name = &policy.reference;
            let hostname = &policy.spec.hostname;
            let is_address = hostname.parse::<std::net::IpAddr>().is_ok();
            if source != TrustSource::System
                || is_address
                || !is_internal(hostname)
                || findings.has(Code::X1, &service.reference)
                || is_tried(findings, &service.reference)
                || findings.has(Code::P20, name)
            {
                continue;
            }
            let mut finding = Finding::new(
                Code::P20,
                Severity::Warning,
                name,
                format!("{name} trusts public CAs only, and none of them signs a certificate for {hostname}"),
            )
            .unknown()
            .because("The data plane's image may hold other CAs; only a probe shows what nginx accepts.")
            .evidence("hostname", hostname, name.to_string())
            .evidence("trusted", "the system's CAs", name.to_string())
            .scope([&service.reference])
            .remedy(create_and_trust(
                context,
                name,
                "the CA that signs the backend's certificate",
            ));
            finding.marks.extend(backend.mark());
            findings.add(finding);
        }
    },
};

/// Whether anything is known of connections to the Service: where some endpoints fail, others pass.
fn is_tried(findings: &Findings, service: &ObjectRef) -> bool {
    findings.iter().any(|finding| {
        finding.code.is_of_handshake() && finding.objects().any(|object| object == service)
    })
}

/// T9 where nothing was probed: a hostname that is an address.
pub(in crate::diagnosis::rules) fn address_as_hostname(
    context: &Context<'_>,
    findings: &mut Findings,
) {
    for Unproved {
        backend,
        policy,
        source,
        service,
        ..
    } in unproved(context, findings)
    {
        let name = &policy.reference;
        let hostname = &policy.spec.hostname;
        if hostname.parse::<std::net::IpAddr>().is_err() || findings.has(Code::T9, name) {
            continue;
        }
        // nginx does compare with the common name and with DNS names.
        let passes = candidates(context, service)
            .iter()
            .any(|candidate| matches!(judge(context, candidate, &policy.spec, &source), Ok(None)));
        if passes {
            continue;
        }
        let mut finding = Finding::new(
            Code::T9,
            Severity::Warning,
            name,
            format!("The hostname of {name}, {hostname}, is an IP address, which nginx finds in no certificate's IP SAN"),
        )
        .unknown()
        .because("nginx compares the hostname with DNS names and the common name alone. Clients get 502, unless the address is one of those.")
        .evidence("hostname", hostname, name.to_string())
        .scope([&service.reference])
        .remedy(Remedy::yaml(
            "Name a DNS name that the certificate carries.",
            "spec:\n  validation:\n    hostname: NAME.IN.THE.CERTIFICATE\n",
        ));
        finding.marks.extend(backend.mark());
        findings.add(finding);
    }
}
