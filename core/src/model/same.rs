//! Whether two snapshots say the same, found out by what they share and not by reading all of it.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    object::{Object, ObjectRef},
    snapshot::{Lookup, Snapshot, Table},
    status::Spec,
    table::for_every_table,
};

/// Whether two tables hold the very same objects.
fn tables<T: Spec>(one: &Table<T>, other: &Table<T>) -> bool {
    one.len() == other.len()
        && one
            .values()
            .zip(other.values())
            .all(|(one, other)| Arc::ptr_eq(one, other))
}

type LookedUp<T> = BTreeMap<ObjectRef, Lookup<Arc<Object<T>>>>;

/// The same for what was looked up by name.
fn looked_up<T: Spec>(one: &LookedUp<T>, other: &LookedUp<T>) -> bool {
    one.keys().eq(other.keys())
        && one
            .values()
            .zip(other.values())
            .all(|(one, other)| match (one, other) {
                (Lookup::Found(one), Lookup::Found(other)) => Arc::ptr_eq(one, other),
                (Lookup::Absent, Lookup::Absent) => true,
                (Lookup::Unknown(one), Lookup::Unknown(other)) => one == other,
                _ => false,
            })
}

macro_rules! same {
    ($($(#[$doc:meta])* $variant:ident => $field:ident: $spec:ident;)*) => {
        impl Snapshot {
            /// Whether the other snapshot holds the very same objects, but for Events, and the same is known of
            /// everything else. A copy of an object counts as another object. No rule reads Events: what was diagnosed
            /// of the one holds for the other.
            pub fn is_same_but_for_events(&self, other: &Self) -> bool {
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
                    ignored,
                    problems,
                    lost,
                    unrendered,
                    templates,
                    not_manifests,
                    places,
                } = self;
                *source == other.source
                    && *scope == other.scope
                    && *files == other.files
                    && *kinds == other.kinds
                    && *narrowed == other.narrowed
                    && *denied == other.denied
                    && $(tables($field, &other.$field) &&)*
                    looked_up(secrets, &other.secrets)
                    && looked_up(config_maps, &other.config_maps)
                    && *ignored == other.ignored
                    && *problems == other.problems
                    && *lost == other.lost
                    && *unrendered == other.unrendered
                    && *templates == other.templates
                    && *not_manifests == other.not_manifests
                    && *places == other.places
            }
        }
    };
}

for_every_table!(same);

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
