//! Between what it goes: the Service, its port, the Gateway.

use std::collections::BTreeSet;

use super::SetupRequest;
use crate::{
    diagnosis::words::list,
    model::{
        kinds::{Gateway, Service},
        object::{Object, ObjectRef},
        snapshot::{Snapshot, Source},
        topology::{NodeKind, Topology},
    },
};

/// The Service.
pub(super) fn service<'s>(
    snapshot: &'s Snapshot,
    name: &ObjectRef,
) -> Result<&'s Object<Service>, String> {
    if let Some(service) = snapshot.services.get(name) {
        return Ok(service);
    }
    let others: Vec<&str> = snapshot
        .services
        .keys()
        .filter(|other| other.namespace == name.namespace)
        .map(|other| other.name.as_str())
        .collect();
    let place = match snapshot.source {
        Source::Files { .. } => "is not in the files",
        Source::Cluster { .. } => "does not exist, or may not be read",
    };
    let known = if others.is_empty() {
        String::new()
    } else {
        format!("; in that namespace there are {}", list(others, 8))
    };
    Err(format!("{name} {place}{known}"))
}

/// The section of the policy's target: the name of the port.
pub(super) fn section<'s>(
    service: &'s Object<Service>,
    port: Option<&str>,
) -> Result<Option<&'s str>, String> {
    let Some(port) = port else {
        return Ok(None);
    };
    let name = &service.reference;
    let ports = &service.spec.ports;
    let found = ports
        .iter()
        .find(|known| known.name == port || known.port.to_string() == port);
    match found {
        None => Err(format!(
            "--port {port}: {name} has no such port, only {}",
            list(
                ports.iter().map(|port| match port.name.as_str() {
                    "" => port.port.to_string(),
                    name => format!("{} ({name})", port.port),
                }),
                8
            )
        )),
        Some(found) if found.name.is_empty() && ports.len() == 1 => Ok(None),
        Some(found) if found.name.is_empty() => Err(format!(
            "--port {port}: the port has no name in {name}, and a policy names ports by their names; name it there, or leave --port out to mean all ports"
        )),
        Some(found) => Ok(Some(&found.name)),
    }
}

/// The Gateway: the one that is named, or the only one whose routes lead to the Service.
pub(super) fn gateway<'s>(
    snapshot: &'s Snapshot,
    topology: &Topology,
    wanted: &SetupRequest,
) -> Result<&'s Object<Gateway>, String> {
    let name = match &wanted.gateway {
        Some(name) => name.clone(),
        None => {
            let leading: BTreeSet<ObjectRef> = topology
                .places(&wanted.service)
                .iter()
                .filter_map(|place| {
                    topology.above(*place, |node| match node.what {
                        NodeKind::Gateway => node.object.clone(),
                        _ => None,
                    })
                })
                .collect();
            let mut names = leading.iter();
            match (names.next(), names.next()) {
                (Some(only), None) => only.clone(),
                (None, _) => {
                    return Err(format!(
                        "no route of a Gateway leads to {}; name the Gateway with --gateway NAMESPACE/NAME",
                        wanted.service
                    ));
                }
                _ => {
                    return Err(format!(
                        "routes of several Gateways lead to {}; choose one with --gateway: {}",
                        wanted.service,
                        list(leading.iter().map(ObjectRef::path), 8)
                    ));
                }
            }
        }
    };
    snapshot
        .gateways
        .get(&name)
        .map(|found| &**found)
        .ok_or_else(|| {
            format!(
                "{name} is not there; there are {}",
                match snapshot.gateways.len() {
                    0 => "no Gateways".to_owned(),
                    _ => list(snapshot.gateways.keys().map(ObjectRef::path), 8),
                }
            )
        })
}
