//! Look-ups that would be slow object by object: which policies target a Service, which
//! EndpointSlices belong to it. Built in one pass over a snapshot.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use super::{
    kinds::{BackendTLSPolicy, EndpointSlice, Service, ServicePort},
    object::{Object, ObjectRef},
    snapshot::Snapshot,
};

/// Look-ups over one snapshot.
pub struct Index<'a> {
    services: HashMap<&'a ObjectRef, &'a Object<Service>>,
    policies: ByName<'a, Targeting<'a>>,
    slices: ByName<'a, &'a Object<EndpointSlice>>,
}

/// By namespace, then name.
type ByName<'a, T> = HashMap<&'a str, HashMap<&'a str, Vec<T>>>;

fn by_name<'b, T>(map: &'b ByName<'_, T>, object: &ObjectRef) -> &'b [T] {
    map.get(object.namespace.as_str())
        .and_then(|names| names.get(object.name.as_str()))
        .map_or(&[], Vec::as_slice)
}

/// A policy's claim on a Service.
#[derive(Debug, Clone, Copy)]
pub struct Targeting<'a> {
    /// The policy.
    pub policy: &'a Object<BackendTLSPolicy>,
    /// `sectionName`: the *name* of a port; `None` for all ports.
    pub section: Option<&'a str>,
}

/// An address behind a Service's port, as nginx would be given it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// IP address; the external name for a Service of type ExternalName.
    pub address: String,
    /// Port of the pod.
    pub port: u16,
    /// nginx is given ready endpoints only; where the condition is missing, it is ready.
    pub ready: bool,
    /// Whether the condition is there at all.
    pub says_ready: bool,
    /// It is going away.
    pub terminating: bool,
    /// The pod.
    pub pod: Option<ObjectRef>,
    /// The pod's node.
    pub node: Option<String>,
}

/// Why a Service's port has no endpoint that nginx could use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoEndpoints {
    /// There is no EndpointSlice for the Service.
    NoSlices,
    /// No EndpointSlice has a port of that name: usually a `targetPort` that names no port of the
    /// containers.
    NoSuchPort {
        /// The Service port's name.
        name: String,
        /// The names that the slices have.
        found: Vec<String>,
    },
    /// There are addresses, and none is ready: this many.
    NoneReady(usize),
    /// There is a slice with the port, and it lists no address.
    NoAddresses,
    /// All slices are of addressType FQDN, which NGF passes over (`ignoreEndpointSlice`).
    NamesOnly,
}

impl<'a> Index<'a> {
    /// Builds the look-ups.
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let mut policies = ByName::<'a, Targeting<'a>>::new();
        for policy in snapshot.policies.values() {
            for target in &policy.spec.target_refs {
                let core = matches!(target.group.as_deref(), None | Some("" | "core"));
                if core && target.kind.as_deref().unwrap_or("Service") == "Service" {
                    let names = policies.entry(&policy.reference.namespace).or_default();
                    names.entry(&target.name).or_default().push(Targeting {
                        policy,
                        section: target.section_name.as_deref(),
                    });
                }
            }
        }
        for claims in policies.values_mut().flat_map(HashMap::values_mut) {
            claims.sort_by(|a, b| precedence(a.policy, b.policy));
        }
        let mut slices = ByName::<'a, &'a Object<EndpointSlice>>::new();
        for slice in snapshot.endpoint_slices.values() {
            if let Some(service) = &slice.spec.service {
                let names = slices.entry(&slice.reference.namespace).or_default();
                names.entry(service).or_default().push(slice);
            }
        }
        let services = snapshot.services.iter();
        Self {
            services: services.map(|(name, service)| (name, &**service)).collect(),
            policies,
            slices,
        }
    }

    /// The Service itself.
    pub fn service(&self, service: &ObjectRef) -> Option<&'a Object<Service>> {
        self.services.get(service).copied()
    }

    /// Whether there is any EndpointSlice of a Service.
    pub fn has_slices(&self, service: &ObjectRef) -> bool {
        !self.slices(service).is_empty()
    }

    /// All claims on a Service, whatever the port, in order of precedence.
    pub fn claims(&self, service: &ObjectRef) -> &[Targeting<'a>] {
        by_name(&self.policies, service)
    }

    /// The policies that target a port of a Service: the effective one first, then those that lose
    /// against it. The oldest wins, then the order of namespace and name; a `sectionName` must equal
    /// the port's name and gives no priority (`selectBackendTLSPolicyForService`, `LessClientObject`).
    pub fn policies(
        &self,
        service: &ObjectRef,
        port_name: &str,
    ) -> Vec<&'a Object<BackendTLSPolicy>> {
        let mut found: Vec<&'a Object<BackendTLSPolicy>> = Vec::new();
        for claim in self.claims(service) {
            let meant = claim.section.is_none_or(|section| section == port_name);
            let known = found
                .last()
                .is_some_and(|last| last.reference == claim.policy.reference);
            if meant && !known {
                found.push(claim.policy);
            }
        }
        found
    }

    /// The endpoints of a Service's port, ready or not, each once, ordered by address
    /// (`internal/controller/state/resolver/resolver.go`).
    pub fn endpoints(&self, service: &Object<Service>, port: &ServicePort) -> Vec<Endpoint> {
        if service.spec.service_type == "ExternalName" {
            let name = service.spec.external_name.as_deref().unwrap_or_default();
            return if name.trim().is_empty() {
                Vec::new()
            } else {
                vec![Endpoint {
                    address: name.to_owned(),
                    port: port.port,
                    ready: true,
                    says_ready: true,
                    terminating: false,
                    pod: None,
                    node: None,
                }]
            };
        }
        let mut endpoints = BTreeMap::new();
        for slice in self.slices(&service.reference) {
            let Some(number) = port_in_slice(&slice.spec, port) else {
                continue;
            };
            for endpoint in &slice.spec.endpoints {
                for address in &endpoint.addresses {
                    let ready = endpoint.ready.unwrap_or(true);
                    let entry = endpoints
                        .entry((AddressOrder::of(address), number))
                        .or_insert_with(|| Endpoint {
                            address: address.clone(),
                            port: number,
                            ready,
                            says_ready: endpoint.ready.is_some(),
                            terminating: endpoint.terminating.unwrap_or(false),
                            pod: endpoint.pod.clone(),
                            node: endpoint.node.clone(),
                        });
                    entry.ready |= ready;
                    entry.says_ready |= endpoint.ready.is_some();
                }
            }
        }
        endpoints.into_values().collect()
    }

    /// Why a Service's port has no ready endpoint.
    pub fn why_none_ready(&self, service: &Object<Service>, port: &ServicePort) -> NoEndpoints {
        let slices = self.slices(&service.reference);
        if slices.is_empty() {
            return NoEndpoints::NoSlices;
        }
        if slices.iter().all(|slice| is_of_names(&slice.spec)) {
            return NoEndpoints::NamesOnly;
        }
        if !slices
            .iter()
            .any(|slice| port_in_slice(&slice.spec, port).is_some())
        {
            let mut found: Vec<String> = slices
                .iter()
                .flat_map(|slice| slice.spec.ports.iter().map(|(name, _)| name.clone()))
                .collect();
            found.sort();
            found.dedup();
            if found.is_empty() {
                return NoEndpoints::NoAddresses;
            }
            return NoEndpoints::NoSuchPort {
                name: port.name.clone(),
                found,
            };
        }
        match self.endpoints(service, port).len() {
            0 => NoEndpoints::NoAddresses,
            count => NoEndpoints::NoneReady(count),
        }
    }

    /// The EndpointSlices of a Service.
    pub fn slices(&self, service: &ObjectRef) -> &[&'a Object<EndpointSlice>] {
        by_name(&self.slices, service)
    }
}

/// The port of a Service with this number (`getServicePort`).
pub fn service_port(service: &Service, port: u16) -> Option<&ServicePort> {
    service
        .ports
        .iter()
        .find(|candidate| candidate.port == port)
}

/// Which of two policies for the same Service comes first.
fn precedence(a: &Object<BackendTLSPolicy>, b: &Object<BackendTLSPolicy>) -> Ordering {
    let key = |policy: &Object<BackendTLSPolicy>| policy.meta.created;
    key(a)
        .cmp(&key(b))
        .then_with(|| a.reference.cmp(&b.reference))
}

fn is_of_names(slice: &EndpointSlice) -> bool {
    slice.address_type == "FQDN"
}

/// `findPort`: by name; a slice's port without a number stands for every port.
fn port_in_slice(slice: &EndpointSlice, port: &ServicePort) -> Option<u16> {
    if is_of_names(slice) {
        return None;
    }
    for (name, number) in &slice.ports {
        match number {
            None => {
                let target = port
                    .target_port
                    .as_deref()
                    .and_then(|port| port.parse().ok());
                return Some(target.filter(|port| *port != 0).unwrap_or(port.port));
            }
            Some(number) if *name == port.name => return Some(*number),
            Some(_) => {}
        }
    }
    None
}

/// Orders 10.0.0.9 before 10.0.0.10.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum AddressOrder {
    Ip(IpAddr),
    Text(String),
}

impl AddressOrder {
    fn of(address: &str) -> Self {
        address
            .parse()
            .map_or_else(|_| Self::Text(address.to_owned()), Self::Ip)
    }
}
