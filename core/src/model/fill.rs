//! Puts objects into a snapshot and takes them out; asks what a snapshot can answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    decode::Decoded,
    kind::Kind,
    object::ObjectRef,
    snapshot::{KindState, Lookup, Scope, Snapshot, Source},
};

impl Snapshot {
    /// A snapshot in which nothing is known yet.
    pub fn new(source: Source, scope: Scope) -> Self {
        Self {
            source,
            scope,
            files: 0,
            kinds: BTreeMap::new(),
            narrowed: BTreeMap::new(),
            denied: BTreeSet::new(),
            gateway_classes: BTreeMap::new(),
            gateways: BTreeMap::new(),
            listener_sets: BTreeMap::new(),
            routes: BTreeMap::new(),
            policies: BTreeMap::new(),
            grants: BTreeMap::new(),
            services: BTreeMap::new(),
            endpoint_slices: BTreeMap::new(),
            pods: BTreeMap::new(),
            workloads: BTreeMap::new(),
            network_policies: BTreeMap::new(),
            ngf: BTreeMap::new(),
            issuers: BTreeMap::new(),
            certificates: BTreeMap::new(),
            certificate_requests: BTreeMap::new(),
            events: Vec::new(),
            secrets: BTreeMap::new(),
            config_maps: BTreeMap::new(),
            ignored: BTreeMap::new(),
            problems: Vec::new(),
            lost: None,
            unrendered: BTreeMap::new(),
            templates: Vec::new(),
            not_manifests: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    /// Puts an object in; says whether one of that name was there before.
    pub fn put(&mut self, decoded: Decoded) -> bool {
        macro_rules! put {
            ($table:ident, $object:expr) => {{
                let object = $object;
                let reference = object.reference.clone();
                self.$table.insert(reference, Arc::new(object)).is_some()
            }};
        }
        macro_rules! found {
            ($table:ident, $object:expr) => {{
                let object = $object;
                let reference = object.reference.clone();
                let found = Lookup::Found(Arc::new(object));
                matches!(self.$table.insert(reference, found), Some(Lookup::Found(_)))
            }};
        }
        match decoded {
            Decoded::GatewayClass(object) => put!(gateway_classes, object),
            Decoded::Gateway(object) => put!(gateways, object),
            Decoded::ListenerSet(object) => put!(listener_sets, object),
            Decoded::Route(object) => put!(routes, object),
            Decoded::BackendTLSPolicy(object) => put!(policies, object),
            Decoded::ReferenceGrant(object) => put!(grants, object),
            Decoded::Service(object) => put!(services, object),
            Decoded::EndpointSlice(object) => put!(endpoint_slices, object),
            Decoded::Pod(object) => put!(pods, object),
            Decoded::Workload(object) => put!(workloads, object),
            Decoded::NetworkPolicy(object) => put!(network_policies, object),
            Decoded::Ngf(object) => put!(ngf, object),
            Decoded::Issuer(object) => put!(issuers, object),
            Decoded::Certificate(object) => put!(certificates, object),
            Decoded::CertificateRequest(object) => put!(certificate_requests, object),
            Decoded::Secret(object) => found!(secrets, object),
            Decoded::ConfigMap(object) => found!(config_maps, object),
            Decoded::Event(object) => {
                let before = self.events.len();
                self.events
                    .retain(|event| event.reference != object.reference);
                let replaced = self.events.len() < before;
                self.events.push(Arc::new(object));
                replaced
            }
        }
    }

    /// Takes an object out; says whether it was there.
    pub fn remove(&mut self, reference: &ObjectRef) -> bool {
        match reference.kind {
            Kind::GatewayClass => self.gateway_classes.remove(reference).is_some(),
            Kind::Gateway => self.gateways.remove(reference).is_some(),
            Kind::ListenerSet => self.listener_sets.remove(reference).is_some(),
            Kind::HTTPRoute
            | Kind::GRPCRoute
            | Kind::TLSRoute
            | Kind::TCPRoute
            | Kind::UDPRoute => self.routes.remove(reference).is_some(),
            Kind::BackendTLSPolicy => self.policies.remove(reference).is_some(),
            Kind::ReferenceGrant => self.grants.remove(reference).is_some(),
            Kind::Service => self.services.remove(reference).is_some(),
            Kind::EndpointSlice => self.endpoint_slices.remove(reference).is_some(),
            Kind::Pod => self.pods.remove(reference).is_some(),
            Kind::Deployment | Kind::DaemonSet => self.workloads.remove(reference).is_some(),
            Kind::NetworkPolicy => self.network_policies.remove(reference).is_some(),
            Kind::NginxProxy
            | Kind::NginxGateway
            | Kind::ClientSettingsPolicy
            | Kind::ObservabilityPolicy
            | Kind::ProxySettingsPolicy
            | Kind::UpstreamSettingsPolicy
            | Kind::SnippetsFilter
            | Kind::SnippetsPolicy
            | Kind::AuthenticationFilter
            | Kind::RateLimitPolicy
            | Kind::WAFPolicy
            | Kind::PayloadProcessor
            | Kind::ExternalLoadBalancer => self.ngf.remove(reference).is_some(),
            Kind::ClusterIssuer | Kind::Issuer => self.issuers.remove(reference).is_some(),
            Kind::Certificate => self.certificates.remove(reference).is_some(),
            Kind::CertificateRequest => self.certificate_requests.remove(reference).is_some(),
            Kind::Secret => self.secrets.remove(reference).is_some(),
            Kind::ConfigMap => self.config_maps.remove(reference).is_some(),
            Kind::Event => {
                let before = self.events.len();
                self.events.retain(|event| &event.reference != reference);
                self.events.len() < before
            }
        }
    }

    /// Whether every object of `kind` in `namespace` is here, so that one that is not here does not
    /// exist. Never so for files, which are what somebody gave and not all that there is, nor for
    /// Secrets and ConfigMaps, whose [`Lookup`] says it for each.
    pub fn holds_all(&self, kind: Kind, namespace: &str) -> bool {
        if matches!(self.source, Source::Files { .. })
            || matches!(kind, Kind::Secret | Kind::ConfigMap | Kind::Event)
        {
            return false;
        }
        match self.kinds.get(&kind) {
            Some(KindState::NotServed) => return true,
            Some(KindState::Live { .. } | KindState::Stale { .. }) => {}
            _ => return false,
        }
        if !kind.info().namespaced {
            return true;
        }
        match (self.narrowed.get(&kind), &self.scope) {
            (Some(only), _) | (None, Scope::Namespace(only)) => only == namespace,
            (None, Scope::AllNamespaces) => true,
        }
    }

    /// The names of all objects of a kind; for Secrets and ConfigMaps, of all that were looked up.
    pub fn references_of(&self, kind: Kind) -> Box<dyn Iterator<Item = &ObjectRef> + '_> {
        macro_rules! of {
            ($table:ident) => {
                Box::new(
                    self.$table
                        .keys()
                        .filter(move |reference| reference.kind == kind),
                )
            };
        }
        match kind {
            Kind::GatewayClass => of!(gateway_classes),
            Kind::Gateway => of!(gateways),
            Kind::ListenerSet => of!(listener_sets),
            Kind::HTTPRoute
            | Kind::GRPCRoute
            | Kind::TLSRoute
            | Kind::TCPRoute
            | Kind::UDPRoute => of!(routes),
            Kind::BackendTLSPolicy => of!(policies),
            Kind::ReferenceGrant => of!(grants),
            Kind::Service => of!(services),
            Kind::EndpointSlice => of!(endpoint_slices),
            Kind::Pod => of!(pods),
            Kind::Deployment | Kind::DaemonSet => of!(workloads),
            Kind::NetworkPolicy => of!(network_policies),
            Kind::ClusterIssuer | Kind::Issuer => of!(issuers),
            Kind::Certificate => of!(certificates),
            Kind::CertificateRequest => of!(certificate_requests),
            Kind::Secret => of!(secrets),
            Kind::ConfigMap => of!(config_maps),
            Kind::Event => Box::new(self.events.iter().map(|event| &event.reference)),
            _ => of!(ngf),
        }
    }

    /// Whether an object of that name is here; for Secrets and ConfigMaps, whether it was found.
    pub fn contains(&self, reference: &ObjectRef) -> bool {
        match reference.kind {
            Kind::GatewayClass => self.gateway_classes.contains_key(reference),
            Kind::Gateway => self.gateways.contains_key(reference),
            Kind::ListenerSet => self.listener_sets.contains_key(reference),
            Kind::HTTPRoute
            | Kind::GRPCRoute
            | Kind::TLSRoute
            | Kind::TCPRoute
            | Kind::UDPRoute => self.routes.contains_key(reference),
            Kind::BackendTLSPolicy => self.policies.contains_key(reference),
            Kind::ReferenceGrant => self.grants.contains_key(reference),
            Kind::Service => self.services.contains_key(reference),
            Kind::EndpointSlice => self.endpoint_slices.contains_key(reference),
            Kind::Pod => self.pods.contains_key(reference),
            Kind::Deployment | Kind::DaemonSet => self.workloads.contains_key(reference),
            Kind::NetworkPolicy => self.network_policies.contains_key(reference),
            Kind::ClusterIssuer | Kind::Issuer => self.issuers.contains_key(reference),
            Kind::Certificate => self.certificates.contains_key(reference),
            Kind::CertificateRequest => self.certificate_requests.contains_key(reference),
            Kind::Secret => matches!(self.secrets.get(reference), Some(Lookup::Found(_))),
            Kind::ConfigMap => matches!(self.config_maps.get(reference), Some(Lookup::Found(_))),
            Kind::Event => self
                .events
                .iter()
                .any(|event| &event.reference == reference),
            _ => self.ngf.contains_key(reference),
        }
    }
}
