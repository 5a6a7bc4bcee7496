//! Which Secrets and ConfigMaps anything refers to: these are read, each by name, and no others.
//!
//! - certificates of listeners of Gateways and ListenerSets (`tls.certificateRefs`), in other
//!   namespaces too;
//! - client certificates of Gateways (`spec.tls.backend.clientCertificateRef`, and its place in
//!   Gateway API 1.3);
//! - CA certificates of BackendTLSPolicies (`spec.validation.caCertificateRefs`);
//! - what pods mount that stand behind a Service which a BackendTLSPolicy targets, or behind another
//!   Service of the same route: the backend's certificate and the CA that it trusts are among them;
//! - for each Secret above that a cert-manager Certificate writes: the Secret of its CA issuer, the
//!   Secret of that one's issuer, and so on.
//!
//! Left out is `kube-root-ca.crt`, which every pod mounts.

use std::collections::BTreeSet;

use super::{
    kind::Kind,
    kinds::{Listener, LocalRef, Volume},
    object::ObjectRef,
    snapshot::Snapshot,
};

/// ConfigMap with the API server's CA, which Kubernetes mounts in every pod.
const ROOT_CA: &str = "kube-root-ca.crt";

/// `--cluster-resource-namespace` of cert-manager as its Helm chart sets it: its own.
const CERT_MANAGER: &str = "cert-manager";

/// The Secrets and ConfigMaps that something in the snapshot refers to.
pub fn references(snapshot: &Snapshot) -> BTreeSet<ObjectRef> {
    let mut wanted = BTreeSet::new();
    for gateway in snapshot.gateways.values() {
        let namespace = &gateway.reference.namespace;
        listeners(&gateway.spec.listeners, namespace, &mut wanted);
        for reference in [
            &gateway.spec.client_certificate_ref,
            &gateway.spec.old_client_certificate_ref,
        ] {
            wanted.extend(
                reference
                    .iter()
                    .filter_map(|reference| target(reference, Kind::Secret, namespace)),
            );
        }
    }
    for set in snapshot.listener_sets.values() {
        listeners(&set.spec.listeners, &set.reference.namespace, &mut wanted);
    }
    for policy in snapshot.policies.values() {
        for reference in &policy.spec.ca_certificate_refs {
            // `kind` is required there; a reference without one is read as what most people mean
            wanted.extend(target(
                reference,
                Kind::ConfigMap,
                &policy.reference.namespace,
            ));
        }
    }
    for service in tls_services(snapshot) {
        for volume in mounted(snapshot, &service) {
            if volume.source.name != ROOT_CA {
                wanted.insert(volume.source.clone());
            }
        }
    }
    issuers(snapshot, &mut wanted);
    wanted
}

fn listeners(listeners: &[Listener], namespace: &str, wanted: &mut BTreeSet<ObjectRef>) {
    for reference in listeners
        .iter()
        .flat_map(|listener| &listener.certificate_refs)
    {
        wanted.extend(target(reference, Kind::Secret, namespace));
    }
}

/// What a reference means, if it is a Secret or ConfigMap of the core group.
fn target(reference: &LocalRef, default: Kind, namespace: &str) -> Option<ObjectRef> {
    if !matches!(reference.group.as_deref(), None | Some("")) || reference.name.is_empty() {
        return None;
    }
    let kind = match reference.kind.as_deref() {
        None => default,
        Some("Secret") => Kind::Secret,
        Some("ConfigMap") => Kind::ConfigMap,
        Some(_) => return None,
    };
    let namespace = reference.namespace.as_deref().unwrap_or(namespace);
    Some(ObjectRef::new(kind, namespace, reference.name.clone()))
}

/// The Services to which TLS is spoken: targets of BackendTLSPolicies, and whatever shares a route
/// with one of them.
fn tls_services(snapshot: &Snapshot) -> BTreeSet<ObjectRef> {
    let mut services = BTreeSet::new();
    for policy in snapshot.policies.values() {
        for reference in &policy.spec.target_refs {
            if reference.kind.as_deref() == Some("Service") {
                let namespace = policy.reference.namespace.as_str();
                services.insert(ObjectRef::new(
                    Kind::Service,
                    namespace,
                    reference.name.as_str(),
                ));
            }
        }
    }
    if services.is_empty() {
        return services;
    }
    let mut neighbours = BTreeSet::new();
    for route in snapshot.routes.values() {
        let namespace = route.reference.namespace.as_str();
        let backends: Vec<ObjectRef> = route
            .spec
            .rules
            .iter()
            .flat_map(|rule| rule.backend_refs.iter().chain(&rule.filter_backend_refs))
            .filter(|backend| matches!(backend.target.kind.as_deref(), None | Some("Service")))
            .map(|backend| {
                let namespace = backend.target.namespace.as_deref().unwrap_or(namespace);
                ObjectRef::new(Kind::Service, namespace, backend.target.name.as_str())
            })
            .collect();
        if backends.iter().any(|backend| services.contains(backend)) {
            neighbours.extend(backends);
        }
    }
    services.extend(neighbours);
    services
}

/// Volumes of the pods behind a Service: those that its EndpointSlices name, those that its selector
/// meets, and templates of workloads that it would meet (files hold those, and no pods).
fn mounted<'s>(snapshot: &'s Snapshot, service: &ObjectRef) -> Vec<&'s Volume> {
    let namespace = service.namespace.as_str();
    let mut volumes = Vec::new();
    for slice in snapshot.endpoint_slices.values() {
        if slice.reference.namespace == namespace
            && slice.spec.service.as_deref() == Some(service.name.as_str())
        {
            for pod in slice
                .spec
                .endpoints
                .iter()
                .filter_map(|end| end.pod.as_ref())
            {
                if let Some(pod) = snapshot.pods.get(pod) {
                    volumes.extend(&pod.spec.volumes);
                }
            }
        }
    }
    let Some(service) = snapshot.services.get(service) else {
        return volumes;
    };
    if service.spec.selector.is_empty() {
        return volumes;
    }
    for pod in snapshot.pods.values() {
        if pod.reference.namespace == namespace && service.spec.selects(&pod.meta.labels) {
            volumes.extend(&pod.spec.volumes);
        }
    }
    for workload in snapshot.workloads.values() {
        if workload.reference.namespace == namespace
            && service.spec.selects(&workload.spec.template.labels)
        {
            volumes.extend(&workload.spec.template.volumes);
        }
    }
    volumes
}

/// Adds the Secrets of the CA issuers behind the Secrets that are wanted.
fn issuers(snapshot: &Snapshot, wanted: &mut BTreeSet<ObjectRef>) {
    let mut next: Vec<ObjectRef> = wanted.iter().cloned().collect();
    while let Some(secret) = next.pop() {
        for certificate in snapshot.certificates.values() {
            if secret.kind != Kind::Secret
                || certificate.reference.namespace != secret.namespace
                || certificate.spec.secret_name != secret.name
            {
                continue;
            }
            let namespace = certificate.reference.namespace.as_str();
            let Some(secret) = issuer_secret(snapshot, &certificate.spec.issuer_ref, namespace)
            else {
                continue;
            };
            if wanted.insert(secret.clone()) {
                next.push(secret);
            }
        }
    }
}

/// The Secret of the CA issuer that a Certificate in `namespace` names.
fn issuer_secret(snapshot: &Snapshot, issuer: &LocalRef, namespace: &str) -> Option<ObjectRef> {
    if !matches!(issuer.group.as_deref(), None | Some("" | "cert-manager.io")) {
        return None;
    }
    let kind = match issuer.kind.as_deref() {
        None | Some("Issuer") => Kind::Issuer,
        Some("ClusterIssuer") => Kind::ClusterIssuer,
        Some(_) => return None,
    };
    let reference = ObjectRef::new(kind, namespace, issuer.name.as_str());
    let secret = snapshot.issuers.get(&reference)?.spec.ca_secret.clone()?;
    let namespace = match kind {
        Kind::ClusterIssuer => cluster_resource_namespace(snapshot),
        _ => namespace,
    };
    Some(ObjectRef::new(Kind::Secret, namespace, secret))
}

/// Where cert-manager keeps the Secrets of ClusterIssuers: the namespace of its controller's
/// Deployment, where one can be seen, or else the one that its documentation names. A controller
/// that was told otherwise (`--cluster-resource-namespace`) is not noticed.
pub fn cluster_resource_namespace(snapshot: &Snapshot) -> &str {
    snapshot
        .workloads
        .values()
        .find(|workload| {
            let label = |name: &str| workload.meta.labels.get(name).map(String::as_str);
            label("app.kubernetes.io/name") == Some("cert-manager")
                && label("app.kubernetes.io/component") == Some("controller")
        })
        .map_or(CERT_MANAGER, |workload| {
            workload.reference.namespace.as_str()
        })
}
