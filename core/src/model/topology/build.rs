//! Builds the tree: attaches routes to listeners, then writes it down from the roots.

mod branch;
mod unattached;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::model::{
    attachment::{self, AttachmentRefusal, Restriction},
    index::Index,
    kind::Kind,
    kinds::{Gateway, Listener, ListenerSet, LocalRef, Route},
    object::{Object, ObjectRef},
    snapshot::Snapshot,
};
use crate::threads;

use super::{Group, NodeKind, Step, Topology, is_ngf_controller};

use branch::{Grower, Head};

/// What a new node says.
pub(super) struct Label {
    pub(super) what: NodeKind,
    pub(super) name: Arc<str>,
    pub(super) note: Option<Arc<str>>,
    pub(super) object: Option<ObjectRef>,
}

/// A root, and what hangs on it.
struct Root<'a> {
    step: Step,
    label: Label,
    heads: Vec<Head<'a>>,
}

impl<'a> Root<'a> {
    fn class(name: &str, note: Option<&str>, object: Option<&ObjectRef>) -> Self {
        Self {
            step: Step::Class(name.to_owned()),
            label: Label {
                what: NodeKind::Class,
                name: name.into(),
                note: note.map(Arc::from),
                object: object.cloned(),
            },
            heads: Vec::new(),
        }
    }

    fn group(group: Group, name: &str, heads: Vec<Head<'a>>) -> Self {
        Self {
            step: Step::Group(group),
            label: Label {
                what: NodeKind::Group(group),
                name: name.into(),
                note: None,
                object: None,
            },
            heads,
        }
    }
}

/// Branches that a thread builds before it looks for more.
const BRANCHES: usize = 4;

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
    unattached: Vec<(&'a Object<Route>, Option<AttachmentRefusal>)>,
    used_policies: HashSet<&'a ObjectRef>,
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
                    Err(why @ AttachmentRefusal::NamespaceUnknown(_)) => refusal = Some(why),
                    Err(why) => refusal = refusal.or(Some(why)),
                }
            }
            if !attached {
                if matches!(refusal, Some(AttachmentRefusal::NamespaceUnknown(_))) {
                    Arc::make_mut(&mut self.tree.undecided).insert(route.reference.clone());
                }
                self.unattached.push((route, refusal));
            }
        }
    }

    fn attach(
        &mut self,
        route: &'a Object<Route>,
        reference: &LocalRef,
    ) -> Result<(), AttachmentRefusal> {
        let parent =
            attachment::parent_of(reference, &route.reference.namespace).ok_or_else(|| {
                AttachmentRefusal::NotAParent(reference.kind.clone().unwrap_or_default())
            })?;
        if self.refused_sets.contains(&parent) {
            return Err(AttachmentRefusal::ListenerSetNotAllowed(parent));
        }
        let Some(slots) = self.parents.get_mut(&parent) else {
            return Err(AttachmentRefusal::NoSuchParent(parent));
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

    /// Writes the tree down from the roots.
    pub(super) fn emit(mut self) -> Topology {
        for root in self.classes() {
            self.plant(root);
        }
        if let Some(root) = self.unattached_routes() {
            self.plant(root);
        }
        if let Some(root) = self.unused_policies() {
            self.plant(root);
        }
        self.tree.branches.know_first();
        self.tree
    }

    /// Adds a root. The branches below it know nothing of each other: several threads build them.
    fn plant(&mut self, root: Root<'a>) {
        let place = self.tree.push_root(root.step, root.label);
        let id = self.tree.node(place).id.clone();
        let (index, parents) = (self.index, &self.parents);
        let grow = |head: &Head<'a>| Grower::new(index, parents, &id).grow(head);
        for grown in threads::map_in(self.snapshot.threads(), BRANCHES, &root.heads, grow) {
            self.used_policies.extend(grown.used_policies);
            self.tree.branches.append(grown.branch, place);
        }
    }

    /// The GatewayClasses with their Gateways, and the classes that are no objects.
    fn classes(&self) -> Vec<Root<'a>> {
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
        let mut roots = Vec::new();
        for (reference, class) in &self.snapshot.gateway_classes {
            let note = (!is_ngf_controller(&class.spec.controller_name))
                .then(|| format!("another controller: {}", class.spec.controller_name));
            let mut root = Root::class(&reference.name, note.as_deref(), Some(reference));
            let gateways = by_class.remove(reference.name.as_str()).unwrap_or_default();
            let heads = gateways.into_iter();
            root.heads
                .extend(heads.map(|gateway| self.head(gateway, None, &sets)));
            roots.push(root);
        }
        roots.extend(self.classes_without_object(by_class, &sets));
        roots
    }

    fn head(
        &self,
        gateway: &'a Object<Gateway>,
        note: Option<String>,
        sets: &HashMap<ObjectRef, Vec<&'a Object<ListenerSet>>>,
    ) -> Head<'a> {
        let sets = sets.get(&gateway.reference).into_iter().flatten();
        let with_note = |set: &&'a Object<ListenerSet>| {
            let is_refused = self.refused_sets.contains(&set.reference);
            (
                *set,
                is_refused.then(|| "not allowed by the Gateway".to_owned()),
            )
        };
        Head::Gateway {
            gateway,
            note,
            sets: sets.map(with_note).collect(),
        }
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
