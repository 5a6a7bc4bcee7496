//! What differs between two snapshots, and parts of a snapshot, by what they share.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    object::{Object, ObjectRef},
    snapshot::{Lookup, Lookups, Snapshot, Table},
    status::Spec,
    table::{TableName, for_every_table},
};
use crate::shared::SharedMap;

/// Adds the keys of what one of the maps holds and the other does not, or holds otherwise. Both are read once, in order.
fn differing<T>(
    before: &SharedMap<ObjectRef, T>,
    after: &SharedMap<ObjectRef, T>,
    is_same: impl Fn((&ObjectRef, &T), (&ObjectRef, &T)) -> bool,
    found: &mut BTreeSet<ObjectRef>,
) {
    if before.is_shared_with(after) {
        return;
    }
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match (before.peek(), after.peek()) {
            (Some(one), Some(other)) if is_same(*one, *other) => {
                before.next();
                after.next();
            }
            (Some((name, _)), Some((new, _))) if name == new => {
                found.insert((*name).clone());
                before.next();
                after.next();
            }
            (Some((name, _)), other) if other.is_none_or(|(new, _)| name < new) => {
                found.insert((*name).clone());
                before.next();
            }
            (_, Some((new, _))) => {
                found.insert((*new).clone());
                after.next();
            }
            (_, None) => return,
        }
    }
}

type Answer<T> = Lookup<Arc<Object<T>>>;

fn is_same_answer<T: Spec>(
    (name, one): (&ObjectRef, &Answer<T>),
    (other_name, other): (&ObjectRef, &Answer<T>),
) -> bool {
    match (one, other) {
        (Lookup::Found(one), Lookup::Found(other)) => Arc::ptr_eq(one, other),
        (Lookup::Absent, Lookup::Absent) => name == other_name,
        (Lookup::Unknown(one), Lookup::Unknown(other)) => one == other && name == other_name,
        _ => false,
    }
}

fn take<T: Clone>(
    from: &SharedMap<ObjectRef, T>,
    object: &ObjectRef,
    into: &mut SharedMap<ObjectRef, T>,
) {
    if let Some((name, found)) = from.get_key_value(object) {
        into.insert(name.clone(), found.clone());
    }
}

/// One object has one name.
fn is_shared<T: Spec>(
    (_, one): (&ObjectRef, &Arc<Object<T>>),
    (_, other): (&ObjectRef, &Arc<Object<T>>),
) -> bool {
    Arc::ptr_eq(one, other)
}

macro_rules! part {
    ($($(#[$doc:meta])* $variant:ident => $field:ident: $spec:ident;)*) => {
        impl Snapshot {
            /// The names of the objects that the other holds otherwise, or one of both does not hold. A copy of an object
            /// counts as another object. Events are left out, and the age of what is not watched. `None` where more than
            /// objects differs: what is known of kinds, or what somebody may read.
            pub fn changed_objects(&self, after: &Self) -> Option<BTreeSet<ObjectRef>> {
                // Named one by one, so that nobody adds a field and forgets it here.
                let Self {
                    source,
                    scope,
                    files,
                    kinds,
                    narrowed,
                    denied,
                    $($field,)*
                    events: _,
                    secrets,
                    config_maps,
                    unwatched: _,
                    ignored,
                    problems,
                    lost,
                    unrendered,
                    templates,
                    not_manifests,
                    places,
                } = self;
                let is_same = *source == after.source
                    && *scope == after.scope
                    && *files == after.files
                    && *kinds == after.kinds
                    && *narrowed == after.narrowed
                    && *denied == after.denied
                    && *ignored == after.ignored
                    && *problems == after.problems
                    && *lost == after.lost
                    && *unrendered == after.unrendered
                    && *templates == after.templates
                    && *not_manifests == after.not_manifests
                    && *places == after.places;
                if !is_same {
                    return None;
                }
                let mut found = BTreeSet::new();
                $(differing($field, &after.$field, is_shared, &mut found);)*
                differing(secrets, &after.secrets, is_same_answer, &mut found);
                differing(config_maps, &after.config_maps, is_same_answer, &mut found);
                Some(found)
            }

            /// The same snapshot with no other objects than these, and without Events.
            #[must_use]
            pub fn part<'o>(&self, objects: impl IntoIterator<Item = &'o ObjectRef>) -> Self {
                let mut part = Self {
                    source: self.source.clone(),
                    scope: self.scope.clone(),
                    files: self.files,
                    kinds: self.kinds.clone(),
                    narrowed: self.narrowed.clone(),
                    denied: self.denied.clone(),
                    $($field: Table::new(),)*
                    events: Vec::new(),
                    secrets: Lookups::new(),
                    config_maps: Lookups::new(),
                    unwatched: SharedMap::new(),
                    ignored: self.ignored.clone(),
                    problems: self.problems.clone(),
                    lost: self.lost.clone(),
                    unrendered: self.unrendered.clone(),
                    templates: self.templates.clone(),
                    not_manifests: self.not_manifests.clone(),
                    places: self.places.clone(),
                };
                for object in objects {
                    match object.kind.table() {
                        $(TableName::$variant => take(&self.$field, object, &mut part.$field),)*
                        TableName::Secret => take(&self.secrets, object, &mut part.secrets),
                        TableName::ConfigMap => {
                            take(&self.config_maps, object, &mut part.config_maps);
                        }
                        TableName::Event => {}
                    }
                }
                part
            }

            /// Whether there is an object of that name; of a Secret or ConfigMap whether it was looked up.
            pub fn has_entry(&self, object: &ObjectRef) -> bool {
                match object.kind.table() {
                    $(TableName::$variant => self.$field.contains_key(object),)*
                    TableName::Secret => self.secrets.contains_key(object),
                    TableName::ConfigMap => self.config_maps.contains_key(object),
                    TableName::Event => false,
                }
            }

            /// Every object but Events, and every Secret and ConfigMap that was looked up.
            pub fn for_each_entry(&self, mut see: impl FnMut(&ObjectRef)) {
                $(self.$field.keys().for_each(&mut see);)*
                self.secrets.keys().for_each(&mut see);
                self.config_maps.keys().for_each(&mut see);
            }
        }
    };
}

for_every_table!(part);

impl Snapshot {
    /// Whether the other snapshot holds the very same objects, but for Events, and the same is known of everything else but
    /// the age of what is not watched. No rule reads either: what was diagnosed of the one holds for the other.
    pub fn is_same_but_for_events(&self, other: &Self) -> bool {
        let changed = self.changed_objects(other);
        changed.is_some_and(|changed| changed.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{manifests::parse, model::snapshot::KindState};

    const TEXT: &str = r#"---
{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
---
{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
---
{"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}}
"#;

    #[test]
    fn events_alone_make_no_difference_and_everything_else_does() {
        let before = parse(TEXT, "default");
        let differs = |change: fn(&mut Snapshot)| {
            let mut after = before.clone();
            change(&mut after);
            !before.is_same_but_for_events(&after) && !after.is_same_but_for_events(&before)
        };
        assert!(!differs(|_| {}));
        assert!(!differs(|after| after.events.clear()));
        assert!(differs(|after| after.services.clear()));
        assert!(differs(|after| {
            for service in after.services.values_mut() {
                *service = Arc::new(Object::clone(service));
            }
        }));
        assert!(differs(|after| {
            for secret in after.secrets.values_mut() {
                *secret = Lookup::Absent;
            }
        }));
        assert!(differs(|after| {
            for state in after.kinds.values_mut() {
                *state = KindState::NotServed;
            }
        }));
        assert!(differs(|after| after.templates.push("t".to_owned())));
    }
}
