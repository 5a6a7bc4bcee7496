//! Repairs by what pods mount and what probes showed: one answer only, or none.

use std::collections::BTreeSet;

use ngf_tls::transcript::Transcript;
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
        let mut pods = snapshot.pods.values();
        pods.any(|pod| pod.spec.volumes.iter().any(|one| one.source == *secret))
    };
    let fits = |secret: &ObjectRef| {
        let Some(Lookup::Found(found)) = snapshot.secrets.get(secret) else {
            return false;
        };
        let chain = found.spec.certificate.certificates();
        let is_for_clients = chain.first().is_some_and(|leaf| {
            let mut usages = leaf.extended_key_usage.iter();
            usages.any(|usage| usage == "clientAuth") && leaf.is_ca != Some(true)
        });
        found.spec.secret_type == "kubernetes.io/tls"
            && matches!(found.spec.key, KeyState::Fits(_))
            && is_for_clients
            && trust::judge_client(chain, trusted, context.now).is_ok_and(|judged| judged.code == 0)
    };
    let mut fitting = snapshot
        .secrets
        .keys()
        .filter(|secret| secret.namespace == gateway.namespace && secret.kind == Kind::Secret)
        .filter(|secret| !is_mounted(secret) && fits(secret));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Some(only.name.clone()),
        _ => None,
    }
}
