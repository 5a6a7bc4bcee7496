//! What no Gateway holds: routes, policies and classes.

use std::collections::HashMap;

use crate::model::{
    kinds::{Gateway, ListenerSet},
    object::{Object, ObjectRef},
    snapshot::Source,
};

use super::super::{Group, NGFS_OWN, Step, What, classes_are_known};

use super::{Builder, Label};

impl<'a> Builder<'a> {
    pub(super) fn classes_without_object(
        &mut self,
        by_class: HashMap<&'a str, Vec<&'a Object<Gateway>>>,
        sets: &HashMap<ObjectRef, Vec<&'a Object<ListenerSet>>>,
    ) {
        let mut rest: Vec<_> = by_class.into_iter().collect();
        rest.sort_by_key(|(class, _)| *class);
        if rest.is_empty() {
            return;
        }
        let group = classes_are_known(self.snapshot)
            .then(|| self.group(Group::UnknownClass, "Gateways of unknown class"));
        for (class, gateways) in rest {
            let root = group.unwrap_or_else(|| {
                self.tree.push(
                    None,
                    Step::Class(class.to_owned()),
                    Label {
                        what: What::Class,
                        name: class.to_owned(),
                        note: Some(
                            match (&self.snapshot.source, class) {
                                (Source::Files { .. }, NGFS_OWN) => {
                                    "not in the files: taken for NGF's"
                                }
                                (Source::Files { .. }, _) => "not in the files",
                                (Source::Cluster { .. }, _) => "GatewayClass not read",
                            }
                            .to_owned(),
                        ),
                        object: None,
                    },
                )
            });
            for gateway in gateways {
                let place = self.gateway(root, gateway, sets);
                if group.is_some() {
                    self.tree.branches.node_mut(place).note =
                        Some(format!("there is no GatewayClass {class}"));
                }
            }
        }
    }

    pub(super) fn unattached_routes(&mut self) {
        if self.unattached.is_empty() {
            return;
        }
        let group = self.group(Group::UnattachedRoutes, "routes that no listener takes");
        for (route, refusal) in std::mem::take(&mut self.unattached) {
            let why = refusal.map_or_else(
                || "it names no parent".to_owned(),
                |refusal| refusal.to_string(),
            );
            self.route(group, route, Vec::new(), Some(why));
        }
    }

    pub(super) fn unused_policies(&mut self) {
        let unused: Vec<_> = self
            .snapshot
            .policies
            .keys()
            .filter(|policy| !self.used_policies.contains(policy))
            .collect();
        if unused.is_empty() {
            return;
        }
        let group = self.group(Group::UnusedPolicies, "policies that nothing uses");
        for policy in unused {
            self.object(group, policy, What::Policy { effective: false }, None);
        }
    }
}
