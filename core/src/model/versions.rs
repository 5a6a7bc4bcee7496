//! Which versions objects had at one moment: an older reading says nothing about an object that has changed since.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    object::{Meta, ObjectRef},
    snapshot::{Lookup, Snapshot},
};

/// The versions of the objects that nginx's configuration follows from, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions(Arc<BTreeMap<ObjectRef, String>>);

/// The generation, which a status does not change; the resource version of kinds without one.
fn version(meta: &Meta) -> String {
    match meta.generation {
        0 => meta.resource_version.clone(),
        generation => generation.to_string(),
    }
}

impl Versions {
    /// The versions in a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut all = BTreeMap::new();
        macro_rules! add {
            ($($table:ident)*) => {
                $(all.extend(snapshot.$table.iter().map(|(name, object)| {
                    (name.clone(), version(&object.meta))
                }));)*
            };
        }
        macro_rules! add_found {
            ($($table:ident)*) => {
                $(all.extend(snapshot.$table.iter().filter_map(|(name, lookup)| match lookup {
                    Lookup::Found(object) => Some((name.clone(), version(&object.meta))),
                    Lookup::Absent | Lookup::Unknown(_) => None,
                }));)*
            };
        }
        add!(gateways listener_sets routes policies grants services endpoint_slices ngf);
        add_found!(secrets config_maps);
        Self(Arc::new(all))
    }

    /// The same, but with other versions of these objects: what a test or a bundle says of the past.
    #[must_use]
    pub fn with_older(&self, objects: impl IntoIterator<Item = ObjectRef>) -> Self {
        let mut all = (*self.0).clone();
        all.extend(
            objects
                .into_iter()
                .map(|name| (name, "an older one".to_owned())),
        );
        Self(Arc::new(all))
    }

    /// The objects that `now` has in another version, or has and these do not. None where no versions are known.
    pub fn changed(&self, now: &Self) -> Vec<ObjectRef> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let differs = |(name, current): &(&ObjectRef, &String)| self.0.get(*name) != Some(*current);
        now.0
            .iter()
            .filter(differs)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The first of these objects that `now` has in another version, or has and these do not. None where no
    /// versions are known.
    pub fn first_changed<'a>(
        &self,
        now: &Self,
        mut objects: impl Iterator<Item = &'a ObjectRef>,
    ) -> Option<&'a ObjectRef> {
        if self.0.is_empty() {
            return None;
        }
        objects.find(|name| {
            let current = now.0.get(*name);
            current.is_some() && self.0.get(*name) != current
        })
    }
}
