//! Names of the tree's nodes that stay the same from one snapshot to the next.

use std::{
    cmp::Ordering,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use super::object::ObjectRef;

/// The way from a root of the tree to a node. Cheap to clone; equal for the same thing in two
/// snapshots, so that a selection or a folded branch survives an update. Orders parents before
/// their children.
#[derive(Clone)]
pub struct NodeId(Arc<Inner>);

struct Inner {
    parent: Option<NodeId>,
    step: Step,
    /// Of the whole way, so that looking up one of fifty thousand nodes hashes nothing again.
    hash: u64,
    depth: u16,
}

/// The last part of the way to a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A GatewayClass by name; the object itself may be missing.
    Class(String),
    /// What hangs nowhere else.
    Group(Group),
    /// A Gateway, ListenerSet, route or policy.
    Object(ObjectRef),
    /// A listener by name.
    Listener(String),
    /// A rule of the route above, from 0.
    Rule(u32),
    /// A backend of the rule above.
    Backend {
        /// What the reference names, with its namespace where that is another than the route's.
        name: Arc<str>,
        /// Its port.
        port: Option<u16>,
        /// From 0: which of the equal references of that rule it is.
        occurrence: u32,
    },
    /// An endpoint of the backend above.
    Endpoint {
        /// IP address or, for an ExternalName Service, a host name.
        address: Arc<str>,
        /// Port.
        port: u16,
    },
}

/// A root for what hangs nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Gateways whose GatewayClass does not exist.
    UnknownClass,
    /// Routes that no listener of any Gateway takes.
    UnattachedRoutes,
    /// BackendTLSPolicies that no route's backend uses.
    UnusedPolicies,
}

impl NodeId {
    /// The id of a root.
    pub fn root(step: Step) -> Self {
        Self::new(None, step)
    }

    /// The id of a child.
    #[must_use]
    pub fn child(&self, step: Step) -> Self {
        Self::new(Some(self.clone()), step)
    }

    fn new(parent: Option<Self>, step: Step) -> Self {
        let mut hasher = DefaultHasher::new();
        let mut depth = 0;
        if let Some(parent) = &parent {
            parent.0.hash.hash(&mut hasher);
            depth = parent.0.depth + 1;
        }
        step.hash(&mut hasher);
        Self(Arc::new(Inner {
            parent,
            step,
            hash: hasher.finish(),
            depth,
        }))
    }

    /// The last part.
    pub fn step(&self) -> &Step {
        &self.0.step
    }

    /// The node above; `None` for a root.
    pub fn parent(&self) -> Option<&Self> {
        self.0.parent.as_ref()
    }

    /// How many nodes are above; 0 for a root.
    pub fn depth(&self) -> usize {
        usize::from(self.0.depth)
    }

    fn path(&self) -> Vec<&Step> {
        let mut path = Vec::with_capacity(self.depth() + 1);
        let mut next = Some(self);
        while let Some(id) = next {
            path.push(&id.0.step);
            next = id.parent();
        }
        path.reverse();
        path
    }
}

impl PartialEq for NodeId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.hash == other.0.hash
                && self.0.step == other.0.step
                && self.0.parent == other.0.parent)
    }
}

impl Eq for NodeId {}

impl Hash for NodeId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl PartialOrd for NodeId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NodeId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.path().cmp(&other.path())
    }
}

/// `class nginx / Gateway default/gateway / listener http`.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.path().into_iter().enumerate() {
            if index > 0 {
                f.write_str(" / ")?;
            }
            match step {
                Step::Class(name) => write!(f, "class {name}")?,
                Step::Group(Group::UnknownClass) => f.write_str("Gateways of unknown class")?,
                Step::Group(Group::UnattachedRoutes) => f.write_str("unattached routes")?,
                Step::Group(Group::UnusedPolicies) => f.write_str("unused policies")?,
                Step::Object(object) => write!(f, "{object}")?,
                Step::Listener(name) => write!(f, "listener {name}")?,
                Step::Rule(index) => write!(f, "rule {index}")?,
                Step::Backend {
                    name,
                    port,
                    occurrence,
                    ..
                } => {
                    f.write_str(name)?;
                    if let Some(port) = port {
                        write!(f, ":{port}")?;
                    }
                    if *occurrence > 0 {
                        write!(f, " #{occurrence}")?;
                    }
                }
                Step::Endpoint { address, port } if address.contains(':') => {
                    write!(f, "[{address}]:{port}")?;
                }
                Step::Endpoint { address, port } => write!(f, "{address}:{port}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}
