//! Puts objects into a snapshot and takes them out; asks what a snapshot can answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    decode::Decoded,
    kind::Kind,
    object::Object,
    object::ObjectRef,
    snapshot::{KindState, Lookup, Lookups, Scope, Snapshot, Source, Table},
    status::Spec,
    table::{TableName, for_every_table},
};
use crate::shared::SharedMap;

macro_rules! fill {
    ($($(#[$doc:meta])* $variant:ident => $field:ident: $spec:ident;)*) => {
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
            $($field: Table::new(),)*
            events: Vec::new(),
            secrets: Lookups::new(),
            config_maps: Lookups::new(),
            unwatched: SharedMap::new(),
            ignored: BTreeMap::new(),
            problems: Vec::new(),
            lost: None,
            unrendered: SharedMap::new(),
            templates: Vec::new(),
            not_manifests: Vec::new(),
            places: SharedMap::new(),
        }
    }


            /// Puts an object in; says whether one of that name was there before.
            pub fn put(&mut self, decoded: Decoded) -> bool {
                match decoded {
                    $(Decoded::$variant(object) => put(&mut self.$field, object),)*
                    Decoded::Secret(object) => put_found(&mut self.secrets, object),
                    Decoded::ConfigMap(object) => put_found(&mut self.config_maps, object),
                    Decoded::Event(object) => {
                        let replaced = self.remove(&object.reference);
                        self.events.push(Arc::new(object));
                        replaced
                    }
                }
            }

            /// Takes an object out; says whether it was there.
            pub fn remove(&mut self, reference: &ObjectRef) -> bool {
                match reference.kind.table() {
                    $(TableName::$variant => self.$field.remove(reference).is_some(),)*
                    TableName::Secret => self.secrets.remove(reference).is_some(),
                    TableName::ConfigMap => self.config_maps.remove(reference).is_some(),
                    TableName::Event => {
                        let before = self.events.len();
                        self.events.retain(|event| &event.reference != reference);
                        self.events.len() < before
                    }
                }
            }

            /// The names of all objects of a kind; for Secrets and ConfigMaps, of all that were looked up.
            pub fn references_of(&self, kind: Kind) -> Box<dyn Iterator<Item = &ObjectRef> + '_> {
                match kind.table() {
                    $(TableName::$variant => {
                        let all = self.$field.keys();
                        Box::new(all.filter(move |reference| reference.kind == kind))
                    })*
                    TableName::Secret => Box::new(self.secrets.keys()),
                    TableName::ConfigMap => Box::new(self.config_maps.keys()),
                    TableName::Event => Box::new(self.events.iter().map(|event| &event.reference)),
                }
            }

            /// Whether an object of that name is here; for Secrets and ConfigMaps, whether it was found.
            pub fn contains(&self, reference: &ObjectRef) -> bool {
                match reference.kind.table() {
                    $(TableName::$variant => self.$field.contains_key(reference),)*
                    TableName::Secret => {
                        matches!(self.secrets.get(reference), Some(Lookup::Found(_)))
                    }
                    TableName::ConfigMap => {
                        matches!(self.config_maps.get(reference), Some(Lookup::Found(_)))
                    }
                    TableName::Event => {
                        let mut events = self.events.iter();
                        events.any(|event| &event.reference == reference)
                    }
                }
            }
        }
    };
}

for_every_table!(fill);

fn put<T: Spec>(table: &mut Table<T>, object: Object<T>) -> bool {
    let reference = object.reference.clone();
    table.insert(reference, Arc::new(object)).is_some()
}

fn put_found<T: Spec>(looked_up: &mut Lookups<T>, object: Object<T>) -> bool {
    let reference = object.reference.clone();
    let found = Lookup::Found(Arc::new(object));
    matches!(looked_up.insert(reference, found), Some(Lookup::Found(_)))
}

impl Snapshot {
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
}
