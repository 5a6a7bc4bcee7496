//! BackendTLSPolicies (`PrepareBackendTLSPolicyRequests`).

use std::collections::BTreeMap;

use ngf_core::diagnosis::ngf::PredictedCondition;
use ngf_core::model::kind::Kind;
use ngf_core::model::object::ObjectRef;
use serde_json::{Value, json};

use super::{CONTROLLER, put, written};
use crate::kinds;
use crate::reconcile::write::{Transition, set_status};
use crate::store::Store;

/// Writes the ancestors. A policy that nothing uses is left as it is, even where it has a status of
/// former times.
pub(super) fn write_statuses(
    store: &Store,
    predicted: &BTreeMap<ObjectRef, Vec<PredictedCondition>>,
) {
    let policies = predicted
        .iter()
        .filter(|(name, _)| name.kind == Kind::BackendTLSPolicy);
    for (name, predicted) in policies {
        let Some(policy) = store.get(kinds::BACKEND_TLS_POLICY, &name.namespace, &name.name) else {
            continue;
        };
        let mut of: Vec<(&ObjectRef, Vec<Value>)> = Vec::new();
        for found in predicted {
            let Some(gateway) = &found.parent else {
                continue;
            };
            let place = of.iter().position(|(known, _)| *known == gateway);
            let place = place.unwrap_or_else(|| {
                of.push((gateway, Vec::new()));
                of.len() - 1
            });
            put(&mut of[place].1, written(&found.condition));
        }
        if of.is_empty() {
            continue;
        }
        let ours = of.into_iter().map(|(gateway, conditions)| {
            json!({
                "ancestorRef": {
                    "group": "gateway.networking.k8s.io",
                    "kind": "Gateway",
                    "name": gateway.name,
                    "namespace": gateway.namespace,
                },
                "conditions": conditions,
                "controllerName": CONTROLLER,
            })
        });
        let others = policy
            .pointer("/status/ancestors")
            .and_then(Value::as_array);
        let others = others
            .into_iter()
            .flatten()
            .filter(|a| a["controllerName"] != CONTROLLER);
        let ancestors: Vec<_> = ours.chain(others.cloned()).collect();
        let status = json!({"ancestors": ancestors});
        set_status(
            store,
            kinds::BACKEND_TLS_POLICY,
            &policy,
            status,
            Transition::All,
        );
    }
}
