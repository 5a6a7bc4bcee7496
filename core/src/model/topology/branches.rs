//! The nodes of a tree, in branches that another tree may share.

use std::{collections::BTreeMap, sync::Arc};

use super::{Node, NodeId, NodeIx, Step};
use crate::model::object::ObjectRef;

/// Nodes for which a page has room. A page belongs to one branch.
const PAGE: u32 = 16;

/// Which branch: its place in [`Branches::all`]. The first is empty; free pages belong to it.
pub(super) type Slot = u32;
const NO_BRANCH: Slot = 0;

/// Nodes that are told together: a root alone, or what hangs on a root with all that is below.
#[derive(Debug, Clone, Default)]
pub(super) struct Branch {
    /// The index of the first node; the others follow.
    pub(super) base: u32,
    /// The nodes, parents before their children.
    pub(super) nodes: Vec<Node>,
}

/// Where nodes are, by the hash of their object, in that order: the nodes themselves hold its name.
#[derive(Debug, Clone, Default)]
struct Known(Vec<(u64, NodeIx)>);

/// All branches.
#[derive(Debug, Clone)]
pub(super) struct Branches {
    all: Vec<Arc<Branch>>,
    /// The branch of each page.
    pages: Vec<Slot>,
    /// The branches in the order of the tree, and the place of each in it.
    order: Vec<Slot>,
    rank: Vec<u32>,
    /// Slots without a branch.
    vacant: Vec<Slot>,
    /// How many nodes there are.
    count: usize,
    /// Free pages: the first, and how many.
    free: BTreeMap<u32, u32>,
    /// Where the nodes are of the branches that were built together.
    known: Arc<Known>,
    /// Where those are of the branches that were put in later.
    later: BTreeMap<Slot, Arc<Known>>,
}

impl Default for Branches {
    fn default() -> Self {
        Self {
            all: vec![Arc::default()],
            pages: Vec::new(),
            order: Vec::new(),
            rank: vec![0],
            vacant: Vec::new(),
            count: 0,
            free: BTreeMap::new(),
            known: Arc::default(),
            later: BTreeMap::new(),
        }
    }
}

impl Branches {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn bound(&self) -> usize {
        self.pages.len() * PAGE as usize
    }

    pub(super) fn slot(&self, index: NodeIx) -> Slot {
        let page = self.pages.get((index.0 / PAGE) as usize);
        page.copied().unwrap_or(NO_BRANCH)
    }

    pub(super) fn branch(&self, slot: Slot) -> &Arc<Branch> {
        &self.all[slot as usize]
    }

    pub(super) fn node(&self, index: NodeIx) -> &Node {
        let branch = self.branch(self.slot(index));
        &branch.nodes[(index.0 - branch.base) as usize]
    }

    pub(super) fn node_mut(&mut self, index: NodeIx) -> &mut Node {
        let slot = self.slot(index);
        let branch = Arc::make_mut(&mut self.all[slot as usize]);
        &mut branch.nodes[(index.0 - branch.base) as usize]
    }

    pub(super) fn for_each_mut(&mut self, mut change: impl FnMut(&mut Node)) {
        for branch in &mut self.all {
            Arc::make_mut(branch).nodes.iter_mut().for_each(&mut change);
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeIx, &Node)> {
        self.order.iter().flat_map(|slot| self.of(*slot))
    }

    /// The nodes of one branch.
    pub(super) fn of(&self, slot: Slot) -> impl DoubleEndedIterator<Item = (NodeIx, &Node)> {
        self.branch(slot).iter()
    }

    /// Adds a root behind all others.
    pub(super) fn push_root(&mut self, root: Node) -> NodeIx {
        let alone = Branch {
            base: 0,
            nodes: vec![root],
        };
        self.push(alone, None)
    }

    /// Adds a branch behind all others, below that root.
    pub(super) fn append(&mut self, branch: Branch, root: NodeIx) {
        let first = self.push(branch, Some(root));
        self.node_mut(root).children.push(first);
    }

    fn push(&mut self, mut branch: Branch, parent: Option<NodeIx>) -> NodeIx {
        let slot = self.all.len() as Slot;
        let count = pages_for(branch.nodes.len()) as usize;
        self.count += branch.nodes.len();
        branch.move_to(self.pages.len() as u32 * PAGE, parent);
        let first = NodeIx(branch.base);
        self.all.push(Arc::new(branch));
        self.pages.resize(self.pages.len() + count, slot);
        self.rank.push(self.order.len() as u32);
        self.order.push(slot);
        first
    }

    /// Makes what was added known by its objects.
    pub(super) fn know_first(&mut self) {
        self.known = Arc::new(Known::of(self.iter()));
    }

    /// The node of that id: among the places of its object, or below the node above it.
    pub(super) fn find(&self, id: &NodeId) -> Option<NodeIx> {
        let is_it = |place: &NodeIx| self.node(*place).id == *id;
        match (id.step(), id.parent()) {
            (Step::Object(object), _) => self.places(object).into_iter().find(is_it),
            (_, Some(parent)) => {
                let above = self.find(parent)?;
                self.node(above).children.iter().copied().find(is_it)
            }
            (_, None) => {
                let firsts = self.order.iter();
                let mut firsts = firsts.map(|slot| NodeIx(self.branch(*slot).base));
                firsts.find(is_it)
            }
        }
    }

    pub(super) fn places(&self, object: &ObjectRef) -> Vec<NodeIx> {
        let hash = object.hashed();
        // All nodes of one entry stand for one object, but for a collision of 64 bits.
        let is_same = |place: &NodeIx| self.node(*place).object.as_ref() == Some(object);
        let first = self.known.places(hash);
        let mut all: Vec<NodeIx> = first.filter(|place| self.is_first(*place)).collect();
        for known in self.later.values() {
            all.extend(known.places(hash));
        }
        if !all.first().is_none_or(is_same) {
            return Vec::new();
        }
        if !self.later.is_empty() {
            self.sort(&mut all);
        }
        all
    }

    /// Puts nodes into the order of the tree.
    pub(super) fn sort(&self, nodes: &mut [NodeIx]) {
        nodes.sort_unstable_by_key(|place| (self.rank[self.slot(*place) as usize], *place));
    }

    /// Whether what was known first of an index holds.
    fn is_first(&self, index: NodeIx) -> bool {
        let slot = self.slot(index);
        slot != NO_BRANCH && !self.later.contains_key(&slot)
    }

    /// Takes a branch out.
    pub(super) fn take(&mut self, slot: Slot) {
        let branch = std::mem::take(&mut self.all[slot as usize]);
        self.later.remove(&slot);
        let first = branch.base / PAGE;
        let count = pages_for(branch.nodes.len());
        self.count -= branch.nodes.len();
        for page in first..first + count {
            self.pages[page as usize] = NO_BRANCH;
        }
        self.set_free(first, count);
        self.vacant.push(slot);
    }

    fn set_free(&mut self, mut first: u32, mut count: u32) {
        if let Some(behind) = self.free.remove(&(first + count)) {
            count += behind;
        }
        let before = self.free.range(..first).next_back();
        if let Some((start, length)) = before.map(|(start, length)| (*start, *length))
            && start + length == first
        {
            self.free.remove(&start);
            (first, count) = (start, length + count);
        }
        self.free.insert(first, count);
    }

    /// The first of so many free pages.
    fn room(&mut self, count: u32) -> u32 {
        let fitting = self.free.iter().find(|(_, length)| **length >= count);
        if let Some((first, length)) = fitting.map(|(first, length)| (*first, *length)) {
            self.free.remove(&first);
            if length > count {
                self.free.insert(first + count, length - count);
            }
            return first;
        }
        let first = self.pages.len() as u32;
        self.pages.resize((first + count) as usize, NO_BRANCH);
        first
    }

    /// Puts a branch in, below that parent; returns its slot.
    pub(super) fn put(&mut self, mut branch: Branch, parent: Option<NodeIx>) -> Slot {
        let count = pages_for(branch.nodes.len());
        self.count += branch.nodes.len();
        let first = self.room(count);
        branch.move_to(first * PAGE, parent);
        let known = Known::of(branch.iter());
        let slot = self.vacant.pop().unwrap_or(self.all.len() as Slot);
        if slot as usize == self.all.len() {
            self.all.push(Arc::default());
            self.rank.push(0);
        }
        self.all[slot as usize] = Arc::new(branch);
        for page in first..first + count {
            self.pages[page as usize] = slot;
        }
        self.later.insert(slot, Arc::new(known));
        slot
    }

    /// Says in which order the tree is told.
    pub(super) fn set_order(&mut self, order: Vec<Slot>) {
        for (rank, slot) in order.iter().enumerate() {
            self.rank[*slot as usize] = rank as u32;
        }
        self.order = order;
    }
}

fn pages_for(nodes: usize) -> u32 {
    nodes.div_ceil(PAGE as usize) as u32
}

impl Branch {
    fn iter(&self) -> impl DoubleEndedIterator<Item = (NodeIx, &Node)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.map(|(place, node)| (NodeIx(self.base + place as u32), node))
    }

    /// Gives the branch its place in a tree, below that parent.
    fn move_to(&mut self, base: u32, parent: Option<NodeIx>) {
        let before = std::mem::replace(&mut self.base, base);
        let moved = |index: NodeIx| NodeIx(index.0 - before + base);
        for (place, node) in self.nodes.iter_mut().enumerate() {
            node.parent = match place {
                0 => parent,
                _ => node.parent.map(moved),
            };
            for child in &mut node.children {
                *child = moved(*child);
            }
        }
    }
}

impl Known {
    fn of<'n>(nodes: impl Iterator<Item = (NodeIx, &'n Node)>) -> Self {
        let of_objects = nodes.filter_map(|(index, node)| {
            let object = node.object.as_ref()?;
            Some((object.hashed(), index))
        });
        let mut all: Vec<(u64, NodeIx)> = of_objects.collect();
        // Nodes of one object stay in their order.
        all.sort_unstable();
        Self(all)
    }

    /// Where the nodes are of the objects with this hash.
    fn places(&self, hash: u64) -> impl Iterator<Item = NodeIx> {
        let first = self.0.partition_point(|(known, _)| *known < hash);
        let from = self.0[first..].iter();
        from.take_while(move |(known, _)| *known == hash)
            .map(|(_, index)| *index)
    }
}
