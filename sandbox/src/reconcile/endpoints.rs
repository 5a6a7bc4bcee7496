//! EndpointSlices of Services with a selector.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Controllers;
use super::kubelet::served_port;
use super::workloads::is_ready;
use super::write::{own, owned_by};
use crate::kinds;
use crate::metadata::{meta, name_suffix, place};
use crate::selectors::labels_match;
use crate::store::{Key, Object, Part, Preconditions, StoreError};

/// Looks at every Service.
pub(super) fn run(controllers: &Controllers) {
    for service in controllers.store.list(kinds::SERVICE, None).0 {
        if service.pointer("/spec/selector").is_some() {
            slices(controllers, &service);
        }
    }
}

/// One slice for each set of ports that the Service's pods serve; usually one.
fn slices(controllers: &Controllers, service: &Object) {
    let namespace = meta(service, "namespace");
    let selector = service.pointer("/spec/selector");
    let (pods, _) = controllers.store.list(kinds::POD, Some(namespace));
    let mut wanted: BTreeMap<String, (Value, Vec<Value>)> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| labels_match(selector, pod)) {
        let Some(ip) = pod.pointer("/status/podIP").filter(|ip| ip.is_string()) else {
            continue;
        };
        // A pod that has ended is no endpoint, whatever its labels.
        let phase = pod.pointer("/status/phase").and_then(Value::as_str);
        if matches!(phase, Some("Succeeded" | "Failed")) {
            continue;
        }
        let ports = ports(service, pod);
        let serving = is_ready(pod);
        let ready = serving || service["spec"]["publishNotReadyAddresses"] == true;
        let endpoint = json!({
            "addresses": [ip],
            "conditions": {"ready": ready, "serving": serving, "terminating": false},
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": {
                "kind": "Pod",
                "namespace": namespace,
                "name": meta(pod, "name"),
                "uid": meta(pod, "uid"),
            },
        });
        wanted
            .entry(ports.to_string())
            .or_insert_with(|| (ports, Vec::new()))
            .1
            .push(endpoint);
    }
    let (slices, _) = controllers
        .store
        .list(kinds::ENDPOINT_SLICE, Some(namespace));
    let mut mine = slices.iter().filter(|slice| owned_by(slice, service));
    if wanted.is_empty() {
        // A Service without pods keeps one empty slice.
        wanted.insert(String::new(), (Value::Null, Vec::new()));
    }
    for (ports, endpoints) in wanted.into_values() {
        match mine.next() {
            Some(slice) => update(controllers, slice, &ports, &endpoints),
            None => create(controllers, service, &ports, &endpoints),
        }
    }
    for slice in mine {
        let key = Key::of(slice);
        let none = Preconditions::default();
        let _ = controllers
            .store
            .delete(kinds::ENDPOINT_SLICE, &key, &none, true);
    }
}

/// The ports of the slice for this pod: numbers, or names of the pod's container ports.
fn ports(service: &Value, pod: &Value) -> Value {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let named = |name: &str| {
        containers
            .into_iter()
            .flatten()
            .filter_map(|c| c["ports"].as_array())
            .flatten()
            .find(|p| p["name"] == name)
            .and_then(|p| p["containerPort"].as_u64())
    };
    service
        .pointer("/spec/ports")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|port| {
            let target = &port["targetPort"];
            let number = target.as_u64().or_else(|| named(target.as_str()?))?;
            Some(json!({
                "name": port["name"].as_str().unwrap_or_default(),
                "port": served_port(pod, number),
                "protocol": port["protocol"],
            }))
        })
        .collect()
}

fn update(controllers: &Controllers, slice: &Object, ports: &Value, endpoints: &[Value]) {
    if slice["ports"] == *ports && slice["endpoints"] == json!(endpoints) {
        return;
    }
    let _: Result<_, StoreError> = controllers.store.modify(
        kinds::ENDPOINT_SLICE,
        &Key::of(slice),
        Part::Main,
        true,
        |stored| {
            let mut object = stored.clone();
            object["ports"] = ports.clone();
            object["endpoints"] = json!(endpoints);
            Ok(object)
        },
    );
}

fn create(controllers: &Controllers, service: &Object, ports: &Value, endpoints: &[Value]) {
    let name = meta(service, "name");
    let mut labels = service["metadata"]["labels"].clone();
    *place(&mut labels, &["kubernetes.io/service-name"]) = json!(name);
    labels["endpointslice.kubernetes.io/managed-by"] = json!("endpointslice-controller.k8s.io");
    let mut slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{name}-{}", name_suffix(5)),
            "generateName": format!("{name}-"),
            "namespace": service["metadata"]["namespace"],
            "labels": labels,
        },
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": endpoints,
    });
    own(&mut slice, service);
    let _ = controllers.store.create(kinds::ENDPOINT_SLICE, slice, true);
}
