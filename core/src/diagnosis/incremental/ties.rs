//! With what each kind of object is tied to others, and which objects belong to every part.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::links::{Key, Tie, key, key_of};
use crate::model::{
    kind::Kind,
    kinds::{
        Certificate, Gateway, Listener, LocalRef, NgfResource, Pod, Route, SourceOf, Volume,
        Workload,
    },
    object::{Meta, Object, ObjectRef},
    references::{ControlPlane, ROOT_CA, control_planes, trust_namespace},
    snapshot::{Lookup, Snapshot},
    table::TableName,
    topology::gateway_of,
};

/// The label and annotation by which NGF ties a data-plane pod to its Gateway.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// The annotation by which cert-manager ties what it makes to a Certificate.
const CERTIFICATE_NAME: &str = "cert-manager.io/certificate-name";
/// The container of NGF's control plane.
const CONTROL_PLANE: &str = "nginx-gateway";

/// What the objects that belong to every part say of the others. It changes only with one of them.
#[derive(Debug, Default)]
pub(super) struct Frame {
    control_planes: Vec<ControlPlane>,
    /// Secrets and ConfigMaps that belong to every part: those of NGF's control planes and of CA issuers, and what
    /// trust-manager takes CAs from.
    shared: BTreeSet<ObjectRef>,
    /// What NGF's own objects name together, such as the Gateway and the backend of a PayloadProcessor.
    together: BTreeMap<ObjectRef, Vec<Key>>,
    /// The names of Secrets of ClusterIssuers, whatever their namespace.
    of_cluster_issuers: BTreeSet<String>,
}

impl Frame {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut frame = Self {
            control_planes: control_planes(snapshot),
            ..Self::default()
        };
        for one in &frame.control_planes {
            frame.shared.insert(one.server_tls.clone());
            frame.shared.insert(one.agent_tls.clone());
        }
        for issuer in snapshot.issuers.values() {
            let Some(secret) = &issuer.spec.ca_secret else {
                continue;
            };
            if issuer.reference.kind == Kind::ClusterIssuer {
                frame.of_cluster_issuers.insert(secret.clone());
            } else {
                let namespace = &issuer.reference.namespace;
                let secret = ObjectRef::new(Kind::Secret, namespace, secret);
                frame.shared.insert(secret);
            }
        }
        for (name, found) in &snapshot.ngf {
            for object in named_by(found) {
                frame.together.entry(object).or_default().push(key_of(name));
            }
        }
        let namespace = trust_namespace(snapshot);
        let bundles = snapshot.trust_bundles.values();
        for source in bundles.flat_map(|bundle| &bundle.spec.sources) {
            if let SourceOf::Key { kind, name, .. } = &source.held {
                let source = ObjectRef::new(*kind, namespace, name.as_str());
                frame.shared.insert(source);
            }
        }
        frame
    }

    fn is_shared(&self, object: &ObjectRef) -> bool {
        self.shared.contains(object)
            || object.kind == Kind::Secret && self.of_cluster_issuers.contains(&object.name)
    }
}

/// The objects that one of NGF's own objects targets, or names as a backend.
fn named_by(found: &Object<NgfResource>) -> Vec<ObjectRef> {
    fn backends<'v>(value: &'v Value, all: &mut Vec<&'v Value>) {
        match value {
            Value::Object(fields) => {
                all.extend(fields.get("backendRef"));
                fields.values().for_each(|value| backends(value, all));
            }
            Value::Array(items) => items.iter().for_each(|item| backends(item, all)),
            _ => {}
        }
    }
    let own = found.reference.namespace.as_str();
    let targets = found.spec.target_refs.iter().filter_map(|target| {
        let kind = target.kind.as_deref().and_then(Kind::named)?;
        let namespace = target.namespace.as_deref().unwrap_or(own);
        Some(ObjectRef::new(kind, namespace, target.name.as_str()))
    });
    let mut all: Vec<ObjectRef> = targets.collect();
    if found.reference.kind == Kind::PayloadProcessor {
        let mut values = Vec::new();
        backends(&found.raw, &mut values);
        all.extend(values.into_iter().filter_map(|backend| {
            let text = |field: &str| backend.get(field).and_then(Value::as_str);
            let namespace = text("namespace").unwrap_or(own);
            Some(ObjectRef::new(Kind::Service, namespace, text("name")?))
        }));
    }
    all
}

/// The objects that belong to every part: what is of the whole cluster, what rules look through from end to end, and
/// what NGF's own parts share.
pub(super) fn everywhere(snapshot: &Snapshot, frame: &Frame) -> BTreeSet<ObjectRef> {
    let mut all = BTreeSet::new();
    snapshot.for_each_entry(|object| {
        if is_everywhere(snapshot, frame, object) {
            all.insert(object.clone());
        }
    });
    all
}

/// Whether an object belongs to every part. For an object that stays the same this changes only with the frame.
pub(super) fn is_everywhere(snapshot: &Snapshot, frame: &Frame, object: &ObjectRef) -> bool {
    match object.kind {
        // NGF's control plane, and trust-manager.
        Kind::Deployment | Kind::DaemonSet => snapshot.workloads.get(object).is_some_and(|found| {
            let mut containers = found.spec.template.containers.iter();
            containers.any(|container| {
                let mut args = container.args.iter();
                container.name == CONTROL_PLANE
                    || args.any(|arg| arg.starts_with("--trust-namespace"))
            })
        }),
        // The cluster's own DNS.
        Kind::Service => snapshot.services.get(object).is_some_and(|found| {
            object.namespace == "kube-system"
                && found.meta.labels.get("k8s-app").map(String::as_str) == Some("kube-dns")
        }),
        Kind::Secret | Kind::ConfigMap => frame.is_shared(object),
        Kind::Certificate => snapshot
            .certificates
            .get(object)
            .is_some_and(|found| frame.is_shared(&secret_of(found))),
        kind => is_kind_everywhere(kind),
    }
}

/// Every table is named, so that nobody adds one without a decision: what is in none of both ties nothing together.
fn is_kind_everywhere(kind: Kind) -> bool {
    match kind.table() {
        TableName::GatewayClass
        | TableName::ReferenceGrant
        | TableName::Ngf
        | TableName::Issuer
        | TableName::TrustBundle
        | TableName::NetworkPolicy
        | TableName::Event => true,
        TableName::Gateway
        | TableName::ListenerSet
        | TableName::Route
        | TableName::BackendTLSPolicy
        | TableName::Service
        | TableName::EndpointSlice
        | TableName::Pod
        | TableName::Workload
        | TableName::Certificate
        | TableName::CertificateRequest
        | TableName::Order
        | TableName::Challenge
        | TableName::Secret
        | TableName::ConfigMap => false,
    }
}

fn secret_of(certificate: &Object<Certificate>) -> ObjectRef {
    let namespace = &certificate.reference.namespace;
    ObjectRef::new(Kind::Secret, namespace, &certificate.spec.secret_name)
}

/// Collects the ties of one object.
struct Ties<'o> {
    frame: &'o Frame,
    namespace: &'o str,
    all: Vec<Tie>,
}

/// The data-plane pods that evidence is from, each with its Gateways.
pub(super) type DataPlanePods = BTreeMap<ObjectRef, BTreeSet<ObjectRef>>;

/// With what an object is tied to others.
pub(super) fn of(
    snapshot: &Snapshot,
    frame: &Frame,
    pods: &DataPlanePods,
    object: &ObjectRef,
) -> Vec<Tie> {
    let mut ties = Ties {
        frame,
        namespace: &object.namespace,
        all: vec![Tie::active(key_of(object))],
    };
    ties.of_object(snapshot, object);
    for gateway in pods.get(object).into_iter().flatten() {
        ties.name(gateway);
    }
    for together in frame.together.get(object).into_iter().flatten() {
        ties.all.push(Tie::active(key(("together", together))));
    }
    ties.all
}

impl Ties<'_> {
    fn of_object(&mut self, snapshot: &Snapshot, object: &ObjectRef) {
        macro_rules! with {
            ($table:ident, $found:ident => $do:expr) => {
                if let Some($found) = snapshot.$table.get(object) {
                    self.meta(&$found.meta);
                    $do
                }
            };
        }
        match object.kind {
            Kind::Gateway => with!(gateways, found => self.gateway(found)),
            Kind::ListenerSet => with!(listener_sets, found => {
                self.name(&gateway_of(found));
                self.listeners(&found.spec.listeners);
            }),
            Kind::HTTPRoute
            | Kind::GRPCRoute
            | Kind::TLSRoute
            | Kind::TCPRoute
            | Kind::UDPRoute => {
                with!(routes, found => self.route(found));
            }
            Kind::BackendTLSPolicy => with!(policies, found => {
                for target in &found.spec.target_refs {
                    let service = self.named(Kind::Service, &target.name);
                    self.name(&service);
                    if !snapshot.services.contains_key(&service) {
                        // It may be meant for a Service of that name in another namespace.
                        self.all.push(Tie::active(bare(&target.name)));
                    }
                }
                self.references(&found.spec.ca_certificate_refs);
                for ancestor in &found.status.ancestors {
                    self.parent(&ancestor.parent);
                }
            }),
            Kind::Service => with!(services, found => {
                // Whatever it selects has all of these labels; the longest is the rarest.
                let rarest = found.spec.selector.iter().max_by_key(|(name, value)| (value.len(), name.len()));
                if let Some((name, value)) = rarest {
                    self.all.push(Tie::active(self.label(name, value)));
                }
            }),
            Kind::EndpointSlice => with!(endpoint_slices, found => {
                let service = found.spec.service.as_deref().map(|name| self.named(Kind::Service, name));
                self.all.extend(service.iter().map(|service| Tie::active(key_of(service))));
                if service.is_none_or(|service| !snapshot.services.contains_key(&service)) {
                    // By its name it may be one that was meant for a Service.
                    for (end, _) in object.name.match_indices('-') {
                        self.mention(Kind::Service, &object.name[..end]);
                    }
                    self.mention(Kind::Service, &object.name);
                }
                for pod in found.spec.endpoints.iter().filter_map(|one| one.pod.as_ref()) {
                    self.name(pod);
                }
            }),
            Kind::Pod => with!(pods, found => self.pod(found)),
            Kind::Deployment | Kind::DaemonSet => with!(workloads, found => self.workload(found)),
            Kind::Certificate => with!(certificates, found => self.certificate(found)),
            Kind::CertificateRequest => with!(certificate_requests, _found => {}),
            Kind::Order => with!(orders, _found => {}),
            Kind::Challenge => with!(challenges, _found => {}),
            Kind::Secret => {
                if let Some(Lookup::Found(found)) = snapshot.secrets.get(object) {
                    self.meta(&found.meta);
                    let leaf = found.spec.certificate.certificates().first();
                    for name in leaf.into_iter().flat_map(|leaf| &leaf.dns_names) {
                        self.host(name);
                    }
                }
            }
            Kind::ConfigMap => {
                if let Some(Lookup::Found(found)) = snapshot.config_maps.get(object) {
                    self.meta(&found.meta);
                }
            }
            // They belong to every part.
            _ => {}
        }
    }

    fn named(&self, kind: Kind, name: &str) -> ObjectRef {
        ObjectRef::new(kind, self.namespace, name)
    }

    fn name(&mut self, object: &ObjectRef) {
        self.all.push(Tie::active(key_of(object)));
    }

    fn mention(&mut self, kind: Kind, name: &str) {
        let object = self.named(kind, name);
        self.all.push(Tie::passive(key_of(&object)));
    }

    /// The Service that the first label of a host name may mean.
    fn host(&mut self, name: &str) {
        if let Some(label) = name.split('.').next() {
            self.mention(Kind::Service, label);
        }
    }

    fn label(&self, name: &str, value: &str) -> Key {
        key(("label", self.namespace, name, value))
    }

    fn meta(&mut self, meta: &Meta) {
        for owner in &meta.owners {
            if let Some(kind) = Kind::named(&owner.kind) {
                self.mention(kind, &owner.name);
            }
            if owner.kind == "Gateway" && !owner.uid.is_empty() {
                self.all.push(Tie::passive(key(("uid", &owner.uid))));
            }
        }
        if let Some(certificate) = meta.annotations.get(CERTIFICATE_NAME) {
            self.mention(Kind::Certificate, certificate);
        }
        let of_gateway = [&meta.labels, &meta.annotations].map(|all| all.get(GATEWAY_NAME));
        for gateway in of_gateway.into_iter().flatten() {
            self.mention(Kind::Gateway, gateway);
        }
    }

    fn references(&mut self, all: &[LocalRef]) {
        for reference in all {
            let namespace = reference.namespace.as_deref().unwrap_or(self.namespace);
            // Whatever kind it says: a remedy may name the object of the other kind.
            for kind in [Kind::Secret, Kind::ConfigMap] {
                let object = ObjectRef::new(kind, namespace, &reference.name);
                self.all.push(Tie::active(key_of(&object)));
            }
        }
    }

    fn parent(&mut self, reference: &LocalRef) {
        let kind = match reference.kind.as_deref() {
            None => Some(Kind::Gateway),
            Some(kind) => Kind::named(kind),
        };
        if let Some(kind) = kind {
            let namespace = reference.namespace.as_deref().unwrap_or(self.namespace);
            self.name(&ObjectRef::new(kind, namespace, &reference.name));
        }
    }

    fn listeners(&mut self, listeners: &[Listener]) {
        for listener in listeners {
            self.references(&listener.certificate_refs);
        }
    }

    fn gateway(&mut self, found: &Object<Gateway>) {
        let spec = &found.spec;
        self.listeners(&spec.listeners);
        for reference in [
            &spec.client_certificate_ref,
            &spec.old_client_certificate_ref,
        ] {
            self.references(reference.as_slice());
        }
        for frontend in &spec.frontend {
            self.references(&frontend.ca_refs);
        }
        for control_plane in &self.frame.control_planes {
            let secret = control_plane.agent_secret(found);
            self.all.push(Tie::active(key_of(&secret)));
        }
        if !found.meta.uid.is_empty() {
            self.all.push(Tie::active(key(("uid", &found.meta.uid))));
        }
    }

    fn route(&mut self, found: &Object<Route>) {
        for reference in &found.spec.parent_refs {
            self.parent(reference);
        }
        for parent in &found.status.parents {
            self.parent(&parent.parent);
        }
        let rules = found.spec.rules.iter();
        let backends =
            rules.flat_map(|rule| rule.backend_refs.iter().chain(&rule.filter_backend_refs));
        for backend in backends {
            // Of another kind, too: a policy names what it targets by its name.
            let target = &backend.target;
            let namespace = target.namespace.as_deref().unwrap_or(self.namespace);
            self.name(&ObjectRef::new(Kind::Service, namespace, &target.name));
            self.all.push(Tie::passive(bare(&target.name)));
        }
    }

    fn volumes(&mut self, volumes: &[Volume]) {
        for volume in volumes {
            // Every pod mounts it.
            if volume.source.kind != Kind::ConfigMap || volume.source.name != ROOT_CA {
                self.name(&volume.source);
            }
        }
    }

    fn pod(&mut self, found: &Object<Pod>) {
        for (name, value) in &found.meta.labels {
            let key = self.label(name, value);
            self.all.push(Tie::passive(key));
        }
        self.volumes(&found.spec.volumes);
    }

    fn workload(&mut self, found: &Object<Workload>) {
        let template = &found.spec.template;
        for (name, value) in &template.labels {
            let key = self.label(name, value);
            self.all.push(Tie::passive(key));
        }
        self.volumes(&template.volumes);
    }

    fn certificate(&mut self, found: &Object<Certificate>) {
        self.name(&secret_of(found));
        for name in &found.spec.dns_names {
            self.host(name);
        }
    }
}

/// A Service's name, whatever its namespace.
fn bare(name: &str) -> Key {
    key(("bare", name))
}
