//! Builds the tree: attaches routes to listeners, then writes it down from the roots.

mod unattached;

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

use ngf_text::host_and_port;

use crate::model::{
    attachment::{self, Refusal, Restriction},
    index::{self, Endpoint, Index},
    kind::Kind,
    kinds::{BackendRef, BackendTLSPolicy, Gateway, Listener, ListenerSet, LocalRef, Route},
    object::{Object, ObjectRef},
    snapshot::Snapshot,
};

use super::{Backend, Group, NodeIx, Step, Topology, What, is_ngf_controller, service_of};

/// What a new node says.
pub(super) struct Label {
    pub(super) what: What,
    pub(super) name: String,
    pub(super) note: Option<String>,
    pub(super) object: Option<ObjectRef>,
}

/// What the nodes of one endpoint say, wherever it stands.
struct EndpointLabel {
    endpoint: Arc<Endpoint>,
    address: Arc<str>,
    name: String,
    note: Option<String>,
}

impl EndpointLabel {
    fn new(endpoint: Endpoint) -> Self {
        let note = if endpoint.ready {
            endpoint.pod.as_ref().map(|pod| pod.name.clone())
        } else if endpoint.terminating {
            Some("terminating".to_owned())
        } else {
            Some("not ready".to_owned())
        };
        Self {
            address: endpoint.address.as_str().into(),
            name: host_and_port(&endpoint.address, endpoint.port),
            note,
            endpoint: Arc::new(endpoint),
        }
    }
}

/// A Gateway or ListenerSet with what attaches to each of its listeners.
pub(super) struct Parent<'a> {
    listeners: &'a [Listener],
    restrictions: Vec<Restriction>,
    attached: Vec<Vec<(&'a Object<Route>, Vec<String>)>>,
}

impl<'a> Parent<'a> {
    fn new(listeners: &'a [Listener], raw: &serde_json::Value) -> Self {
        Self {
            listeners,
            restrictions: Restriction::read(raw),
            attached: listeners.iter().map(|_| Vec::new()).collect(),
        }
    }
}

pub(super) struct Builder<'a> {
    snapshot: &'a Snapshot,
    index: &'a Index<'a>,
    parents: HashMap<&'a ObjectRef, Parent<'a>>,
    /// ListenerSets whose Gateway does not take them.
    refused_sets: HashSet<&'a ObjectRef>,
    unattached: Vec<(&'a Object<Route>, Option<Refusal>)>,
    used_policies: HashSet<&'a ObjectRef>,
    /// Many routes refer to one Service: what its nodes say is worked out once.
    endpoints: HashMap<(&'a ObjectRef, u16), Rc<[EndpointLabel]>>,
    /// The listener at hand passes TLS on unread.
    passthrough: bool,
    pub(super) tree: Topology,
}

impl<'a> Builder<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, index: &'a Index<'a>) -> Self {
        let gateways = snapshot
            .gateways
            .iter()
            .map(|(name, gateway)| (name, Parent::new(&gateway.spec.listeners, &gateway.raw)));
        let sets = snapshot
            .listener_sets
            .iter()
            .map(|(name, set)| (name, Parent::new(&set.spec.listeners, &set.raw)));
        let refused_sets = snapshot
            .listener_sets
            .iter()
            .filter(|(_, set)| {
                let gateway = snapshot.gateways.get(&gateway_of(set));
                gateway.is_none_or(|gateway| !set_attaches(gateway, set))
            })
            .map(|(name, _)| name)
            .collect();
        Self {
            snapshot,
            index,
            parents: gateways.chain(sets).collect(),
            refused_sets,
            unattached: Vec::new(),
            used_policies: HashSet::new(),
            endpoints: HashMap::new(),
            passthrough: false,
            tree: Topology::default(),
        }
    }

    pub(super) fn attach_routes(&mut self) {
        for route in self.snapshot.routes.values() {
            let mut refusal = None;
            let mut attached = false;
            for reference in &route.spec.parent_refs {
                match self.attach(route, reference) {
                    Ok(()) => attached = true,
                    // Another parent may take it all the same.
                    Err(why @ Refusal::NamespaceUnknown(_)) => refusal = Some(why),
                    Err(why) => refusal = refusal.or(Some(why)),
                }
            }
            if !attached {
                if matches!(refusal, Some(Refusal::NamespaceUnknown(_))) {
                    Arc::make_mut(&mut self.tree.undecided).insert(route.reference.clone());
                }
                self.unattached.push((route, refusal));
            }
        }
    }

    fn attach(&mut self, route: &'a Object<Route>, reference: &LocalRef) -> Result<(), Refusal> {
        let parent = attachment::parent_of(reference, &route.reference.namespace)
            .ok_or_else(|| Refusal::NotAParent(reference.kind.clone().unwrap_or_default()))?;
        if self.refused_sets.contains(&parent) {
            return Err(Refusal::ListenerSetNotAllowed(parent));
        }
        let Some(slots) = self.parents.get_mut(&parent) else {
            return Err(Refusal::NoSuchParent(parent));
        };
        let listeners = attachment::attach(
            route,
            reference,
            &parent,
            slots.listeners,
            &slots.restrictions,
        )?;
        for (index, hostnames) in listeners {
            let slot = &mut slots.attached[index];
            // Two parentRefs may reach one listener: by section name and without.
            if slot
                .last()
                .is_none_or(|(last, _)| last.reference != route.reference)
            {
                slot.push((route, hostnames));
            }
        }
        Ok(())
    }

    pub(super) fn emit(&mut self) {
        let mut by_class: HashMap<&str, Vec<&'a Object<Gateway>>> = HashMap::new();
        for gateway in self.snapshot.gateways.values() {
            by_class
                .entry(gateway.spec.class.as_str())
                .or_default()
                .push(gateway);
        }
        let mut sets: HashMap<ObjectRef, Vec<&'a Object<ListenerSet>>> = HashMap::new();
        for set in self.snapshot.listener_sets.values() {
            sets.entry(gateway_of(set)).or_default().push(set);
        }
        for (reference, class) in &self.snapshot.gateway_classes {
            let note = (!is_ngf_controller(&class.spec.controller_name))
                .then(|| format!("another controller: {}", class.spec.controller_name));
            let root = self.tree.push(
                None,
                Step::Class(reference.name.clone()),
                Label {
                    what: What::Class,
                    name: reference.name.clone(),
                    note,
                    object: Some(reference.clone()),
                },
            );
            for gateway in by_class.remove(reference.name.as_str()).unwrap_or_default() {
                self.gateway(root, gateway, &sets);
            }
        }
        self.classes_without_object(by_class, &sets);
        self.unattached_routes();
        self.unused_policies();
    }

    fn group(&mut self, group: Group, name: &str) -> NodeIx {
        self.tree.push(
            None,
            Step::Group(group),
            Label {
                what: What::Group(group),
                name: name.to_owned(),
                note: None,
                object: None,
            },
        )
    }

    fn gateway(
        &mut self,
        root: NodeIx,
        gateway: &'a Object<Gateway>,
        sets: &HashMap<ObjectRef, Vec<&'a Object<ListenerSet>>>,
    ) -> NodeIx {
        let place = self.object(root, &gateway.reference, What::Gateway, None);
        self.listeners(place, &gateway.reference);
        for set in sets.get(&gateway.reference).into_iter().flatten() {
            let note = self
                .refused_sets
                .contains(&set.reference)
                .then(|| "not allowed by the Gateway".to_owned());
            let place = self.object(place, &set.reference, What::ListenerSet, note);
            self.listeners(place, &set.reference);
        }
        place
    }

    fn object(
        &mut self,
        parent: NodeIx,
        object: &'a ObjectRef,
        what: What,
        note: Option<String>,
    ) -> NodeIx {
        let label = Label {
            what,
            name: object.path(),
            note,
            object: Some(object.clone()),
        };
        let step = Step::Object(object.clone());
        self.tree.push(Some(parent), step, label)
    }

    fn listeners(&mut self, above: NodeIx, owner: &'a ObjectRef) {
        let Some(parent) = self.parents.remove(owner) else {
            return;
        };
        for (listener, routes) in parent.listeners.iter().zip(parent.attached) {
            let host = listener.hostname.as_deref().unwrap_or_default();
            let label = Label {
                what: What::Listener {
                    name: listener.name.clone(),
                },
                name: format!("{} {host}:{}", listener.name, listener.port),
                note: Some(listener.protocol.clone()),
                object: Some(owner.clone()),
            };
            let place = self
                .tree
                .push(Some(above), Step::Listener(listener.name.clone()), label);
            self.passthrough = listener.tls_mode.as_deref() == Some("Passthrough");
            for (route, hostnames) in routes {
                self.route(place, route, hostnames, None);
            }
            self.passthrough = false;
        }
    }

    fn route(
        &mut self,
        above: NodeIx,
        route: &'a Object<Route>,
        hostnames: Vec<String>,
        note: Option<String>,
    ) {
        let place = self.object(above, &route.reference, What::Route { hostnames }, note);
        for (index, rule) in route.spec.rules.iter().enumerate() {
            let name = rule.name.clone().unwrap_or_else(|| {
                let matches = rule.matches.join(", ");
                if matches.is_empty() {
                    format!("rule {index}")
                } else {
                    matches
                }
            });
            let label = Label {
                what: What::Rule { index },
                name,
                note: None,
                object: Some(route.reference.clone()),
            };
            let rule_place = self.tree.push(Some(place), Step::Rule(index as u32), label);
            for backend in &rule.backend_refs {
                self.backend(rule_place, route, backend, false);
            }
            for backend in &rule.filter_backend_refs {
                self.backend(rule_place, route, backend, true);
            }
        }
    }

    fn backend(
        &mut self,
        above: NodeIx,
        route: &Object<Route>,
        backend: &BackendRef,
        filter: bool,
    ) {
        let target = &backend.target;
        let name = backend_name(target, &route.reference.namespace);
        let service = service_of(target, &route.reference.namespace);
        let found = service.as_ref().and_then(|name| self.index.service(name));
        let port = found
            .zip(target.port)
            .and_then(|(service, port)| index::service_port(&service.spec, port));
        let mut policies = match (&service, port) {
            (Some(service), Some(port)) if consults_policies(route.reference.kind) => {
                self.index.policies(service, &port.name)
            }
            _ => Vec::new(),
        };
        if self.passthrough {
            // NGF accepts the policies, and they have no effect.
            self.used_policies
                .extend(policies.drain(..).map(|policy| &policy.reference));
        }
        let note = if let Some(policy) = policies.first() {
            Some(format!("← {}", policy.reference.name))
        } else if service.is_none() {
            Some(target.kind.clone().unwrap_or_default())
        } else if found.is_none() {
            Some("no such Service is known".to_owned())
        } else if port.is_none() {
            Some("the Service has no such port".to_owned())
        } else if self.passthrough {
            Some("passed on unread".to_owned())
        } else {
            filter.then(|| "of a filter".to_owned())
        };
        let what = What::Backend(Box::new(Backend {
            service: service.clone(),
            port: target.port,
            port_name: port.map(|port| port.name.clone()),
            policy: policies.first().map(|policy| policy.reference.clone()),
            filter,
        }));
        let step = Step::Backend {
            occurrence: self.occurrence(above, &name, target.port),
            name: name.as_str().into(),
            port: target.port,
        };
        let label = Label {
            what,
            name: match target.port {
                Some(port) => format!("{name}:{port}"),
                None => name,
            },
            note,
            object: service,
        };
        let place = self.tree.push(Some(above), step, label);
        self.policies_of_backend(place, &policies);
        if let (Some(service), Some(port)) = (found, port) {
            let index = self.index;
            let endpoints = Rc::clone(
                self.endpoints
                    .entry((&service.reference, port.port))
                    .or_insert_with(|| {
                        let all = index.endpoints(service, port).into_iter();
                        all.map(EndpointLabel::new).collect()
                    }),
            );
            for endpoint in &*endpoints {
                let label = Label {
                    what: What::Endpoint(Arc::clone(&endpoint.endpoint)),
                    name: endpoint.name.clone(),
                    note: endpoint.note.clone(),
                    object: endpoint.endpoint.pod.clone(),
                };
                let step = Step::Endpoint {
                    address: Arc::clone(&endpoint.address),
                    port: endpoint.endpoint.port,
                };
                self.tree.push(Some(place), step, label);
            }
        }
    }

    fn policies_of_backend(&mut self, place: NodeIx, policies: &[&'a Object<BackendTLSPolicy>]) {
        for (rank, policy) in policies.iter().enumerate() {
            self.used_policies.insert(&policy.reference);
            let note = (rank > 0).then(|| "loses against an older one".to_owned());
            let what = What::Policy {
                effective: rank == 0,
            };
            self.object(place, &policy.reference, what, note);
        }
    }

    /// A rule may refer to the same port twice.
    fn occurrence(&self, above: NodeIx, name: &str, port: Option<u16>) -> u32 {
        let siblings = &self.tree.node(above).children;
        let same = siblings.iter().filter(|sibling| {
            matches!(
                self.tree.node(**sibling).id.step(),
                Step::Backend { name: other, port: other_port, .. }
                    if **other == *name && *other_port == port
            )
        });
        same.count() as u32
    }
}

/// TCP and UDP routes never look at BackendTLSPolicies (`buildTCPRoute`, `buildUDPRoute`).
fn consults_policies(kind: Kind) -> bool {
    matches!(kind, Kind::HTTPRoute | Kind::GRPCRoute | Kind::TLSRoute)
}

fn backend_name(target: &LocalRef, route_namespace: &str) -> String {
    match target.namespace.as_deref() {
        Some(namespace) if namespace != route_namespace => {
            format!("{namespace}/{}", target.name)
        }
        _ => target.name.clone(),
    }
}

/// The Gateway that a ListenerSet adds listeners to.
pub fn gateway_of(set: &Object<ListenerSet>) -> ObjectRef {
    let reference = &set.spec.parent_ref;
    let namespace = reference
        .namespace
        .as_deref()
        .unwrap_or(&set.reference.namespace);
    ObjectRef::new(Kind::Gateway, namespace, &reference.name)
}

fn set_attaches(gateway: &Object<Gateway>, set: &Object<ListenerSet>) -> bool {
    attachment::takes_listener_set(gateway, &set.reference).unwrap_or_else(|| {
        // Labels of namespaces are not read; the ListenerSet's status knows.
        set.status
            .conditions
            .iter()
            .any(|condition| condition.kind == "Accepted" && condition.status == "True")
    })
}
