//! The tree pane: which branches are open, what a filter leaves, what is selected. Survives a new
//! snapshot, because everything is kept by [`NodeId`].

use std::collections::HashMap;

use ngf_ui::widgets::tree::{Branch, TreeRow, TreeState, connect};

use super::filter::Filter;
use ngf_core::{
    diagnosis::{Diagnosis, Health},
    model::{
        snapshot::Snapshot,
        topology::{Node, NodeId, NodeIx, NodeKind, Topology},
    },
};

/// Up to how many nodes everything is open at first.
const OPEN_ALL: usize = 200;

/// How a node stands to the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    /// It meets it.
    Yes,
    No,
    /// It, or what is above it, has a word that is not wanted.
    Unwanted,
}

/// The text of a node that a filter searches.
fn searched(entry: &Node) -> String {
    let object = entry.object.as_ref();
    let named = object.map_or_else(String::new, ToString::to_string);
    let note = entry.note.as_deref().unwrap_or_default();
    format!("{}\n{note}\n{named}", entry.name)
}

/// State of the tree pane.
#[derive(Debug, Default)]
pub struct TreePane {
    /// Selection and scroll position among the visible rows.
    pub state: TreeState,
    /// The filter.
    pub filter: Filter,
    /// What a person opened (true) or closed (false); the rest follows the rule of [`Self::is_open`].
    toggled: HashMap<NodeId, bool>,
    /// Of each node, how it stands to the filter.
    matching: Vec<Match>,
    selected: Option<NodeId>,
    /// A person moved the selection: do not move it for them.
    pub touched: bool,
    visible: Vec<NodeIx>,
    /// Depth, connection and branch of each visible row; labels are added when a row is drawn.
    rows: Vec<TreeRow>,
}

impl TreePane {
    /// Takes a new diagnosis in; the selection stays where it was, or goes to the nearest ancestor
    /// that is left.
    pub fn refresh(&mut self, diagnosis: &Diagnosis, snapshot: &Snapshot) {
        let topology = &diagnosis.topology;
        self.matching = self.matching(diagnosis, snapshot);
        self.rebuild(diagnosis);
        let mut wanted = self.selected.clone();
        while let Some(id) = &wanted {
            if topology.find(id).is_some() {
                break;
            }
            wanted = id.parent().cloned();
        }
        self.select(wanted.as_ref().and_then(|id| topology.find(id)), diagnosis);
    }

    /// The selected node.
    pub fn selected(&self) -> Option<NodeIx> {
        self.visible.get(self.state.selected).copied()
    }

    /// The rows in order, without labels.
    pub fn rows(&self) -> &[TreeRow] {
        &self.rows
    }

    /// The node of each row.
    pub fn visible(&self) -> &[NodeIx] {
        &self.visible
    }

    /// Moves the selection to a node, and opens the branches above it.
    pub fn reveal(&mut self, node: NodeIx, diagnosis: &Diagnosis) {
        for above in diagnosis.topology.ancestors(node) {
            self.toggled
                .insert(diagnosis.topology.node(above).id.clone(), true);
        }
        self.rebuild(diagnosis);
        self.select(Some(node), diagnosis);
    }

    /// Moves the selection by a movement of the list.
    pub fn move_selection(&mut self, topology: &Topology, movement: impl FnOnce(&mut TreeState)) {
        self.touched = true;
        self.state = self.state.of(self.visible.len());
        movement(&mut self.state);
        self.remember(topology);
    }

    /// Folds or unfolds the selected branch.
    pub fn toggle(&mut self, diagnosis: &Diagnosis) {
        if let Some(node) = self.selected() {
            let open = self.is_open(node, diagnosis);
            self.set_open(node, !open, diagnosis);
        }
    }

    /// Unfolds the selected branch; where it is open, goes to its first child.
    pub fn expand(&mut self, diagnosis: &Diagnosis) {
        let Some(node) = self.selected() else { return };
        if diagnosis.topology.node(node).children.is_empty() {
            return;
        }
        if self.is_open(node, diagnosis) {
            self.move_selection(&diagnosis.topology, TreeState::next);
        } else {
            self.set_open(node, true, diagnosis);
        }
    }

    /// Folds the selected branch; where it is folded or a leaf, goes to its parent.
    pub fn collapse(&mut self, diagnosis: &Diagnosis) {
        let Some(node) = self.selected() else { return };
        let is_leaf = diagnosis.topology.node(node).children.is_empty();
        if !is_leaf && self.is_open(node, diagnosis) {
            self.set_open(node, false, diagnosis);
        } else if let Some(parent) = diagnosis.topology.node(node).parent {
            self.touched = true;
            self.select(Some(parent), diagnosis);
        }
    }

    /// Sets the filter: rows that contain it, with what is above them, are left.
    pub fn set_filter(&mut self, filter: &str, diagnosis: &Diagnosis, snapshot: &Snapshot) {
        self.filter = Filter::of(filter);
        self.matching = self.matching(diagnosis, snapshot);
        self.rebuild(diagnosis);
        let keep = self
            .selected
            .as_ref()
            .and_then(|id| diagnosis.topology.find(id));
        let first_match = || {
            let matches = |node: &&NodeIx| self.is_match(**node);
            self.visible.iter().find(matches).copied()
        };
        let target = keep.filter(|node| self.filter.is_empty() || self.visible.contains(node));
        let target = target.or_else(first_match);
        self.select(target, diagnosis);
    }

    fn set_open(&mut self, node: NodeIx, open: bool, diagnosis: &Diagnosis) {
        self.touched = true;
        self.toggled
            .insert(diagnosis.topology.node(node).id.clone(), open);
        self.rebuild(diagnosis);
        self.select(Some(node), diagnosis);
    }

    /// A small tree is open; a large one down to its listeners, and along every way to trouble.
    fn is_open(&self, node: NodeIx, diagnosis: &Diagnosis) -> bool {
        let entry = diagnosis.topology.node(node);
        if let Some(open) = self.toggled.get(&entry.id) {
            return *open;
        }
        diagnosis.topology.len() <= OPEN_ALL
            || matches!(
                entry.what,
                NodeKind::Class | NodeKind::Gateway | NodeKind::Group(_)
            )
            || diagnosis.health(node) == Health::Broken
    }

    /// Of each node, how it stands to the filter; empty without one.
    fn matching(&mut self, diagnosis: &Diagnosis, snapshot: &Snapshot) -> Vec<Match> {
        if self.filter.is_empty() {
            return Vec::new();
        }
        let nodes = || diagnosis.topology.iter();
        self.filter
            .settle(|| Box::new(nodes().map(|(_, node)| searched(node))));
        let filter = &self.filter;
        let mut all = vec![Match::No; diagnosis.topology.bound()];
        for (node, entry) in diagnosis.topology.iter() {
            let text = searched(entry);
            let above = entry.parent.map(|parent| all[parent.index()]);
            all[node.index()] = if above == Some(Match::Unwanted) || filter.is_unwanted(&text) {
                Match::Unwanted
            } else if filter.meets(&text) && filter.meets_labels(snapshot, entry.object.as_ref()) {
                Match::Yes
            } else {
                Match::No
            };
        }
        all
    }

    fn is_match(&self, node: NodeIx) -> bool {
        self.matching.get(node.index()) == Some(&Match::Yes)
    }

    fn rebuild(&mut self, diagnosis: &Diagnosis) {
        let topology = &diagnosis.topology;
        let keep = (!self.filter.is_empty()).then(|| self.filtered(topology));
        self.visible.clear();
        self.rows.clear();
        let mut stack: Vec<(NodeIx, u16)> = topology
            .roots()
            .iter()
            .rev()
            .map(|root| (*root, 0))
            .collect();
        while let Some((node, depth)) = stack.pop() {
            if keep.as_ref().is_some_and(|keep| !keep[node.index()]) {
                continue;
            }
            let children = &topology.node(node).children;
            // Under a filter everything that is left is shown.
            let open = keep.is_some() || self.is_open(node, diagnosis);
            let branch = match (children.is_empty(), open) {
                (true, _) => Branch::Leaf,
                (false, true) => Branch::Expanded,
                (false, false) => Branch::Collapsed,
            };
            self.visible.push(node);
            self.rows.push(TreeRow::new(depth, "").branch(branch));
            if open {
                stack.extend(children.iter().rev().map(|child| (*child, depth + 1)));
            }
        }
        connect(&mut self.rows);
    }

    /// Of each node, whether it is left: it matches, or stands above or below one that does.
    fn filtered(&self, topology: &Topology) -> Vec<bool> {
        let (mut keep, mut whole) = (vec![false; topology.bound()], vec![false; topology.bound()]);
        for (node, entry) in topology.iter() {
            let below_match = entry.parent.is_some_and(|parent| whole[parent.index()]);
            let is_unwanted = self.matching.get(node.index()) == Some(&Match::Unwanted);
            if !is_unwanted && (below_match || self.is_match(node)) {
                whole[node.index()] = true;
                keep[node.index()] = true;
                for above in topology.ancestors(node) {
                    keep[above.index()] = true;
                }
            }
        }
        keep
    }

    fn select(&mut self, node: Option<NodeIx>, diagnosis: &Diagnosis) {
        let mut wanted = node;
        // A node in a folded branch is stood for by the nearest visible one above it.
        while let Some(node) = wanted {
            if let Some(row) = self.visible.iter().position(|visible| *visible == node) {
                self.state.selected = row;
                break;
            }
            wanted = diagnosis.topology.node(node).parent;
        }
        if wanted.is_none() {
            self.state.selected = 0;
        }
        self.remember(&diagnosis.topology);
    }

    fn remember(&mut self, topology: &Topology) {
        self.selected = self.selected().map(|node| topology.node(node).id.clone());
    }
}
