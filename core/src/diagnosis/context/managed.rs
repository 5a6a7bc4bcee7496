//! Which Gateways NGF manages.

use super::super::ngf::known;
use crate::model::{
    attachment::parent_of,
    kind::Kind,
    kinds::Gateway,
    object::{Object, ObjectRef},
    snapshot::Snapshot,
    topology::is_ngf_controller,
};

/// Whether NGF manages a Gateway; in files, where the class is usually not given, it is taken
/// for NGF's, unless another controller has written the status of its routes.
pub fn is_ngf(snapshot: &Snapshot, gateway: &Object<Gateway>) -> bool {
    let class = ObjectRef::new(Kind::GatewayClass, "", &gateway.spec.class);
    match snapshot.gateway_classes.get(&class) {
        Some(class) => is_ngf_controller(&class.spec.controller_name),
        None => {
            known::absence_is_proven(snapshot, &class).is_err()
                && !is_anothers_by_status(snapshot, gateway)
        }
    }
}

/// Whether controllers have written statuses of a Gateway's routes, and NGF none of them.
fn is_anothers_by_status(snapshot: &Snapshot, gateway: &Object<Gateway>) -> bool {
    // Before anything is applied there is no status of anybody.
    if gateway.status.conditions.is_empty() {
        return false;
    }
    let routes = snapshot.routes.iter();
    let mut told = routes.flat_map(|(name, route)| {
        let parents = route.status.parents.iter();
        parents.filter(|told| {
            parent_of(&told.parent, &name.namespace).as_ref() == Some(&gateway.reference)
        })
    });
    let Some(first) = told.next() else {
        return false;
    };
    std::iter::once(first)
        .chain(told)
        .all(|told| !is_ngf_controller(&told.controller_name))
}
