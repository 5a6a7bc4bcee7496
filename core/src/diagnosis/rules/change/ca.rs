//! A policy's CA, found among what is there: by what verifies, never by a name.

use ngf_tls::{certificate::CertificateFacts, transcript::Transcript};
use serde_json::{Value, json};

use super::{policy_manifest, usable_name};
use crate::{
    diagnosis::{
        context::Context,
        finding::Remedy,
        mounted,
        plan::{ProbePlan, TrustSource},
        trust,
    },
    model::{
        kind::Kind,
        kinds::{BackendTLSPolicy, KeyState, PemFacts, Service},
        object::{Object, ObjectRef},
        snapshot::Lookup,
    },
};

/// A BackendTLSPolicy where no cert-manager Certificate says which: the pods mount one TLS Secret, and its
/// own `ca.crt` or a ConfigMap beside it verifies its certificate, as nginx would, by a name in it.
pub(super) fn policy_by_facts(context: &Context<'_>, service: &Object<Service>) -> Option<Remedy> {
    let mounted = mounted::with_certificates(context.snapshot, service, "tls.crt");
    let [(mounted, presented)] = mounted.as_slice() else {
        return None;
    };
    let name = usable_name(&presented.first()?.dns_names)?;
    let service = &service.reference;
    let depth = context.running.release.verify_depth();
    let ca = cas(context, service)
        .into_iter()
        .find(|(_, ca)| verifies(context, presented, ca, name, depth))
        .map(|(ca, _)| ca)?;
    Some(Remedy::create(
        format!(
            "Create a BackendTLSPolicy for {service}: its pods mount {}, whose certificate is for {name} and verifies by the ca.crt in {ca}.",
            mounted.source
        ),
        policy_manifest(service, &reference_to(&ca), name),
    ))
}

/// What NGF would take as CA in the namespace of a Service, with its certificates: what the Service's pods
/// mount first, then ConfigMaps, then Secrets.
fn cas<'a>(
    context: &'a Context<'_>,
    service: &ObjectRef,
) -> Vec<(ObjectRef, &'a [CertificateFacts])> {
    let whole = |facts: &'a PemFacts| match facts {
        PemFacts::Certificates {
            certificates,
            trailing: None,
            ..
        } => Some(&**certificates),
        _ => None,
    };
    let maps = context
        .snapshot
        .config_maps
        .iter()
        .filter_map(|(name, map)| {
            let Lookup::Found(map) = map else { return None };
            Some((name, whole(&map.spec.ca)?))
        });
    let secrets = context
        .snapshot
        .secrets
        .iter()
        .filter_map(|(name, secret)| {
            let Lookup::Found(secret) = secret else {
                return None;
            };
            let is_pair = secret.spec.secret_type == "kubernetes.io/tls"
                && matches!(secret.spec.key, KeyState::Fits(_));
            Some((name, whole(&secret.spec.ca).filter(|_| is_pair)?))
        });
    // A Secret and a ConfigMap of one name would be one file (NGF-P10).
    let twin = |object: &ObjectRef| {
        let kind = match object.kind {
            Kind::Secret => Kind::ConfigMap,
            _ => Kind::Secret,
        };
        let twin = ObjectRef::new(kind, &object.namespace, &object.name);
        !context.policies_trusting(&twin).is_empty()
    };
    let mut all: Vec<(ObjectRef, &[CertificateFacts])> = maps
        .chain(secrets)
        .filter(|(name, _)| name.namespace == service.namespace && !twin(name))
        .map(|(name, facts)| (name.clone(), facts))
        .collect();
    let mounted: Vec<ObjectRef> = context
        .index
        .service(service)
        .map(|service| {
            context
                .mounted(service)
                .iter()
                .map(|one| one.source.clone())
                .collect()
        })
        .unwrap_or_default();
    all.sort_by_key(|(name, _)| !mounted.contains(name));
    all
}

fn verifies(
    context: &Context<'_>,
    presented: &[CertificateFacts],
    ca: &[CertificateFacts],
    name: &str,
    depth: u32,
) -> bool {
    trust::judge_backend(
        presented,
        ca,
        name,
        depth,
        context.now.for_validity(presented.iter().chain(ca)),
    )
    .is_ok_and(|judged| judged.code == 0 && judged.name_matches != Some(false))
}

fn reference_to(ca: &ObjectRef) -> Value {
    json!({"group": "", "kind": ca.kind.name(), "name": ca.name})
}

/// A policy's CA, set to an object of its namespace.
fn trusting(
    context: &Context<'_>,
    summary: impl Into<String>,
    policy: &ObjectRef,
    ca: &ObjectRef,
) -> Remedy {
    let mut validation = json!({"caCertificateRefs": [reference_to(ca)]});
    let policy_now = context.policies.get(policy);
    let well_known =
        policy_now.and_then(|(policy, _)| policy.spec.well_known_ca_certificates.as_ref());
    if well_known.is_some() {
        validation["wellKnownCACertificates"] = Value::Null;
    }
    Remedy::merge(summary, policy, json!({"spec": {"validation": validation}}))
}

/// Whether the CA that the policy names verifies the chain that a probe saw. Where nginx refused it all the
/// same, the probe went by the older CA on nginx's disk.
pub(in crate::diagnosis::rules) fn named_ca_signed(
    context: &Context<'_>,
    plan: &ProbePlan,
    transcript: &Transcript,
) -> bool {
    let Some(tls) = &plan.tls else { return false };
    let TrustSource::Object { object, key } = &tls.trust else {
        return false;
    };
    let served = &transcript.server_chain;
    trust::certificates(context.snapshot, object, key)
        .is_ok_and(|ca| verifies(context, served, ca, &tls.hostname, tls.verify_depth))
}

/// A policy's CA, set to what is in its namespace and verifies the chain that a probe saw.
pub(in crate::diagnosis::rules) fn ca_that_signed(
    context: &Context<'_>,
    plan: &ProbePlan,
    transcript: &Transcript,
) -> Option<Remedy> {
    let tls = plan.tls.as_ref()?;
    let served = &transcript.server_chain;
    let (ca, _) = cas(context, &plan.service)
        .into_iter()
        .find(|(_, ca)| verifies(context, served, ca, &tls.hostname, tls.verify_depth))?;
    Some(trusting(
        context,
        format!(
            "Name {ca} in {}: the ca.crt in it verifies what {}:{} presents.",
            tls.policy, plan.service, plan.port
        ),
        &tls.policy,
        &ca,
    ))
}

/// A policy's CA, set to an object of its namespace that NGF takes and that holds the same certificates
/// as one that it does not take.
pub(in crate::diagnosis::rules) fn same_ca(
    context: &Context<'_>,
    policy: &ObjectRef,
    refused: &ObjectRef,
) -> Option<Remedy> {
    let held = trust::certificates(context.snapshot, refused, "ca.crt").ok()?;
    let prints = |all: &[CertificateFacts]| -> Vec<String> {
        all.iter()
            .map(|one| one.fingerprint_sha256.clone())
            .collect()
    };
    // Of a policy without a Service only the namespace counts.
    let (ca, _) = cas(context, policy)
        .into_iter()
        .find(|(_, ca)| prints(ca) == prints(held))?;
    Some(trusting(
        context,
        format!("Name {ca} in {policy}: it holds the same CA, and NGF accepts it."),
        policy,
        &ca,
    ))
}

/// A policy's CA, set to an object of its namespace that verifies the only certificate that the pods of the
/// policy's only Service mount: what they mount first.
pub(in crate::diagnosis::rules) fn ca_of_mounted(
    context: &Context<'_>,
    policy: &Object<BackendTLSPolicy>,
) -> Option<Remedy> {
    let [target] = policy.spec.target_refs.as_slice() else {
        return None;
    };
    let name = &policy.reference;
    let service = ObjectRef::new(Kind::Service, &name.namespace, &target.name);
    let found = context.index.service(&service)?;
    let mounted = mounted::with_certificates(context.snapshot, found, "tls.crt");
    let [(mounted, presented)] = mounted.as_slice() else {
        return None;
    };
    let depth = context.running.release.verify_depth();
    let hostname = &policy.spec.hostname;
    let (ca, _) = cas(context, &service)
        .into_iter()
        .find(|(_, ca)| verifies(context, presented, ca, hostname, depth))?;
    Some(trusting(
        context,
        format!(
            "Name {ca} in {name}: the ca.crt in it verifies the certificate in {}, which the pods of {service} mount.",
            mounted.source
        ),
        name,
        &ca,
    ))
}
