//! Gateways and their listeners (`prepareGatewayRequest`).

use std::collections::BTreeMap;

use ngf_core::diagnosis::ngf::frontend::{Demand, demand};
use ngf_core::diagnosis::ngf::{
    ClientCertificate, ListenerDecision, PredictedCondition, Release, client_certificate,
    decide_listeners,
};
use ngf_core::model::kinds::Gateway;
use ngf_core::model::object::{Object as Decoded, ObjectRef};
use ngf_core::model::snapshot::Snapshot;
use serde_json::{Value, json};

use super::routes::RouteState;
use super::{put, written};
use crate::kinds;
use crate::metadata::meta;
use crate::reconcile::write::{Transition, condition, set_status};
use crate::store::{Object, Store};

/// What NGF makes of one Gateway.
pub(super) struct GatewayState<'s> {
    pub(super) object: Object,
    pub(super) read: &'s Decoded<Gateway>,
    /// NGF takes it.
    pub(super) valid: bool,
    /// Its listeners, in their order; none where it is not valid.
    pub(super) listeners: Vec<ListenerDecision>,
    /// The Secret whose certificate nginx presents.
    pub(super) client_secret: Option<ObjectRef>,
    /// Why nginx did not take the configuration.
    pub(super) reload_error: Option<String>,
    /// What each port demands of its clients.
    demands: BTreeMap<u16, Demand>,
    predicted: &'s [PredictedCondition],
}

impl<'s> GatewayState<'s> {
    /// What a port demands of its clients.
    pub(super) fn demand(&self, port: u16) -> Option<&Demand> {
        self.demands.get(&port)
    }

    /// Judges a Gateway; `None` where it has gone meanwhile.
    pub(super) fn of(
        store: &Store,
        snapshot: &'s Snapshot,
        release: Release,
        read: &'s Decoded<Gateway>,
        predicted: &'s BTreeMap<ObjectRef, Vec<PredictedCondition>>,
    ) -> Option<Self> {
        let name = &read.reference;
        let predicted = predicted.get(name).map_or(&[][..], Vec::as_slice);
        // NGF writes of listeners only where it takes their Gateway.
        let valid = predicted.iter().any(|found| found.section.is_some());
        let listeners = if valid {
            decide_listeners(snapshot, release, read).own
        } else {
            Vec::new()
        };
        let client_secret = match client_certificate(snapshot, release, read) {
            ClientCertificate::Presented(secret) => Some(secret),
            _ => None,
        };
        Some(Self {
            object: store.get(kinds::GATEWAY, &name.namespace, &name.name)?,
            read,
            valid,
            listeners,
            client_secret,
            reload_error: None,
            demands: read
                .spec
                .listeners
                .iter()
                .filter_map(|one| Some((one.port, demand(snapshot, release, read, one.port)?)))
                .collect(),
            predicted,
        })
    }

    /// Writes conditions, listeners and addresses.
    pub(super) fn write_status(&self, store: &Store, routes: &[RouteState<'_>]) {
        let conditions = self.conditions();
        let status = if self.valid {
            json!({
                "addresses": self.addresses(store),
                "attachedListenerSets": 0,
                "conditions": conditions,
                "listeners": self.listener_statuses(routes),
            })
        } else {
            json!({"conditions": conditions})
        };
        // What was judged may have been changed or deleted meanwhile.
        let name = &self.read.reference;
        if let Some(gateway) = store.get(kinds::GATEWAY, &name.namespace, &name.name) {
            set_status(store, kinds::GATEWAY, &gateway, status, Transition::All);
        }
    }

    fn of_section(&self, section: Option<&str>) -> impl Iterator<Item = Value> {
        let of = self.predicted.iter();
        of.filter(move |found| found.section.as_deref() == section)
            .map(|found| written(&found.condition))
    }

    fn failed(&self, what: &str) -> Option<Value> {
        let error = self.reload_error.as_ref()?;
        let message = format!(
            "The {what} is not programmed due to a failure to reload nginx with the configuration: {error}"
        );
        Some(condition("Programmed", false, "Invalid", &message))
    }

    /// What ngf-core predicts. What it leaves open, because no object decides it, is well here.
    fn conditions(&self) -> Vec<Value> {
        let mut conditions = Vec::new();
        if self.predicted.is_empty() {
            let message = "The GatewayClass doesn't exist";
            put(
                &mut conditions,
                condition("Accepted", false, "Invalid", message),
            );
            put(
                &mut conditions,
                condition("Programmed", false, "Invalid", message),
            );
            return conditions;
        }
        if self.valid {
            for (kind, message) in [
                ("Accepted", "The Gateway is accepted"),
                ("Programmed", "The Gateway is programmed"),
            ] {
                put(&mut conditions, condition(kind, true, kind, message));
            }
        }
        let has = |pointer: &str| self.object.pointer(pointer).is_some();
        if has("/spec/infrastructure/parametersRef") || has("/spec/tls/backend") {
            let message = "The referenced resources are resolved";
            let resolved = condition("ResolvedRefs", true, "ResolvedRefs", message);
            put(&mut conditions, resolved);
        }
        for predicted in self.of_section(None).chain(self.failed("Gateway")) {
            put(&mut conditions, predicted);
        }
        conditions
    }

    fn listener_statuses(&self, routes: &[RouteState<'_>]) -> Vec<Value> {
        let listeners = self.read.spec.listeners.iter().enumerate();
        let status = |(index, listener): (usize, &ngf_core::model::kinds::Listener)| {
            let mut conditions = Vec::new();
            let all = self.of_section(Some(&listener.name));
            for predicted in all.chain(self.failed("Listener")) {
                put(&mut conditions, predicted);
            }
            let attached = routes
                .iter()
                .filter(|route| route.is_at(&self.read.reference, index));
            json!({
                "name": listener.name,
                "attachedRoutes": attached.count(),
                "supportedKinds": self.supported_kinds(index),
                "conditions": conditions,
            })
        };
        listeners.map(status).collect()
    }

    /// Kinds of routes that the protocol takes, of those that `allowedRoutes.kinds` leaves.
    fn supported_kinds(&self, index: usize) -> Vec<Value> {
        let listener = &self.object["spec"]["listeners"][index];
        let of_protocol: &[&str] = match listener["protocol"].as_str() {
            Some("HTTP" | "HTTPS") => &["HTTPRoute", "GRPCRoute"],
            Some("TLS") => &["TLSRoute"],
            Some("TCP") => &["TCPRoute"],
            Some("UDP") => &["UDPRoute"],
            _ => &[],
        };
        let allowed = listener
            .pointer("/allowedRoutes/kinds")
            .and_then(Value::as_array)
            .filter(|kinds| !kinds.is_empty());
        of_protocol
            .iter()
            .filter(|kind| allowed.is_none_or(|all| all.iter().any(|one| one["kind"] == **kind)))
            .map(|kind| json!({"group": "gateway.networking.k8s.io", "kind": kind}))
            .collect()
    }

    /// The addresses of the data plane's Service.
    fn addresses(&self, store: &Store) -> Vec<Value> {
        let namespace = meta(&self.object, "namespace");
        let name = super::provision::resource_name(meta(&self.object, "name"), super::CLASS);
        let Some(service) = store.get(kinds::SERVICE, namespace, &name) else {
            return Vec::new();
        };
        let address = |value: &Value| json!({"type": "IPAddress", "value": value});
        if service["spec"]["type"] != "LoadBalancer" {
            return vec![address(&service["spec"]["clusterIP"])];
        }
        let ingress = service
            .pointer("/status/loadBalancer/ingress")
            .and_then(Value::as_array);
        ingress
            .into_iter()
            .flatten()
            .map(|ingress| address(&ingress["ip"]))
            .collect()
    }
}
