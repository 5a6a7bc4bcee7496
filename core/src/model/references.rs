//! Which Secrets and ConfigMaps anything refers to: these are read, each by name, and no others.
//!
//! - certificates of listeners of Gateways and ListenerSets (`tls.certificateRefs`), in other
//!   namespaces too;
//! - client certificates of Gateways (`spec.tls.backend.clientCertificateRef`, and its place in
//!   Gateway API 1.3);
//! - CAs of the clients of Gateways (`spec.tls.frontend`), in other namespaces too;
//! - the Secrets of NGF's own agents and control plane;
//! - CA certificates of BackendTLSPolicies (`spec.validation.caCertificateRefs`);
//! - what pods mount that stand behind a Service which a BackendTLSPolicy targets, behind another Service of the
//!   same route, or behind a port that routes use and that is meant for TLS by its name, number or appProtocol:
//!   the backend's certificate and the CA that it trusts are among them;
//! - what trust-manager takes the CAs of those above from (`spec.sources` of Bundles, in its own namespace);
//! - for each Secret above that a cert-manager Certificate writes: the Secret of its CA issuer, the
//!   Secret of that one's issuer, and so on.
//!
//! Left out is `kube-root-ca.crt`, which every pod mounts.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    kind::Kind,
    kinds::{
        Certificate, EndpointSlice, Gateway, Listener, LocalRef, Pod, SourceOf, Volume, Workload,
    },
    meant::{Meant, meant},
    object::{Object, ObjectRef},
    snapshot::{Snapshot, Source},
    status::Spec,
    topology::is_ngf_controller,
};

/// ConfigMap with the API server's CA, which Kubernetes mounts in every pod.
/// The CA of the API server, which every pod mounts beside its token.
pub const ROOT_CA: &str = "kube-root-ca.crt";

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
    for gateway in snapshot.gateways.values() {
        // `kind` is required there.
        let refs = gateway.spec.frontend.iter().flat_map(|one| &one.ca_refs);
        let namespace = &gateway.reference.namespace;
        wanted.extend(refs.filter_map(|ca| target(ca, Kind::ConfigMap, namespace)));
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
    let slices = slices(snapshot);
    let pods = by_namespace(snapshot.pods.values());
    let workloads = by_namespace(snapshot.workloads.values());
    for service in tls_services(snapshot) {
        let namespace = service.namespace.as_str();
        let found = Selectable {
            pods: pods.get(namespace).map_or(&[], Vec::as_slice),
            workloads: workloads.get(namespace).map_or(&[], Vec::as_slice),
        };
        for volume in mounted(snapshot, &slices, &found, &service) {
            // ClusterTrustBundles are watched.
            if volume.source.name != ROOT_CA && volume.source.kind != Kind::ClusterTrustBundle {
                wanted.insert(volume.source.clone());
            }
        }
    }
    if matches!(snapshot.source, Source::Cluster { .. }) {
        agents(snapshot, &mut wanted);
    }
    sources_of_bundles(snapshot, &mut wanted);
    issuers(snapshot, &mut wanted);
    wanted
}

/// NGF's control plane, as far as agents connect to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ControlPlane {
    /// The Secret of its gRPC server, which it mounts; the chart calls it `server-tls`.
    pub server_tls: ObjectRef,
    /// Whether its pods are seen to mount that Secret.
    pub mounts_server_tls: bool,
    /// The Secret that agents get copies of (`--agent-tls-secret`); `agent-tls` where nothing names another.
    pub agent_tls: ObjectRef,
    /// The host name that agents expect in the server's certificate; `None` where its Service is not known.
    pub host: Option<String>,
}

impl ControlPlane {
    /// One as NGF's chart installs it.
    pub fn of_chart(namespace: &str) -> Self {
        let secret = |name: &str| ObjectRef::new(Kind::Secret, namespace, name);
        Self {
            server_tls: secret("server-tls"),
            mounts_server_tls: false,
            agent_tls: secret("agent-tls"),
            host: None,
        }
    }

    /// The Secret of a data plane's agent: `<gateway>-<class>-agent-tls`.
    pub fn agent_secret(&self, gateway: &Object<Gateway>) -> ObjectRef {
        let name = &gateway.reference;
        let source = &self.agent_tls.name;
        let secret = format!("{}-{}-{source}", name.name, gateway.spec.class);
        ObjectRef::new(Kind::Secret, name.namespace.as_str(), secret)
    }
}

/// NGF's control planes, one for each namespace that one runs in.
pub fn control_planes(snapshot: &Snapshot) -> Vec<ControlPlane> {
    let mut found: BTreeMap<&str, ControlPlane> = BTreeMap::new();
    for workload in snapshot.workloads.values() {
        let template = &workload.spec.template;
        let mut containers = template.containers.iter();
        let Some(container) = containers.find(|container| container.name == "nginx-gateway") else {
            continue;
        };
        let namespace = workload.reference.namespace.as_str();
        // Where the chart mounts the Secret of the gRPC server (`templates/deployment.yaml`).
        let mut mounts = container.mounts.iter();
        let mount = mounts.find(|(_, path, _)| path == "/var/run/secrets/ngf");
        let mut volumes = template.volumes.iter();
        let volume = mount.and_then(|(name, _, _)| volumes.find(|volume| volume.name == *name));
        let server_tls = volume.map(|volume| volume.source.clone());
        let service = flag(&container.args, "--service");
        let mut one = ControlPlane::of_chart(namespace);
        if let Some(source) = server_tls.filter(|source| source.kind == Kind::Secret) {
            one.server_tls = source;
            one.mounts_server_tls = true;
        }
        if let Some(name) = flag(&container.args, "--agent-tls-secret") {
            one.agent_tls = ObjectRef::new(Kind::Secret, namespace, name);
        }
        one.host = service.map(|service| format!("{service}.{namespace}.svc"));
        found.entry(namespace).or_insert(one);
    }
    found.into_values().collect()
}

/// The value of an option, in the same argument or in the next.
fn flag<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    args.iter().enumerate().rev().find_map(|(at, arg)| {
        let rest = arg.strip_prefix(name)?;
        match rest.strip_prefix('=') {
            Some(value) => Some(value),
            None if rest.is_empty() => args.get(at + 1).map(String::as_str),
            None => None,
        }
    })
}

/// The Secrets by which NGF's agents and control plane know each other.
fn agents(snapshot: &Snapshot, wanted: &mut BTreeSet<ObjectRef>) {
    let control_planes = control_planes(snapshot);
    for one in &control_planes {
        wanted.insert(one.server_tls.clone());
        wanted.insert(one.agent_tls.clone());
    }
    for gateway in snapshot.gateways.values() {
        let class = ObjectRef::new(Kind::GatewayClass, "", gateway.spec.class.as_str());
        let class = snapshot.gateway_classes.get(&class);
        if class.is_some_and(|class| is_ngf_controller(&class.spec.controller_name)) {
            wanted.extend(control_planes.iter().map(|one| one.agent_secret(gateway)));
        }
    }
}

/// The namespace that trust-manager takes CAs from: `--trust-namespace`, or cert-manager's.
pub fn trust_namespace(snapshot: &Snapshot) -> &str {
    let mut workloads = snapshot.workloads.values();
    let given = workloads.find_map(|workload| {
        let mut containers = workload.spec.template.containers.iter();
        containers.find_map(|container| flag(&container.args, "--trust-namespace"))
    });
    given.unwrap_or(CERT_MANAGER)
}

/// The Secrets and ConfigMaps that trust-manager takes the CAs of what is wanted from.
fn sources_of_bundles(snapshot: &Snapshot, wanted: &mut BTreeSet<ObjectRef>) {
    let namespace = trust_namespace(snapshot);
    let mut sources = BTreeSet::new();
    for (name, bundle) in &snapshot.trust_bundles {
        if !wanted.iter().any(|object| object.name == name.name) {
            continue;
        }
        for source in &bundle.spec.sources {
            if let SourceOf::Key { kind, name, .. } = &source.held {
                sources.insert(ObjectRef::new(*kind, namespace, name.as_str()));
            }
        }
    }
    wanted.extend(sources);
}

fn listeners(listeners: &[Listener], namespace: &str, wanted: &mut BTreeSet<ObjectRef>) {
    for reference in listeners
        .iter()
        .flat_map(|listener| &listener.certificate_refs)
    {
        wanted.extend(target(reference, Kind::Secret, namespace));
    }
}

/// What a reference means, if it is a Secret or ConfigMap of the core group, which NGF lets one write `core`, too.
fn target(reference: &LocalRef, default: Kind, namespace: &str) -> Option<ObjectRef> {
    let is_core = matches!(reference.group.as_deref(), None | Some("" | "core"));
    if !is_core || reference.name.is_empty() {
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

/// The Services to which TLS is spoken, or ought to be: targets of BackendTLSPolicies, whatever shares a route
/// with one of them, and backends of routes on ports that are meant for TLS.
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
    let mut neighbours = BTreeSet::new();
    for route in snapshot.routes.values() {
        let namespace = route.reference.namespace.as_str();
        let backends: Vec<(ObjectRef, Option<u16>)> = route
            .spec
            .rules
            .iter()
            .flat_map(|rule| rule.backend_refs.iter().chain(&rule.filter_backend_refs))
            .filter(|backend| matches!(backend.target.kind.as_deref(), None | Some("Service")))
            .map(|backend| {
                let namespace = backend.target.namespace.as_deref().unwrap_or(namespace);
                let name = backend.target.name.as_str();
                let service = ObjectRef::new(Kind::Service, namespace, name);
                (service, backend.target.port)
            })
            .collect();
        if backends.iter().any(|(name, _)| services.contains(name)) {
            neighbours.extend(backends.into_iter().map(|(name, _)| name));
        } else {
            // Without a policy nginx speaks plain HTTP to them: what they mount tells how to repair it.
            let is_meant =
                |(name, port): &(ObjectRef, Option<u16>)| is_meant_for_tls(snapshot, name, *port);
            let meant = backends.into_iter().filter(is_meant);
            neighbours.extend(meant.map(|(name, _)| name));
        }
    }
    services.extend(neighbours);
    services
}

fn is_meant_for_tls(snapshot: &Snapshot, service: &ObjectRef, port: Option<u16>) -> bool {
    let found = snapshot.services.get(service);
    let port = found.zip(port).and_then(|(found, number)| {
        let mut ports = found.spec.ports.iter();
        ports.find(|port| port.port == number)
    });
    port.is_some_and(|port| meant(port).0 == Meant::Tls)
}

/// EndpointSlices by namespace and name of their Service.
type Slices<'s> = HashMap<(&'s str, &'s str), Vec<&'s EndpointSlice>>;

fn slices(snapshot: &Snapshot) -> Slices<'_> {
    let mut slices = Slices::new();
    for slice in snapshot.endpoint_slices.values() {
        if let Some(service) = slice.spec.service.as_deref() {
            let service = (slice.reference.namespace.as_str(), service);
            slices.entry(service).or_default().push(&slice.spec);
        }
    }
    slices
}

/// What a Service's selector may meet: the pods and workloads of its namespace.
struct Selectable<'s> {
    pods: &'s [&'s Object<Pod>],
    workloads: &'s [&'s Object<Workload>],
}

fn by_namespace<'s, T: Spec + 's>(
    objects: impl Iterator<Item = &'s Arc<Object<T>>>,
) -> HashMap<&'s str, Vec<&'s Object<T>>> {
    let mut found: HashMap<&str, Vec<&Object<T>>> = HashMap::new();
    for object in objects {
        let namespace = object.reference.namespace.as_str();
        found.entry(namespace).or_default().push(object);
    }
    found
}

/// Volumes of the pods behind a Service: those that its EndpointSlices name, or else those that its
/// selector meets, and templates of workloads that it would meet (files hold those, and no pods).
fn mounted<'s>(
    snapshot: &'s Snapshot,
    slices: &Slices<'_>,
    found: &Selectable<'s>,
    service: &ObjectRef,
) -> Vec<&'s Volume> {
    let named = slices.get(&(service.namespace.as_str(), service.name.as_str()));
    let pods: Vec<&Pod> = named
        .into_iter()
        .flatten()
        .flat_map(|slice| &slice.endpoints)
        .filter_map(|endpoint| snapshot.pods.get(endpoint.pod.as_ref()?))
        .map(|pod| &pod.spec)
        .collect();
    let has_pods = !pods.is_empty();
    let mut volumes: Vec<&Volume> = pods.into_iter().flat_map(|pod| &pod.volumes).collect();
    let Some(service) = snapshot.services.get(service) else {
        return volumes;
    };
    if !has_pods {
        let pods = found.pods.iter();
        let selected = pods.filter(|pod| service.spec.selects(&pod.meta.labels));
        volumes.extend(selected.flat_map(|pod| &pod.spec.volumes));
    }
    for workload in found.workloads {
        let template = &workload.spec.template;
        if service.spec.selects(&template.labels) {
            volumes.extend(&template.volumes);
        }
    }
    volumes
}

/// Adds the Secrets of the CA issuers behind the Secrets that are wanted.
fn issuers(snapshot: &Snapshot, wanted: &mut BTreeSet<ObjectRef>) {
    let mut writers: HashMap<(&str, &str), Vec<&Object<Certificate>>> = HashMap::new();
    for certificate in snapshot.certificates.values() {
        let secret = (
            certificate.reference.namespace.as_str(),
            certificate.spec.secret_name.as_str(),
        );
        writers.entry(secret).or_default().push(certificate);
    }
    let mut next: Vec<ObjectRef> = wanted
        .iter()
        .filter(|reference| reference.kind == Kind::Secret)
        .cloned()
        .collect();
    while let Some(secret) = next.pop() {
        let written = (secret.namespace.as_str(), secret.name.as_str());
        for certificate in writers.get(&written).into_iter().flatten() {
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

#[cfg(test)]
mod tests;
