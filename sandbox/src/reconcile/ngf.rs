//! NGF's control plane: provisions the data plane of each Gateway, renders what nginx is configured with,
//! and writes statuses. What NGF decides comes from ngf-core (`diagnosis::ngf`), which knows it for
//! predictions; here is what the API server and nginx have to do with it.
//!
//! Not played: filters, matches by anything but the path, ListenerSets, TLSRoutes, NGF's own policies.

mod class;
mod gateway;
mod policies;
mod provision;
mod reload;
mod render;
mod routes;
mod snapshot;
#[cfg(test)]
mod tests;

use ngf_core::diagnosis::ngf::{Predicted, Running, predicted_all};
use ngf_core::model::index::Index;
use serde_json::Value;

use self::gateway::GatewayState;
use super::Controllers;
use super::write::condition;
use crate::kinds;

/// `--gateway-ctlr-name`.
pub(super) const CONTROLLER: &str = "gateway.nginx.org/nginx-gateway-controller";
/// `--gatewayclass`.
const CLASS: &str = "nginx";

/// Looks at everything that NGF watches.
pub(super) fn run(controllers: &Controllers) {
    let store = &*controllers.store;
    let class = store.get(kinds::GATEWAY_CLASS, "", CLASS);
    let class = class.filter(|c| c["spec"]["controllerName"] == CONTROLLER);
    if let Some(class) = &class {
        class::write_status(store, class);
    }
    class::refuse_others(store);
    let snapshot = snapshot::read(store);
    let index = Index::of(&snapshot);
    let release = Running::of(&snapshot).release;
    let predicted = predicted_all(&snapshot);
    let mut gateways: Vec<GatewayState> = snapshot
        .gateways
        .values()
        .filter(|gateway| gateway.spec.class == CLASS)
        .filter_map(|gateway| GatewayState::of(store, &snapshot, release, gateway, &predicted))
        .collect();
    let routes = routes::judge(&snapshot, &index, release, &gateways, &predicted);
    for gateway in &mut gateways {
        provision::run(controllers, gateway);
        gateway.reload_error = reload::error(store, gateway, &routes);
        // What nginx does not take is rolled back: the files stay as they were.
        match &gateway.reload_error {
            None if gateway.valid => render::run(controllers, gateway, &routes),
            Some(error) if gateway.valid => render::refused(controllers, gateway, error),
            _ => {}
        }
        gateway.write_status(store, &routes);
    }
    for route in &routes {
        route.write_status(store);
    }
    policies::write_statuses(store, &predicted);
}

/// Adds a condition; of several of one type the last one wins and stands where it stands
/// (`DeduplicateConditions`).
fn put(conditions: &mut Vec<Value>, condition: Value) {
    conditions.retain(|known| known["type"] != condition["type"]);
    conditions.push(condition);
}

fn written(predicted: &Predicted) -> Value {
    condition(
        predicted.kind,
        predicted.status == "True",
        predicted.reason,
        &predicted.message,
    )
}
