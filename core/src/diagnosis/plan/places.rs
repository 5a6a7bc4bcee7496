//! From a target to the backends in the tree that it means.

use super::{PlanError, ProbeTarget};
use crate::{
    diagnosis::{hidden, ngf::known},
    model::{
        object::ObjectRef,
        snapshot::Snapshot,
        topology::{Group, NodeIx, NodeKind, Topology},
    },
};

/// The backends that a target means, each with the endpoint where only one is meant.
pub(super) fn backends_of(
    snapshot: &Snapshot,
    topology: &Topology,
    target: &ProbeTarget,
) -> Result<Vec<(NodeIx, Option<NodeIx>)>, PlanError> {
    let starts: Vec<NodeIx> = match target {
        ProbeTarget::Node(id) => vec![
            topology
                .find(id)
                .ok_or_else(|| PlanError::NodeGone(id.to_string()))?,
        ],
        ProbeTarget::Route(object) | ProbeTarget::Gateway(object) | ProbeTarget::Policy(object) => {
            let places = whole_objects(topology, object);
            if places.is_empty() {
                return Err(missing(snapshot, object));
            }
            places
        }
        ProbeTarget::Service { service, port } => {
            return service_places(snapshot, topology, service, *port);
        }
    };
    let mut found = Vec::new();
    for start in &starts {
        if let NodeKind::Endpoint(_) | NodeKind::Policy { .. } = topology.node(*start).what
            && let Some(above) = topology.node(*start).parent
            && let NodeKind::Backend(_) = topology.node(above).what
        {
            let endpoint = matches!(topology.node(*start).what, NodeKind::Endpoint(_));
            found.push((above, endpoint.then_some(*start)));
            continue;
        }
        found.extend(
            topology
                .subtree(*start)
                .filter(|place| matches!(topology.node(*place).what, NodeKind::Backend(_)))
                .map(|place| (place, None)),
        );
    }
    // A route hangs under the group of unattached ones only where no listener takes it.
    if let Some(why) = starts.iter().find_map(|place| unattached(topology, *place)) {
        return Err(why);
    }
    if found.is_empty() {
        let name = target
            .object()
            .map_or_else(|| target.to_string(), ToString::to_string);
        return Err(PlanError::NoBackends(name));
    }
    Ok(found)
}

/// Places of the object itself, not of its listeners or rules, which stand below.
pub(super) fn whole_objects(topology: &Topology, object: &ObjectRef) -> Vec<NodeIx> {
    topology
        .places(object)
        .iter()
        .copied()
        .filter(|place| {
            matches!(
                topology.node(*place).what,
                NodeKind::Gateway | NodeKind::Route { .. } | NodeKind::Policy { .. }
            )
        })
        .collect()
}

pub(super) fn service_places(
    snapshot: &Snapshot,
    topology: &Topology,
    service: &ObjectRef,
    port: Option<u16>,
) -> Result<Vec<(NodeIx, Option<NodeIx>)>, PlanError> {
    let places: Vec<_> = topology
        .places(service)
        .iter()
        .filter(|place| match &topology.node(**place).what {
            NodeKind::Backend(backend) => port.is_none() || backend.port == port,
            _ => false,
        })
        .filter(|place| unattached(topology, **place).is_none())
        .map(|place| (*place, None))
        .collect();
    if !places.is_empty() {
        return Ok(places);
    }
    if !snapshot.services.contains_key(service) && topology.places(service).is_empty() {
        return Err(missing(snapshot, service));
    }
    let name = match port {
        Some(port) => format!("port {port} of {service}"),
        None => service.to_string(),
    };
    Err(PlanError::Unrouted(name))
}

pub(super) fn missing(snapshot: &Snapshot, object: &ObjectRef) -> PlanError {
    match known::absence_is_proven(snapshot, object) {
        Ok(()) => PlanError::NoSuchObject(object.to_string()),
        Err(why) => PlanError::NotKnown(match hidden::advice_for(snapshot, object, object) {
            Some(advice) => format!("{why}; {advice}"),
            None => why,
        }),
    }
}

pub(super) fn unattached(topology: &Topology, place: NodeIx) -> Option<PlanError> {
    let mut route = None;
    for above in std::iter::once(place).chain(topology.ancestors(place)) {
        let node = topology.node(above);
        match node.what {
            NodeKind::Route { .. } => route = Some(node),
            NodeKind::Group(Group::UnattachedRoutes) => {
                let route = route?;
                return Some(PlanError::NotAttached {
                    route: route.object.as_ref()?.to_string(),
                    why: route.note.as_deref().unwrap_or_default().to_owned(),
                });
            }
            _ => {}
        }
    }
    None
}
