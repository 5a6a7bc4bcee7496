//! What the pods behind a Service mount: where their certificates probably come from. Never proof:
//! what a server presents only a probe can say.

use std::collections::BTreeSet;

use ngf_probes::certificate::CertificateFacts;

use super::{context::Context, ngf::BackendState, trust};
use crate::model::{
    kind::Kind,
    kinds::{Container, Service, Volume},
    object::{Object, ObjectRef},
    snapshot::Snapshot,
};

/// A Secret or ConfigMap that a Service's pods mount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mounted {
    /// The Secret or ConfigMap.
    pub source: ObjectRef,
    /// Where it is mounted, in the first container that does.
    pub path: String,
    /// Mounted by subPath, so that it is never updated.
    pub sub_path: bool,
    /// A pod, or the workload whose template says so.
    pub by: ObjectRef,
}

/// What the pods of a Service mount, each source once; where there are no pods (files), what the
/// templates of workloads say that the Service selects.
pub fn by_service(snapshot: &Snapshot, service: &Object<Service>) -> Vec<Mounted> {
    let namespace = &service.reference.namespace;
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut take = |by: &ObjectRef, volumes: &[Volume], containers: &[Container]| {
        for volume in volumes {
            let mount = containers
                .iter()
                .flat_map(|container| &container.mounts)
                .find(|(name, _, _)| *name == volume.name);
            if let Some((_, path, sub_path)) = mount
                && seen.insert(volume.source.clone())
            {
                found.insert(Mounted {
                    source: volume.source.clone(),
                    path: path.clone(),
                    sub_path: *sub_path,
                    by: by.clone(),
                });
            }
        }
    };
    let pods = snapshot
        .pods
        .values()
        .filter(|pod| pod.reference.namespace == *namespace)
        .filter(|pod| service.spec.selects(&pod.meta.labels));
    let mut any = false;
    for pod in pods {
        any = true;
        take(&pod.reference, &pod.spec.volumes, &pod.spec.containers);
    }
    if !any {
        for workload in snapshot.workloads.values() {
            let template = &workload.spec.template;
            if workload.reference.namespace == *namespace && service.spec.selects(&template.labels)
            {
                take(&workload.reference, &template.volumes, &template.containers);
            }
        }
    }
    found.into_iter().collect()
}

/// The Secrets, and for `ca.crt` the ConfigMaps, with certificates under this key that the pods of a
/// Service mount.
pub fn with_certificates<'a>(
    snapshot: &'a Snapshot,
    service: &Object<Service>,
    key: &str,
) -> Vec<(Mounted, &'a [CertificateFacts])> {
    by_service(snapshot, service)
        .into_iter()
        .filter(|mounted| key == "ca.crt" || mounted.source.kind == Kind::Secret)
        .filter_map(|mounted| {
            let facts = trust::certificates(snapshot, &mounted.source, key).ok()?;
            (!facts.is_empty()).then_some((mounted, facts))
        })
        .collect()
}

/// The Secrets that backends with TLS mount, each with the Service.
pub fn of_backends(context: &Context<'_>) -> BTreeSet<(ObjectRef, ObjectRef)> {
    let services: BTreeSet<&ObjectRef> = context
        .rules
        .iter()
        .flat_map(|rule| &rule.decision.backends)
        .filter(|backend| matches!(backend.state, BackendState::Tls { .. }))
        .filter_map(|backend| backend.port.map(|(service, _)| &service.reference))
        .collect();
    services
        .into_iter()
        .filter_map(|service| context.index.service(service))
        .flat_map(|service| {
            by_service(context.snapshot, service)
                .into_iter()
                .filter(|mounted| mounted.source.kind == Kind::Secret)
                .map(|mounted| (service.reference.clone(), mounted.source))
        })
        .collect()
}
