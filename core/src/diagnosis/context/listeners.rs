//! Listeners of Gateways, and the TLS that they end.

use std::collections::HashMap;

use super::super::ngf::BackendState;
use crate::model::{
    attachment::takes_listener_set, kinds::Listener, object::ObjectRef, topology::gateway_of,
};

use super::Context;

impl<'a> Context<'a> {
    /// The listeners of a Gateway, and those of the ListenerSets that NGF attaches to it, each with its owner.
    pub fn listeners(&self, gateway: &ObjectRef) -> Vec<(&'a ObjectRef, &'a Listener)> {
        let snapshot = self.snapshot;
        let Some((own, (found, _))) = self.gateways.get_key_value(gateway) else {
            return Vec::new();
        };
        let sets = self.listener_sets.get_or_init(|| {
            let mut sets: HashMap<ObjectRef, Vec<_>> = HashMap::new();
            for (name, set) in &snapshot.listener_sets {
                sets.entry(gateway_of(set))
                    .or_default()
                    .push((name, &**set));
            }
            sets
        });
        let sets = sets.get(gateway).into_iter().flatten().filter(|(name, _)| {
            self.running.release.knows_listener_sets()
                && takes_listener_set(found, name) != Some(false)
        });
        let of_sets =
            sets.flat_map(|(name, set)| set.spec.listeners.iter().map(move |one| (*name, one)));
        let all = found.spec.listeners.iter().map(|one| (*own, one));
        all.chain(of_sets).collect()
    }

    /// Whether a Gateway has any backend that its nginx speaks TLS to.
    pub fn speaks_tls(&self, gateway: &ObjectRef) -> bool {
        self.rules_of(gateway)
            .flat_map(|rule| &rule.decision.backends)
            .any(|backend| matches!(backend.state, BackendState::Tls { .. }))
    }
}
