//! Repairs by what pods mount and what probes showed: one answer only, or none.

use std::collections::BTreeSet;

use ngf_tls::{certificate::CertificateFacts, transcript::Transcript};
use serde_json::json;

use super::{hostname, target, usable_name};
use crate::{
    diagnosis::{
        context::Context, finding::Remedy, mounted::with_certificates, plan::ProbePlan, trust,
    },
    model::{
        index::service_port, kind::Kind, kinds::KeyState, object::ObjectRef, snapshot::Lookup,
    },
};

/// The policy's target limited to the one port of the Service that a probe showed to speak TLS.
pub(in crate::diagnosis::rules) fn tls_port(
    context: &Context<'_>,
    plan: &ProbePlan,
) -> Option<Remedy> {
    let policy = &plan.tls.as_ref()?.policy;
    let service = context.index.service(&plan.service)?;
    let of_service = context
        .probes
        .iter()
        .filter(|probed| probed.plan.service == plan.service && probed.plan.port != plan.port);
    let tls_ports: BTreeSet<u16> = of_service
        .filter(|probed| {
            let transcript = probed.result.as_ref();
            transcript.is_ok_and(|transcript| speaks_tls(transcript))
        })
        .map(|probed| probed.plan.port)
        .collect();
    let mut ports = tls_ports.into_iter();
    let (Some(port), None) = (ports.next(), ports.next()) else {
        return None;
    };
    let name = &service_port(&service.spec, port)?.name;
    let (found, _) = context.policies.get(policy)?;
    let whole = found
        .spec
        .target_refs
        .iter()
        .find(|target| target.name == plan.service.name && target.section_name.is_none())?;
    if name.is_empty() {
        return None;
    }
    let summary = format!(
        "Limit {policy} to port {name} of {}: a probe shows TLS there, and none on port {}.",
        plan.service, plan.port
    );
    let section = json!({"sectionName": name});
    target(context, summary, policy, whole, &section)
}

fn speaks_tls(transcript: &Transcript) -> bool {
    transcript.tls.is_some()
}

/// The policy's hostname, set to a name in the only certificate that the backend's pods mount.
pub(in crate::diagnosis::rules) fn name_in_mounted(
    context: &Context<'_>,
    plan: &ProbePlan,
) -> Option<Remedy> {
    let tls = plan.tls.as_ref()?;
    let service = context.index.service(&plan.service)?;
    let mounted = with_certificates(context.snapshot, service, "tls.crt");
    let [(mounted, presented)] = mounted.as_slice() else {
        return None;
    };
    let names = &presented.first()?.dns_names;
    let name = usable_name(names)?;
    if names.contains(&tls.hostname) {
        return None;
    }
    let summary = format!(
        "Set the hostname of {} to {name}, a name in the certificate in {}, which the pods of {} mount.",
        tls.policy, mounted.source, plan.service
    );
    Some(hostname(&summary, &tls.policy, name))
}

/// The Secret with the only certificate for clients that verifies by the CA that the Service's pods mount,
/// and that no pod mounts: as an nginx backend would judge it.
pub(in crate::diagnosis::rules) fn client_secret_by_ca(
    context: &Context<'_>,
    gateway: &ObjectRef,
    service: &ObjectRef,
) -> Option<String> {
    let snapshot = context.snapshot;
    let mounted = with_certificates(snapshot, context.index.service(service)?, "ca.crt");
    let [(_, trusted)] = mounted.as_slice() else {
        return None;
    };
    let is_mounted = |secret: &ObjectRef| {
        let mut pods = context.cluster(&[Kind::Pod]).pods.values();
        pods.any(|pod| pod.spec.volumes.iter().any(|one| one.source == *secret))
    };
    let verifies = |chain: &[CertificateFacts]| {
        let now = context.now.for_validity(chain.iter().chain(*trusted));
        trust::judge_client(chain, trusted, now).is_ok_and(|judged| judged.code == 0)
    };
    let fitting = pairs(context, &gateway.namespace)
        .filter(|(secret, chain)| !is_mounted(secret) && verifies(chain));
    let (named, unnamed): (Vec<_>, Vec<_>) = fitting
        .filter(|(_, chain)| may_be_for_clients(chain))
        .partition(|(_, chain)| says_clients(chain));
    // One without any usage is for everything; what a listener or a policy uses is meant for that.
    let used = context.references();
    let free: Vec<_> = unnamed
        .into_iter()
        .filter(|(secret, _)| !used.contains(*secret))
        .collect();
    match (named.as_slice(), free.as_slice()) {
        ([(only, _)], _) | ([], [(only, _)]) => Some(only.name.clone()),
        _ => None,
    }
}

/// The TLS Secrets of a namespace whose certificate says that it is for clients, by name.
pub(in crate::diagnosis::rules) fn client_secrets(
    context: &Context<'_>,
    namespace: &str,
) -> Vec<String> {
    pairs(context, namespace)
        .filter(|(_, chain)| may_be_for_clients(chain) && says_clients(chain))
        .map(|(secret, _)| secret.name.clone())
        .collect()
}

/// The Secrets of a namespace that NGF would take as a client certificate, each with its chain.
fn pairs<'a>(
    context: &'a Context<'_>,
    namespace: &'a str,
) -> impl Iterator<Item = (&'a ObjectRef, &'a [CertificateFacts])> {
    let of_namespace = context.cluster(&[Kind::Secret]).secrets.iter();
    let of_namespace = of_namespace.filter(move |(name, _)| name.namespace == namespace);
    of_namespace.filter_map(|(name, lookup)| {
        let Lookup::Found(found) = lookup else {
            return None;
        };
        let is_pair = found.spec.secret_type == "kubernetes.io/tls"
            && matches!(found.spec.key, KeyState::Fits(_));
        is_pair.then(|| (name, found.spec.certificate.certificates()))
    })
}

fn may_be_for_clients(chain: &[CertificateFacts]) -> bool {
    chain.first().is_some_and(|leaf| {
        let usages = &leaf.extended_key_usage;
        leaf.is_ca != Some(true)
            && (usages.is_empty() || usages.iter().any(|usage| usage == "clientAuth"))
    })
}

fn says_clients(chain: &[CertificateFacts]) -> bool {
    let mut usages = chain
        .iter()
        .take(1)
        .flat_map(|leaf| &leaf.extended_key_usage);
    usages.any(|usage| usage == "clientAuth")
}
