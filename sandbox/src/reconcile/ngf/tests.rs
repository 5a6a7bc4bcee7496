//! What NGF says, case by case: the guide, one change, and the condition that follows. Codes are those
//! of the catalogue of failures (`G3`, `P13`, …).

mod references;
mod routes;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::addresses::Network;
use crate::guide::Stage;
use crate::kinds::{self, Kind};
use crate::logs::Logs;
use crate::pods::Pods;
use crate::reconcile::Controllers;
use crate::scenarios::Scenario;
use crate::store::{Key, Part, Preconditions, Store, StoreError};
use crate::{admission, objects, patch};

/// The guide's last stage, settled.
fn guide() -> Controllers {
    let (store, logs) = (Arc::new(Store::new()), Arc::new(Logs::default()));
    let (network, stop) = (Network::Shared, CancellationToken::new());
    let pods = Pods::new(
        store.clone(),
        logs.clone(),
        network,
        Vec::new(),
        stop.clone(),
    );
    let controllers = Controllers {
        store,
        logs,
        scenario: Scenario::find("guide").unwrap(),
        network,
        pods: Arc::new(pods),
        stop,
        is_ngf_away: false.into(),
        runtime: Handle::current(),
        running: Mutex::default(),
        balancers: Mutex::default(),
    };
    objects::install(&controllers.store);
    objects::apply_stage(&controllers.store, controllers.scenario, Stage::Policy);
    controllers.settle();
    controllers
}

impl Controllers {
    fn change(&self, kind: &'static Kind, name: &str, change: &Value) {
        let namespace = if kind.namespaced { "default" } else { "" };
        let changed: Result<_, StoreError> = self.store.modify(
            kind,
            &Key::new(namespace, name),
            Part::Main,
            true,
            |stored| {
                let mut object = stored.clone();
                patch::merge(&mut object, change);
                Ok(object)
            },
        );
        changed.unwrap();
    }

    fn remove(&self, kind: &'static Kind, name: &str) {
        let key = Key::new("default", name);
        self.store
            .delete(kind, &key, &Preconditions::default(), true)
            .unwrap();
    }

    fn add(&self, object: Value) {
        let text = |field: &str| object[field].as_str().unwrap();
        let kind = kinds::of_type(text("apiVersion"), text("kind")).unwrap();
        let mut object = object;
        if kind.namespaced && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!("default");
        }
        admission::admit(kind, &mut object, None, &self.store).unwrap();
        self.store.create(kind, object, true).unwrap();
    }

    /// `Type Status/Reason "message"` of every condition in an object's status, by type.
    fn conditions(&self, kind: &'static Kind, name: &str) -> Vec<String> {
        self.settle();
        let namespace = if kind.namespaced { "default" } else { "" };
        let object = self.store.get(kind, namespace, name).unwrap();
        let conditions = match kind.kind {
            "BackendTLSPolicy" => object["status"]["ancestors"][0]["conditions"].clone(),
            "HTTPRoute" => object["status"]["parents"][0]["conditions"].clone(),
            _ => object["status"]["conditions"].clone(),
        };
        let text = |c: &Value, field: &str| c[field].as_str().unwrap_or_default().to_owned();
        conditions
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| {
                assert_eq!(c["observedGeneration"], object["metadata"]["generation"]);
                format!(
                    "{} {}/{} {}",
                    text(c, "type"),
                    text(c, "status"),
                    text(c, "reason"),
                    text(c, "message")
                )
            })
            .collect()
    }

    #[track_caller]
    fn expect(&self, kind: &'static Kind, name: &str, expected: &[&str]) {
        // In a status one finds conditions by their type.
        let (mut found, mut expected) = (self.conditions(kind, name), expected.to_vec());
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

const ACCEPTED: &str = "Accepted True/Accepted The Gateway is accepted";
const PROGRAMMED: &str = "Programmed True/Programmed The Gateway is programmed";
const RESOLVED: &str = "ResolvedRefs True/ResolvedRefs The referenced resources are resolved";
const ROUTE_ACCEPTED: &str = "Accepted True/Accepted The Route is accepted";
const ROUTE_RESOLVED: &str = "ResolvedRefs True/ResolvedRefs All references are resolved";
const POLICY_RESOLVED: &str = "ResolvedRefs True/ResolvedRefs All CACertificateRefs are resolved";
const POLICY_ACCEPTED: &str = "Accepted True/Accepted The Policy is accepted";
