//! Puts the tree of a part in the place of what a larger tree has of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Group, Node, NodeIx, NodeKind, Topology,
    branches::{Branch, Slot},
};
use crate::model::{object::ObjectRef, snapshot::Snapshot};

/// What orders the roots of a tree: what sort of root it is, and its name.
type RootOrder = (u8, String);

fn order_of(root: &Node) -> RootOrder {
    match &root.what {
        NodeKind::Group(Group::UnattachedRoutes) => (2, String::new()),
        NodeKind::Group(Group::UnusedPolicies) => (3, String::new()),
        NodeKind::Group(Group::UnknownClass) => (1, String::new()),
        _ if root.object.is_none() => (1, root.name.to_string()),
        _ => (0, root.name.to_string()),
    }
}

/// A root of the new tree.
struct Root {
    slot: Slot,
    /// It stands without anything below it.
    is_class: bool,
    children: Vec<NodeIx>,
}

impl Topology {
    /// The tree of a snapshot that differs from the one before in a part of it: `part` is the tree of that part as it
    /// is now, and `is_of_part` tells its objects. Returns the new nodes, too.
    pub(crate) fn spliced(
        &self,
        snapshot: &Snapshot,
        part: &Self,
        is_of_part: impl Fn(&ObjectRef) -> bool,
    ) -> (Self, Vec<NodeIx>) {
        let mut tree = self.clone();
        let mut roots: BTreeMap<RootOrder, Root> = BTreeMap::new();
        for root in &self.roots {
            let node = self.node(*root);
            let (gone, children): (Vec<NodeIx>, Vec<NodeIx>) =
                node.children.iter().partition(|child| {
                    let object = self.node(**child).object.as_ref();
                    object.is_some_and(&is_of_part)
                });
            for child in gone {
                tree.branches.take(self.branches.slot(child));
            }
            let root = Root {
                slot: self.branches.slot(*root),
                is_class: node.object.is_some(),
                children,
            };
            roots.insert(order_of(node), root);
        }
        let mut new = Vec::new();
        for root in &part.roots {
            let node = part.node(*root);
            let known = roots.entry(order_of(node)).or_insert_with(|| {
                let alone = Branch {
                    base: root.0,
                    nodes: vec![Node {
                        children: Vec::new(),
                        ..node.clone()
                    }],
                };
                Root {
                    slot: tree.branches.put(alone, None),
                    is_class: node.object.is_some(),
                    children: Vec::new(),
                }
            });
            let parent = NodeIx(tree.branches.branch(known.slot).base);
            for child in &node.children {
                let branch = part.branches.branch(part.branches.slot(*child));
                let slot = tree.branches.put((**branch).clone(), Some(parent));
                known.children.push(NodeIx(tree.branches.branch(slot).base));
                new.extend(tree.branches.of(slot).map(|(place, _)| place));
            }
        }
        tree.set_roots(snapshot, roots);
        let undecided = self.undecided.iter().filter(|route| !is_of_part(route));
        let undecided: BTreeSet<ObjectRef> =
            undecided.chain(part.undecided.iter()).cloned().collect();
        if undecided != *self.undecided {
            tree.undecided = Arc::new(undecided);
        }
        (tree, new)
    }

    fn set_roots(&mut self, snapshot: &Snapshot, roots: BTreeMap<RootOrder, Root>) {
        let mut order = Vec::new();
        self.roots.clear();
        for root in roots.into_values() {
            if root.children.is_empty() && !root.is_class {
                self.branches.take(root.slot);
                continue;
            }
            let place = NodeIx(self.branches.branch(root.slot).base);
            let mut children = root.children;
            let is_of_unknown_class =
                matches!(self.node(place).what, NodeKind::Group(Group::UnknownClass));
            children.sort_by_cached_key(|child| {
                let object = self.node(*child).object.clone();
                let gateway = object.as_ref().and_then(|name| snapshot.gateways.get(name));
                let class = gateway.filter(|_| is_of_unknown_class);
                (class.map(|found| found.spec.class.clone()), object)
            });
            self.roots.push(place);
            order.push(root.slot);
            order.extend(children.iter().map(|child| self.branches.slot(*child)));
            if self.node(place).children != children {
                self.branches.node_mut(place).children = children;
            }
        }
        self.branches.set_order(order);
    }
}
