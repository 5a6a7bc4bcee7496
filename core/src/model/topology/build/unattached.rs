//! What no Gateway holds: routes, policies and classes.

use std::collections::HashMap;

use crate::model::{
    kinds::{Gateway, ListenerSet},
    object::{Object, ObjectRef},
    snapshot::Source,
};

use super::super::{Group, NGFS_OWN, classes_are_known};

use super::{Builder, Head, Root};

impl<'a> Builder<'a> {
    pub(super) fn classes_without_object(
        &self,
        by_class: HashMap<&'a str, Vec<&'a Object<Gateway>>>,
        sets: &HashMap<ObjectRef, Vec<&'a Object<ListenerSet>>>,
    ) -> Vec<Root<'a>> {
        let mut rest: Vec<_> = by_class.into_iter().collect();
        rest.sort_by_key(|(class, _)| *class);
        if rest.is_empty() {
            return Vec::new();
        }
        let are_known = classes_are_known(self.snapshot);
        let mut roots = Vec::new();
        let mut of_unknown_class = Vec::new();
        for (class, gateways) in rest {
            let note = are_known.then(|| format!("there is no GatewayClass {class}"));
            let gateways = gateways.into_iter();
            let heads = gateways.map(|gateway| self.head(gateway, note.clone(), sets));
            if are_known {
                of_unknown_class.extend(heads);
                continue;
            }
            let note = match (&self.snapshot.source, class) {
                (Source::Files { .. }, NGFS_OWN) => "not in the files: taken for NGF's",
                (Source::Files { .. }, _) => "not in the files",
                (Source::Cluster { .. }, _) => "GatewayClass not read",
            };
            let mut root = Root::class(class, Some(note), None);
            root.heads.extend(heads);
            roots.push(root);
        }
        if are_known {
            let name = "Gateways of unknown class";
            roots.push(Root::group(Group::UnknownClass, name, of_unknown_class));
        }
        roots
    }

    pub(super) fn unattached_routes(&mut self) -> Option<Root<'a>> {
        let unattached = std::mem::take(&mut self.unattached);
        let heads = unattached.into_iter().map(|(route, refusal)| {
            let why = refusal.map_or_else(
                || "it names no parent".to_owned(),
                |refusal| refusal.to_string(),
            );
            Head::Unattached(route, why)
        });
        let heads: Vec<Head<'a>> = heads.collect();
        let name = "routes that no listener takes";
        (!heads.is_empty()).then(|| Root::group(Group::UnattachedRoutes, name, heads))
    }

    pub(super) fn unused_policies(&self) -> Option<Root<'a>> {
        let policies = self.snapshot.policies.keys();
        let unused = policies.filter(|policy| !self.used_policies.contains(policy));
        let heads: Vec<Head<'a>> = unused.map(Head::Policy).collect();
        let name = "policies that nothing uses";
        (!heads.is_empty()).then(|| Root::group(Group::UnusedPolicies, name, heads))
    }
}
