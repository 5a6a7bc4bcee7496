//! HTTPRoutes and GRPCRoutes (`prepareRouteStatus`).

use std::collections::BTreeMap;

use ngf_core::diagnosis::ngf::{PredictedCondition, Release, RuleDecision, decide_rule};
use ngf_core::model::attachment::{Restriction, attach, parent_of};
use ngf_core::model::index::Index;
use ngf_core::model::kind::Kind;
use ngf_core::model::kinds::Route;
use ngf_core::model::object::{Object as Decoded, ObjectRef};
use ngf_core::model::snapshot::Snapshot;
use serde_json::{Value, json};

use super::gateway::GatewayState;
use super::{CONTROLLER, put, written};
use crate::kinds;
use crate::reconcile::write::{Transition, condition, set_status};
use crate::store::Store;

/// What NGF makes of one route.
pub(super) struct RouteState<'s> {
    pub(super) read: &'s Decoded<Route>,
    parents: Vec<Parent>,
    /// What its rules lead to, in their order.
    pub(super) rules: Vec<RuleDecision<'s>>,
}

/// A Gateway that a route names.
struct Parent {
    gateway: ObjectRef,
    /// `sectionName` in the status.
    section: Option<String>,
    conditions: Vec<Value>,
    /// The listeners that the route meets, by their places.
    listeners: Vec<usize>,
}

/// Judges every route that names one of the Gateways.
pub(super) fn judge<'s>(
    snapshot: &'s Snapshot,
    index: &Index<'s>,
    release: Release,
    gateways: &[GatewayState<'_>],
    predicted: &BTreeMap<ObjectRef, Vec<PredictedCondition>>,
) -> Vec<RouteState<'s>> {
    let played = |route: &&std::sync::Arc<Decoded<Route>>| {
        matches!(route.reference.kind, Kind::HTTPRoute | Kind::GRPCRoute)
    };
    let routes = snapshot.routes.values().filter(played);
    let judged = routes.map(|route| {
        let of = predicted
            .get(&route.reference)
            .map_or(&[][..], Vec::as_slice);
        let rules = route.spec.rules.iter().enumerate();
        RouteState {
            read: route,
            parents: parents(route, gateways, of),
            rules: rules
                .map(|(place, rule)| decide_rule(snapshot, index, release, route, place, rule))
                .collect(),
        }
    });
    judged.filter(|route| !route.parents.is_empty()).collect()
}

fn parents(
    route: &Decoded<Route>,
    gateways: &[GatewayState<'_>],
    predicted: &[PredictedCondition],
) -> Vec<Parent> {
    let mut parents: Vec<Parent> = Vec::new();
    for reference in &route.spec.parent_refs {
        let Some(name) = parent_of(reference, &route.reference.namespace) else {
            continue;
        };
        let Some(gateway) = gateways.iter().find(|g| g.read.reference == name) else {
            continue;
        };
        // A parent with one listener is reported with the listener's name (`removeDuplicateIndexParentRefs`).
        let is_whole = reference.section_name.is_none() && reference.port.is_none();
        let section = match gateway.listeners.as_slice() {
            [only] if is_whole => Some(only.name.clone()),
            _ => reference.section_name.clone(),
        };
        let is_known = |parent: &Parent| parent.gateway == name && parent.section == section;
        // Of a Gateway that NGF does not take, a parentRef without a listener means nothing.
        if parents.iter().any(is_known) || !gateway.valid && is_whole {
            continue;
        }
        let mut conditions = vec![
            condition("Accepted", true, "Accepted", "The Route is accepted"),
            condition(
                "ResolvedRefs",
                true,
                "ResolvedRefs",
                "All references are resolved",
            ),
        ];
        let of = predicted
            .iter()
            .filter(|found| found.parent.as_ref() == Some(&name) && found.section == section);
        for found in of {
            put(&mut conditions, written(&found.condition));
        }
        let met = attach(
            route,
            reference,
            &name,
            &gateway.read.spec.listeners,
            &Restriction::read(&gateway.read.raw),
        );
        let met = met.unwrap_or_default().into_iter().map(|(place, _)| place);
        let attachable = |place: &usize| {
            let decided = gateway.listeners.get(*place);
            decided.is_some_and(|listener| listener.attachable)
        };
        parents.push(Parent {
            listeners: met.filter(attachable).collect(),
            gateway: name,
            section,
            conditions,
        });
    }
    parents
}

impl RouteState<'_> {
    /// Whether a parent of it attaches to this Gateway.
    pub(super) fn attached_to(&self, gateway: &ObjectRef) -> bool {
        self.parents.iter().any(|parent| {
            let accepted = |c: &Value| c["type"] == "Accepted" && c["status"] == "True";
            parent.gateway == *gateway && parent.conditions.iter().any(accepted)
        })
    }

    /// Whether it counts as one of the routes of a listener, by the listener's place.
    pub(super) fn is_at(&self, gateway: &ObjectRef, listener: usize) -> bool {
        let mut parents = self.parents.iter();
        parents.any(|parent| parent.gateway == *gateway && parent.listeners.contains(&listener))
    }

    /// Writes the parents.
    pub(super) fn write_status(&self, store: &Store) {
        let kind = match self.read.reference.kind {
            Kind::GRPCRoute => kinds::GRPC_ROUTE,
            _ => kinds::HTTP_ROUTE,
        };
        let name = &self.read.reference;
        let Some(route) = store.get(kind, &name.namespace, &name.name) else {
            return;
        };
        let ours = self.parents.iter().map(|parent| {
            let mut reference = json!({
                "group": "gateway.networking.k8s.io",
                "kind": "Gateway",
                "name": parent.gateway.name,
                "namespace": parent.gateway.namespace,
            });
            if let Some(section) = &parent.section {
                reference["sectionName"] = json!(section);
            }
            json!({
                "conditions": parent.conditions,
                "controllerName": CONTROLLER,
                "parentRef": reference,
            })
        });
        let others = route.pointer("/status/parents").and_then(Value::as_array);
        let others = others
            .into_iter()
            .flatten()
            .filter(|p| p["controllerName"] != CONTROLLER);
        let parents: Vec<_> = ours.chain(others.cloned()).collect();
        let status = json!({"parents": parents});
        set_status(store, kind, &route, status, Transition::All);
    }
}
