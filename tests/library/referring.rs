//! The store looks for references again only where a change may have changed them.

use ngf_core::model::{
    kind::{KINDS, Kind},
    object::ObjectRef,
    references::references,
    referring::refers_alike,
};

use crate::support::scenario::{self, Scenario};

#[test]
fn an_object_that_is_said_not_to_refer_leaves_the_references_as_they_are() {
    let mut looked_at = 0;
    for name in scenario::all() {
        let before = Scenario::load(&name).snapshot;
        let kinds = KINDS.iter().map(|info| info.kind);
        let kinds = kinds.filter(|kind| !matches!(kind, Kind::Secret | Kind::ConfigMap));
        let objects: Vec<ObjectRef> = kinds
            .flat_map(|kind| before.references_of(kind).cloned())
            .collect();
        let found = references(&before);
        for object in objects {
            let mut after = before.clone();
            after.remove(&object);
            if refers_alike(&before, &after, &object) {
                looked_at += 1;
                assert!(references(&after) == found, "{name}: {object}");
            }
        }
    }
    assert!(looked_at > 0, "no such object in any scenario");
}
