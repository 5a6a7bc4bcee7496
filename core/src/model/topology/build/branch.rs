//! Builds one branch: what hangs on a root of the tree, with all that is below it.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

use ngf_text::host_and_port;

use crate::model::{
    index::{self, Endpoint, Index},
    kind::Kind,
    kinds::{BackendRef, BackendTLSPolicy, Gateway, ListenerSet, LocalRef, Route},
    object::{Object, ObjectRef},
};

use super::{
    super::{Backend, Node, NodeId, NodeIx, NodeKind, Step, branches::Branch, service_of},
    Label, Parent,
};

/// What is at the head of a branch.
pub(super) enum Head<'a> {
    /// A Gateway with its ListenerSets, and what to say behind each name.
    Gateway {
        gateway: &'a Object<Gateway>,
        note: Option<String>,
        sets: Vec<(&'a Object<ListenerSet>, Option<String>)>,
    },
    /// A route that no listener takes, and why.
    Unattached(&'a Object<Route>, String),
    /// A policy that nothing uses.
    Policy(&'a ObjectRef),
}

/// A branch that has no place in a tree yet: it begins at the index 0.
pub(super) struct Grown<'a> {
    pub(super) branch: Branch,
    /// The policies that its backends use.
    pub(super) used_policies: HashSet<&'a ObjectRef>,
}

/// What the nodes of one endpoint say, wherever it stands.
struct EndpointLabel {
    endpoint: Arc<Endpoint>,
    address: Arc<str>,
    name: Arc<str>,
    note: Option<Arc<str>>,
}

impl EndpointLabel {
    fn new(endpoint: Endpoint) -> Self {
        let note = if endpoint.ready {
            endpoint.pod.as_ref().map(|pod| pod.name.as_str())
        } else if endpoint.terminating {
            Some("terminating")
        } else {
            Some("not ready")
        };
        Self {
            address: endpoint.address.as_str().into(),
            name: host_and_port(&endpoint.address, endpoint.port).into(),
            note: note.map(Arc::from),
            endpoint: Arc::new(endpoint),
        }
    }
}

/// Builds a branch.
pub(super) struct Grower<'b, 'a> {
    index: &'b Index<'a>,
    parents: &'b HashMap<&'a ObjectRef, Parent<'a>>,
    /// The id of the root.
    root: &'b NodeId,
    nodes: Vec<Node>,
    used_policies: HashSet<&'a ObjectRef>,
    /// Many routes refer to one Service: what its nodes say is worked out once.
    endpoints: HashMap<(&'a ObjectRef, u16), Rc<[EndpointLabel]>>,
    /// The listener at hand passes TLS on unread.
    passthrough: bool,
}

impl<'b, 'a> Grower<'b, 'a> {
    pub(super) fn new(
        index: &'b Index<'a>,
        parents: &'b HashMap<&'a ObjectRef, Parent<'a>>,
        root: &'b NodeId,
    ) -> Self {
        Self {
            index,
            parents,
            root,
            nodes: Vec::new(),
            used_policies: HashSet::new(),
            endpoints: HashMap::new(),
            passthrough: false,
        }
    }

    /// Builds what is below a head, and the head.
    pub(super) fn grow(mut self, head: &Head<'a>) -> Grown<'a> {
        match head {
            Head::Gateway {
                gateway,
                note,
                sets,
            } => {
                let name = &gateway.reference;
                let place = self.object(None, name, NodeKind::Gateway, note.as_deref());
                self.listeners(place, name);
                for (set, note) in sets {
                    let name = &set.reference;
                    let place =
                        self.object(Some(place), name, NodeKind::ListenerSet, note.as_deref());
                    self.listeners(place, name);
                }
            }
            Head::Unattached(route, why) => self.route(None, route, Vec::new(), Some(why)),
            Head::Policy(policy) => {
                self.object(None, policy, NodeKind::Policy { effective: false }, None);
            }
        }
        // A tree is kept for long.
        self.nodes.shrink_to_fit();
        Grown {
            branch: Branch {
                base: 0,
                nodes: self.nodes,
            },
            used_policies: self.used_policies,
        }
    }

    fn push(&mut self, above: Option<NodeIx>, step: Step, label: Label) -> NodeIx {
        let index = NodeIx(self.nodes.len() as u32);
        let id = match above {
            Some(above) => {
                let above = &mut self.nodes[above.index()];
                above.children.push(index);
                above.id.child(step)
            }
            None => self.root.child(step),
        };
        self.nodes.push(Node::new(id, above, label));
        index
    }

    fn object(
        &mut self,
        above: Option<NodeIx>,
        object: &'a ObjectRef,
        what: NodeKind,
        note: Option<&str>,
    ) -> NodeIx {
        let label = Label {
            what,
            name: object.path().into(),
            note: note.map(Arc::from),
            object: Some(object.clone()),
        };
        self.push(above, Step::Object(object.clone()), label)
    }

    fn listeners(&mut self, above: NodeIx, owner: &'a ObjectRef) {
        let parents = self.parents;
        let Some(parent) = parents.get(owner) else {
            return;
        };
        for (listener, routes) in parent.listeners.iter().zip(&parent.attached) {
            let host = listener.hostname.as_deref().unwrap_or_default();
            let label = Label {
                what: NodeKind::Listener {
                    name: listener.name.clone(),
                },
                name: format!("{} {host}:{}", listener.name, listener.port).into(),
                note: Some(listener.protocol.as_str().into()),
                object: Some(owner.clone()),
            };
            let place = self.push(Some(above), Step::Listener(listener.name.clone()), label);
            self.passthrough = listener.tls_mode.as_deref() == Some("Passthrough");
            for (route, hostnames) in routes {
                self.route(Some(place), route, hostnames.clone(), None);
            }
            self.passthrough = false;
        }
    }

    fn route(
        &mut self,
        above: Option<NodeIx>,
        route: &'a Object<Route>,
        hostnames: Vec<String>,
        note: Option<&str>,
    ) {
        let place = self.object(above, &route.reference, NodeKind::Route { hostnames }, note);
        for (index, rule) in route.spec.rules.iter().enumerate() {
            let name = match (&rule.name, rule.matches.as_slice()) {
                (Some(name), _) => name.as_str().into(),
                (None, []) => format!("rule {index}").into(),
                (None, [one]) => one.as_str().into(),
                (None, several) => several.join(", ").into(),
            };
            let label = Label {
                what: NodeKind::Rule { index },
                name,
                note: None,
                object: Some(route.reference.clone()),
            };
            let rule_place = self.push(Some(place), Step::Rule(index as u32), label);
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
        let name: Arc<str> = backend_name(target, &route.reference.namespace).into();
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
        let note: Option<Arc<str>> = if let Some(policy) = policies.first() {
            Some(format!("← {}", policy.reference.name).into())
        } else if service.is_none() {
            Some(target.kind.as_deref().unwrap_or_default().into())
        } else if found.is_none() {
            Some("no such Service is known".into())
        } else if port.is_none() {
            Some("the Service has no such port".into())
        } else if self.passthrough {
            Some("passed on unread".into())
        } else {
            filter.then(|| "of a filter".into())
        };
        // The name of the object that is there, so that all share it.
        let service = found.map(|found| found.reference.clone()).or(service);
        let what = NodeKind::Backend(Box::new(Backend {
            service: service.clone(),
            port: target.port,
            port_name: port.map(|port| port.name.clone()),
            policy: policies.first().map(|policy| policy.reference.clone()),
            filter,
        }));
        let step = Step::Backend {
            occurrence: self.occurrence(above, &name, target.port),
            name: Arc::clone(&name),
            port: target.port,
        };
        let label = Label {
            what,
            name: match target.port {
                Some(port) => format!("{name}:{port}").into(),
                None => name,
            },
            note,
            object: service,
        };
        let place = self.push(Some(above), step, label);
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
            self.nodes[place.index()]
                .children
                .reserve_exact(endpoints.len());
            for endpoint in &*endpoints {
                self.endpoint(place, endpoint);
            }
        }
    }

    fn endpoint(&mut self, above: NodeIx, endpoint: &EndpointLabel) {
        let label = Label {
            what: NodeKind::Endpoint(Arc::clone(&endpoint.endpoint)),
            name: Arc::clone(&endpoint.name),
            note: endpoint.note.clone(),
            object: endpoint.endpoint.pod.clone(),
        };
        let step = Step::Endpoint {
            address: Arc::clone(&endpoint.address),
            port: endpoint.endpoint.port,
        };
        self.push(Some(above), step, label);
    }

    fn policies_of_backend(&mut self, place: NodeIx, policies: &[&'a Object<BackendTLSPolicy>]) {
        for (rank, policy) in policies.iter().enumerate() {
            self.used_policies.insert(&policy.reference);
            let note = (rank > 0).then_some("loses against an older one");
            let what = NodeKind::Policy {
                effective: rank == 0,
            };
            self.object(Some(place), &policy.reference, what, note);
        }
    }

    /// A rule may refer to the same port twice.
    fn occurrence(&self, above: NodeIx, name: &str, port: Option<u16>) -> u32 {
        let siblings = &self.nodes[above.index()].children;
        let same = siblings.iter().filter(|sibling| {
            matches!(
                self.nodes[sibling.index()].id.step(),
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
