//! Which policies are in use, and by which Gateways.

use std::collections::BTreeSet;

use super::super::ngf::BackendDecision;
use crate::model::{
    kinds::BackendTLSPolicy,
    object::{Object, ObjectRef},
};

use super::{Context, RuleInUse};

impl<'a> Context<'a> {
    /// The rules and backends on which a policy takes effect.
    pub fn users_of(
        &self,
        policy: &ObjectRef,
    ) -> impl Iterator<Item = (&RuleInUse<'a>, &BackendDecision<'a>)> {
        self.policy_users
            .get(policy)
            .into_iter()
            .flatten()
            .map(|(rule, backend)| {
                let rule = &self.rules[*rule];
                (rule, &rule.decision.backends[*backend])
            })
    }

    /// The Gateways whose nginx speaks TLS as a policy says.
    pub fn gateways_using(&self, policy: &ObjectRef) -> BTreeSet<&'a ObjectRef> {
        let of_routes = self
            .users_of(policy)
            .flat_map(|(rule, _)| rule.gateways.iter().copied());
        let inspecting = self.inspecting.get(policy).into_iter().flatten().copied();
        of_routes.chain(inspecting).collect()
    }

    /// Whether a policy takes effect on the backend of a route or of a PayloadProcessor.
    pub fn is_in_use(&self, policy: &ObjectRef) -> bool {
        self.in_use.contains(policy)
    }

    /// The policies that take effect on the backend of a route or of a PayloadProcessor.
    pub fn policies_in_use(&self) -> impl Iterator<Item = &'a ObjectRef> {
        let of_routes = self.policy_users.keys();
        let inspecting = self.inspecting.keys();
        let inspecting = inspecting.filter(|policy| !self.policy_users.contains_key(*policy));
        of_routes.chain(inspecting).copied()
    }

    /// The policies in use whose CA comes from a Secret or ConfigMap.
    pub fn policies_trusting(&self, object: &ObjectRef) -> Vec<&'a Object<BackendTLSPolicy>> {
        self.trusting.get(object).cloned().unwrap_or_default()
    }
}
