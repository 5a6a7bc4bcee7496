//! The tree that the objects form: GatewayClass, Gateway, listener (of the Gateway or of a
//! ListenerSet), route, rule, Service and port with its policy, endpoints; and roots for what hangs
//! nowhere.

mod branches;
mod build;
mod splice;

use std::{collections::BTreeSet, sync::Arc};

use super::{
    index::{Endpoint, Index},
    kind::Kind,
    kinds::LocalRef,
    object::ObjectRef,
    snapshot::{KindState, Snapshot, Source},
    status::ParentStatus,
};

pub use super::node_id::{Group, NodeId, Step};
use branches::Branches;
pub use build::gateway_of;
use build::{Builder, Label};

/// The place of a node in its [`Topology`]; worth nothing in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(u32);

impl NodeIx {
    /// As an index into a table that is as long as [`Topology::bound`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The tree. What hangs below a Gateway is a branch, as is a route that no listener takes and a policy that nothing
/// uses: two trees share the branches that are the same in both.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    branches: Branches,
    roots: Vec<NodeIx>,
    undecided: Arc<BTreeSet<ObjectRef>>,
}

/// A node of the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name in this snapshot and the next.
    pub id: NodeId,
    /// What it is.
    pub what: NodeKind,
    /// What to call it: `gateway`, `http :80`, `secure-app:8443`.
    pub name: Arc<str>,
    /// What to say behind the name: `← backend-tls`, `not ready`.
    pub note: Option<Arc<str>>,
    /// The object that it stands for; for a listener or a rule the object that holds it.
    pub object: Option<ObjectRef>,
    /// The node above.
    pub parent: Option<NodeIx>,
    /// The nodes below, in order.
    pub children: Vec<NodeIx>,
}

/// What a node is, with what views and probes ask of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A root for what hangs nowhere else.
    Group(Group),
    /// A GatewayClass.
    Class,
    /// A Gateway.
    Gateway,
    /// A ListenerSet of the Gateway above.
    ListenerSet,
    /// A listener.
    Listener {
        /// Its name.
        name: String,
    },
    /// A route, with the host names under which the listener above takes it; empty for any.
    Route {
        /// Host names that both sides accept.
        hostnames: Vec<String>,
    },
    /// A rule of the route above.
    Rule {
        /// From 0.
        index: usize,
    },
    /// A Service's port that the rule above refers to.
    Backend(Box<Backend>),
    /// A BackendTLSPolicy.
    Policy {
        /// It is the one that counts, not one that loses against it.
        effective: bool,
    },
    /// An endpoint of the backend above.
    Endpoint(Arc<Endpoint>),
}

/// A backend of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// The Service; `None` where the reference is of another kind.
    pub service: Option<ObjectRef>,
    /// The port, where the reference names one.
    pub port: Option<u16>,
    /// The name of that port, where Service and port exist.
    pub port_name: Option<String>,
    /// The policy that takes effect on it.
    pub policy: Option<ObjectRef>,
    /// It comes from a RequestMirror or ExternalAuth filter.
    pub filter: bool,
}

impl NodeKind {
    /// The word for it: `GatewayClass`, `listener`, `HTTPRoute` is the object's own.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Group(_) => "group",
            Self::Class => "GatewayClass",
            Self::Gateway => "Gateway",
            Self::ListenerSet => "ListenerSet",
            Self::Listener { .. } => "listener",
            Self::Route { .. } => "route",
            Self::Rule { .. } => "rule",
            Self::Backend(_) => "Service",
            Self::Policy { .. } => "BackendTLSPolicy",
            Self::Endpoint(_) => "endpoint",
        }
    }
}

impl Topology {
    /// Builds the tree in one pass over each kind.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::with(snapshot, &Index::of(snapshot))
    }

    /// Like [`Topology::of`], for one who has the look-ups already.
    pub fn with(snapshot: &Snapshot, index: &Index<'_>) -> Self {
        let mut builder = Builder::new(snapshot, index);
        builder.attach_routes();
        builder.emit()
    }

    /// The roots: GatewayClasses by name, then the groups.
    pub fn roots(&self) -> &[NodeIx] {
        &self.roots
    }

    /// A node.
    ///
    /// # Panics
    /// If the index is of another, larger tree.
    pub fn node(&self, index: NodeIx) -> &Node {
        self.branches.node(index)
    }

    /// All nodes, parents before their children.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeIx, &Node)> {
        self.branches.iter()
    }

    /// Whether a route is among those that no listener takes only because too little is known: the
    /// labels of its namespace decide, which are not read.
    pub fn is_undecided(&self, route: &ObjectRef) -> bool {
        self.undecided.contains(route)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.branches.count()
    }

    /// How long a table has to be that has a place for each node by its [`NodeIx::index`]. Not every index is a node's.
    pub fn bound(&self) -> usize {
        self.branches.bound()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// The node of that id, if this snapshot still has it.
    pub fn find(&self, id: &NodeId) -> Option<NodeIx> {
        self.branches.find(id)
    }

    /// Every place where an object stands in the tree.
    pub fn places(&self, object: &ObjectRef) -> Vec<NodeIx> {
        self.branches.places(object)
    }

    /// Puts nodes into the order of [`Topology::iter`].
    pub fn sort(&self, nodes: &mut [NodeIx]) {
        self.branches.sort(nodes);
    }

    /// The nodes above, the nearest first.
    pub fn ancestors(&self, index: NodeIx) -> impl Iterator<Item = NodeIx> {
        std::iter::successors(self.node(index).parent, |above| self.node(*above).parent)
    }

    /// The node itself and all below, parents before their children.
    pub fn subtree(&self, index: NodeIx) -> impl Iterator<Item = NodeIx> {
        let mut stack = vec![index];
        std::iter::from_fn(move || {
            let next = stack.pop()?;
            stack.extend(self.node(next).children.iter().rev());
            Some(next)
        })
    }

    /// The nearest node above (or this one) for which `of` gives something.
    pub fn above<'t, T>(&'t self, index: NodeIx, of: impl Fn(&'t Node) -> Option<T>) -> Option<T> {
        std::iter::once(index)
            .chain(self.ancestors(index))
            .find_map(|place| of(self.node(place)))
    }

    /// Takes everything but these nodes out of the tree. They keep their places.
    pub fn keep(&mut self, kept: &BTreeSet<NodeIx>) {
        self.roots.retain(|root| kept.contains(root));
        self.branches
            .for_each_mut(|node| node.children.retain(|child| kept.contains(child)));
    }

    fn push_root(&mut self, step: Step, label: Label) -> NodeIx {
        let node = Node::new(NodeId::root(step), None, label);
        let index = self.branches.push_root(node);
        self.roots.push(index);
        index
    }
}

impl Node {
    fn new(id: NodeId, parent: Option<NodeIx>, label: Label) -> Self {
        Self {
            id,
            what: label.what,
            name: label.name,
            note: label.note,
            object: label.object,
            parent,
            children: Vec::new(),
        }
    }
}

/// The Service that a backendRef names; `None` where it names another kind.
pub fn service_of(target: &LocalRef, route_namespace: &str) -> Option<ObjectRef> {
    let core = matches!(target.group.as_deref(), None | Some("" | "core"));
    let service = matches!(target.kind.as_deref(), None | Some("Service"));
    (core && service).then(|| {
        let namespace = target.namespace.as_deref().unwrap_or(route_namespace);
        ObjectRef::new(Kind::Service, namespace, &target.name)
    })
}

/// Whether NGF is the controller of that name (its flag demands this domain).
pub fn is_ngf_controller(name: &str) -> bool {
    name.starts_with("gateway.nginx.org/")
}

/// The parents or ancestors of which NGF has written, and those that name no controller. Other controllers write into the
/// same routes and policies.
pub fn told_by_ngf(told: &[ParentStatus]) -> impl Iterator<Item = &ParentStatus> + Clone {
    told.iter()
        .filter(|told| told.controller_name.is_empty() || is_ngf_controller(&told.controller_name))
}

/// The class that NGF's chart and manifests create.
pub const NGFS_OWN: &str = "nginx";

/// Whether a GatewayClass that is not in the snapshot does not exist.
pub fn classes_are_known(snapshot: &Snapshot) -> bool {
    matches!(snapshot.source, Source::Cluster { .. })
        && matches!(
            snapshot.kinds.get(&Kind::GatewayClass),
            Some(KindState::Live { .. } | KindState::Stale { .. })
        )
}
